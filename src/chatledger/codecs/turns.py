"""What one message of another notation says, as messages in our form: each tool result is a message of its own."""

from __future__ import annotations

from typing import Any

from chatledger.enums import Role
from chatledger.schemas.message_parts import SOURCE_FORMAT, payload_of

Fields = dict[str, Any]
"""The fields of a message to append, as `NewMessage` takes them."""


class Turns:
    """Collects the blocks of a message, in order.

    Blocks that say more than our form does are kept as they were, in the payload under `source_field`: a block with
    further keys, several texts (which the content joins by line breaks), and another order than thoughts, text, calls.
    """

    def __init__(self, role: Role, source_format: str, source_field: str = "content") -> None:
        self._role, self._format, self._field = role, source_format, source_field
        self._done: list[Fields] = []
        self._begin()

    def _begin(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._blocks: list[Any] = []
        self._plain = True

    def text(self, text: str, block: Any, *, plain: bool = True) -> None:
        """Add a text, or the text of another block."""
        self._keep(block, plain=plain and not self._texts and not self._calls)
        self._texts.append(text)

    def thought(self, entry: dict[str, Any], block: Any, *, plain: bool = True) -> None:
        """Add an entry that `reasoning` built."""
        self._keep(block, plain=plain and not self._texts and not self._calls)
        self._thoughts.append(entry)

    def call(self, entry: dict[str, Any], block: Any, *, plain: bool = True) -> None:
        """Add an entry that `tool_call` built."""
        self._keep(block, plain=plain)
        self._calls.append(entry)

    def other(self, block: Any) -> None:
        """Add a block without text, such as an image."""
        self._keep(block, plain=False)

    def result(self, fields: Fields, block: Any, *, plain: bool = True) -> None:
        """Add a message that `tool_result` built. What comes after it is another message."""
        self.flush()
        if not plain:
            payload = fields.get("payload") or {}
            fields = {**fields, "payload": {**payload, SOURCE_FORMAT: self._format, self._field: [block]}}
        self._done.append(fields)

    def flush(self) -> None:
        """End the message. What comes next is another one."""
        if not self._blocks:
            return
        source = {} if self._plain else {self._field: self._blocks}
        payload = payload_of(
            tool_calls=self._calls, reasoning=self._thoughts, source_format=self._format, source=source
        )
        fields: Fields = {"role": self._role, "content": "\n".join(filter(None, self._texts))}
        self._done.append(fields if payload is None else {**fields, "payload": payload})
        self._begin()

    def messages(self) -> list[Fields]:
        """The messages, at least one."""
        self.flush()
        return self._done or [{"role": self._role, "content": ""}]

    def _keep(self, block: Any, *, plain: bool) -> None:
        self._blocks.append(block)
        self._plain = self._plain and plain
