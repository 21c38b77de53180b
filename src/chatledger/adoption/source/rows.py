"""What every reader of a layout makes of a source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from chatledger.adoption.source.database import Row
from chatledger.enums import Status


@dataclass
class OldMessage:
    """One message to be, with the rows that it is made of."""

    row: Row
    """The row it stands for, and what is added where a row becomes several messages."""
    fields: dict[str, Any]
    """What `NewMessage` takes, but for the key and the metadata."""
    metadata: dict[str, Any] = field(default_factory=dict)
    as_found: dict[str, Any] = field(default_factory=dict)
    """Values that have no place of their own, as they were found, by column."""
    part: str = ""
    kept: list[Row] = field(default_factory=list)
    """Rows that are kept with it."""
    shared: bool = False
    """The row is met in several sessions."""


@dataclass
class OldSession:
    """One session to be, with its messages still to be read: they are taken once, in order."""

    source_id: str
    """What the source calls it."""
    origin: str
    """Told apart from another session of the same name in another source: by when it began, say."""
    messages: Iterator[OldMessage]
    session_id: str | None = None
    """The id that it asks for; the source's own when there is none."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What `sessions.create` takes, but for the id and the metadata."""
    metadata: dict[str, Any] = field(default_factory=dict)
    as_found: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.ACTIVE
    closed_at: datetime | None = None
    copied: list[Row] = field(default_factory=list)
    """Rows that the session itself is made of, and rows that are kept with it."""
    kept: list[Row] = field(default_factory=list)
    recovered: str | None = None
    """Made for messages whose own session is gone, or for rows that belong to none."""
    of_rows: bool = False
    """Its messages are rows of other tables, and no messages of the source."""
    fork_of: OldSession | None = None
    """The session that it branches off from; it comes before this one. Messages that both have become copies."""


@dataclass
class OldName:
    """A project or model to be, as the registry takes it."""

    kind: Literal["project", "model"]
    name: str
    """The id by which sessions and messages name it."""
    fields: dict[str, Any]
    """Columns of the registry, by name."""
    metadata: dict[str, Any] = field(default_factory=dict)
    as_found: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    archived: bool = False
    """It is not to be used any more."""
    price: dict[str, Decimal] = field(default_factory=dict)
    """Dollars per million tokens, by kind."""
    row: Row | None = None
    """The row that it is made of; None where it is only named by rows of sessions."""
