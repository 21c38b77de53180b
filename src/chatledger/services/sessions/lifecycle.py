"""The lifecycle of a session: which status can follow which, and what happens at a change.

    active ──mark_idle──▶ idle ──(a message, resume)──▶ active
    active, idle ──pause──▶ paused ──resume──▶ active
    active, idle, paused ──fail──▶ failed
    active, idle, paused, failed ──archive──▶ archived
    active, idle, paused, failed, archived ──expire──▶ expired
    archived, expired, failed ──reopen──▶ active

Calling a method whose target status the session already has changes nothing. A transition that is not allowed is
refused, and the error lists the methods that are.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update

from chatledger.dialects.constructs import greatest
from chatledger.dialects.types import Timestamp
from chatledger.enums import OPEN, SnapshotKind, Status
from chatledger.errors import SessionNotFound, TransitionRefused
from chatledger.schemas import Session
from chatledger.schemas.fields import flags, identifier, moment, stated, whole
from chatledger.services import audit
from chatledger.services.base import Service, ServiceContext, logger
from chatledger.services.prepared import Prepared
from chatledger.services.retention.expiry import expire_inactive
from chatledger.services.rows import session_columns, sessions, to_sessions
from chatledger.services.snapshots import statements as snapshot_statements
from chatledger.services.timeouts import limits
from chatledger.services.visibility import SESSION_KEY, this_session, visibility_parameters


class Transition(NamedTuple):
    """What one method does."""

    to: Status
    sources: tuple[Status, ...]


TRANSITIONS = {
    "pause": Transition(Status.PAUSED, (Status.ACTIVE, Status.IDLE)),
    "resume": Transition(Status.ACTIVE, (Status.IDLE, Status.PAUSED)),
    "mark_idle": Transition(Status.IDLE, (Status.ACTIVE,)),
    "archive": Transition(Status.ARCHIVED, (*OPEN, Status.FAILED)),
    "expire": Transition(Status.EXPIRED, (*OPEN, Status.FAILED, Status.ARCHIVED)),
    "fail": Transition(Status.FAILED, OPEN),
    "reopen": Transition(Status.ACTIVE, (Status.ARCHIVED, Status.EXPIRED, Status.FAILED)),
}


class Lifecycle(Service):
    """Changes of status, and holds."""

    __slots__ = ()

    def pause(self, session_id: str) -> Session:
        """Pause an active or idle session: its idle and archive timeouts do not run. It still takes messages.

        The hard timeout still runs.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            TransitionRefused: the session is closed.
        """
        return self._obey("pause", session_id)

    def resume(self, session_id: str) -> Session:
        """Make a paused or idle session active. Like a message, this counts as activity.

        Raises:
            SessionNotFound, TransitionRefused: as `pause`.
        """
        return self._obey("resume", session_id)

    def mark_idle(self, session_id: str) -> Session:
        """Mark an active session as idle. The next message makes it active.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            TransitionRefused: the session is paused or closed.
        """
        return self._obey("mark_idle", session_id)

    def archive(self, session_id: str, *, reason: str | None = None, snapshot: bool = True) -> Session:
        """Take a `pre_archive` snapshot of the session, then close it for writing. It stays readable.

        Both happen or neither does. Archiving an archived session changes nothing. `snapshot=False` takes no snapshot.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            TransitionRefused: the session is expired.
        """
        flags(snapshot=snapshot)
        why = stated(reason)
        identifier(session_id, "session_id")
        archive(self._context, session_id, reason=why, snapshot=snapshot)
        return fetch(self._context, session_id)

    def expire(self, session_id: str, *, reason: str | None = None) -> Session:
        """Close a session and hide it from `find`, `get` and `list`, unless they are asked for it. Nothing is deleted.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        return self._obey("expire", session_id, reason=reason)

    def fail(self, session_id: str, *, reason: str | None = None) -> Session:
        """Close a session because something went wrong. It stays readable.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            TransitionRefused: the session is archived or expired.
        """
        return self._obey("fail", session_id, reason=reason)

    def reopen(self, session_id: str, *, reason: str | None = None) -> Session:
        """Make an archived, expired or failed session active again. This counts as activity and restarts the hard
        timeout.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            TransitionRefused: the session is idle or paused.
        """
        return self._obey("reopen", session_id, reason=reason)

    def hold(self, session_id: str, *, reason: str | None = None) -> Session:
        """Put a session on hold: no sweep, purge or clean-up touches it, and it cannot be deleted until `release`.

        It still takes messages. Holding a session that is on hold changes nothing.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        return self._hold(session_id, reason, held=True)

    def release(self, session_id: str, *, reason: str | None = None) -> Session:
        """End a hold. Releasing a session that is not held changes nothing.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        return self._hold(session_id, reason, held=False)

    def expire_older_than(
        self,
        hours: float,
        *,
        now: datetime | None = None,
        limit: int | None = None,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> int:
        """Expire the open sessions that have been inactive for that many hours. Return their number.

        Sessions on hold are skipped. `limit` is the most to expire in this call, so that a large ledger is cleaned up
        in several short transactions. `dry_run` counts them and changes nothing.

        Raises:
            InvalidInput: the hours are not a positive number, or a time without a time zone.
        """
        flags(dry_run=dry_run)
        at = self._context.now() if now is None else moment(now, "now")
        most = None if limit is None else whole(limit, "limit", least=1)
        return expire_inactive(self._context, hours, at, limit=most, dry_run=dry_run, reason=stated(reason))

    def _obey(self, verb: str, session_id: str, *, reason: str | None = None) -> Session:
        why = stated(reason)
        identifier(session_id, "session_id")
        transition(self._context, session_id, verb, reason=why)
        return fetch(self._context, session_id)

    def _hold(self, session_id: str, reason: str | None, *, held: bool) -> Session:
        why = stated(reason)
        identifier(session_id, "session_id")
        now = self._context.now()
        statement = (
            update(sessions)
            .where(this_session(), sessions.c.held_at.is_(None) if held else sessions.c.held_at.is_not(None))
            .values(held_at=now if held else None, updated_at=now)
        )
        if self._context.change(statement, visibility_parameters(self._context, session_id)):
            limits.look_again(self._context, session_id)
            audit.record_for(self._context, session_id, "session.held" if held else "session.released", reason=why)
        return fetch(self._context, session_id)


def archive(
    context: ServiceContext, session_id: str, *, reason: str | None, snapshot: bool = True, at: datetime | None = None
) -> None:
    """Snapshot a session, then close it, as of now or of a given moment.

    Raises:
        SessionNotFound, TransitionRefused
    """
    locked = snapshot_statements.lock(context, session_id)
    _require(session_id, locked.status, "archive")
    details = None
    if snapshot and locked.status is not Status.ARCHIVED:
        taken = snapshot_statements.take(context, session_id, SnapshotKind.PRE_ARCHIVE, reason=reason, locked=locked)
        details = {"snapshot": taken.snapshot_number, "messages": taken.message_count}
    transition(context, session_id, "archive", reason=reason, details=details, at=at)


def transition(
    context: ServiceContext,
    session_id: str,
    verb: str,
    *,
    reason: str | None = None,
    details: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> bool:
    """Change the status of a session as a method does; whether it was another before.

    Raises:
        SessionNotFound, TransitionRefused
    """
    wanted = TRANSITIONS[verb]
    now = context.now(at)
    noted: dict[str, Any] = {
        "archive": {"archived_at": now},
        "expire": {"expired_at": now},
        "reopen": dict.fromkeys(_ENDS),
    }
    values: dict[str, Any] = {"status": wanted.to, "updated_at": now, **noted.get(verb, {})}
    if verb in ("resume", "reopen"):
        # Somebody wants to go on with it: it must not be found overdue the next moment.
        values["last_activity"] = greatest(sessions.c.last_activity, bindparam("now", now, type_=Timestamp()))
    parameters = {**visibility_parameters(context, session_id), "sources": list(wanted.sources)}
    statement = update(sessions).where(this_session(), sessions.c.status.in_(bindparam("sources", expanding=True)))
    if context.change(statement.values(values), parameters) == 0:
        require(context, session_id, verb)
        return False
    if verb == "reopen":
        limits.begin_anew(context, session_id)
    if verb in _AUDITED:
        audit.record_for(context, session_id, _AUDITED[verb], reason=reason, details=details)
    logger.info("session turned", extra={"session_id": session_id, "status": wanted.to.value})
    return True


def require(context: ServiceContext, session_id: str, verb: str) -> None:
    """Raise what stands in the way of a method.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
        TransitionRefused: its status leads elsewhere.
    """
    status = context.execute(_STATUS, visibility_parameters(context, session_id)).scalar_one_or_none()
    if status is None:
        raise SessionNotFound(session_id)
    _require(session_id, status, verb)


def _require(session_id: str, status: Status, verb: str) -> None:
    wanted = TRANSITIONS[verb]
    if status is not wanted.to and status not in wanted.sources:
        possible = tuple(name for name, transition in TRANSITIONS.items() if status in transition.sources)
        raise TransitionRefused(session_id, status.value, wanted.to.value, possible)


def fetch(context: ServiceContext, session_id: str) -> Session:
    """A session, whatever its status.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    found = to_sessions(context.rows(GET, visibility_parameters(context, session_id)))
    if not found:
        raise SessionNotFound(session_id)
    return found[0]


# The acts that leave a row in the audit log; the others happen by the minute.
_AUDITED = {
    "archive": "session.archived",
    "expire": "session.expired",
    "fail": "session.failed",
    "reopen": "session.reopened",
}

_ENDS = ("archived_at", "expired_at")
GET = Prepared(select(*session_columns(SESSION_KEY)).where(this_session()))
_STATUS = select(sessions.c.status).where(this_session())
