"""Messages are taken away or blacked out; their numbers are never handed out again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, MessageNotFound, SessionNotFound, Status
from chatledger.schemas.digest import message_digest
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw


@pytest.fixture
def three(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        for number in range(1, 4):
            uow.messages.append(
                "s", "user", f"secret {number}", payload={"secret": number}, metadata={"secret": True}, name="secret",
                input_tokens=number, cost="0.5", duration_ms=1, key=f"k{number}",
            )  # fmt: skip
    return any_ledger


def test_the_last_message_can_be_popped(three: Ledger) -> None:
    with three.begin() as uow:
        last = uow.messages.history("s")[-1]
        assert last == uow.messages.pop("s")
        assert 2 == uow.messages.pop("s").sequence_number
        session = uow.sessions.get("s")
        assert (1, 1, Decimal("0.5"), 1) == (
            session.message_count, session.total_tokens, session.total_cost, session.total_duration_ms,
        )  # fmt: skip
        assert 4 == uow.messages.append("s", "user", "next").sequence_number
        assert [1, 4] == [message.sequence_number for message in uow.messages.history("s")]


def test_an_empty_session_has_nothing_to_pop(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        with pytest.raises(MessageNotFound) as caught:
            uow.messages.pop("s")
        assert ("s", None) == (caught.value.session_id, caught.value.sequence_number)


def test_clearing_takes_all_and_goes_on_counting(three: Ledger) -> None:
    with three.begin() as uow:
        uow.sessions.create("other")
        uow.messages.append("other", "user", "stays")
        assert 3 == uow.messages.clear("s")
        assert 0 == uow.messages.clear("s")
        session = uow.sessions.get("s")
        assert (0, 0, Decimal(0), 0, 3) == (
            session.message_count, session.total_tokens, session.total_cost, session.total_duration_ms,
            session.last_sequence,
        )  # fmt: skip
        assert [] == uow.messages.history("s")
        assert 1 == len(uow.messages.history("other"))
        assert [4, 5] == [m.sequence_number for m in uow.messages.append_many("s", [{"role": "user"}] * 2)]


def test_a_key_is_free_again_when_its_message_is_gone(three: Ledger) -> None:
    with three.begin() as uow:
        uow.messages.pop("s")
        assert 4 == uow.messages.append("s", "user", "other", key="k3").sequence_number


def test_redacting_leaves_the_frame_and_takes_the_picture(three: Ledger, raw: Raw) -> None:
    with three.begin() as uow:
        before = uow.messages.get("s", 2)
        redacted = uow.messages.redact("s", 2)
        expected: dict[str, Any] = {"content": "[redacted]", "payload": None, "metadata": {}, "name": None}
        assert before.model_copy(update=expected) == redacted == uow.messages.get("s", 2)
        assert 3 == uow.sessions.get("s").message_count
        assert 6 == uow.sessions.get("s").total_tokens
    columns = "content, CAST(payload AS TEXT), CAST(metadata AS TEXT), name, search_text"
    (row,) = raw(f"SELECT {columns} FROM chatledger_messages WHERE sequence_number = 2")
    assert "secret" not in str(tuple(row))


def test_a_redacted_message_has_a_digest_of_its_own(three: Ledger, raw: Raw) -> None:
    with three.begin() as uow:
        message = uow.messages.redact("s", 2, replacement="gone 東京")
    stored = raw("SELECT digest FROM chatledger_messages WHERE sequence_number = 2")[0].digest
    given = {**message.model_dump(), "role": "user", "metadata": None, "hidden": None}
    assert bytes(stored) == message_digest(given, message.created_at)


def test_redacting_twice_is_harmless(three: Ledger) -> None:
    with three.begin() as uow:
        assert uow.messages.redact("s", 1) == uow.messages.redact("s", 1)
        assert "" == uow.messages.redact("s", 1, replacement="").content


def test_a_closed_session_can_be_redacted(three: Ledger) -> None:
    with three.begin() as uow:
        uow.sessions.archive("s")
        assert "x" == uow.messages.redact("s", 1, replacement="x").content
        uow.sessions.expire("s")
        assert "y" == uow.messages.redact("s", 1, replacement="y").content
        assert Status.EXPIRED is uow.sessions.get("s", include_expired=True).status


def test_what_is_not_there_cannot_be_taken_away(three: Ledger) -> None:
    with three.begin() as uow:
        for act in (uow.messages.pop, uow.messages.clear, lambda name: uow.messages.redact(name, 1)):
            with pytest.raises(SessionNotFound):
                act("nobody")
        with pytest.raises(MessageNotFound):
            uow.messages.redact("s", 4)


@pytest.mark.parametrize("replacement", ["\x00", "\ud800", None, 5, b"x"])
@ONE_DATABASE
def test_a_replacement_that_cannot_be_stored_is_refused_by_name(ledger: Ledger, replacement: Any) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "secret")
        with pytest.raises(InvalidInput) as caught:
            uow.messages.redact("s", 1, replacement=replacement)
        assert "replacement" == caught.value.field
        assert "secret" == uow.messages.get("s", 1).content
