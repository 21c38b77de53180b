"""Codex's transcripts (`~/.codex/sessions/**/rollout-*.jsonl`): items of the model's API, and events that repeat them.

Everything that the model says until its tools answer, or its usage is reported, is one message. Encrypted reasoning is
left out. The transcript of a sub-agent begins with lines of its parent, which are older than itself: these are left
out, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from chatledger.codecs.texts import text_in
from chatledger.codecs.turns import Fields
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.agents.transcript import UNFINISHED, Line, Transcript, read_transcript
from chatledger.exchange.readers.branching import as_identifier, known, message_at
from chatledger.exchange.readers.conversation import Conversation, Turn, Unreadable
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.readers.openai import read_usage
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.report import Failure
from chatledger.schemas.message_parts import payload_of, reasoning, tool_call, tool_result

_KINDS = frozenset({"session_meta", "turn_context", "response_item", "event_msg", "compacted"})
_ROLES = {role.value: role for role in (Role.USER, Role.ASSISTANT, Role.SYSTEM, Role.DEVELOPER)}
# Beginnings of what Codex tells the model in the name of a person.
_NOT_TYPED = (
    "<environment_context>", "<user_instructions>", "<permissions", "<turn_aborted>", "<skill", "<collaboration_mode>",
    "<subagent_notification>", "# AGENTS.md instructions",
)  # fmt: skip
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "web_search_call", "tool_search_call"})
_OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output", "tool_search_output"})


def holds(value: Any) -> bool:
    """Whether a record is a line of a transcript."""
    if not isinstance(value, dict):
        return False
    if value.get("type") in _KINDS:
        return isinstance(value.get("payload"), dict)
    # The first line of old ones.
    return {"id", "timestamp", "instructions"} <= value.keys() and "messages" not in value


def conversations(pieces: Iterable[Piece], *, growing: bool) -> Iterator[Conversation | Failure]:
    """The conversation of a transcript.

    With `growing`, what the model has not finished at the end is left out.

    Raises:
        InvalidInput: the file is too long.
    """
    transcript = read_transcript(pieces)
    if not transcript.lines:
        return
    rollout = _Rollout(transcript)
    first = place = transcript.lines[0].number
    try:
        for line in transcript.lines:
            place = line.number
            rollout.read(line)
    except InvalidInput as error:
        yield Failure(record=1, line=place, reason=str(error))
        return
    unfinished = rollout.end(drop=growing)
    if rollout.messages:
        notes = [*transcript.notes(), *([UNFINISHED] if unfinished else [])]
        fields = rollout.fields()
        parent = fields["metadata"].get("parent_session_id")
        yield Conversation(1, first, _turns(rollout.messages), fields, notes=notes, parent=parent)


def _turns(messages: list[tuple[int, Fields]]) -> Iterator[Turn]:
    for line, fields in messages:
        try:
            yield Turn(line, message_at(f"line {line}", fields))
        except InvalidInput as error:
            raise Unreadable(1, line, error) from None


class _Rollout:
    """What the lines of a transcript say, in order."""

    def __init__(self, transcript: Transcript) -> None:
        self.messages: list[tuple[int, Fields]] = []
        self._said = _texts_of_items(transcript.lines)
        self._about: dict[str, Any] = {}
        self._began: datetime | None = None
        self._model: str | None = None
        self._tools: dict[str, str] = {}
        self._usage_place: int | None = None
        self._total: Any = None
        self._forget()

    def _forget(self) -> None:
        self._line = 0
        self._time: datetime | None = None
        self._texts: list[str] = []
        self._thoughts: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._beside: list[Any] = []

    def read(self, line: Line) -> None:
        """Take a line."""
        record = line.record
        kind, payload = record.get("type"), record.get("payload")
        time = certain_time(record.get("timestamp"))
        if kind not in _KINDS or not isinstance(payload, dict):
            # Old transcripts have the items themselves, and what the session is on a line without a kind.
            kind, payload = "session_meta" if kind is None and "id" in record else "response_item", record
        if kind == "session_meta":
            if not self._about:
                self._about, self._began = payload, certain_time(payload.get("timestamp")) or time
            return
        if self._parent() is not None and time is not None and self._began is not None and time < self._began:
            return
        if kind == "turn_context":
            self._model = as_identifier(payload.get("model")) or self._model
        elif kind == "compacted":
            self._finish()
            self._add(line, time, {"role": Role.SYSTEM, "content": text_in(payload.get("message")), "hidden": True})
        elif kind == "event_msg":
            self._event(line, time, payload)
        else:
            self._item(line, time, payload)

    def end(self, *, drop: bool) -> bool:
        """End the last message. With `drop` leave it out if it may go on, and return whether it did."""
        unfinished = bool(self._line) and drop
        if unfinished:
            self._forget()
        self._finish()
        return unfinished

    def fields(self) -> dict[str, Any]:
        """What the session is."""
        about = self._about
        git: Any = about.get("git")
        git = git if isinstance(git, dict) else {}
        cwd = about.get("cwd") if isinstance(about.get("cwd"), str) else None
        metadata = known({
            "agent": Format.CODEX.value,
            "cwd": cwd,
            "git_branch": git.get("branch"),
            "git_commit": git.get("commit_hash"),
            "agent_version": about.get("cli_version"),
            "forked_from": about.get("forked_from_id"),
            "parent_session_id": self._parent(),
        })  # fmt: skip
        typed = (fields["content"] for _, fields in self.messages if fields["role"] is Role.USER)
        question = next((text.strip() for text in typed if text.strip() and not text.startswith(_NOT_TYPED)), "")
        instructions = about.get("base_instructions", about.get("instructions"))
        return {
            "session_id": as_identifier(about.get("id")),
            "title": " ".join(question.splitlines()[0].split())[:_TITLE] if question else None,
            "project_id": as_identifier(cwd),
            "model_id": self._model,
            "system_prompt": text_in(instructions.get("text") if isinstance(instructions, dict) else instructions)
            or None,
            "created_at": self._began,
            "metadata": metadata,
        }

    def _parent(self) -> str | None:
        source = self._about.get("source")
        spawn = source.get("subagent") if isinstance(source, dict) else None
        spawn = spawn.get("thread_spawn") if isinstance(spawn, dict) else None
        parent = spawn.get("parent_thread_id") if isinstance(spawn, dict) else None
        return as_identifier(parent)

    def _event(self, line: Line, time: datetime | None, payload: dict[str, Any]) -> None:
        kind = payload.get("type")
        if kind == "token_count":
            self._count(payload.get("info"))
        elif kind in ("user_message", "agent_message"):
            role = Role.USER if kind == "user_message" else Role.ASSISTANT
            text = payload.get("message")
            if isinstance(text, str) and text and not self._repeats(role.value, text):
                self._item(line, time, {"type": "message", "role": role.value, "content": text})
        elif kind == "agent_reasoning":
            text = payload.get("text")
            if isinstance(text, str) and text and not self._repeats("reasoning", text):
                self._item(line, time, {"type": "reasoning", "summary": text})

    def _repeats(self, what: str, text: str) -> bool:
        """Whether an event repeats an item, each of which is repeated once."""
        if not self._said[what, text]:
            return False
        self._said[what, text] -= 1
        return True

    def _item(self, line: Line, time: datetime | None, item: dict[str, Any]) -> None:
        kind = item.get("type")
        role = _ROLES.get(item["role"]) if kind == "message" and isinstance(item.get("role"), str) else None
        if kind == "reasoning":
            self._begin(line, time)
            if text := text_in(item.get("summary")) or text_in(item.get("content")):
                self._thoughts.append(reasoning(text))
        elif kind in _CALLS:
            self._begin(line, time)
            self._calls.append(self._call(item))
        elif kind in _OUTPUTS:
            self._finish()
            self._add(line, time, self._output(item))
        elif role is Role.ASSISTANT:
            self._begin(line, time)
            self._texts.append(text_in(item.get("content")))
            self._beside += _without_text(item.get("content"))
        elif role is not None:
            self._finish()
            text = text_in(item.get("content"))
            fields: Fields = {"role": role, "content": text}
            if beside := _without_text(item.get("content")):
                fields["payload"] = payload_of(source_format=Format.CODEX.value, source={"content": beside})
            if role is not Role.USER or text.startswith(_NOT_TYPED):
                fields["hidden"] = True
            self._add(line, time, fields)

    def _call(self, item: dict[str, Any]) -> dict[str, Any]:
        name, call_id = item.get("name"), as_identifier(item.get("call_id"))
        name = name if isinstance(name, str) and name else str(item["type"]).removesuffix("_call")
        arguments = next((item[key] for key in ("arguments", "input", "action") if item.get(key) is not None), None)
        if call_id is not None:
            self._tools[call_id] = name
        return tool_call(name, arguments, id=call_id)

    def _output(self, item: dict[str, Any]) -> Fields:
        output, call_id = item.get("output", item.get("tools")), as_identifier(item.get("call_id"))
        failed = isinstance(output, dict) and output.get("success") is False
        text = text_in(output.get("content") if isinstance(output, dict) else output)
        return tool_result(
            text, tool_call_id=call_id, name=self._tools.get(call_id) if call_id else None, is_error=failed
        )

    def _begin(self, line: Line, time: datetime | None) -> None:
        if not self._line:
            self._line, self._time = line.number, time

    def _finish(self) -> None:
        """End the message of the model that is being read."""
        if not self._line:
            return
        payload = payload_of(
            tool_calls=self._calls,
            reasoning=self._thoughts,
            source_format=Format.CODEX.value,
            source={"content": self._beside} if self._beside else {},
        )
        fields: Fields = {"role": Role.ASSISTANT, "content": "\n".join(filter(None, self._texts))}
        fields |= {"model_id": self._model, **({} if payload is None else {"payload": payload})}
        if fields["content"] or payload is not None:
            self._usage_place = len(self.messages)
            self.messages.append((self._line, {**fields, "created_at": self._time or self._began}))
        self._forget()

    def _add(self, line: Line, time: datetime | None, fields: Fields) -> None:
        if fields["content"] or fields.get("payload") or fields["role"] is Role.TOOL:
            self.messages.append((line.number, {**fields, "created_at": time or self._began}))

    def _count(self, info: Any) -> None:
        """Note the usage of the response that has ended. A report that is repeated says the same total again."""
        self._finish()
        if not isinstance(info, dict):
            return
        total, last = info.get("total_token_usage"), info.get("last_token_usage")
        if total is not None and total == self._total:
            return
        usage = last if isinstance(last, dict) else _difference(total, self._total)
        self._total = total
        if self._usage_place is None or not isinstance(usage, dict):
            return
        fields = self.messages[self._usage_place][1]
        for name, value in read_usage(_as_responses(usage)).items():
            stored = fields.get(name)
            fields[name] = value + stored if type(stored) is int and type(value) is int else value


# Characters of a title.
_TITLE = 80


def _texts_of_items(lines: list[Line]) -> Counter[tuple[str, str]]:
    """What items say, and events repeat."""
    found: Counter[tuple[str, str]] = Counter()
    for line in lines:
        item = line.record.get("payload")
        if line.record.get("type") != "response_item" or not isinstance(item, dict):
            continue
        if item.get("type") == "message" and isinstance(item.get("role"), str):
            found[item["role"], text_in(item.get("content"))] += 1
        elif item.get("type") == "reasoning":
            parts = item.get("summary")
            for part in parts if isinstance(parts, list) else []:
                found["reasoning", text_in([part])] += 1
    return found


def _as_responses(usage: dict[str, Any]) -> dict[str, Any]:
    """A usage of Codex in the form of the API that it counts for."""
    return known({
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        "input_tokens_details": known({"cached_tokens": usage.get("cached_input_tokens")}),
        "output_tokens_details": known({"reasoning_tokens": usage.get("reasoning_output_tokens")}),
    })  # fmt: skip


def _difference(total: Any, before: Any) -> dict[str, Any] | None:
    if not isinstance(total, dict):
        return None
    earlier = {name: value for name, value in before.items() if type(value) is int} if isinstance(before, dict) else {}
    return {name: max(0, value - earlier.get(name, 0)) for name, value in total.items() if type(value) is int}


def _without_text(content: Any) -> list[Any]:
    """The parts of a content that hold no text, such as images."""
    return [part for part in content if not text_in([part])] if isinstance(content, list) else []
