"""The session of the OpenAI Agents SDK. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, LedgerClosed, MissingExtra, SessionClosed, SessionExists
from chatledger.interop.openai_agents import ChatledgerSession

USER = {"role": "user", "content": "Hello"}
ANSWER = {"role": "assistant", "content": "Good morning"}
ITEMS = [{"role": "user", "content": f"{number}"} for number in range(5)]


def test_without_the_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agents.memory", None)
    with pytest.raises(MissingExtra, match=r"chatledger\[openai-agents\]"):
        ChatledgerSession("s", "sqlite:///never.db")


def test_importing_chatledger_imports_no_adapter() -> None:
    code = "import sys, chatledger; print([name for name in sys.modules if name.startswith('chatledger.interop')])"
    assert "[]\n" == subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def agents() -> Any:
    return pytest.importorskip("agents")


@pytest.mark.parametrize("kind", ["AsyncLedger", "Ledger", "URL"])
def test_items_are_added_read_popped_and_cleared(agents: Any, url: str, kind: str) -> None:
    async def use() -> None:
        given: Any = url if kind == "URL" else {"AsyncLedger": AsyncLedger, "Ledger": Ledger}[kind](url)
        session = ChatledgerSession("s", given, user_id="ada")
        assert isinstance(session, agents.Session)
        assert ([], None) == (await session.get_items(), await session.pop_item())
        await session.clear_session()
        await session.add_items([])
        await session.add_items(ITEMS)
        assert ITEMS == await session.get_items()
        assert ITEMS[-2:] == await session.get_items(2)
        assert [] == await session.get_items(0)
        assert ITEMS[-1] == await session.pop_item()
        assert ITEMS[:-1] == await session.get_items()
        await session.clear_session()
        assert [] == await session.get_items()
        await session.close()
        with pytest.raises(LedgerClosed):
            await session.get_items()
        if isinstance(given, AsyncLedger):
            await given.close()
        elif isinstance(given, Ledger):
            given.close()

    asyncio.run(use())
    with Ledger(url) as ledger, ledger.read() as uow:
        assert "ada" == uow.sessions.get("s").user_id


def test_the_settings_of_the_session_limit_what_is_read(agents: Any, ledger: Ledger) -> None:
    async def use() -> None:
        session = ChatledgerSession("s", ledger, session_settings={"limit": 2})
        await session.add_items(ITEMS)
        assert ITEMS[-2:] == await session.get_items()
        assert ITEMS[-3:] == await session.get_items(3)

    asyncio.run(use())


def test_a_session_of_another_user_is_refused(agents: Any, ledger: Ledger) -> None:
    async def use() -> None:
        await ChatledgerSession("s", ledger, user_id="ada").add_items([USER])
        other = ChatledgerSession("s", ledger, user_id="lin")
        assert [] == await other.get_items()
        with pytest.raises(SessionExists):
            await other.add_items([USER])

    asyncio.run(use())


def test_a_closed_session_raises_reopens_or_forks(agents: Any, ledger: Ledger) -> None:
    def contents(session_id: str) -> list[str]:
        return ledger.view(lambda uow: [message.content for message in uow.messages.history(session_id)])

    async def use() -> None:
        await ChatledgerSession("s", ledger).add_items([USER])
        ledger.run(lambda uow: uow.sessions.archive("s"))
        for refused in (ChatledgerSession("s", ledger).add_items([ANSWER]), ChatledgerSession("s", ledger).pop_item()):
            with pytest.raises(SessionClosed):
                await refused
        assert [USER] == await ChatledgerSession("s", ledger).get_items()

        await ChatledgerSession("s", ledger, on_closed="fork").add_items([ANSWER])
        assert ([USER["content"]], ["Hello", "Good morning"]) == (contents("s"), contents("s~2"))
        again = ChatledgerSession("s", ledger, on_closed="fork")  # another process
        assert [USER, ANSWER] == await again.get_items()
        await again.add_items([USER])
        assert [USER, ANSWER, USER] == await again.get_items()
        ledger.run(lambda uow: uow.sessions.expire("s~2"))
        assert USER == await again.pop_item()
        assert ["Hello", "Good morning"] == contents("s~3")

        await ChatledgerSession("s", ledger, on_closed="reopen").add_items([ANSWER])
        assert ["Hello", "Good morning"] == contents("s")

    asyncio.run(use())


def test_a_session_that_only_has_the_name_of_a_fork_is_left_alone(agents: Any, ledger: Ledger) -> None:
    async def use() -> None:
        session = ChatledgerSession("s", ledger, on_closed="fork")
        await session.add_items([USER])
        await ChatledgerSession("s~2", ledger).add_items([ANSWER])
        ledger.run(lambda uow: uow.sessions.archive("s"))
        for refused in (session.add_items([USER]), session.get_items()):
            with pytest.raises(SessionExists):
                await refused
        assert [ANSWER] == await ChatledgerSession("s~2", ledger).get_items()

    asyncio.run(use())


def test_sessions_of_one_url_share_a_ledger_until_the_last_is_closed(agents: Any, migrated_sqlite_url: str) -> None:
    async def use() -> None:
        first, second = (ChatledgerSession(name, migrated_sqlite_url) for name in ("a", "b"))
        await first.add_items([USER])
        shared = AsyncLedger.shared(migrated_sqlite_url)
        await shared.close()
        await first.close()
        await first.close()
        await second.add_items([USER])
        assert [USER] == await second.get_items()
        assert await shared.current()
        await second.close()
        with pytest.raises(LedgerClosed):
            await shared.current()

    asyncio.run(use())


def test_each_session_in_memory_has_its_own_database(agents: Any) -> None:
    async def use() -> None:
        first, second = (ChatledgerSession("s", "sqlite:///:memory:") for _ in range(2))
        await first.add_items([USER])
        assert ([USER], []) == (await first.get_items(), await second.get_items())
        await first.close()
        await second.close()

    asyncio.run(use())


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"on_closed": "ignore"}, "on_closed"),
        ({"ledger_or_url": None}, "ledger"),
        ({"session_id": 7}, "session_id"),
    ],
)
def test_an_argument_that_is_not_valid_is_refused(agents: Any, arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        ChatledgerSession(**{"session_id": "s", "ledger_or_url": "sqlite:///:memory:", **arguments})
    assert field == refused.value.field


def test_the_runner_goes_on_where_it_was(agents: Any, ledger: Ledger) -> None:
    from agents import Agent, Model, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled  # noqa: PLC0415
    from openai.types.responses import (  # noqa: PLC0415
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )

    set_tracing_disabled(True)
    call = ResponseFunctionToolCall(
        type="function_call", call_id="c1", name="weather", arguments='{"city": "Lisbon"}', id="f1"
    )

    def says(text: str) -> Any:
        part = ResponseOutputText(type="output_text", text=text, annotations=[])
        return ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[part])

    class Scripted(Model):
        def __init__(self, *outputs: Any) -> None:
            self.outputs = list(outputs)
            self.inputs: list[Any] = []

        async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> Any:
            self.inputs.append(input)
            return ModelResponse(output=[self.outputs.pop(0)], usage=Usage(), response_id=None)

        def stream_response(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    @function_tool
    def weather(city: str) -> str:
        return f"21 °C in {city}"

    async def use() -> None:
        model = Scripted(call, says("It is warm."), says("You asked about Lisbon."))
        agent = Agent(name="guide", model=model, tools=[weather])
        await Runner.run(agent, "How warm is Lisbon?", session=ChatledgerSession("s", ledger))
        result = await Runner.run(agent, "What did I ask?", session=ChatledgerSession("s", ledger))
        assert "You asked about Lisbon." == result.final_output
        assert 5 == len(model.inputs[-1])

    asyncio.run(use())
    with ledger.read() as uow:
        messages = uow.messages.history("s")
        assert ["user", "assistant", "tool", "assistant", "user", "assistant"] == [one.role for one in messages]
        assert ["weather"] == [one.name for one in messages[1].tool_calls]
        assert ("21 °C in Lisbon", "weather") == (messages[2].content, messages[2].name)
        assert uow.search.messages("warm").items
