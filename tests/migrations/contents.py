"""A ledger with rows in every table, and what is in it."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, inspect, text

from chatledger import Ledger
from chatledger.dialects import dialect_of
from chatledger.models import Base
from tests.support.raw import Raw

TABLES = tuple(table.name for table in Base.metadata.sorted_tables)
"""In an order in which foreign keys point back."""

QUERIES = ("lisbon", "Zürich", "数据", "tide*", '"the second"', "harbour -lisbon")


def fill(url: str) -> None:
    """Put rows into every table: through the services where there are some, by SQL where there are none yet."""
    Raw(url)(
        "INSERT INTO chatledger_timeout_defaults (scope, scope_id, hard_limit) VALUES ('user', 'ada', 86400), ('ledger', '', 9)"
    )
    with closing(Ledger(url)) as ledger, ledger.begin() as uow:
        for name in ("first", "second", "empty"):
            uow.sessions.create(
                name, user_id="ada", project_id="travel", model_id="m-1", context={"of": name}, name=f"called {name}",
                parent="second" if name == "empty" else None,
            )  # fmt: skip
            uow.metadata.set(name, "colour", {"rgb": [1, 2.5, None]})
            uow.state.set("seen", {"n": [1, None]}, session_id=name)
        uow.state.set("likes", ["otters"], user_id="ada")
        uow.state.set("likes", ["otters", 1.5], user_id="ada")
        for number in range(30):
            text_ = f"Message {number} of Lisbon, Zürich and 数据库: the second tides of a harbour" * (1 + number % 3)
            uow.messages.append("first", "user", text_, input_tokens=number, cost="0.000000001", key=f"k{number}")
        uow.messages.append(
            "second", "tool", "quiet harbour", payload={"a": 1e16}, tokens_used=7, outcome="error", hidden=True
        )
        uow.messages.append(
            "second", "assistant", "…", reasoning_tokens=2, outcome="interrupted", duration_ms=5, cache_write_tokens=9,
            cache_write_1h_tokens=4, unpriced_units=1, service_tier="batch",
        )  # fmt: skip
        uow.models.add_alias("chat", "m-1")
        for _ in range(3):
            uow.messages.pop("first")  # the last number stays above the count
        uow.snapshots.take("first", "manual")
        uow.batches.create(
            "job", [{"key": f"k{n}", "payload": {"n": n, "of": 1.5e16}, "priority": n % 3} for n in range(8)], name="Job",
            user_id="ada", metadata={"a": [1]}, max_running=3, time_limit=90, backoff=0.25,
        )  # fmt: skip
        claimed = uow.batches.claim("job", worker="w", limit=3)
        uow.batches.complete(claimed[0], {"answer": "Lisbon"}, session_id="first")
        uow.batches.fail(claimed[1], ValueError("no"))
        uow.batches.fail(claimed[2], KeyError("never"), retry=False)
        uow.batches.claim("job", worker="w", limit=1)
        uow.annotations.add("first", label="good", score=0.1, text="clear", author="bob", metadata={"v": [1]})
        uow.annotations.add("first", sequence_number=2, score=-1e-7)
        uow.metrics.record("latency", 1 / 3, "s", session_id="second", model_id="m-1", metadata={"p": 0.5})
        uow.metrics.record("queue", 12)
        uow.comparisons.create("which", variants=["m-1", "m-2"], user_id="ada", title="Which harbour")
        uow.comparisons.add("which", "m-1", "second", prompt_key="p1")
        scores: dict[str, Any] = {"scores_a": {"depth": 0.1}, "scores_b": {"depth": 0.30000000000000004}}
        uow.comparisons.record(
            "which",
            "p1",
            "m-1",
            "m-2",
            judge="ada",
            preference=1 / 3,
            first="m-2",
            cost_a="0.001",
            prompt="A harbour?",
            duration_b_ms=9,
            notes="calm",
            **scores,
        )
        uow.comparisons.record("which", "p1", "m-1", judge="clock", judge_kind="metric", duration_a_ms=7)
        steps = {"split": {"uses": "f"}, "say": {"prompt": "${item}", "for_each": "${split.output}", "timeout": 1.5}}
        uow.workflows.define({"name": "flow", "inputs": {"a": {"default": [1, 1e16]}}, "steps": steps}, user_id="ada")
        uow.workflows.start("flow", {"a": "数据"}, user_id="ada", execution_id="run")
    raw = Raw(url)
    moment = "'2026-05-01 10:00:00.000000'" if url.startswith("sqlite") else "'2026-05-01T10:00:00Z'"
    raw(
        f"UPDATE chatledger_session_timeouts SET idle_limit = 60, expires_at = {moment}, archive_limit = 0, idle_from = {moment},"
        " idle_sequence = 7 WHERE session_id = 'first'"
    )
    raw(
        "INSERT INTO chatledger_model_prices (model_id, effective_from, input, output, others)"
        f" VALUES ('m-1', {moment}, 1250000000, 10000000000, '{{\"audio\": \"40\"}}')"
    )
    raw(
        "INSERT INTO chatledger_model_price_tiers (model_id, effective_from, service_tier, above_tokens, input)"
        f" VALUES ('m-1', {moment}, '', 200000, 2500000000), ('m-1', {moment}, 'batch', 0, 625000000)"
    )
    raw("UPDATE chatledger_models SET priced_as = 'm-1' WHERE model_id = 'chat'")
    raw(
        f"UPDATE chatledger_workflow_executions SET lease_until = {moment}, started_at = {moment}, runner = 'r', fence = 2,"
        " error = 'e'"
    )
    raw(
        f"UPDATE chatledger_workflow_steps SET output = '[1.0, null]', input = '{{}}', history = '[]', not_before = {moment},"
        " session_id = 'first' WHERE step = 'split'"
    )
    raw(f"UPDATE chatledger_messages SET priced_from = {moment}, priced_as = 'm-1' WHERE session_id = 'second'")
    raw(f"UPDATE chatledger_sessions SET held_at = {moment} WHERE session_id = 'second'")
    raw(
        "INSERT INTO chatledger_audit_log (action, actor, session_id, details) VALUES ('session.purged', 'ada', 'gone', '{}')"
    )
    body = "x'00ff'" if url.startswith("sqlite") else r"'\x00ff'"
    raw(
        "INSERT INTO chatledger_graph_checkpoints (session_id, namespace, checkpoint_id, parent_id, run_id, encoding, body,"
        " metadata_encoding, metadata_body)"
        f" VALUES ('first', '', '1f0', '1ef', 'run', 'msgpack', {body}, 'msgpack', {body})"
    )
    raw(
        "INSERT INTO chatledger_graph_writes (session_id, namespace, checkpoint_id, task_id, write_number, task_path, channel,"
        f" encoding, body) VALUES ('first', '', '1f0', 'task', -1, '~a', 'c', 'msgpack', {body})"
    )
    assert all(raw.count(table) for table in TABLES)


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours, counters included. A table or column that is not there is left out, and so is
    the hour of activity, which triggers keep.
    """
    raw = Raw(url)
    there = inspect(raw.engine)
    names = set(there.get_table_names())
    rows: dict[str, list[dict[str, Any]]] = {}
    for table in Base.metadata.sorted_tables:
        if table.name in names:
            known = {column["name"] for column in there.get_columns(table.name)} - {"activity_hour"}
            columns = ", ".join(
                f"CAST({column.name} AS TEXT) AS {column.name}" if str(column.type) == "JSON" else column.name
                for column in table.columns
                if column.name in known
            )
            found = raw(f"SELECT {columns} FROM {table.name}")
            dicts = [{name: _plain(value) for name, value in row._mapping.items()} for row in found]
            rows[table.name] = sorted(dicts, key=repr)
    return rows


