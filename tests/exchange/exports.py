"""Small exports of other programs, made for these tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

EPOCH = 1_700_000_000
"""Where nothing else is said."""


def node(
    name: str, parent: str | None, *, role: str = "user", text: str | None = None, **message: Any
) -> dict[str, Any]:
    """A node of a ChatGPT mapping, whose message says its own name unless told otherwise."""
    said = {
        "id": name,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": EPOCH,
        "content": {"content_type": "text", "parts": [name if text is None else text]},
        **message,
    }
    return {"id": name, "parent": parent, "children": [], "message": said}


def silent(name: str, parent: str | None = None) -> dict[str, Any]:
    return {"id": name, "parent": parent, "children": [], "message": None}


def chatgpt(*nodes: dict[str, Any], current: str | None = None, **record: Any) -> dict[str, Any]:
    """A conversation whose nodes list as children those that name them as parent."""
    mapping = {one["id"]: one for one in nodes}
    for one in nodes:
        if one["parent"] in mapping:
            mapping[one["parent"]]["children"].append(one["id"])
    return {"id": "c", "title": "Trip", "create_time": EPOCH, "current_node": current, "mapping": mapping, **record}


def claude(*messages: dict[str, Any], **record: Any) -> dict[str, Any]:
    return {
        "uuid": "c",
        "name": "Trip",
        "created_at": "2026-05-01T09:00:00Z",
        "chat_messages": list(messages),
        **record,
    }


def said(uuid: str, parent: str | None = None, *, sender: str = "human", **message: Any) -> dict[str, Any]:
    """A message of a Claude export, which says its own name unless told otherwise."""
    found = {
        "uuid": uuid,
        "sender": sender,
        "text": uuid,
        "content": [{"type": "text", "text": uuid}],
        "created_at": "2026-05-01T09:00:00Z",
        "attachments": [],
        "files": [],
        **message,
    }
    return found if parent is None else {**found, "parent_message_uuid": parent}


def oasst(prompt: dict[str, Any], **record: Any) -> dict[str, Any]:
    return {"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": prompt, **record}


def reply(name: str, *replies: dict[str, Any], role: str = "assistant", **message: Any) -> dict[str, Any]:
    return {"message_id": name, "text": name, "role": role, **message, "replies": list(replies)}


def document(path: Path, value: Any) -> Path:
    """A file with one JSON document."""
    path.write_text(json.dumps(value, indent=1), "utf-8")
    return path
