"""Metrics and annotations, awaited."""

from __future__ import annotations

from chatledger.services.annotations.service import Annotations
from chatledger.services.lifted import Lifted, lifted
from chatledger.services.metrics.service import Metrics


class AsyncMetrics(Lifted):
    """`Metrics`, awaited."""

    record = lifted(Metrics.record)
    record_many = lifted(Metrics.record_many)
    list = lifted(Metrics.list)
    series = lifted(Metrics.series)
    summary = lifted(Metrics.summary)
    names = lifted(Metrics.names)
    purge = lifted(Metrics.purge)


class AsyncAnnotations(Lifted):
    """`Annotations`, awaited."""

    add = lifted(Annotations.add)
    add_many = lifted(Annotations.add_many)
    get = lifted(Annotations.get)
    list = lifted(Annotations.list)
    update = lifted(Annotations.update)
    remove = lifted(Annotations.remove)
    search = lifted(Annotations.search)
    summary = lifted(Annotations.summary)
