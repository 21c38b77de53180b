"""Metrics: named numbers with a unit, over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, delete, func, select, tuple_

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import Timestamp, Whole
from chatledger.errors import InvalidInput, SessionNotFound
from chatledger.schemas import Metric, MetricPoint, MetricSummary, NewMetric, Page
from chatledger.schemas.fields import flags, identifier, validated
from chatledger.services.base import Service, logger
from chatledger.services.metrics.statements import by_period, by_unit, chosen, figures, metrics, start_of, to_metric
from chatledger.services.pagination import decode_moment_cursor, encode_cursor, limited
from chatledger.services.retention.purge import boundary
from chatledger.services.rows import sessions
from chatledger.services.visibility import keep_session, lock_each, this_session

# Points of a series: enough for the hours of a year.
_POINTS = 10_000

# Inside of the class, `list` is a method.
_Points = list[MetricPoint]
_Summaries = list[MetricSummary]
_Names = list[str]


class Metrics(Service):
    """Measurements: a name, a number, a unit, and optionally a session, a user, a model or a project.

    A metric with a session belongs to the user of the session, and is deleted with the session. A metric without a
    session belongs to its `user_id`. A ledger that is limited to a user records and shows only the metrics of that
    user.
    """

    __slots__ = ()

    def record(
        self,
        name: str,
        value: float,
        unit: str | None = None,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> None:
        """Record a finite number within ±1e300. Models and projects are only names: they need not be registered.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a value that cannot be stored, or both a session and a user.
        """
        fields = {
            "name": name, "value": value, "unit": unit, "session_id": session_id, "user_id": user_id,
            "model_id": model_id, "project_id": project_id, "metadata": metadata, "at": at,
        }  # fmt: skip
        self._insert([self._row(validated(NewMetric, fields))])

    def record_many(self, metrics: Iterable[NewMetric | Mapping[str, Any]]) -> int:
        """Record several metrics in one statement: all of them or none. Return their number.

        Raises:
            SessionNotFound: as `record`.
            InvalidInput: as `record`. The field begins with the position in the list.
        """
        if not isinstance(metrics, Iterable):
            raise InvalidInput("metrics", f"must be a list of metrics, not {type(metrics).__name__}")
        rows = []
        for place, metric in enumerate(metrics):
            try:
                rows.append(self._row(validated(NewMetric, metric)))
            except InvalidInput as error:
                raise InvalidInput(f"metrics[{place}].{error.field}", error.reason) from None
        self._insert(rows)
        return len(rows)

    def list(
        self,
        name: str | None = None,
        *,
        unit: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Metric]:
        """Return a page of metrics, newest first. A page has at most 1,000.

        `since` is the earliest time to include, `until` the first to exclude. The list of an unknown session is empty.

        Raises:
            InvalidInput: a cursor of another list, or an invalid filter.
        """
        limit = limited(limit)
        conditions = chosen(
            self._context,
            {
                "name": name, "unit": unit, "session_id": session_id, "user_id": user_id, "model_id": model_id,
                "project_id": project_id, "since": since, "until": until,
            },
        )  # fmt: skip
        if cursor is not None:
            at, number = decode_moment_cursor("metrics", cursor, int)
            last = tuple_(bindparam("last_at", at, type_=Timestamp()), bindparam("last_id", number, type_=Whole))
            conditions.append(tuple_(metrics.c.at, metrics.c.metric_id) < last)
        statement = select(*metrics.c).where(*conditions).order_by(metrics.c.at.desc(), metrics.c.metric_id.desc())
        rows = self._context.execute(statement.limit(limit + 1)).all()
        items = tuple(map(to_metric, rows[:limit]))
        more = len(rows) > limit
        return Page[Metric](
            items=items,
            next_cursor=encode_cursor("metrics", items[-1].at.isoformat(), items[-1].metric_id) if more else None,
        )

    def series(
        self,
        name: str,
        by: Literal["hour", "day", "month"] = "day",
        *,
        unit: str | None = None,
        session_id: str | None = None,
        user_id: str | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> _Points:
        """Return count, sum, minimum, maximum and average for each `hour`, `day` or `month` in UTC, oldest first.

        Numbers with different units are never added up: each unit has its own points. Periods without metrics have no
        point. A series has at most 10,000 points.

        Raises:
            InvalidInput: an unknown period, more than 10,000 points, or an invalid filter.
        """
        conditions = chosen(
            self._context,
            {
                "name": identifier(name, "name"), "unit": unit, "session_id": session_id, "user_id": user_id,
                "model_id": model_id, "project_id": project_id, "since": since, "until": until,
            },
        )  # fmt: skip
        rows = self._context.execute(by_period(by, conditions).limit(_POINTS + 1)).all()
        if len(rows) > _POINTS:
            raise InvalidInput("by", f"gives more than {_POINTS:,} points: pass since and until, or a longer period")
        return [MetricPoint(start=start_of(row.start), unit=row.unit, **figures(row)) for row in rows]

    def summary(
        self,
        name: str | None = None,
        *,
        session_id: str | None = None,
        user_id: str | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> _Summaries:
        """Return the figures of `series` over the whole time, for each name and unit.

        Raises:
            InvalidInput: an invalid filter.
        """
        filters = {
            "name": name, "session_id": session_id, "user_id": user_id, "model_id": model_id, "project_id": project_id,
            "since": since, "until": until,
        }  # fmt: skip
        rows = self._context.execute(by_unit(chosen(self._context, filters))).all()
        return [
            MetricSummary(name=row.name, unit=row.unit, first_at=row.first_at, last_at=row.last_at, **figures(row))
            for row in rows
        ]

    def names(self) -> _Names:
        """Return the names of all metrics, sorted."""
        statement = select(metrics.c.name).where(*chosen(self._context, {})).distinct().order_by(metrics.c.name)
        return [*self._context.execute(statement).scalars()]

    def purge(
        self,
        *,
        older_than: timedelta | datetime | float,
        name: str | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete metrics that are older than an age (a timedelta, or seconds) or a time. Return their number.

        With `dry_run`, nothing is deleted.

        Raises:
            InvalidInput: an invalid age.
        """
        flags(dry_run=dry_run)
        conditions = chosen(self._context, {"name": name, "until": boundary(older_than, self._context.now())})
        if dry_run:
            return int(self._context.execute(select(func.count()).select_from(metrics).where(*conditions)).scalar_one())
        gone = self._context.change(delete(metrics).where(*conditions))
        logger.info("metrics purged", extra={"count": gone})
        return gone

    def _row(self, metric: NewMetric) -> dict[str, Any]:
        owner = self._context.owner
        if metric.session_id is not None and metric.user_id is not None:
            raise InvalidInput(
                "user_id", "cannot be combined with a session: the metric belongs to the user of the session"
            )
        if owner is not None and metric.user_id not in (None, owner):
            raise InvalidInput("user_id", "is not the user that this ledger is limited to")
        row = metric.model_dump()
        row["metadata"] = encode_json(metric.metadata, "metadata") if metric.metadata else None
        row["at"] = self._context.now(metric.at)
        if metric.session_id is None and owner is not None:
            row["user_id"] = owner
        return row

    def _insert(self, rows: Sequence[dict[str, Any]]) -> None:
        self._require_sessions({row["session_id"] for row in rows} - {None})
        if rows:
            self._context.insert_rows(metrics, rows)

    def _require_sessions(self, names: set[str]) -> None:
        """Lock the sessions until the transaction ends, because no foreign key protects the reference."""
        found = {row.session_id for row in lock_each(self._context, _THERE, names, owner=self._context.owner)}
        if missing := sorted(names - found):
            raise SessionNotFound(missing[0])


_THERE = keep_session(select(sessions.c.session_id).where(this_session()))
