"""Projects and language models: small tables of names that sessions refer to."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Json, Money, Stamped, Timestamp


class Project(Base):
    """A name under which sessions are gathered. Made when a session first names it."""

    __tablename__ = "chatledger_projects"
    __table_args__ = {"info": {"distribution": "reference"}}  # noqa: RUF012 - SQLAlchemy's own form

    project_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    name: Mapped[str | None]
    description: Mapped[str | None]
    # `metadata` is SQLAlchemy's own name on a declarative class; the column keeps it all the same.
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    archived_at: Mapped[Timestamp | None]


class Model(Base):
    """A language model by the name that callers use for it. Made when a session first names it."""

    __tablename__ = "chatledger_models"
    __table_args__ = {"info": {"distribution": "reference"}}  # noqa: RUF012 - SQLAlchemy's own form

    model_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    provider: Mapped[str | None]
    name: Mapped[str | None]
    #: Tokens that fit into one request.
    context_window: Mapped[int | None] = mapped_column(types.Whole)
    notes: Mapped[str | None]
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    archived_at: Mapped[Timestamp | None]


class ModelPrice(Base):
    """What a model costs from a moment on, in dollars per million tokens. NULL: that kind of token has no known price."""

    __tablename__ = "chatledger_model_prices"
    __table_args__ = {"info": {"distribution": "reference"}}  # noqa: RUF012 - SQLAlchemy's own form

    model_id: Mapped[str] = mapped_column(types.Identifier, ForeignKey("chatledger_models.model_id"), primary_key=True)
    effective_from: Mapped[Timestamp] = mapped_column(primary_key=True)
    input: Mapped[Money | None]
    output: Mapped[Money | None]
    cached_input: Mapped[Money | None]
    reasoning: Mapped[Money | None]
    #: JSON: prices of other kinds of tokens. They are kept, and no cost is counted from them.
    others: Mapped[Json | None]
    created_at: Mapped[Stamped]
