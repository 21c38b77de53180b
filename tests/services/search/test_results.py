"""What a search gives: hits, filters, pages, counts; and that the index follows every change."""

# A block that does its work and then fails is what these tests are about.
# ruff: noqa: PT012

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Page, Role, SearchHit, UnitOfWork
from tests.support.clock import StoppedClock
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw


def places(page: Page[Any]) -> set[tuple[str, int]]:
    return {(hit.session_id, hit.sequence_number) for hit in page}


@pytest.fixture
def talks(timed_ledger: Ledger, clock: StoppedClock) -> Ledger:
    """Three sessions of four messages, a minute apart; three of the four match."""
    with timed_ledger.begin() as uow:
        for name, user, project in (("a", "ada", "p"), ("b", "ada", "q"), ("c", "bob", "p")):
            uow.sessions.create(name, user_id=user, project_id=project, title=f"Talk {name}")
            for role, text in (("user", "an otter"), ("assistant", "the otter"), ("user", "otter otter"), ("user", "")):
                clock.advance(minutes=1)
                uow.messages.append(name, Role(role), text)
    return timed_ledger


EVERY = {(name, number) for name in "abc" for number in (1, 2, 3)}


def test_a_hit_says_where_it_is(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        uow.sessions.create("s", user_id="ada", project_id="p", title="Animals")
        uow.messages.append("s", "assistant", "An otter.")
        (hit,) = uow.search.messages("otter")
    expected = SearchHit(
        session_id="s", sequence_number=1, role=Role.ASSISTANT, snippet="An **otter**.", score=hit.score,
        created_at=clock.now, title="Animals", user_id="ada", project_id="p",
        match="exact",
    )  # fmt: skip
    assert expected == hit
    assert hit.score > 0


def test_the_best_comes_first(talks: Ledger) -> None:
    with talks.read() as uow:
        scores = [hit.score for hit in uow.search.messages("otter")]
        assert sorted(scores, reverse=True) == scores
        assert {3} == {hit.sequence_number for hit in uow.search.messages("otter", limit=3)}


def test_every_filter_narrows_the_search(talks: Ledger, clock: StoppedClock) -> None:
    b1 = clock.now - timedelta(minutes=7)
    tick = timedelta(microseconds=1)
    expected: list[tuple[set[tuple[str, int]], dict[str, Any]]] = [
        (EVERY, {}),
        ({place for place in EVERY if place[0] != "c"}, {"user_id": "ada"}),
        (set(), {"user_id": "nobody"}),
        ({place for place in EVERY if place[0] == "b"}, {"session_id": "b"}),
        (set(), {"session_id": "nobody"}),
        ({place for place in EVERY if place[0] != "b"}, {"project_id": "p"}),
        ({place for place in EVERY if place[1] == 2}, {"role": "assistant"}),
        ({place for place in EVERY if place[1] == 2}, {"role": Role.ASSISTANT}),
        (set(), {"role": "tool"}),
        ({("c", 1), ("c", 3)}, {"user_id": "bob", "project_id": "p", "role": "user"}),
        ({place for place in EVERY if place[0] != "a"}, {"since": b1}),
        ({place for place in EVERY if place[0] == "a"}, {"until": b1}),
        ({("b", 1)}, {"since": b1, "until": b1 + tick}),
        ({("b", 2), ("b", 3)}, {"since": b1 + tick, "session_id": "b"}),
    ]
    with talks.read() as uow:
        assert expected == [(places(uow.search.messages("otter", **filters)), filters) for _, filters in expected]
        sessions = [{place[0] for place in places(uow.search.sessions("otter", **filters))} for _, filters in expected]
        assert [{place[0] for place in wanted} for wanted, _ in expected] == sessions


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", 5), ("user_id", "\ud800"), ("session_id", b"s"), ("session_id", "\x00"), ("project_id", []),
        ("role", "robot"), ("role", 5), ("role", []), ("since", "yesterday"), ("since", 5), ("until", object()),
        ("limit", 0), ("limit", True), ("limit", "5"), ("limit", None), ("cursor", "noise"), ("cursor", 5),
    ],
)  # fmt: skip
@ONE_DATABASE
def test_a_filter_that_is_none_is_refused_by_name(ledger: Ledger, field: str, value: Any) -> None:
    with ledger.read() as uow:
        for search in (uow.search.messages, uow.search.sessions):
            with pytest.raises(InvalidInput) as caught:
                search("otter", **{field: value})
            assert field == caught.value.field


def test_a_session_is_found_once_by_its_best_message(talks: Ledger) -> None:
    with talks.read() as uow:
        found = uow.search.sessions("otter")
        best = {hit.session_id: hit for hit in reversed(uow.search.messages("otter").items)}
    assert {("a", 3, 3), ("b", 3, 3), ("c", 3, 3)} == {(h.session_id, h.sequence_number, h.hits) for h in found}
    assert {name: hit.score for name, hit in best.items()} == {hit.session_id: hit.score for hit in found}


