"""The history provider of the Microsoft Agent Framework. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, MissingExtra, SessionClosed, SessionExists
from tests.interop.test_agent_framework_messages import RUN


def test_without_the_framework_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agent_framework", None)
    monkeypatch.delitem(sys.modules, "chatledger.interop.agent_framework", raising=False)
    with pytest.raises(MissingExtra, match=r"chatledger\[agent-framework\]"):
        __import__("chatledger.interop.agent_framework")


@pytest.fixture
def maf() -> Any:
    return pytest.importorskip("agent_framework")


@pytest.fixture
def provider_of(maf: Any) -> Any:
    from chatledger.interop.agent_framework import ChatledgerHistoryProvider  # noqa: PLC0415 - needs the framework

    return ChatledgerHistoryProvider


@pytest.mark.parametrize("kind", ["AsyncLedger", "Ledger", "URL"])
def test_messages_are_saved_and_come_back(maf: Any, provider_of: Any, url: str, kind: str) -> None:
    messages = [maf.Message.from_dict(dumped) for dumped in RUN[:4]]

    async def use() -> None:
        given: Any = url if kind == "URL" else {"AsyncLedger": AsyncLedger, "Ledger": Ledger}[kind](url)
        provider = provider_of(given, user_id="ada")
        assert [] == await provider.get_messages("s")
        await provider.save_messages("s", [])
        await provider.save_messages("s", messages[:1])
        await provider.save_messages("s", messages[1:], state={})
        found = await provider.get_messages("s", state={})
        assert [one.to_dict() for one in messages] == [one.to_dict() for one in found]
        await provider.close()
        if isinstance(given, AsyncLedger):
            await given.close()
        elif isinstance(given, Ledger):
            given.close()

    asyncio.run(use())
    with Ledger(url) as ledger, ledger.read() as uow:
        assert "ada" == uow.sessions.get("s").user_id


def test_an_agent_goes_on_where_it_was(maf: Any, provider_of: Any, ledger: Ledger) -> None:
    seen: list[int] = []

    class Model(maf.BaseChatClient):  # type: ignore[misc, unused-ignore]
        def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **kwargs: Any) -> Any:
            seen.append(len(messages))

            async def answer() -> Any:
                return maf.ChatResponse(messages=[maf.Message("assistant", [f"answer {len(seen)}"])])

            return answer()

    async def use() -> None:
        for question in ("Where to?", "And in June?"):
            agent = maf.Agent(client=Model(), context_providers=[provider_of(ledger)])
            await agent.run(question, session=agent.create_session(session_id="trip"))

    asyncio.run(use())
    assert [1, 3] == seen
    stored = ledger.view(lambda uow: uow.messages.history("trip"))
    assert [("user", "Where to?"), ("assistant", "answer 1"), ("user", "And in June?"), ("assistant", "answer 2")] == [
        (one.role, one.content) for one in stored
    ]


@pytest.mark.parametrize("on_closed", ["raise", "reopen", "fork"])
def test_a_closed_session_goes_on_as_asked(maf: Any, provider_of: Any, ledger: Ledger, on_closed: Any) -> None:
    async def use() -> list[str]:
        provider = provider_of(ledger, on_closed=on_closed)
        await provider.save_messages("s", [maf.Message("user", ["one"])])
        ledger.run(lambda uow: uow.sessions.archive("s"))
        await provider.save_messages("s", [maf.Message("user", ["two"])])
        return [one.text for one in await provider.get_messages("s")]

    if on_closed == "raise":
        with pytest.raises(SessionClosed):
            asyncio.run(use())
        return
    assert ["one", "two"] == asyncio.run(use())
    status = ledger.view(lambda uow: uow.sessions.get("s").status)
    assert ("archived" if on_closed == "fork" else "active") == status


def test_what_is_not_valid_is_refused(maf: Any, provider_of: Any, ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="on_closed"):
        provider_of(ledger, on_closed="no")

    async def use() -> None:
        provider = provider_of(ledger, user_id="ada")
        message = maf.Message("user", ["one"])
        with pytest.raises(InvalidInput, match="session_id"):
            await provider.save_messages(None, [message])
        with pytest.raises(InvalidInput, match=r"messages\.1"):
            await provider.save_messages("s", [message, "two"])
        assert ([], []) == (await provider.get_messages(None), await provider.get_messages("s"))
        await provider.save_messages("s", [message])
        with pytest.raises(SessionExists):
            await provider_of(ledger, user_id="lin").save_messages("s", [message])

    asyncio.run(use())
