"""Training sets: what fine-tuning takes, and nothing that would teach a model something wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from chatledger import Ledger, Role, tool_call
from chatledger.exchange import export_sessions, import_file


def exported(ledger: Ledger, form: str, **choice: Any) -> list[Any]:
    out = io.StringIO()
    export_sessions(ledger, out, format=form, **choice)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def fill(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("trip", system_prompt="Be short.")
        uow.messages.append("trip", "user", "Where to, Zoë?", metadata={"n": 1})
        uow.messages.append(
            "trip", "assistant", payload={"tool_calls": [tool_call("fares", {"to": "LIS"}, id="c1")]}, cost="0.1"
        )
        uow.messages.append("trip", "tool", "90 euros", tool_call_id="c1", name="fares")
        uow.messages.append("trip", "assistant", "Lis", outcome="interrupted")
        uow.messages.append(
            "trip", "assistant", "Lisbon.", payload={"reasoning": [{"text": "cheap"}]}, outcome="complete"
        )
        uow.messages.append("trip", "assistant", payload={"tool_calls": [tool_call("book", {}, id="c2")]})
        uow.messages.append("trip", "tool", "nobody asked", tool_call_id="c9")
        uow.sessions.create("parts")
        uow.messages.append(
            "parts",
            "user",
            [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": "data:,x"}}],
        )
        uow.messages.append("parts", "assistant", "A cat.")
        uow.sessions.create("question only")
        uow.messages.append("question only", "user", "Anybody?")
        uow.sessions.create("empty", system_prompt="Be there.")
        uow.sessions.create("with its own")
        for role, content in (("developer", "Be long."), ("user", "Hi"), ("assistant", "Hello!")):
            uow.messages.append("with its own", Role(role), content)


CALL = {"id": "c1", "type": "function", "function": {"name": "fares", "arguments": '{"to":"LIS"}'}}


def test_openai_takes_finished_turns_with_calls_and_parts(ledger: Ledger) -> None:
    fill(ledger)
    assert [
        {
            "messages": [
                {"role": "system", "content": "Be short."},
                {"role": "user", "content": "Where to, Zoë?"},
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "content": "90 euros", "name": "fares", "tool_call_id": "c1"},
                {"role": "assistant", "content": "Lisbon."},
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is it?"},
                        {"type": "image_url", "image_url": {"url": "data:,x"}},
                    ],
                },
                {"role": "assistant", "content": "A cat."},
            ]
        },
    ] == exported(ledger, "openai", session_ids=["trip", "parts", "question only", "empty"])


def test_sharegpt_says_calls_as_turns(ledger: Ledger) -> None:
    fill(ledger)
    assert [
        {
            "id": "trip",
            "conversations": [
                {"from": "system", "value": "Be short."},
                {"from": "human", "value": "Where to, Zoë?"},
                {"from": "function_call", "value": '{"name":"fares","arguments":{"to":"LIS"}}'},
                {"from": "observation", "value": "90 euros"},
                {"from": "gpt", "value": "Lisbon."},
            ],
        },
        {
            "id": "with its own",
            "conversations": [
                {"from": "developer", "value": "Be long."},
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Hello!"},
            ],
        },
    ] == exported(ledger, "sharegpt", session_ids=["trip", "with its own", "empty"])


def test_both_are_read_again_and_written_the_same(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    for form in ("openai", "sharegpt"):
        before = exported(ledger, form, session_ids=["trip", "with its own"])
        path = tmp_path / f"{form}.jsonl"
        path.write_text("\n".join(map(json.dumps, before)))
        report = import_file(ledger, path, format=form, on_conflict="new")
        assert (2, 0, 0) == (report.conversations, report.failed, report.warned)
        after = exported(ledger, form, session_ids=report.session_ids)
        turns = "messages" if form == "openai" else "conversations"
        assert [one[turns] for one in before] == [one[turns] for one in after]
