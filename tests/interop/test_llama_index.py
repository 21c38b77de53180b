"""The chat store of LlamaIndex. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, MissingExtra, SessionClosed, SessionExists
from tests.interop.test_llama_index_messages import CALLING, RESULT


def test_without_the_framework_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_index", None)
    monkeypatch.setitem(sys.modules, "llama_index.core.base.llms.types", None)
    monkeypatch.delitem(sys.modules, "chatledger.interop.llama_index", raising=False)
    with pytest.raises(MissingExtra, match=r"chatledger\[llama-index\]"):
        __import__("chatledger.interop.llama_index")


@pytest.fixture
def types() -> Any:
    return pytest.importorskip("llama_index.core.base.llms.types")


@pytest.fixture
def store_of(types: Any) -> Any:
    from chatledger.interop.llama_index import ChatledgerChatStore  # noqa: PLC0415 - needs the framework

    return ChatledgerChatStore


def texts(messages: Any) -> list[str]:
    return [message.content for message in messages]


@pytest.mark.parametrize("kind", ["AsyncLedger", "Ledger", "URL"])
def test_messages_are_added_read_and_replaced(types: Any, store_of: Any, url: str, kind: str) -> None:
    messages = [types.ChatMessage("Hello"), *map(types.ChatMessage.model_validate, (CALLING, RESULT))]

    async def use() -> None:
        given: Any = url if kind == "URL" else {"AsyncLedger": AsyncLedger, "Ledger": Ledger}[kind](url)
        store = store_of(given, user_id="ada")
        assert ([], 0, []) == (await store.get_messages("s"), await store.count_messages("s"), await store.get_keys())
        await store.add_messages("s", [])
        await store.add_message("s", messages[0])
        await store.add_messages("s", messages[1:])
        assert messages == await store.get_messages("s")
        assert messages[1:2] == await store.get_messages("s", limit=1, offset=1)
        assert (3, ["s"]) == (await store.count_messages("s"), await store.get_keys())
        await store.set_messages("s", messages[::-1])
        assert messages[::-1] == await store.get_messages("s")
        await store.delete_messages("s")
        assert ([], []) == (await store.get_messages("s"), await store.get_keys())
        await store.close()
        if isinstance(given, AsyncLedger):
            await given.close()
        elif isinstance(given, Ledger):
            given.close()

    asyncio.run(use())
    with Ledger(url) as ledger, ledger.read() as uow:
        assert "ada" == uow.sessions.get("s").user_id


def test_what_is_archived_stays_in_the_session(types: Any, store_of: Any, ledger: Ledger) -> None:
    active, archived = ("active", "archived")

    async def use() -> None:
        from llama_index.core.storage.chat_store.base_db import MessageStatus  # noqa: PLC0415 - the framework's

        store = store_of(ledger)
        await store.add_messages("s", [types.ChatMessage(text) for text in "abcd"])
        assert ["a", "b"] == texts(await store.archive_oldest_messages("s", 2))
        await store.add_message("s", types.ChatMessage("e"), MessageStatus(archived))
        assert ["c", "d"] == texts(await store.get_messages("s"))
        assert ["a", "b", "e"] == texts(await store.get_messages("s", MessageStatus(archived)))
        assert list("abcde") == texts(await store.get_messages("s", None))
        assert (2, 3, 5) == tuple(
            [
                await store.count_messages("s", status)
                for status in (MessageStatus(active), MessageStatus(archived), None)
            ]
        )
        assert ["c"] == texts(await store.delete_oldest_messages("s", 1))
        assert "b" == (await store.delete_message("s", 2)).content
        assert None is await store.delete_message("s", 2)
        assert list("ade") == texts(await store.get_messages("s", None))
        await store.delete_messages("s", MessageStatus(archived))
        assert ["d"] == texts(await store.get_messages("s", None))
        assert ["d"] == texts(await store.archive_oldest_messages("s", 9))
        assert [] == await store.archive_oldest_messages("s", 9)
        await store.set_messages("s", [types.ChatMessage("f")])
        assert ["f"] == texts(await store.get_messages("s"))
        for missing in (store.delete_oldest_messages, store.archive_oldest_messages, store.delete_message):
            assert not await missing("no", 1)
        await store.delete_messages("no")

    asyncio.run(use())
    assert not ledger.check().findings


def test_a_memory_keeps_its_conversation(types: Any, store_of: Any, ledger: Ledger) -> None:
    from llama_index.core.memory import Memory  # noqa: PLC0415 - the framework's

    async def use() -> list[str]:
        for text in ("one two three four five", "six seven eight nine ten", "eleven twelve"):
            memory = Memory.from_defaults(
                session_id="trip", chat_store=store_of(ledger), token_limit=20, token_flush_size=5,
                tokenizer_fn=str.split, chat_history_token_ratio=0.5,
            )  # fmt: skip
            await memory.aput(types.ChatMessage(text, role="user"))
            await memory.aput(types.ChatMessage("well", role="assistant"))
        return texts(await memory.aget())

    assert ["eleven twelve", "well"] == asyncio.run(use())[-2:]
    stored = ledger.view(lambda uow: uow.messages.history("trip"))
    assert 6 == len(stored)
    assert ledger.view(lambda uow: uow.sessions.get("trip")).metadata["llama_index_archived"] >= 2


def test_keys_of_any_kind_are_sessions_of_their_own(types: Any, store_of: Any, ledger: Ledger) -> None:
    keys = ["a/b", "k" * 400, "k" * 401, "\x00\ud83d", "ü"]

    async def use() -> list[str]:
        store = store_of(ledger)
        for key in keys:
            await store.add_message(key, types.ChatMessage(f"{len(key)}"))
        assert [[f"{len(key)}"] for key in keys] == [texts(await store.get_messages(key)) for key in keys]
        found: list[str] = await store.get_keys()
        return found

    assert sorted(keys) == asyncio.run(use())


@pytest.mark.parametrize("on_closed", ["raise", "reopen", "fork"])
def test_a_closed_session_goes_on_as_asked(types: Any, store_of: Any, ledger: Ledger, on_closed: Any) -> None:
    async def use() -> list[str]:
        store = store_of(ledger, on_closed=on_closed)
        await store.add_messages("s", [types.ChatMessage("one"), types.ChatMessage("two")])
        ledger.run(lambda uow: uow.sessions.archive("s"))
        await store.archive_oldest_messages("s", 1)
        await store.add_message("s", types.ChatMessage("three"))
        assert ["s"] == await store.get_keys()
        return texts(await store.get_messages("s"))

    if on_closed == "raise":
        with pytest.raises(SessionClosed):
            asyncio.run(use())
        return
    assert ["two", "three"] == asyncio.run(use())


def test_what_is_not_valid_is_refused(types: Any, store_of: Any, ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="on_closed"):
        store_of(ledger, on_closed="no")

    async def use() -> None:
        store = store_of(ledger, user_id="ada")
        with pytest.raises(InvalidInput, match="key"):
            await store.get_messages("")
        with pytest.raises(InvalidInput, match=r"messages\.0"):
            await store.add_messages("s", ["text"])
        with pytest.raises(InvalidInput, match=r"messages\.0"):
            await store.add_message("s", types.ChatMessage("x", additional_kwargs={"object": object()}))
        assert [] == await store.get_keys()
        await store.add_message("s", types.ChatMessage("x"))
        with pytest.raises(SessionExists):
            await store_of(ledger, user_id="lin").add_message("s", types.ChatMessage("x"))
        assert [] == await store_of(ledger, user_id="lin").get_messages("s")

    asyncio.run(use())
