"""How a query is read."""

from __future__ import annotations

import pytest

from chatledger.full_text.inflections import inflections
from chatledger.full_text.parts import search_columns, session_search_columns, texts_of
from chatledger.full_text.query import Qualifier, parse


@pytest.mark.parametrize(
    ("typed", "literal"),
    [
        ("C++", "c++"), ("C#", "c#"), (".NET", ".net"), ("a_b", "a_b"), ("file.py:42", "file.py:42"),
        ("--dry-run", "--dry-run"), ("user@host", "user@host"), ("#123", "#123"), ("3.14", "3.14"), ("$HOME", "$home"),
        ("train,", None), ("(train", None), ("train?", None), ("don't", None), ("well-known", None), ("e.g.", "e.g"),
        ("train.", None), ("\"train\"", None), ("Straße+", None), ("f()", None), ("get_id()", "get_id"),
    ],
)  # fmt: skip
def test_code_is_known_by_its_characters(typed: str, literal: str | None) -> None:
    (group,) = parse(typed).groups
    assert literal == group[0].literal


def test_qualifiers_are_told_from_words() -> None:
    assert (Qualifier("role", "user"), Qualifier("model", "gpt 5", excluded=True)) == parse(
        'role:user -model:"gpt 5"'
    ).qualifiers
    for typed in ("role:robot", "after:all", "content:x", '"user:ada"', "title:"):
        assert () == parse(typed).qualifiers


def test_a_huge_query_is_read_at_once() -> None:
    assert len(parse("a OR " * 200_000).groups) <= 32
    assert () == parse('"' * 1_000_000).groups


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("train", "trains training trained"), ("boxes", "box boxed"), ("running", "run runs ran"),
        ("organise", "organized organizing organises"), ("analysis", "analyses"), ("go", "went gone goes"),
        ("happy", "happily"), ("quick", "quickly"), ("study", "studies studied"), ("children", "child"),
        ("quiz", "quizzes"), ("picnic", "picnicking"), ("bigger", ""), ("leaves", "leave leaf left"),
    ],
)  # fmt: skip
def test_inflections(word: str, wanted: str) -> None:
    assert set(wanted.split()) <= set(inflections(word))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("experience", "experienced"), ("reference", "referenced"), ("evidence", "evidences"), ("cue", "cueing"),
        ("light", "lit"), ("rise", "rose"), ("dig", "dug"), ("undergo", "underwent"), ("gas", "gases"), ("bus", "buses"),
        ("status", "statuses"), ("virus", "viruses"), ("alias", "aliases"), ("puff", "puffed"), ("squat", "squatted"),
        ("gentleman", "gentlemen"), ("emphasis", "emphases"), ("basis", "bases"), ("menu", "menus"), ("staff", "staffing"),
        ("thermostat", "thermostats"), ("stomach", "stomachs"), ("reach", "reaches"),
    ],
)  # fmt: skip
def test_the_forms_of_a_word_find_each_other(one: str, other: str) -> None:
    assert other in inflections(one)
    assert one in inflections(other)


@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("new", "news"),
        ("general", "generate"),
        ("university", "universe"),
        ("fair", "fairies"),
        ("bus", "busy"),
        ("us", "uses"),
        ("human", "humen"),
        ("das", "dass"),
        ("rat", "rating"),
    ],
)
def test_other_words_are_no_inflections(word: str, other: str) -> None:
    assert other not in inflections(word)
    assert word not in inflections(other)


def test_the_texts_of_a_payload() -> None:
    payload = {
        "content": [{"type": "text", "text": "said already"}, {"type": "image", "data": "AAAA", "alt": "a map"}],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"a": 1}'}}
        ],
        "input": {"city": "Porto", "days": 3},
    }
    assert ["a map", "get_weather", '{"a": 1}', "city", "Porto", "days", "3"] == texts_of("said already", payload, None)


def test_the_columns_of_a_message() -> None:
    assert (None, None) == search_columns("user", "plain", None, None)
    assert ("cafe", None) == search_columns("user", "café", '{"a": ["café", true, null]}', None)
    assert (None, "lookup chatledgertoollookup") == search_columns("tool", "x", None, "lookup")
    assert (None, "ada") == search_columns("user", "x", None, "ada")
    assert (None, None) == search_columns("user", "x", "damaged {", None)
    assert {"search_title": "malaga"} == session_search_columns(title="Málaga")
