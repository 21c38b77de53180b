"""Which sessions an export is of: those that are named, or those that the filters leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from chatledger.enums import StateScope, Status, StatusLike
from chatledger.errors import InvalidInput
from chatledger.schemas import Session, StateEntry
from chatledger.schemas.fields import several
from chatledger.services.state import of_scope
from chatledger.unit_of_work import UnitOfWork

# Sessions that are held at a time.
_PAGE = 100


@dataclass(frozen=True)
class Choice:
    """What an export was asked for."""

    session_ids: Iterable[str] | None
    user_id: str | None
    project_id: str | None
    status: StatusLike | Iterable[StatusLike] | None
    since: datetime | None
    until: datetime | None

    def __post_init__(self) -> None:
        filters = (self.user_id, self.project_id, self.status, self.since, self.until)
        if self.session_ids is not None and any(given is not None for given in filters):
            raise InvalidInput("session_ids", "cannot be combined with filters: they name the sessions already")

    def state(self, uow: UnitOfWork, owner: str | None) -> Iterator[StateEntry]:
        """The state of users and projects that belongs to the choice.

        That is all of it where nothing was chosen, else that of the user and the project that the filters name. An export
        of some sessions, by ids, times or status, has none. A ledger that is limited to a user has that user's.
        """
        if any(given is not None for given in (self.session_ids, self.status, self.since, self.until)):
            return
        everything = self.user_id is None and self.project_id is None
        if owner is not None:
            if everything or self.user_id == owner:
                yield from uow.state.all(user_id=owner)
            return
        if everything or self.user_id is not None:
            yield from of_scope(uow._context, StateScope.USER, self.user_id)
        if everything or self.project_id is not None:
            yield from of_scope(uow._context, StateScope.PROJECT, self.project_id)

    def sessions(self, uow: UnitOfWork) -> Iterator[Session]:
        """The sessions, a page at a time. Named ones are all looked at before the first is given.

        Raises:
            SessionNotFound: an id is of no session, or of another user's.
            InvalidInput: an invalid filter.
        """
        return self._listed(uow) if self.session_ids is None else _named(uow, self.session_ids)

    def _listed(self, uow: UnitOfWork) -> Iterator[Session]:
        status = list(Status) if self.status is None else self.status
        statuses = status if isinstance(status, str) else list(status)
        cursor: str | None = None
        while True:
            page = uow.sessions.list(
                user_id=self.user_id, project_id=self.project_id, status=statuses, since=self.since, until=self.until,
                limit=_PAGE, cursor=cursor,
            )  # fmt: skip
            yield from page
            cursor = page.next_cursor
            if cursor is None:
                return


def _named(uow: UnitOfWork, session_ids: Iterable[str]) -> Iterator[Session]:
    session_ids = several(session_ids, "session_ids")
    ids = list(dict.fromkeys(session_ids))
    for session_id in ids:  # before anything is written
        uow.sessions.get(session_id, include_expired=True)
    return (uow.sessions.get(session_id, include_expired=True) for session_id in ids)
