"""Lists, histories, keys and searches go by the index that was made for them, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from chatledger import Ledger, SessionOrder, UnitOfWork
from tests.support import sqlite
from tests.support.postgres import Server
from tests.support.raw import Raw

# Messages of an ordinary length, or reading them all would be the better plan.
_FILLER = " and so on" * 60

_DAY = datetime(2026, 5, 17, tzinfo=UTC)

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) ",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {many})) ",
}
_MOMENT = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', '2026-05-01', '+' || i || ' minutes')",
    "postgresql": "timestamptz '2026-05-01 00:00:00Z' + i * interval '1 minute'",
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def large(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Four thousand sessions, one of which has four thousand messages: enough for a planner to care."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        url = sqlite.copy(template, tmp_path_factory.mktemp("large") / "chat.db")
        yield from _large(request.param, url)
    else:
        server: Server = request.getfixturevalue("postgres_server")
        with server.database(template=request.getfixturevalue("postgres_template")) as url:
            yield from _large(request.param, url)


def _large(kind: str, url: str) -> Iterator[Ledger]:
    raw = Raw(url)
    numbers, moment = _NUMBERS[kind], _MOMENT[kind]
    raw("INSERT INTO chatledger_projects (project_id) VALUES ('p1'), ('p2')")
    raw("INSERT INTO chatledger_models (model_id) VALUES ('m1'), ('m2')")
    sessions = (
        "INSERT INTO chatledger_sessions (session_id, user_id, project_id, model_id, status, last_activity,"
        " created_at, name, parent_id) "
        + numbers.format(many=4000)
        + "SELECT 's' || i, 'u' || (i % 400), CASE WHEN i % 40 = 0 THEN 'p1' ELSE 'p2' END,"
        " CASE WHEN i % 40 = 1 THEN 'm1' ELSE 'm2' END,"
        f" CASE WHEN i % 20 = 0 THEN 'active' ELSE 'idle' END, {moment}, {moment},"
        " CASE WHEN i % 5 = 2 THEN 'n' || i END, CASE WHEN i % 5 = 3 THEN 's' || (i % 200) END FROM n"
    )
    messages = (
        "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, key, created_at) "
        + numbers.format(many=4000)
        + f"SELECT 's7', i, 'user', 'common words ' || CASE WHEN i % 1000 = 0 THEN 'walrus' ELSE 'number' END"
        f" || ' x' || i || '{_FILLER}',"
        f" 'k' || i, {moment} FROM n"
    )
    entries = (
        "INSERT INTO chatledger_session_metadata (session_id, key, value) "
        + numbers.format(many=4000)
        + f"SELECT 's' || i, 'ticket', CAST(CAST(i AS TEXT) AS {'JSON' if kind == 'postgresql' else 'TEXT'}) FROM n"
    )
    # Colons in the text are no parameters.
    raw(sessions.replace(":", r"\:"))
    raw(messages.replace(":", r"\:"))
    raw(entries)
    if kind == "postgresql":
        with raw.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    with closing(Ledger(url)) as ledger:
        yield ledger


def plan(ledger: Ledger, work: Callable[[UnitOfWork], object]) -> str:
    """The plans of the statements that some work sends, one line a step."""
    sent: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        sent.append((statement, parameters))

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        with ledger.read() as uow:
            work(uow)
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN " if ledger.engine.dialect.name == "sqlite" else "EXPLAIN "
    lines = []
    with ledger.engine.connect() as connection:
        for statement, parameters in sent:
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                lines += [str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters)]
    assert lines
    return "\n".join(lines)


_LISTS: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, "ix_chatledger_sessions_activity"),
    "user": ({"user_id": "u7"}, "ix_chatledger_sessions_user_activity"),
    "project": ({"project_id": "p1"}, "ix_chatledger_sessions_project_activity"),
    "model": ({"model_id": "m1"}, "ix_chatledger_sessions_model_activity"),
    "active": ({"status": "active"}, "ix_chatledger_sessions_active_activity"),
    "since": ({"since": _DAY - timedelta(days=14)}, "ix_chatledger_sessions_activity"),
    "until": ({"until": _DAY - timedelta(days=14)}, "ix_chatledger_sessions_activity"),
    "user and status": ({"user_id": "u7", "status": "idle"}, "ix_chatledger_sessions_user_activity"),
    "creation": ({"order": "-created_at"}, "ix_chatledger_sessions_created"),
    "oldest first": ({"order": "created_at"}, "ix_chatledger_sessions_created"),
    "stale first": ({"order": "last_activity"}, "ix_chatledger_sessions_activity"),
    "user and stale first": ({"user_id": "u7", "order": "last_activity"}, "ix_chatledger_sessions_user_activity"),
    "user and creation": ({"user_id": "u7", "order": "-created_at"}, "ix_chatledger_sessions_user_"),
    "user and oldest first": ({"user_id": "u7", "order": "created_at"}, "ix_chatledger_sessions_user_"),
    "name": ({"order": "name"}, "ix_chatledger_sessions_name"),
    "prefix": ({"name_prefix": "n12", "order": "name"}, "ix_chatledger_sessions_name"),
    "user and since": ({"user_id": "u7", "since": _DAY - timedelta(days=15)}, "ix_chatledger_sessions_user_activity"),
}


@pytest.mark.parametrize("filters", _LISTS)
@pytest.mark.parametrize("page", ["first page", "second page"])
def test_a_list_goes_by_its_index(large: Ledger, filters: str, page: str) -> None:
    chosen, index = _LISTS[filters]
    with large.read() as uow:
        first = uow.sessions.list(**chosen, limit=20)
    cursor = first.next_cursor if page == "second page" else None
    found = plan(large, lambda uow: uow.sessions.list(**chosen, limit=20, cursor=cursor))
    assert index in found, found
    _no_scan(found)


def test_a_users_own_list_goes_by_the_users_index(large: Ledger) -> None:
    found = _plan_for_user(large, "u7")
    assert "ix_chatledger_sessions_user_activity" in found, found
    _no_scan(found)


def test_children_and_names_of_a_user_are_found_by_index(large: Ledger) -> None:
    asks: dict[str, Callable[[UnitOfWork], object]] = {
        "ix_chatledger_sessions_parent": lambda uow: uow.sessions.list(parent="s3"),
        "ix_chatledger_sessions_forked_from": lambda uow: uow.sessions.list(forked_from="s3"),
        "ix_chatledger_sessions_user_name": lambda uow: uow.sessions.list(user_id="u2", name_prefix="n"),
        "chatledger_session_names": lambda uow: uow.sessions.find_by_name("n2", user_id="u2", project_id="p2"),
    }
    for index, ask in asks.items():
        found = plan(large, ask)
        assert index in found, found
        # The few that are found are sorted.
        _no_scan(found.replace("USE TEMP B-TREE FOR ORDER BY", "").replace("Sort", ""))


def test_sessions_with_an_entry_of_metadata_are_found_by_its_index(large: Ledger) -> None:
    asks: tuple[Callable[[UnitOfWork], object], ...] = (
        lambda uow: uow.sessions.list(metadata={"ticket": 77}, limit=20),
        lambda uow: uow.sessions.count(metadata={"ticket": 77}),
    )
    for ask in asks:
        found = plan(large, ask)
        assert "ix_chatledger_session_metadata_value" in found, found
        # The few that are found are sorted; no session is read for nothing.
        _no_scan(found.replace("USE TEMP B-TREE FOR ORDER BY", ""))
        if large.engine.dialect.name == "sqlite":
            assert "(key=? AND value=?)" in found, found


@pytest.mark.parametrize(
    "bounds",
    [
        {"last": 20},
        {"limit": 20},
        {"after": 3900},
        {"before": 20},
        {"after": 100, "limit": 5},
        {"before": 50, "last": 5},
    ],
    ids=str,
)
def test_history_walks_the_key_of_its_session(large: Ledger, bounds: dict[str, Any]) -> None:
    found = plan(large, lambda uow: uow.messages.history("s7", **bounds))
    assert re.search("pk_chatledger_messages|sqlite_autoindex_chatledger_messages_1", found), (
        found
    )  # SQLite names a unique pair so
    assert "TEMP B-TREE" not in found
    _no_scan(found)


def test_one_message_one_session_and_its_metadata_are_looked_up(large: Ledger) -> None:
    for work in (
        lambda uow: uow.messages.get("s7", 2000),
        lambda uow: uow.sessions.get("s7"),
        lambda uow: uow.metadata.all("s7"),
    ):
        _no_scan(plan(large, work))


def test_a_key_is_looked_up_in_its_index(large: Ledger) -> None:
    from chatledger.services.messages.append import with_keys  # noqa: PLC0415 - the statement as the service runs it

    found = plan(large, lambda uow: with_keys(uow.messages._context, "s7", ["k1", "k2000"]))
    assert "uq_chatledger_messages_session_id_key" in found, found
    _no_scan(found)


@pytest.mark.parametrize("query", ["walrus", "common", '"words walrus"', "walr*", "common -number"])
def test_a_search_goes_by_full_text_or_newest_first(large: Ledger, query: str) -> None:
    found = plan(large, lambda uow: uow.search.messages(query))
    if large.engine.dialect.name == "sqlite":
        assert "VIRTUAL TABLE INDEX" in found, found
        assert not re.search(r"SCAN (m|s|chatledger_messages|chatledger_sessions)\b", found), found
    elif query != "common":  # in all of these few messages, so that half of them are read in any case
        assert re.search("ix_chatledger_messages_search_vector|ix_chatledger_messages_created_at", found), found
        assert "Seq Scan on chatledger_messages" not in found, found


def test_the_expanded_query_for_a_rare_word_goes_by_full_text(large: Ledger) -> None:
    """Most of its forms are in no message, and the planner takes each to be in one of two hundred."""
    for work in (lambda uow: uow.search.messages("walrus"), lambda uow: uow.search.sessions("walrus")):
        found = plan(large, work)
        if large.engine.dialect.name == "postgresql":
            assert "'walruses'" in found, found
            assert "ix_chatledger_messages_search_vector" in found, found
            assert "ix_chatledger_messages_created_at" not in found, found
            assert not re.search(r"Seq Scan on chatledger_(messages|sessions)", found), found
        _reads_no_table(found)


def _reads_no_table(found: str) -> None:
    assert not re.search(r"\bSCAN (m|s|chatledger_messages|chatledger_sessions)\b(?! VIRTUAL)", found), found


def test_a_search_in_one_session_does_not_read_the_others(large: Ledger) -> None:
    found = plan(large, lambda uow: uow.search.messages("common", session_id="s8"))
    assert not re.search(
        r"SCAN (m|s|chatledger_messages|chatledger_sessions)\b|Seq Scan on chatledger_messages", found
    ), found


def test_the_list_of_a_user_whose_sessions_are_old_does_not_read_everybodys_newer_ones(
    postgres_server: Server, postgres_template: str
) -> None:
    with postgres_server.database(template=postgres_template) as url:
        raw = Raw(url)
        # The planner takes a user's sessions to be spread over all times, and expects to meet fifty of them early.
        raw(
            "INSERT INTO chatledger_sessions (session_id, user_id, last_activity) SELECT 's' || i,"
            " CASE WHEN i <= 1000 THEN 'old' ELSE 'u' || (i % 20) END, timestamptz '2025-01-01' + i * interval '5 minutes'"
            " FROM generate_series(1, 40000) AS i"
        )
        with raw.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
        with closing(Ledger(url)) as ledger:
            for filters in ({"user_id": "old"}, {"user_id": "old", "status": "active"}):
                found = plan(ledger, lambda uow, filters=filters: uow.sessions.list(**filters))  # type: ignore[misc]  # bound now
                assert "ix_chatledger_sessions_user_activity" in found, found
            for order in (SessionOrder.NEWEST, SessionOrder.OLDEST):
                found = plan(ledger, lambda uow, order=order: uow.sessions.list(user_id="old", order=order))  # type: ignore[misc]
                assert "ix_chatledger_sessions_user_created" in found, found
            assert "ix_chatledger_sessions_user_activity" in _plan_for_user(ledger, "old")


def _plan_for_user(ledger: Ledger, user: str) -> str:
    class Owned:
        engine = ledger.engine
        read = ledger.for_user(user).read

    return plan(Owned(), lambda uow: uow.sessions.list(limit=20))  # type: ignore[arg-type]  # what `plan` uses of one


def _no_scan(found: str) -> None:
    """Nothing is read whole, and nothing but the rows of one hour is sorted."""
    for line in found.splitlines():
        assert not re.search(r"Seq Scan on chatledger_(messages|sessions)\b", line), found
        if re.match(r"\W*SCAN (chatledger_messages|chatledger_sessions|m|s)\b", line):
            assert "USING INDEX ix_chatledger_sessions" in line or "USING COVERING INDEX" in line, found
        assert "TEMP B-TREE FOR ORDER BY" not in line, found


_STATISTICS: dict[str, tuple[Callable[[UnitOfWork], object], str]] = {
    "a time": (
        lambda uow: uow.statistics.overview(since=_DAY - timedelta(days=15), until=_DAY - timedelta(days=14.99)),
        "ix_chatledger_session_usage_quarter",
    ),
    "the first and the last moment": (
        lambda uow: uow.statistics.by_day(until=_DAY),
        "ix_chatledger_session_usage_quarter",
    ),
    "the projects of a time": (
        lambda uow: uow.statistics.by_project(since=_DAY),
        "ix_chatledger_session_usage_quarter",
    ),
    "the users of a time": (
        lambda uow: uow.statistics.by_user(since=_DAY),
        "ix_chatledger_session_usage_quarter",
    ),
    "context windows of a time": (
        lambda uow: uow.statistics.context_use(since=_DAY, until=_DAY + timedelta(hours=1)),
        "ix_chatledger_session_usage_quarter",
    ),
}


@pytest.mark.parametrize("name", _STATISTICS)
def test_statistics_of_little_read_little(large: Ledger, name: str) -> None:
    work, index = _STATISTICS[name]
    assert index in plan(large, work)


def test_percentiles_read_no_message(large: Ledger) -> None:
    found = plan(large, lambda uow: uow.statistics.latency())
    one = plan(large, lambda uow: uow.statistics.overview(user_id="u7"))
    if large.engine.dialect.name == "sqlite":  # PostgreSQL weighs it: there is little usage here, and no duration
        assert "COVERING INDEX ix_chatledger_sessions_user_" in one
        assert "COVERING INDEX ix_chatledger_messages_durations" in found
