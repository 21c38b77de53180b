"""How a ledger is, told at once and without raising."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatledger import migrate as migrations
from chatledger import schemas
from chatledger.database import Database
from chatledger.dialects.base import State
from chatledger.errors import ChatledgerError, LedgerClosed, SchemaError
from chatledger.settings import MIB

if TYPE_CHECKING:
    from chatledger.dialects.maintenance import Diagnostics
    from chatledger.schemas import Health, Problem

TIMEOUT = 2.0
"""When each figure is a problem: `Ledger.health` says what they are."""
POOL_SHARE = 0.9
WAL_BYTES = 256 * MIB
DISK_FREE_BYTES = 256 * MIB
SWEEP_LAG = 3600.0


@dataclass(frozen=True)
class Limits:
    """Beyond which a figure is a problem."""

    timeout: float
    pool_share: float
    wal_bytes: int
    disk_free_bytes: int
    sweep_lag: float


def _unknown() -> Diagnostics:
    # Here and below: every ledger imports this module, for the limits that `Ledger.health` has.
    from chatledger.dialects.maintenance import Diagnostics  # noqa: PLC0415

    return Diagnostics()


@dataclass
class _Seen:
    """What the database answered, as far as it did."""

    state: State | None = None
    diagnostics: Diagnostics = field(default_factory=_unknown)
    sweep_lag: float = 0.0
    failure: str | None = None


# Questions that have not been answered yet: a ledger whose database hangs has one, not one for each time it is asked.
_asking: weakref.WeakKeyDictionary[Database, threading.Thread] = weakref.WeakKeyDictionary()


def look(database: Database, pool: dict[str, int], limits: Limits) -> Health:
    """`Ledger.health`."""
    began = time.perf_counter()
    seen, answered = _Seen(), False
    # A pool of one (a ledger in memory, a command's) is often in use: it is waited for.
    full = pool.get("max", 0) > 1 and pool["in_use"] >= pool["max"]
    if database.is_closed:
        problems = [schemas.Problem(kind="closed", message="the ledger is closed: open a new one")]
    elif full:
        problems = []  # the question would need a connection, too
    else:
        answered = _ask(database, seen, limits.timeout)
        problems = list(_problems(seen, limits, answered=answered))
    if pool.get("max", 0) > 1 and pool["in_use"] >= limits.pool_share * pool["max"]:
        message = f"{pool['in_use']} of {pool['max']} connections are in use: close units of work sooner"
        problems.append(schemas.Problem(kind="pool", message=message))
    reachable = answered and seen.failure is None
    return schemas.Health(
        reachable=reachable,
        writable=reachable and seen.diagnostics.unwritable is None,
        revision=None if seen.state is None else seen.state.revision,
        head=migrations.HEAD,
        pool=pool,
        wal_bytes=seen.diagnostics.wal_bytes,
        disk_free_bytes=seen.diagnostics.disk_free_bytes,
        sweep_lag=seen.sweep_lag,
        problems=tuple(problems),
        notes=tuple(seen.diagnostics.notes),
        seconds=time.perf_counter() - began,
    )


def unopened(error: ChatledgerError) -> Health:
    """How a ledger is that could not be opened."""
    kind = (
        "closed" if isinstance(error, LedgerClosed) else "schema" if isinstance(error, SchemaError) else "unreachable"
    )
    return schemas.Health(
        reachable=False,
        writable=False,
        revision=getattr(error, "current", None),
        head=migrations.HEAD,
        pool={},
        wal_bytes=None,
        disk_free_bytes=None,
        sweep_lag=0.0,
        problems=(schemas.Problem(kind=kind, message=str(error)),),
        notes=(),
        seconds=0.0,
    )


def _ask(database: Database, seen: _Seen, timeout: float) -> bool:
    """Have the database asked in a thread, which may hang as long as it likes; whether the answer came in time."""
    before = _asking.get(database)
    if before is not None and before.is_alive():
        before.join(timeout)
        if before.is_alive():
            return False
    thread = threading.Thread(target=_answer, args=(database, seen), name="chatledger health", daemon=True)
    _asking[database] = thread
    thread.start()
    thread.join(timeout)
    return not thread.is_alive()


def _answer(database: Database, seen: _Seen) -> None:
    try:
        with database.translated(), database.engine.connect() as connection:
            seen.diagnostics = database.dialect.maintenance.diagnostics(connection, database.url)
            seen.state = database.dialect.state(connection)
            if seen.state.revision == migrations.HEAD:
                from chatledger.backup.counts import oldest_check  # noqa: PLC0415 - as above

                oldest = oldest_check(connection)
                if oldest is not None:
                    seen.sweep_lag = max(0.0, (database.clock() - oldest).total_seconds())
            connection.rollback()
    except ChatledgerError as error:
        seen.failure = str(error)
    except Exception as error:  # noqa: BLE001 - it never raises; the text of a foreign error may hold anything
        seen.failure = f"the question failed ({type(error).__name__})"


def _problems(seen: _Seen, limits: Limits, *, answered: bool) -> Iterator[Problem]:
    if not answered:
        yield schemas.Problem(kind="unreachable", message=f"no answer within {limits.timeout:g} s")
        return
    if seen.failure is not None:
        yield schemas.Problem(kind="unreachable", message=seen.failure)
        return
    diagnostics = seen.diagnostics
    if seen.state is not None:
        yield from _of_schema(seen.state)
    if diagnostics.unwritable is not None:
        yield schemas.Problem(kind="unwritable", message=diagnostics.unwritable)
    wal, free, lag = diagnostics.wal_bytes, diagnostics.disk_free_bytes, seen.sweep_lag
    if wal is not None and wal > limits.wal_bytes:
        message = f"the log has {wal} bytes: somebody reads an old state, or run `chatledger db maintain`"
        yield schemas.Problem(kind="wal", message=message)
    if free is not None and free < limits.disk_free_bytes:
        yield schemas.Problem(kind="disk", message=f"{free} bytes are free on the disk: make room")
    if lag > limits.sweep_lag:
        message = f"a session has been due for {lag:.0f} s: run a sweep, or see why none runs"
        yield schemas.Problem(kind="sweep", message=message)


def _of_schema(state: State) -> Iterator[Problem]:
    try:
        migrations.require_head(state)
    except SchemaError as error:
        yield schemas.Problem(kind="schema", message=str(error))
