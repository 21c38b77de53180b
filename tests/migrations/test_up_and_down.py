"""Every revision goes up and down, with rows in the tables."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing

import pytest

from chatledger import Ledger
from chatledger.migrate import HEAD, REVISIONS
from tests.migrations.contents import common, contents, fill, fingerprint, found, names, revision
from tests.support.raw import Raw


def test_one_revision_at_a_time_keeps_every_row_both_ways(url: str, new_url: Callable[[], str]) -> None:
    fill(url)
    rows, hits = contents(url), found(url)
    head = fingerprint(url)
    clean = new_url()
    with closing(Ledger(url, migrate="never")) as ledger, closing(Ledger(clean, migrate="never")) as other:
        for target in reversed(REVISIONS[:-1]):
            ledger.downgrade(target)
            assert target == ledger.current()
            stands = contents(url)
            assert common(rows, stands) == stands, target
        for target in REVISIONS:
            ledger.upgrade(target)
            other.upgrade(target)
            assert target == ledger.current()
            assert fingerprint(clean) == fingerprint(url), target
            stands = contents(url)
            assert common(rows, stands) == stands, target
    assert rows == contents(url)
    assert head == fingerprint(url)
    assert hits == found(url)


@pytest.mark.parametrize("target", REVISIONS[:-1])
def test_down_to_any_revision_and_up_again_is_as_before(url: str, target: str) -> None:
    fill(url)
    rows, hits, schema = contents(url), found(url), fingerprint(url)
    assert all(hits.values())
    with closing(Ledger(url)) as ledger:
        ledger.downgrade(target)
        ledger.upgrade()
        assert ledger.check()
        sequence = ledger.run(lambda uow: uow.messages.append("first", "user", "next").sequence_number)
    assert sequence == 31  # three were taken away; their numbers are not handed out again
    Raw(url)("DELETE FROM chatledger_messages WHERE session_id = 'first' AND sequence_number = 31")
    assert schema == fingerprint(url)
    assert rows["chatledger_messages"] == contents(url)["chatledger_messages"]
    assert hits == found(url)


def test_rows_written_while_triggers_and_index_were_away_are_counted_and_found(url: str) -> None:
    fill(url)
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0001")
        raw = Raw(url)
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


def test_base_leaves_nothing_of_ours_but_an_empty_version_table(url: str) -> None:
    fill(url)
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("base")
        assert ledger.current() is None
        assert {"chatledger_version"} == {name for name in names(url) if not name.startswith("sqlite_")}
        assert not {name for name in fingerprint(url) if not name.startswith("table sqlite_")}
        assert revision(url) is None
        ledger.upgrade()
        assert HEAD == ledger.current()
        assert ledger.check()


def test_a_database_at_base_is_empty_and_opens_as_a_new_one(url: str) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("base")
    with closing(Ledger(url)) as ledger:
        assert HEAD == ledger.current()
        ledger.run(lambda uow: uow.sessions.create("s"))


def test_an_upgrade_of_a_database_at_head_changes_nothing(url: str) -> None:
    fill(url)
    rows, schema = contents(url), fingerprint(url)
    with closing(Ledger(url)) as ledger:
        ledger.upgrade()
        ledger.upgrade(HEAD)
        ledger.downgrade(HEAD)
    assert (rows, schema) == (contents(url), fingerprint(url))


def test_one_call_is_one_transaction_a_failing_revision_leaves_the_old_schema(url: str) -> None:
    fill(url)
    with closing(Ledger(url)) as ledger:
        ledger.downgrade("0001")
        # Two messages with one key: revision 0003 cannot make its unique index, after 0002 has run.
        raw = Raw(url)
        raw(
            "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, key)"
            " VALUES ('empty', 1, 'user', 'a', 'same'), ('empty', 2, 'user', 'b', 'same')"
        )
        rows, schema = contents(url), fingerprint(url)
        with pytest.raises(Exception, match="constraint") as refused:
            ledger.upgrade()
        assert type(refused.value).__module__.startswith("chatledger")
        assert ("0001", rows, schema) == (revision(url), contents(url), fingerprint(url))
        raw("DELETE FROM chatledger_messages WHERE session_id = 'empty'")
        ledger.upgrade()
        assert HEAD == ledger.current()


def test_floats_of_any_magnitude_are_the_same_to_the_last_bit_after_going_down_and_up(url: str) -> None:
    draw = random.Random(8)
    values = [draw.choice((1, -1)) * (1 + draw.random()) * 2.0**power for power in range(-1022, 996) for _ in range(3)]
    values += [0.0, 5e-324, 2.2250738585072014e-308, 1e300, -1e300]
    shares = [abs(value) for value in values if abs(value) <= 1]
    with closing(Ledger(url)) as ledger:
        with ledger.begin() as uow:
            uow.sessions.create("s")
            uow.annotations.add_many("s", [{"score": value} for value in values])
            uow.metrics.record_many({"name": "any", "value": value} for value in values)
            uow.comparisons.create("g", variants=["a", "b"])
            results = [{"prompt_key": f"{at:04}", "preference": share} for at, share in enumerate(shares)]
            uow.comparisons.record_many("g", [{"variant_a": "a", "variant_b": "b", "judge": "j", **r} for r in results])
        ledger.downgrade("0005")
        ledger.upgrade()
    raw = Raw(url)
    assert values == [row.score for row in raw("SELECT score FROM chatledger_annotations ORDER BY annotation_number")]
    assert values == [row.value for row in raw("SELECT value FROM chatledger_performance_metrics ORDER BY metric_id")]
    assert shares == [
        row.preference for row in raw("SELECT preference FROM chatledger_comparison_results ORDER BY prompt_key")
    ]
