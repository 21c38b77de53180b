"""Any named number with its unit, over time."""

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

#: Sessions that are looked for at a time.
_BATCH = 500
#: Periods that a series may have: an hour's for a year, with room.
_POINTS = 10_000

# Inside of the class, `list` is a method.
_Points = list[MetricPoint]
_Summaries = list[MetricSummary]
_Names = list[str]


class Metrics(Service):
    """Measurements: a name, a number, a unit, and what it is tied to.

    One that names a session is that session's: it belongs to its user and is deleted with it. Of the others `user_id`
    says whose they are; a ledger that is limited to a user records and sees that user's.
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
        """Record one number: any finite one within ±1e300. Models and projects are named only, and need not be known.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a value that cannot be stored, or a user beside a session.
        """
        fields = {
            "name": name, "value": value, "unit": unit, "session_id": session_id, "user_id": user_id,
            "model_id": model_id, "project_id": project_id, "metadata": metadata, "at": at,
        }  # fmt: skip
        self._insert([self._row(validated(NewMetric, fields))])

    def record_many(self, metrics: Iterable[NewMetric | Mapping[str, Any]]) -> int:
        """Record any number of them, all or none, in one statement for all; how many there were.

        Raises:
            SessionNotFound: as `record`.
            InvalidInput: as `record`; its field begins with the place in the list.
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
        """Measurements, newest first. At most 1,000 a page.

        `since` is the earliest time wanted, `until` the first not wanted. A session that is not there has none.

        Raises:
            InvalidInput: a cursor of another list, or a filter that is none.
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
        """Count, sum, least, greatest and average for each `hour`, `day` or `month` in UTC, oldest first.

        Numbers in different units are never added up: each unit has points of its own. A period without any has none. At
        most 10,000 points: for more, take part of the time.

        Raises:
            InvalidInput: an unknown period, more points than that, or a filter that is none.
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
            raise InvalidInput("by", f"gives more than {_POINTS} points: name since and until, or a longer period")
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
        """The same figures over all of the time, for each name and unit.

        Raises:
            InvalidInput: a filter that is none.
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
        """What has been measured, in the order of names."""
        statement = select(metrics.c.name).where(*chosen(self._context, {})).distinct().order_by(metrics.c.name)
        return [*self._context.execute(statement).scalars()]

    def purge(
        self,
        *,
        older_than: timedelta | datetime | float,
        name: str | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete what was measured longer ago than so long (or before a time); how many there were. A number is seconds.

        Raises:
            InvalidInput: an age that is none.
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
            raise InvalidInput("user_id", "cannot stand beside a session, which says whose it is")
        if owner is not None and metric.user_id not in (None, owner):
            raise InvalidInput("user_id", "is another user than the one that this ledger is limited to")
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
        """They are there, and stay until the transaction ends: nothing refers to them by foreign key."""
        found = {row.session_id for row in lock_each(self._context, _THERE, names, owner=self._context.owner)}
        if missing := sorted(names - found):
            raise SessionNotFound(missing[0])


_THERE = keep_session(select(sessions.c.session_id).where(this_session()))
