"""Annotations: said, found, counted, changed, and gone with what they are about."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatledger import (
    Annotation,
    AnnotationNotFound,
    InvalidInput,
    Ledger,
    MessageNotFound,
    SessionNotFound,
)
from tests.support.once import ONCE, ONE_FLAVOR
from tests.support.raw import Raw


@pytest.fixture
def judged(any_ledger: Ledger) -> Ledger:
    with any_ledger.begin() as uow:
        for name, user in (("a", "ada"), ("b", "bob")):
            uow.sessions.create(name, user_id=user)
            for text in ("one", "two", "three"):
                uow.messages.append(name, "user", text)
        uow.annotations.add("a", label="bad", text="The tides were wrong", author="ada", metadata={"v": (1, 2)})
        uow.annotations.add("a", sequence_number=2, label="good", score=0.1)
        uow.annotations.add("b", sequence_number=3, label="good", score=0.2, text="数据 of Zürich", author="judge")
    return any_ledger


def ids(found: Any) -> list[str]:
    return [annotation.annotation_id for annotation in found]


def test_what_is_said_comes_back(judged: Ledger) -> None:
    with judged.begin() as uow:
        added = uow.annotations.add("a", sequence_number=3, score=-0.0, metadata={})
        assert ("a:3", 3, 0.0, None, {}) == (
            added.annotation_id, added.sequence_number, added.score, added.label, added.metadata,
        )  # fmt: skip
        assert 1.0 == math.copysign(1, added.score or 0.0)
        assert added == uow.annotations.get("a:3")
        assert {"v": [1, 2]} == uow.annotations.get("a:1").metadata
        for score in (1 / 3, 5e-324, 1e300, -(2.0**53) - 2):
            assert score == uow.annotations.get(uow.annotations.add("a", score=score).annotation_id).score
        more = uow.annotations.add_many("b", [{"label": str(number)} for number in range(600)])
        assert ([*range(2, 602)], []) == (
            [annotation.annotation_number for annotation in more],
            uow.annotations.add_many("b", []),
        )
        assert more[-1] == uow.annotations.get("b:601")


def test_each_filter_leaves_what_it_names(judged: Ledger) -> None:
    with judged.read() as uow:
        newest = uow.annotations.list()
        assert ["b:1", "a:2", "a:1"] == ids(newest)
        filters: list[tuple[dict[str, Any], list[str]]] = [
            ({"session_id": "a"}, ["a:2", "a:1"]),
            ({"session_id": "a", "sequence_number": 2}, ["a:2"]),
            ({"label": "good"}, ["b:1", "a:2"]),
            ({"author": "judge"}, ["b:1"]),
            ({"min_score": 0.2}, ["b:1"]),
            ({"max_score": 0.1}, ["a:2"]),
            ({"since": newest[0].created_at}, ["b:1"]),
            ({"until": newest[1].created_at}, ["a:1"]),
        ]
        assert [expected for _, expected in filters] == [ids(uow.annotations.list(**some)) for some, _ in filters]
        first = uow.annotations.list(limit=2)
        assert (["b:1", "a:2"], ["a:1"]) == (
            ids(first), ids(rest := uow.annotations.list(limit=2, cursor=first.next_cursor)),
        )  # fmt: skip
        assert rest.next_cursor is None


def test_sessions_are_found_by_what_is_said_of_them(judged: Ledger) -> None:
    with judged.read() as uow:
        assert ["a"] == [session.session_id for session in uow.sessions.list(annotated="bad")]
        assert {"a", "b"} == {session.session_id for session in uow.sessions.list(annotated="good")}
        assert ["b"] == [session.session_id for session in uow.sessions.list(annotated="good", user_id="bob")]
        assert [] == list(uow.sessions.list(annotated="' OR 1=1 --"))


def test_what_is_said_is_counted(judged: Ledger) -> None:
    with judged.read() as uow:
        found = uow.annotations.summary()
        assert (3, 2, 2) == (found.count, found.sessions, found.scored)
        assert found.mean_score == pytest.approx(0.15)
        assert [("good", 2, 2, 0.1, 0.2), ("bad", 1, 0, None, None)] == [
            (each.label, each.count, each.scored, each.least_score, each.greatest_score) for each in found.labels
        ]
        empty = uow.annotations.summary(label="none")
        assert (0, 0, None, ()) == (empty.count, empty.sessions, empty.mean_score, empty.labels)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tide", ["a:1"]),  # the English ending
        ("zurich", ["b:1"]),  # the accent
        ("数", ["b:1"]),
        ('"were wrong"', ["a:1"]),
        ('"wrong were"', []),
        ("tid*", ["a:1"]),
        ("tides -wrong", []),
        ("nothing OR wrong", ["a:1"]),
        ("of", ["b:1"]),
        ("-tides", []),
        ("' OR 1=1 -- \" ( *", []),
        ("", []),
    ],
)
@ONE_FLAVOR
def test_the_query_language_is_that_of_messages(judged: Ledger, query: str, expected: list[str]) -> None:
    with judged.read() as uow:
        assert expected == ids(uow.annotations.search(query))


def test_a_search_goes_page_by_page(judged: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    with judged.begin() as uow:
        uow.annotations.add_many("a", [{"text": f"walrus {number}"} for number in range(7)])
    for read in (20_000, 3, 2):
        monkeypatch.setattr("chatledger.services.annotations.service._READ", read)
        with judged.read() as uow:
            found, cursor = [], None
            for _ in range(20):
                page = uow.annotations.search("walrus", limit=2, cursor=cursor, highlight=("<", ">"))
                found += [hit.snippet for hit in page]
                if (cursor := page.next_cursor) is None:
                    break
            assert [f"<walrus> {number}" for number in range(6, -1, -1)] == found, read


def test_a_change_leaves_the_rest(judged: Ledger) -> None:
    with judged.begin() as uow:
        old = uow.annotations.get("a:1")
        new = uow.annotations.update("a:1", label=None, score=0.5)
        changed = {"label": None, "score": 0.5, "updated_at": new.updated_at}
        assert old.model_copy(update=changed) == new == uow.annotations.get("a:1")
        assert new.updated_at > old.updated_at
        with pytest.raises(InvalidInput, match="needs a label"):
            uow.annotations.update("a:2", label=None, score=None)
        uow.annotations.remove("a:1")
        for act in (uow.annotations.get, uow.annotations.update, uow.annotations.remove):
            with pytest.raises(AnnotationNotFound) as caught:
                act("a:1")
            assert "a:1" == caught.value.annotation_id


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "annotation"),
        ({"score": math.nan}, "score"),
        ({"score": math.inf}, "score"),
        ({"score": 1e301}, "score"),
        ({"score": "5"}, "score"),
        ({"score": True}, "score"),
        ({"label": ""}, "label"),
        ({"label": "x" * 256}, "label"),
        ({"text": "\x00"}, "text"),
        ({"text": "\ud800"}, "text"),
        ({"label": "x", "metadata": {"a": math.nan}}, "metadata"),
        ({"label": "x", "sequence_number": 0}, "sequence_number"),
    ],
)
@ONCE
def test_what_cannot_be_kept_is_refused_by_name(judged: Ledger, given: dict[str, Any], field: str) -> None:
    with judged.begin() as uow:
        with pytest.raises(InvalidInput) as caught:
            uow.annotations.add("a", **given)
        assert field == caught.value.field
        with pytest.raises(InvalidInput) as caught:
            uow.annotations.add_many("a", [{"label": "fine"}, given])
        assert f"annotations[1].{field}" == caught.value.field
        assert 2 == len(uow.annotations.list(session_id="a"))


def test_what_is_not_there_is_not_found(judged: Ledger) -> None:
    with judged.begin() as uow:
        with pytest.raises(SessionNotFound):
            uow.annotations.add("x", label="bad")
        with pytest.raises(MessageNotFound) as caught:
            uow.annotations.add("a", sequence_number=4, label="bad")
        assert ("a", 4) == (caught.value.session_id, caught.value.sequence_number)
        for name in ("a:9", "a:01", "a:", "a", "", "a:-1", "a:٣"):
            with pytest.raises(AnnotationNotFound):
                uow.annotations.get(name)
        for cursor in ("x", uow.annotations.list(limit=1).next_cursor):
            with pytest.raises(InvalidInput):
                uow.annotations.search("tide", cursor=cursor)


def test_what_is_said_of_a_message_goes_with_it(judged: Ledger, raw: Raw) -> None:
    with judged.begin() as uow:
        uow.annotations.add("a", sequence_number=1, label="first")
        uow.annotations.add("a", sequence_number=3, label="last")
        uow.messages.pop("a")
        assert ["a:3", "a:2", "a:1"] == ids(uow.annotations.list(session_id="a"))
    raw("DELETE FROM chatledger_messages WHERE session_id = 'a' AND sequence_number = 2")  # another program
    with judged.begin() as uow:
        assert ["a:3", "a:1"] == ids(uow.annotations.list(session_id="a"))
        uow.messages.clear("a")
        assert ["a:1"] == ids(uow.annotations.list(session_id="a"))
        assert ["b:1"] == ids(uow.annotations.list(session_id="b"))
        uow.sessions.delete("a")
    assert [("b",)] == [tuple(row) for row in raw("SELECT session_id FROM chatledger_annotations")]


def test_a_redaction_leaves_labels_and_scores(judged: Ledger) -> None:
    with judged.begin() as uow:
        uow.annotations.add("b", sequence_number=3, text="quotes the secret")
        uow.annotations.add("b", text="of the session")
        uow.messages.redact("b", 3)
        left: list[Annotation] = list(uow.annotations.list(session_id="b"))
        assert [("b:3", None, "of the session"), ("b:1", "good", None)] == [
            (each.annotation_id, each.label, each.text) for each in left
        ]


def test_a_fork_begins_without_and_a_closed_session_takes_more(judged: Ledger) -> None:
    with judged.begin() as uow:
        fork = uow.sessions.fork("a")
        assert [] == list(uow.annotations.list(session_id=fork.session_id))
        uow.sessions.archive("a")
        before = uow.sessions.get("a")
        assert "a:3" == uow.annotations.add("a", label="late").annotation_id
        assert before == uow.sessions.get("a")
        uow.sessions.expire("a")
        assert (["b:1"], 3) == (ids(uow.annotations.list()), len(uow.annotations.list(session_id="a")))


def test_an_erased_author_leaves_no_word_on_anothers_session(judged: Ledger, raw: Raw) -> None:
    with judged.begin() as uow:
        uow.annotations.add("b", label="bad", text="ada's words", author="ada", metadata={"ada": 1})
        uow.annotations.add("b", text="only ada's words", author="ada")
    judged.erase_user("ada", scrub=False)
    with judged.read() as uow:
        assert [("b:2", "bad", None, None, {}), ("b:1", "good", "数据 of Zürich", "judge", {})] == [
            (each.annotation_id, each.label, each.text, each.author, each.metadata) for each in uow.annotations.list()
        ]
    assert 2 == raw.count("chatledger_annotations")


def test_an_author_has_one_vote_on_a_message(judged: Ledger) -> None:
    with judged.begin() as uow:
        first = uow.annotations.vote("a", "up", author="ada", sequence_number=1, text="yes", score=1)
        uow.annotations.vote("a", "down", author="bob", sequence_number=1)
        uow.annotations.vote("a", "up", author="ada", sequence_number=2)
        uow.annotations.vote("a", "up", author="ada")  # the session
        uow.annotations.add("a", label="tidy", author="ada", sequence_number=1)
        for _ in range(2):
            changed = uow.annotations.vote("a", "down", author="ada", sequence_number=1, metadata={"k": 1})
        assert (first.annotation_id, "down", None, None, {"k": 1}) == (
            changed.annotation_id, changed.label, changed.text, changed.score, changed.metadata,
        )  # fmt: skip
        found = uow.annotations.list(session_id="a", sequence_number=1)
        assert [("ada", "down"), ("ada", "tidy"), ("bob", "down")] == sorted(
            (each.author or "", each.label or "") for each in found
        )
        by_label = {
            each.label: each.count for each in uow.annotations.summary(sequence_number=1, session_id="a").labels
        }
        assert {"down": 2, "tidy": 1} == by_label
        # Of other choices, another vote; and several of one author become one.
        uow.annotations.vote("a", "5", author="ada", sequence_number=1, choices=["1", "5"])
        uow.annotations.add("a", label="up", author="ada", sequence_number=1)
        assert "down" == uow.annotations.vote("a", "down", author="ada", sequence_number=1).label
        assert ["5", "down", "tidy"] == sorted(
            each.label or "" for each in uow.annotations.list(session_id="a", sequence_number=1, author="ada")
        )


@ONCE
@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("label", {"label": "sideways"}),
        ("choices", {"choices": "up"}),
        ("choices", {"choices": ["up", ""]}),
        ("author", {"author": ""}),
        ("author", {"author": None}),
        ("score", {"score": math.nan}),
    ],
)
def test_a_vote_that_is_invalid_is_refused(judged: Ledger, field: str, changes: dict[str, Any]) -> None:
    with judged.begin() as uow, pytest.raises(InvalidInput) as caught:
        uow.annotations.vote("a", **{"label": "up", "author": "ada", **changes})
    assert field == caught.value.field


def test_a_vote_is_on_a_message_that_is_there(judged: Ledger) -> None:
    with judged.begin() as uow:
        with pytest.raises(MessageNotFound):
            uow.annotations.vote("a", "up", author="ada", sequence_number=9)
        with pytest.raises(SessionNotFound):
            uow.annotations.vote("c", "up", author="ada")


def test_annotations_are_summed_up_by_model(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for name, model in (("a", "gpt"), ("b", "mistral"), ("c", None)):
            uow.sessions.create(name, user_id=name, model_id=model)
            uow.messages.append(name, "user", "one")
            uow.messages.append(name, "assistant", "two", model_id="claude" if name == "a" else None)
        uow.annotations.add("a", sequence_number=2, label="good", score=1)  # the model of the message
        uow.annotations.add("a", sequence_number=1, label="good", score=0)  # the model of the session
        uow.annotations.add("a", label="bad", author="ada")
        for score in (0.25, 0.75):
            uow.annotations.add("b", sequence_number=2, label="good", score=score)
        uow.annotations.add("b", sequence_number=2, label="bad", score=-1)
        uow.annotations.add("c", sequence_number=2, label="good")
        found = {each.model_id: each for each in uow.annotations.by_model()}
        assert ["mistral", "gpt", None, "claude"] == list(found)
        mistral = found["mistral"]
        assert (3, 1, 3, 0.0) == (mistral.count, mistral.sessions, mistral.scored, mistral.mean_score)
        assert [("good", 2, 0.5, 0.25, 0.75), ("bad", 1, -1.0, -1.0, -1.0)] == [
            (each.label, each.count, each.mean_score, each.least_score, each.greatest_score) for each in mistral.labels
        ]
        assert (2, 1, 0.0) == (found["gpt"].count, found["gpt"].scored, found["gpt"].mean_score)
        assert (1, 1.0) == (found["claude"].count, found["claude"].mean_score)
        assert (1, None) == (found[None].count, found[None].mean_score)
        assert ["gpt"] == [each.model_id for each in uow.annotations.by_model(author="ada")]
        uow.sessions.expire("b")
        assert "mistral" not in {each.model_id for each in uow.annotations.by_model()}
    with any_ledger.for_user("a").read() as uow:
        assert {"gpt", "claude"} == {each.model_id for each in uow.annotations.by_model()}
