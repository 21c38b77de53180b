"""Messages: the turns of a session, numbered from 1."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from chatledger.dialects import types
from chatledger.enums import Outcome, Role
from chatledger.models.base import Base, Blob, Flag, Json, Key, Number, SessionKey, Timestamp, Whole, one_of, parent

if TYPE_CHECKING:
    from chatledger.models.session import Session


def _filled_in(column: str) -> Callable[[Any], Any]:
    """The default of a column that chatledger fills in when a row is inserted through SQLAlchemy."""

    def default(context: Any) -> Any:
        from chatledger.models.writing.rows import value_of  # noqa: PLC0415 - services fill in their rows themselves

        return value_of(context, column)

    return default


class Message(Base):
    """One turn of a session. Sequence numbers rise by one and are never handed out twice.

    A message that is added to a SQLAlchemy session is numbered when it is flushed:

        chat.messages.append(Message(role="user", content="Hello"))
        session.add(Message(session_id="s", role="user", content="Hello"))

    Everywhere known by (session_id, sequence_number); nothing refers to a message by foreign key.
    """

    __tablename__ = "chatledger_messages"
    __table_args__ = (
        CheckConstraint("sequence_number >= 1", name="sequence_number"),
        one_of("role", Role),
        one_of("outcome", Outcome),
        CheckConstraint("hidden = 1", name="hidden"),
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
            "copied_from",
            info={"where": "duration_ms IS NOT NULL"},
        ),
        # What a sweep looks for: messages whose writer may be gone.
        Index("ix_chatledger_messages_streaming", "streaming_until", info={"where": "outcome = 'streaming'"}),
        {"info": {"distribution": "session"}},
    )

    session_id: Mapped[SessionKey]
    sequence_number: Mapped[Number] = mapped_column(default=_filled_in("sequence_number"))
    """Filled in when the message is inserted. One that is given must be the next."""
    role: Mapped[Role]
    content: Mapped[str] = mapped_column(default="")
    payload: Mapped[Json | None]
    """Structured content that comes back unchanged: parts, tool calls, a query plan, a result set."""
    metadata_: Mapped[Json | None] = mapped_column("metadata")
    name: Mapped[str | None]
    """The tool or the speaker."""
    tool_call_id: Mapped[str | None]
    """The call that a tool's message answers."""
    model_id: Mapped[Key | None]
    """The model that wrote this message, where it differs from message to message."""
    input_tokens: Mapped[Whole | None]
    output_tokens: Mapped[Whole | None]
    cached_tokens: Mapped[Whole | None]
    """The part of the input that was read from a cache."""
    reasoning_tokens: Mapped[Whole | None]
    """The part of the output that was spent on reasoning."""
    cache_write_tokens: Mapped[Whole | None]
    """The part of the input that was written to a cache."""
    cache_write_1h_tokens: Mapped[Whole | None]
    """The part of `cache_write_tokens` that is cached for an hour, at a price of its own."""
    unpriced_units: Mapped[Whole | None]
    """Billed units that no price covers (audio tokens, web searches). If there are any, no cost is calculated."""
    tokens_used: Mapped[Whole | None]
    """The total, when only a total is known; otherwise input and output are added."""
    service_tier: Mapped[Key | None]
    """What the request was billed as: `batch`, `flex`, `priority`. NULL: the standard tier."""
    duration_ms: Mapped[Whole | None]
    # Evaluating None: the rows of a flush then all name the same columns, and are inserted together.
    cost: Mapped[Decimal | None] = mapped_column(types.Money().evaluates_none(), default=_filled_in("cost"))
    """US dollars. Left out, it is counted from the price of the model, where there is one."""
    priced_from: Mapped[datetime | None] = mapped_column(
        types.Timestamp().evaluates_none(), default=_filled_in("priced_from")
    )
    """The price that the cost was counted with, by the moment it took effect. NULL: the caller gave the cost."""
    priced_as: Mapped[Key | None] = mapped_column(types.Identifier().evaluates_none(), default=_filled_in("priced_as"))
    """The model whose price was used, if it is not the message's or session's own: see `Model.priced_as`."""
    outcome: Mapped[Outcome | None]
    """Whether writing it failed or was cut off."""
    hidden: Mapped[Flag | None]
    """1: the program that wrote it did not show it, such as an injected profile. The model has seen it. Else NULL."""
    streaming_until: Mapped[Timestamp | None]
    """When the lease of the writer of a streamed message ends. Each save renews it."""
    key: Mapped[Key | None]
    """Makes an append idempotent; unique within the session."""
    copied_from: Mapped[Key | None]
    """The session of the message that this one is a copy of. Forks, restored sessions and imported branches make copies;
    statistics and search leave them out.
    """
    copied_sequence: Mapped[Whole | None]
    """The number of the message that this one is a copy of."""
    created_at: Mapped[Timestamp] = mapped_column(default=_filled_in("created_at"))
    digest: Mapped[Blob | None] = mapped_column(default=_filled_in("digest"))
    """16 bytes of BLAKE2b over what the caller gave (see `schemas.digest`)."""
    search_text: Mapped[str | None] = mapped_column(
        Text().evaluates_none(), default=_filled_in("search_text"), deferred=True
    )
    """What full text indexes in place of `content`, where that has letters beyond ASCII."""
    search_extra: Mapped[str | None] = mapped_column(
        Text().evaluates_none(), default=_filled_in("search_extra"), deferred=True
    )
    """What full text indexes beside `content`: structured parts, tools with their arguments and results, attachments."""

    session: Mapped[Session] = parent("messages")
