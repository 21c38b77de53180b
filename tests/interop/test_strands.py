"""The session repository of Strands Agents. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, LedgerClosed, SessionClosed, SessionExists, SessionHeld


def test_without_strands_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["strands"] = None
try:
    import chatledger.interop.strands
except ImportError as missing:
    print(missing)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "chatledger[strands]" in told


@pytest.fixture
def adapter() -> Any:
    pytest.importorskip("strands", exc_type=ImportError)
    from chatledger.interop import strands  # noqa: PLC0415 - needs the framework

    return strands


def session(id_: str = "trip") -> Any:
    from strands.types.session import Session, SessionType  # noqa: PLC0415 - the framework's

    return Session(session_id=id_, session_type=SessionType.AGENT)


def agent(id_: str = "guide", **state: Any) -> Any:
    from strands.types.session import SessionAgent  # noqa: PLC0415 - the framework's

    return SessionAgent(agent_id=id_, state=state, conversation_manager_state={"removed": 0})


def message(number: int, text: str | None = None, **block: Any) -> Any:
    from strands.types.session import SessionMessage  # noqa: PLC0415 - the framework's

    content: Any = [{"text": text or f"text {number}", **block}]
    return SessionMessage(message={"role": "user", "content": content}, message_id=number)


def numbers(found: list[Any]) -> list[int]:
    return [one.message_id for one in found]


@pytest.mark.parametrize("kind", ["Ledger", "AsyncLedger", "URL"])
def test_sessions_agents_and_messages_are_kept(adapter: Any, url: str, kind: str) -> None:
    from strands.types.exceptions import SessionException  # noqa: PLC0415 - the framework's

    given: Any = url if kind == "URL" else {"Ledger": Ledger, "AsyncLedger": AsyncLedger}[kind](url)
    repository = adapter.ChatledgerSessionRepository(given, user_id="ada")
    trip, guide = session(), agent(town="Lisbon \x00", picture=b"\xff")
    assert None is repository.read_session("trip")
    assert trip == repository.create_session(trip) == repository.read_session("trip")
    with pytest.raises(SessionException):
        repository.create_session(trip)
    assert None is repository.read_agent("trip", "guide")
    repository.create_agent("trip", guide)
    assert guide == repository.read_agent("trip", "guide")
    changed = agent(town="Faro")
    repository.update_agent("trip", changed)
    assert (changed, guide.created_at) == (repository.read_agent("trip", "guide"), changed.created_at)
    said = [message(number, picture=b"\xff") for number in range(5)]
    for one in said:
        repository.create_message("trip", "guide", one)
        repository.create_message("trip", "guide", one)
    assert said == repository.list_messages("trip", "guide")
    assert said[1:3] == repository.list_messages("trip", "guide", limit=2, offset=1)
    assert said[3:] == repository.list_messages("trip", "guide", offset=3)
    assert said[4] == repository.read_message("trip", "guide", 4)
    assert None is repository.read_message("trip", "guide", 5) is repository.read_message("x", "guide", 5)
    new = message(3, "changed")
    repository.update_message("trip", "guide", new)
    assert [*said[:3], new, said[4]] == repository.list_messages("trip", "guide")
    assert said[3].created_at == new.created_at
    for refused in (lambda: repository.update_message("trip", "guide", message(9)),
                    lambda: repository.create_message("trip", "guide", message(4, "other")),
                    lambda: repository.create_message("trip", "nobody", message(0)),
                    lambda: repository.update_agent("trip", agent("nobody")),
                    lambda: repository.list_messages("trip", "nobody"),
                    lambda: repository.delete_session("x")):  # fmt: skip
        with pytest.raises(SessionException):
            refused()  # type: ignore[no-untyped-call, unused-ignore] # a lambda of untyped names
    repository.delete_session("trip")
    assert (None, None) == (repository.read_session("trip"), repository.read_agent("trip", "guide"))
    for _ in range(2):
        repository.close()
    with pytest.raises(LedgerClosed):
        repository.read_session("trip")
    if isinstance(given, AsyncLedger):
        asyncio.run(given.close())
    elif isinstance(given, Ledger):
        given.close()
    with Ledger(url) as ledger:
        assert 0 == ledger.view(lambda uow: uow.sessions.count())


def test_the_state_of_multi_agents_is_kept(adapter: Any, ledger: Ledger) -> None:
    from strands.types.exceptions import SessionException  # noqa: PLC0415 - the framework's

    def graph(**state: Any) -> Any:
        return SimpleNamespace(id="graph \x00", serialize_state=lambda: state)

    repository = adapter.ChatledgerSessionRepository(ledger)
    assert None is repository.read_multi_agent("trip", "graph \x00")
    repository.create_session(session())
    with pytest.raises(SessionException):
        repository.update_multi_agent("trip", graph(step=1))
    repository.create_multi_agent("trip", graph(step=1, text="\ud83d"))
    repository.update_multi_agent("trip", graph(step=2, text="\ud83d"))
    assert {"step": 2, "text": "\ud83d"} == repository.read_multi_agent("trip", "graph \x00")


def test_a_session_of_another_user_is_refused(adapter: Any, ledger: Ledger) -> None:
    from strands.types.exceptions import SessionException  # noqa: PLC0415 - the framework's

    ada, lin = (adapter.ChatledgerSessionRepository(ledger, user_id=user) for user in ("ada", "lin"))
    ada.create_session(session())
    ada.create_agent("trip", agent())
    ada.create_message("trip", "guide", message(0))
    assert (None, None) == (lin.read_session("trip"), lin.read_agent("trip", "guide"))
    with pytest.raises(SessionException):
        lin.create_session(session())
    with pytest.raises(SessionExists):
        lin.create_agent("trip", agent())
    with pytest.raises(SessionException):
        lin.create_message("trip", "guide", message(1))
    assert [0] == numbers(ada.list_messages("trip", "guide"))


def test_a_closed_session_raises_reopens_or_forks(adapter: Any, ledger: Ledger) -> None:
    repositories = {
        how: adapter.ChatledgerSessionRepository(ledger, on_closed=how) for how in ("raise", "reopen", "fork")
    }
    repositories["raise"].create_session(session())
    repositories["raise"].create_agent("trip", agent())
    repositories["raise"].create_message("trip", "guide", message(0))
    ledger.run(lambda uow: uow.sessions.archive("trip/guide"))
    for refused in (lambda: repositories["raise"].create_message("trip", "guide", message(1)),
                    lambda: repositories["raise"].update_agent("trip", agent())):  # fmt: skip
        with pytest.raises(SessionClosed):
            refused()  # type: ignore[no-untyped-call, unused-ignore] # a lambda of untyped names
    repositories["fork"].create_message("trip", "guide", message(1))
    repositories["fork"].update_agent("trip", agent(town="Faro"))
    assert [0, 1] == numbers(repositories["fork"].list_messages("trip", "guide"))
    assert ({"town": "Faro"}, {}) == tuple(
        repositories[how].read_agent("trip", "guide").state for how in ("fork", "raise")
    )
    repositories["reopen"].create_message("trip", "guide", message(2))
    assert [0, 2] == numbers(repositories["raise"].list_messages("trip", "guide"))
    ledger.run(lambda uow: uow.sessions.hold("trip/guide", reason="a lawsuit"))
    with pytest.raises(SessionHeld):
        repositories["raise"].delete_session("trip")
    assert session().session_id == repositories["raise"].read_session("trip").session_id
    ledger.run(lambda uow: uow.sessions.release("trip/guide"))
    repositories["raise"].delete_session("trip")
    assert 0 == ledger.view(lambda uow: uow.sessions.count())


def test_a_session_outlives_its_expiry(adapter: Any, ledger: Ledger) -> None:
    repository = adapter.ChatledgerSessionRepository(ledger)
    repository.create_session(session())
    repository.create_agent("trip", agent(town="Faro"))
    ledger.run(lambda uow: uow.sessions.expire("trip"))  # nobody speaks in it
    assert session().session_id == repository.read_session("trip").session_id
    ledger.run(lambda uow: uow.sessions.delete("trip"))
    assert session().session_id == repository.read_session("trip").session_id
    repository.create_agent("trip", agent("other"))
    assert "Faro" == repository.read_agent("trip", "guide").state["town"]
    ledger.run(lambda uow: uow.sessions.delete("trip"))
    repository.delete_session("trip")
    assert 0 == ledger.view(lambda uow: uow.sessions.count())


@pytest.mark.parametrize("arguments", [{"on_closed": "ignore"}, {"ledger_or_url": 7}])
def test_an_argument_that_is_not_valid_is_refused(adapter: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        adapter.ChatledgerSessionRepository(**{"ledger_or_url": "sqlite:///:memory:", **arguments})


def test_an_agent_goes_on_where_it_was(adapter: Any, ledger: Ledger) -> None:
    from strands import Agent, tool  # noqa: PLC0415 - the framework's
    from strands.models import Model  # noqa: PLC0415
    from strands.session.repository_session_manager import RepositorySessionManager  # noqa: PLC0415

    blocks: list[dict[str, Any]] = [
        {"toolUse": {"toolUseId": "c1", "name": "weather", "input": '{"city": "Lisbon"}'}},
        {"text": "It is warm."},
        {"text": "You asked about Lisbon."},
    ]
    inputs: list[int] = []

    class Scripted(Model):
        def update_config(self, **config: Any) -> None: ...

        def get_config(self) -> Any:
            return {}

        def structured_output(self, *args: Any, **options: Any) -> Any:
            raise NotImplementedError

        async def stream(self, messages: Any, *args: Any, **options: Any) -> Any:
            inputs.append(len(messages))
            (kind, said) = next(iter(blocks.pop(0).items()))
            yield {"messageStart": {"role": "assistant"}}
            if kind == "text":
                yield {"contentBlockDelta": {"delta": {"text": said}}}
            else:
                yield {
                    "contentBlockStart": {"start": {"toolUse": {"toolUseId": said["toolUseId"], "name": said["name"]}}}
                }
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": said["input"]}}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn" if kind == "text" else "tool_use"}}
            yield {
                "metadata": {
                    "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 7},
                    "metrics": {"latencyMs": 3},
                }
            }

    @tool  # type: ignore[untyped-decorator, unused-ignore] # has no types without the framework
    def weather(city: str) -> str:
        """The weather."""
        return f"21 °C in {city}"

    for question in ("How warm is Lisbon?", "What did I ask?"):
        repository = adapter.ChatledgerSessionRepository(ledger, user_id="ada")
        manager = RepositorySessionManager(session_id="trip", session_repository=repository)
        guide = Agent(
            model=Scripted(), agent_id="guide", tools=[weather], session_manager=manager, callback_handler=None
        )
        guide.state.set("question", question)
        guide(question)
    assert [1, 3, 5] == inputs
    with ledger.read() as uow:
        stored = uow.messages.history("trip/guide")
        assert ["user", "assistant", "tool", "assistant", "user", "assistant"] == [one.role for one in stored]
        assert ("weather", "21 °C in Lisbon") == (stored[2].name, stored[2].content)
        assert "ada" == uow.sessions.get("trip/guide").user_id
        assert uow.search.messages("warm lisbon").items
    assert "What did I ask?" == repository.read_agent("trip", "guide").state["question"]
