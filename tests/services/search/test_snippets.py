"""Snippets show where a message matches."""

from __future__ import annotations

from typing import Any

import pytest

from chatledger import InvalidInput, Ledger
from tests.support.once import ONE_DATABASE


def snippet(any_ledger: Ledger, text: str, query: str, **options: Any) -> str:
    with any_ledger.begin() as uow:
        session = uow.sessions.create().session_id
        uow.messages.append(session, "user", text)
        (hit,) = uow.search.messages(query, session_id=session, **options)
    return hit.snippet


CASES = [
    ("Lisbon in May.", "may", "Lisbon in **May**."),
    ("Lisbon in May.", "lisbon may", "**Lisbon** in **May**."),
    ("The café!", "cafe", "The **café**!"),
    ("The cafe\u0301!", "café", "The **cafe\u0301**!"),
    ("She was running", "run", "She was **running**"),
    ("a b a b c", '"a b"', "**a b** **a b** c"),
    ("porter and portal", "por*", "**porter** and **portal**"),
    ("数据库连接失败", "连接", "数据库**连接**失败"),
    ("ภาษาไทย", "ไทย", "ภาษา**ไทย**"),
    ("get_user_id()", "user", "get_**user**_id()"),
    ("two\n\n  lines\there", "lines", "two **lines** here"),
    ("<b>bold</b> & train", "train", "<b>bold</b> & **train**"),
    ("train -hotel", "train -bus", "**train** -hotel"),
]


def test_what_was_found_stands_between_marks(any_ledger: Ledger) -> None:
    assert [expected for *_, expected in CASES] == [snippet(any_ledger, text, query) for text, query, _ in CASES]


def test_the_marks_can_be_chosen(any_ledger: Ledger) -> None:
    assert "to <mark>Porto</mark>" == snippet(any_ledger, "to Porto", "porto", highlight=("<mark>", "</mark>"))
    assert "to Porto" == snippet(any_ledger, "to Porto", "porto", highlight=("", ""))
    assert "to \x02Porto\x03" == snippet(any_ledger, "to Porto", "porto", highlight=("\x02", "\x03"))


@pytest.mark.parametrize("marks", [5, (1, 2), ("a",), ("a", "b", "c"), None, "abc"], ids=repr)
@ONE_DATABASE
def test_what_are_no_two_marks_is_refused(ledger: Ledger, marks: Any) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append("s", "user", "word")
        with pytest.raises(InvalidInput) as caught:
            uow.search.messages("word", highlight=marks)
        assert "highlight" == caught.value.field


def test_of_a_long_text_the_place_of_the_match_is_shown(any_ledger: Ledger) -> None:
    text = "lorem ipsum dolor " * 500 + "here is the needle that was lost " + "sit amet " * 500
    found = snippet(any_ledger, text, "needle")
    assert "here is the **needle** that was lost" in found
    assert found.startswith("…")
    assert found.endswith("…")
    assert 100 < len(found) < 250


def test_of_many_places_the_densest_is_shown(any_ledger: Ledger) -> None:
    text = "alpha " + "x " * 300 + "alpha beta gamma " + "y " * 300 + "gamma"
    assert "**alpha** **beta** **gamma**" in snippet(any_ledger, text, "alpha beta gamma")


def test_a_match_at_either_edge_is_shown(any_ledger: Ledger) -> None:
    filling = "filling " * 200
    assert snippet(any_ledger, f"needle {filling}", "needle").startswith("**needle** filling")
    assert snippet(any_ledger, f"{filling}needle", "needle").endswith("filling **needle**")


def test_a_text_of_one_long_word_is_cut_somewhere(any_ledger: Ledger) -> None:
    assert len(snippet(any_ledger, "x" * 500 + " needle " + "y" * 5000, "needle")) < 1000


def test_a_match_deep_inside_a_huge_text_is_found_within_what_is_indexed(any_ledger: Ledger) -> None:
    text = "word " * 19_000 + "needle " + "word " * 100_000
    assert "**needle**" in snippet(any_ledger, text, "needle")
