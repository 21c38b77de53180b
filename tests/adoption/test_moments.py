"""Times as programs wrote them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chatledger import Ledger
from chatledger.adoption import adopt
from chatledger.adoption.source.timestamps import read_time
from tests.adoption.old import AI_ROUTER, fill_ai_router, made

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ("2026-05-01 12:00:00", "sql"), ("2026-05-01T12:00:00", "iso"), ("2026-05-01T12:00:00.000000", "iso"),
        ("2026-05-01T12:00", "odd"), ("2026-05-01 12:00:00.000", "odd"), ("2026-05-01T12:00:00Z", "aware"),
        ("2026-05-01T14:00:00+02:00", "aware"), ("2026-05-01 12:00:00+00:00", "aware"), (1777636800, "epoch"),
        ("1777636800", "epoch"), (1777636800.0, "epoch"), ("1777636800000", "epoch"), (1777636800000000, "epoch"),
        (b"2026-05-01 12:00:00", "sql"),
    ],
    ids=repr,
)  # fmt: skip
def test_shapes(written: object, shape: str) -> None:
    read = read_time(written, UTC)
    assert read is not None
    assert (NOON, shape) == (read.moment, read.shape)


@pytest.mark.parametrize(
    "written", ["", "soon", "2026-13-01", "99999999999999999999", None, 1e300, float("inf"), "NaN"]
)
def test_what_is_no_time(written: object) -> None:
    assert read_time(written, UTC) is None


def test_the_zone_of_times_that_name_none(tmp_path: Path, ledger: Ledger) -> None:
    with made(tmp_path / "old.db", AI_ROUTER) as connection:
        fill_ai_router(connection, texts=("in winter", "in summer", "twice", "with its own offset"))
        for number, time in enumerate(
            ("2025-01-15 12:00:00", "2025-07-15 12:00:00", "2025-10-26 02:30:00", "2025-10-26T02:30:00+01:00"), 1
        ):
            connection.execute("UPDATE messages SET timestamp = ? WHERE message_id = ?", (time, number))
    report = adopt(ledger, tmp_path / "old.db", timezone="Europe/Vienna")
    with ledger.read() as uow:
        told = [m.created_at.strftime("%m-%d %H:%M") for m in uow.messages.history("s")]
    assert ["01-15 11:00", "07-15 10:00", "10-26 00:30", "10-26 01:30"] == told
    ambiguous, naive = report.finding("ambiguous_time"), report.finding("naive_time", "messages.timestamp")
    assert ambiguous is not None
    assert naive is not None
    assert ((["s", 3],), 3) == (ambiguous.examples, naive.count)
    assert "Europe/Vienna" in naive.action


def test_an_hour_that_the_zone_leaves_out_is_ambiguous_too() -> None:
    read = read_time("2025-03-30 02:30:00", ZoneInfo("Europe/Vienna"))
    assert read is not None
    assert read.ambiguous
