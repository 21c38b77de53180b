"""Cold start: a new interpreter until its first append."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import chatledger
from benchmarks.bench import Bench
from benchmarks.figures import Figure, at_most, figure
from benchmarks.rounds import Measured, Sample, compare
from chatledger import Ledger

_IMPORTS = "from sqlalchemy.orm import DeclarativeBase; from pydantic import BaseModel"
_EXISTING = """
from chatledger import Ledger
ledger = Ledger({url!r})
ledger.append("0", "user", "Hello")
"""
_NEW = """
from chatledger import Ledger
ledger = Ledger({url!r})
ledger.append(ledger.create().session_id, "user", "Hello")
"""


def start(bench: Bench) -> Iterator[Figure]:
    """Import, open an existing ledger and append, against importing SQLAlchemy's ORM and Pydantic alone.

    The new ledger, which is migrated first, is for information.
    """
    if bench.quick and bench.database.name != "sqlite":
        return  # it has no bar there
    url = bench.database.fresh()
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.sessions.create(session_id="0")
    imports = _timed(lambda: _IMPORTS)
    existing = _timed(lambda: _EXISTING.format(url=url))
    comparison = compare(imports, existing, rounds=bench.scale.starts)
    bar = at_most(1.2) if bench.database.name == "sqlite" else None
    yield figure(
        "cold start, existing ledger", bench.database.name, comparison, against="imports alone", unit="ms", bar=bar
    )
    if bench.database.name == "sqlite" and not bench.quick:
        empty = (url.replace(".db", f"-new-{number}.db") for number in range(1000))
        new = _timed(lambda: _NEW.format(url=next(empty)))
        comparison = compare(imports, new, rounds=bench.scale.starts)
        yield figure(
            "cold start, new ledger", bench.database.name, comparison, against="imports alone", unit="ms", bar=None
        )


def _timed(code: Callable[[], str]) -> Measured:
    """Milliseconds that a new interpreter takes for a program."""

    def run(_number: int) -> Sample:
        program = code()
        began, cpu = perf_counter(), _used()
        subprocess.run([sys.executable, "-c", program], check=True, env=environment())
        return Sample((perf_counter() - began) * 1000, (_used() - cpu) * 1000)

    return run


def _used() -> float:
    """Processor time of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def environment() -> dict[str, str]:
    """The environment of a new interpreter: the package is found without the hooks of an editable install, compiled."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(Path(chatledger.__file__).parents[1])}
