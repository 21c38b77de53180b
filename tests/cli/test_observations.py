"""annotate, annotation …, metric …"""

from __future__ import annotations

import pytest

from tests.cli.conftest import Command


@pytest.fixture
def trip(run: Command) -> Command:
    run.text("create", "--id", "trip", "--user-id", "ada")
    run.text("add", "trip", "user", "Where to in May?")
    assert "trip:1" == run.text("annotate", "trip", "--label", "bad", "--text", "The wrong tides", "--author", "nina")
    assert "trip:2" == run.text("annotate", "trip", "--message", "1", "--score", "0.5")
    return run


def test_annotations_are_listed_shown_found_and_counted(trip: Command) -> None:
    header, second, first = trip.text("annotation", "list").splitlines()
    assert ["ID", "Message", "Label", "Score", "Who", "When", "Text"] == header.split()
    assert (["trip:2", "1", "-", "0.5", "-"], "The wrong tides") == (second.split()[:5], first[-15:])
    assert ["trip:1"] == [each["annotation_id"] for each in trip.json("annotation", "list", "--label", "bad")["items"]]
    assert ["trip:2"] == [
        each["annotation_id"] for each in trip.json("annotation", "list", "--min-score", "0.5")["items"]
    ]
    assert trip.text("annotation", "show", "trip:1").splitlines()[0].startswith("trip:1 · bad · nina · ")
    assert trip.text("annotation", "search", "tide").endswith("\n  The wrong tides")
    assert ["The wrong **tides**"] == [hit["snippet"] for hit in trip.json("annotation", "search", "tide")["items"]]
    assert "2 annotations on 1 session, mean score 0.5" == trip.text("annotation", "summary").splitlines()[0]
    assert 2 == trip.json("annotation", "summary")["count"]
    assert ["trip"] == [each["session_id"] for each in trip.json("list", "--annotated", "bad")["items"]]
    assert [] == trip.json("list", "--annotated", "good")["items"]


def test_votes_replace_each_other_and_are_counted_by_model(trip: Command) -> None:
    vote = ("annotation", "vote", "trip", "up", "--author", "nina")
    number = trip.text(*vote)
    assert number == trip.json("annotation", "vote", "trip", "down", "--author", "nina")["annotation_id"]
    assert "is not one of 'up', 'down'" in trip.error("annotation", "vote", "trip", "good", "--author", "nina")
    trip.text("annotation", "vote", "trip", "5", "--author", "nina", "--choice", "1", "--choice", "5", "--message", "1")
    (found,) = trip.json("annotation", "summary", "--by-model", "--author", "nina", "--label", "down")["items"]
    assert (1, "down") == (found["count"], found["labels"][0]["label"])
    assert "down" in trip.text("annotation", "summary", "--by-model")
    assert "--message" in trip.misuse("annotation", "summary", "--by-model", "--session-id", "trip", "--message", "1")


def test_annotations_are_changed_and_removed(trip: Command) -> None:
    assert "fine" == trip.json("annotation", "update", "trip:1", "--label", "fine", "--clear", "text")["label"]
    assert trip.json("annotation", "show", "trip:1")["text"] is None
    assert "--clear" in trip.misuse("annotation", "update", "trip:1", "--clear", "session")
    needs = "chatledger: annotation: needs a label, a score or a text"
    assert needs == trip.error("annotation", "update", "trip:1", "--clear", "label")
    assert needs == trip.error("annotate", "trip")
    assert "removed trip:1" == trip.text("annotation", "remove", "trip:1")
    for command in ("show", "update", "remove"):
        assert "chatledger: no annotation 'trip:1'" == trip.error("annotation", command, "trip:1")
        assert "chatledger: no annotation 'trip:2'" == trip.error("annotation", command, "trip:2", "--user-id", "bob")
    assert "chatledger: no session 'trip'" == trip.error("annotate", "trip", "--label", "x", "--user-id", "bob")
    assert "chatledger: no message 9 in session 'trip'" == trip.error(
        "annotate", "trip", "--message", "9", "--label", "x"
    )


def test_numbers_are_recorded_and_put_into_periods(trip: Command) -> None:
    trip.text("metric", "record", "latency", "0.5", "--unit", "s", "--session-id", "trip", "--at", "2026-05-01T12:30Z")
    lines = (
        '{"name": "latency", "value": 1.5, "unit": "s", "at": "2026-05-01T12:45:00Z"}\n\n{"name": "q", "value": 3}\n'
    )
    assert "recorded 2" == trip.text("metric", "record", given=lines)
    assert "latency\nq" == trip.text("metric", "names")
    period, figures = trip.text("metric", "series", "latency", "--by", "hour").splitlines()
    assert ["Period", "Unit", "Count", "Sum", "Min", "Max", "Avg"] == period.split()
    assert ["2026-05-01", "12:00Z", "s", "2", "2", "0.5", "1.5", "1"] == figures.split()
    assert [(2, "s"), (1, None)] == [(each["count"], each["unit"]) for each in trip.json("metric", "summary")["items"]]
    assert ["latency", "0.5", "s"] == trip.text("metric", "list", "--session-id", "trip").splitlines()[1].split()[:3]
    assert "chatledger: 2 numbers would be deleted: add --yes to do it" == trip.error(
        "metric", "purge", "--older-than", "0s", "--name", "latency"
    )
    assert "deleted 3 numbers" == trip.text("metric", "purge", "--older-than", "0s", "--yes")


def test_a_wrong_line_is_named(trip: Command) -> None:
    for blank, line, told in (
        ("", "[1]", "line 2 is not a JSON object: what stands before it is recorded"),
        ("\n", '{"name": "q"}', "line 3: value: is missing (recorded 0 numbers, of the lines before)"),
    ):
        result = trip("metric", "record", given=f'{{"name": "q", "value": 3}}\n{blank}{line}\n')
        assert (1, f"chatledger: {told}\n") == (result.exit_code, result.stderr)
    assert 1 == len(trip.json("metric", "list")["items"])
    many = '{"name": "many", "value": 1}\n' * 5001 + '{"name": "many", "value": 1, "odd": 1}\n'
    told = trip("metric", "record", given=many).stderr
    assert "chatledger: line 5002: odd: is not a known name (recorded 5,000 numbers, of the lines before)\n" == told
    assert "give both or neither" in trip.misuse("metric", "record", "q")
