"""Claude Code's transcripts (`~/.claude/projects/*/*.jsonl`): lines that name the line which they follow.

A response of the model is several lines, one for each block, which have the same message id and repeat its usage. The
results of parallel calls each follow the line of their call. A rewind is a line that follows one which has been
followed already. A compaction has no parent, but names what it follows as its logical parent. Sub-agents are lines that
are marked as a sidechain, in the same file or in one of their own. Older versions repeat the lines of a session in the
file of the session that resumes it, with the new session's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from chatledger.codecs import anthropic
from chatledger.codecs.turns import Fields
from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers.agents.transcript import UNFINISHED, Line, read_transcript
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, fork_id, known, message_at
from chatledger.exchange.readers.conversation import Conversation, part_key
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.readers.openai import read_usage
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.exchange.report import Failure
from chatledger.schemas import NewMessage

# Kinds of lines beside messages that may stand first in a file, and what each holds.
_BESIDE = {
    "summary": "leafUuid",
    "file-history-snapshot": "messageId",
    "queue-operation": "sessionId",
    "custom-title": "sessionId",
    "ai-title": "sessionId",
    "last-prompt": "sessionId",
    "agent-name": "sessionId",
    "permission-mode": "sessionId",
    "mode": "sessionId",
}
# Model names of messages that Claude Code wrote itself.
_NO_MODEL = "<synthetic>"
# Beginnings of what Claude Code puts between the messages of a person.
_NOT_TYPED = ("<local-command-", "<bash-stdout>", "<bash-stderr>", "<system-reminder>", "Caveat: The messages below")
# What is kept of a line beside its message.
_ABOUT = ("requestId", "isMeta", "isCompactSummary", "isApiErrorMessage", "subtype", "level", "compactMetadata")


def holds(value: Any) -> bool:
    """Whether a record is a line of a transcript."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("type"), str):
        return False
    if isinstance(value.get("uuid"), str) and isinstance(value.get("sessionId"), str):
        return "parentUuid" in value or isinstance(value.get("message"), dict)
    return kind in _BESIDE and isinstance(value.get(_BESIDE[kind]), str)


def conversations(pieces: Iterable[Piece], *, growing: bool) -> Iterator[Conversation | Failure]:
    """The conversations of a transcript: each session, and each sub-agent of one.

    With `growing`, a response at the end that may go on is left out.

    Raises:
        InvalidInput: the file is too long.
    """
    transcript = read_transcript(pieces)
    titles = _Titles()
    groups: dict[tuple[str, str | None], _Group] = {}
    sidechains: dict[str, str] = {}
    for line in transcript.lines:
        titles.read(line.record)
        if not isinstance(uuid := line.record.get("uuid"), str):
            if line.record.get("type") in ("user", "assistant"):
                transcript.unread.append(line.number)
            continue
        session_id = as_identifier(line.record.get("sessionId"))
        if session_id is None:
            transcript.unread.append(line.number)
            continue
        agent = _sidechain(line.record, uuid, sidechains)
        group = groups.setdefault((session_id, agent), _Group(session_id, agent))
        if not group.add(line, uuid):
            transcript.unread.append(line.number)
    transcript.unread.sort()
    notes = transcript.notes()
    for group in groups.values():
        unfinished = growing and group.drop_unfinished()
        if not any(unit.is_message for unit in group.units):
            continue
        begin = group.units[0].lines[0].number
        try:
            found = group.branching(titles, transcript.size).conversation(Piece(1, begin, 0, b""))
        except InvalidInput as error:
            yield Failure(record=1, line=begin, reason=str(error))
            continue
        assert found is not None  # as without a way to lead through
        found.parent, found.is_repeated = group.parent, True
        found.notes = [*notes, *([UNFINISHED] if unfinished else [])]
        notes = []
        yield found


def _sidechain(record: dict[str, Any], uuid: str, sidechains: dict[str, str]) -> str | None:
    """What a sub-agent is called: by its own id, else after the first line that it has."""
    if record.get("isSidechain") is not True:
        return None
    before = record.get("parentUuid")
    agent = as_identifier(record.get("agentId")) or (sidechains.get(before) if isinstance(before, str) else None)
    return sidechains.setdefault(uuid, agent or uuid)


