"""The session store of the Claude Agent SDK. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, MissingExtra, SessionClosed, SessionExists, SessionHeld
from chatledger.interop.claude_agent_sdk import ChatledgerSessionStore
from tests.interop.test_claude_entries import TURN

KEY: Any = {"project_key": "-home-ada", "session_id": "0198"}
HELPER: Any = {**KEY, "subpath": "subagents/agent-1"}
ENTRIES: Any = TURN


def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "claude_agent_sdk", None)
    with pytest.raises(MissingExtra, match=r"chatledger\[claude-agent-sdk\]"):
        ChatledgerSessionStore("sqlite:///never.db")


@pytest.fixture
def sdk() -> Any:
    return pytest.importorskip("claude_agent_sdk")


def test_the_conformance_suite_of_the_sdk_passes(sdk: Any, ledger: Ledger) -> None:
    from claude_agent_sdk.testing import run_session_store_conformance  # noqa: PLC0415 - the framework's

    made = 0

    def store() -> Any:
        nonlocal made
        made += 1  # one for each contract: a user of its own sees nothing of the others
        for session in ledger.view(lambda uow: list(uow.sessions.iterate())):
            ledger.run(lambda uow, id_=session.session_id: uow.sessions.delete(id_))  # type: ignore[misc] # bound now
        return ChatledgerSessionStore(ledger, user_id="ada")

    asyncio.run(run_session_store_conformance(store))
    assert made >= 14


@pytest.mark.parametrize("kind", ["AsyncLedger", "URL"])
def test_a_transcript_is_kept_with_those_of_its_subagents(sdk: Any, url: str, kind: str) -> None:
    async def use() -> None:
        given: Any = url if kind == "URL" else AsyncLedger(url)
        store = ChatledgerSessionStore(given, user_id="ada")
        assert (None, [], []) == (await store.load(KEY), await store.list_subkeys(KEY), await store.list_sessions("x"))
        await store.append(KEY, [])
        await store.append(KEY, ENTRIES[:3])
        await store.append(KEY, [*ENTRIES[2:], {"type": "custom-title", "customTitle": "Weather"}])
        await store.append(HELPER, ENTRIES[:2])
        assert [*ENTRIES, {"type": "custom-title", "customTitle": "Weather"}] == await store.load(KEY)
        assert ENTRIES[:2] == await store.load(HELPER)
        assert ["subagents/agent-1"] == await store.list_subkeys(KEY)
        (listed,) = await store.list_sessions(KEY["project_key"])
        (summary,) = await store.list_session_summaries(KEY["project_key"])
        assert (listed["mtime"], "Weather") == (summary["mtime"], summary["data"]["custom_title"])
        (shown,) = await sdk.list_sessions_from_store(store, directory="/home/ada")
        assert ("0198", "Weather") == (shown.session_id, shown.custom_title)
        await store.close()
        if isinstance(given, AsyncLedger):
            await given.close()

    asyncio.run(use())
    with Ledger(url) as ledger, ledger.read() as uow:
        session = uow.sessions.get("-home-ada/0198")
        assert 1 == uow.sessions.count(parent="-home-ada/0198")
        assert ("ada", "-home-ada", "Weather") == (session.user_id, session.metadata["claude_project"], session.title)
        assert uow.search.messages("warm Lisbon").items


def test_names_of_any_kind_are_sessions_of_their_own(sdk: Any, ledger: Ledger) -> None:
    long = "p" * 400
    keys: list[Any] = [
        {"project_key": project, "session_id": transcript, **sub}
        for project, transcript in (("a/b", "c"), ("a", "b/c"), (long, "c"), (long + "x", "c"), ("\x00\ud83d é", "~2"))
        for sub in ({}, {"subpath": "\x00"}, {"subpath": "s" * 300})
    ]

    async def use() -> None:
        store = ChatledgerSessionStore(ledger)
        for number, key in enumerate(keys):
            await store.append(key, [{"type": "x", "n": number}])
        for number, key in enumerate(keys):
            assert [{"type": "x", "n": number}] == await store.load(key)
            assert [key["session_id"]] == [one["session_id"] for one in await store.list_sessions(key["project_key"])]
            assert ["\x00", "s" * 300] == await store.list_subkeys(key)
        for key in keys[::3]:
            await store.delete(key)
        assert [None] * len(keys) == [await store.load(key) for key in keys]

    asyncio.run(use())


def test_a_session_of_another_user_is_refused(sdk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        await ChatledgerSessionStore(ledger, user_id="ada").append(KEY, ENTRIES)
        other = ChatledgerSessionStore(ledger, user_id="lin")
        assert (None, []) == (await other.load(KEY), await other.list_sessions(KEY["project_key"]))
        await other.delete(KEY)
        with pytest.raises(SessionExists):
            await other.append(KEY, ENTRIES)

    asyncio.run(use())
    assert 11 == ledger.view(lambda uow: uow.sessions.get("-home-ada/0198")).message_count


def test_a_closed_session_raises_reopens_or_forks(sdk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        await ChatledgerSessionStore(ledger).append(KEY, ENTRIES[:2])
        ledger.run(lambda uow: uow.sessions.archive("-home-ada/0198"))
        with pytest.raises(SessionClosed):
            await ChatledgerSessionStore(ledger).append(KEY, ENTRIES[2:3])
        forking = ChatledgerSessionStore(ledger, on_closed="fork")
        await forking.append(KEY, ENTRIES[2:3])
        assert ENTRIES[:3] == await forking.load(KEY)
        assert ENTRIES[:2] == await ChatledgerSessionStore(ledger).load(KEY)
        assert ["0198"] == [one["session_id"] for one in await forking.list_sessions(KEY["project_key"])]
        await ChatledgerSessionStore(ledger, on_closed="reopen").append(KEY, ENTRIES[3:4])
        assert [*ENTRIES[:2], ENTRIES[3]] == await ChatledgerSessionStore(ledger).load(KEY)
        ledger.run(lambda uow: uow.sessions.fork("-home-ada/0198", new_session_id="mine"))
        await forking.delete(KEY)
        assert None is await forking.load(KEY)

    asyncio.run(use())
    assert ["mine"] == [session.session_id for session in ledger.view(lambda uow: list(uow.sessions.iterate()))]


def test_a_transcript_on_hold_is_not_deleted(sdk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        store = ChatledgerSessionStore(ledger)
        await store.append(KEY, ENTRIES[:1])
        await store.append(HELPER, ENTRIES[:1])
        ledger.run(lambda uow: uow.sessions.hold("-home-ada/0198/subagents%2Fagent-1", reason="a lawsuit"))
        with pytest.raises(SessionHeld):
            await store.delete(KEY)
        assert ENTRIES[:1] == await store.load(KEY) == await store.load(HELPER)

    asyncio.run(use())


@pytest.mark.parametrize(
    ("key", "field"),
    [
        (None, "key"),
        ({"session_id": "s"}, "key.project_key"),
        ({"project_key": "p", "session_id": 7}, "key.session_id"),
        ({"project_key": "p", "session_id": "s", "subpath": ""}, "key.subpath"),
    ],
)
def test_a_key_that_is_not_valid_is_refused(sdk: Any, key: Any, field: str) -> None:
    store = ChatledgerSessionStore("sqlite:///:memory:")
    with pytest.raises(InvalidInput) as refused:
        asyncio.run(store.load(key))
    assert field == refused.value.field
    asyncio.run(store.close())
