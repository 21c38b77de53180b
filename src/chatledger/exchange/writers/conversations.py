"""The conversations of an export, as writers read them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from chatledger.exchange.report import ExportReport
from chatledger.schemas import Message, Session, StateEntry
from chatledger.unit_of_work import UnitOfWork

# Messages between two calls of `progress`.
_STEP = 1000


class Conversations:
    """Iterates once over pairs of a session and its messages, and counts them.

    Messages are read while they are iterated over, so a writer takes those of a session before it goes on to the next
    session. The counts include what has been iterated over so far.
    """

    def __init__(
        self,
        uow: UnitOfWork,
        sessions: Iterator[Session],
        progress: Callable[[ExportReport], None] | None,
        state: Iterable[StateEntry] = (),
    ) -> None:
        ahead = list(islice(sessions, 2))
        self._uow = uow
        self._sessions = chain(ahead, sessions)
        self._progress = progress
        self.state = state
        """State of users and projects that goes along, to be read once."""
        self.only = ahead[0] if len(ahead) == 1 else None
        """The session, if there is only one. Its title may then be the title of the document."""
        self.sessions = 0
        self.messages = 0

    def __iter__(self) -> Iterator[tuple[Session, Iterator[Message]]]:
        for session in self._sessions:
            yield session, self._messages(session)
            self.sessions += 1

    def state_of(self, session: Session) -> list[StateEntry]:
        """The state of a session."""
        return self._uow.state.all(session_id=session.session_id)

    def report(self) -> ExportReport:
        return ExportReport(sessions=self.sessions, messages=self.messages)

    def _messages(self, session: Session) -> Iterator[Message]:
        for message in self._uow.messages.iterate(session.session_id):
            yield message
            self.messages += 1
            if self._progress is not None and self.messages % _STEP == 0:
                self._progress(self.report())
