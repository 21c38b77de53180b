"""Whether a ledger holds anything of a user."""

from __future__ import annotations

from hashlib import blake2b

from sqlalchemy import exists, literal, select, union_all

from chatledger.enums import Scope, StateScope
from chatledger.models import Base, tables
from chatledger.services.audit import audit_log
from chatledger.services.base import ServiceContext
from chatledger.services.timeouts.limits import defaults

states = tables.state
ERASED_USER = "user.erased"
# Columns that hold the name of a user.
_NAMES = ("user_id", "actor", "author", "judge", "worker")


def digest_of_user(user_id: str) -> str:
    """What the audit log keeps of an erased user: enough to tell whether a given name was erased, not to read it."""
    return blake2b(user_id.encode(), digest_size=16).hexdigest()


def is_known(context: ServiceContext, user_id: str) -> bool:
    """Return whether any row names the user, or the user was erased before."""
    named = [table.c[name] == user_id for table in Base.metadata.tables.values() for name in _NAMES if name in table.c]
    named.append((defaults.c.scope == Scope.USER) & (defaults.c.scope_id == user_id))
    named.append((states.c.scope == StateScope.USER) & (states.c.scope_id == user_id))
    statement = union_all(*(select(literal(1)).where(exists().where(condition)) for condition in named))
    if context.execute(statement).first() is not None:
        return True
    erased = select(audit_log.c.details).where(audit_log.c.action == ERASED_USER)
    digest = digest_of_user(user_id)
    return any((details or {}).get("user") == digest for details in context.execute(erased).scalars())
