"""Everything of a conversation is searched, and a conversation is found by words that are in several places."""

from __future__ import annotations

from typing import Any

import pytest

from chatledger import Ledger, Role
from tests.support.clock import StoppedClock
from tests.support.once import ONE_FLAVOR

_CALL = {"function": {"name": "get_weather", "arguments": '{"city": "Porto"}'}, "id": "call_9", "type": "function"}


@pytest.fixture
def talks(timed_ledger: Ledger, clock: StoppedClock) -> Ledger:
    with timed_ledger.begin() as uow:
        uow.sessions.create("trip", user_id="ada", title="Trip to Málaga", system_prompt="You guide travellers")
        uow.sessions.create("work", user_id="bob", title="Quarterly report", model_id="m-1")
        for session, role, text, more in (
            ("trip", "user", "Where do otters live?", {}),
            ("trip", "assistant", "", {"payload": {"tool_calls": [_CALL]}, "model_id": "m-2"}),
            ("trip", "tool", "rain", {"name": "get_weather", "payload": {"result": {"wind": "strong"}}}),
            ("trip", "user", "See the file", {"payload": {"parts": [{"type": "file", "text": "attached badgers"}]}}),
            ("work", "user", "An otter wrote C++ for Málaga", {}),
            ("work", "assistant", "profile of the reader", {"hidden": True}),
        ):
            clock.advance(minutes=1)
            uow.messages.append(session, Role(role), text, **more)
    return timed_ledger


def messages(ledger: Ledger, query: str, **filters: Any) -> list[tuple[str, int]]:
    with ledger.read() as uow:
        return sorted((hit.session_id, hit.sequence_number) for hit in uow.search.messages(query, **filters))


def sessions(ledger: Ledger, query: str, **filters: Any) -> list[tuple[str, str, int]]:
    with ledger.read() as uow:
        return [(hit.session_id, hit.found_in, hit.sequence_number) for hit in uow.search.sessions(query, **filters)]


@ONE_FLAVOR
def test_the_texts_of_a_payload_are_found_and_shown(talks: Ledger) -> None:
    expected = [
        ("porto", 2, '{"city": "**Porto**"}'), ("get_weather porto", 2, "**get_weather**"),
        ("strong wind", 3, "**wind**"), ("badger", 4, "attached **badgers**"), ("tool:get_weather rain", 3, "**rain**"),
    ]  # fmt: skip
    with talks.read() as uow:
        for query, number, snippet in expected:
            (hit,) = uow.search.messages(query)
            assert (query, number, snippet) == (query, hit.sequence_number, hit.snippet)
    assert [] == messages(talks, "call_9 porto")


@ONE_FLAVOR
def test_qualifiers_narrow_a_search(talks: Ledger, clock: StoppedClock) -> None:
    assert [("trip", 2), ("trip", 3)] == messages(talks, "tool:get_weather") == messages(talks, "tool:get*")
    assert [("trip", 3)] == messages(talks, "tool:get_weather role:tool")
    assert (
        [("trip", 2)] == messages(talks, "tool:get_weather -role:tool") == messages(talks, "tool:get_weather model:m-2")
    )
    assert [("work", 1)] == messages(talks, "otter model:m-1") == messages(talks, "otter user:bob")
    assert [("trip", 1)] == messages(talks, "otter -user:bob") == messages(talks, "otter title:trip")
    assert [("work", 1)] == messages(talks, "otter -title:trip") == messages(talks, 'otter title:"quarterly report"')
    assert [] == messages(talks, "otter user:ada user:bob") == messages(talks, "otter title:nothing")
    assert [("trip", 1), ("work", 1)] == messages(talks, "otter after:1h") == messages(talks, "otter before:2200")
    assert [] == messages(talks, "otter before:1h") == messages(talks, "otter after:2026-13-77")


