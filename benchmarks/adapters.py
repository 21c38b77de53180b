"""`python -m benchmarks.adapters`: the adapters to agent frameworks, each against the framework's own stores.

Each is measured where its extra and the store's package are installed. The stores take turns, and a time is the one that
a tenth stay below, so that a busy machine does not matter. An append is one item as the framework appends it, a reload
is a whole session as the framework reads it before each turn. A checkpoint of LangGraph holds all items so far, and a
reload is the newest one.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import make_url

from benchmarks.databases import opened
from chatledger import AsyncLedger, Ledger

OURS = "chatledger"
_TEXT = "How warm is it in Lisbon in May, and where do people go to swim? " * 8
#: Items that a store is given before it is the next one's turn.
_TURN = 10


class Store(NamedTuple):
    """What is measured. Awaited, where the framework awaits it."""

    append: Callable[[int], Any]
    """Append the item of a number."""
    reload: Callable[[], Any]
    """Read all items."""
    close: Callable[[], Any]


class Place(NamedTuple):
    """Where the stores of a framework are: the ledger is on `url`, the framework's own are beside it."""

    url: str
    folder: Path

    @property
    def alone(self) -> bool:
        return self.url.startswith("sqlite")

    def other(self, driver: str) -> str:
        """A URL for the framework's store: a file of its own, or the same server."""
        if self.alone:
            return f"sqlite{driver}:///{self.folder / 'other.db'}"
        return make_url(self.url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def openai_agents(place: Place) -> Iterator[tuple[str, Store]]:
    from agents import SQLiteSession  # noqa: PLC0415 - each framework is imported when it is measured, here and below
    from agents.extensions.memory import SQLAlchemySession  # noqa: PLC0415

    from chatledger.interop.openai_agents import ChatledgerSession  # noqa: PLC0415

    def store(session: Any, close: Callable[[], Any]) -> Store:
        return Store(lambda number: session.add_items([_openai_item(number)]), session.get_items, close)

    ledger = AsyncLedger(place.url)
    yield OURS, store(ChatledgerSession("bench", ledger), ledger.close)
    theirs = SQLAlchemySession.from_url("bench", url=place.other("+aiosqlite"), create_tables=True)
    yield "SQLAlchemySession", store(theirs, theirs.engine.dispose)
    if place.alone:
        plain = SQLiteSession("bench", place.folder / "plain.db")
        yield "SQLiteSession", store(plain, plain.close)


def langchain(place: Place) -> Iterator[tuple[str, Store]]:
    from langchain_community.chat_message_histories import SQLChatMessageHistory  # noqa: PLC0415
    from langchain_core.messages import AIMessage, HumanMessage  # noqa: PLC0415

    from chatledger.interop.langchain import ChatledgerChatMessageHistory  # noqa: PLC0415

    def store(history: Any, close: Callable[[], Any]) -> Store:
        def append(number: int) -> None:
            history.add_messages([(AIMessage if number % 2 else HumanMessage)(_TEXT)])

        return Store(append, lambda: history.messages, close)

    ledger = Ledger(place.url)
    yield OURS, store(ChatledgerChatMessageHistory("bench", ledger), ledger.close)
    theirs = SQLChatMessageHistory("bench", connection=place.other(""))
    yield "SQLChatMessageHistory", store(theirs, theirs.engine.dispose)


def langgraph(place: Place) -> Iterator[tuple[str, Store]]:
    from langgraph.checkpoint.base import empty_checkpoint  # noqa: PLC0415

    from chatledger.interop.langgraph import ChatledgerSaver  # noqa: PLC0415

    def store(saver: Any, close: Callable[[], Any]) -> Store:
        config: dict[str, Any] = {"configurable": {"thread_id": "bench", "checkpoint_ns": ""}}
        items: list[Any] = []

        def append(number: int) -> None:
            nonlocal config
            items.append(_openai_item(number))
            checkpoint = empty_checkpoint()
            checkpoint["channel_values"] = {"messages": items}
            versions = checkpoint["channel_versions"] = {"messages": f"{number:032}"}
            config = saver.put(config, checkpoint, {"source": "loop", "step": number}, versions)

        def reload() -> Any:
            return saver.get_tuple({"configurable": {"thread_id": "bench"}}).checkpoint["channel_values"]["messages"]

        return Store(append, reload, close)

    ledger = Ledger(place.url)
    yield OURS, store(ChatledgerSaver(ledger), ledger.close)
    with ExitStack() as stack:
        if place.alone:
            from langgraph.checkpoint.sqlite import SqliteSaver  # noqa: PLC0415

            name, theirs = (
                "SqliteSaver",
                stack.enter_context(SqliteSaver.from_conn_string(str(place.folder / "other.db"))),
            )
        else:
            from langgraph.checkpoint.postgres import PostgresSaver  # noqa: PLC0415

            url = place.other("").replace("+psycopg", "", 1)
            name, theirs = "PostgresSaver", stack.enter_context(PostgresSaver.from_conn_string(url))
        theirs.setup()
        yield name, store(theirs, stack.pop_all().close)


def llama_index(place: Place) -> Iterator[tuple[str, Store]]:
    from llama_index.core.llms import ChatMessage  # noqa: PLC0415
    from llama_index.core.storage.chat_store.sql import SQLAlchemyChatStore  # noqa: PLC0415

    from chatledger.interop.llama_index import ChatledgerChatStore  # noqa: PLC0415

    def store(chats: Any, close: Callable[[], Any]) -> Store:
        def append(number: int) -> Any:
            return chats.add_message("bench", ChatMessage(_TEXT, role="assistant" if number % 2 else "user"))

        return Store(append, lambda: chats.get_messages("bench"), close)

    ledger = AsyncLedger(place.url)
    yield OURS, store(ChatledgerChatStore(ledger), ledger.close)
    theirs = SQLAlchemyChatStore(table_name="bench", async_database_uri=place.other("+aiosqlite"))
    yield "SQLAlchemyChatStore", store(theirs, lambda: None)


FRAMEWORKS = {
    "openai-agents": openai_agents,
    "langchain": langchain,
    "langgraph": langgraph,
    "llama-index": llama_index,
}


def _openai_item(number: int) -> Any:
    """What a model answers: a message, a call of a tool or its result."""
    if number % 4 == 1:
        arguments = '{"city": "Lisbon", "days": 7}'
        return {
            "type": "function_call",
            "call_id": f"c{number}",
            "name": "weather",
            "arguments": arguments,
            "id": f"f{number}",
        }
    if number % 4 == 2:
        return {"type": "function_call_output", "call_id": f"c{number - 1}", "output": _TEXT}
    if number % 4 == 3:
        part = {"type": "output_text", "text": _TEXT, "annotations": []}
        return {"type": "message", "id": f"m{number}", "role": "assistant", "status": "completed", "content": [part]}
    return {"role": "user", "content": _TEXT}


async def measure(stores: dict[str, Store], *, items: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Microseconds of an append and of a reload, by store."""
    taken: dict[str, dict[str, list[float]]] = {name: {"append": [], "reload": []} for name in stores}
    for begin in range(0, items, _TURN):
        for name, store in stores.items():
            for number in range(begin, min(begin + _TURN, items)):
                taken[name]["append"].append(await _timed(lambda: store.append(number)))  # noqa: B023 - called at once
    for name, store in stores.items():
        read = await _done(store.reload())
        if len(read) != items:
            raise RuntimeError(f"{name} reads {len(read)} of {items} items")
    for _ in range(rounds):
        for name, store in stores.items():
            taken[name]["reload"] += [await _timed(store.reload) for _ in range(_TURN // 2)]
    for store in stores.values():
        await _done(store.close())
    return {name: (_quick(found["append"]), _quick(found["reload"])) for name, found in taken.items()}


def _quick(times: list[float]) -> float:
    """The time that one of ten stays below: what a store takes when nothing else is in its way."""
    return statistics.quantiles(times, n=10)[0]


async def _timed(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    await _done(call())
    return (time.perf_counter() - begun) * 1e6


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adapters", description=__doc__)
    parser.add_argument("frameworks", nargs="*", metavar="FRAMEWORK", help=f"all by default: {', '.join(FRAMEWORKS)}")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--items", type=int, default=200, help="items of the session, each appended by itself")
    parser.add_argument("--rounds", type=int, default=20, help="how often each store's turn of reading comes")
    arguments = parser.parse_args()
    if unknown := set(arguments.frameworks) - set(FRAMEWORKS):
        parser.error(f"no benchmark of {', '.join(sorted(unknown))}")
    console = Console()
    table = Table("Framework", "Store", "Append µs", "×", f"Reload of {arguments.items} µs", "×")
    with opened(arguments.database) as database:
        for framework in arguments.frameworks or FRAMEWORKS:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    stores = dict(FRAMEWORKS[framework](Place(database.fresh(), Path(folder))))
                except ImportError as error:
                    console.print(f"{framework} is left out: {error}")
                    continue
                found = asyncio.run(measure(stores, items=arguments.items, rounds=arguments.rounds))
            for name, times in found.items():
                cells = [[f"{time:.0f}", f"{mine / time:.2f}"] for mine, time in zip(found[OURS], times, strict=True)]
                table.add_row(framework, name, *cells[0], *cells[1])
    console.print(table)
    console.print("× is chatledger's time as a multiple of the store's.")


if __name__ == "__main__":
    main()
