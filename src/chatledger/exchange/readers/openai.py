"""Chat messages as OpenAI's API takes them, and as most agents log them: dicts with `role` and `content`."""

from __future__ import annotations

from typing import Any

from chatledger.enums import Role
from chatledger.exchange.message_format import Notation
from chatledger.exchange.readers.times import certain_time
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import MAX_COUNT, MAX_IDENTIFIER

NOTATION = Notation(
    speaker="role",
    text="content",
    roles={role.value: role for role in Role} | {"function": Role.TOOL, "model": Role.ASSISTANT},
)


def from_openai(item: Any, place: str = "message") -> NewMessage:
    """The message to append for a chat-completions message.

    Where `usage`, `model` or a time stand in it in a well-known form, the columns for them are filled too.

    Raises:
        InvalidInput: no dict, an unknown role, or a value that cannot be stored.
    """
    columns = {**_usage(item.get("usage")), **model_and_time(item)} if isinstance(item, dict) else {}
    return NOTATION.read(item, place, **columns)


def to_openai(message: Message | NewMessage) -> dict[str, Any]:
    """A message as a chat-completions dict. For one that came from such a dict, it is equal to that."""
    return NOTATION.write(message)


def model_and_time(item: dict[str, Any]) -> dict[str, Any]:
    """`model_id` and `created_at`, where a message or a record names them in a well-known form."""
    found: dict[str, Any] = {}
    model = item.get("model")
    if isinstance(model, str) and 0 < len(model) <= MAX_IDENTIFIER:
        found["model_id"] = model
    for key in ("created_at", "created", "create_time", "timestamp"):
        moment = certain_time(item.get(key))
        if moment is not None:
            return found | {"created_at": moment}
    return found


def _usage(usage: Any) -> dict[str, int]:
    if not isinstance(usage, dict):
        return {}
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    written = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    given = {
        "input_tokens": usage.get("prompt_tokens", usage.get("input_tokens")),
        "output_tokens": usage.get("completion_tokens", usage.get("output_tokens")),
        "cached_tokens": details.get("cached_tokens") if isinstance(details, dict) else None,
        "reasoning_tokens": written.get("reasoning_tokens") if isinstance(written, dict) else None,
        "tokens_used": usage.get("total_tokens"),
    }
    return {name: count for name, count in given.items() if type(count) is int and 0 <= count <= MAX_COUNT}
