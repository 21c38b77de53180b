"""Message histories of PydanticAI. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, MissingExtra, SessionClosed, SessionExists
from chatledger.interop.pydantic_ai import load, save


def test_without_pydantic_ai_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, migrated_sqlite_url: str) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_ai", None)
    with Ledger(migrated_sqlite_url) as ledger:
        for refused in (lambda: load(ledger, "s"), lambda: save(ledger, "s", [])):
            with pytest.raises(MissingExtra, match=r"chatledger\[pydantic-ai\]"):
                refused()


@pytest.fixture
def agent() -> Any:
    pytest.importorskip("pydantic_ai")
    from pydantic_ai import Agent  # noqa: PLC0415
    from pydantic_ai.models.test import TestModel  # noqa: PLC0415

    agent = Agent(TestModel(), instructions="Be brief.", system_prompt="You are a guide.")

    @agent.tool_plain
    def weather(city: str) -> str:
        return f"21 °C in {city}"

    return agent


def test_a_conversation_goes_on_where_it_was(agent: Any, ledger: Ledger) -> None:
    first = asyncio.run(agent.run("How warm is Lisbon?"))
    save(ledger, "s", first.new_messages(), user_id="ada")
    assert first.all_messages() == load(ledger, "s")
    second = asyncio.run(agent.run("And Porto?", message_history=load(ledger, "s")))
    save(ledger, "s", second.new_messages())
    assert second.all_messages() == load(ledger, "s", user_id="ada")
    with ledger.read() as uow:
        messages = uow.messages.history("s")
        assert "ada" == uow.sessions.get("s").user_id
        assert ["system", "user", "assistant", "tool", "assistant"] == [one.role for one in messages[:5]]
        assert ("test", "weather") == (messages[2].model_id, messages[2].tool_calls[0].name)
        assert messages[2].input_tokens == first.new_messages()[1].usage.input_tokens
        assert uow.search.messages("porto").items


def test_an_async_ledger_is_awaited(agent: Any, url: str) -> None:
    async def use() -> None:
        async with AsyncLedger(url) as ledger:
            result = await agent.run("How warm is Lisbon?")
            stored = await save(ledger, "s", result.new_messages(), user_id="ada")
            assert [1, 2, 3, 4, 5] == [message.sequence_number for message in stored]
            assert result.all_messages() == await load(ledger, "s")
            assert [] == await load(ledger, "s", user_id="lin")

    asyncio.run(use())


def test_files_nul_and_lone_surrogates_come_back(agent: Any, ledger: Ledger) -> None:
    from pydantic_ai import messages as parts  # noqa: PLC0415

    picture = parts.BinaryContent(data=b"\x00\xff", media_type="image/png")
    given: list[Any] = [
        parts.ModelRequest(parts=[parts.UserPromptPart(["look", picture, parts.ImageUrl(url="https://e.org/x.png")])]),
        parts.ModelResponse(
            parts=[
                parts.ThinkingPart("hm \ud83d"), parts.TextPart("bell \x00"), parts.ToolCallPart("f", {"a": "\x00"}),
            ]
        ),
    ]  # fmt: skip
    save(ledger, "s", given)
    # The framework reads an image as `BinaryImage`, a subclass: what is compared is what it writes.
    write = parts.ModelMessagesTypeAdapter.dump_python
    assert write(given) == write(load(ledger, "s"))


def test_refusals(agent: Any, ledger: Ledger) -> None:
    messages = asyncio.run(agent.run("Hello")).new_messages()
    assert ([], []) == (load(ledger, "s"), save(ledger, "s", []))
    save(ledger, "s", messages, user_id="ada")
    with pytest.raises(SessionExists):
        save(ledger, "s", messages, user_id="lin")
    with pytest.raises(InvalidInput, match=r"messages\.1"):
        save(ledger, "s", [messages[0], {"role": "user"}])  # type: ignore[list-item, unused-ignore]
    ledger.run(lambda uow: uow.sessions.archive("s"))
    with pytest.raises(SessionClosed):
        save(ledger, "s", messages)
    assert messages == load(ledger, "s")
