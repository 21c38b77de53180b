"""State of frameworks as entries of ours, whatever their keys and values are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from chatledger.adoption.source.message_content import name_in
from chatledger.interop.escaping import escape, json_text, unescape
from chatledger.schemas.fields import MAX_IDENTIFIER

#: In front of the hash of a key that is no key of ours; its value is the JSON text of the key and the value.
_HASHED = "hashed:"


def state_keys(state: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """State as entries of ours: what a key or a value of ours cannot be is escaped."""
    entries = {}
    for key, value in state.items():
        name = f"{prefix}{key}"
        if key.startswith(_HASHED) or len(name) > MAX_IDENTIFIER or name_in(name) is None:
            digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
            entries[f"{prefix}{_HASHED}{digest}"] = json_text([key, value], "state")
        else:
            entries[name] = escape(value, "state")
    return entries


def read_state(entries: Iterable[tuple[str, Any]], prefix: str = "") -> dict[str, Any]:
    """The state of such entries; those without the prefix are left out."""
    state = {}
    for name, stored in entries:
        if not name.startswith(prefix):
            continue
        key, value = name.removeprefix(prefix), unescape(stored)
        if key.startswith(_HASHED) and isinstance(value, str):
            key, value = json.loads(value)
        state[key] = value
    return state
