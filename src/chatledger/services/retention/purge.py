"""The purge: closed sessions that are old enough are deleted for good, in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, select, tuple_

from chatledger.dialects.constructs import hour_of
from chatledger.dialects.types import Identifier, Timestamp
from chatledger.enums import Status, StatusLike
from chatledger.errors import InvalidInput
from chatledger.schemas import PurgeReport
from chatledger.schemas.fields import moment, stated
from chatledger.services import audit
from chatledger.services.base import ServiceContext, logger
from chatledger.services.rows import sessions
from chatledger.services.sessions.deletion import delete_sessions
from chatledger.services.sessions.families import Families
from chatledger.services.sessions.listing import has_status, statuses_of
from chatledger.services.timeouts.sweep import Run
from chatledger.services.visibility import SESSION_KEY, lock_each

BATCH = 100
"""Sessions, and messages, that are deleted in one transaction, about."""
BATCH_MESSAGES = 5000
_WRONG_AGE = "must be a time, a timedelta or a number of seconds, and not negative"
NAMED = 100
"""How many a report names."""


@dataclass(frozen=True)
class Wanted:
    """What is to be purged."""

    before: datetime
    statuses: tuple[Status, ...]
    reason: str | None


def wanted(
    older_than: timedelta | datetime | float,
    status: StatusLike | Iterable[StatusLike],
    now: datetime,
    reason: str | None,
) -> Wanted:
    """What users ask for.

    Raises:
        InvalidInput: an unknown status, or an invalid age.
    """
    return Wanted(boundary(older_than, now), statuses_of(status), stated(reason))


def purge(
    read: Run,
    run: Run,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    progress: Callable[[PurgeReport], object] | None = None,
    conclude: Callable[[Callable[[ServiceContext], object]], object] | None = None,
) -> PurgeReport:
    """Delete the sessions that are old enough, a batch for each call of `run`; `conclude` writes the entry about all."""
    tally = _Tally(dry_run=dry_run)
    for status in wanted.statuses:
        last: tuple[datetime, str] | None = None
        while rows := read(lambda context, status=status, last=last: _old(context, status, wanted, last)):  # type: ignore[misc]
            last = (rows[-1].since, rows[-1].session_id)
            tally.held += sum(row.held_at is not None for row in rows)
            free = [row for row in rows if row.held_at is None]
            while free:
                batch = batch_of(free)
                free = free[len(batch) :]
                if dry_run:
                    tally.add(*read(lambda context, batch=batch: _with_children(context, batch, lock=False)))  # type: ignore[misc]
                else:
                    tally.add(*run(lambda context, batch=batch, status=status: _delete(context, batch, status, wanted)))  # type: ignore[misc]
                if progress is not None:
                    progress(tally.report())
            if len(rows) < BATCH:
                break
    report = tally.report()
    if report.sessions and not dry_run:
        facts: dict[str, Any] = {
            "reason": wanted.reason,
            "count": report.sessions,
            "details": {"messages": report.messages, "before": wanted.before.isoformat()},
        }
        (conclude or run)(lambda context: audit.record(context, "sessions.purged", **facts))
        logger.info("sessions purged", extra={"count": report.sessions})
    return report


class _Tally:
    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._sessions = self._messages = self.held = 0
        self._ids: list[str] = []
        # Children that are counted with their parents, and may come again.
        self._children: set[str] = set()

    def add(self, rows: Sequence[Any], children: Sequence[Any], held: int) -> None:
        self.held += held
        rows = [row for row in (*rows, *children) if row.session_id not in self._children]
        self._children.update(row.session_id for row in children)
        self._sessions += len(rows)
        self._messages += sum(row.message_count for row in rows)
        self._ids += [row.session_id for row in rows][: NAMED - len(self._ids)]

    def report(self) -> PurgeReport:
        return PurgeReport(
            dry_run=self._dry_run,
            sessions=self._sessions,
            messages=self._messages,
            held=self.held,
            session_ids=tuple(self._ids),
        )


def _with_children(
    context: ServiceContext, rows: Sequence[Any], *, lock: bool
) -> tuple[Sequence[Any], Sequence[Any], int]:
    """The sessions that can be deleted, what is below them, and how many cannot because a session below is on hold."""
    names = [row.session_id for row in rows]
    family = Families(context, names, lock=lock)
    blocked = family.blocked()
    free = [row for row in rows if row.session_id not in blocked]
    return free, family.below(set(names) - blocked), len(blocked)


def _delete(
    context: ServiceContext, rows: Sequence[Any], status: Status, wanted: Wanted
) -> tuple[Sequence[Any], Sequence[Any], int]:
    """Delete sessions that are still as they were found, and what is below them."""
    statement = _old_ones(context, status).where(sessions.c.session_id == SESSION_KEY, sessions.c.held_at.is_(None))
    names = [row.session_id for row in rows]
    locked = statement.with_for_update(skip_locked=True)
    still = lock_each(context, locked, names, before=wanted.before, owner=context.owner)
    still.sort(key=lambda row: names.index(row.session_id))
    free, children, held = _with_children(context, still, lock=True)
    doomed = [row.session_id for row in (*children, *free)]
    for start in range(0, len(doomed), BATCH):
        delete_sessions(context, doomed[start : start + BATCH], "session.purged", reason=wanted.reason)
    return free, children, held


def _old(context: ServiceContext, status: Status, wanted: Wanted, last: tuple[datetime, str] | None) -> Sequence[Any]:
    parameters: dict[str, Any] = {"before": wanted.before}
    statement = _old_ones(context, status)
    since = _since(status)
    if last is not None:
        place = tuple_(bindparam("last", type_=Timestamp()), bindparam("last_session", type_=Identifier()))
        statement = statement.where(tuple_(since, sessions.c.session_id) > place)
        parameters |= {"last": last[0], "last_session": last[1]}
    return context.execute(statement.order_by(since, sessions.c.session_id).limit(BATCH), parameters).all()


def _old_ones(context: ServiceContext, status: Status) -> Select[Any]:
    since = _since(status)
    before = bindparam("before", type_=Timestamp())
    columns = (sessions.c.session_id, sessions.c.message_count, sessions.c.held_at, since.label("since"))
    statement = select(*columns).where(has_status(status), since <= before)
    if status not in (Status.ARCHIVED, Status.EXPIRED):
        statement = statement.where(sessions.c.activity_hour <= hour_of(before))
    if context.owner is not None:
        statement = statement.where(sessions.c.user_id == context.owner)
    return statement


def _since(status: Status) -> Any:
    """From when the age of a session counts."""
    known = {Status.ARCHIVED: sessions.c.archived_at, Status.EXPIRED: sessions.c.expired_at}
    return known.get(status, sessions.c.last_activity)


def batch_of(rows: Sequence[Any]) -> Sequence[Any]:
    """The first sessions that one transaction may delete: few enough, and with few enough messages; but one at least."""
    messages = 0
    for place, row in enumerate(rows):
        messages += row.message_count
        if messages > BATCH_MESSAGES and place:
            return rows[:place]
    return rows


def boundary(older_than: timedelta | datetime | float, now: datetime) -> datetime:
    """The moment before which everything is older. Raises InvalidInput where the age is invalid."""
    if isinstance(older_than, datetime):
        return moment(older_than, "older_than")
    try:
        age = older_than if isinstance(older_than, timedelta) else timedelta(seconds=older_than)
        if age >= timedelta(0) and not isinstance(older_than, bool):
            return now - age
    except OverflowError:  # as long ago as there is
        if isinstance(older_than, int | float) and older_than < 0:
            raise InvalidInput("older_than", _WRONG_AGE) from None
        return datetime.min.replace(tzinfo=now.tzinfo)
    except (TypeError, ValueError):
        pass
    raise InvalidInput("older_than", _WRONG_AGE)
