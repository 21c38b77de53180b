"""Comparisons: groups of variants, the sessions of each, and what judges said of them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatledger.enums import ComparisonKind, JudgeKind
from chatledger.models.base import Base, Json, Key, Money, Number, PrimaryKey, Real, Stamped, Whole, one_of


class ComparisonGroup(Base):
    """What is compared with what."""

    __tablename__ = "chatledger_comparison_groups"
    __table_args__ = (one_of("kind", ComparisonKind), {"info": {"distribution": "root"}})

    group_id: Mapped[PrimaryKey]
    user_id: Mapped[Key | None]
    kind: Mapped[ComparisonKind]
    title: Mapped[str | None]
    variants: Mapped[Json]
    """JSON: the names of the variants, in their order."""
    created_at: Mapped[Stamped]

    sessions: Mapped[list[ComparisonSession]] = relationship(
        back_populates="group",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonSession.group_id)",
        order_by="ComparisonSession.session_id",
        lazy="raise",
        cascade="all, delete-orphan",
    )
    """Deleted with the group, like the results: no foreign key does it, so they are loaded first."""
    results: Mapped[list[ComparisonResult]] = relationship(
        back_populates="group",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonResult.group_id)",
        order_by="ComparisonResult.prompt_key, ComparisonResult.variant_a, ComparisonResult.variant_b,"
        " ComparisonResult.judge",
        lazy="raise",
        cascade="all, delete-orphan",
    )


class ComparisonSession(Base):
    """A session in which a variant was recorded. It may be deleted: nothing but the service looks after that."""

    __tablename__ = "chatledger_comparison_sessions"
    __table_args__ = {"info": {"distribution": "root"}}  # noqa: RUF012 - SQLAlchemy's own form

    group_id: Mapped[PrimaryKey]
    session_id: Mapped[PrimaryKey] = mapped_column(index=True)
    variant: Mapped[Key]
    prompt_key: Mapped[Key | None]
    """The prompt that was put to it; NULL: the session is no answer to one prompt."""
    created_at: Mapped[Stamped]

    group: Mapped[ComparisonGroup] = relationship(
        back_populates="sessions",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonSession.group_id)",
        lazy="raise",
    )


class ComparisonResult(Base):
    """What one judge says of two variants on a prompt, or of one where `variant_b` is empty."""

    __tablename__ = "chatledger_comparison_results"
    __table_args__ = (
        one_of("judge_kind", JudgeKind),
        CheckConstraint("preference BETWEEN 0 AND 1", name="preference"),
        {"info": {"distribution": "root"}},
    )

    group_id: Mapped[PrimaryKey]
    prompt_key: Mapped[PrimaryKey]
    variant_a: Mapped[PrimaryKey]
    variant_b: Mapped[PrimaryKey]
    judge: Mapped[PrimaryKey]
    trial: Mapped[Number] = mapped_column(server_default=text("1"))
    """Which of several results of one judge on one prompt. Always 1 in this release."""
    judge_kind: Mapped[JudgeKind]
    preference: Mapped[Real | None]
    """How much better the second did, from 0 to 1. NULL: no verdict."""
    first: Mapped[Key | None]
    """The variant that the judge saw first."""
    scores_a: Mapped[Json | None]
    scores_b: Mapped[Json | None]
    cost_a: Mapped[Money | None]
    cost_b: Mapped[Money | None]
    duration_a_ms: Mapped[Whole | None]
    duration_b_ms: Mapped[Whole | None]
    prompt: Mapped[str | None]
    notes: Mapped[str | None]
    created_at: Mapped[Stamped]

    group: Mapped[ComparisonGroup] = relationship(
        back_populates="results",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonResult.group_id)",
        lazy="raise",
    )
