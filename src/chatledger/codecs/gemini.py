"""Gemini's contents: a role and parts, in the spelling of its JSON (`functionCall`) and of its SDKs (`function_call`)."""

from __future__ import annotations

from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields, Turns
from chatledger.enums import Role
from chatledger.schemas.message_parts import reasoning, tool_call, tool_result

# What Gemini calls its own tool, which runs code.
_CODE = "code_execution"


def has_parts(parts: Any) -> bool:
    """Whether a list is one of Gemini's parts: objects without a type."""
    return isinstance(parts, list) and all(isinstance(part, dict | str) and not _typed(part) for part in parts)


def messages_of(role: Role, parts: list[Any], source_format: str = "gemini") -> list[Fields]:
    """The messages that one content becomes."""
    turns = Turns(role, source_format, "parts")
    for part in parts:
        _read(turns, part)
    return turns.messages()


def _read(turns: Turns, part: Any) -> None:
    if isinstance(part, str):
        turns.text(part, part)
        return
    if not isinstance(part, dict):
        turns.other(part)
        return
    said = {_snake(name): value for name, value in part.items() if value is not None}
    signature = {name: said[name] for name in ("thought_signature",) if name in said}
    keys = said.keys() - {"thought", *signature}
    call, answer = said.get("function_call"), said.get("function_response")
    code, output = said.get("executable_code"), said.get("code_execution_result")
    if isinstance(said.get("text"), str) and said.get("thought"):
        turns.thought(reasoning(said["text"], **signature), part, plain=keys == {"text"})
    elif isinstance(said.get("text"), str):
        turns.text(said["text"], part, plain=keys == {"text"} and not signature)
    elif isinstance(call, dict) and isinstance(call.get("name"), str):
        entry = tool_call(call["name"], call.get("args"), id=_text(call.get("id")))
        turns.call(
            entry, part, plain=keys == {"function_call"} and not signature and call.keys() <= {"name", "args", "id"}
        )
    elif isinstance(answer, dict):
        response = answer.get("response")
        only = _only_text(response)
        fields = tool_result(
            text_in(response) if only is None else only,
            tool_call_id=_text(answer.get("id")),
            name=_text(answer.get("name")),
            value=response if only is None else None,
            is_error=isinstance(response, dict) and response.keys() == {"error"},
        )
        turns.result(fields, part, plain=False)
    elif isinstance(code, dict):
        turns.call(tool_call(_CODE, code), part, plain=keys == {"executable_code"})
    elif isinstance(output, dict):
        failed = not str(output.get("outcome", "OUTCOME_OK")).endswith("OK")
        turns.result(tool_result(text_in(output.get("output")), name=_CODE, is_error=failed), part, plain=False)
    else:
        turns.other(part)


def _only_text(response: Any) -> str | None:
    """The text of a response that is nothing else."""
    if isinstance(response, dict) and len(response) == 1:
        [(name, value)] = response.items()
        if name in ("result", "output", "content", "error") and isinstance(value, str):
            return value
    return response if isinstance(response, str) else None


def _typed(part: Any) -> bool:
    return isinstance(part, dict) and "type" in part


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