@ONE_FLAVOR
def test_a_title_alone_finds_the_first_message_of_each_session(talks: Ledger, clock: StoppedClock) -> None:
    clock.advance(minutes=1)
    with talks.begin() as uow:
        uow.sessions.create("trips", user_id="bob", title="Two trips")
        uow.messages.append("trips", "user", "profile", hidden=True)
        uow.messages.append("trips", "user", "Which trip first?")
        uow.sessions.create("empty", title="A trip of nobody")
    with talks.read() as uow:
        page = uow.search.messages("title:trip")
        found = [(hit.session_id, hit.sequence_number, hit.match, hit.score, hit.snippet) for hit in page]
        first = uow.search.messages("title:trip", limit=1)
        assert first.next_cursor is not None
        rest = uow.search.messages("title:trip", limit=2, cursor=first.next_cursor)
    assert [
        ("trip", 1, "exact", 0.0, "Where do otters live?"),
        ("trips", 2, "inflected", 0.0, "Which **trip** first?"),
    ] == found
    assert (["trip"], ["trips"], None) == (
        [hit.session_id for hit in first],
        [hit.session_id for hit in rest],
        rest.next_cursor,
    )
    assert [("trip", 3)] == messages(talks, "title:trip role:tool")
    assert [("trips", 2)] == messages(talks, "title:trip user:bob") == messages(talks, "title:two")
    assert [("trips", 1)] == messages(talks, "title:two", include_hidden=True)
    assert [] == messages(talks, "title:trip user:nobody") == messages(talks, "title:trip -title:trip")
    assert [] == messages(talks, "title:trip -otter"), "an excluded word needs a word"
    for query in ("role:user", "user:ada", "model:m-2", "after:1h", "before:2200", "-title:trip", "role:user -otter"):
        assert [] == messages(talks, query), "a condition is no word"
    with talks.for_user("bob").read() as uow:
        assert ["trips"] == [hit.session_id for hit in uow.search.messages("title:trip")]


def test_qualifiers_do_not_reach_beyond_the_owner(talks: Ledger) -> None:
    with talks.for_user("ada").read() as uow:
        assert [] == list(uow.search.messages("otter user:bob"))
        assert [] == list(uow.search.messages("otter title:report"))
        assert [] == list(uow.search.sessions("title:report"))
        assert ["trip"] == [hit.session_id for hit in uow.search.sessions("malaga")]


@ONE_FLAVOR
def test_a_conversation_is_found_wherever_its_words_are(talks: Ledger) -> None:
    assert [("trip", "title", 0), ("work", "message", 1)] == sessions(talks, "malaga")
    assert [("trip", "messages", 0)] == sessions(talks, "guide")
    assert [("trip", "messages", 1)] == sessions(talks, "guides otter") == sessions(talks, "trip otter")
    assert [("trip", "messages", 4)] == sessions(talks, "otter badger")
    assert [("work", "message", 1)] == sessions(talks, "otter c++") == sessions(talks, "otter malaga -badger")
    assert [("trip", "title", 0)] == sessions(talks, "title:trip")
    assert [] == sessions(talks, "otter nothing") == sessions(talks, "guide", role="user")
    with talks.read() as uow:
        (hit,) = uow.search.sessions("guide")
    assert (Role.SYSTEM, 0, "You **guide** travellers") == (hit.role, hit.hits, hit.snippet)


@ONE_FLAVOR
def test_hidden_messages_are_found_when_they_are_asked_for(talks: Ledger) -> None:
    assert [] == messages(talks, "profile") == messages(talks, "profile", session_id="work")
    assert [("work", 2)] == messages(talks, "profile", include_hidden=True)
    assert [] == sessions(talks, "profile")
    assert [("work", "message", 2)] == sessions(talks, "profile", include_hidden=True)


@ONE_FLAVOR
def test_titles_follow_every_change(talks: Ledger) -> None:
    with talks.begin() as uow:
        uow.sessions.update("trip", title="Nach Köln")
        uow.sessions.update("work", system_prompt="数据库")
        uow.sessions.fork("trip", new_session_id="copy", title="Łódź")
        uow.sessions.delete("trip")
    assert [] == [found for found in sessions(talks, "trip") if found[1] == "title"]
    assert [] == sessions(talks, "koln")
    assert [("work", "messages", 0)] == sessions(talks, "数据")
    assert [("copy", "title", 0)] == sessions(talks, "lodz")
    with talks.begin() as uow:
        uow.sessions.update("copy", title=None, system_prompt=None)
    assert [] == sessions(talks, "lodz") == sessions(talks, "guide")
    assert {"forks", "open_calls"} >= {finding.kind for finding in talks.check().findings}


@ONE_FLAVOR
def test_exact_words_come_before_others_and_each_session_once_first(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        for session, text in (
            ("a", "a heron"), ("a", "a heron"), ("b", "two herons, herons, herons"), ("b", "a heron"), ("c", "heronry"),
        ):  # fmt: skip
            clock.advance(minutes=1)
            uow.sessions.get_or_create(session)
            uow.messages.append(session, "user", text)
        found = [(hit.session_id, hit.sequence_number, hit.match) for hit in uow.search.messages("heron")]
        prefixed = [(hit.session_id, hit.match) for hit in uow.search.messages("heron*")]
    assert [("b", 2, "exact"), ("a", 2, "exact"), ("a", 1, "exact"), ("b", 1, "inflected")] == found
    assert [("b", "exact"), ("a", "exact"), ("a", "exact")] == prefixed[:3]
    assert {"prefix"} == {match for _, match in prefixed[3:]}
