"""Comparisons: groups of variants, their sessions, and the results of judges."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from chatledger.enums import ComparisonKind, JudgeKind
from chatledger.models.base import Base, Json, Key, Money, Number, PrimaryKey, Real, Stamped, Whole, one_of


class ComparisonGroup(Base):
    """A comparison: its kind, its variants and its owner."""

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
    """Deleted with the group, like the results. There is no foreign key, so the ORM loads them first."""
    results: Mapped[list[ComparisonResult]] = relationship(
        back_populates="group",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonResult.group_id)",
        order_by="ComparisonResult.prompt_key, ComparisonResult.variant_a, ComparisonResult.variant_b,"
        " ComparisonResult.judge, ComparisonResult.trial",
        lazy="raise",
        cascade="all, delete-orphan",
    )


class ComparisonSession(Base):
    """A session in which a variant was recorded. Without a foreign key: the service removes it with the session."""

    __tablename__ = "chatledger_comparison_sessions"
    __table_args__ = {"info": {"distribution": "root"}}  # noqa: RUF012 - SQLAlchemy's own form

    group_id: Mapped[PrimaryKey]
    session_id: Mapped[PrimaryKey] = mapped_column(index=True)
    variant: Mapped[Key]
    prompt_key: Mapped[Key | None]
    """The prompt that the session answers; NULL: it does not answer a single prompt."""
    trial: Mapped[Whole] = mapped_column(server_default=text("1"))
    """Which run of the prompt the session is. Starts at 1."""
    created_at: Mapped[Stamped]

    group: Mapped[ComparisonGroup] = relationship(
        back_populates="sessions",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonSession.group_id)",
        lazy="raise",
    )


class ComparisonResult(Base):
    """The verdict of one judge about two variants on a prompt, or measurements of one if `variant_b` is empty."""

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
    """Which of several results of one judge for one prompt: repeated runs, or repeated judgments. Starts at 1."""
    judge_kind: Mapped[JudgeKind]
    preference: Mapped[Real | None]
    """How much better the second variant was, from 0 to 1. NULL: no verdict."""
    first: Mapped[Key | None]
    """The variant that the judge saw first."""
    scores_a: Mapped[Json | None]
    scores_b: Mapped[Json | None]
    cost_a: Mapped[Money | None]
    cost_b: Mapped[Money | None]
    duration_a_ms: Mapped[Whole | None]
    duration_b_ms: Mapped[Whole | None]
    judge_cost: Mapped[Money | None]
    """What the judgment itself cost. The costs of the variants do not include it."""
    judge_duration_ms: Mapped[Whole | None]
    prompt: Mapped[str | None]
    notes: Mapped[str | None]
    created_at: Mapped[Stamped]

    group: Mapped[ComparisonGroup] = relationship(
        back_populates="results",
        primaryjoin="ComparisonGroup.group_id == foreign(ComparisonResult.group_id)",
        lazy="raise",
    )
