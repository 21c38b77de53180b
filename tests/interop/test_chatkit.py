"""The store of ChatKit. What needs the framework is skipped without it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import AsyncLedger, InvalidInput, Ledger, SessionClosed, SessionExists

START = datetime(2026, 5, 1, 10, tzinfo=UTC)


def test_without_chatkit_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["chatkit"] = None
try:
    import chatledger.interop.chatkit
except ImportError as missing:
    print(missing)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "chatledger[chatkit]" in told


@pytest.fixture
def kit() -> Any:
    pytest.importorskip("chatkit", exc_type=ImportError)
    from chatledger.interop import chatkit  # noqa: PLC0415 - needs the framework

    return chatkit


def thread(id_: str, **fields: Any) -> Any:
    from chatkit.types import ThreadMetadata  # noqa: PLC0415 - the framework's

    return ThreadMetadata(**{"id": id_, "created_at": START, **fields})


def said(number: int, text: str | None = None) -> Any:
    from chatkit.types import AssistantMessageContent, AssistantMessageItem  # noqa: PLC0415 - the framework's

    content = [AssistantMessageContent(text=text or f"text {number}")]
    at = START + timedelta(seconds=number)
    return AssistantMessageItem(id=f"msg_{number}", thread_id="t", created_at=at, content=content)


async def walk(load: Any, limit: int) -> list[str]:
    """The ids of all pages."""
    found: list[str] = []
    after = None
    while True:
        page = await load(limit, after)
        found += [one.id for one in page.data]
        assert len(page.data) <= limit
        if not page.has_more:
            return found
        after = page.after


def items(store: Any, order: str) -> Any:
    return lambda limit, after: store.load_thread_items("t", after, limit, order, None)


def threads(store: Any, order: str, context: Any = None) -> Any:
    return lambda limit, after: store.load_threads(limit, after, order, context)


@pytest.mark.parametrize("kind", ["AsyncLedger", "URL"])
def test_a_thread_is_kept_with_its_items(kit: Any, url: str, kind: str) -> None:
    from chatkit.store import NotFoundError, Store  # noqa: PLC0415 - the framework's
    from chatkit.types import LockedStatus  # noqa: PLC0415

    async def use() -> None:
        given: Any = url if kind == "URL" else AsyncLedger(url)
        store = kit.ChatledgerStore(given, user_id="ada")
        assert isinstance(store, Store)
        trip = thread("t", title="Trip \x00", metadata={"a": [float("inf")]}, created_at=datetime(2026, 5, 1, 10))
        await store.save_thread(trip, None)
        assert trip == await store.load_thread("t", None)
        trip.status, trip.title = LockedStatus(reason="late"), "Trip"
        await store.save_thread(trip, None)
        assert trip == await store.load_thread("t", None)
        for number in range(7):
            await store.add_thread_item("t", said(number), None)
        ids = [f"msg_{number}" for number in range(7)]
        for limit in (1, 3, 7, 20):
            assert ids == await walk(items(store, "asc"), limit)
            assert ids[::-1] == await walk(items(store, "desc"), limit)
        await store.save_item("t", said(4, "changed"), None)
        assert said(4, "changed") == await store.load_item("t", "msg_4", None)
        await store.save_item("t", said(9), None)
        for _ in range(2):
            await store.delete_thread_item("t", "msg_5", None)
        assert [*ids[:5], "msg_6", "msg_9"] == await walk(items(store, "asc"), 2)
        for nothing in (store.load_item("t", "msg_5", None), store.load_item("t", "\x00", None),
                        store.load_thread("x", None), store.load_thread("\x00", None),
                        store.add_thread_item("x", said(1), None), store.load_thread_items("t", "x", 1, "asc", None),
                        store.load_attachment("x", None), store.delete_thread_item("\x00", "x", None)):  # fmt: skip
            with pytest.raises(NotFoundError):
                await nothing
        for _ in range(2):
            await store.delete_thread("t", None)
        await store.delete_thread("\x00", None)
        with pytest.raises(NotFoundError):
            await store.load_thread("t", None)
        await store.close()
        if isinstance(given, AsyncLedger):
            await given.close()

    asyncio.run(use())


def test_threads_are_listed_by_activity_or_creation(kit: Any, ledger: Ledger) -> None:
    async def use() -> None:
        store = kit.ChatledgerStore(ledger)
        names = [f"t{number}" for number in range(5)]
        for number, name in enumerate(names):
            await store.save_thread(thread(name, created_at=START + timedelta(seconds=number)), None)
        ledger.run(lambda uow: uow.sessions.create("not a thread"))
        ledger.run(lambda uow: uow.messages.append("t1", "user", "Hello"))
        for limit in (1, 2, 5):
            assert names == await walk(threads(store, "asc"), limit)
            newest = await walk(threads(store, "desc"), limit)
            assert ("t1", sorted(names)) == (newest[0], sorted(newest))
        page = await store.load_threads(2, newest[1], "desc", None)  # a client that goes on from a thread
        assert newest[2:4] == [one.id for one in page.data]
        for order in ("asc", "desc"):
            assert [] == (await store.load_threads(2, "x \x00", order, None)).data

    asyncio.run(use())


def test_each_user_has_threads_and_attachments(kit: Any, ledger: Ledger) -> None:
    from chatkit.store import NotFoundError  # noqa: PLC0415 - the framework's
    from chatkit.types import FileAttachment  # noqa: PLC0415

    async def use() -> None:
        store = kit.ChatledgerStore(ledger, user_of=lambda context: context)
        record = FileAttachment(id="atc_\x00", name="map.pdf", mime_type="application/pdf", metadata={"a": "\ud83d"})
        await store.save_thread(thread("t"), "ada")
        for name in ("a.pdf", "map.pdf"):
            await store.save_attachment(record.model_copy(update={"name": name}), "ada")
        assert record == await store.load_attachment("atc_\x00", "ada")
        for nothing in (store.load_thread("t", "lin"), store.load_attachment("atc_\x00", "lin"),
                        store.add_thread_item("t", said(1), "lin")):  # fmt: skip
            with pytest.raises(NotFoundError):
                await nothing
        assert [] == await walk(threads(store, "desc", "lin"), 5)
        with pytest.raises(SessionExists):
            await store.save_thread(thread("t"), "lin")
        await store.delete_thread("t", "lin")
        assert ["t"] == await walk(threads(store, "desc", "ada"), 5)
        for context in ("lin", "ada", "ada"):
            await store.delete_attachment("atc_\x00", context)
        await store.save_attachment(record, "ada")
        ledger.run(lambda uow: uow.sessions.erase_user("ada"))
        with pytest.raises(NotFoundError):
            await store.load_attachment("atc_\x00", "ada")
        everybody = kit.ChatledgerStore(ledger)
        await everybody.save_attachment(record, None)
        assert record == await everybody.load_attachment("atc_\x00", None)

    asyncio.run(use())


def test_a_closed_thread_raises_reopens_or_forks(kit: Any, ledger: Ledger) -> None:
    async def use() -> None:
        stores = {how: kit.ChatledgerStore(ledger, on_closed=how) for how in ("raise", "reopen", "fork")}
        await stores["raise"].save_thread(thread("t"), None)
        await stores["raise"].add_thread_item("t", said(1), None)
        ledger.run(lambda uow: uow.sessions.archive("t"))
        assert ["t"] == await walk(threads(stores["fork"], "desc"), 5)
        for refused in (stores["raise"].add_thread_item("t", said(2), None), stores["raise"].save_thread(thread("t", title="T"), None)):  # fmt: skip
            with pytest.raises(SessionClosed):
                await refused
        await stores["fork"].add_thread_item("t", said(2), None)
        await stores["fork"].save_item("t", said(1, "changed"), None)
        assert ["msg_1", "msg_2"] == await walk(items(stores["fork"], "asc"), 1)
        assert "t" == (await stores["fork"].load_thread("t", None)).id
        for how in ("raise", "fork"):
            assert ["t"] == await walk(threads(stores[how], "desc"), 5) == await walk(threads(stores[how], "asc"), 5)
        assert ["msg_1"] == await walk(items(stores["raise"], "asc"), 1)
        await stores["reopen"].add_thread_item("t", said(3), None)
        assert ["msg_1", "msg_3"] == await walk(items(stores["raise"], "asc"), 1)
        await stores["raise"].delete_thread("t", None)

    asyncio.run(use())
    assert 0 == ledger.view(lambda uow: uow.sessions.count())


def test_what_another_program_stores_is_in_the_thread(kit: Any, ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("t", title="Trip")
        uow.messages.append("t", "user", "Where to?", key="k")
        uow.messages.append("t", "assistant", "Lisbon.")

    async def use() -> None:
        store = kit.ChatledgerStore(ledger)
        loaded = await store.load_thread("t", None)
        assert ("Trip", "t") == (loaded.title, loaded.id)
        await store.save_thread(loaded, None)
        assert ["t"] == await walk(threads(store, "desc"), 5)
        assert ["message_2", "k"] == await walk(items(store, "desc"), 1)
        assert "Lisbon." == (await store.load_item("t", "message_2", None)).content[0].text
        await store.delete_thread_item("t", "message_2", None)
        await store.delete_thread_item("t", "k", None)
        ledger.run(lambda uow: uow.sessions.update("t", title="Other"))
        assert "Other" == (await store.load_thread("t", None)).title

    asyncio.run(use())
    assert 0 == ledger.view(lambda uow: uow.sessions.get("t")).message_count


@pytest.mark.parametrize("arguments", [{"on_closed": "ignore"}, {"ledger_or_url": None}, {"user_of": "ada"}])
def test_an_argument_that_is_not_valid_is_refused(kit: Any, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        kit.ChatledgerStore(**{"ledger_or_url": "sqlite:///:memory:", **arguments})


def test_a_server_creates_answers_retries_and_lists(kit: Any, ledger: Ledger) -> None:
    from chatkit.server import ChatKitServer, StreamingResult  # noqa: PLC0415 - the framework's
    from chatkit.types import ThreadItemDoneEvent  # noqa: PLC0415

    class Server(ChatKitServer):  # type: ignore[type-arg, unused-ignore] # has no types without the framework
        async def respond(self, thread: Any, input_user_message: Any, context: Any) -> Any:
            item = said(0, "Lisbon in May.")
            item.id = self.store.generate_item_id("message", thread, context)
            yield ThreadItemDoneEvent(item=item)

    async def use() -> None:
        server = Server(kit.ChatledgerStore(ledger, user_id="ada"))

        async def ask(kind: str, **params: Any) -> Any:
            answer = await server.process(json.dumps({"type": kind, "params": params}), None)
            if isinstance(answer, StreamingResult):
                return [json.loads(chunk.decode().removeprefix("data: ")) async for chunk in answer]
            return json.loads(answer.json)

        question = {
            "content": [{"type": "input_text", "text": "Where to in May?"}],
            "attachments": [],
            "inference_options": {},
        }
        created = await ask("threads.create", input=question)
        id_ = next(event["thread"]["id"] for event in created if event["type"] == "thread.created")
        await ask("threads.add_user_message", thread_id=id_, input=question)
        listed = (await ask("items.list", thread_id=id_, order="asc"))["data"]
        assert ["user_message", "assistant_message"] * 2 == [item["type"] for item in listed]
        await ask("threads.retry_after_item", thread_id=id_, item_id=listed[0]["id"])
        listed = (await ask("items.list", thread_id=id_, order="asc"))["data"]
        assert ["user_message", "assistant_message"] == [item["type"] for item in listed]
        await ask("threads.update", thread_id=id_, title="Trip")
        assert "Trip" == (await ask("threads.list"))["data"][0]["title"]
        with ledger.read() as uow:
            assert 1 == len(uow.search.messages("lisbon may").items)
        await ask("threads.delete", thread_id=id_)
        assert [] == (await ask("threads.list"))["data"]

    asyncio.run(use())
