"""Comparisons: groups of variants, the sessions of each, and what judges said of them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Json, Key, Money, Stamped, one_of
from chatledger.vocabulary import ComparisonKind, JudgeKind


class ComparisonGroup(Base):
    """What is compared with what."""

    __tablename__ = "chatledger_comparison_groups"
    __table_args__ = (one_of("kind", ComparisonKind), {"info": {"distribution": "root"}})

    group_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    user_id: Mapped[Key | None]
    kind: Mapped[ComparisonKind] = mapped_column(types.Word(ComparisonKind))
    title: Mapped[str | None]
    #: JSON: the names of the variants, in their order.
    variants: Mapped[Json]
    created_at: Mapped[Stamped]


class ComparisonSession(Base):
    """A session in which a variant was recorded. It may be deleted: nothing but the service looks after that."""

    __tablename__ = "chatledger_comparison_sessions"
    __table_args__ = {"info": {"distribution": "root"}}  # noqa: RUF012 - SQLAlchemy's own form

    group_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    session_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True, index=True)
    variant: Mapped[Key]
    #: The prompt that was put to it; NULL: the session is no answer to one prompt.
    prompt_key: Mapped[Key | None]
    created_at: Mapped[Stamped]


class ComparisonResult(Base):
    """What one judge says of two variants on a prompt, or of one where `variant_b` is empty."""

    __tablename__ = "chatledger_comparison_results"
    __table_args__ = (
        one_of("judge_kind", JudgeKind),
        CheckConstraint("preference BETWEEN 0 AND 1", name="preference"),
        {"info": {"distribution": "root"}},
    )

    group_id: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    prompt_key: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    variant_a: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    variant_b: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    judge: Mapped[str] = mapped_column(types.Identifier, primary_key=True)
    #: Of several results of one judge on one prompt. Always 1 in this release.
    trial: Mapped[int] = mapped_column(types.Whole, primary_key=True, autoincrement=False, server_default=text("1"))
    judge_kind: Mapped[JudgeKind] = mapped_column(types.Word(JudgeKind))
    #: How much better the second did, from 0 to 1. NULL: no verdict.
    preference: Mapped[float | None] = mapped_column(types.Real)
    #: The variant that the judge saw first.
    first: Mapped[Key | None]
    scores_a: Mapped[Json | None]
    scores_b: Mapped[Json | None]
    cost_a: Mapped[Money | None]
    cost_b: Mapped[Money | None]
    duration_a_ms: Mapped[int | None] = mapped_column(types.Whole)
    duration_b_ms: Mapped[int | None] = mapped_column(types.Whole)
    prompt: Mapped[str | None]
    notes: Mapped[str | None]
    created_at: Mapped[Stamped]
