"""State: a JSON value under a key, of a user, a project or a session."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.enums import StateScope
from chatledger.models.base import Base, PrimaryKey, Stamped, Whole, one_of


class State(Base):
    """One entry. It is kept until its owner is erased or deleted."""

    __tablename__ = "chatledger_state"
    __table_args__ = (one_of("scope", StateScope), {"info": {"distribution": "root"}})

    scope: Mapped[StateScope] = mapped_column(primary_key=True)
    scope_id: Mapped[PrimaryKey]
    """Which user, project or session."""
    key: Mapped[PrimaryKey]
    value: Mapped[Any] = mapped_column(types.RequiredDocument)
    """JSON. None is stored as null."""
    version: Mapped[Whole]
    """Rises by one with each change."""
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]
