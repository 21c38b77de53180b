"""Values at the edges are refused by name, and never end in an error of Python's or of a driver's."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatledger import ChatledgerError, InvalidInput, Ledger, Settings
from chatledger.adoption import adopt
from chatledger.exchange import export_sessions, export_table, import_file, read_prices
from tests.support.once import ONE_FLAVOR

_BAD: dict[str, Any] = {
    "big": 10**5000, "negative": -(10**5000), "max": datetime.max.replace(tzinfo=UTC), "nan": Decimal("NaN"),
    "float nan": float("nan"), "infinity": float("inf"), "list": [1], "text": "ab", "true": True, "complex": 1j, "bytes": b"x",
}  # fmt: skip


def calls(any_ledger: Ledger, value: Any) -> dict[str, Callable[[], Any]]:
    def within(act: Callable[[Any], Any]) -> Callable[[], Any]:
        return lambda: any_ledger.run(lambda uow: [act(uow)][0])

    return {
        "older_than": lambda: any_ledger.purge(older_than=value, dry_run=True),
        "hours": within(lambda uow: uow.sessions.expire_older_than(value, dry_run=True)),
        "within": within(lambda uow: list(uow.timeouts.due(within=value))),
        "idle_timeout": within(lambda uow: uow.timeouts.configure("s", idle_timeout=value)),
        "timeout": lambda: any_ledger.health(timeout=value),
        "sweep_lag": lambda: any_ledger.health(sweep_lag=value),
        "variants": within(lambda uow: uow.comparisons.create(variants=value)),
        "backoff": within(lambda uow: uow.batches.create(backoff=value)),
        "min_score": within(lambda uow: uow.annotations.list(min_score=value)),
        "rows": within(lambda uow: uow.models.import_prices(value)),
        "since": within(lambda uow: uow.statistics.overview(since=value)),
        "until": within(lambda uow: uow.statistics.compare(since=datetime(2026, 1, 1, tzinfo=UTC), until=value)),
        "path": lambda: any_ledger.backup(value, keep=0),
    }


@pytest.mark.parametrize("name", _BAD)
@ONE_FLAVOR
def test_no_value_ends_in_an_error_that_is_not_ours(any_ledger: Ledger, name: str) -> None:
    with any_ledger.begin() as uow:
        uow.sessions.create("s")
    wrong = {}
    for field, call in calls(any_ledger, _BAD[name]).items():
        try:
            call()
        except ChatledgerError:
            pass
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            wrong[field] = type(error).__name__
    assert {} == wrong


@pytest.mark.parametrize("text", ["ab", b"ab"], ids=repr)
def test_a_text_is_no_list_of_its_characters(ledger: Ledger, text: Any) -> None:
    with ledger.begin() as uow:
        asked: dict[str, Callable[[], Any]] = {
            "variants": lambda: uow.comparisons.create(variants=text),
            "rows": lambda: uow.models.import_prices(text),
        }
        for field, call in asked.items():
            with pytest.raises(InvalidInput) as caught:
                call()
            assert field == caught.value.field
    for export in (export_sessions, export_table):
        with pytest.raises(InvalidInput, match="session_ids"):
            export(ledger, io.StringIO(), format="jsonl" if export is export_sessions else "csv", session_ids=text)


@pytest.mark.parametrize("setting", [name for name in Settings.model_fields if name != "prepared_statements"])
@pytest.mark.parametrize(
    "value", [True, 10**5000, float("nan"), float("inf"), [1]], ids=["true", "big", "nan", "inf", "list"]
)
def test_settings_refuse_what_is_no_setting(setting: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        Settings(**{setting: value})
    assert setting == caught.value.field


_NOT_UTF8 = b"\xff\xfe.db".decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "url",
    [
        "a\x00b.db", "sqlite:///a\x00b.db", "sqlite:///a%00b.db", Path("a\x00b.db"), _NOT_UTF8, f"sqlite:///{_NOT_UTF8}",
        Path(_NOT_UTF8), "\ud800.db", "sqlite:///a?b.db", "sqlite:///a?x=1&b.db", "postgresql://h\x00/x",
    ],
    ids=lambda url: f"{type(url).__name__} {str(url)!a}",
)  # fmt: skip
def test_a_url_that_names_no_database_is_refused(url: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput) as caught:
        Ledger(url)
    assert "url" == caught.value.field
    assert [] == list(tmp_path.iterdir())


def test_a_question_mark_may_be_in_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///a%3Fb.db", "c?d.db", Path("e?f.db")):
        Ledger(url).close()
    assert {"a?b.db", "c?d.db", "e?f.db"} == {entry.name for entry in tmp_path.iterdir() if entry.suffix == ".db"}


@pytest.mark.parametrize(
    "path",
    ["a\x00b", Path("a\x00b"), 5, None, ["a"], "", "\ud800"],
    ids=lambda path: f"{type(path).__name__} {path!a}",
)
def test_a_path_that_names_no_file_is_refused(tmp_path: Path, path: Any) -> None:
    with Ledger(tmp_path / "chat.db") as ledger:
        asked: list[Callable[[], Any]] = [
            lambda: ledger.backup(path), lambda: Ledger.restore(path, tmp_path / "b.db"),
            lambda: import_file(ledger, path), lambda: adopt(ledger, path), lambda: read_prices(path),
        ]  # fmt: skip
        for call in asked:
            with pytest.raises(InvalidInput):
                call()


def test_a_price_list_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="file: cannot be read"):
        read_prices(tmp_path / "missing.csv")


def test_an_age_that_is_older_than_time_is_not_younger_than_nothing(ledger: Ledger) -> None:
    assert 0 == ledger.purge(older_than=10**5000, dry_run=True).sessions
    for age in (-1, -(10**5000), timedelta(-1)):
        with pytest.raises(InvalidInput, match="older_than"):
            ledger.purge(older_than=age, dry_run=True)
