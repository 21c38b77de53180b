"""`chatledger tail`: the newest messages, and those that are added afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.duration import duration
from chatledger.cli.arguments.options import Database, Owner, Project
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_line
from chatledger.cli.output.screen import Screen
from chatledger.cli.sessions.messages import show_messages
from chatledger.enums import Outcome, Status
from chatledger.schemas import Message, Session
from chatledger.unit_of_work import UnitOfWork

# Writers commit a little later than the time that they give their message, and their clocks differ.
_OVERLAP = timedelta(minutes=10)
_PAGE = 200
# Messages at the end of a session among which one that is being streamed is looked for.
_LOOKED_BACK = 20
_ANY_STATUS = tuple(Status)


def tail(
    session_id: Annotated[
        str | None, typer.Argument(metavar="[SESSION_ID]", help="Only this session.", show_default=False)
    ] = None,
    last: Annotated[
        int, typer.Option("--last", "-n", min=0, max=1000, metavar="N", help="The newest N messages.")
    ] = 10,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with messages that are added, until you press Ctrl-C.")
    ] = False,
    every: Annotated[
        timedelta, typer.Option("--every", metavar="LENGTH", parser=duration, help="With --follow: the interval.")
    ] = "1s",  # type: ignore[assignment]  # parsed, as if it were typed
    project: Project = None,
    user: Owner = None,
    db: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines: one message on each line.")] = False,
) -> None:
    """Print the newest messages of a session, or of all sessions, and with --follow those that are added afterwards.

    A message that is being streamed is printed when it has ended. Copies of messages in forks are printed only if you
    name the fork.
    """
    if session_id is not None and project is not None:
        raise typer.BadParameter("is not for a single session", param_hint="'--project'")
    screen, headed = Screen(), None
    with opened_for(db, user) as ledger:
        newest = NewestMessages(session_id=session_id, project_id=project)
        while True:
            with ledger.read() as uow:
                found = newest.first(uow, last) if headed is None else newest.added(uow)
            headed = headed or ""
            if as_json:
                for message, _ in found:
                    write_line(message)
            else:
                headed = _show(screen, found, headed)
            screen.flush()
            if not follow:
                return
            time.sleep(every.total_seconds())


Found = tuple[Message, Session]
"""A message and its session."""


class NewestMessages:
    """The newest messages of a session, or of the sessions of a project or ledger, and then those that are added."""

    def __init__(self, *, session_id: str | None = None, project_id: str | None = None) -> None:
        self._session_id, self._project_id = session_id, project_id
        self._shown: dict[str, int] = {}
        """By session: the number of the last message that is not to be shown again."""
        self._began: datetime | None = None
        """The earliest time of messages to show of a session that has not been met; None shows them all."""
        self._newest: datetime | None = None

    def first(self, uow: UnitOfWork, last: int) -> list[Found]:
        """Return the newest messages, oldest first. What is added from now on is new.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
        """
        if self._session_id is not None:
            sessions = [uow.sessions.get(self._session_id, include_expired=True)]
        else:
            # Each of the newest messages is in one of as many sessions with the newest activity.
            page = uow.sessions.list(project_id=self._project_id, status=_ANY_STATUS, limit=max(last, 1))
            self._note_activity(page.items)
            self._began = None if self._newest is None else self._newest - _OVERLAP
            listed = {session.session_id: session for session in (*page.items, *self._active(uow))}
            sessions = list(listed.values())
        found = [one for session in sessions for one in self._read(uow, session, last=max(last, _LOOKED_BACK))]
        return sorted(found, key=_time)[-last:] if last else []

    def added(self, uow: UnitOfWork) -> list[Found]:
        """Return the messages that were added since the last call, ordered by time.

        Raises:
            SessionNotFound: the session was deleted.
        """
        found: list[Found] = []
        active = self._active(uow)
        self._note_activity(active)
        for session in active:
            shown = self._shown.get(session.session_id)
            if shown is not None and session.last_sequence <= shown:
                continue
            since = self._began if shown is None else None
            found += self._read(uow, session, after=shown, since=since)
        return sorted(found, key=_time)  # within a session in the order of numbers, as sorting is stable

    def _active(self, uow: UnitOfWork) -> list[Session]:
        """The sessions that may have new messages."""
        if self._session_id is not None:
            return [uow.sessions.get(self._session_id, include_expired=True)]
        which: dict[str, Any] = {"project_id": self._project_id, "status": _ANY_STATUS, "limit": _PAGE}
        if self._newest is not None:
            which["since"] = self._newest - _OVERLAP
        page = uow.sessions.list(**which)
        found = list(page.items)
        while page.next_cursor is not None:
            page = uow.sessions.list(**which, cursor=page.next_cursor)
            found += page.items
        return found

    def _note_activity(self, sessions: Iterable[Session]) -> None:
        times = [session.last_activity for session in sessions]
        self._newest = max(times if self._newest is None else [*times, self._newest], default=None)

    def _read(self, uow: UnitOfWork, session: Session, **which: Any) -> list[Found]:
        """Messages of a session up to one that is still being streamed, which are noted as shown."""
        found: list[Found] = []
        shown = session.last_sequence
        for message in uow.messages.history(session.session_id, **which):
            if message.outcome is Outcome.STREAMING:
                shown = message.sequence_number - 1
                break
            if message.copied_from is None or self._session_id is not None:
                found.append((message, session))
        self._shown[session.session_id] = shown
        return found


def _time(found: Found) -> datetime:
    return found[0].created_at


def _show(screen: Screen, found: list[Found], headed: str) -> str:
    """Print messages, those of each session under its name. Return the session that the last ones are of."""
    for session_id, some in groupby(found, key=lambda one: one[0].session_id):
        messages = list(some)
        if session_id != headed:
            title = messages[0][1].title
            if headed:
                screen.text("")
            screen.line((f"==> {session_id}{f' · {title}' if title else ''} <==", "bold"))
            headed = session_id
        show_messages(screen, [message for message, _ in messages])
    return headed
