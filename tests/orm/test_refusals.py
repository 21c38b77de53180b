"""What cannot be stored through the ORM is refused by a sentence, and not by a constraint."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Insert, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session as OrmSession

from chatledger import ChatledgerError, InvalidInput, Ledger, Role, SessionClosed, SessionHeld, SessionNotFound
from chatledger.models import Message, Session
from tests.orm.conftest import Open, stored


@pytest.fixture
def conversation(ledger: Ledger) -> None:
    with ledger.orm() as session:
        session.add(Session(session_id="s", messages=[Message(role="user", content="kept")]))
        session.add(Session(session_id="other"))
        session.commit()


def new(session: OrmSession, **values: Any) -> None:
    session.add(Message(**{"session_id": "s", "role": "user", **values}))


def change(session: OrmSession, name: str, value: Any) -> None:
    setattr(session.get_one(Message, ("s", 1)), name, value)


def change_chat(session: OrmSession, name: str, value: Any) -> None:
    setattr(session.get_one(Session, "s"), name, value)


REFUSED: dict[str, tuple[Callable[[OrmSession], object], type[ChatledgerError], str]] = {
    "a number that leaves a gap": (lambda s: new(s, sequence_number=3), InvalidInput, "the next number is 2"),
    "a number that is taken": (lambda s: new(s, sequence_number=1), InvalidInput, "the next number is 2"),
    "no session": (lambda s: s.add(Message(role="user")), InvalidInput, "session_id: is missing"),
    "an unknown session": (lambda s: new(s, session_id="nobody"), SessionNotFound, "no session 'nobody'"),
    "an unknown role": (lambda s: new(s, role="robot"), InvalidInput, "role: "),
    "no role": (lambda s: new(s, role=None), InvalidInput, "role: "),
    "a NUL": (lambda s: new(s, content="a\0"), InvalidInput, "content: holds a NUL"),
    "a surrogate": (lambda s: new(s, content="\ud800"), InvalidInput, "content: holds a lone surrogate"),
    "content that is no text": (lambda s: new(s, content={"a": 1}), InvalidInput, "content: must be text"),
    "an expression": (lambda s: new(s, content=func.upper("x")), InvalidInput, "content: must be text"),
    "a negative count": (lambda s: new(s, input_tokens=-1), InvalidInput, "input_tokens: "),
    "a cost that is not exact": (lambda s: new(s, cost="0.0000000001"), InvalidInput, "cost: has more than nine"),
    "a time without a time zone": (lambda s: new(s, created_at="2026-01-01T00:00:00"), InvalidInput, "created_at: must be"),
    "a payload without a JSON form": (lambda s: new(s, payload=float("nan")), InvalidInput, "payload: holds NaN"),
    "a key that is too long": (lambda s: new(s, key="k" * 256), InvalidInput, "key: "),
    "counters of a new session": (
        lambda s: s.add(Session(session_id="n", message_count=1)), InvalidInput, "message_count: is kept by the database",
    ),
    "a total of a new session": (
        lambda s: s.add(Session(session_id="n", total_cost=Decimal(1))), InvalidInput, "total_cost: is kept",
    ),
    "an unknown status": (lambda s: s.add(Session(session_id="n", status="lost")), InvalidInput, "status: is not one of"),
    "an empty session id": (lambda s: s.add(Session(session_id="")), InvalidInput, "session_id: must not be empty"),
    "a context that is no object": (lambda s: s.add(Session(session_id="n", context=[1])), InvalidInput, "context: "),
    "a counter that is changed": (lambda s: change_chat(s, "message_count", 7), InvalidInput, "is kept by the database"),
    "an activity that is changed": (lambda s: change_chat(s, "last_activity", None), InvalidInput, "last_activity: "),
    "a session's key that is changed": (lambda s: change_chat(s, "session_id", "t"), InvalidInput, "cannot be changed"),
    "a title that is no text": (lambda s: change_chat(s, "title", 1), InvalidInput, "title: must be text"),
    "a message that moves": (lambda s: change(s, "session_id", "other"), InvalidInput, "cannot be changed"),
    "a message that moves to another session": (
        lambda s: change(s, "session", s.get_one(Session, "other")), InvalidInput, "cannot be changed",
    ),
    "a number that is changed": (lambda s: change(s, "sequence_number", 5), InvalidInput, "cannot be changed"),
    "content that is changed to no text": (lambda s: change(s, "content", 1), InvalidInput, "content: must be text"),
    "a cost that is changed to none": (lambda s: change(s, "cost", -1), InvalidInput, "cost: must lie between"),
    "several rows in values()": (
        lambda s: s.execute(insert(Message).values([{"session_id": "s", "role": "user", "content": "x"}] * 2)),
        InvalidInput, "use session.execute(insert(Message), rows)",
    ),
    "messages from a SELECT": (
        lambda s: s.execute(
            insert(Message).from_select(["session_id", "role", "content"], select(Message.session_id, Message.role, Message.content))
        ),
        InvalidInput, "cannot be numbered",
    ),
    "rows with numbers that leave a gap": (
        lambda s: s.execute(insert(Message), [{"session_id": "s", "sequence_number": 9, "role": "user"}]),
        InvalidInput, "the next number is 2",
    ),
    "rows with a digest": (
        lambda s: s.execute(insert(Message), [{"session_id": "s", "role": "user", "digest": b"0" * 16}]),
        InvalidInput, "digest: is computed",
    ),
    "rows with an unknown role": (
        lambda s: s.execute(insert(Message), [{"session_id": "s", "role": "robot"}]), InvalidInput, "role: ",
    ),
    "rows of an unknown session": (
        lambda s: s.execute(insert(Message), [{"session_id": "nobody", "role": "user"}]), SessionNotFound, "nobody",
    ),
    "a statement that changes content": (
        lambda s: s.execute(update(Message).values(content="x")), InvalidInput, "update(Message) would leave behind",
    ),
    "rows that change content": (
        lambda s: s.execute(update(Message), [{"session_id": "s", "sequence_number": 1, "content": "x"}]),
        InvalidInput, "update(Message) would leave behind",
    ),
    "a statement that changes a key": (
        lambda s: s.execute(update(Message).values(sequence_number=7)), InvalidInput, "cannot be changed",
    ),
}  # fmt: skip
"""What is tried, the error's class, and a part of its sentence."""


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.usefixtures("conversation")
def test_it_is_refused_by_a_sentence(ledger: Ledger, name: str) -> None:
    act, kind, sentence = REFUSED[name]
    with ledger.orm() as session:
        with pytest.raises(ChatledgerError) as caught:  # noqa: PT012 - most are refused when they are flushed
            act(session)
            session.flush()
        session.rollback()
        assert kind is type(caught.value)
        assert sentence in str(caught.value)
        # The session goes on, and so do the numbers.
        session.add(Message(session_id="s", role="user", content="next"))
        session.commit()
    assert [(1, "kept"), (2, "next")] == [(m.sequence_number, m.content) for m in stored(ledger, "s")]


