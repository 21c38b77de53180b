"""Small conversation files, and what is read of them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from chatledger import Ledger, Message
from chatledger.exchange import ExportFormat, export_sessions
from chatledger.transactions import Transactions

CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Weather in Reykjavík?", "name": "ada"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"q": 1e16}'}}],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        "model": "gpt-4o",
        "created": 1_700_000_000,
    },
    {"role": "tool", "content": '{"t": -2}', "tool_call_id": "c1", "name": "weather"},
    {"role": "assistant", "tool_calls": []},
    {"role": "function", "content": "1", "name": ""},
    {"role": "model", "content": [{"type": "text", "text": "Cold."}, {"type": "image_url", "image_url": {"url": "a"}}]},
    {"role": "developer", "content": "", "name": None, "extra": {"float": 1.0, "int": 1, "list": [None, True]}},
]
"""Everything that chat-completions messages hold beside text."""

SHAREGPT: list[dict[str, Any]] = [
    {"from": "human", "value": "发票"},
    {"from": "function_call", "value": '{"name": "invoice", "arguments": {"n": 1}}'},
    {"from": "observation", "value": '{"id": 7}'},
    {"from": "gpt", "value": "好的", "weight": 0.5},
    {"from": "user", "value": "Thanks"},
    {"from": "function_call", "value": "not JSON"},
    {"from": "function_call", "value": '{"name": "\\u0000", "arguments": NaN}'},
    {"from": "tool", "value": None},
]


def write(path: Path, *lines: Any) -> Path:
    """A file of JSON Lines; text is written as it is."""
    path.write_text("".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines), "utf-8")
    return path


def messages_of(ledger: Ledger, session_id: str) -> list[Message]:
    with ledger.read() as uow:
        return uow.messages.history(session_id)


def exported(ledger: Transactions, form: ExportFormat | str, **choice: Any) -> str:
    out = io.StringIO()
    export_sessions(ledger, out, format=form, **choice)
    return out.getvalue()
