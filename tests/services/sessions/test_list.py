"""Sessions are listed by their last activity, a page at a time."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from chatledger import InvalidInput, Ledger, Page, Session, SessionOrder, UnitOfWork
from chatledger.services.sessions import listing
from tests.support.clock import StoppedClock
from tests.support.once import ONE_DATABASE
from tests.support.raw import Raw


def names(page: Page[Session]) -> list[str]:
    return [session.session_id for session in page]


def pages(uow: UnitOfWork, **arguments: Any) -> Iterator[Page[Session]]:
    page = uow.sessions.list(**arguments)
    yield page
    while page.next_cursor is not None:
        page = uow.sessions.list(**arguments, cursor=page.next_cursor)
        yield page


@pytest.fixture
def crowd(timed_ledger: Ledger, clock: StoppedClock) -> Ledger:
    """Five sessions, one minute after another; then `b` is spoken to."""
    owners = {"a": "ada", "b": "ada", "c": "bob", "d": None, "e": "bob"}
    with timed_ledger.begin() as uow:
        for place, (name, user) in enumerate(owners.items()):
            clock.advance(minutes=1)
            uow.sessions.create(name, user_id=user, project_id=f"p{place % 2}", model_id=f"m{place % 3}")
        clock.advance(minutes=1)
        uow.messages.append("b", "user", "Hello")
    return timed_ledger


def test_the_newest_activity_comes_first(crowd: Ledger) -> None:
    with crowd.read() as uow:
        assert ["b", "e", "d", "c", "a"] == names(uow.sessions.list())


def test_a_backdated_message_does_not_move_a_session_back(crowd: Ledger, clock: StoppedClock) -> None:
    with crowd.begin() as uow:
        uow.messages.append("b", "user", "Long ago", created_at=clock.now - timedelta(days=1))
    with crowd.read() as uow:
        assert "b" == names(uow.sessions.list())[0]


def test_every_filter_narrows_the_list(crowd: Ledger) -> None:
    with crowd.begin() as uow:
        uow.sessions.pause("c")
        uow.sessions.archive("e")
        uow.sessions.expire("d")
    expected: list[tuple[list[str], dict[str, Any]]] = [
        (["b", "a"], {"user_id": "ada"}),
        ([], {"user_id": "nobody"}),
        (["e", "c", "a"], {"project_id": "p0"}),
        (["b", "e"], {"model_id": "m1"}),
        (["e", "c"], {"user_id": "bob", "project_id": "p0"}),
        (["e"], {"user_id": "bob", "project_id": "p0", "model_id": "m1"}),
        (["b", "a"], {"status": "active"}),
        (["c"], {"status": "paused"}),
        (["e"], {"status": "archived"}),
        (["d"], {"status": "expired"}),
        (["e", "d"], {"status": ["archived", "expired"]}),
        (["e", "c"], {"status": {"archived", "paused"}, "user_id": "bob"}),
        (["b", "e", "c", "a"], {}),
    ]
    with crowd.read() as uow:
        assert expected == [(names(uow.sessions.list(**filters)), filters) for _, filters in expected]


def test_since_is_the_first_activity_wanted_and_until_the_first_not_wanted(crowd: Ledger, clock: StoppedClock) -> None:
    c, e = clock.now - timedelta(minutes=3), clock.now - timedelta(minutes=1)
    tick = timedelta(microseconds=1)
    with crowd.read() as uow:
        assert ["b", "e", "d", "c"] == names(uow.sessions.list(since=c))
        assert ["b", "e", "d"] == names(uow.sessions.list(since=c + tick))
        assert ["d", "c", "a"] == names(uow.sessions.list(until=e))
        assert ["e", "d", "c", "a"] == names(uow.sessions.list(until=e + tick))
        assert ["d", "c"] == names(uow.sessions.list(since=c, until=e))
        assert [] == names(uow.sessions.list(since=e, until=c))
        elsewhere = c.astimezone(timezone(timedelta(hours=9)))
        assert ["d", "c"] == names(uow.sessions.list(since=elsewhere, until=e))


def test_pages_meet_each_session_once_when_many_share_a_moment(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        for number in range(60):
            if number in (20, 40, 45):
                clock.advance(seconds=7)
            uow.sessions.create(f"s{number:02}")
    with timed_ledger.read() as uow:
        whole = names(uow.sessions.list(limit=1000))
        expected = [
            f"s{number:02}" for group in ((45, 60), (40, 45), (20, 40), (0, 20)) for number in reversed(range(*group))
        ]
        assert expected == whole
        for limit in (1, 7, 20, 60):
            found = [names(page) for page in pages(uow, limit=limit)]
            assert whole == [name for page in found for name in page]
            assert all(len(page) == limit for page in found[:-1])


def test_pages_of_a_filtered_list_keep_the_filter(timed_ledger: Ledger) -> None:
    with timed_ledger.begin() as uow:
        for number in range(20):
            uow.sessions.create(f"s{number:02}", user_id="ada" if number % 2 else "bob")
    with timed_ledger.read() as uow:
        found = [name for page in pages(uow, user_id="ada", limit=3) for name in names(page)]
    assert [f"s{number:02}" for number in range(19, 0, -2)] == found


def test_a_session_added_between_two_pages_does_not_shift_them(timed_ledger: Ledger, clock: StoppedClock) -> None:
    with timed_ledger.begin() as uow:
        for number in range(4):
            uow.sessions.create(f"s{number}")
        first = uow.sessions.list(limit=2)
        clock.advance(hours=1)
        uow.sessions.create("new")
        second = uow.sessions.list(limit=2, cursor=first.next_cursor)
    assert (["s3", "s2"], ["s1", "s0"]) == (names(first), names(second))
    assert second.next_cursor is None


def test_a_page_behaves_as_its_items(crowd: Ledger) -> None:
    with crowd.read() as uow:
        page = uow.sessions.list(limit=2)
    assert (2, "b", ["b", "e"]) == (len(page), page[0].session_id, names(page))
    assert page.next_cursor is not None


def forged(*place: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


TIME = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
BAD_CURSORS = {
    "empty": "",
    "noise": "not a cursor",
    "no ascii": "ünïcode",
    "not json": base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    "deep": base64.urlsafe_b64encode(b"[" * 5000).decode(),
    "not a list": base64.urlsafe_b64encode(b'{"a":1}').decode(),
    "empty list": forged(),
    "of another list": forged("found messages", 20),
    "too short": forged("sessions", TIME),
    "too long": forged("sessions", TIME, "s", "t"),
    "wrong types": forged("sessions", 5, "s"),
    "no time": forged("sessions", "yesterday", "s"),
    "naive time": forged("sessions", "2026-01-01T00:00:00", "s"),
    "before time": forged("sessions", "0001-01-01T00:00:00+14:00", "s"),
    "surrogate": forged("sessions", TIME, "\ud800"),
    "nul": forged("sessions", TIME, "\x00"),
    "a number": 5,
    "bytes": b"abcd",
    "a list": [],
}


@pytest.mark.parametrize("cursor", BAD_CURSORS.values(), ids=BAD_CURSORS.keys())
@ONE_DATABASE
def test_what_is_no_cursor_of_the_list_is_refused_by_name(ledger: Ledger, cursor: Any) -> None:
    with pytest.raises(InvalidInput) as caught, ledger.read() as uow:
        uow.sessions.list(cursor=cursor)
    assert "cursor" == caught.value.field


@pytest.mark.parametrize("limit", [0, -1, True, 2.0, "5", None, float("nan"), []])
@ONE_DATABASE
def test_a_limit_is_a_whole_number_from_one(ledger: Ledger, limit: Any) -> None:
    with pytest.raises(InvalidInput) as caught, ledger.read() as uow:
        uow.sessions.list(limit=limit)
    assert "limit" == caught.value.field


def test_a_page_holds_a_thousand_sessions_at_most(ledger: Ledger, raw: Raw) -> None:
    values = ", ".join(f"('s{number:04}')" for number in range(1001))
    raw(f"INSERT INTO chatledger_sessions (session_id) VALUES {values}")
    with ledger.read() as uow:
        page = uow.sessions.list(limit=10**9)
        assert (1000, True) == (len(page), page.next_cursor is not None)
        assert 1 == len(uow.sessions.list(limit=10**30, cursor=page.next_cursor))


@pytest.mark.parametrize("status", ["ACTIVE", "gone", "", [], ["active", "gone"], [None], [[]], 5, b"active"])
@ONE_DATABASE
def test_an_unknown_status_is_refused(ledger: Ledger, status: Any) -> None:
    with pytest.raises(InvalidInput) as caught, ledger.read() as uow:
        uow.sessions.list(status=status)
    assert "status" == caught.value.field


def test_sessions_are_found_by_the_entries_of_their_metadata(any_ledger: Ledger) -> None:
    long = "x" * 300
    with any_ledger.begin() as uow:
        uow.sessions.create("a", user_id="ada", metadata={"channel": "web", "tags": [1, "é"], "n": 1})
        uow.sessions.create("b", user_id="bob", metadata={"channel": "web", "tags": [1], "n": 1.0, "long": long + "1"})
        uow.sessions.create("c", metadata={"channel": "'; --", "none": None, "long": long + "2"})
        uow.sessions.create("d", metadata={"web": "channel"})

    def found(**wanted: Any) -> list[str]:
        with any_ledger.read() as uow:
            every = sorted(names(uow.sessions.list(**wanted)))
            assert every == sorted(session.session_id for session in uow.sessions.iterate(**wanted))
            assert len(every) == uow.sessions.count(**wanted)
        return every

    assert ["a", "b"] == found(metadata={"channel": "web"})
    assert ["a"] == found(metadata={"channel": "web", "tags": [1, "é"]})
    assert ["b"] == found(metadata={"channel": "web"}, user_id="bob")
    assert ["c"] == found(metadata={"channel": "'; --"})
    assert ["c"] == found(metadata={"none": None})
    # Only the beginning of a value is in PostgreSQL's index; all of it is compared.
    assert [["b"], ["c"], []] == [found(metadata={"long": long + end}) for end in ("1", "2", "")]
    # As JSON text: a number as it is written.
    assert [["a"], ["b"]] == [found(metadata={"n": number}) for number in (1, 1.0)]
    assert ["a", "b", "c", "d"] == found(metadata={})


def test_iteration_and_count_go_over_all_pages(any_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_PAGE", 2)
    with any_ledger.begin() as uow:
        for number in range(5):
            uow.sessions.create(f"s{number}", user_id="ada" if number else "bob", metadata={"k": number % 2})
    with any_ledger.read() as uow:
        assert ["s4", "s3", "s2", "s1", "s0"] == [session.session_id for session in uow.sessions.iterate()]
        assert ["s3", "s1"] == [session.session_id for session in uow.sessions.iterate(metadata={"k": 1})]
        assert (5, 4, 2) == (
            uow.sessions.count(), uow.sessions.count(user_id="ada"), uow.sessions.count(metadata={"k": 1}),
        )  # fmt: skip
    with any_ledger.for_user("ada").read() as uow:
        assert (4, 2) == (uow.sessions.count(), len(list(uow.sessions.iterate(metadata={"k": 1}))))


@ONE_DATABASE
@pytest.mark.parametrize("wrong", [["k"], {1: 2}, {"k": float("nan")}, {str(n): n for n in range(21)}])
def test_an_invalid_filter_of_metadata_is_refused(ledger: Ledger, wrong: Any) -> None:
    with ledger.read() as uow:
        for ask in (uow.sessions.list, uow.sessions.iterate, uow.sessions.count):
            with pytest.raises(InvalidInput, match="metadata"):
                ask(metadata=wrong)


ORDERS = tuple(SessionOrder)


@pytest.mark.parametrize("user_id", [None, "ada"])
def test_a_list_has_one_of_several_orders_whatever_the_page(
    timed_ledger: Ledger, clock: StoppedClock, user_id: str | None
) -> None:
    # Some share a time, some an hour; activity, creation and names each have an order of their own.
    called = ["b", None, "a", "ä", "B", None, "a b", "ab"]
    with timed_ledger.begin() as uow:
        for number, name in enumerate(called):
            clock.advance(minutes=20 * (number % 3))
            uow.sessions.create(f"s{number}", user_id="ada" if number % 2 else "bob", name=name)
        for number in (5, 0, 3):
            clock.advance(minutes=20)
            uow.messages.append(f"s{number}", "user", "Hello")
    with timed_ledger.read() as uow:
        everything = [one for one in uow.sessions.list() if user_id in (None, one.user_id)]
        for order in ORDERS:
            column = order.removeprefix("-")
            listed = [one for one in everything if getattr(one, column) is not None]
            listed.sort(key=lambda one: (getattr(one, column), one.session_id), reverse=order.startswith("-"))
            expected = [one.session_id for one in listed]
            assert expected == names(uow.sessions.list(user_id=user_id, order=order))
            assert expected == [one.session_id for one in uow.sessions.iterate(user_id=user_id, order=order)]
            assert expected == [
                name for page in pages(uow, user_id=user_id, order=order, limit=2) for name in names(page)
            ]


def test_an_order_that_is_none_or_of_another_cursor_is_refused(crowd: Ledger) -> None:
    with crowd.begin() as uow:
        for name in ("a", "b"):
            uow.sessions.update(name, name=name)
        wrong: Any
        for wrong in ("title", "", "--name", None, 3, []):
            with pytest.raises(InvalidInput, match="order"):
                uow.sessions.list(order=wrong)
        cursors = {order: uow.sessions.list(order=order, limit=1).next_cursor for order in ORDERS}
        for order, cursor in cursors.items():
            for other in ORDERS:
                if other != order:
                    with pytest.raises(InvalidInput, match="cursor"):
                        uow.sessions.list(order=other, cursor=cursor)


PREFIXES = {
    "": ["%", "A", "a", "a%b", "a_b", "ab", "a\U0010ffff", "b", "\ud7ffx", "\U0010ffff"],
    "a": ["a", "a%b", "a_b", "ab", "a\U0010ffff"],
    "a_": ["a_b"],
    "%": ["%"],
    "a\U0010ffff": ["a\U0010ffff"],
    "\U0010ffff": ["\U0010ffff"],
    "\ud7ff": ["\ud7ffx"],
    "zz": [],
}


def test_a_prefix_is_taken_as_it_is_written(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for name in reversed(PREFIXES[""]):
            uow.sessions.create(name=name)
        uow.sessions.create()
        for prefix, expected in PREFIXES.items():
            found = [session.name for session in uow.sessions.list(name_prefix=prefix, order="name")]
            assert expected == found
            assert len(found) == uow.sessions.count(name_prefix=prefix)
