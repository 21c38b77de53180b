"""Figures for OpenTelemetry: `pip install 'chatledger[opentelemetry]'`.

Metrics only. For a span of every statement there is `opentelemetry-instrumentation-sqlalchemy`: give it
`ledger.engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from chatledger.errors import MissingExtra
from chatledger.ledger.ledger import Ledger
from chatledger.observers import Observer
from chatledger.schemas.fields import flags
from chatledger.telemetry import BOUNDS

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from chatledger.schemas import SweepReport

# OpenTelemetry's words for the states of a pooled connection.
_STATES = {"in_use": "used", "idle": "idle"}


def instrument(
    ledger: Ledger, *, meter_provider: MeterProvider | None = None, name: str = "main", statements: bool = True
) -> Callable[[], None]:
    """Give a ledger's figures to a meter provider (the global one, or another); call what is given back to end that.

    | instrument | attributes beside `chatledger.name` | |
    | --- | --- | --- |
    | `chatledger.messages.appended` | | counter: messages appended and committed |
    | `chatledger.transaction.duration` | `mode`, `outcome` | histogram, seconds |
    | `chatledger.transaction.wait` | `mode` | histogram, seconds: until a transaction began |
    | `db.client.operation.duration` | `db.system.name`, `db.operation.name` | histogram, seconds: statements by verb |
    | `chatledger.sweeps` | | counter: sweeps that came to their end |
    | `chatledger.sessions.swept` | `action` | counter: warned, idled, archived, failed |
    | `db.client.connection.count` | `db.client.connection.state` | gauge: used, idle |
    | `db.client.connection.max` | | gauge |

    Names with `db.client` are those of OpenTelemetry's conventions for databases. `name` tells several ledgers apart.
    `statements=False` leaves the durations of statements out, and with them what they cost an append on SQLite.

    Raises:
        MissingExtra: the API is not installed.
    """
    flags(statements=statements)
    try:
        from opentelemetry.metrics import get_meter  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("opentelemetry", "reporting to OpenTelemetry") from None
    teller = _Teller(get_meter("chatledger", meter_provider=meter_provider), ledger, name, statements)
    remove = ledger.observe(teller)

    def stop() -> None:
        remove()
        teller.ledger = None  # an instrument cannot be taken back: it has nothing to say from now on

    return stop


class _Teller(Observer):
    def __init__(self, meter: Any, ledger: Ledger, name: str, statements: bool) -> None:
        self.ledger: Ledger | None = ledger
        self.statements = statements
        self._base = {"chatledger.name": name}
        self._system = {**self._base, "db.system.name": ledger.engine.dialect.name}

        def histogram(called: str, description: str) -> Any:
            return meter.create_histogram(
                called, unit="s", description=description, explicit_bucket_boundaries_advisory=BOUNDS
            )

        self._appended = meter.create_counter(
            "chatledger.messages.appended", unit="{message}", description="Messages appended and committed"
        )
        self._transactions = histogram("chatledger.transaction.duration", "Transactions")
        self._waits = histogram("chatledger.transaction.wait", "Waits for a transaction")
        self._statements = histogram("db.client.operation.duration", "Statements")
        self._sweeps = meter.create_counter(
            "chatledger.sweeps", unit="{sweep}", description="Sweeps that came to an end"
        )
        self._swept = meter.create_counter(
            "chatledger.sessions.swept", unit="{session}", description="Sessions that were swept"
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.count", [self._connections], "{connection}", "Connections of the pool"
        )
        meter.create_observable_up_down_counter(
            "db.client.connection.max", [self._most], "{connection}", "Connections that the pool may have"
        )

    def transaction(self, mode: str, outcome: str, waited: float, seconds: float) -> None:
        self._waits.record(waited, {**self._base, "mode": mode})
        self._transactions.record(seconds, {**self._base, "mode": mode, "outcome": outcome})

    def appended(self, messages: int) -> None:
        self._appended.add(messages, self._base)

    def statement(self, verb: str, seconds: float) -> None:
        self._statements.record(seconds, {**self._system, "db.operation.name": verb})

    def swept(self, report: SweepReport) -> None:
        if report.dry_run:
            return
        self._sweeps.add(1, self._base)
        for action in ("warned", "idled", "archived", "failed"):
            self._swept.add(getattr(report, action), {**self._base, "action": action})

    def _pool(self) -> dict[str, int]:
        return self.ledger.pool_status() if self.ledger is not None else {}

    def _connections(self, _options: CallbackOptions) -> Iterator[Observation]:
        return self._observed({said: self._pool().get(state) for state, said in _STATES.items()})

    def _most(self, _options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - an extra

        most = self._pool().get("max")
        return [] if most is None else [Observation(most, self._base)]

    def _observed(self, counts: dict[str, int | None]) -> Iterator[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - an extra

        for state, count in counts.items():
            if count is not None:
                yield Observation(count, {**self._base, "db.client.connection.state": state})
