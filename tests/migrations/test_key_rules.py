"""The rules that keep partitions and shards open: keys contain session_id, nothing refers to a message."""

from __future__ import annotations

import pytest
from sqlalchemy import NullPool, Table, UniqueConstraint, create_engine, inspect

from chatledger.models import Base

_TABLES = sorted(Base.metadata.tables.values(), key=lambda table: table.name)
_PLACES = {table.name: table.info.get("distribution") for table in _TABLES}


@pytest.mark.parametrize("table", _TABLES, ids=lambda table: table.name)
def test_every_table_says_how_it_would_be_distributed(table: Table) -> None:
    assert _PLACES[table.name] in {"session", "reference", "root"}


@pytest.mark.parametrize("table", _TABLES, ids=lambda table: table.name)
def test_every_key_of_a_sessions_table_contains_the_session(table: Table) -> None:
    if _PLACES[table.name] != "session":
        return
    keys = [set(table.primary_key.columns.keys())]
    keys += [set(rule.columns.keys()) for rule in table.constraints if isinstance(rule, UniqueConstraint)]
    keys += [{str(column.name) for column in index.columns} for index in table.indexes if index.unique]
    assert [] == [key for key in keys if "session_id" not in key]


@pytest.mark.parametrize("table", _TABLES, ids=lambda table: table.name)
def test_foreign_keys_go_to_sessions_or_to_reference_tables_only(table: Table) -> None:
    for rule in table.foreign_key_constraints:
        target = rule.referred_table.name
        if target == "chatledger_sessions":
            assert ["session_id"] == list(rule.column_keys)
            assert "CASCADE" == rule.ondelete
            assert "chatledger_sessions" != table.name
        elif _PLACES[target] == "root":
            # Within one root: both keys begin with the root's own, so that they lie on one machine.
            first = [next(iter(one.primary_key.columns)).name for one in (table, rule.referred_table)]
            assert [*rule.column_keys] * 2 == first
        else:
            assert "reference" == _PLACES[target]
            # A reference row may own others, as a price its tiers; rows of sessions are never deleted with one.
            assert rule.ondelete is None or _PLACES[table.name] == "reference"


def test_every_table_of_a_session_refers_to_it_but_for_what_outlives_it() -> None:
    # An audit row outlives its session; both are about no session as often as not.
    free = {"chatledger_sessions", "chatledger_audit_log", "chatledger_performance_metrics"}
    for table in _TABLES:
        if _PLACES[table.name] == "session" and table.name not in free:
            assert "chatledger_sessions" in {rule.referred_table.name for rule in table.foreign_key_constraints}, (
                table.name
            )


def test_the_database_holds_the_same_rules(url: str) -> None:
    inspector = inspect(create_engine(url, poolclass=NullPool))
    for table in _TABLES:
        targets = {rule["referred_table"] for rule in inspector.get_foreign_keys(table.name)}
        assert {rule.referred_table.name for rule in table.foreign_key_constraints} == targets
        if _PLACES[table.name] != "session":
            continue
        keys: list[list[str | None]] = []
        keys += [list(rule["column_names"]) for rule in inspector.get_unique_constraints(table.name)]
        keys += [index["column_names"] for index in inspector.get_indexes(table.name) if index["unique"]]
        primary = inspector.get_pk_constraint(table.name)["constrained_columns"]
        # SQLite alone: full text and numbers that are never handed out twice need an integer key.
        if primary not in (["message_id"], ["audit_id"], ["metric_id"]):
            keys.append(list(primary))
        assert keys or url.startswith("sqlite")
        assert [] == [key for key in keys if "session_id" not in key], table.name


def test_every_constraint_has_a_name() -> None:
    for table in _TABLES:
        assert all(rule.name for rule in table.constraints), table.name
