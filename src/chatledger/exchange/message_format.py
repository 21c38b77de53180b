"""Chat messages as dicts, in the notations of others, to ours and back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.message import new_message
from chatledger.schemas.message_parts import IS_ERROR, REASONING, RESULT, SOURCE_FORMAT, TOOL_CALLS

# Keys that are columns of ours where their value fits.
_COLUMNS = ("name", "tool_call_id")
# In a message's metadata: keys that were not there, although a column has a value for them.
_ABSENT = "absent"
OWN = "own_fields"
"""In a message's metadata: names of our form that the notation's message has for something of its own."""
_OURS = (RESULT, IS_ERROR, REASONING)
_TEXT_PARTS = ("text", "value", "content")


@dataclass(frozen=True)
class Notation:
    """How others write a message: the keys of its speaker and its text, and their words for our roles.

    Speaker, text, `name` and `tool_call_id` become columns. The payload keeps every other key, and those of the four
    whose column does not say it all: a speaker's word that is not the first one for its role, a text that is null or a
    list of parts. So `write` gives back a dict equal to the one that `read` was given.
    """

    speaker: str
    text: str
    roles: Mapping[str, Role]

    def is_turn(self, item: Any) -> bool:
        """Whether something looks like a message in this notation."""
        return isinstance(item, dict) and isinstance(item.get(self.speaker), str)

    def read(self, item: Any, place: str, **columns: Any) -> NewMessage:
        """The message that a dict describes.

        Raises:
            InvalidInput: no dict, no speaker or an unknown one, or a value that no column can keep.
        """
        if not isinstance(item, dict):
            raise InvalidInput(place, "is not an object")
        rest = dict(item)
        word = rest.pop(self.speaker, None)
        role = self.roles.get(word) if isinstance(word, str) else None
        if role is None:
            raise InvalidInput(f"{place}.{self.speaker}", f"is not one of {', '.join(self.roles)}")
        if word != self._word(role):
            rest[self.speaker] = word
        content = rest.get(self.text)
        if isinstance(content, str):
            del rest[self.text]
        for name in _COLUMNS:
            if isinstance(rest.get(name), str) and 0 < len(rest[name]) <= MAX_IDENTIFIER:
                columns[name] = rest.pop(name)
        absent = [self.text] if self.text not in item else []
        if role is Role.TOOL and "tool_call_id" not in columns and (answered := _only_answered(rest)) is not None:
            columns["tool_call_id"] = answered
            absent.append("tool_call_id")
        marks = {_ABSENT: absent} if absent else {}
        if own := [name for name in _OURS if name in rest and not isinstance(rest[name], str)]:
            marks[OWN] = own
        if marks:
            columns["metadata"] = marks
        said = text_of(content)
        if not said and (said := _spoken(rest)) and isinstance(content, str):
            rest[self.text] = content
        try:
            return new_message({**columns, "role": role, "content": said, "payload": rest or None})
        except InvalidInput as error:
            raise InvalidInput(f"{place}.{error.field}", error.reason) from None

    def write(self, message: Message | NewMessage) -> dict[str, Any]:
        """The dict of a message. One that was not read in this notation keeps its payload, under its own keys, but not
        the fields of another format that it was read from.
        """
        payload = message.payload
        rest = dict(payload) if isinstance(payload, dict) else {} if payload is None else {"payload": payload}
        if SOURCE_FORMAT in rest:
            rest = {name: rest[name] for name in (TOOL_CALLS, REASONING) if name in rest}
        elif message.role is Role.TOOL:
            own = (message.metadata or {}).get(OWN, ())
            rest = {name: value for name, value in rest.items() if name not in (RESULT, IS_ERROR) or name in own}
        absent = (message.metadata or {}).get(_ABSENT, ())
        item: dict[str, Any] = {self.speaker: rest.pop(self.speaker, self._word(message.role))}
        if self.text in rest:
            item[self.text] = rest.pop(self.text)
        elif self.text not in absent:
            item[self.text] = message.content
        item |= {
            name: getattr(message, name)
            for name in _COLUMNS
            if getattr(message, name) is not None and name not in absent
        }
        return item | rest

    def _word(self, role: Role) -> str:
        return next(word for word, meant in self.roles.items() if meant is role)


def _only_answered(item: dict[str, Any]) -> str | None:
    """The call of a result that names it in a list, as SWE-agent does."""
    ids = item.get("tool_call_ids")
    only = ids[0] if isinstance(ids, list) and len(ids) == 1 else None
    return only if isinstance(only, str) and 0 < len(only) <= MAX_IDENTIFIER else None


def _spoken(item: dict[str, Any]) -> str:
    """The text of a message without content: a refusal, or what it says aloud."""
    audio = item.get("audio")
    said = item.get("refusal") or (audio.get("transcript") if isinstance(audio, dict) else None)
    return said if isinstance(said, str) else ""


def text_of(content: Any) -> str:
    """The text of a message's content: the content itself, or its text parts, each on a line of its own."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "\n".join(text for part in parts if (text := _part(part)) is not None)


def _part(part: Any) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") == "refusal":
        return part["refusal"] if isinstance(part.get("refusal"), str) else None
    # Parts of other types, such as an image's, keep their addresses out of the text.
    if not isinstance(part, dict) or "text" not in str(part.get("type", "text")):
        return None
    return next((part[key] for key in _TEXT_PARTS if isinstance(part.get(key), str)), None)
