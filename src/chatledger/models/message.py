"""Messages: the turns of a session, numbered from 1."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, FetchedValue, Index
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.models.base import Base, Blob, Json, Money, OfSession, Stamped, Timestamp, Whole, one_of
from chatledger.vocabulary import Outcome, Role


class Message(Base):
    """One turn of a session. Sequence numbers rise by one and are never handed out twice.

    Known by (session_id, sequence_number) everywhere; nothing refers to a message by foreign key.
    """

    __tablename__ = "chatledger_messages"
    __table_args__ = (
        CheckConstraint("sequence_number >= 1", name="sequence_number"),
        one_of("role", Role),
        one_of("outcome", Outcome, "streaming"),
        CheckConstraint("(copied_from IS NULL) = (copied_sequence IS NULL)", name="copied_from"),
        # Partial on every database (migration 0001), so that appends without a key do not touch it. The condition is not
        # given in SQLAlchemy's form, which loads the dialects that it names.
        Index(
            "uq_chatledger_messages_session_id_key",
            "session_id",
            "key",
            unique=True,
            info={"where": "key IS NOT NULL"},
        ),
        # The copies of a message, for when the original is deleted.
        Index(
            "ix_chatledger_messages_copied_from",
            "copied_from",
            "copied_sequence",
            info={"where": "copied_from IS NOT NULL"},
        ),
        # Percentiles read every duration, and nothing else of a message.
        Index(
            "ix_chatledger_messages_durations",
            "session_id",
            "created_at",
            "role",
            "model_id",
            "duration_ms",
            info={"where": "duration_ms IS NOT NULL"},
        ),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[OfSession]
    sequence_number: Mapped[int] = mapped_column(types.Whole, primary_key=True, server_default=FetchedValue())
    role: Mapped[Role] = mapped_column(types.Word(Role))
    content: Mapped[str]
    #: Structured content that comes back unchanged: parts, tool calls, a query plan, a result set.
    payload: Mapped[Json | None]
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    #: The tool or the speaker.
    name: Mapped[str | None]
    #: The call that a tool's message answers.
    tool_call_id: Mapped[str | None]
    #: The model that wrote this message, where it differs from message to message.
    model_id: Mapped[str | None] = mapped_column(types.Identifier)
    input_tokens: Mapped[Whole | None]
    output_tokens: Mapped[Whole | None]
    cached_tokens: Mapped[Whole | None]
    #: The part of the output that was spent on reasoning.
    reasoning_tokens: Mapped[Whole | None]
    #: The total, when only a total is known; otherwise input and output are added.
    tokens_used: Mapped[Whole | None]
    duration_ms: Mapped[Whole | None]
    cost: Mapped[Money | None]
    #: The price that the cost was counted with, by the moment it took effect. NULL: the caller gave the cost.
    priced_from: Mapped[Timestamp | None]
    #: Whether writing it failed or was cut off.
    outcome: Mapped[Outcome | None] = mapped_column(types.Word(Outcome))
    #: Makes an append idempotent; unique within the session.
    key: Mapped[str | None] = mapped_column(types.Identifier)
    #: The message that this one is a copy of, by session and number: a fork, a restored session and an imported branch
    #: make copies, which statistics and search leave out.
    copied_from: Mapped[str | None] = mapped_column(types.Identifier)
    copied_sequence: Mapped[Whole | None]
    created_at: Mapped[Stamped]
    #: 16 bytes of BLAKE2b over what the caller gave (see `services.digest`).
    digest: Mapped[Blob | None]
    #: What full text indexes in place of `content`, where words are not separated by spaces.
    search_text: Mapped[str | None] = mapped_column(deferred=True)
