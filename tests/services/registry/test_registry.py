"""Projects and models: made on first use or by hand, archived, never lost."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from chatledger import (
    InvalidInput,
    Ledger,
    ModelNotFound,
    Page,
    PriceNotFound,
    ProjectExists,
    ProjectInUse,
    ProjectNotFound,
    UnitOfWork,
)
from tests.support.clock import StoppedClock
from tests.support.once import ONCE
from tests.support.raw import Raw
from tests.support.statements import counted_statements

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_project_is_made_changed_and_put_away(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        made = uow.projects.create("p", name="Trips", description="to the sea", metadata={"a": [1.0]})
        assert ("p", "Trips", "to the sea", {"a": [1.0]}, None) == (
            made.project_id, made.name, made.description, made.metadata, made.archived_at,
        )  # fmt: skip
        changed = uow.projects.update("p", name=None, metadata={"b": 1})
        assert (None, "to the sea", {"b": 1}) == (changed.name, changed.description, changed.metadata)
        archived = uow.projects.archive("p")
        assert archived.archived_at is not None
        assert archived == uow.projects.archive("p")
        assert changed == uow.projects.unarchive("p")
        with pytest.raises(ProjectExists):
            uow.projects.create("p")


def test_only_an_unused_project_is_deleted(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", project_id="p")
        with pytest.raises(ProjectInUse):
            uow.projects.delete("p")
        uow.sessions.update("s", project_id=None)
        uow.projects.delete("p")
        assert uow.projects.find("p") is None
        assert {"project": "p"} == uow.audit.list(action="project.deleted")[0].details


def test_a_model_is_registered_again_and_again(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s", model_id="m")
        first = uow.models.register("m", provider="lab", context_window=400_000, metadata={"k": 1})
        assert first == uow.models.register("m") == uow.models.get("m")
        second = uow.models.register("m", notes="fast", provider=None)
        assert (None, 400_000, "fast", {"k": 1}) == (
            second.provider, second.context_window, second.notes, second.metadata,
        )  # fmt: skip
        assert "M" == uow.models.update("m", name="M").name
        archived = uow.models.archive("m")
        assert archived.archived_at is not None
        assert "m" == uow.sessions.get("s").model_id
        assert 1 == uow.messages.append("s", "user", "still").sequence_number
        assert uow.models.unarchive("m").archived_at is None


def test_lists_go_on_where_they_ended(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for name in ("b", "B", "a", "ä", "'"):
            uow.projects.create(name)
            uow.models.register(name)
        uow.projects.archive("a")
        uow.models.archive("a")
        lists: list[Any] = [uow.projects.list, uow.models.list]
        for list_, key in zip(lists, ("project_id", "model_id"), strict=True):
            names, cursor = [], None
            while True:
                page: Page[Any] = list_(limit=2, cursor=cursor)
                names += [getattr(one, key) for one in page]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert ["'", "B", "a", "b", "ä"] == names
            assert ["a"] == [getattr(one, key) for one in list_(archived=True)]
            assert ["'", "B", "b", "ä"] == [getattr(one, key) for one in list_(archived=False)]
            with pytest.raises(InvalidInput):
                list_(cursor="WyJhIl0")


def test_prices_have_a_history(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input="0.10", effective_from="2026-01-02", others={"audio": "1.5"})
        uow.models.price("m", input=1, output=2, effective_from=date(2026, 1, 1))
        uow.models.price("m", input="0.2", effective_from=T0 + timedelta(days=1))  # in place of the first
        found = uow.models.prices("m")
        assert [(T0, Decimal(1), Decimal(2)), (T0 + timedelta(days=1), Decimal("0.2"), None)] == [
            (price.effective_from, price.input, price.output) for price in found
        ]
        assert {"audio": Decimal("1.5")} == found[1].others
        assert found[0] == uow.models.price_at("m", T0 + timedelta(hours=23))
        assert found[1] == uow.models.price_at("m", T0 + timedelta(hours=24))
        with pytest.raises(PriceNotFound):
            uow.models.price_at("m", T0 - timedelta(seconds=1))
        uow.models.remove_price("m", T0)
        with pytest.raises(PriceNotFound):
            uow.models.remove_price("m", T0)
        assert found[1:] == uow.models.prices("m")


def test_others_are_kept_exactly(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        price = uow.models.price("m", others={"audio": "0.000000001", "image": 40})
        assert {"audio": Decimal("0.000000001"), "image": Decimal(40)} == price.others


@pytest.mark.parametrize("name", ["", "x" * 256, "\x00", 5, None])
@ONCE
def test_a_name_that_cannot_be_stored_is_refused(any_ledger: Ledger, name: Any) -> None:
    with any_ledger.begin() as uow:
        for act in (uow.projects.create, uow.models.register, uow.models.price):
            with pytest.raises(InvalidInput) as caught:
                act(name)
            assert caught.value.field in ("project_id", "model_id")


def test_what_is_not_there_is_said_by_name(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        for act in (uow.projects.get, uow.projects.update, uow.projects.archive, uow.projects.unarchive):
            with pytest.raises(ProjectNotFound, match="no project 'x'"):
                act("x")
        asked: list[Any] = [
            uow.models.get,
            uow.models.update,
            uow.models.archive,
            uow.models.unarchive,
            uow.models.prices,
        ]
        for ask in asked:
            with pytest.raises(ModelNotFound, match="no model 'x'"):
                ask("x")
        with pytest.raises(InvalidInput, match="at least one price"):
            uow.models.price("m")


def test_a_repair_registers_the_names_that_raw_sql_has_used(any_ledger: Ledger, raw: Raw) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
    raw(
        "INSERT INTO chatledger_messages (session_id, sequence_number, role, content, model_id) VALUES ('s', 1, 'user', '', 'x')"
    )
    raw("UPDATE chatledger_sessions SET project_id = 'p', model_id = 'y'")
    assert any_ledger.check()  # a name needs no row
    any_ledger.repair(backup=False)
    with any_ledger.read() as uow:
        assert ["p"] == [project.project_id for project in uow.projects.list()]
        assert ["x", "y"] == [model.model_id for model in uow.models.list()]


def test_a_price_list_is_taken_once(any_ledger: Ledger) -> None:
    rows = [
        {"model_id": "m", "input": "1", "output": "2", "provider": "lab", "context_window": 8},
        {"model_id": "n", "input": "1", "effective_from": "2026-01-01"},
        {"model_id": "", "input": "1"},
        {"model_id": "o", "input": "dear"},
        {"model_id": "o"},
        {"model_id": "o", "input": 1, "typo": 2},
        5,
    ]
    with any_ledger.begin() as uow:
        rehearsed = uow.models.import_prices(rows, dry_run=True)
        assert (True, 7, 2, 2, 0) == (
            rehearsed.dry_run, rehearsed.rows, rehearsed.models, rehearsed.prices, rehearsed.unchanged,
        )  # fmt: skip
        assert ["3", "4", "5", "6", "7"] == [problem.place for problem in rehearsed.problems]
        assert [] == list(uow.models.list())
        done = uow.models.import_prices(rows)
        assert rehearsed.model_copy(update={"dry_run": False}) == done
        assert ("lab", 8) == ((model := uow.models.get("m")).provider, model.context_window)
        again = uow.models.import_prices(rows)
        assert (0, 0, 2) == (again.models, again.prices, again.unchanged)
        assert ["m", "n"] == [model.model_id for model in uow.models.list()]


def test_nobody_waits_for_a_name_that_another_transaction_registers(migrated_postgres_url: str) -> None:
    engine = create_engine(migrated_postgres_url)
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            connection.execute(text("SET lock_timeout = '200ms'"))
        one, two = UnitOfWork(first), UnitOfWork(second)
        # In opposite orders: with locks that are waited for this would be a deadlock.
        one.sessions.create("a", project_id="p", model_id="m")
        two.sessions.create("b", project_id="q", model_id="n")
        one.sessions.create("c", project_id="q", model_id="n")
        two.sessions.create("d", project_id="p", model_id="m")
        one.messages.append("a", "user", "hello", model_id="new")
        two.messages.append("b", "user", "hello", model_id="new")
        first.commit()
        second.commit()
        assert ["m", "n", "new"] == [model.model_id for model in two.models.list()]
        assert ["p", "q"] == [project.project_id for project in two.projects.list()]
    engine.dispose()


def test_a_name_whose_registration_was_rolled_back_is_registered_by_its_next_use(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
    with pytest.raises(RuntimeError), any_ledger.begin() as uow:  # noqa: PT012
        uow.messages.append("s", "user", "x", model_id="new")
        raise RuntimeError
    for number in (1, 2, 3):
        with any_ledger.begin() as uow:
            assert number == uow.messages.append("s", "user", "x", model_id="new").sequence_number
            assert ["new"] == [model.model_id for model in uow.models.list()]


def test_a_model_that_is_known_costs_an_append_no_statement(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
    counts = []
    for _ in range(3):
        with any_ledger.begin() as uow, counted_statements() as seen:
            uow.messages.append("s", "user", "x", model_id="new")
        counts.append(len(seen))
    # Registered, seen committed, and then known.
    assert [2, 3, 1] == counts


def test_a_price_that_is_set_for_one_kind_keeps_the_others(any_ledger: Ledger) -> None:
    with any_ledger.begin() as uow:
        uow.models.price("m", input=1, output=2, cached_input="0.1", effective_from=T0)
        kept = uow.models.price("m", input=3, effective_from=T0 + timedelta(days=1))
        assert (Decimal(3), Decimal(2), Decimal("0.1")) == (kept.input, kept.output, kept.cached_input)
        removed = uow.models.price("m", output=None, effective_from=T0 + timedelta(days=2))
        assert (Decimal(3), None) == (removed.input, removed.output)


def test_a_newer_list_without_dates_does_not_change_the_past(timed_ledger: Ledger, clock: StoppedClock) -> None:
    """The first one holds for all time, a changed one from now on."""
    with timed_ledger.begin() as uow:
        uow.models.import_prices([{"model_id": "m", "input": "3", "output": "3"}])
        uow.sessions.create("s", model_id="m")
        uow.messages.append("s", "user", "January", input_tokens=1_000_000)
    clock.advance(days=60)
    with timed_ledger.begin() as uow:
        report = uow.models.import_prices([{"model_id": "m", "input": "1", "output": "3"}])
        assert (1, 0) == (report.prices, report.unchanged)
        again = uow.models.import_prices([{"model_id": "m", "input": "1", "output": "3"}])
        assert (0, 1) == (again.prices, again.unchanged)
        assert [Decimal(3), Decimal(1)] == [price.input for price in uow.models.prices("m")]
        uow.messages.append("s", "user", "March", input_tokens=1_000_000)
        uow.models.reprice()
        assert [Decimal(3), Decimal(1)] == [message.cost for message in uow.messages.history("s")]
