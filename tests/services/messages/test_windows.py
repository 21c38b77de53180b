"""Windows of whole turns: a tool call is never cut off from its result."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatledger import (
    InvalidInput,
    KeyReused,
    Ledger,
    Message,
    MessageNotFound,
    SequenceConflict,
    SessionNotFound,
    tool_call,
    tool_result,
)
from tests.support.once import ONCE, ONE_FLAVOR

T0 = datetime(2026, 5, 1, 12, tzinfo=UTC)


def calling(*ids: str) -> dict[str, Any]:
    return {"role": "assistant", "payload": {"tool_calls": [tool_call("look", {}, id=one) for one in ids]}}


def turns() -> list[dict[str, Any]]:
    """1 system, 2-3 a turn, 4-8 a turn with two calls, 9-10 a turn."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "be brief", "input_tokens": 2},
        {"role": "user", "content": "one", "input_tokens": 10},
        {"role": "assistant", "content": "1", "output_tokens": 10, "input_tokens": 500},
        {"role": "user", "content": "two", "input_tokens": 10},
        {**calling("a", "b"), "output_tokens": 10},
        {**tool_result("ra", tool_call_id="a"), "tokens_used": 10},
        {**tool_result("rb", tool_call_id="b"), "tokens_used": 10},
        {"role": "assistant", "content": "2", "output_tokens": 10},
        {"role": "user", "content": "three", "input_tokens": 10},
        {"role": "assistant", "content": "3", "output_tokens": 10},
    ]
    return [{**one, "created_at": T0 + timedelta(minutes=n)} for n, one in enumerate(messages, 1)]


