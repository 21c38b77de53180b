"""ChatGPT's export (`conversations.json`): nodes that know their parent, some of them with a message.

The path to `current_node` is the conversation as it was last seen. Hidden and empty messages are messages as well: what
the model was shown belongs to what it answered.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.exchange.readers.apps.chatgpt_content import is_hidden, text_and_payload
from chatledger.exchange.readers.branching import Branching, as_identifier, earliest, known, message_at
from chatledger.exchange.readers.times import certain_time
from chatledger.exchange.readers.trees import Tree
from chatledger.schemas import NewMessage
from chatledger.schemas.message_parts import tool_call

_ROLES = {role.value: role for role in Role} | {"function": Role.TOOL}
# Messages of a tool behind one call that are looked back over.
_ANSWERS = 20
# Nodes that are looked at to tell the format.
_TRIED = 20


def holds(value: Any) -> bool:
    """Whether a record is a conversation of an export."""
    if not isinstance(value, dict) or not isinstance(value.get("mapping"), dict):
        return False
    nodes = [node for _, node in zip(range(_TRIED), value["mapping"].values(), strict=False)]
    return "current_node" in value or any(
        isinstance(node, dict) and {"message", "parent"} <= node.keys() for node in nodes
    )


def branching(record: Any) -> Branching:
    """The session and the forks that a conversation becomes.

    Raises:
        InvalidInput: it has no mapping of nodes, or they form a cycle.
    """
    mapping = record.get("mapping") if isinstance(record, dict) else None
    if not isinstance(mapping, dict):
        raise InvalidInput("record", "has no 'mapping' of nodes")
    nodes = _Nodes(mapping)
    current = record.get("current_node")
    end = nodes.places.get(current) if isinstance(current, str) else None
    if end is None or not nodes.tree.depth(end):
        # The newest answers stand last.
        end = nodes.tree.end(last=True)
    began = certain_time(record.get("create_time")) or earliest(nodes.times)
    times = nodes.tree.inherited(nodes.times, began)
    fields = {
        "session_id": as_identifier(record.get("conversation_id")) or as_identifier(record.get("id")),
        "title": record["title"] if isinstance(record.get("title"), str) and record["title"] else None,
        "model_id": _model(record, nodes, end),
        "created_at": began,
    }
    metadata = known(record, "mapping", *(["title"] if fields["title"] else []))
    silent = {name: nodes.rest(place) for place, name in enumerate(nodes.names) if nodes.messages[place] is None}
    if silent:
        metadata["mapping"] = silent
    return Branching(
        tree=nodes.tree,
        end=end,
        fields={**fields, "metadata": metadata},
        read=lambda place: _message(nodes, place, times[place]),
        name=nodes.names.__getitem__,
    )


class _Nodes:
    """The nodes of a conversation, by their place in it.

    A node's own `parent` is believed. When it has none, or one that is not there, the node that lists it as a child is
    its parent; when there is none either, it stands at the beginning.
    """

    def __init__(self, mapping: dict[str, Any]) -> None:
        self.names = list(mapping)
        self.places = {name: place for place, name in enumerate(self.names)}
        self._nodes: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any] | None] = []
        for place, node in enumerate(mapping.values()):
            if not isinstance(node, dict):
                raise InvalidInput(f"mapping[{place}]", "is not an object")
            message = node.get("message")
            if not isinstance(message, dict | None):
                raise InvalidInput(f"mapping[{place}].message", "is not an object")
            self._nodes.append(node)
            self.messages.append(message)
        self.times = [certain_time(message.get("create_time")) if message else None for message in self.messages]
        self.parents = self._parents()
        self._children_agree = [self._agree(place) for place in range(len(self.names))]
        self.tree = Tree(self.parents, [message is not None for message in self.messages], self._ranks(), "mapping")

    def rest(self, place: int) -> dict[str, Any]:
        """What a node says beside its message, its id, and children who say the same."""
        node = self._nodes[place]
        without = ["message"]
        if node.get("id") == self.names[place]:
            without.append("id")
        if self._children_agree[place]:
            without.append("children")
        return known(node, *without)

    def _parents(self) -> list[int | None]:
        listed: dict[int, int] = {}
        for place, node in enumerate(self._nodes):
            for name in _children(node):
                if (child := self._place(name)) is not None:
                    listed.setdefault(child, place)
        found: list[int | None] = []
        for place, node in enumerate(self._nodes):
            own = self._place(node.get("parent"))
            at_the_beginning = own is None and "parent" in node and node["parent"] is None
            found.append(own if own is not None or at_the_beginning else listed.get(place))
        return found

    def _agree(self, place: int) -> bool:
        """Whether a node lists as children none but nodes whose parent it is."""
        node = self._nodes[place]
        found = [self._place(name) for name in _children(node)]
        return isinstance(node.get("children"), list) and all(
            child is not None and self.parents[child] == place for child in found
        )

    def _ranks(self) -> list[tuple[int, int]]:
        """Siblings as their parent lists them, then those that it does not list."""
        ranks = [(len(self.names), place) for place in range(len(self.names))]
        for place, node in enumerate(self._nodes):
            for rank, name in enumerate(_children(node)):
                child = self._place(name)
                if child is not None and self.parents[child] == place:
                    ranks[child] = (rank, child)
        return ranks

    def _place(self, name: Any) -> int | None:
        return self.places.get(name) if isinstance(name, str) else None


def _children(node: dict[str, Any]) -> list[Any]:
    children = node.get("children")
    return children if isinstance(children, list) else []


def _message(nodes: _Nodes, place: int, time: datetime | None) -> NewMessage:
    message = nodes.messages[place] or {}
    name = nodes.names[place]
    where = f"mapping[{place}].message"
    author = message.get("author")
    word = author.get("role") if isinstance(author, dict) else None
    role = _ROLES.get(word) if isinstance(word, str) else None
    if role is None or not isinstance(author, dict):
        raise InvalidInput(f"{where}.author.role", f"is not one of {', '.join(_ROLES)}")
    speaker, key = as_identifier(author.get("name")), as_identifier(name)
    call = _call(nodes, place)
    text, payload = text_and_payload(message.get("content", ""), () if call is None else (call,))
    given = message.get("metadata")
    columns = {
        "role": role,
        "content": text,
        "payload": payload,
        "name": speaker,
        "tool_call_id": _answered(nodes, place) if role is Role.TOOL else None,
        "hidden": is_hidden(message, role.value),
        "model_id": as_identifier(given.get("model_slug")) if isinstance(given, dict) else None,
        # A node's id is its own in the conversation, and says on the next import that the message is there.
        "key": key,
        "created_at": time,
    }
    said = [*(["role"] if word == role.value else []), *(["name"] if speaker else [])]
    metadata = {
        # How long an answer took is repeated at each of its messages: it would be counted several times.
        **known(message, "author", "content", "create_time", *(["id"] if message.get("id") == key else [])),
        "author": _filled(known(author, *said)),
        "node": nodes.rest(place) | ({} if key else {"id": name}),
    }
    metadata = _filled(metadata)
    if nodes.times[place] is None:  # what stands in the column is the time of the message before
        metadata["create_time"] = message.get("create_time")
    return message_at(where, {**columns, "metadata": metadata})


def _model(record: dict[str, Any], nodes: _Nodes, end: int | None) -> str | None:
    """The model that answered last. The default of the conversation may be no model, such as `auto`."""
    for place in reversed(nodes.tree.path(end)) if end is not None else ():
        metadata = (nodes.messages[place] or {}).get("metadata")
        if isinstance(metadata, dict) and (model := as_identifier(metadata.get("model_slug"))):
            return model
    return as_identifier(record.get("default_model_slug"))


def _call(nodes: _Nodes, place: int) -> dict[str, Any] | None:
    """The call that an assistant's message to a tool is. Its id is that of the node."""
    message = nodes.messages[place] or {}
    recipient, author, content = message.get("recipient"), message.get("author"), message.get("content")
    if not isinstance(recipient, str) or recipient in ("", "all"):
        return None
    if not isinstance(author, dict) or author.get("role") != "assistant":
        return None
    return tool_call(recipient, text_and_payload(content)[0], id=nodes.names[place])


def _answered(nodes: _Nodes, place: int) -> str | None:
    """The call that a tool's message answers: the message above it, or above other messages of the tool."""
    above = nodes.parents[place]
    for _ in range(_ANSWERS):
        if above is None:
            return None
        if _call(nodes, above) is not None:
            return as_identifier(nodes.names[above])
        author = (nodes.messages[above] or {}).get("author")
        if not isinstance(author, dict) or author.get("role") != "tool":
            return None
        above = nodes.parents[above]
    return None


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value != {}}