def pages(uow: UnitOfWork, kind: str, **arguments: Any) -> list[list[tuple[str, int]]]:
    search = getattr(uow.search, kind)
    page = search("otter", **arguments)
    found = [page]
    while page.next_cursor is not None:
        page = search("otter", **arguments, cursor=page.next_cursor)
        found.append(page)
    return [[(hit.session_id, hit.sequence_number) for hit in page] for page in found]


def test_pages_meet_each_hit_once(talks: Ledger) -> None:
    with talks.begin() as uow:
        uow.messages.append_many("a", [{"role": "user", "content": "otter"}] * 40)
        for kind, count in (("messages", 49), ("sessions", 3)):
            ((*whole,),) = pages(uow, kind, limit=200)
            assert count == len(whole) == len(set(whole))
            for limit in (1, 2, 20):
                found = pages(uow, kind, limit=limit)
                assert whole == [place for page in found for place in page]
                assert all(len(page) == limit for page in found[:-1])


def test_a_cursor_of_the_other_search_is_refused(talks: Ledger) -> None:
    with talks.read() as uow:
        cursor = uow.search.messages("otter", limit=1).next_cursor
        with pytest.raises(InvalidInput) as caught:
            uow.search.sessions("otter", cursor=cursor)
        assert "cursor" == caught.value.field
        with pytest.raises(InvalidInput):
            uow.sessions.list(cursor=cursor)


def test_a_common_word_is_ranked_among_the_newest_and_says_so(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.sessions.create("t")
        uow.messages.append("t", "user", "otter")
        uow.messages.append_many("s", [{"role": "user", "content": "otter"}] * 1999)
        exact = uow.search.messages("otter")
        assert (20, False) == (len(exact), exact.truncated)
        assert {("s", 1999), ("t", 1)} == {(h.session_id, h.hits) for h in uow.search.sessions("otter")}
        uow.messages.append("s", "user", "otter")
        more = uow.search.messages("otter")
        assert (20, True) == (len(more), more.truncated)
        assert uow.search.sessions("otter").truncated
        assert not uow.search.messages("otter", session_id="t").truncated


def test_expired_sessions_are_not_in_the_way(ledger: Ledger) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("live")
        uow.messages.append("live", "user", "otter")
        uow.sessions.create("gone")
        uow.messages.append_many("gone", [{"role": "user", "content": "otter"}] * 2001)
        uow.sessions.expire("gone")
        assert {("live", 1)} == places(uow.search.messages("otter"))
        assert {("live", 1)} == places(uow.search.sessions("otter"))
        assert not uow.search.messages("otter").truncated
        assert [] == list(uow.search.messages("otter", session_id="gone"))


def test_archived_sessions_are_found(talks: Ledger) -> None:
    with talks.begin() as uow:
        uow.sessions.archive("a")
        assert EVERY == places(uow.search.messages("otter"))


def test_the_index_follows_every_change(talks: Ledger, raw: Raw) -> None:
    with talks.begin() as uow:
        uow.messages.redact("a", 1)
        uow.messages.redact("a", 2, replacement="a badger 獾")
        uow.messages.clear("b")
        uow.sessions.delete("c")
        assert {("a", 3)} == places(uow.search.messages("otter"))
        assert {("a", 2)} == places(uow.search.messages("badger"))
        assert {("a", 2)} == places(uow.search.messages("獾"))
        assert {("a", 1)} == places(uow.search.messages("redacted"))
        uow.messages.pop("a")
        uow.messages.pop("a")
        assert [] == list(uow.search.messages("otter"))
    raw(
        "UPDATE chatledger_messages SET content = 'a weasel', search_text = NULL WHERE session_id = 'a' AND sequence_number = 2"
    )
    with talks.read() as uow:
        assert {("a", 2)} == places(uow.search.messages("weasel"))
        assert [] == list(uow.search.messages("badger"))
    raw("DELETE FROM chatledger_messages")
    with talks.read() as uow:
        assert [] == list(uow.search.messages("weasel"))


def test_what_is_rolled_back_is_not_found(talks: Ledger) -> None:
    with pytest.raises(ZeroDivisionError), talks.begin() as uow:
        uow.messages.append("a", "user", "a stoat")
        assert 1 == len(uow.search.messages("stoat"))
        raise ZeroDivisionError
    with talks.read() as uow:
        assert [] == list(uow.search.messages("stoat"))


def test_the_index_is_whole_after_all_this(ledger: Ledger, raw: Raw, backend: str) -> None:
    with ledger.begin() as uow:
        uow.sessions.create("s")
        uow.messages.append_many("s", [{"role": "user", "content": f"数据 {n} café"} for n in range(50)])
        uow.messages.redact("s", 3)
        uow.messages.pop("s")
        uow.sessions.fork("s", at=20)
        uow.sessions.delete("s")
    if backend == "sqlite":
        raw("INSERT INTO chatledger_messages_fts (chatledger_messages_fts, rank) VALUES ('integrity-check', 1)")
        assert "ok" == raw("PRAGMA integrity_check")[0][0]
    with ledger.read() as uow:
        assert 19 == len(uow.search.messages("cafe", limit=100))
