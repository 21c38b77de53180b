"""metadata set, get, list, delete."""

from __future__ import annotations

from tests.cli.conftest import Command


def test_values_are_json_or_text(run: Command) -> None:
    run.text("create", "--id", "s")
    for key, value in (("n", "1"), ("list", '["é"]'), ("text", "NaN"), ("quoted", '"1"')):
        run.text("metadata", "set", "s", key, value)
    assert {"n": 1, "list": ["é"], "text": "NaN", "quoted": "1"} == run.json("metadata", "list", "s")
    assert ["1", '["é"]', "NaN", "1"] == [
        run.text("metadata", "get", "s", key) for key in ("n", "list", "text", "quoted")
    ]
    assert "1" == run.json("metadata", "get", "s", "quoted")


def test_delete_takes_a_value_away(run: Command) -> None:
    run.text("create", "--id", "s", "--metadata", "a=1")
    run.text("metadata", "delete", "s", "a")
    assert {} == run.json("metadata", "list", "s")
    assert "chatledger: session 's' has no metadata 'a'" == run.error("metadata", "get", "s", "a")
    assert "chatledger: session 's' has no metadata 'a'" == run.error("metadata", "delete", "s", "a")
