"""Every revision goes up and down, with rows in the tables."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from chatledger import ChatledgerError, Conflict, InvalidInput, Ledger
from chatledger.migrate import HEAD, REVISIONS
from tests.migrations.contents import common, contents, fingerprint, found, names, revision
from tests.support.raw import Raw


def test_one_revision_at_a_time_keeps_every_row_both_ways(filled_url: str, new_url: Callable[[], str]) -> None:
    rows, hits = contents(filled_url), found(filled_url)
    head = fingerprint(filled_url)
    clean = new_url()
    with closing(Ledger(filled_url, migrate="never")) as ledger, closing(Ledger(clean, migrate="never")) as other:
        for target in reversed(REVISIONS[:-1]):
            ledger.downgrade(target)
            assert target == ledger.current()
            stands = contents(filled_url)
            assert common(rows, stands) == stands, target
        for target in REVISIONS:
            ledger.upgrade(target)
            other.upgrade(target)
            assert target == ledger.current()
            assert fingerprint(clean) == fingerprint(filled_url), target
            stands = contents(filled_url)
            assert common(rows, stands) == stands, target
    assert rows == contents(filled_url)
    assert head == fingerprint(filled_url)
    assert hits == found(filled_url)


@pytest.mark.parametrize("target", REVISIONS[:-1])
def test_down_to_any_revision_and_up_again_is_as_before(filled_url: str, target: str) -> None:
    rows, hits, schema = contents(filled_url), found(filled_url), fingerprint(filled_url)
    assert all(hits.values())
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade(target)
        ledger.upgrade()
        assert ledger.check()
        sequence = ledger.run(lambda uow: uow.messages.append("first", "user", "next").sequence_number)
    assert sequence == 31  # three were taken away; their numbers are not handed out again
    Raw(filled_url)("DELETE FROM chatledger_messages WHERE session_id = 'first' AND sequence_number = 31")
    assert schema == fingerprint(filled_url)
    assert rows["chatledger_messages"] == contents(filled_url)["chatledger_messages"]
    assert hits == found(filled_url)


def test_rows_written_while_triggers_and_index_were_away_are_counted_and_found(filled_url: str) -> None:
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade("0001")
        raw = Raw(filled_url)
        raw(
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, input_tokens, cost)"
            " VALUES ('empty', 5, 'user', 'an unusual walrus', 11, 3)"
        )
        raw("DELETE FROM chatledger_messages WHERE session_id = 'second'")
        assert 2 == raw("SELECT message_count FROM chatledger_sessions WHERE session_id = 'second'")[0][0]
        ledger.upgrade()
        with ledger.read() as uow:
            added, emptied = uow.sessions.get("empty"), uow.sessions.get("second")
            hits = [(hit.session_id, hit.sequence_number) for hit in uow.search.messages("walrus")]
            assert [] == [hit for hit in uow.search.messages("quiet harbour") if hit.session_id == "second"]
    assert (1, 11, 5) == (added.message_count, added.total_tokens, added.last_sequence)
    assert (0, 0, 2) == (emptied.message_count, emptied.total_tokens, emptied.last_sequence)
    assert [("empty", 5)] == hits


def test_base_leaves_nothing_of_ours_but_an_empty_version_table(filled_url: str) -> None:
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade("base", drop_content=True)
        assert ledger.current() is None
        assert {"chatledger_version"} == {name for name in names(filled_url) if not name.startswith("sqlite_")}
        assert not {name for name in fingerprint(filled_url) if not name.startswith("table sqlite_")}
        assert revision(filled_url) is None
        ledger.upgrade()
        assert HEAD == ledger.current()
        assert ledger.check()


def test_a_database_at_base_is_empty_and_opens_as_a_new_one(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("base")
    with closing(Ledger(url)) as ledger:
        assert HEAD == ledger.current()
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_an_upgrade_of_a_database_at_head_changes_nothing(filled_url: str) -> None:
    rows, schema = contents(filled_url), fingerprint(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        ledger.upgrade()
        ledger.upgrade(HEAD)
        ledger.downgrade(HEAD)
    assert (rows, schema) == (contents(filled_url), fingerprint(filled_url))


def test_one_call_is_one_transaction_a_failing_revision_leaves_the_old_schema(filled_url: str) -> None:
    with closing(Ledger(filled_url)) as ledger:
        ledger.downgrade("0001")
        # The name is taken: revision 0004 cannot make its view, after 0002 and 0003 have run.
        raw = Raw(filled_url)
        raw("CREATE VIEW chatledger_user_usage AS SELECT 1 AS one")
        rows, schema = contents(filled_url), fingerprint(filled_url)
        with pytest.raises(ChatledgerError):
            ledger.upgrade()
        assert ("0001", rows, schema) == (revision(filled_url), contents(filled_url), fingerprint(filled_url))
        raw("DROP VIEW chatledger_user_usage")
        ledger.upgrade()
        assert HEAD == ledger.current()


def test_a_way_down_that_would_drop_content_is_refused_and_says_what_and_how(filled_url: str) -> None:
    rows, schema = contents(filled_url), fingerprint(filled_url)
    with closing(Ledger(filled_url)) as ledger:
        with pytest.raises(Conflict) as refused:
            ledger.downgrade("base")
        for said in (
            "29 in chatledger_messages",
            "3 in chatledger_sessions",
            "drop_content=True",
            "--drop-content",
            "export",
        ):
            assert said in str(refused.value)
        assert "chatledger_session_usage" not in str(refused.value)  # it is counted again on the way up
        assert (HEAD, rows, schema) == (ledger.current(), contents(filled_url), fingerprint(filled_url))
        with pytest.raises(InvalidInput):
            ledger.downgrade("base", drop_content="yes")  # type: ignore[arg-type]  # the slip that is meant
        ledger.downgrade("base", drop_content=True)
        assert ledger.current() is None


def test_an_empty_ledger_goes_down_to_base_without_asking(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("base")
        assert ledger.current() is None
