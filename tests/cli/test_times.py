"""How times are typed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import typer

from chatledger.cli.arguments.times import moment

_NOW = datetime(2026, 5, 3, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-05-01", "2026-05-01T00:00+00:00"),
        ("2026-05-01T12:00Z", "2026-05-01T12:00+00:00"),
        ("2026-05-01T12:00:30+02:00", "2026-05-01T10:00:30+00:00"),
        ("now", "2026-05-03T14:30+00:00"),
        ("today", "2026-05-03T00:00+00:00"),
        ("Yesterday", "2026-05-02T00:00+00:00"),
        ("2h", "2026-05-03T12:30+00:00"),
        ("1h30m", "2026-05-03T13:00+00:00"),
        (" 7D ", "2026-04-26T14:30+00:00"),
        ("7d ago", "2026-04-26T14:30+00:00"),
        ("2w", "2026-04-19T14:30+00:00"),
        ("0s", "2026-05-03T14:30+00:00"),
    ],
)
def test_a_time_as_typed(typed: str, expected: str) -> None:
    assert datetime.fromisoformat(expected) == moment(typed, lambda: _NOW)


def test_now_is_the_machine_s_clock() -> None:
    assert abs(moment("now") - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("typed", ["", "ago", "-2h", "1.5h", "soon", "2h7d", "2026-13-01", "30.5.2026", "٣h", "1y"])
def test_anything_else_is_misuse_that_says_what_to_write(typed: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"is not a time: write 2026-05-01, .* yesterday, or 2h or 7d"):
        moment(typed)


def test_a_time_without_a_zone_and_one_before_the_calendar_are_misuse() -> None:
    with pytest.raises(typer.BadParameter, match="has no time zone: add Z for UTC"):
        moment("2026-05-01T12:00")
    for typed in ("999999d", "9999999999w"):
        with pytest.raises(typer.BadParameter, match="is before the year 1"):
            moment(typed)
