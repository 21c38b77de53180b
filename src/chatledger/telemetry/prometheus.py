"""Figures for Prometheus: `pip install 'chatledger[prometheus]'`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from chatledger.errors import Conflict, MissingExtra
from chatledger.ledger.ledger import Ledger
from chatledger.observers import Observer
from chatledger.schemas.fields import flags
from chatledger.telemetry import BOUNDS

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from chatledger.schemas import SweepReport


def instrument(
    ledger: Ledger, *, registry: CollectorRegistry | None = None, name: str = "main", statements: bool = True
) -> Callable[[], None]:
    """Give a ledger's figures to a registry (the client's own, or another); call what is given back to end that.

    | metric | labels | |
    | --- | --- | --- |
    | `chatledger_messages_appended_total` | `ledger` | messages appended and committed |
    | `chatledger_transaction_seconds` | `ledger`, `mode`, `outcome` | histogram: from the beginning to the end |
    | `chatledger_transaction_wait_seconds` | `ledger`, `mode` | histogram: until a transaction began |
    | `chatledger_statement_seconds` | `ledger`, `verb` | histogram: statements that ended without an error |
    | `chatledger_sweeps_total` | `ledger` | sweeps that came to their end |
    | `chatledger_swept_sessions_total` | `ledger`, `action` | `warned`, `idled`, `archived`, `failed` |
    | `chatledger_pool_connections` | `ledger`, `state` | gauge: `in_use`, `idle` and `max` |

    `name` is the value of `ledger`, to tell several apart. `statements=False` leaves the durations of statements out, and
    with them what they cost an append on SQLite. The figures are this process's: Prometheus adds those of several up.

    Raises:
        MissingExtra: the client library is not installed.
        Conflict: the registry has figures of a ledger of this name already.
    """
    flags(statements=statements)
    try:
        from prometheus_client import REGISTRY  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("prometheus", "reporting to Prometheus") from None
    chosen = REGISTRY if registry is None else registry
    with _turn:
        metrics = _of_registry.get(chosen)
        if metrics is None:
            metrics = _of_registry[chosen] = _Metrics(chosen)
        if name in metrics.ledgers:
            raise Conflict(f"the registry has figures of a ledger named {name!r} already: give this one another name")
        metrics.ledgers[name] = ledger
    remove = ledger.observe(_Teller(metrics, name, statements))

    def stop() -> None:
        remove()
        with _turn:
            metrics.forget(name)

    return stop


_turn = threading.Lock()
_of_registry: WeakKeyDictionary[Any, _Metrics] = WeakKeyDictionary()


class _Metrics:
    """The metrics of one registry, and the ledgers that fill them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Histogram  # noqa: PLC0415 - an extra

        self.ledgers: dict[str, Ledger] = {}
        labels: dict[str, Any] = {"registry": registry}
        timed: dict[str, Any] = {**labels, "buckets": BOUNDS}
        self.appended = Counter("chatledger_messages_appended", "Messages appended and committed", ["ledger"], **labels)
        self.transactions = Histogram(
            "chatledger_transaction_seconds", "Transactions", ["ledger", "mode", "outcome"], **timed
        )
        self.waits = Histogram(
            "chatledger_transaction_wait_seconds", "Waits for a transaction", ["ledger", "mode"], **timed
        )
        self.statements = Histogram("chatledger_statement_seconds", "Statements", ["ledger", "verb"], **timed)
        self.sweeps = Counter("chatledger_sweeps", "Sweeps that came to their end", ["ledger"], **labels)
        self.swept = Counter("chatledger_swept_sessions", "Sessions that were swept", ["ledger", "action"], **labels)
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        """The pools, as they are when somebody asks."""
        from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - an extra

        pools = GaugeMetricFamily("chatledger_pool_connections", "Connections of the pool", labels=["ledger", "state"])
        for name, ledger in list(self.ledgers.items()):
            for state, count in ledger.pool_status().items():
                if state in ("in_use", "idle", "max"):
                    pools.add_metric([name, state], count)
        return [pools]

    def forget(self, name: str) -> None:
        self.ledgers.pop(name, None)
        for metric in (self.appended, self.transactions, self.waits, self.statements, self.sweeps, self.swept):
            metric.remove_by_labels({"ledger": name})


class _Teller(Observer):
    def __init__(self, metrics: _Metrics, name: str, statements: bool) -> None:
        self._metrics = metrics
        self._name = name
        self.statements = statements
        # There from the beginning, so that a rate can be taken of the first one.
        self._appended = metrics.appended.labels(name)
        self._sweeps = metrics.sweeps.labels(name)

    def transaction(self, mode: str, outcome: str, waited: float, seconds: float) -> None:
        self._metrics.waits.labels(self._name, mode).observe(waited)
        self._metrics.transactions.labels(self._name, mode, outcome).observe(seconds)

    def appended(self, messages: int) -> None:
        self._appended.inc(messages)

    def statement(self, verb: str, seconds: float) -> None:
        self._metrics.statements.labels(self._name, verb).observe(seconds)

    def swept(self, report: SweepReport) -> None:
        if report.dry_run:
            return
        self._sweeps.inc()
        for action in ("warned", "idled", "archived", "failed"):
            self._metrics.swept.labels(self._name, action).inc(getattr(report, action))
