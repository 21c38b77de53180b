"""Comparisons, awaited."""

from __future__ import annotations

from chatledger.services.comparisons.service import Comparisons
from chatledger.services.lifted import Lifted, lifted, lifted_iterator


class AsyncComparisons(Lifted):
    """`Comparisons`, awaited."""

    create = lifted(Comparisons.create)
    get = lifted(Comparisons.get)
    list = lifted(Comparisons.list)
    add = lifted(Comparisons.add)
    sessions = lifted(Comparisons.sessions)
    record = lifted(Comparisons.record)
    record_many = lifted(Comparisons.record_many)
    results = lifted_iterator(Comparisons.results)
    summary = lifted(Comparisons.summary)
    delete = lifted(Comparisons.delete)
