"""Children: sessions that belong to another one and are deleted with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from chatledger import InvalidInput, Ledger, SessionHeld, SessionNotFound, UnitOfWork
from tests.support.clock import StoppedClock
from tests.support.raw import Raw


def family(uow: UnitOfWork) -> None:
    """A parent with two children, of which one has a child."""
    uow.sessions.create("parent", user_id="ada")
    for name in ("one", "two"):
        uow.sessions.create(name, parent="parent")
    uow.sessions.create("grandchild", parent="two")
    uow.messages.append("grandchild", "user", "Hello")
    uow.sessions.create("other", user_id="ada")


def ids(uow: UnitOfWork) -> list[str]:
    return sorted(session.session_id for session in uow.sessions.list())


def test_a_child_belongs_to_its_parent_and_to_the_parents_user(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        family(uow)
        child = uow.sessions.get("grandchild")
        assert ("two", "ada") == (child.parent_id, child.user_id)
        assert ["one", "two"] == sorted(one.session_id for one in uow.sessions.list(parent="parent"))
        assert 1 == uow.sessions.count(parent="two")
        assert ["grandchild"] == [one.session_id for one in uow.sessions.iterate(parent="two")]


def test_children_are_deleted_with_their_parent(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        family(uow)
        uow.sessions.delete("parent", reason="done")
        assert ["other"] == ids(uow)
        entries = uow.audit.list(action="session.deleted")
        assert {"parent", "one", "two", "grandchild"} == {entry.session_id for entry in entries}
        assert {"done"} == {entry.reason for entry in entries}
    assert any_ledger.check().ok


def test_a_child_on_hold_keeps_the_whole_family(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        family(uow)
        uow.sessions.hold("grandchild")
        for session_id in ("parent", "two"):
            with pytest.raises(SessionHeld) as refused:
                uow.sessions.delete(session_id)
            assert ("grandchild",) == refused.value.session_ids
        assert 5 == len(ids(uow))
        uow.sessions.delete("one")
        uow.sessions.release("grandchild")
        uow.sessions.delete("two")
        assert ["other", "parent"] == ids(uow)


def test_a_parent_is_refused_that_is_missing_of_somebody_else_or_below(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        family(uow)
        with pytest.raises(SessionNotFound, match="gone"):
            uow.sessions.create(parent="gone")
        with pytest.raises(InvalidInput, match="parent"):
            uow.sessions.create(user_id="bob", parent="parent")
        uow.sessions.create("nobody's")
        with pytest.raises(InvalidInput, match="parent"):
            uow.sessions.create(user_id="ada", parent="nobody's")
        for parent in ("parent", "two", "grandchild"):
            with pytest.raises(InvalidInput, match="children"):
                uow.sessions.update("parent", parent=parent)
        assert "one" == uow.sessions.update("two", parent="one").parent_id
        assert uow.sessions.update("two", parent=None).parent_id is None
        uow.sessions.delete("parent")
        assert ["grandchild", "nobody's", "other", "two"] == ids(uow)
    with any_ledger.for_user("bob").begin() as uow, pytest.raises(SessionNotFound):
        uow.sessions.create(parent="other")


def test_a_child_that_was_given_to_another_user_stays(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        family(uow)
        uow.sessions.update("two", user_id="bob")
        uow.sessions.delete("parent")
        assert ["grandchild", "other", "two"] == ids(uow)
        assert "parent" == uow.sessions.get("two").parent_id
    report = any_ledger.check()
    assert report.ok
    assert [("parents", ("'grandchild'", "'two'"))] == [(one.kind, one.examples) for one in report.findings]


def test_a_purge_takes_children_along_but_no_family_with_a_session_on_hold(
    timed_ledger: Ledger, clock: StoppedClock
) -> None:
    with timed_ledger.begin() as uow:
        family(uow)
        uow.sessions.create("kept", user_id="ada")
        uow.sessions.create("young", parent="kept")
        uow.sessions.hold("young")
        for name in ("parent", "one", "kept"):
            uow.sessions.archive(name, snapshot=False)
    clock.advance(days=2)
    preview = timed_ledger.purge(older_than=timedelta(days=1), dry_run=True)
    report = timed_ledger.purge(older_than=timedelta(days=1))
    assert (4, 1, 1) == (report.sessions, report.messages, report.held)
    assert (preview.sessions, preview.messages, preview.held) == (report.sessions, report.messages, report.held)
    assert {"parent", "one", "two", "grandchild"} == set(report.session_ids) == set(preview.session_ids)
    with timed_ledger.read() as uow:
        assert ["kept", "other", "young"] == ids(uow)


def test_an_erased_users_sessions_are_nobodys_parents(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        family(uow)
        uow.sessions.update("two", user_id="bob")
    any_ledger.erase_user("ada")
    assert [("two", None)] == raw("SELECT session_id, parent_id FROM chatledger_sessions")


def test_cycles_made_by_sql_are_deleted_whole(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        family(uow)
    raw("UPDATE chatledger_sessions SET parent_id = 'grandchild' WHERE session_id = 'parent'")
    with any_ledger.begin() as uow:
        uow.sessions.delete("parent")
        assert ["other"] == ids(uow)
