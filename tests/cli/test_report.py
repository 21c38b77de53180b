"""report."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_the_command_writes_a_file(run: Command, here: Path) -> None:
    run.text("create", "--id", "s")
    run.text("add", "s", "assistant", "Lisbon.", "--cost", "0.5")
    assert "the report is in 'out.html'\n" == run("report", "out.html", "--since", "2026-01-01", "--by", "week").stderr
    assert "$0.50" in (here / "out.html").read_text("utf-8")
    assert "exists: add --overwrite" in run.error("report", "out.html")
    assert "chatledger: period: is not one of 'day', 'week', 'month'" == run.error("report", "o.html", "--by", "year")
    assert not (here / "o.html").exists()