@pytest.mark.usefixtures("conversation")
def test_an_upsert_that_changes_messages_is_refused(ledger: Ledger) -> None:
    kinds: dict[str, Callable[[Any], Any]] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
    upsert: Any = kinds[ledger.engine.dialect.name](Message)
    key = ["session_id", "sequence_number"]
    rows = [{"session_id": "s", "role": "user", "content": "x"}]
    with ledger.orm() as session:
        with pytest.raises(InvalidInput, match="on_conflict_do_update"):
            session.execute(upsert.on_conflict_do_update(index_elements=key, set_={"content": "y"}), rows)
        session.execute(upsert.on_conflict_do_nothing(index_elements=key), rows)
        session.commit()
    assert 2 == len(stored(ledger, "s"))


@pytest.mark.usefixtures("conversation")
def test_a_table_in_place_of_the_model_is_numbered_or_refused(ledger: Ledger) -> None:
    table: Any = Message.__table__
    row = {"session_id": "s", "role": "user", "content": "x"}
    with ledger.engine.connect() as connection:
        with pytest.raises(InvalidInput, match="must be a value in each row"):
            connection.execute(Insert(table).values([row, row]))
        connection.rollback()
        connection.execute(Insert(table), [row, row])
        connection.commit()
    assert [1, 2, 3] == [message.sequence_number for message in stored(ledger, "s")]


@pytest.mark.usefixtures("conversation")
def test_a_closed_session_takes_no_messages(ledger: Ledger, open_session: Open) -> None:
    ledger.run(lambda uow: uow.sessions.archive("s"))
    with open_session() as session:
        session.add(Message(session_id="s", role="user"))
        with pytest.raises(SessionClosed):
            session.flush()
        session.rollback()
        with pytest.raises(SessionClosed):
            session.execute(insert(Message), [{"session_id": "s", "role": "user"}])
    assert 1 == len(stored(ledger, "s"))


@pytest.mark.usefixtures("conversation")
def test_a_session_on_hold_is_not_deleted(ledger: Ledger, open_session: Open) -> None:
    ledger.run(lambda uow: uow.sessions.hold("s"))
    with open_session() as session:
        session.delete(session.get_one(Session, "s"))
        with pytest.raises(SessionHeld):
            session.flush()
    assert 1 == len(stored(ledger, "s"))


@pytest.mark.usefixtures("conversation")
def test_the_next_number_may_be_given(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        session.add_all([Message(session_id="s", sequence_number=number, role="user") for number in (2, 3)])
        session.commit()
        session.execute(insert(Message), [{"session_id": "s", "sequence_number": 4, "role": "user"}])
        session.commit()
    assert [1, 2, 3, 4] == [message.sequence_number for message in stored(ledger, "s")]


@pytest.mark.usefixtures("conversation")
def test_errors_do_not_repeat_values(ledger: Ledger) -> None:
    with ledger.orm() as session:
        session.add(Message(session_id="s", role="user", content="walrus", payload={"walrus": float("inf")}))
        with pytest.raises(InvalidInput) as caught:
            session.flush()
        assert "walrus" not in str(caught.value)


@pytest.mark.usefixtures("conversation")
def test_a_message_that_was_refused_can_be_mended(ledger: Ledger, open_session: Open) -> None:
    good, bad = (
        Message(session_id="s", role="user", content="one"),
        Message(session_id="nobody", role="user", content="two"),
    )
    with open_session() as session:
        for wrong in ("nobody", "s"):
            bad.session_id = wrong
            bad.role = "robot" if wrong == "s" else "user"  # type: ignore[assignment]  # the mistake that is meant
            session.add_all([good, bad])
            with pytest.raises(ChatledgerError):
                session.flush()
            session.rollback()
        good.content, bad.role = "changed since", Role.USER
        session.add_all([good, bad])
        session.commit()
    assert ["kept", "changed since", "two"] == [message.content for message in stored(ledger, "s")]
