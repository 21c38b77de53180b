"""Projects and language models: small tables of names that sessions refer to."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Json, Stamped, Timestamp


class Project(Base):
    """A name under which sessions are gathered. Made when a session first names it."""

    __tablename__ = "projects"
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

    __tablename__ = "models"
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
