"""State: JSON values under keys, of users, projects and sessions, with versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from chatledger.dialects.encoding import encode_json
from chatledger.dialects.types import EncodedDocument, Identifier, Timestamp, Whole, Word
from chatledger.enums import StateScope
from chatledger.errors import InvalidInput, StateChanged
from chatledger.models import tables
from chatledger.schemas.fields import called, identifier, several, whole
from chatledger.schemas.state import StateEntry
from chatledger.services.base import Service, ServiceContext
from chatledger.services.registry import registration
from chatledger.services.visibility import require_kept, require_visible

states = tables.state


class State(Service):
    """What an application or an agent remembers, apart from conversations: preferences, counters, facts about a user.

    State belongs to a user, a project or a session: give one of `user_id`, `project_id` and `session_id`. A ledger that
    is limited to a user means that user if none is given; it does not see the state of other users and their sessions,
    and reads the state of projects without changing it.

    No sweep or purge touches the state of users and projects. It is deleted when the user is erased or the project is
    deleted; that of a session is deleted with the session. A fork begins without state.
    """

    __slots__ = ()

    def get(
        self,
        key: str,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        default: Any = None,
    ) -> Any:
        """The value under a key, or the default if there is none.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: not exactly one of `user_id`, `project_id` and `session_id`.
        """
        found = self.find(key, user_id=user_id, project_id=project_id, session_id=session_id)
        return default if found is None else found.value

    def find(
        self, key: str, *, user_id: str | None = None, project_id: str | None = None, session_id: str | None = None
    ) -> StateEntry | None:
        """The entry under a key, with its version, or None.

        Raises:
            SessionNotFound, InvalidInput: as `get`.
        """
        parameters = {"this_key": identifier(key, "key"), **self._owner(user_id, project_id, session_id)}
        row = self._context.execute(_ONE, parameters).one_or_none()
        return None if row is None else _entry(row)

    def all(
        self, *, user_id: str | None = None, project_id: str | None = None, session_id: str | None = None
    ) -> list[StateEntry]:
        """Every entry of a user, a project or a session, in the order of the keys.

        Raises:
            SessionNotFound, InvalidInput: as `get`.
        """
        rows = self._context.execute(_ALL, self._owner(user_id, project_id, session_id))
        return [_entry(row) for row in rows]

    def set(
        self,
        key: str,
        value: Any,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        expected_version: int | None = None,
    ) -> StateEntry:
        """Store a JSON value under a key, in place of the one that is there.

        `expected_version` is the version that you have read, or 0 if there was none: if another writer has changed the
        entry since, nothing is written. A project is registered by its name. Closed sessions keep state as well.

        Raises:
            StateChanged: the version is another.
            SessionNotFound: as `get`.
            InvalidInput: as `get`; an invalid key, a value that cannot be stored as JSON, or another user's or a
                project's state in a ledger that is limited to a user.
        """
        owner = self._owner(user_id, project_id, session_id, writing=True)
        now = self._context.now()
        parameters = {**owner, "this_key": called(key, "key"), "new_value": encode_json(value, "value"), "now": now}
        if expected_version is not None:
            parameters["expected"] = whole(expected_version, "expected_version")
        insert = self._context.dialect.insert(states).values(_NEW)
        index = [states.c.scope, states.c.scope_id, states.c.key]
        statement: Any
        if expected_version is None:
            changed = {"value": insert.excluded.value, "version": states.c.version + 1, "updated_at": _NOW}
            statement = insert.on_conflict_do_update(index_elements=index, set_=changed)
        elif expected_version == 0:
            statement = insert.on_conflict_do_nothing(index_elements=index)
        else:
            statement = (
                update(states)
                .where(_THIS, states.c.version == bindparam("expected", type_=Whole))
                .values(value=_VALUE, version=states.c.version + 1, updated_at=_NOW)
            )
        row = self._context.execute(statement.returning(*_COLUMNS), parameters).one_or_none()
        if row is None:
            raise self._changed(key, expected_version, owner)
        return _entry(row)

    def update(
        self,
        values: Mapping[str, Any],
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        remove: Iterable[str] = (),
    ) -> None:
        """Store several values, and delete the keys in `remove`; other keys stay.

        Raises:
            SessionNotFound, InvalidInput: as `set`.
        """
        if not isinstance(values, Mapping):
            raise InvalidInput("values", "must be a dict")
        gone = [identifier(key, "remove") for key in several(remove, "remove")]
        # In the order of keys, so that two writers of several keys do not wait for each other in a circle.
        for key in sorted({*values, *gone}, key=str):
            if key in values:
                self.set(key, values[key], user_id=user_id, project_id=project_id, session_id=session_id)
            else:
                self.delete(key, user_id=user_id, project_id=project_id, session_id=session_id)

    def delete(
        self,
        key: str,
        *,
        user_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        expected_version: int | None = None,
    ) -> bool:
        """Delete an entry; return whether there was one.

        Raises:
            StateChanged, SessionNotFound, InvalidInput: as `set`.
        """
        owner = self._owner(user_id, project_id, session_id, writing=True)
        parameters = {**owner, "this_key": identifier(key, "key")}
        if expected_version is None:
            return self._context.change(_DELETE, parameters) > 0
        parameters["expected"] = whole(expected_version, "expected_version", least=1)
        if self._context.change(_DELETE.where(states.c.version == bindparam("expected", type_=Whole)), parameters) == 0:
            raise self._changed(key, expected_version, owner)
        return True

    def _changed(self, key: str, expected: int | None, owner: Mapping[str, Any]) -> StateChanged:
        row = self._context.execute(_ONE, {**owner, "this_key": key}).one_or_none()
        return StateChanged(key, expected or 0, 0 if row is None else row.version)

    def _owner(
        self, user_id: str | None, project_id: str | None, session_id: str | None, *, writing: bool = False
    ) -> dict[str, Any]:
        """The scope of the statement, and whose it is."""
        limited = self._context.owner
        given = {
            StateScope.USER: user_id, StateScope.PROJECT: project_id, StateScope.SESSION: session_id,
        }  # fmt: skip
        named = {scope: value for scope, value in given.items() if value is not None}
        if not named and limited is not None:
            named = {StateScope.USER: limited}
        if len(named) != 1:
            raise InvalidInput("user_id", "give exactly one of user_id, project_id and session_id: whose state it is")
        ((scope, name),) = named.items()
        (called if writing else identifier)(name, f"{scope.value}_id")
        if scope is StateScope.SESSION:
            (require_kept if writing else require_visible)(self._context, name)
        elif limited is not None and scope is StateScope.USER and name != limited:
            raise InvalidInput("user_id", "is not the user that this ledger is limited to")
        elif scope is StateScope.PROJECT and writing:
            if limited is not None:
                raise InvalidInput("project_id", "has state of all users, and this ledger is limited to one")
            registration.register(self._context, name, None)
        return {"in_scope": scope, "owner_id": name}


def of_scope(context: ServiceContext, scope: StateScope, scope_id: str | None) -> Iterator[StateEntry]:
    """The entries of one user or project, or of all of them, for an export. Whoever calls it looks at the owner."""
    statement = select(*_COLUMNS).where(states.c.scope == _SCOPE).order_by(states.c.scope_id, states.c.key)
    parameters: dict[str, Any] = {"in_scope": scope}
    if scope_id is not None:
        statement = statement.where(states.c.scope_id == _SCOPE_ID)
        parameters["owner_id"] = scope_id
    for row in context.execute(statement, parameters):
        yield _entry(row)


def _entry(row: Any) -> StateEntry:
    return StateEntry.model_validate(dict(row._mapping))


_NOW = bindparam("now", type_=Timestamp())
_VALUE = bindparam("new_value", type_=EncodedDocument())
_SCOPE = bindparam("in_scope", type_=Word(StateScope))
_SCOPE_ID, _KEY = bindparam("owner_id", type_=Identifier()), bindparam("this_key", type_=Identifier())
_NEW = {
    "scope": _SCOPE, "scope_id": _SCOPE_ID, "key": _KEY, "value": _VALUE, "version": 1, "created_at": _NOW,
    "updated_at": _NOW,
}  # fmt: skip
_COLUMNS = tuple(states.c)
_OF_OWNER = (states.c.scope == _SCOPE) & (states.c.scope_id == _SCOPE_ID)
_THIS = _OF_OWNER & (states.c.key == _KEY)
_ONE = select(*_COLUMNS).where(_THIS)
_ALL = select(*_COLUMNS).where(_OF_OWNER).order_by(states.c.key)
_DELETE = delete(states).where(_THIS)
