"""How durations are typed and shown."""

from __future__ import annotations

from datetime import timedelta

import pytest
import typer

from chatledger.cli.arguments.duration import NONE, age, duration, lead, limit, spelled


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        (" 7D ", timedelta(days=7)),
        ("36500d", timedelta(days=36500)),
    ],
)
def test_a_duration_as_typed(typed: str, expected: timedelta) -> None:
    assert [expected] * 4 == [read(typed) for read in (age, duration, limit, lead)]


@pytest.mark.parametrize(
    "typed",
    ["", "5", "m", "-5m", "1.5h", "5 m", "30m1h", "5m5m", "5w", "1h!", "٣m", "36501d", "9" * 11 + "s", "9" * 9 + "d"],
)
def test_anything_else_is_misuse(typed: str) -> None:
    for read in (age, duration, limit, lead):
        with pytest.raises(typer.BadParameter, match=r"write 90s, 5m, 1h30m or 2d|is longer than 36500 days"):
            read(typed)


def test_none_is_a_limit_and_nothing_is_not() -> None:
    assert (NONE, NONE, NONE, NONE) == (limit("none"), lead("NONE"), lead("0s"), age("0m"))
    for read, typed in ((duration, "0s"), (limit, "0h"), (duration, "none"), (age, "none")):
        with pytest.raises(typer.BadParameter):
            read(typed)
    with pytest.raises(typer.BadParameter, match="or none for no limit"):
        limit("0s")


@pytest.mark.parametrize("text", ["0s", "45s", "1h30m", "1d", "7d1s", "36500d"])
def test_what_is_shown_can_be_typed(text: str) -> None:
    assert text == spelled(age(text))
