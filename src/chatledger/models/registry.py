"""Projects and language models: small tables of names that sessions refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatledger.models.base import Base, Json, Key, Money, Number, PrimaryKey, Stamped, Timestamp, Whole, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


class Project(Base):
    """A name under which sessions are gathered. Made when a session first names it."""

    __tablename__ = "chatledger_projects"
    __table_args__ = {"info": {"distribution": "reference"}}  # noqa: RUF012 - SQLAlchemy's own form

    project_id: Mapped[PrimaryKey]
    name: Mapped[str | None]
    description: Mapped[str | None]
    # `metadata` is SQLAlchemy's own name on a declarative class; the column keeps it all the same.
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    archived_at: Mapped[Timestamp | None]

    sessions: Mapped[list[Session]] = relationship(
        back_populates="project",
        primaryjoin="foreign(Session.project_id) == Project.project_id",
        order_by="Session.session_id",
        lazy="raise",
        # Sessions keep the name of a project that is deleted.
        passive_deletes="all",
    )


class Model(Base):
    """A language model by the name that callers use for it. Made when a session first names it."""

    __tablename__ = "chatledger_models"
    __table_args__ = {"info": {"distribution": "reference"}}  # noqa: RUF012 - SQLAlchemy's own form

    model_id: Mapped[PrimaryKey]
    provider: Mapped[str | None]
    name: Mapped[str | None]
    context_window: Mapped[Whole | None]
    """Tokens that fit into one request."""
    notes: Mapped[str | None]
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    alias_of: Mapped[Key | None]
    """The model whose prices apply, set by the user."""
    priced_as: Mapped[Key | None]
    """The model whose prices apply, if this one has none: `alias_of`, or found by its name (see `model_names`)."""
    created_at: Mapped[Stamped]
    archived_at: Mapped[Timestamp | None]

    sessions: Mapped[list[Session]] = relationship(
        back_populates="model",
        primaryjoin="foreign(Session.model_id) == Model.model_id",
        order_by="Session.session_id",
        lazy="raise",
        # As a project's.
        passive_deletes="all",
    )
    prices: Mapped[list[ModelPrice]] = relationship(
        back_populates="model",
        order_by="ModelPrice.effective_from",
        lazy="raise",
        cascade="all, delete-orphan",
    )
    """Deleted with the model: the foreign key does not do it, so they are loaded first."""


class ModelPrice(Base):
    """What a model costs from a moment on, in dollars per million tokens. NULL: that kind of token has no known
    price.
    """

    __tablename__ = "chatledger_model_prices"
    __table_args__ = {"info": {"distribution": "reference"}}  # noqa: RUF012 - SQLAlchemy's own form

    model_id: Mapped[PrimaryKey] = mapped_column(ForeignKey("chatledger_models.model_id"))
    effective_from: Mapped[Timestamp] = mapped_column(primary_key=True)
    input: Mapped[Money | None]
    output: Mapped[Money | None]
    cached_input: Mapped[Money | None]
    cache_write: Mapped[Money | None]
    cache_write_1h: Mapped[Money | None]
    reasoning: Mapped[Money | None]
    others: Mapped[Json | None]
    """JSON: prices of other kinds of tokens. They are kept, and no cost is counted from them."""
    created_at: Mapped[Stamped]

    model: Mapped[Model] = parent("prices")
    tiers: Mapped[list[ModelPriceTier]] = relationship(
        back_populates="price",
        order_by="ModelPriceTier.service_tier, ModelPriceTier.above_tokens",
        lazy="raise",
        cascade="all, delete-orphan",
        passive_deletes=True,
    )
    """Prices of long inputs and other service tiers. Deleted with the price."""


class ModelPriceTier(Base):
    """A price in place of the standard one, for inputs of more than `above_tokens` tokens or for another service tier.

    NULL: the price is unknown. Unlike a standard price, a tier never falls back on the price of another kind of token.
    """

    __tablename__ = "chatledger_model_price_tiers"
    __table_args__ = (
        ForeignKeyConstraint(
            ["model_id", "effective_from"],
            ["chatledger_model_prices.model_id", "chatledger_model_prices.effective_from"],
            ondelete="CASCADE",
        ),
        CheckConstraint("above_tokens > 0 OR (above_tokens = 0 AND service_tier <> '')", name="above_tokens"),
        {"info": {"distribution": "reference"}},
    )

    model_id: Mapped[PrimaryKey]
    effective_from: Mapped[Timestamp] = mapped_column(primary_key=True)
    service_tier: Mapped[PrimaryKey] = mapped_column(server_default=text("''"))
    """`batch`, `flex`, `priority` or another name; empty for the standard tier."""
    above_tokens: Mapped[Number] = mapped_column(server_default=text("0"))
    """The price applies to messages with more input tokens than this, up to the next tier."""
    input: Mapped[Money | None]
    output: Mapped[Money | None]
    cached_input: Mapped[Money | None]
    cache_write: Mapped[Money | None]
    cache_write_1h: Mapped[Money | None]
    reasoning: Mapped[Money | None]

    price: Mapped[ModelPrice] = parent("tiers")
