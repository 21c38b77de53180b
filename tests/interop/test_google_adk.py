"""The session service of Google ADK. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, SessionClosed, SessionHeld

APP: Any = {"app_name": "trips", "user_id": "ada"}


def test_without_adk_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["google.adk"] = None
try:
    import chatledger.interop.google_adk
except ImportError as missing:
    print(missing)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "chatledger[google-adk]" in told


@pytest.fixture
def adk() -> Any:
    pytest.importorskip("google.adk", exc_type=ImportError)
    from chatledger.interop import google_adk  # noqa: PLC0415 - needs the framework

    return google_adk


def event(text: str | None = None, *, author: str = "user", state: dict[str, Any] | None = None, **fields: Any) -> Any:
    from google.adk.events import Event, EventActions  # noqa: PLC0415 - the framework's
    from google.genai import types  # noqa: PLC0415

    content = None if text is None else types.Content(role="user", parts=[types.Part(text=text)])
    return Event(author=author, content=content, actions=EventActions(state_delta=state or {}), **fields)


def texts(session: Any) -> list[str]:
    return [event.content.parts[0].text for event in session.events]


@pytest.mark.parametrize("kind", ["AsyncLedger", "URL"])
def test_sessions_events_and_state_are_kept(adk: Any, url: str, kind: str) -> None:
    async def use() -> None:
        given: Any = url if kind == "URL" else AsyncLedger(url)
        async with adk.ChatledgerSessionService(given) as service:
            state = {"town": "Lisbon", "app:season": "May", "user:name": "Ada", "temp:x": 1}
            session = await service.create_session(**APP, session_id=" s ", state=state)
            assert ("s", {"town": "Lisbon", "app:season": "May", "user:name": "Ada"}) == (session.id, session.state)
            await service.append_event(session, event("Where to?"))
            await service.append_event(session, event("not stored", partial=True))
            delta = {"town": "Faro", "app:season": "June", "user:pace": None, "temp:x": 2}
            await service.append_event(session, event("Faro.", author="guide", state=delta))
            assert 2 == session.state["temp:x"]

            again = await service.get_session(**APP, session_id="s")
            expected = {"town": "Faro", "app:season": "June", "user:name": "Ada", "user:pace": None}
            assert (session.events, expected) == (again.events, again.state)
            assert session.last_update_time == again.last_update_time
            assert {"name": "Ada", "pace": None} == await service.get_user_state(**APP)
            other = await service.create_session(app_name="trips", user_id="lin")
            assert {"app:season": "June"} == other.state
            listed = (await service.list_sessions(app_name="trips")).sessions
            assert {("ada", "s"), ("lin", other.id)} == {(one.user_id, one.id) for one in listed}
            assert [expected] == [one.state for one in (await service.list_sessions(**APP)).sessions]
            await service.delete_session(**APP, session_id="s")
            await service.delete_session(**APP, session_id="s")
            assert None is await service.get_session(**APP, session_id="s")
        if isinstance(given, AsyncLedger):
            await given.close()

    asyncio.run(use())


def test_what_is_read_equals_what_the_service_in_memory_reads(adk: Any, ledger: Ledger) -> None:
    from google.adk.errors.already_exists_error import AlreadyExistsError  # noqa: PLC0415 - the framework's
    from google.adk.sessions import InMemorySessionService  # noqa: PLC0415
    from google.adk.sessions.base_session_service import GetSessionConfig  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    blob = types.Part(inline_data=types.Blob(data=b"\xff\x00", mime_type="image/png"))
    call = types.Part(function_call=types.FunctionCall(id="c", name="f", args={"a": None, "b": "\x00"}))
    result = types.Part(function_response=types.FunctionResponse(id="c", name="f", response={"result": [1]}))
    events = [event(str(number), timestamp=1777629600.0 + number, id=f"e{number}") for number in range(5)]
    events[3].content.parts += [blob, call]
    events[4].content.parts = [result, result]
    events[4].long_running_tool_ids = {"c"}

    async def follow(service: Any) -> list[Any]:
        seen: list[Any] = []
        for user, id_ in (("ada", "s"), ("lin", "s"), ("ada", "t"), ("a/b", "s")):
            await service.create_session(app_name="trips", user_id=user, session_id=id_, state={"user:u": user})
        with pytest.raises(AlreadyExistsError):
            await service.create_session(**APP, session_id="s")
        session = await service.get_session(**APP, session_id="s")
        for one in events:
            await service.append_event(session, one.model_copy(deep=True))
        for config in (None, GetSessionConfig(num_recent_events=0), GetSessionConfig(num_recent_events=2),
                       GetSessionConfig(after_timestamp=1777629602.0), GetSessionConfig(num_recent_events=9)):  # fmt: skip
            found = await service.get_session(**APP, session_id="s", config=config)
            seen += [found.events, found.state]
        assert None is await service.get_session(app_name="other", user_id="ada", session_id="s")
        for whose in ("ada", None, "nobody"):
            listed = (await service.list_sessions(app_name="trips", user_id=whose)).sessions
            seen.append(sorted((one.user_id, one.id, sorted(one.state), len(one.events)) for one in listed))
        if hasattr(InMemorySessionService, "get_user_state"):  # older versions have none
            seen.append(await service.get_user_state(app_name="trips", user_id="a/b"))
        return seen

    assert asyncio.run(follow(InMemorySessionService())) == asyncio.run(follow(adk.ChatledgerSessionService(ledger)))


def test_a_stale_writer_is_refused(adk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        service = adk.ChatledgerSessionService(ledger)
        await service.create_session(**APP, session_id="s")
        first, second = [await service.get_session(**APP, session_id="s") for _ in range(2)]
        await service.append_event(first, event("one"))
        with pytest.raises(ValueError, match="modified in storage"):
            await service.append_event(second, event("two", state={"a": 1, "app:a": 1, "user:a": 1}))
        await service.append_event(first, event("three"))
        stored = await service.get_session(**APP, session_id="s")
        assert (["one", "three"], {}) == (texts(stored), stored.state)
        again = event("four")
        await service.append_event(stored, again)
        await service.append_event(stored, again)  # after an answer that was lost
        assert ["one", "three", "four"] == texts(await service.get_session(**APP, session_id="s"))

    asyncio.run(use())


def test_of_writers_at_the_same_time_one_is_not_refused(adk: Any, ledger: Ledger) -> None:
    async def use() -> list[Any]:
        service = adk.ChatledgerSessionService(ledger)
        await service.create_session(**APP, session_id="s")
        sessions = [await service.get_session(**APP, session_id="s") for _ in range(6)]
        return await asyncio.gather(
            *(service.append_event(one, event("x", state={"user:n": 1})) for one in sessions), return_exceptions=True
        )

    outcomes = asyncio.run(use())
    assert 5 == sum(isinstance(outcome, ValueError) for outcome in outcomes)


def test_a_session_that_is_not_there_takes_no_events(adk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        service = adk.ChatledgerSessionService(ledger)
        session = await service.create_session(**APP, session_id="s")
        await service.delete_session(**APP, session_id="s")
        with pytest.raises(ValueError, match="not found"):
            await service.append_event(session, event("one"))

    asyncio.run(use())


def test_a_closed_session_raises_reopens_or_forks(adk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        services = {how: adk.ChatledgerSessionService(ledger, on_closed=how) for how in ("raise", "reopen", "fork")}
        session = await services["raise"].create_session(**APP, session_id="s", state={"town": "Faro"})
        await services["raise"].append_event(session, event("one"))
        ledger.run(lambda uow: uow.sessions.archive("trips/ada/s"))
        with pytest.raises(SessionClosed):
            await services["raise"].append_event(session, event("two"))
        await services["fork"].append_event(session, event("three", state={"pace": 2}))
        forked = await services["fork"].get_session(**APP, session_id="s")
        assert (["one", "three"], {"town": "Faro", "pace": 2}) == (texts(forked), forked.state)
        await services["fork"].append_event(forked, event("four"))
        assert ["s"] == [one.id for one in (await services["fork"].list_sessions(**APP)).sessions]
        closed = await services["raise"].get_session(**APP, session_id="s")
        assert ["one"] == texts(closed)
        await services["reopen"].append_event(closed, event("five"))
        assert ["one", "five"] == texts(await services["raise"].get_session(**APP, session_id="s"))
        ledger.run(lambda uow: uow.sessions.hold("trips/ada/s", reason="a lawsuit"))
        with pytest.raises(SessionHeld):
            await services["fork"].delete_session(**APP, session_id="s")
        ledger.run(lambda uow: uow.sessions.release("trips/ada/s"))
        await services["fork"].delete_session(**APP, session_id="s")
        assert [] == (await services["fork"].list_sessions(**APP)).sessions

    asyncio.run(use())


def test_a_session_of_another_program_goes_on(adk: Any, ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("mine", user_id="ada", project_id="trips", context={"town": "Faro"})
        uow.messages.append("mine", "user", "Where to?")

    async def use() -> None:
        service = adk.ChatledgerSessionService(ledger)
        session = await service.get_session(**APP, session_id="mine")
        assert (["Where to?"], {"town": "Faro"}) == (texts(session), session.state)
        await service.append_event(session, event("Faro."))
        assert ["mine"] == [one.id for one in (await service.list_sessions(**APP)).sessions]
        assert None is await service.get_session(app_name="trips", user_id="lin", session_id="mine")

    asyncio.run(use())
    assert 2 == ledger.view(lambda uow: uow.sessions.get("mine")).message_count


def test_the_state_of_a_user_is_erased_with_the_user(adk: Any, ledger: Ledger) -> None:
    async def use() -> None:
        service = adk.ChatledgerSessionService(ledger)
        await service.create_session(**APP, state={"user:name": "Ada", "app:season": "May"})
        ledger.run(lambda uow: uow.sessions.erase_user("ada"))
        assert {} == await service.get_user_state(**APP)
        assert {"app:season": "May"} == (await service.create_session(**APP)).state

    asyncio.run(use())


def test_names_of_any_kind(adk: Any, ledger: Ledger) -> None:
    names = [
        ("a/b", "c", "d"),
        ("a", "b/c", "d"),
        ("x" * 300, "ada", "y" * 300),
        ("n\x00", "ada", "\x00\ud83d"),
        ("é", "日", "~2"),
    ]

    async def use() -> None:
        service = adk.ChatledgerSessionService(ledger)
        for app, user, id_ in names:
            await service.create_session(app_name=app, user_id=user, session_id=id_, state={"n": id_, "app:n": app})
        for app, user, id_ in names:
            found = await service.get_session(app_name=app, user_id=user, session_id=id_)
            assert (id_, {"n": id_, "app:n": app}) == (found.id, found.state)
            listed = (await service.list_sessions(app_name=app)).sessions
            assert [(user, id_)] == [(one.user_id, one.id) for one in listed]
            await service.delete_session(app_name=app, user_id=user, session_id=id_)
            assert None is await service.get_session(app_name=app, user_id=user, session_id=id_)

    asyncio.run(use())


@pytest.mark.parametrize("arguments", [{}, {"uri": "a.db", "ledger_or_url": "b.db"}, {"ledger_or_url": 7},
                                       {"uri": "sqlite://", "on_closed": "ignore"}])  # fmt: skip
def test_an_argument_that_is_not_valid_is_refused(adk: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        adk.ChatledgerSessionService(**arguments)


def test_a_ledger_that_is_limited_to_a_user_is_refused(adk: Any, ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="limited to a user"):
        adk.ChatledgerSessionService(ledger.for_user("ada"))


def test_the_service_registry_makes_a_service_of_a_uri(adk: Any, migrated_sqlite_url: str, tmp_path: Any) -> None:
    registry = pytest.importorskip("google.adk.cli.service_registry", exc_type=ImportError).ServiceRegistry()
    registry.register_session_service("chatledger+sqlite", adk.ChatledgerSessionService)
    uri = f"chatledger+{migrated_sqlite_url}"
    for service in (
        registry.create_session_service(uri, agents_dir=str(tmp_path)),
        adk.ChatledgerSessionService(uri=uri, agents_dir=str(tmp_path)),  # as services.yaml does
    ):

        async def use(service: Any = service) -> None:
            await service.create_session(**APP)
            await service.close()

        asyncio.run(use())
    with Ledger(migrated_sqlite_url) as ledger:
        assert 2 == ledger.view(lambda uow: uow.sessions.count(user_id="ada", project_id="trips"))


# What older versions say of a feature of their own.
@pytest.mark.filterwarnings(r"ignore:\[EXPERIMENTAL\]:UserWarning")
def test_a_runner_goes_on_where_it_was(adk: Any, ledger: Ledger) -> None:
    from google.adk.agents import LlmAgent  # noqa: PLC0415 - the framework's
    from google.adk.models import BaseLlm, LlmResponse  # noqa: PLC0415
    from google.adk.runners import Runner  # noqa: PLC0415
    from google.genai import types  # noqa: PLC0415

    answers = [
        types.Part(function_call=types.FunctionCall(name="weather", args={"city": "Lisbon"})),
        types.Part(text="It is warm."),
        types.Part(text="You asked about Lisbon."),
    ]
    inputs: list[int] = []

    class Scripted(BaseLlm):
        async def generate_content_async(self, llm_request: Any, stream: bool = False) -> Any:
            inputs.append(len(llm_request.contents))
            yield LlmResponse(content=types.Content(role="model", parts=[answers.pop(0)]))

    def weather(city: str) -> str:
        """The weather."""
        return f"21 °C in {city}"

    async def use() -> None:
        for question in ("How warm is Lisbon?", "What did I ask?"):
            service = adk.ChatledgerSessionService(ledger)
            agent = LlmAgent(name="guide", model=Scripted(model="scripted"), tools=[weather], output_key="said")
            runner = Runner(agent=agent, app_name="trips", session_service=service)
            if await service.get_session(**APP, session_id="s") is None:
                await service.create_session(**APP, session_id="s")
            message = types.Content(role="user", parts=[types.Part(text=question)])
            async for _ in runner.run_async(user_id="ada", session_id="s", new_message=message):
                pass
        assert [1, 3, 5] == inputs
        session = await service.get_session(**APP, session_id="s")
        assert "You asked about Lisbon." == session.state["said"]

    asyncio.run(use())
    stored = ledger.view(lambda uow: uow.messages.history("trips/ada/s"))
    assert ["user", "assistant", "tool", "assistant", "user", "assistant"] == [
        message.role for message in stored if not message.hidden
    ]
    assert ["weather"] == [call.name for call in stored[1].tool_calls]
