"""What was said can be changed, deleted and replaced; everything that is counted from it follows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from chatledger import (
    InvalidInput,
    KeyReused,
    Ledger,
    Message,
    MessageChanged,
    MessageNotFound,
    SequenceConflict,
    SessionClosed,
    SessionNotFound,
)
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.raw import Raw


@pytest.fixture
def three(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        for number in range(1, 4):
            uow.messages.append(
                "s", "assistant", f"otter {number}", payload={"n": number}, metadata={"m": 1}, name="bot", key=f"k{number}",
                input_tokens=number, cost="0.5", duration_ms=1,
            )  # fmt: skip
    return any_ledger


def require_sound(any_ledger: Ledger) -> None:
    report = any_ledger.check()
    assert report.ok, report.findings
    assert not {finding.kind for finding in report.findings} - {"forks", "unused"}


def found(any_ledger: Ledger, words: str, **which: Any) -> list[int]:
    with any_ledger.read() as uow:
        return sorted(hit.sequence_number for hit in uow.search.messages(words, **which).items)


def test_an_update_changes_what_is_given_and_keeps_the_rest(three: Ledger) -> None:
    with three.begin(actor="ed") as uow:
        before = uow.messages.get("s", 2)
        changed = uow.messages.update(
            "s", 2, content="badger", payload={"new": [1]}, metadata=None, name=None, input_tokens=10, cost="0.75",
            model_id="gpt-5", outcome="error", hidden=True, reason="typo",
        )  # fmt: skip
        expected: dict[str, Any] = {
            "content": "badger", "payload": {"new": [1]}, "metadata": {}, "name": None, "input_tokens": 10,
            "cost": Decimal("0.75"), "model_id": "gpt-5", "outcome": "error", "hidden": True,
        }  # fmt: skip
        assert before.model_copy(update=expected) == changed == uow.messages.get("s", 2)
        session = uow.sessions.get("s")
        assert (3, 14, Decimal("1.75"), 3) == (
            session.message_count, session.total_tokens, session.total_cost, session.last_sequence,
        )  # fmt: skip
        assert Decimal("1.75") == uow.statistics.overview().cost
        assert ["gpt-5"] == [one.model_id for one in uow.models.list().items]
        (entry,) = uow.audit.list(action="message.updated").items
    assert entry.details is not None
    assert ("ed", "typo", "s", 2) == (entry.actor, entry.reason, entry.session_id, entry.details["message"])
    assert [
        "content",
        "cost",
        "hidden",
        "input_tokens",
        "metadata",
        "model_id",
        "name",
        "outcome",
        "payload",
    ] == sorted(entry.details["fields"])
    assert "badger" not in str(entry)
    # A hidden message is in no default search.
    assert ([], [1, 3]) == (found(three, "badger"), found(three, "otter"))
    three.run(lambda uow: uow.messages.update("s", 2, hidden=False))
    assert [2] == found(three, "badger")
    require_sound(three)


def test_an_update_by_key_and_one_that_changes_nothing(three: Ledger) -> None:
    with three.begin() as uow:
        assert (2, "x") == (
            (changed := uow.messages.update("s", key="k2", content="x")).sequence_number,
            changed.content,
        )
        assert changed == uow.messages.update("s", 2, content="x") == uow.messages.update("s", 2)
        assert 1 == len(uow.audit.list(action="message.updated").items)
        with pytest.raises(KeyReused):  # the key stands for what the message says now
            uow.messages.append("s", "assistant", "otter 2", key="k2")
        with pytest.raises(MessageNotFound, match="with key 'k9'"):
            uow.messages.update("s", key="k9", content="x")
        with pytest.raises(MessageNotFound):
            uow.messages.update("s", 9, content="x")


def test_what_another_writer_changed_is_not_overwritten(three: Ledger) -> None:
    with three.begin() as uow:
        read = uow.messages.get("s", 1)
        assert "mine" == uow.messages.update("s", 1, content="mine", expected=read).content
        with pytest.raises(MessageChanged) as caught:
            uow.messages.update("s", 1, content="yours", expected=read)
        assert ("s", 1) == (caught.value.session_id, caught.value.sequence_number)
        assert "mine" == uow.messages.get("s", 1).content


@ONCE
def test_an_update_that_is_not_valid_is_refused_by_name(three: Ledger) -> None:
    refused: list[tuple[str, dict[str, Any]]] = [
        ("sequence_number", {}),
        ("sequence_number", {"sequence_number": 1, "key": "k1"}),
        ("content", {"sequence_number": 1, "content": "\x00"}),
        ("content", {"sequence_number": 1, "content": None}),
        ("role", {"sequence_number": 1, "role": "wizard"}),
        ("payload", {"sequence_number": 1, "payload": {"a": float("nan")}}),
        ("input_tokens", {"sequence_number": 1, "input_tokens": -1}),
        ("expected", {"sequence_number": 1, "expected": "otter 1"}),
        ("snapshot", {"sequence_number": 1, "snapshot": "yes"}),
    ]
    with three.begin() as uow:
        other = uow.messages.get("s", 2)
        for field, arguments in [*refused, ("expected", {"sequence_number": 1, "expected": other})]:
            with pytest.raises(InvalidInput) as caught:
                uow.messages.update("s", **arguments)
            assert caught.value.field.split(".")[0] == field
        assert "otter 1" == uow.messages.get("s", 1).content


def test_closed_and_foreign_sessions_are_not_changed(three: Ledger) -> None:
    acts: list[Any] = [
        lambda uow: uow.messages.update("s", 1, content="x"),
        lambda uow: uow.messages.delete("s", 1),
        lambda uow: uow.messages.truncate("s", after=0),
    ]
    for act in acts:
        with pytest.raises(SessionNotFound), three.for_user("lin").begin() as uow:
            act(uow)
    with three.begin() as uow:
        uow.sessions.archive("s")
        for act in acts:
            with pytest.raises(SessionClosed):
                act(uow)
        assert 3 == uow.sessions.get("s").message_count


def test_a_calculated_cost_is_calculated_again(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", model_id="m")
        uow.models.price("m", input=1000, output=1000, effective_from=datetime(2020, 1, 1, tzinfo=UTC))
        uow.messages.append("s", "assistant", "x", output_tokens=1000)
        given = uow.messages.append("s", "assistant", "y", output_tokens=1000, cost="0.1")
        assert Decimal(2) == uow.messages.update("s", 1, output_tokens=2000).cost
        assert Decimal(2) == uow.sessions.get("s").total_cost - Decimal("0.1")
        assert given.cost == uow.messages.update("s", 2, output_tokens=2000).cost
        recounted = uow.messages.update("s", 2, cost=None)
        assert (Decimal(2), True) == (recounted.cost, recounted.priced_from is not None)
        assert uow.messages.update("s", 1, output_tokens=None).cost is None
    require_sound(any_ledger)


def test_a_changed_message_is_no_copy_and_its_copies_have_an_original(three: Ledger, raw: Raw) -> None:
    with three.begin() as uow:
        for name in ("fork", "other"):
            uow.sessions.fork("s", new_session_id=name)
        uow.messages.update("fork", 2, content="badger")  # a copy
        uow.messages.update("s", 1, content="weasel")  # an original with copies
    origins = raw(
        "SELECT session_id, sequence_number, copied_from FROM chatledger_messages WHERE sequence_number < 3"
        " ORDER BY sequence_number, session_id"
    )
    assert [
        ("fork", 1, None), ("other", 1, "fork"), ("s", 1, None),
        ("fork", 2, None), ("other", 2, "s"), ("s", 2, None),
    ] == [tuple(row) for row in origins]  # fmt: skip
    assert ([2], [1], [1, 2, 3]) == (found(three, "badger"), found(three, "weasel"), found(three, "otter"))
    require_sound(three)


def test_messages_are_deleted_by_number_all_or_none(three: Ledger) -> None:
    with three.begin(actor="ed") as uow:
        uow.annotations.add("s", sequence_number=1, label="good")
        with pytest.raises(MessageNotFound):
            uow.messages.delete("s", 1, 9)
        assert 2 == uow.messages.delete("s", 3, 1, 3, reason="noise")
        assert 0 == uow.messages.delete("s")
        session = uow.sessions.get("s")
        assert (1, 2, 3) == (session.message_count, session.total_tokens, session.last_sequence)
        assert [2] == [message.sequence_number for message in uow.messages.history("s")]
        assert 4 == uow.messages.append("s", "user", "next").sequence_number
        (entry,) = uow.audit.list(action="messages.deleted").items
    assert (2, "ed", "noise") == (entry.count, entry.actor, entry.reason)
    assert [2] == found(three, "otter")
    require_sound(three)


@ONE_FLAVOR
def test_hundreds_of_messages_are_deleted(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "content": str(n)} for n in range(1200)])
        assert 1199 == uow.messages.delete("s", *range(2, 1201))
        assert 1 == uow.sessions.get("s").message_count


def test_a_conversation_is_cut_and_goes_on_differently(three: Ledger) -> None:
    with three.begin(actor="ed") as uow:
        uow.sessions.fork("s", new_session_id="fork")
        # The keys of deleted messages are free again.
        new = uow.messages.truncate(
            "s",
            after=1,
            replacement=[{"role": "assistant", "content": "again", "key": "k2"}],
            expected_last=3,
            reason="r",
        )
        assert [(4, "again")] == [(message.sequence_number, message.content) for message in new]
        assert [1, 4] == [message.sequence_number for message in uow.messages.history("s")]
        (entry,) = uow.audit.list(action="messages.deleted").items
        assert (2, "ed", "r") == (entry.count, entry.actor, entry.reason)
        assert ["s", None, None] == [message.copied_from for message in uow.messages.history("fork")]
        with pytest.raises(SequenceConflict, match="newest message of session 's' is 4 and not 3") as caught:
            uow.messages.truncate("s", after=1, expected_last=3)
        assert (3, 4) == (caught.value.expected, caught.value.actual)
        assert [] == uow.messages.truncate("s", after=4)
        assert [5] == [m.sequence_number for m in uow.messages.truncate("s", after=9, replacement=[{"role": "user"}])]
        # Compaction.
        summary, kept = uow.messages.truncate(
            "s", after=0, replacement=[{"role": "system", "content": "summary"}, {"role": "user", "content": "last"}]
        )
        assert (6, 7, 2) == (summary.sequence_number, kept.sequence_number, uow.sessions.get("s").message_count)
        assert [] == uow.messages.truncate("s", after=0)
        assert [] == uow.messages.truncate("s", after=0, expected_last=0)
    require_sound(three)


@ONCE
def test_a_replacement_that_is_not_valid_changes_nothing(three: Ledger) -> None:
    with three.begin() as uow:
        for field, replacement in (("replacement", 5), ("replacement[1].role", [{"role": "user"}, {"role": "x"}])):
            with pytest.raises(InvalidInput) as caught:
                uow.messages.truncate("s", after=0, replacement=replacement)  # type: ignore[arg-type]  # on purpose
            assert field == caught.value.field
        assert 3 == uow.sessions.get("s").message_count


def test_the_older_text_can_be_kept(three: Ledger) -> None:
    acts: list[Any] = [
        lambda uow: uow.messages.update("s", 2, content="new", snapshot=True),
        lambda uow: uow.messages.delete("s", 3, snapshot=True),
        lambda uow: uow.messages.truncate("s", after=0, snapshot=True),
    ]
    with three.begin() as uow:
        before: list[Message] = uow.messages.history("s")
        for act in acts:
            act(uow)
        snapshots = uow.snapshots.list("s")
        assert [f"before messages.{act}" for act in ("update", "delete", "truncate")] == [
            one.reason for one in snapshots
        ]
        uow.snapshots.restore(snapshots[0].snapshot_id)
        assert before == uow.messages.history("s")
    require_sound(three)
