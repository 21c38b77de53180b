"""The checkpointer of LangGraph. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import operator
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any, TypedDict

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, MissingExtra, SessionClosed, SessionExists, SessionHeld
from tests.support.raw import Raw

TABLES = ("chatledger_graph_checkpoints", "chatledger_graph_writes")


def test_without_the_framework_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langgraph.checkpoint.base", None)
    monkeypatch.delitem(sys.modules, "chatledger.interop.langgraph", raising=False)
    with pytest.raises(MissingExtra, match=r"chatledger\[langgraph\]"):
        __import__("chatledger.interop.langgraph")


@pytest.fixture
def base() -> Any:
    return pytest.importorskip("langgraph.checkpoint.base")


@pytest.fixture
def saver_of(base: Any) -> Any:
    from chatledger.interop.langgraph import ChatledgerSaver  # noqa: PLC0415 - needs the framework

    return ChatledgerSaver


def config(thread: Any = "t", namespace: str = "", checkpoint_id: str | None = None) -> Any:
    named = {} if checkpoint_id is None else {"checkpoint_id": checkpoint_id}
    return {"configurable": {"thread_id": thread, "checkpoint_ns": namespace, **named}}


def save(saver: Any, base: Any, thread: Any = "t", count: int = 1, namespace: str = "", **metadata: Any) -> list[Any]:
    """Save checkpoints that follow each other; their configurations."""
    stored, parent = [], None
    for step in range(count):
        checkpoint = {**base.empty_checkpoint(), "channel_values": {"step": step}}
        last = config(thread, namespace, parent)
        stored.append(saver.put(last, checkpoint, {"step": step, **metadata}, {}))
        parent = checkpoint["id"]
    return stored


def steps(saver: Any, wanted: Any, **options: Any) -> list[int]:
    return [one.checkpoint["channel_values"]["step"] for one in saver.list(wanted, **options)]


def test_the_conformance_suite_passes(saver_of: Any, ledger: Ledger) -> None:
    conformance = pytest.importorskip("langgraph.checkpoint.conformance")

    @conformance.checkpointer_test(name="ChatledgerSaver")  # type: ignore[untyped-decorator, unused-ignore]
    async def checkpointer() -> AsyncIterator[Any]:
        yield saver_of(ledger, user_id="ada")

    report = asyncio.run(conformance.validate(checkpointer))
    assert [] == [failure for result in report.results.values() for failure in result.failures or ()]
    assert 8 == sum(result.passed is True for result in report.results.values())
    assert sum(result.tests_passed for result in report.results.values()) >= 75


@pytest.mark.parametrize("kind", ["AsyncLedger", "Ledger", "URL"])
def test_a_graph_goes_on_where_it_was(saver_of: Any, url: str, kind: str) -> None:
    graphs = pytest.importorskip("langgraph.graph")

    class State(TypedDict):
        said: Annotated[list[str], operator.add]

    def compiled(saver: Any) -> Any:
        builder = graphs.StateGraph(State)
        builder.add_node("answer", lambda state: {"said": [f"answer {len(state['said'])}"]})
        builder.add_edge(graphs.START, "answer")
        return builder.compile(checkpointer=saver)

    given: Any = url if kind == "URL" else {"AsyncLedger": AsyncLedger, "Ledger": Ledger}[kind](url)
    thread = {"configurable": {"thread_id": "trip"}}

    async def use() -> list[str]:
        saver = saver_of(given, user_id="ada")
        if kind != "AsyncLedger":
            compiled(saver).invoke({"said": ["one"]}, thread)
        else:
            await compiled(saver).ainvoke({"said": ["one"]}, thread)
        said: list[str] = (await compiled(saver_of(given, user_id="ada")).ainvoke({"said": ["two"]}, thread))["said"]
        assert 6 == len([one async for one in compiled(saver).aget_state_history(thread)])
        await saver.close()
        if isinstance(given, AsyncLedger):
            await given.close()
        elif isinstance(given, Ledger):
            given.close()
        return said

    assert ["one", "answer 1", "two", "answer 3"] == asyncio.run(use())
    with Ledger(url) as ledger, ledger.read() as uow:
        assert "ada" == uow.sessions.get("trip").user_id


def test_checkpoints_are_found_listed_and_filtered(base: Any, saver_of: Any, ledger: Ledger) -> None:
    saver = saver_of(ledger)
    stored = save(saver, base, count=4, run="first")
    save(saver, base, thread=7, run="second")
    save(saver, base, namespace="sub")
    assert [3, 2, 1, 0] == steps(saver, config())
    assert [2, 1] == steps(saver, config(), before=stored[3], limit=2)
    assert [1] == steps(saver, config(), filter={"step": 1, "run": "first"})
    assert [] == steps(saver, config(), filter={"step": 1, "run": "second"})
    assert [0] == steps(saver, config("7"))
    assert {"t", "7"} == {one.config["configurable"]["thread_id"] for one in saver.list(None)}
    assert ["7"] == [one.config["configurable"]["thread_id"] for one in saver.list(None, filter={"run": "second"})]
    found = saver.get_tuple(stored[2])
    assert (stored[2], stored[1]) == (found.config, found.parent_config)
    assert None is saver.get_tuple(config("no"))
    assert [] == list(saver.list(config("no")))


def test_writes_are_stored_once_and_in_order(base: Any, saver_of: Any, ledger: Ledger) -> None:
    saver = saver_of(ledger)
    (stored,) = save(saver, base)
    saver.put_writes(stored, [("a", 1), ("b", {"x": {1, 2}})], "task", "~b")
    saver.put_writes(stored, [("a", 9)], "task", "~b")
    saver.put_writes(stored, [("c", 3)], "first", "~a")
    saver.put_writes(stored, [(base.ERROR, "once")], "task", "~b")
    saver.put_writes(stored, [(base.ERROR, "again")], "task", "~b")
    assert [("first", "c", 3), ("task", base.ERROR, "again"), ("task", "a", 1), ("task", "b", {"x": {1, 2}})] == (
        saver.get_tuple(stored).pending_writes
    )
    with pytest.raises(InvalidInput, match="checkpoint"):
        saver.put_writes(config(), [("a", 1)], "task")


def test_only_the_newest_checkpoints_are_kept_if_asked(base: Any, saver_of: Any, ledger: Ledger, raw: Raw) -> None:
    saver = saver_of(ledger, keep=2)
    for stored in save(saver, base, count=5):
        saver.put_writes(stored, [("a", 1)], "task")
    save(saver, base, count=3, namespace="sub")
    assert [4, 3] == steps(saver, config())
    assert [2, 1] == steps(saver, config(namespace="sub"))
    assert 4 == raw.count("chatledger_graph_checkpoints")
    saver.prune(["t", "no"])
    assert ([4], [2]) == (steps(saver, config()), steps(saver, config(namespace="sub")))
    saver.prune(["t"], strategy="delete")
    assert [0, 0] == [raw.count(table) for table in TABLES]
    with pytest.raises(InvalidInput, match="strategy"):
        saver.prune(["t"], strategy="some")


def test_what_a_kept_checkpoint_is_made_from_is_kept(base: Any, saver_of: Any, ledger: Ledger) -> None:
    saver = saver_of(ledger)
    parent = None
    for step in range(6):
        values = {"step": step, **({"messages": ["all so far"]} if step in (0, 3) else {})}
        checkpoint = {**base.empty_checkpoint(), "channel_values": values}
        counters = {} if step in (0, 3) else {"counters_since_delta_snapshot": {"messages": (1, 1)}}
        saver.put(config("t", "", parent), checkpoint, {"step": step, **counters}, {})
        parent = checkpoint["id"]
    saver.prune(["t"])
    assert [5, 4, 3] == steps(saver, config())


def test_checkpoints_live_and_die_with_their_session(
    base: Any, saver_of: Any, url: str, raw: Raw, tmp_path: Any
) -> None:
    with Ledger(url) as ledger:
        saver = saver_of(ledger, user_id="ada")
        for thread in ("kept", "deleted", "purged"):
            (stored,) = save(saver, base, thread)
            saver.put_writes(stored, [("a", 1)], "task")
        assert not ledger.check().findings
        backup = ledger.backup(tmp_path / "backup.db")
        ledger.run(lambda uow: uow.sessions.delete("deleted"))
        ledger.run(lambda uow: uow.sessions.archive("purged"))
        ledger.purge(older_than=0)
        assert [1, 1] == [raw.count(table) for table in TABLES]
        other = f"sqlite:///{tmp_path}/copy.db"
        ledger.copy_to(other)
        with Ledger(other) as copy:
            assert [0] == steps(saver_of(copy), config("kept"))
        ledger.erase_user("ada")
        assert [0, 0] == [raw.count(table) for table in TABLES]
        assert backup is not None


def test_a_thread_that_is_held_is_not_deleted(base: Any, saver_of: Any, ledger: Ledger) -> None:
    saver = saver_of(ledger)
    save(saver, base, count=2, run_id="r")
    ledger.run(lambda uow: uow.sessions.hold("t"))
    for delete, named in ((saver.delete_thread, "t"), (saver.prune, ["t"]), (saver.delete_for_runs, ["r"])):
        with pytest.raises(SessionHeld):
            delete(named)
    assert [1, 0] == steps(saver, config())
    ledger.run(lambda uow: uow.sessions.release("t"))
    saver.delete_for_runs(["r"])
    assert [] == steps(saver, config())


def test_deleting_a_thread_keeps_a_conversation(base: Any, saver_of: Any, ledger: Ledger) -> None:
    saver = saver_of(ledger)
    save(saver, base, "empty")
    save(saver, base, "chat")
    ledger.run(lambda uow: uow.messages.append("chat", "user", "Hello"))
    for thread in ("empty", "chat", "no"):
        saver.delete_thread(thread)
    assert [] == list(saver.list(None))
    found = ledger.view(lambda uow: [one.session_id for one in uow.sessions.list()])
    assert ["chat"] == found


@pytest.mark.parametrize("on_closed", ["raise", "reopen", "fork"])
def test_a_closed_session_goes_on_as_asked(base: Any, saver_of: Any, ledger: Ledger, on_closed: Any) -> None:
    saver = saver_of(ledger, on_closed=on_closed)
    (stored,) = save(saver, base)
    saver.put_writes(stored, [("a", 1)], "task")
    ledger.run(lambda uow: uow.sessions.archive("t"))
    if on_closed == "raise":
        with pytest.raises(SessionClosed):
            save(saver, base)
        return
    save(saver, base)
    assert [0, 0] == steps(saver_of(ledger, on_closed=on_closed), config())
    assert [0, 0] == steps(saver, None)
    assert [("task", "a", 1)] == saver.get_tuple(stored).pending_writes
    status = ledger.view(lambda uow: uow.sessions.get("t").status)
    assert ("archived" if on_closed == "fork" else "active") == status


def test_a_user_sees_only_their_own_threads(base: Any, saver_of: Any, ledger: Ledger) -> None:
    ada, lin = (saver_of(ledger, user_id=user) for user in ("ada", "lin"))
    (stored,) = save(ada, base, run_id="r")
    assert (None, [], []) == (lin.get_tuple(stored), list(lin.list(config())), list(lin.list(None)))
    with pytest.raises(SessionExists):
        save(lin, base)
    lin.delete_for_runs(["r"])
    lin.delete_thread("t")
    lin.prune(["t"], strategy="delete")
    assert [0] == steps(ada, config())


def test_saving_a_checkpoint_is_activity(base: Any, saver_of: Any, url: str, clock: Any) -> None:
    with Ledger(url, clock=clock) as ledger:
        saver = saver_of(ledger)
        save(saver, base)
        now = clock.advance(hours=3)
        save(saver, base)
        assert now == ledger.view(lambda uow: uow.sessions.get("t").last_activity)


def test_names_that_are_not_valid_are_refused(base: Any, saver_of: Any, ledger: Ledger) -> None:
    saver = saver_of(ledger)
    for wrong in ({"on_closed": "no"}, {"keep": 0}):
        with pytest.raises(InvalidInput):
            saver_of(ledger, **wrong)
    with pytest.raises(InvalidInput, match="thread"):
        saver.get_tuple({"configurable": {}})
    with pytest.raises(InvalidInput, match="namespace"):
        save(saver, base, namespace="a\x00")
    for thread in ("a/b", "t" * 400, "\x00\ud83d"):
        save(saver, base, thread)
        assert [0] == steps(saver, config(thread))
    assert {"a/b", "t" * 400, "\x00\ud83d"} == {one.config["configurable"]["thread_id"] for one in saver.list(None)}
