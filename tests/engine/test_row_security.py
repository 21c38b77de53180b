"""Row-level security: a role of the server sees and writes the rows of one user at a time, whatever SQL it runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from chatledger import AsyncLedger, InvalidInput, Ledger, ReadOnly, SessionNotFound, UnitOfWork, models
from chatledger.dialects.postgresql.row_security import SHARED, VISIBLE
from tests.docs.pages import ROOT
from tests.support.postgres import unique_name
from tests.support.raw import Raw


@pytest.fixture
def owner(migrated_postgres_url: str) -> Iterator[Ledger]:
    with closing(Ledger(migrated_postgres_url)) as ledger:
        for user in ("ada", "bob"):
            _fill(ledger, user)
        yield ledger


def _fill(ledger: Ledger, user: str) -> None:
    """A row of each user in each table that holds any."""
    with ledger.begin(actor=user) as uow:
        session = f"{user}'s"
        uow.sessions.create(
            session, user_id=user, project_id=f"{user}'s project", name="main", hard_timeout=60, metadata={"of": user}
        )
        uow.messages.append(session, "user", f"a walrus of {user}", model_id="m", input_tokens=1)
        uow.messages.append(session, "user", "gone")
        uow.messages.pop(session)
        uow.annotations.add(session, label=user)
        uow.metrics.record("speed", 1, user_id=user)
        uow.metrics.record("speed", 1, session_id=session)
        uow.snapshots.take(session)
        uow.state.set("theme", "dark", user_id=user)
        uow.state.set("step", 1, session_id=session)
        uow.batches.create(f"{user}'s job", [{"key": "k"}], user_id=user)
        uow.comparisons.create(f"{user}'s group", variants=["a", "b"], user_id=user)
        uow.comparisons.add(f"{user}'s group", "a", session, prompt_key="p")
        uow.comparisons.record(f"{user}'s group", "p", "a", "b", judge="j", preference=1.0)
        uow.workflows.define({"name": "w", "steps": {"ask": {"uses": "ask"}}}, user_id=user)
        uow.workflows.start("w", user_id=user)
        uow.timeouts.configure_default(user_id=user, idle_timeout=timedelta(days=1))


@pytest.fixture
def role(owner: Ledger, migrated_postgres_url: str) -> Iterator[str]:
    raw = Raw(migrated_postgres_url)
    name = unique_name("Role with %s and : ")  # a name that has to be quoted
    raw.engine.dispose()
    with raw.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f'CREATE ROLE "{name}" LOGIN'.replace("%", "%%"))
    owner.secure(name)
    yield name
    with raw.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f'DROP OWNED BY "{name}" CASCADE'.replace("%", "%%"))
        connection.exec_driver_sql(f'DROP ROLE "{name}"'.replace("%", "%%"))
    raw.engine.dispose()


@pytest.fixture
def url(role: str, migrated_postgres_url: str) -> str:
    return make_url(migrated_postgres_url).set(username=role).render_as_string(hide_password=False)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


def test_every_table_is_limited_or_shared_for_a_reason() -> None:
    known = set(re.findall(r"CREATE TABLE (\w+)", (ROOT / "schema" / "postgresql.sql").read_text("utf-8")))
    assert known == VISIBLE.keys() | SHARED.keys()
    assert not VISIBLE.keys() & SHARED.keys()


@pytest.mark.parametrize("table", sorted(VISIBLE))
def test_raw_sql_reads_the_rows_of_its_user_only(engine: Engine, owner: Ledger, table: str) -> None:
    with owner.engine.connect() as connection:
        everything = connection.execute(text(f"SELECT * FROM {table}")).all()
    with engine.connect() as connection:
        assert [] == [row for row in connection.execute(text(f"SELECT * FROM {table}")) if "ada" in repr(row)]
        connection.execute(text("SELECT set_config('chatledger.user_id', 'ada', true)"))
        mine = connection.execute(text(f"SELECT * FROM {table}")).all()
        assert [] == [row for row in mine if "bob" in repr(row)]
        connection.rollback()
        assert [] == [row for row in connection.execute(text(f"SELECT * FROM {table}")) if "ada" in repr(row)]
    if table not in ("chatledger_graph_checkpoints", "chatledger_graph_writes", "chatledger_workflow_steps"):
        assert 0 < len(mine) < len(everything)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE chatledger_messages SET content = 'changed'",
        "DELETE FROM chatledger_messages",
        "DELETE FROM chatledger_sessions",
        "UPDATE chatledger_sessions SET title = 'changed'",
        "DELETE FROM chatledger_annotations",
        "DELETE FROM chatledger_audit_log",
        "DELETE FROM chatledger_batch_jobs",
        "UPDATE chatledger_state SET value = '1'",
    ],
)
def test_raw_sql_changes_nothing_of_others(engine: Engine, owner: Ledger, statement: str) -> None:
    def of_bob() -> str:
        with owner.engine.connect() as connection:
            return repr(
                [
                    [row for row in connection.execute(text(f"SELECT * FROM {table} ORDER BY 1")) if "bob" in repr(row)]
                    for table in sorted(VISIBLE)
                ]
            )

    before = of_bob()
    for user in ("", "ada"):
        with engine.begin() as connection:
            connection.execute(text("SELECT set_config('chatledger.user_id', :user, true)"), {"user": user})
            connection.execute(text(statement))
    assert before == of_bob()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO chatledger_sessions (session_id, user_id) VALUES ('new', 'bob')",
        "INSERT INTO chatledger_sessions (session_id) VALUES ('new')",
        "INSERT INTO chatledger_sessions (session_id, user_id, project_id) VALUES ('new', 'ada', 'bob''s project')",
        "UPDATE chatledger_sessions SET user_id = 'bob'",
        "UPDATE chatledger_sessions SET project_id = 'bob''s project'",
        "INSERT INTO chatledger_messages (session_id, sequence_number, role, content) VALUES ('bob''s', 9, 'user', 'x')",
        "INSERT INTO chatledger_state (scope, scope_id, key, value, version) VALUES ('user', 'bob', 'k', '1', 1)",
        "ALTER TABLE chatledger_messages DISABLE ROW LEVEL SECURITY",
        "CREATE POLICY x ON chatledger_messages USING (true)",
        "SELECT * FROM chatledger_daily_usage",
        "TRUNCATE chatledger_messages",
        "UPDATE chatledger_model_prices SET input = 0",
        "UPDATE chatledger_projects SET description = 'x'",
    ],
)
def test_raw_sql_writes_nothing_for_others_and_cannot_switch_it_off(engine: Engine, statement: str) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT set_config('chatledger.user_id', 'ada', true)"))
        with pytest.raises(DBAPIError, match=r"row-level security|permission denied|must be owner"):
            connection.execute(text(statement))


def test_switching_row_security_off_is_refused_and_not_obeyed(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SET row_security = off"))
        with pytest.raises(DBAPIError, match="row-level security"):
            connection.execute(text("SELECT * FROM chatledger_messages"))


def test_a_ledger_works_for_one_user(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ada = ledger.for_user("ada")
        assert 3 == ada.append("ada's", "user", "a second walrus").sequence_number
        ada.append_many("ada's", [{"role": "user", "content": "x"}] * 3)
        assert 5 == len(ada.history("ada's"))
        with ada.begin() as uow:
            uow.sessions.create("another", project_id="a new project", model_id="a new model", name="second")
            uow.messages.append("another", "user", "walrus", model_id="m2")
            uow.sessions.fork("another", new_session_id="fork")
            assert 3 == len(uow.search.messages("walrus").items)
            uow.sessions.archive("another")
            uow.sessions.delete("fork")
        with ada.read() as uow:
            assert {"ada's", "another"} == {session.session_id for session in uow.sessions.list()}
            assert 6 == uow.statistics.overview().messages
            assert "session.deleted" in {entry.action for entry in uow.audit.list()}
        with pytest.raises(SessionNotFound):
            ada.append("bob's", "user", "x")
        with ada.orm() as session:
            assert {"ada's", "another"} == {one.session_id for one in session.query(models.Session)}
            assert "bob" not in repr(session.execute(text("SELECT * FROM chatledger_messages")).all())


def test_a_ledger_that_was_open_before_sees_nothing(owner: Ledger, role: str, url: str) -> None:
    owner.unsecure(role)
    with owner.engine.begin() as connection:
        for table in (*VISIBLE, *SHARED):
            connection.exec_driver_sql(f'GRANT ALL ON {table} TO "{role.replace("%", "%%")}"')
    with closing(Ledger(url)) as ledger:
        assert 1 == len(ledger.for_user("ada").history("ada's"))
        owner.secure(role)
        with pytest.raises(SessionNotFound):
            ledger.for_user("ada").history("ada's")
    with closing(Ledger(url)) as ledger:
        assert 1 == len(ledger.for_user("ada").history("ada's"))


def test_a_unit_of_work_on_ones_own_connection_names_the_user_itself(engine: Engine) -> None:
    with engine.begin() as connection:
        uow = UnitOfWork(connection, user_id="ada")
        assert () == uow.sessions.list().items
        connection.execute(text("SELECT set_config('chatledger.user_id', 'ada', true)"))
        assert ["ada's"] == [session.session_id for session in uow.sessions.list()]
        assert 3 == uow.messages.append("ada's", "user", "x").sequence_number


def test_a_ledger_of_nobody_sees_nothing(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        with ledger.read() as uow:
            assert () == uow.sessions.list().items
        with pytest.raises(SessionNotFound):
            ledger.append("ada's", "user", "x")
        with pytest.raises(ReadOnly):
            ledger.create("new")


def test_awaited(url: str) -> None:
    async def use() -> int:
        async with AsyncLedger(url) as ledger:
            ada = ledger.for_user("ada")
            await ada.append("ada's", "user", "x")
            with pytest.raises(SessionNotFound):
                await ada.history("bob's")
            return len(await ada.history("ada's"))

    assert 2 == asyncio.run(use())


def test_nobody_joins_a_project_of_others(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ada = ledger.for_user("ada")
        ada.create("mine", project_id="ada's project")
        with pytest.raises(ReadOnly):
            ada.create("theirs", project_id="bob's project")


def test_a_check_finds_a_secured_ledger_whole_and_undoing_leaves_no_trace(owner: Ledger, role: str) -> None:
    policies = "SELECT count(*) FROM pg_policies WHERE schemaname = 'public'"
    assert owner.check()
    owner.secure(role)  # again, as after an upgrade
    assert 0 < Raw(owner.engine.url.render_as_string(hide_password=False))(policies)[0][0]
    owner.unsecure(role)
    raw = Raw(owner.engine.url.render_as_string(hide_password=False))
    assert 0 == raw(policies)[0][0]
    assert [] == raw("SELECT relname FROM pg_class WHERE relrowsecurity")
    assert [] == raw("SELECT proname FROM pg_proc WHERE proname = 'chatledger_may_join'")
    assert owner.check()


def test_searches_use_the_index_of_words_if_the_operator_is_declared(owner: Ledger, role: str, engine: Engine) -> None:
    query = "EXPLAIN SELECT 1 FROM chatledger_messages WHERE search_vector @@ to_tsquery('simple', 'walrus')"

    def plan() -> str:
        with engine.connect() as connection:
            connection.execute(text("SET enable_seqscan = off; SET enable_indexscan = off"))
            return "\n".join(connection.execute(text(query)).scalars())

    assert "search_vector" not in plan().partition("Filter")[0]
    owner.secure(role, leakproof_search=True)
    assert "ix_chatledger_messages_search_vector" in plan()
    assert owner.check()


def test_a_role_that_cannot_be_limited_is_refused(owner: Ledger, migrated_sqlite_url: str) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        owner.secure("nobody")
    with pytest.raises(InvalidInput, match="does not exist"):
        owner.unsecure("nobody")
    with pytest.raises(InvalidInput, match="superuser"):
        owner.secure("postgres")
    with closing(Ledger(migrated_sqlite_url)) as ledger, pytest.raises(InvalidInput, match="PostgreSQL"):
        ledger.secure("app")


def test_a_role_that_may_not_is_told_so(url: str, role: str) -> None:
    with closing(Ledger(url)) as ledger, pytest.raises(ReadOnly):
        ledger.secure(role)
