"""Registering projects and models on first use.

Sessions and messages name projects and models by soft ids. A new name gets a row in its table in the same transaction,
but never waits: if another transaction is registering the same name at this moment, that one does it. Waiting would
keep a session locked for as long as the other transaction lasts, and two transactions that register two names in
opposite orders would deadlock. If the other transaction rolls back, the next use of the name registers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, Table, bindparam, case, exists, false, select

from chatledger.dialects.base import Dialect
from chatledger.dialects.constructs import got_lock
from chatledger.dialects.types import Identifier, Timestamp
from chatledger.models import tables
from chatledger.models.price_names import resolve_new
from chatledger.models.registration import lock_name, require_own_project
from chatledger.services.base import ServiceContext
from chatledger.services.prepared import Prepared

_PROJECTS, _MODELS = tables.projects, tables.models
_NAME = bindparam("name", type_=Identifier())

# Names of models that a process need not look up again, by engine: those that were found committed.
_registered: WeakKeyDictionary[Engine, set[str]] = WeakKeyDictionary()
_MOST = 10_000


def register(context: ServiceContext, project_id: str | None, model_id: str | None) -> None:
    """Register the names that a session refers to.

    Raises:
        InvalidInput: a project of others, through a ledger that is limited to a user.
    """
    for table, name in ((_PROJECTS, project_id), (_MODELS, model_id)):
        if name is not None:
            added = context.rows(_insert(context.dialect, table), {"name": name, "now": context.now()})
            if added and table is _MODELS:
                resolve_new(context.connected(), [name])
            if not added and table is _PROJECTS and context.owner is not None:
                require_own_project(context.connected(), context.owner, name)


def register_models(context: ServiceContext, names: Iterable[str | None]) -> None:
    """Register the models that messages name. A model that this process has seen costs no statement."""
    known = _registered.setdefault(context.engine, set())
    for name in sorted({name for name in names if name is not None} - known):
        if name in context.registered:
            continue
        if context.rows(_insert(context.dialect, _MODELS), {"name": name, "now": context.now()}):
            resolve_new(context.connected(), [name])
            context.registered.add(name)  # not known before it is committed
        elif context.rows(_IS_COMMITTED, {"name": name}):
            if len(known) >= _MOST:
                known.clear()
            known.add(name)


def is_registered(engine: Engine, name: str) -> bool:
    """Whether a model is known to be registered, without asking the database."""
    return name in _registered.get(engine, ())


def forget(engine: Engine) -> None:
    """Look names up again: tables were dropped or replaced."""
    _registered.pop(engine, None)


@cache
def _insert(dialect: Dialect, table: Table) -> Prepared:
    """Insert a name that is new; the row that was inserted."""
    (key,) = table.primary_key.columns
    is_new = case(
        (exists(select(1).select_from(table).where(key == _NAME)), false()), else_=got_lock(lock_name(table, _NAME))
    )
    row = select(_NAME, bindparam("now", type_=Timestamp())).where(is_new)
    statement = dialect.insert(table).from_select([key.name, "created_at"], row, include_defaults=False)
    return Prepared(statement.on_conflict_do_nothing(index_elements=[key]).returning(key))


_IS_COMMITTED = Prepared(select(_MODELS.c.model_id).where(_MODELS.c.model_id == _NAME))
