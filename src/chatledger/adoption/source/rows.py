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

    #: The row it stands for, and what is added where a row becomes several messages.
    row: Row
    #: What `NewMessage` takes, but for the key and the metadata.
    fields: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    #: Values that have no place of their own, as they were found, by column.
    as_found: dict[str, Any] = field(default_factory=dict)
    part: str = ""
    #: Rows that are kept with it.
    kept: list[Row] = field(default_factory=list)
    #: The row is met in several sessions.
    shared: bool = False


@dataclass
class OldSession:
    """One session to be, with its messages still to be read: they are taken once, in order."""

    #: What the source calls it.
    source_id: str
    #: Told apart from another session of the same name in another source: by when it began, say.
    origin: str
    messages: Iterator[OldMessage]
    #: The id that it asks for; the source's own when there is none.
    session_id: str | None = None
    #: What `sessions.create` takes, but for the id and the metadata.
    fields: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    as_found: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.ACTIVE
    closed_at: datetime | None = None
    #: Rows that the session itself is made of, and rows that are kept with it.
    copied: list[Row] = field(default_factory=list)
    kept: list[Row] = field(default_factory=list)
    #: Made for messages whose own session is gone, or for rows that belong to none.
    recovered: str | None = None
    #: Its messages are rows of other tables, and no messages of the source.
    of_rows: bool = False
    #: The session that it branches off from; it comes before this one. Messages that both have become copies.
    fork_of: OldSession | None = None


@dataclass
class OldName:
    """A project or model to be, as the registry takes it."""

    kind: Literal["project", "model"]
    #: The id by which sessions and messages name it.
    name: str
    #: Columns of the registry, by name.
    fields: dict[str, Any]
    metadata: dict[str, Any] = field(default_factory=dict)
    as_found: dict[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    #: It is not to be used any more.
    archived: bool = False
    #: Dollars per million tokens, by kind.
    price: dict[str, Decimal] = field(default_factory=dict)
    #: The row that it is made of; None where it is only named by rows of sessions.
    row: Row | None = None
