"""What a SQLAlchemy user writes is stored as what the services write."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import selectinload

from chatledger import InvalidInput, Ledger, Role, Status
from chatledger.models import Annotation, Message, Model, ModelPrice, Project, Session, SessionMetadata
from chatledger.schemas.digest import FIELDS, message_digest
from tests.orm.conftest import Open, stored
from tests.support.statements import counted_statements


def test_a_session_is_stored_with_its_messages(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        chat = Session(
            session_id="s",
            title="Trip",
            messages=[
                Message(role="user", content="Hi"),
                Message(role="assistant", content="Hello 数据库", tokens_used=3),
            ],
        )
        session.add(chat)
        session.commit()
        assert (2, 3, 2) == (chat.message_count, chat.total_tokens, chat.last_sequence)
        assert [1, 2] == [message.sequence_number for message in chat.messages]
        assert [Role.USER, Role.ASSISTANT] == [message.role for message in chat.messages]
        assert chat.messages[0].created_at == chat.last_activity
        assert (Status.ACTIVE, {}) == (chat.status, chat.context)
    assert ["Hi", "Hello 数据库"] == [message.content for message in stored(ledger, "s")]
    with ledger.read() as uow:
        assert [2] == [hit.sequence_number for hit in uow.search.messages("数据")]


def test_a_message_finds_its_session_in_every_way(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        # The order of an unrelated model's flush was an error of a foreign key.
        session.add(Session(session_id="s"))
        session.add(Message(session_id="s", role="user", content="by key"))
        session.commit()
        chat = session.get_one(Session, "s")
        session.add(Message(session=chat, role="user", content="by object"))
        session.commit()
        assert 2 == chat.message_count
    with open_session() as session:
        chat = session.scalars(select(Session).options(selectinload(Session.messages))).one()
        chat.messages.append(Message(role="user", content="appended"))
        session.commit()
        assert (3, [1, 2, 3]) == (chat.message_count, [message.sequence_number for message in chat.messages])
    assert ["by key", "by object", "appended"] == [message.content for message in stored(ledger, "s")]


def test_a_session_without_an_id_is_given_one(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        chat = Session(messages=[Message(role="user")])
        session.add(chat)
        session.commit()
        assert 36 == len(chat.session_id)
        assert "" == chat.messages[0].content
    assert 1 == len(stored(ledger, chat.session_id))


def test_a_thousand_messages_of_twenty_sessions_in_any_order(ledger: Ledger, open_session: Open) -> None:
    messages = [
        Message(
            session_id=f"s{number % 20:02}",
            role="user" if number % 2 else "assistant",
            content=str(number),
            # Rows that name different columns are inserted together all the same.
            cost="0.1" if number % 3 else None,
            input_tokens=number if number % 5 else None,
            metadata_={"n": number} if number % 7 else None,
        )
        for number in range(1000)
    ]
    random.Random(1).shuffle(messages)
    with open_session() as session:
        session.add_all(messages)
        session.add_all(Session(session_id=f"s{number:02}") for number in range(20))
        with counted_statements() as statements:
            session.commit()
    assert len([one for one in statements if one.startswith("INSERT INTO chatledger_messages")]) <= 3
    for number in range(20):
        wanted = [message.content for message in messages if message.session_id == f"s{number:02}"]
        found = stored(ledger, f"s{number:02}") if number == 0 else history(ledger, f"s{number:02}")
        assert (list(range(1, 51)), wanted) == ([m.sequence_number for m in found], [m.content for m in found])


def history(ledger: Ledger, session_id: str) -> list[Any]:
    with ledger.read() as uow:
        return uow.messages.history(session_id)


def test_one_session_takes_two_statements(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.sessions.create("s"))
    with ledger.orm() as session:
        session.add_all([Message(session_id="s", role="user", content=str(number)) for number in range(10)])
        with counted_statements() as statements:
            session.commit()
    assert 2 == len(statements)


def test_rows_beside_an_insert_are_numbered(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        session.execute(insert(Session), [{"session_id": "a"}, {"session_id": "b"}])
        rows = [
            {"session_id": "ab"[number % 2], "role": "user", "content": f"数{number}", "metadata_": {"n": number}}
            for number in range(10)
        ]
        session.execute(insert(Message), rows)
        session.execute(insert(Message).values(session_id="a", role="tool", content="alone", cost=0.25))
        returned = session.scalars(
            insert(Message).returning(Message.sequence_number, sort_by_parameter_order=True),
            [{"session_id": "b", "role": "user", "content": str(number)} for number in range(3)],
        ).all()
        assert [6, 7, 8] == list(returned)
        session.commit()
    found = stored(ledger, "a")
    assert ["数0", "数2", "数4", "数6", "数8", "alone"] == [message.content for message in found]
    assert ({"n": 8}, Decimal("0.25")) == (found[4].metadata, found[5].cost)
    assert 8 == len(history(ledger, "b"))
    with ledger.read() as uow:
        assert 5 == len(uow.search.messages("数", session_id="a").items)


def test_values_are_stored_as_a_service_stores_them(ledger: Ledger, open_session: Open) -> None:
    moment = datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    values: dict[str, Any] = {
        "content": "x", "payload": {"a": [1, 2.5, None], "b": "é"}, "name": "tool", "tool_call_id": "c1", "model_id": "gpt",
        "input_tokens": 3, "output_tokens": 4, "cached_tokens": 1, "reasoning_tokens": 1, "duration_ms": 7, "cost": 0.1,
        "outcome": "error", "hidden": True, "key": "k", "created_at": moment,
    }  # fmt: skip
    ledger.run(lambda uow: uow.sessions.create("service"))
    ledger.run(lambda uow: uow.messages.append("service", "tool", metadata={"m": 1}, **values))
    with open_session() as session:
        message = Message(role="tool", metadata_={"m": 1}, **values)
        session.add(Session(session_id="orm", messages=[message]))
        session.commit()
        assert (Decimal("0.1"), moment, UTC) == (message.cost, message.created_at, message.created_at.tzinfo)
    one, other = stored(ledger, "service")[0], stored(ledger, "orm")[0]
    assert one.model_dump(exclude={"session_id"}) == other.model_dump(exclude={"session_id"})
    with ledger.orm() as session:
        digests = session.scalars(select(Message.digest)).all()
        assert 1 == len(set(digests))


def test_costs_are_counted_from_the_price_in_force(ledger: Ledger, open_session: Open) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    with ledger.begin() as uow:
        uow.models.price("gpt", input=2, output=10, effective_from=since)
        uow.models.price("other", input=1, output=1, effective_from=since)
    with open_session() as session:
        chat = Session(session_id="s", model_id="gpt")
        chat.messages = [
            Message(role="user", content="no tokens"),
            Message(role="assistant", input_tokens=1000, output_tokens=100),
            Message(role="assistant", input_tokens=1000, output_tokens=100, model_id="other"),
            Message(role="assistant", input_tokens=1000, output_tokens=100, cost=7),
            Message(role="assistant", input_tokens=1000, model_id="unknown"),
        ]
        session.add(chat)
        session.commit()
        assert Decimal("7.0041") == chat.total_cost
        session.execute(insert(Message), [{"session_id": "s", "role": "assistant", "output_tokens": 100}])
        session.commit()
    found = stored(ledger, "s")
    costs = [None, Decimal("0.003"), Decimal("0.0011"), Decimal(7), None, Decimal("0.001")]
    assert costs == [message.cost for message in found]
    assert [None, since, since, None, None, since] == [message.priced_from for message in found]


def test_names_are_registered(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        session.add(
            Session(session_id="s", project_id="p", model_id="m", messages=[Message(role="user", model_id="n")])
        )
        session.add(Session(session_id="t", project=Project(project_id="q", name="Q"), model=Model(model_id="m2")))
        session.commit()
        session.get_one(Session, "s").project_id = "r"
        session.commit()
        session.execute(insert(Message), [{"session_id": "s", "role": "user", "model_id": "o"}])
        session.commit()
        assert ["p", "q", "r"] == list(session.scalars(select(Project.project_id).order_by(Project.project_id)))
        assert ["m", "m2", "n", "o"] == list(session.scalars(select(Model.model_id).order_by(Model.model_id)))
    stored(ledger, "s")


def test_an_update_of_content_takes_digest_and_search_text_along(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        session.add(Session(session_id="s", messages=[Message(role="user", content="before"), Message(role="user")]))
        session.commit()
    with open_session() as session:
        message = session.get_one(Message, ("s", 1))
        message.content = "after 数据"
        message.metadata_ = {"edited": True}
        message.tokens_used = 9
        session.commit()
    assert ["after 数据", ""] == [message.content for message in stored(ledger, "s")]
    with ledger.read() as uow:
        assert (0, 1, 1) == tuple(len(uow.search.messages(word).items) for word in ("before", "after", "数据"))


def test_a_cost_is_counted_again_with_its_tokens(ledger: Ledger) -> None:
    ledger.run(lambda uow: uow.models.price("gpt", input=2, output=10, effective_from=datetime(2026, 1, 1, tzinfo=UTC)))
    with ledger.orm() as session:
        session.add(Session(session_id="s", model_id="gpt", messages=[Message(role="user", input_tokens=1000)]))
        session.commit()
        message = session.get_one(Message, ("s", 1))
        message.input_tokens = 2000
        session.commit()
        assert Decimal("0.004") == message.cost
        message.cost = Decimal(1)
        session.commit()
        assert message.priced_from is None
        message.input_tokens = 3000
        session.commit()
        assert Decimal(1) == message.cost  # the caller gave it
    stored(ledger, "s")


def test_merge_updates_and_adds(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        session.merge(Session(session_id="s", title="one", messages=[Message(role="user", content="first")]))
        session.commit()
    with open_session() as session:
        session.merge(Session(session_id="s", title="two"))
        session.merge(Message(session_id="s", sequence_number=1, content="changed"))
        session.merge(Message(session_id="s", role="user", content="second"))
        session.commit()
    assert ["changed", "second"] == [message.content for message in stored(ledger, "s")]
    with ledger.read() as uow:
        assert "two" == uow.sessions.get("s").title


def test_removing_and_deleting(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        chat = Session(session_id="s", messages=[Message(role="user", content=str(n), tokens_used=1) for n in range(4)])
        chat.metadata_entries.append(SessionMetadata(key="k", value=1))
        session.add(chat)
        session.commit()
        chat.messages.remove(chat.messages[1])
        session.delete(chat.messages[-1])
        session.commit()
        assert (2, 2, 4) == (chat.message_count, chat.total_tokens, chat.last_sequence)
        session.execute(delete(Message).where(Message.sequence_number == 1))
        session.add(Message(session_id="s", role="user", content="next"))
        session.commit()
    assert [3, 5] == [message.sequence_number for message in stored(ledger, "s")]
    with open_session() as session:
        session.delete(session.get_one(Session, "s"))
        session.commit()
        assert [] == session.scalars(select(Message)).all()
        assert [] == session.scalars(select(SessionMetadata)).all()
    assert () == ledger.check().findings
    with ledger.begin() as uow:
        uow.sessions.create("s")
        assert 1 == uow.messages.append("s", "user", "new").sequence_number


def test_a_session_is_deleted_with_messages_that_are_loaded(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        session.add(Session(session_id="s", messages=[Message(role="user"), Message(role="user")]))
        session.commit()
    with open_session() as session:
        session.delete(session.scalars(select(Session).options(selectinload(Session.messages))).one())
        session.commit()
    assert () == ledger.check().findings
    with ledger.read() as uow:
        assert uow.sessions.find("s") is None


def test_objects_are_usable_again_after_a_rollback(ledger: Ledger, open_session: Open) -> None:
    ledger.run(lambda uow: uow.models.price("gpt", input=2, output=10, effective_from=datetime(2026, 1, 1, tzinfo=UTC)))
    chat = Session(
        session_id="s", model_id="gpt", messages=[Message(role="user", input_tokens=1000), Message(role="user")]
    )
    with open_session() as session:
        session.add(chat)
        session.flush()
        assert 2 == chat.message_count
        session.rollback()
    with open_session() as session:
        session.add(Session(session_id="t", messages=[Message(role="user", content="other")]))
        session.add(chat)
        session.commit()
        assert (2, Decimal("0.002")) == (chat.message_count, chat.total_cost)
    assert [1, 2] == [message.sequence_number for message in stored(ledger, "s")]
    message = Message(session_id="t", role="user", content="again")
    with open_session() as session:
        session.add(message)
        session.flush()
        session.rollback()
    ledger.run(lambda uow: uow.messages.append("t", "user", "meanwhile"))
    with open_session() as session:
        session.add(message)
        session.commit()
        assert 3 == message.sequence_number
    stored(ledger, "t")


def test_a_savepoint_undoes_its_part(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        chat = Session(session_id="s", messages=[Message(role="user", content="kept")])
        session.add(chat)
        session.flush()
        with pytest.raises(ZeroDivisionError), session.begin_nested():  # noqa: PT012 - what is within is undone
            session.add(Message(session_id="s", role="user", content="undone"))
            session.flush()
            raise ZeroDivisionError
        session.add(Message(session_id="s", role="user", content="also kept"))
        session.commit()
        assert 2 == chat.message_count
    assert [(1, "kept"), (2, "also kept")] == [(m.sequence_number, m.content) for m in stored(ledger, "s")]


def test_what_the_digest_does_not_cover_can_be_updated_by_statement(ledger: Ledger) -> None:
    with ledger.orm() as session:
        session.add(Session(session_id="s", messages=[Message(role="user", content="x")]))
        session.flush()
        session.execute(update(Message).where(Message.session_id == "s").values(cost=Decimal(2)))
        session.commit()
    assert Decimal(2) == stored(ledger, "s")[0].cost


def test_a_price_can_be_added_to_a_model(ledger: Ledger) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    with ledger.orm() as session:
        session.add(Model(model_id="m", prices=[ModelPrice(effective_from=since, input=Decimal(1), output=Decimal(1))]))
        session.flush()
        session.add(Session(session_id="s", model_id="m", messages=[Message(role="user", input_tokens=1_000_000)]))
        session.commit()
    assert Decimal(1) == stored(ledger, "s")[0].cost


def test_the_digest_is_that_of_the_content(ledger: Ledger) -> None:
    with ledger.orm() as session:
        message = Message(role="user", content="x")
        session.add(Session(session_id="s", messages=[message]))
        session.commit()
        row: dict[str, Any] = dict.fromkeys(FIELDS)
        assert message_digest({**row, "role": "user", "content": "x"}, message.created_at) == message.digest


def test_annotations_are_numbered_within_their_session(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        chat = Session(session_id="s", messages=[Message(role="user", content="x")])
        chat.annotations = [Annotation(label="good", sequence_number=1), Annotation(score=1)]
        session.add_all([chat, Session(session_id="t", annotations=[Annotation(text="fine", author="ada")])])
        session.commit()
        assert [1, 2] == [note.annotation_number for note in chat.annotations]
        note = Annotation(session_id="s", label="again")
        session.add(note)
        session.flush()
        session.rollback()
    ledger.run(lambda uow: uow.annotations.add("s", label="meanwhile"))
    with open_session() as session:
        session.add(note)
        session.commit()
        assert 4 == note.annotation_number
        for wrong in ({"session_id": "s"}, {"label": "x"}, {"session_id": "s", "label": "x", "annotation_number": 9}):
            session.add(Annotation(**wrong))
            with pytest.raises(InvalidInput):
                session.flush()
            session.rollback()
    assert () == ledger.check().findings
    with ledger.read() as uow:
        found = {note.annotation_number: note.label for note in uow.annotations.list(session_id="s")}
        assert {1: "good", 2: None, 3: "meanwhile", 4: "again"} == found


def test_any_json_value_is_metadata(ledger: Ledger, open_session: Open) -> None:
    values: list[Any] = [None, 0, "", [1, None], {"a": 1.5}, True]
    with open_session() as session:
        entries = [SessionMetadata(key=str(number), value=value) for number, value in enumerate(values)]
        session.add(Session(session_id="s", metadata_entries=entries))
        session.commit()
    with ledger.read() as uow:
        assert values == list(uow.metadata.all("s").values())
    assert () == ledger.check().findings


def test_times_that_triggers_move_are_read_again(ledger: Ledger, open_session: Open) -> None:
    with open_session() as session:
        chat = Session(session_id="s")
        session.add(chat)
        session.commit()
        before = chat.updated_at
        chat.title = "new"
        session.commit()
        assert chat.updated_at > before
    with ledger.read() as uow:
        assert chat.updated_at == uow.sessions.get("s").updated_at
