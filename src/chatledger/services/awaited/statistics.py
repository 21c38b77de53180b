"""Statistics, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted, lifted
from chatledger.services.statistics.service import Statistics


class AsyncStatistics(Lifted):
    """`Statistics`, awaited."""

    overview = lifted(Statistics.overview)
    by_model = lifted(Statistics.by_model)
    by_project = lifted(Statistics.by_project)
    by_user = lifted(Statistics.by_user)
    by_role = lifted(Statistics.by_role)
    by_session = lifted(Statistics.by_session)
    by_hour = lifted(Statistics.by_hour)
    by_day = lifted(Statistics.by_day)
    by_week = lifted(Statistics.by_week)
    by_month = lifted(Statistics.by_month)
    activity = lifted(Statistics.activity)
    latency = lifted(Statistics.latency)
    latency_by = lifted(Statistics.latency_by)
    latency_by_day = lifted(Statistics.latency_by_day)
    errors = lifted(Statistics.errors)
    context_use = lifted(Statistics.context_use)
    compare = lifted(Statistics.compare)
