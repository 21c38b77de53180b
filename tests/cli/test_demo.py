"""demo: the main job, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.cli.conftest import Command


@pytest.fixture
def run(here: Path) -> Command:
    return Command(None)


def test_the_demo_shows_the_main_job(run: Command, here: Path) -> None:
    output = run.text("demo")
    for said in ("demo-trip: 4 messages", "Lisbon", "番茄", "demo-trip-train has 4", str(here / "chatledger-demo.db")):
        assert said in output
    assert {"chatledger-demo.db", "chatledger-demo.html", "chatledger-demo.jsonl"} == {
        file.name for file in here.iterdir()
    }
    shown = Command("chatledger-demo.db").text("history", "demo-trip-train", "--json").splitlines()
    assert [1, 2, 3, 4] == [json.loads(line)["sequence_number"] for line in shown]


def test_again_it_begins_anew_and_keeps_what_is_not_its_own(run: Command) -> None:
    first = run.text("demo", "d.db")
    mine = Command("d.db")
    mine.text("create", "--id", "mine")
    mine.text("add", "demo-trip", "user", "And for a week?")
    again = run.text("demo", "d.db")
    assert len(first.splitlines()) + 1 == len(again.splitlines())  # one more row in the list of sessions
    assert {"mine", "demo-trip", "demo-trip-train", "demo-weather-agent", "demo-recipe"} == {
        session["session_id"] for session in mine.json("list")["items"]
    }


def test_what_it_tells_to_try_works(run: Command) -> None:
    output = run.text("demo")
    assert "chatledger --db chatledger-demo.db search evening" in output
    demo = Command("chatledger-demo.db")
    assert "A light jacket" in demo.text("search", "evening")
    ask = ("query", "And with children?", "--session-id", "demo-trip", "--exec", "echo Take the train.")
    assert "Take the train." == demo.text(*ask)


def test_somebody_elses_files_are_refused(run: Command, here: Path) -> None:
    with Ledger(str(here / "work.db")) as ledger, ledger.begin() as uow:
        uow.sessions.create("demo-trip")
    assert "is not a demo ledger" in run.error("demo", "work.db")
    (here / "fresh.html").write_text("mine")
    assert "'fresh.html' exists and is not the demo's" in run("demo", "fresh.db").stderr
    assert "mine" == (here / "fresh.html").read_text()
