"""Sessions as users hand them in. Apart from those that are read, because an append needs no more than these."""

from __future__ import annotations

from typing import Any

from chatledger.schemas.fields import Duration, Identifier, Input, Moment, Name, Text


class NewSession(Input):
    """A session to create. Without an id it is given a UUIDv7."""

    session_id: Identifier | None = None
    user_id: Identifier | None = None
    project_id: Identifier | None = None
    model_id: Identifier | None = None
    title: Text | None = None
    system_prompt: Text | None = None
    context: dict[Name, Any] | None = None
    metadata: dict[Identifier, Any] | None = None
    idle_timeout: Duration | None = None
    archive_timeout: Duration | None = None
    hard_timeout: Duration | None = None
    name: Identifier | None = None
    parent_id: Identifier | None = None
    created_at: Moment | None = None


class SessionChanges(Input):
    """What `update` may change. What is not given stays; None clears."""

    user_id: Identifier | None = None
    project_id: Identifier | None = None
    model_id: Identifier | None = None
    title: Text | None = None
    system_prompt: Text | None = None
    context: dict[Name, Any] | None = None
    name: Identifier | None = None
    parent_id: Identifier | None = None
