"""Annotations: what somebody says of a session, or of one of its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.models.base import Base, Json, Key, Number, Real, SessionKey, Stamped, Whole, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


class Annotation(Base):
    """A label, a score, a text, or several of them. Numbered within its session.

    One on a message goes with the message, by a trigger: nothing refers to a message by foreign key.
    """

    __tablename__ = "chatledger_annotations"
    __table_args__ = (
        CheckConstraint("sequence_number >= 1", name="sequence_number"),
        CheckConstraint("label IS NOT NULL OR score IS NOT NULL OR text IS NOT NULL", name="says"),
        Index("ix_chatledger_annotations_message", "session_id", "sequence_number"),
        Index("ix_chatledger_annotations_created_at", "created_at", "session_id", "annotation_number"),
        Index("ix_chatledger_annotations_label", "label", "session_id"),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[SessionKey]
    annotation_number: Mapped[Number]
    sequence_number: Mapped[Whole | None]
    """The message that it is about; NULL for the session."""
    label: Mapped[Key | None]
    score: Mapped[Real | None]
    text: Mapped[str | None]
    author: Mapped[Key | None]
    """Who says so: a person, or the name of a judge."""
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[Stamped]
    updated_at: Mapped[Stamped]

    session: Mapped[Session] = parent("annotations")