@pytest.fixture
def talk(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.messages.append_many("s", turns())
    return any_ledger


def numbers(found: list[Message]) -> list[int]:
    return [message.sequence_number for message in found]


def test_a_window_holds_whole_turns(talk: Ledger) -> None:
    with talk.read() as uow:
        for last, first in ((10, 1), (9, 2), (8, 4), (7, 4), (6, 9), (3, 9), (2, 9), (1, 9), (50, 1)):
            expected = list(range(first, 11))
            assert expected == numbers(uow.messages.history("s", last=last, whole_turns=True)), last
        assert list(range(1, 11)) == numbers(uow.messages.history("s", whole_turns=True))
        # The newest turn as a whole, although it is longer.
        assert [4, 5, 6, 7, 8] == numbers(uow.messages.history("s", last=2, before=9, whole_turns=True))
        # Results whose call is not in the window are left out.
        assert [9, 10] == numbers(uow.messages.history("s", after=5, whole_turns=True))
        assert list(range(3, 11)) == numbers(uow.messages.history("s", after=2, last=8, whole_turns=True))
        assert list(range(4, 11)) == numbers(uow.messages.history("s", after=2, last=7, whole_turns=True))
        assert [] == uow.messages.history("s", last=0, whole_turns=True)


def test_a_window_fits_into_a_number_of_tokens(talk: Ledger) -> None:
    with talk.read() as uow:
        for tokens, first in ((92, 1), (91, 2), (89, 4), (70, 4), (69, 9), (20, 9), (19, 11), (0, 11), (10**6, 1)):
            assert list(range(first, 11)) == numbers(uow.messages.history("s", max_tokens=tokens)), tokens
        by_one: Any = lambda message: 1  # noqa: E731
        assert list(range(4, 11)) == numbers(uow.messages.history("s", max_tokens=8, count_tokens=by_one))
        assert [9, 10] == numbers(uow.messages.history("s", max_tokens=8, last=6, count_tokens=by_one))


def test_tokens_that_are_not_stored_are_estimated(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        for _ in range(250):  # more than are read at a time
            uow.messages.append_many(
                "s", [{"role": "user", "content": "x" * 40}, {"role": "assistant", "content": "y" * 39}]
            )
        assert list(range(101, 501)) == numbers(uow.messages.history("s", max_tokens=4000 + 19))
        assert 500 == len(uow.messages.history("s", max_tokens=5000))


def test_a_question_between_a_call_and_its_result_begins_no_window(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many(
            "s",
            [
                {"role": "user"}, calling("a"), {"role": "user"}, tool_result("r", tool_call_id="a"),
                {"role": "assistant"},
            ],
        )  # fmt: skip
        assert [1, 2, 3, 4, 5] == numbers(uow.messages.history("s", last=3, whole_turns=True))


def test_history_by_time_and_key(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada")
        uow.messages.append_many(
            "s", [{"role": "user", "key": f"k{n}", "created_at": T0 + timedelta(hours=n)} for n in range(1, 6)]
        )
        history = uow.messages.history
        assert [2, 3] == numbers(history("s", since=T0 + timedelta(hours=2), until=T0 + timedelta(hours=4)))
        assert [3] == numbers(history("s", until=T0 + timedelta(hours=4), last=1))
        assert [4, 5] == numbers(history("s", after_key="k3"))
        assert [4] == numbers(history("s", after_key="k3", limit=1))
        assert [] == history("s", after_key="k5")
        with pytest.raises(MessageNotFound, match="k9"):
            history("s", after_key="k9")
        with pytest.raises(SessionNotFound):
            history("t", after_key="k1")
    with pytest.raises(SessionNotFound), any_ledger.for_user("lin").read() as uow:
        uow.messages.history("s", after_key="k1")


@ONCE
def test_a_window_that_is_not_valid_is_refused_by_name(talk: Ledger) -> None:
    refused: list[tuple[str, dict[str, Any]]] = [
        ("last", {"last": 1, "limit": 1}), ("limit", {"limit": 1, "whole_turns": True}), ("max_tokens", {"max_tokens": -1}),
        ("whole_turns", {"whole_turns": 1}), ("count_tokens", {"max_tokens": 1, "count_tokens": 5}),
        ("count_tokens", {"max_tokens": 1, "count_tokens": lambda message: "many"}), ("since", {"since": "yesterday"}),
        ("until", {"until": datetime(2026, 5, 1)}), ("after_key", {"after_key": 5}),
    ]  # fmt: skip
    with talk.read() as uow:
        for field, arguments in refused:
            with pytest.raises(InvalidInput) as caught:
                uow.messages.history("s", **arguments)
            assert field == caught.value.field


def test_open_calls_are_told(talk: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    with talk.begin() as uow:
        assert [] == uow.messages.open_calls("s")
        cut = uow.sessions.fork("s", at=6, new_session_id="cut")
        assert ["b"] == [call.id for call in uow.messages.open_calls("cut")]
        assert ["b"] == [call.id for call in cut.open_calls]
        assert cut == uow.sessions.get("cut")
        assert uow.sessions.get("cut") == cut
        assert cut != uow.sessions.get("s")
        whole = uow.sessions.fork("s", new_session_id="whole")
        assert () == whole.open_calls
        again = uow.sessions.fork("cut", new_session_id="again")
        assert cut.open_calls == again.open_calls
        assert again != cut
        uow.messages.append("cut", "assistant", "went on")
        uow.messages.append("cut", "user", "next")
        uow.messages.append("cut", "tool", "?", tool_call_id="nobody's")
        left = uow.messages.truncate("s", after=5)
        assert ["a", "b"] == [call.id for call in uow.messages.open_calls("s")]
        assert ([], ["a", "b"]) == (left, [call.id for call in left.open_calls])
        results = [{"role": "tool", "content": "?", "tool_call_id": name} for name in "ab"]
        answered = uow.messages.truncate("whole", after=5, replacement=results)
        assert ([11, 12], ()) == ([message.sequence_number for message in answered], answered.open_calls)
        uow.sessions.delete("whole")
        uow.sessions.delete("again")
    told = [record for record in caplog.records if record.message == "open tool calls"]
    assert [("cut", ["b"]), ("s", ["a", "b"])] == [(one.session_id, one.tool_calls) for one in told]  # type: ignore[attr-defined]
    report = talk.check()
    assert report.ok
    notes = {finding.kind: finding.examples for finding in report.findings}
    assert {"open_calls": ("'cut' #5", "'s' #5"), "stray_results": ("'cut' #9",)} == notes


def test_payloads_are_read_without_messages(talk: Ledger) -> None:
    with talk.begin() as uow:
        uow.messages.append("s", "user", "x", payload=[1, {"b": 2.5, "a": "é"}])
        messages = uow.messages.history("s")
        assert [message.payload for message in messages] == uow.messages.payloads("s")
        assert [None, [1, {"b": 2.5, "a": "é"}]] == uow.messages.payloads("s", last=2)
        assert [messages[4].payload] == uow.messages.payloads("s", after=4, limit=1)
        assert [] == uow.messages.payloads("s", before=1)
        with pytest.raises(SessionNotFound):
            uow.messages.payloads("t")


@ONE_FLAVOR
def test_append_many_says_where_it_expects_to_be_and_keeps_what_is_there(talk: Ledger) -> None:
    with talk.begin() as uow:
        two = [{"role": "user", "content": "x", "key": "k1"}, {"role": "user", "content": "y", "key": "k2"}]
        for messages in (two, two[:1]):
            with pytest.raises(SequenceConflict) as caught:
                uow.messages.append_many("s", messages, expected_sequence=10)
            assert (10, 10) == (caught.value.expected, caught.value.actual)
        added = uow.messages.append_many("s", two, expected_sequence=11)
        assert added == uow.messages.append_many("s", two, expected_sequence=11)  # a retry of the same
        other = [{**one, "content": "other"} for one in two]
        for messages in (other, other[:1]):
            with pytest.raises(KeyReused):
                uow.messages.append_many("s", messages)
            assert added[: len(messages)] == uow.messages.append_many("s", messages, on_key="keep")
        mixed = uow.messages.append_many(
            "s", [*other, {"role": "user", "content": "z"}], on_key="keep", expected_sequence=13
        )
        assert ["x", "y", "z"] == [message.content for message in mixed]
        for field, arguments in (("on_key", {"on_key": "other"}), ("expected_sequence", {"expected_sequence": "1"})):
            with pytest.raises(InvalidInput) as refused:
                uow.messages.append_many("s", two, **arguments)  # type: ignore[arg-type]  # wrong on purpose
            assert field == refused.value.field
        with pytest.raises(InvalidInput) as refused:
            uow.messages.append_many("s", [{"role": "user", "payload": float("nan")}])
        assert "messages[0].payload" == refused.value.field
