"""A ledger with rows of every kind, and all that is stored of it, to the last digit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import NullPool, Row, Text, cast, create_engine, literal_column, select

from chatledger import Ledger
from chatledger.models import Base
from chatledger.services import checkpoints
from chatledger.services.checkpoints import StoredCheckpoint, StoredWrite
from tests.support.raw import Raw

TEXTS = (
    "Where to in May?",
    "数据库 und Zürich",
    "\U0001d54f 🧳\u200d\u2028\ttab",
    "",
    "'; DROP TABLE chatledger_sessions; --",
    "x" * 70_000,
)
EDGE = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)

TIERS: list[dict[str, Any]] = [
    {"above_tokens": 272_000, "input": "2.5", "output": 15},
    {"service_tier": "batch", "factor": "0.5"},
]


def fill(ledger: Ledger) -> None:
    """Use everything that leaves rows."""
    with ledger.begin(actor="the maker") as uow:
        uow.timeouts.configure_default(user_id="ada", idle_timeout=600, hard_timeout=86_400)
        uow.timeouts.configure_default(idle_timeout=3600)
        uow.models.price(
            "gpt-5", input="1.25", output=10, others={"audio": "0.5"}, tiers=TIERS, effective_from="2025-08-07"
        )
        uow.sessions.create(
            "trip", user_id="ada", project_id="travel", model_id="gpt-5", title="Trip \"'", system_prompt="Be brief.",
            context={"z": 1, "a": 1.0, "big": 1e16, "nested": {"b": [None, True, 2**60]}}, idle_timeout=60,
        )  # fmt: skip
        for number in range(120):
            uow.messages.append(
                "trip", "user" if number % 2 else "assistant", TEXTS[number % len(TEXTS)], input_tokens=number,
                cost="0.000000001" if number % 3 else "999999.123456789", duration_ms=number, key=f"k{number}",
                payload={"n": number, "f": 1e16, "z": None, "a": [1.0]} if number % 5 == 0 else None,
                metadata={"m": number} if number % 7 == 0 else None,
            )  # fmt: skip
        uow.messages.append("trip", "tool", "{}", name="get_weather", tool_call_id="c1", created_at=EDGE)
        for _ in range(3):
            uow.messages.pop("trip")
        uow.messages.redact("trip", 3)
        uow.metadata.set("trip", "tags", ["sea", 1.0, {"k": "v"}])
        uow.state.set("taste", {"seat": "window", "f": 1e16}, user_id="ada")
        uow.state.set("budget", "1.0", project_id="travel")
        uow.state.set("step", [1.0, None], session_id="trip")
        uow.sessions.fork("trip", at=10)
        uow.snapshots.take("trip", reason="before the flight")
        uow.annotations.add(
            "trip", sequence_number=2, label="good", score=0.1, text=TEXTS[1], author="bob", metadata={"v": 1e16}
        )
        body = bytes(range(256))
        checkpoints.put(uow._context, "trip", StoredCheckpoint("", "2", "1", "run", "msgpack", body, "msgpack", b""))
        checkpoints.put_writes(uow._context, "trip", [StoredWrite("", "2", "task", -1, "~a", "c", "msgpack", body)])
        uow.metrics.record("latency", 1 / 3, "s", session_id="trip", model_id="gpt-5", metadata={"p": [0.5]})
        uow.comparisons.create("which", variants=["a", "b"], user_id="ada", title=TEXTS[4])
        uow.comparisons.add("which", "a", "trip", prompt_key="p")
        uow.comparisons.record(
            "which", "p", "a", "b", judge="ada", preference=1 / 3, cost_a="0.000000001", notes=TEXTS[1]
        )
        uow.batches.create("job", [{"key": f"k{n}", "payload": {"n": 1e16}} for n in range(4)], metadata={"a": [1.0]})
        first, second = uow.batches.claim("job", worker="w", limit=2)
        uow.batches.complete(first, {"answer": 1.0}, session_id="trip")
        uow.batches.fail(second, ValueError("no"))
        uow.workflows.define({"name": "flow", "steps": {"one": {"exec": ["true"]}}}, user_id="ada")
        uow.workflows.start("flow", {}, user_id="ada", execution_id="run")
        uow.sessions.create("idle one", user_id="bob", name="main")
        uow.messages.append("idle one", "user", "zzz")
        uow.sessions.mark_idle("idle one")
        uow.sessions.create("held", user_id="bob", model_id="gpt-5")
        uow.messages.append(
            "held", "assistant", "p", input_tokens=7, output_tokens=3, reasoning_tokens=1, outcome="error", hidden=True
        )
        uow.sessions.hold("held", reason="the law")
        uow.sessions.create("emptied", user_id="lin")
        uow.messages.append_many("emptied", [{"role": "user", "content": f"gone {n}"} for n in range(9)])
        uow.messages.clear("emptied")
        uow.sessions.create("put away", user_id="lin")
        uow.messages.append("put away", "user", "bye")
        uow.sessions.archive("put away", reason="done")
        uow.sessions.create("deleted")
        uow.sessions.delete("deleted")
    ledger.erase_user("lin", reason="asked to", scrub=False)
    with ledger.begin() as uow:
        uow.sessions.create("bob's other", user_id="bob", parent="idle one")
        uow.sessions.expire("bob's other")


def stored(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every column of every row: as Python objects, and JSON as the very text."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    with create_engine(url, poolclass=NullPool).connect() as connection:
        for table in Base.metadata.sorted_tables:
            columns = [_exactly(column) for column in table.columns]
            rows = connection.execute(select(*columns).order_by(*table.primary_key.columns))
            found[table.name] = [_as_read(row) for row in rows]
    found["next numbers"] = [(_last_number(url),)]
    return found


def _as_read(row: Row[Any]) -> tuple[Any, ...]:
    # An hour is text on SQLite and a time without a time zone on PostgreSQL.
    return tuple(str(value)[:13] if name == "activity_hour" else value for name, value in row._mapping.items())


def without_restoration(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """All but the entry that a restoration makes, and the number that it took."""
    kept = {name: list(found) for name, found in rows.items() if name != "next numbers"}
    kept["chatledger_audit_log"] = [row for row in kept["chatledger_audit_log"] if "ledger.restored" not in row]
    return kept


def counts(url: str) -> tuple[int, int]:
    """How many sessions and messages there are."""
    raw = Raw(url)
    return raw.count("chatledger_sessions"), raw.count("chatledger_messages")


def _exactly(column: Any) -> Any:
    if type(column.type).__name__ == "Document":
        return cast(_plain(column), Text).label(column.name)
    return column


def _plain(column: Any) -> Any:
    # By name: the type would read it in its own way.
    return literal_column(f'{column.table.name}."{column.name}"')


def _last_number(url: str) -> int:
    raw = Raw(url)
    if raw.engine.dialect.name == "sqlite":
        return int(raw("SELECT seq FROM sqlite_sequence WHERE name = 'chatledger_audit_log'")[0][0])
    return int(raw("SELECT last_value FROM chatledger_audit_log_audit_id_seq")[0][0])