def common(rows: dict[str, list[dict[str, Any]]], others: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Rows cut down to the tables and columns that others have, too."""
    return {
        table: sorted(({name: row[name] for name in row if name in others[table][0]} for row in rows[table]), key=repr)
        for table in rows
        if others.get(table)
    }


def found(url: str) -> dict[str, list[tuple[str, int, str]]]:
    """What searches find."""
    with closing(Ledger(url)) as ledger, ledger.read() as uow:
        return {
            query: sorted(
                (hit.session_id, hit.sequence_number, hit.snippet)
                for hit in uow.search.messages(query, include_hidden=True)
            )
            for query in QUERIES
        }


def fingerprint(url: str) -> dict[str, str]:
    """The schema of our tables, as `ledger.check()` sees it."""

    def look(connection: Connection) -> dict[str, str]:
        return dialect_of(connection.dialect.name).fingerprint(connection, TABLES)

    with create_engine(url, poolclass=NullPool).connect() as connection:
        return look(connection)


def revision(url: str) -> str | None:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        found = connection.execute(text("SELECT version_num FROM chatledger_version")).scalar_one_or_none()
    return None if found is None else str(found)


def names(url: str) -> set[str]:
    """Every table and view, whoever made it."""
    inspector = inspect(create_engine(url, poolclass=NullPool))
    return {*inspector.get_table_names(), *inspector.get_view_names()}


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
