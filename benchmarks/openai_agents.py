"""`python -m benchmarks.openai_agents`: a session of the OpenAI Agents SDK in a ledger, against the SDK's own stores.

Needs the extra `openai-agents`. The stores take turns, and a time is the one that a tenth stay below, so that a busy
machine does not matter. An append is one `add_items` of one item, as the runner appends an answer; a reload is
`get_items` of a whole session, as the runner reads it before each turn.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agents import SQLiteSession
from agents.extensions.memory import SQLAlchemySession
from rich.console import Console
from rich.table import Table

from benchmarks.databases import opened
from chatledger import AsyncLedger
from chatledger.interop.openai_agents import ChatledgerSession

_TEXT = "How warm is it in Lisbon in May, and where do people go to swim? " * 8
OURS = "chatledger"
#: Items that a store is given before it is the next one's turn.
_TURN = 10


def item(number: int) -> Any:
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


async def measure(url: str, folder: Path, *, items: int, rounds: int) -> dict[str, tuple[float, float]]:
    """Microseconds of an append and of a reload, by store."""
    ledger = AsyncLedger(url)
    alone = url.startswith("sqlite")
    driver = f"sqlite+aiosqlite:///{folder / 'sqlalchemy.db'}" if alone else url.replace("://", "+psycopg://", 1)
    stores: dict[str, Callable[[str], Any]] = {
        OURS: lambda id_: ChatledgerSession(id_, ledger),
        "SQLAlchemySession": lambda id_: SQLAlchemySession.from_url(id_, url=driver, create_tables=True),
    }
    if alone:
        stores["SQLiteSession"] = lambda id_: SQLiteSession(id_, folder / "sqlite.db")
    taken: dict[str, dict[str, list[float]]] = {name: {"append": [], "reload": []} for name in stores}
    sessions = {name: make("bench") for name, make in stores.items()}
    for begin in range(0, items, _TURN):
        for name, session in sessions.items():
            for number in range(begin, min(begin + _TURN, items)):
                taken[name]["append"].append(await _timed(session.add_items([item(number)])))
    for _ in range(rounds):
        for name, session in sessions.items():
            taken[name]["reload"] += [await _timed(session.get_items()) for _ in range(_TURN // 2)]
    for session in sessions.values():
        if isinstance(session, SQLAlchemySession):
            await session.engine.dispose()
        else:
            closed = session.close()
            if isinstance(closed, Awaitable):
                await closed
    await ledger.close()
    return {name: (_quick(found["append"]), _quick(found["reload"])) for name, found in taken.items()}


def _quick(times: list[float]) -> float:
    """The time that one of ten stays below: what a store takes when nothing else is in its way."""
    return statistics.quantiles(times, n=10)[0]


async def _timed(call: Awaitable[Any]) -> float:
    begun = time.perf_counter()
    await call
    return (time.perf_counter() - begun) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.openai_agents", description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--items", type=int, default=200, help="items of the session, each appended by itself")
    parser.add_argument("--rounds", type=int, default=20, help="how often each store's turn of reading comes")
    arguments = parser.parse_args()
    with opened(arguments.database) as database, tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(database.fresh(), Path(folder), items=arguments.items, rounds=arguments.rounds))
    table = Table("Store", "Append µs", "×", f"Reload of {arguments.items} µs", "×")
    ours = found[OURS]
    for name, times in found.items():
        cells = [[f"{time:.0f}", f"{mine / time:.2f}"] for mine, time in zip(ours, times, strict=True)]
        table.add_row(name, *cells[0], *cells[1])
    console = Console()
    console.print(table)
    console.print("× is chatledger's time as a multiple of the store's.")


if __name__ == "__main__":
    main()