@dataclass
class _Titles:
    """What a transcript calls its sessions."""

    given: dict[str, str] = field(default_factory=dict)
    """By a person, by session."""
    made: dict[str, str] = field(default_factory=dict)
    """By the model, by session."""
    summaries: dict[str, str] = field(default_factory=dict)
    """By the line which the summarised part ends with."""

    def read(self, record: dict[str, Any]) -> None:
        """Note a title, if the line holds one."""
        kind, session_id = record.get("type"), record.get("sessionId")
        found: dict[str, tuple[dict[str, str], Any, str]] = {
            "custom-title": (self.given, session_id, "customTitle"),
            "ai-title": (self.made, session_id, "aiTitle"),
            "summary": (self.summaries, record.get("leafUuid"), "summary"),
        }
        if not isinstance(kind, str) or kind not in found:
            return
        titles, name, title = found[kind]
        if isinstance(name, str) and isinstance(record.get(title), str) and record[title].strip():
            titles[name] = record[title].strip()

    def of(self, session_id: str, uuids: Iterable[str]) -> str | None:
        """The title of a session with these lines."""
        summary = next((self.summaries[uuid] for uuid in uuids if uuid in self.summaries), None)
        return self.given.get(session_id) or summary or self.made.get(session_id)


@dataclass
class _Unit:
    """A message of the file: one line, or the lines of one response."""

    lines: list[Line]
    uuids: list[str]
    answers: frozenset[str] = frozenset()
    """The calls whose results it holds."""
    is_message: bool = True

    @property
    def first(self) -> dict[str, Any]:
        return self.lines[0].record

    @property
    def key(self) -> str | None:
        return as_identifier(self.uuids[0])

    def content(self) -> Any:
        """The content of the lines as one content."""
        if not self.is_message:
            return ""
        if self.first["type"] == "system":
            return self.first["content"]
        contents = [line.record["message"]["content"] for line in self.lines]
        if len(contents) == 1:
            return contents[0]
        return [block for content in contents for block in (content if isinstance(content, list) else [content])]

    def usage(self) -> dict[str, Any]:
        """The usage of a response: what the last of its lines says, which repeat it as it grows."""
        found = [line.record["message"].get("usage") for line in self.lines if self.first["type"] == "assistant"]
        last = next((usage for usage in reversed(found) if isinstance(usage, dict)), None)
        return {} if last is None else read_usage(last)


