"""Tables that fit, and sizes that read."""

from __future__ import annotations

import io
import json

import pytest

from chatledger.cli.output.escaping import Neutral, neutral, one_line
from chatledger.cli.output.screen import Column, Screen, sized

COLUMNS = (Column("ID"), Column("Title", flexible=True), Column("User", rank=2), Column("Count", rank=1, right=True))
ROWS = (("0001", "晚饭做什么好呢我想吃番茄炒蛋", "ada", "1"), ("0002", "", "", "1,200"))


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (60, ["ID    Title                         User  Count", "0001  晚饭做什么好呢我想吃番茄炒蛋  ada       1"]),
        (40, ["ID    Title                  User  Count", "0001  晚饭做什么好呢我想吃…  ada       1"]),
        (38, ["ID    Title                      Count", "0001  晚饭做什么好呢我想吃番茄…      1", "  User ada"]),
        (30, ["ID    Title", "0001  晚饭做什么好呢我想吃番…", "  User ada · Count 1"]),
        (20, ["ID    Title", "0001  晚饭做什么好…", "  User ada · Count 1"]),
    ],
)
def test_a_table_fits_the_terminal(width: int, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    file = io.StringIO()
    Screen(file).table(COLUMNS, ROWS)
    output = file.getvalue().replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    lines = output.splitlines()
    assert expected == lines[: len(expected)]
    # The second row names what it has: nothing is left out.
    assert "1,200" in lines[-1]


def test_lines_stay_lines() -> None:
    assert "a\\nb\\tc\\x1b\\u202e\\udcff" == one_line("a\nb\tc\x1b\u202e\udcff")
    assert "a\nb\tc\\x0d" == neutral("a\nb\tc\r")


@pytest.mark.parametrize(
    ("size", "expected"), [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (5 * 2**40 * 1024, "5,120.0 TiB")]
)
def test_sizes(size: int, expected: str) -> None:
    assert expected == sized(size)


def test_json_that_passes_a_terminal_stays_json() -> None:
    file = io.StringIO()
    Neutral(file).write(json.dumps("a\x9b\u202e", ensure_ascii=False))
    assert '"a\\u009b\\u202e"' == file.getvalue()
    assert "a\x9b\u202e" == json.loads(file.getvalue())
