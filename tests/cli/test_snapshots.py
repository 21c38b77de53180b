"""snapshot take, list, show, diff, restore, delete."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from chatledger import Ledger, models
from tests.cli.conftest import Command
from tests.support.once import ONE_DATABASE


@pytest.fixture
def trip(run: Command) -> Command:
    """A session with two messages and a snapshot of them."""
    run.text("create", "--id", "trip", "--user-id", "ada", "--title", "Trip")
    run.text("add", "trip", "user", "Where to in May?", "--tokens", "1200")
    run.text("add", "trip", "assistant", "Lisbon.")
    assert "trip:1" == run.text("snapshot", "take", "trip", "--reason", "before the change")
    return run


def test_the_list_says_what_and_why(trip: Command) -> None:
    found = trip.json("snapshot", "take", "trip", "--kind", "checkpoint", "--actor", "bob")
    assert ("trip:2", "checkpoint", "bob", 2) == picked(found, "snapshot_id", "kind", "actor", "message_count")
    items = trip.json("snapshot", "list", "trip")["items"]
    assert [("trip:1", "manual", "nina", "before the change"), ("trip:2", "checkpoint", "bob", None)] == [
        picked(item, "snapshot_id", "kind", "actor", "reason") for item in items
    ]
    header, first, _ = trip.text("snapshot", "list", "trip").splitlines()
    assert ["ID", "Kind", "Taken", "Messages", "Tokens", "Size", "Stored", "Who", "Why"] == header.split()
    assert ["trip:1", "manual"] == first.split()[:2]
    assert first.endswith(
        f"2   1,200  {items[0]['size']} bytes  {items[0]['stored_size']} bytes  nina  before the change"
    )


def test_no_snapshots_and_no_such_session(run: Command) -> None:
    run.text("create", "--id", "s", "--user-id", "ada")
    result = run("snapshot", "list", "s")
    assert (0, "", "no snapshots\n") == (result.exit_code, result.stdout, result.stderr)
    assert "chatledger: no session 'x'" == run.error("snapshot", "list", "x")
    assert "chatledger: no session 's'" == run.error("snapshot", "take", "s", "--user-id", "bob")
    for snapshot_id in ("s:1", "s", "s:x", ""):
        for command in ("show", "diff", "restore", "delete"):
            assert f"chatledger: no snapshot {snapshot_id!r}" == run.error("snapshot", command, snapshot_id)


def test_another_users_snapshot_is_not_found(trip: Command) -> None:
    for command in (["show"], ["diff"], ["restore", "--yes"], ["restore", "--as", "n"], ["delete", "--yes"]):
        refused = trip.error("snapshot", command[0], "trip:1", *command[1:], "--user-id", "bob")
        assert "chatledger: no snapshot 'trip:1'" == refused


def test_show_reads_like_the_history(trip: Command) -> None:
    before = trip.text("history", "trip", "--json").splitlines()
    messages = trip.text("history", "trip").splitlines()[2:]
    trip.text("add", "trip", "user", "And by bus?")
    head, *rest = trip.text("snapshot", "show", "trip:1").splitlines()
    assert head.startswith("trip:1 · manual · ")
    assert head.endswith("Z · 2 messages · nina · before the change")
    assert messages == rest
    assert before == trip.text("snapshot", "show", "trip:1", "--json").splitlines()


def test_diff_shows_first_words(trip: Command, url: str) -> None:
    result = trip("snapshot", "diff", "trip:1")
    assert (0, "", "no difference\n") == (result.exit_code, result.stdout, result.stderr)
    assert trip.json("snapshot", "diff", "trip:1")["differs"] is False
    trip.text("add", "trip", "user", f"And\n by bus, \x1b[31mor by train, {'x' * 100}")
    trip.text("add", "trip", "tool", "--payload", '{"celsius": 21}')
    change(url, "trip")
    expected = [
        "- #1 user  Where to in May?",
        "~ #2 assistant  Lisbon. → [redacted]",
        "+ #3 user  And by bus, \\x1b[31mor by train, " + "x" * 26 + "…",
        '+ #4 tool  {"celsius": 21}',
        "~ title",
    ]
    found = trip.json("snapshot", "diff", "trip:1")
    assert (True, [3, 4], [1], [2], ["title"]) == picked(found, "differs", "added", "removed", "changed", "fields")
    assert expected == trip.text("snapshot", "diff", "trip:1").splitlines()


def test_restoring_wants_to_hear_yes_when_something_would_go(trip: Command) -> None:
    trip.text("add", "trip", "user", "And by bus?")
    refused = trip.error("snapshot", "restore", "trip:1")
    assert (
        "chatledger: snapshot 'trip:1': 1 message that came since would go "
        "(--as NEW_ID restores beside it): add --yes to do it"
    ) == refused
    assert ["trip:1"] == [item["snapshot_id"] for item in trip.json("snapshot", "list", "trip")["items"]]
    said = trip.text("snapshot", "restore", "trip:1", "--yes", "--reason", "a mistake").splitlines()
    assert ["restored trip as it was in trip:1", "to undo it: chatledger snapshot restore trip:2 --yes"] == said
    assert 2 == len(trip.text("history", "trip", "--json").splitlines())
    entry = trip.json("audit", "trip", "--action", "session.restored")["items"][0]
    assert ("nina", "a mistake") == picked(entry, "actor", "reason")


def test_a_restore_can_be_undone_as_it_says(trip: Command) -> None:
    trip.text("add", "trip", "user", "And by bus?")
    before = trip.text("history", "trip", "--json")
    done = trip.json("snapshot", "restore", "trip:1", "--yes")
    assert ("trip:2", 2) == (done["undo"], done["session"]["message_count"])
    # Nothing is lost by it, so that nothing is asked.
    trip.text("snapshot", "restore", done["undo"])
    assert before == trip.text("history", "trip", "--json")


def test_a_restore_that_loses_nothing_asks_nothing(trip: Command, url: str) -> None:
    with Ledger(url) as ledger, ledger.begin() as uow:
        uow.messages.pop("trip")
    assert 2 == trip.json("snapshot", "restore", "trip:1")["session"]["message_count"]


def test_as_a_new_session_nothing_is_touched(trip: Command) -> None:
    trip.text("add", "trip", "user", "And by bus?")
    assert "other" == trip.text("snapshot", "restore", "trip:1", "--as", "other")
    done = trip.json("snapshot", "restore", "trip:1", "--as", "third")
    assert (None, "trip", 2) == (done["undo"], done["session"]["forked_from"], done["session"]["message_count"])
    assert 3 == len(trip.text("history", "trip", "--json").splitlines())
    assert "chatledger: session 'other' exists already" == trip.error("snapshot", "restore", "trip:1", "--as", "other")


def test_a_closed_session_is_not_restored_over(trip: Command) -> None:
    trip.text("archive", "trip")
    assert "is archived and takes no more messages: reopen it" in trip.error("snapshot", "restore", "trip:1")


def test_delete_wants_to_hear_yes(trip: Command) -> None:
    refused = trip.error("snapshot", "delete", "trip:1")
    assert "chatledger: snapshot 'trip:1' would be deleted with 2 messages: add --yes to do it" == refused
    assert "deleted trip:1" == trip.text("snapshot", "delete", "trip:1", "--yes", "--reason", "tidy")
    assert [] == trip.json("snapshot", "list", "trip")["items"]
    assert "tidy" == trip.json("audit", "trip", "--action", "snapshot.deleted")["items"][0]["reason"]


@ONE_DATABASE
def test_an_unknown_kind_is_misuse(trip: Command) -> None:
    assert "'--kind'" in trip.misuse("snapshot", "take", "trip", "--kind", "holiday")


def change(url: str, session_id: str) -> None:
    """Take the first message away, change the second, and the title."""
    with Ledger(url) as ledger, ledger.begin() as uow:
        first, second = uow.session.scalars(
            select(models.Message).where(models.Message.session_id == session_id).order_by("sequence_number").limit(2)
        )
        uow.session.delete(first)
        second.content = "[redacted]"
        uow.session.flush()
        uow.sessions.update(session_id, title="Another")


def picked(document: dict[str, object], *names: str) -> tuple[object, ...]:
    return tuple(document[name] for name in names)
