"""Messages of the AI SDK: those of its user interface (`parts`), and those that it sends to models (`content`)."""

from __future__ import annotations

from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields, Turns
from chatledger.enums import Role
from chatledger.schemas.message_parts import reasoning, tool_call, tool_result

_SAID = {"type", "text", "state", "providerMetadata", "providerOptions"}
_TOOL = {"type", "toolCallId", "toolName", "state", "input", "args", "output", "result", "errorText", "isError"}
# A step that begins: what comes next is another message.
_STEP = "step-start"


def has_parts(parts: Any) -> bool:
    """Whether a list is one of parts with a type, as messages of a user interface have it."""
    return isinstance(parts, list) and bool(parts) and all(isinstance(part, dict) and "type" in part for part in parts)


def has_content(content: Any) -> bool:
    """Whether a content has parts that no other notation has."""
    return isinstance(content, list) and any(
        isinstance(part, dict) and part.get("type") in ("tool-call", "tool-result", "reasoning") for part in content
    )


def messages_of(role: Role, parts: list[Any], source_field: str = "parts") -> list[Fields]:
    """The messages that one message becomes: for each step the assistant's, and then one for each result of a tool."""
    turns = Turns(role, "ai_sdk", source_field)
    held: list[tuple[Fields, Any, bool]] = []  # results, until all calls of their step are read

    def answer() -> None:
        for fields, part, plain in held:
            turns.result(fields, part, plain=plain)
        held.clear()

    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        tool = _tool(part) if isinstance(kind, str) else None
        if kind == _STEP:
            answer()
            turns.flush()
        elif tool is not None:
            call, fields = tool
            plain = _plain_tool(part)
            if call is not None:
                turns.call(call, part, plain=plain)
            if fields is not None:
                # With its call, the part is there already.
                held.append((fields, part, plain or call is not None))
        else:
            answer()
            _read(turns, kind, part)
    answer()
    return turns.messages()


def _read(turns: Turns, kind: Any, part: Any) -> None:
    text = part.get("text") if isinstance(part, dict) else part
    if not isinstance(text, str):
        turns.other(part)
    elif kind == "reasoning":
        details = {name: part[name] for name in ("providerMetadata", "providerOptions") if part.get(name) is not None}
        turns.thought(reasoning(text, **details), part, plain=part.keys() <= _SAID)
    else:
        plain = isinstance(part, dict) and kind == "text" and part.keys() <= {"type", "text", "state"}
        turns.text(text, part, plain=plain or isinstance(part, str))


def _tool(part: dict[str, Any]) -> tuple[dict[str, Any] | None, Fields | None] | None:
    """The call and the result that a part holds; None if it is not a tool's."""
    kind = str(part["type"])
    if kind == "tool-invocation" and isinstance(part.get("toolInvocation"), dict):
        part = {**part["toolInvocation"], "type": kind}
    named = kind.removeprefix("tool-") if kind.startswith("tool-") else None
    name = part.get("toolName") or (named if named not in ("invocation", "call", "result") else None)
    if not isinstance(name, str) or (named is None and kind != "dynamic-tool"):
        return None
    call_id = part["toolCallId"] if isinstance(part.get("toolCallId"), str) else None
    given = part.get("input", part.get("args"))
    call = None if kind == "tool-result" else tool_call(name, given, id=call_id)
    found, failed = part.get("output", part.get("result")), part.get("isError") is True
    if part.get("errorText") is not None or part.get("state") == "output-error":
        found, failed = part.get("errorText"), True
    elif not {"output", "result"} & part.keys():
        return call, None
    # To models, results are sent in an envelope that says their type.
    if isinstance(found, dict) and found.keys() == {"type", "value"}:
        failed = failed or str(found["type"]).startswith("error")
        found = found["value"]
    value = None if isinstance(found, str) else found
    return call, tool_result(text_in(found), tool_call_id=call_id, name=name, value=value, is_error=failed)


def _plain_tool(part: dict[str, Any]) -> bool:
    invocation = part.get("toolInvocation")
    if isinstance(invocation, dict):
        return invocation.keys() <= {*_TOOL, "step"} and part.keys() == {"type", "toolInvocation"}
    return part.keys() <= _TOOL