class _Group:
    """The lines of a session, or of a sub-agent."""

    def __init__(self, session_id: str, agent: str | None) -> None:
        self._session_id, self._agent = session_id, agent
        self.units: list[_Unit] = []
        self._unit_of: dict[str, int] = {}
        self._responses: dict[str, int] = {}
        self._tools: dict[str, str] = {}

    @property
    def parent(self) -> str | None:
        """The session that began a sub-agent."""
        return None if self._agent is None else self._session_id

    def add(self, line: Line, uuid: str) -> bool:
        """Add a line. Return whether it could be read; of lines with the same uuid, the first that can is kept."""
        record = line.record
        kind = record.get("type")
        message = record.get("message")
        known_as = self._unit_of.get(uuid)
        if kind in ("user", "assistant"):
            if not isinstance(message, dict) or not isinstance(message.get("content"), str | list):
                return False
            if known_as is not None:
                return True
            response = message.get("id") if kind == "assistant" else None
            if isinstance(response, str) and response in self._responses:
                self._unit_of[uuid] = self._responses[response]
                unit = self.units[self._responses[response]]
                unit.lines.append(line)
                unit.uuids.append(uuid)
            else:
                if isinstance(response, str):
                    self._responses[response] = len(self.units)
                self._unit_of[uuid] = len(self.units)
                self.units.append(_Unit([line], [uuid], self._answers(message) if kind == "user" else frozenset()))
            self._note_calls(message)
        elif known_as is None:
            self._unit_of[uuid] = len(self.units)
            says = kind == "system" and isinstance(record.get("content"), str) and bool(record["content"])
            self.units.append(_Unit([line], [uuid], is_message=says))
        return True

    def drop_unfinished(self) -> bool:
        """Leave out a response at the end that has not said how it ended, and the results behind it."""
        place = max((n for n, unit in enumerate(self.units) if unit.first.get("type") == "assistant"), default=None)
        if place is None or self.units[place].lines[-1].record["message"].get("stop_reason") is not None:
            return False
        if not all(unit.answers or not unit.is_message for unit in self.units[place + 1 :]):
            return False
        del self.units[place:]
        return True

    def branching(self, titles: _Titles, size: int) -> Branching:
        """The session and the forks that the lines become.

        Raises:
            InvalidInput: lines follow themselves.
        """
        parts = _Parts(self.units, self._tools)
        tree = Tree(parts.parents(self._parents()), parts.holds, range(len(parts.of)), "lines")
        own = [certain_time(self.units[place].first.get("timestamp")) for place, _ in parts.of]
        began = earliest(own)
        times = tree.inherited(own, began)
        speaking = tree.messages()
        return Branching(
            tree=tree,
            end=speaking[-1] if speaking else None,
            fields=self._fields(titles, parts) | {"created_at": began},
            read=lambda node: parts.message(node, times[node]),
            name=lambda node: part_key(parts.unit(node).key, parts.of[node][1]) or str(node),
            size=size,
        )

    def _parents(self) -> list[int | None]:
        named = [unit.first.get("parentUuid") for unit in self.units]
        known_parents = [self._unit_of.get(name) if isinstance(name, str) else None for name in named]
        linear = not any(parent is not None and parent != place for place, parent in enumerate(known_parents))
        found: list[int | None] = []
        for place, unit in enumerate(self.units):
            parent = known_parents[place]
            logical = unit.first.get("logicalParentUuid")
            if parent is None and isinstance(logical, str):
                parent = self._unit_of.get(logical)
            begins = named[place] is None and unit.first.get("type") == "user" and not unit.answers
            if parent is None and (linear or not begins) and place:
                parent = place - 1  # the line that it follows is not there, or no line names one
            found.append(parent)
        self._chain_results(found)
        return found

    def _chain_results(self, parents: list[int | None]) -> None:
        """Let the results of the calls of one response follow one another, and what comes next the last of them."""
        chains: dict[int, list[int]] = {}
        for place, unit in enumerate(self.units):
            parent = parents[place]
            if not unit.answers or parent is None or self.units[parent].first.get("type") != "assistant":
                continue
            chain = chains.setdefault(parent, [])
            if any(self.units[other].answers & unit.answers for other in chain):
                continue  # the same call again: the conversation was taken back to it
            chain.append(place)
        last_of: dict[int, int] = {}
        for chain in chains.values():
            for before, place in pairwise(chain):
                parents[place] = before
            last_of |= dict.fromkeys(chain[:-1], chain[-1])
        members = {place for chain in chains.values() for place in chain}
        for place, parent in enumerate(parents):
            if parent in last_of and place not in members and place > last_of[parent]:
                parents[place] = last_of[parent]

    def _fields(self, titles: _Titles, parts: _Parts) -> dict[str, Any]:
        first = [line.record for unit in self.units for line in unit.lines]
        about = {
            name: next(
                (record[field] for record in first if isinstance(record.get(field), str) and record[field]), None
            )
            for name, field in (("cwd", "cwd"), ("git_branch", "gitBranch"), ("agent_version", "version"))
        }
        session_id = self._session_id if self._agent is None else fork_id(self._session_id, self._agent)
        title = titles.of(self._session_id, self._unit_of) if self._agent is None else None
        metadata = known({"agent": Format.CLAUDE_CODE.value, **about})
        if self._agent is not None:
            metadata |= {"parent_session_id": self._session_id, "agent_id": self._agent}
        models = (_model(unit) for unit in reversed(self.units))
        return {
            "session_id": session_id,
            "title": title or parts.first_question(),
            "project_id": as_identifier(about["cwd"]),
            "model_id": next((model for model in models if model is not None), None),
            "metadata": metadata,
        }

    @staticmethod
    def _answers(message: dict[str, Any]) -> frozenset[str]:
        return frozenset(
            str(block.get("tool_use_id")) for block in _blocks(message) if block.get("type") == "tool_result"
        )

    def _note_calls(self, message: dict[str, Any]) -> None:
        for block in _blocks(message):
            if block.get("type") == "tool_use" and isinstance(block.get("id"), str):
                name = block.get("name")
                self._tools[block["id"]] = name if isinstance(name, str) else ""


