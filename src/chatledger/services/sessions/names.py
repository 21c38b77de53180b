"""Names of sessions, which are unique within a user and a project."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select

from chatledger.dialects.types import Identifier
from chatledger.errors import SessionNameTaken
from chatledger.models import tables
from chatledger.services.base import ServiceContext
from chatledger.services.prepared import Prepared
from chatledger.services.rows import SESSION, sessions
from chatledger.services.visibility import visible_to_owner

names = tables.session_names


def key_of(name: str, user_id: str | None, project_id: str | None) -> dict[str, str]:
    """The key of a name in its table."""
    return {"name": name, "user_id": user_id or "", "project_id": project_id or ""}


def enter(context: ServiceContext, key: dict[str, str], session_id: str) -> bool:
    """Enter a name before the session has it. Return whether it was new; the session may have had it already.

    A trigger would enter it, too, but a name that is taken would end the transaction on PostgreSQL. This waits for
    another transaction that is entering the same name.

    Raises:
        SessionNameTaken: another session has the name.
    """
    statement = (
        context.dialect.insert(names)
        .values(session_id=session_id, **key)
        .on_conflict_do_nothing(index_elements=[names.c.user_id, names.c.project_id, names.c.name])
        .returning(names.c.session_id)
    )
    if context.execute(statement).scalar_one_or_none() is not None:
        return True
    if context.execute(_HOLDER, _parameters(key)).scalar_one_or_none() != session_id:
        raise SessionNameTaken(key["name"])
    return False


def move(context: ServiceContext, session_id: str, project_id: str | None) -> None:
    """Enter the name of a session, if it has one, in the project that it is about to be in.

    Raises:
        SessionNameTaken: another session there has the name.
    """
    row = context.execute(_NAMED, {"session": session_id}).one_or_none()
    if row is not None:
        enter(context, key_of(row.name, row.user_id, project_id), session_id)


def take_out(context: ServiceContext, key: dict[str, str], session_id: str) -> None:
    """Undo `enter` where the session could not be made after all."""
    context.execute(_TAKE_OUT, {**_parameters(key), "session": session_id})


def _parameters(key: dict[str, str]) -> dict[str, str]:
    return {f"this_{column}": value for column, value in key.items()}


def by_name_parameters(
    context: ServiceContext, name: str, user_id: str | None, project_id: str | None
) -> dict[str, str | None]:
    """The parameters of `BY_NAME`."""
    return {**_parameters(key_of(name, user_id, project_id)), "owner": context.owner}


_THIS = [names.c[column] == bindparam(f"this_{column}", type_=Identifier()) for column in key_of("", None, None)]
_SESSION = bindparam("session", type_=Identifier())
_NAMED = select(sessions.c.name, sessions.c.user_id).where(
    sessions.c.session_id == _SESSION, sessions.c.name.is_not(None)
)
_HOLDER = select(names.c.session_id).where(*_THIS)
_TAKE_OUT = delete(names).where(*_THIS, names.c.session_id == _SESSION)
BY_NAME = Prepared(select(*SESSION).where(sessions.c.session_id.in_(_HOLDER), visible_to_owner()))
"""The session that has a name."""
