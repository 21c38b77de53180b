"""What clients send. An unknown name is refused."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from chatledger.enums import Role
from chatledger.schemas.fields import MAX_IDENTIFIER, Count, Identifier, Input, Name, Text

PlainId = Annotated[str, Field(max_length=MAX_IDENTIFIER, pattern=r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]*$")]
"""An id that can be a part of a URL as it is."""
Key = Annotated[Identifier, Field(max_length=240)]
"""Makes a request idempotent. Shorter than the ledger's keys, because the key of an answer is made from it."""
Content = Text | Annotated[list[dict[Name, Any]], Field(min_length=1)]
"""Text, or the list of parts that OpenAI's and Anthropic's APIs use."""


class SessionToCreate(Input):
    """A session to create. It belongs to the user of the request."""

    session_id: PlainId | None = None
    """Letters, digits and `-`, `.`, `_`, `~`. None: a new UUIDv7."""
    title: Text | None = None
    model_id: Identifier | None = None
    project_id: Identifier | None = None
    metadata: dict[Identifier, Any] | None = None


class SessionToChange(Input):
    """What to change of a session. Fields that are not sent stay; null clears."""

    title: Text | None = None
    model_id: Identifier | None = None
    project_id: Identifier | None = None


class WrittenMessage(Input):
    """A message to append."""

    role: Role = Role.USER
    content: Content
    metadata: dict[Name, Any] | None = None
    key: Identifier | None = None
    """Makes the request idempotent: the same key with the same content returns the first message."""


class Question(Input):
    """A message of the user that is to be answered."""

    content: Content
    metadata: dict[Name, Any] | None = None
    key: Key | None = None
    """Makes the request idempotent: question and answer are stored once. A complete answer is sent again, and one that
    was interrupted or failed is written again.
    """


class Fork(Input):
    """A copy of a session to make."""

    at: Annotated[Count, Field(ge=1)] | None = None
    """The number of the last message to copy. None: all."""
    title: Text | None = None
    session_id: PlainId | None = None
    """The id of the copy. None: a new UUIDv7."""
