"""Items of OpenAI's Responses API, as OpenAI Agents stores them, as messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatledger.adoption.source.message_content import call_entry, result_fields, role_of, text_of
from chatledger.enums import Role
from chatledger.schemas.message_parts import payload_of, reasoning

SOURCE = "openai-agents"
# Keys of a call that are its arguments, for tools that OpenAI runs: the first that is there.
_ARGUMENTS = ("arguments", "input", "action", "queries", "code", "operation", "commands")
# Keys under which a call that OpenAI runs has its result as well.
_RESULTS = ("output", "outputs", "results", "result", "error")


def is_encrypted(item: Any) -> bool:
    """Whether an item is an envelope of `EncryptedSession`, which only its key opens."""
    return isinstance(item, dict) and "__enc__" in item and "payload" in item


class Items:
    """The items of one session. A result is given the name of the tool that its call named."""

    def __init__(self) -> None:
        self._tools: dict[str, Any] = {}

    def messages(self, item: Any) -> Iterator[dict[str, Any]]:
        """The fields of each message that an item is: more than one where a call has its result within it."""
        if not isinstance(item, dict):
            yield {"role": Role.USER, "content": text_of(item), "payload": payload_of(source=_source(item))}
            return
        kind, role, content = item.get("type"), item.get("role"), item.get("content")
        if isinstance(kind, str) and kind.endswith("_output"):
            yield self._result(item)
        elif isinstance(kind, str) and kind.endswith("_call"):
            yield from self._call(item, kind)
        elif kind == "reasoning":
            yield _reasoning(item)
        else:
            text = text_of(content)
            plain = content == text and item.keys() == {"role", "content"} and role_of(role) is not None
            payload = None if plain and role_of(role) == role else payload_of(source=_source(item))
            yield {"role": role_of(role) or (Role.USER if kind is None else Role.ASSISTANT), "content": text,
                   "payload": payload}  # fmt: skip

    def _call(self, item: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
        id_ = item.get("call_id") or item.get("id")
        name = item.get("name") or kind.removesuffix("_call")
        given: Any = next((item[key] for key in _ARGUMENTS if item.get(key) is not None), {})
        entry = call_entry(name, given, id_)
        if kind == "custom_tool_call":  # takes any text, which is no JSON
            entry = {**({} if id_ is None else {"id": id_}), "type": "custom", "custom": {"name": name, "input": given}}
        said = payload_of(tool_calls=[entry], source=_source(item))
        yield {"role": Role.ASSISTANT, "content": "", "payload": said}
        found = {key: item[key] for key in _RESULTS if item.get(key)}
        if found and kind not in ("function_call", "custom_tool_call"):
            value = next(iter(found.values())) if len(found) == 1 else found
            yield result_fields(value, tool_call_id=id_, name=name, is_error="error" in found)
        elif isinstance(id_, str):
            self._tools[id_] = name

    def _result(self, item: dict[str, Any]) -> dict[str, Any]:
        id_, output = item.get("call_id"), item.get("output")
        name = item.get("name") or (self._tools.pop(id_, None) if isinstance(id_, str) else None)
        rest = _source(item) if item.keys() - {"type", "call_id", "output"} else {}
        return result_fields(output, tool_call_id=id_, name=name, **rest)


def _reasoning(item: dict[str, Any]) -> dict[str, Any]:
    """One thought for each of its parts: those that the model wrote, else the summary of them."""
    written = item.get("content") if isinstance(item.get("content"), list) else []
    parts = [*(item["summary"] if isinstance(item.get("summary"), list) else []), *(written or [])]
    texts = [text for part in parts if (text := text_of([part]))]
    hidden = {"encrypted_content": item["encrypted_content"]} if item.get("encrypted_content") else {}
    thoughts = [reasoning(text) for text in texts] or [reasoning("")]
    thoughts[0] |= hidden
    return {"role": Role.ASSISTANT, "content": "", "payload": payload_of(reasoning=thoughts, source=_source(item))}


def _source(item: Any) -> dict[str, Any]:
    return {"source_format": SOURCE, "item": item}