class _Parts:
    """The messages that those of the file become: several, where one holds the results of several calls."""

    def __init__(self, units: list[_Unit], tools: dict[str, str]) -> None:
        self._units, self._tools = units, tools
        self._pieces = [self._read(unit) for unit in units]
        self.of = [(place, number) for place, pieces in enumerate(self._pieces) for number in range(len(pieces))]
        """The place of a message of the file, and which of its parts it is."""
        self.holds = [units[place].is_message for place, _ in self.of]

    def unit(self, node: int) -> _Unit:
        return self._units[self.of[node][0]]

    def parents(self, units: list[int | None]) -> list[int | None]:
        """For each part the one before it, else the last part of the message that its message follows."""
        last = {place: node for node, (place, _) in enumerate(self.of)}
        found: list[int | None] = []
        for node, (place, number) in enumerate(self.of):
            parent = units[place]
            found.append(node - 1 if number else None if parent is None else last[parent])
        return found

    def message(self, node: int, time: Any) -> NewMessage:
        place, number = self.of[node]
        unit = self._units[place]
        fields = {**self._pieces[place][number], "key": part_key(unit.key, number), "created_at": time}
        return message_at(f"line {unit.lines[0].number}", fields)

    def first_question(self) -> str | None:
        """The first line that a person typed, for a title."""
        for pieces in self._pieces:
            for piece in pieces:
                text = piece["content"].strip() if piece["role"] is Role.USER and not piece.get("hidden") else ""
                if text and not text.startswith("<"):
                    return " ".join(text.splitlines()[0].split())[:_TITLE]
        return None

    def _read(self, unit: _Unit) -> list[Fields]:
        record = unit.first
        kind = record.get("type")
        role = {"user": Role.USER, "assistant": Role.ASSISTANT}.get(kind if isinstance(kind, str) else "", Role.SYSTEM)
        pieces = anthropic.messages_of(role, unit.content(), Format.CLAUDE_CODE.value)
        for piece in pieces:
            if piece["role"] is Role.TOOL and not piece.get("name") and self._tools.get(piece.get("tool_call_id", "")):
                piece["name"] = self._tools[piece["tool_call_id"]]
        about = known({name: record.get(name) for name in _ABOUT})
        if about:
            pieces[0]["metadata"] = {**pieces[0].get("metadata", {}), **about}
        if role is Role.SYSTEM or _is_hidden(record, pieces[0]["content"]):
            for piece in pieces:
                piece["hidden"] = piece["role"] is not Role.TOOL
        if kind == "assistant":
            if stop := next((line.record["message"].get("stop_reason") for line in reversed(unit.lines)), None):
                pieces[0]["metadata"] = {**pieces[0].get("metadata", {}), "stop_reason": stop}
            pieces[0] |= {"model_id": _model(unit), **unit.usage()}
            if record.get("isApiErrorMessage") is True:
                pieces[0]["outcome"] = Outcome.ERROR
        return pieces


# Characters of a title.
_TITLE = 80


def _is_hidden(record: dict[str, Any], text: str) -> bool:
    """Whether Claude Code wrote what stands there as the message of a person."""
    if any(record.get(name) is True for name in ("isMeta", "isCompactSummary", "isVisibleInTranscriptOnly")):
        return True
    return record.get("type") == "user" and text.startswith(_NOT_TYPED)


def _model(unit: _Unit) -> str | None:
    message = unit.first.get("message")
    model = as_identifier(message.get("model")) if isinstance(message, dict) else None
    return None if model == _NO_MODEL else model


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
