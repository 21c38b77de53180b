"""A conversation as it reads, with what belongs to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.responses import HTMLResponse

from chatledger.enums import Status
from chatledger.exchange.writers.presentation import facts, pretty_json, timestamp
from chatledger.html.filters import milliseconds, number
from chatledger.ledger.user_ledger import UserLedger
from chatledger.schemas import Annotation, Message, Session, Timeout
from chatledger.unit_of_work import UnitOfWork
from chatledger.web.pages.access import FormGuard
from chatledger.web.pages.cards import card
from chatledger.web.pages.rendering import Word, link, page

MESSAGES = 50
"""Messages of one page: reading Markdown takes most of its time."""
_BRANCHES = 50
"""Forks, and children, that are shown of a session."""
_ANNOTATIONS = 500
"""The newest annotations of a session that are shown."""
_ALL = tuple(Status)


class _Branch(NamedTuple):
    """A fork of this session, or of the one that this is a fork of; or a child."""

    title: str
    link: str
    at: int | None
    is_here: bool = False


class ConversationPage:
    def __init__(self, ledger: UserLedger, form_guard: FormGuard | None) -> None:
        self._ledger = ledger
        self._form_guard = form_guard

    def show(
        self,
        request: Request,
        session_id: str,
        before: int | None = None,
        after: int | None = None,
        around: int | None = None,
        done: Word = "",
    ) -> HTMLResponse:
        """The messages of a session: the newest, or those before, after or around one."""
        with self._ledger.read() as uow:
            session = uow.sessions.get(session_id, include_expired=True)
            messages = _window(uow, session_id, before, after, around)
            notes = uow.annotations.list(session_id=session_id, limit=_ANNOTATIONS).items
            forks = uow.sessions.list(forked_from=session_id, status=_ALL, limit=_BRANCHES).items
            siblings = _siblings(uow, session)
            children = uow.sessions.list(parent=session_id, status=_ALL, limit=_BRANCHES).items
            metrics = uow.metrics.summary(session_id=session_id)
            limits = uow.timeouts.get(session_id)
        here = link("session", session_id)
        first, last = (messages[0].sequence_number, messages[-1].sequence_number) if messages else (0, 0)
        folded = [("system prompt", session.system_prompt or "")]
        folded += [(name, pretty_json(value)) for name, value in _beside(session.context, session.metadata)]
        about = facts(session)
        if session.total_duration_ms:
            about.append(("time of the model", milliseconds(session.total_duration_ms)))
        return page(
            "conversation", here="sessions",
            title=session.title or "Untitled conversation", session=session, done=done,
            facts=about + _limits(limits),
            links={
                "forked from": None if session.forked_from is None else link("session", session.forked_from),
                "parent": None if session.parent_id is None else link("session", session.parent_id),
            },
            folded=[one for one in folded if one[1]],
            cards=map(card, messages),
            notes=_by_message(notes), all_notes=len(notes) < _ANNOTATIONS,
            branches=_branches(session, siblings), forks=_forks(forks), children=_linked(children),
            metrics=[(one.name, number(one.avg), one.unit, one.count) for one in metrics],
            chosen=around,
            earlier=f"{here}?before={first}" if first > 1 else None,
            later=f"{here}?after={last}" if last < session.last_sequence and messages else None,
            form_token=None if self._form_guard is None else self._form_guard.token(request), action=here,
        )  # fmt: skip


def _window(
    uow: UnitOfWork, session_id: str, before: int | None, after: int | None, around: int | None
) -> list[Message]:
    history = uow.messages.history
    if around is not None:
        return history(session_id, before=around + 1, last=MESSAGES // 2) + history(
            session_id, after=around, limit=MESSAGES // 2
        )
    if after is not None:
        return history(session_id, after=after, limit=MESSAGES)
    return history(session_id, before=before, last=MESSAGES)


def _siblings(uow: UnitOfWork, session: Session) -> Sequence[Session]:
    """The session that this is a fork of, if it is still there, and its other forks."""
    if session.forked_from is None:
        return ()
    origin = uow.sessions.find(session.forked_from, include_expired=True)
    forks = uow.sessions.list(forked_from=session.forked_from, status=_ALL, limit=_BRANCHES).items
    if all(one.session_id != session.session_id for one in forks):  # there are more, and it is not among the newest
        forks = (*forks, session)
    return (*(() if origin is None else (origin,)), *forks)


def _branches(session: Session, siblings: Sequence[Session]) -> list[_Branch]:
    if len(siblings) < 2:  # this one alone
        return []
    return [
        _Branch(
            one.title or one.session_id, link("session", one.session_id), one.forked_at if number else None,
            one.session_id == session.session_id,
        )
        for number, one in enumerate(siblings)
    ]  # fmt: skip


def _forks(forks: Iterable[Session]) -> dict[int, list[_Branch]]:
    """The forks of a session by the last message that they share with it."""
    found: dict[int, list[_Branch]] = defaultdict(list)
    for one in forks:
        found[one.forked_at or 0].append(
            _Branch(one.title or one.session_id, link("session", one.session_id), one.forked_at)
        )
    return found


def _linked(sessions: Iterable[Session]) -> list[_Branch]:
    return [_Branch(one.title or one.session_id, link("session", one.session_id), None) for one in sessions]


def _by_message(notes: Iterable[Annotation]) -> dict[int, list[Annotation]]:
    """Annotations by their message, oldest first; those of the session under 0."""
    found: dict[int, list[Annotation]] = defaultdict(list)
    for note in reversed(list(notes)):
        found[note.sequence_number or 0].append(note)
    return found


def _limits(limits: Timeout) -> list[tuple[str, str]]:
    times = (("idle at", limits.idle_at), ("archived at", limits.archive_at), ("ends at", limits.expires_at))
    found = [(name, timestamp(at)) for name, at in times if at is not None]
    return list(chain(found, [("on hold", "nothing automatic touches it")] if limits.held else []))


def _beside(context: dict[str, Any], metadata: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in (("context", context), ("metadata", metadata)) if value]
