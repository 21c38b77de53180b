"""project … and model …"""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Command


def test_projects(run: Command) -> None:
    run.text("init")
    assert "p · Trips\nto the sea" == run.text(
        "project", "create", "p", "--name", "Trips", "--description", "to the sea"
    )
    assert {"budget": 5} == run.json("project", "update", "p", "-m", "budget=5")["metadata"]
    assert run.json("project", "archive", "p")["archived_at"]
    assert [] == run.json("project", "list", "--not-archived")["items"]
    assert ["p"] == [one["project_id"] for one in run.json("project", "list", "--archived")["items"]]
    assert run.json("project", "unarchive", "p") == run.json("project", "show", "p")
    assert ["Project", "p"] == [line.split()[0] for line in run.text("project", "list").splitlines()]
    assert "chatledger: project 'p' exists already" == run.error("project", "create", "p")
    run.text("create", "--id", "s", "--project", "p", "--user-id", "ada")
    assert "p · Trips\nto the sea" == run.text("project", "show", "p", "--user-id", "ada")
    assert "chatledger: no project 'p'" == run.error("project", "show", "p", "--user-id", "bob")
    assert "shared by all users" in run.error("project", "update", "p", "--name", "x", "--user-id", "ada")
    assert "archive it instead" in run.error("project", "delete", "p")
    run.text("delete", "s", "--yes")
    run.text("project", "delete", "p")
    assert "chatledger: no project 'p'" == run.error("project", "show", "p")


def test_models_and_what_they_cost(run: Command) -> None:
    run.text("init")
    added = run.text("model", "add", "m", "--provider", "lab", "--context-window", "128000", "--notes", "fast")
    assert "m · lab · 128,000 tokens\nfast" == added
    assert "big" == run.json("model", "update", "m", "--name", "big")["name"]
    assert "chatledger: no model 'x'" == run.error("model", "update", "x", "--name", "big")
    set_ = run.json("model", "price", "m", "--input", "2.5", "--output", "10", "--from", "2026-01-01")
    assert ("2.5", "10", None, "2026-01-01T00:00:00+00:00") == (
        set_["input"], set_["output"], set_["reasoning"], set_["effective_from"],
    )  # fmt: skip
    assert "2026-01-01 00:00Z   $2.5     $10" in run.text("model", "prices", "m")
    assert run.json("model", "archive", "m")["archived_at"]
    assert not run.json("model", "unarchive", "m")["archived_at"]
    assert [set_] == run.json("model", "prices", "m")["items"]
    run.text("create", "--id", "s", "--model", "m")
    run.text("add", "s", "assistant", "hi", "--input-tokens", "1000000", "--output-tokens", "1")
    assert "2.50001" == run.json("history", "s")["cost"]
    run.text("model", "price", "m", "--input", "3", "--output", "10", "--from", "2026-01-01T00:00Z")
    rehearsed = run.text("model", "reprice", "--since", "2026-01-01", "--dry-run")
    assert "1 message looked at: 0 would be filled in, 1 corrected, 0 withdrawn (+$0.5)" == rehearsed
    assert 1 == run.json("model", "reprice", "--reason", "wrong")["corrected"]
    assert "nina" == run.json("audit", "--action", "messages.repriced")["items"][0]["actor"]
    run.text("model", "remove-price", "m", "--from", "2026-01-01")
    assert "has no such price" in run.error("model", "remove-price", "m", "--from", "2026-01-01")
    assert "-$3.00001" in run.text("model", "reprice")
    assert "is not an amount" in run.misuse("model", "price", "m", "--input", "dear")
    assert "at least one price" in run.error("model", "price", "m")


def test_a_price_list_is_imported(run: Command, tmp_path: Path) -> None:
    run.text("init")
    path = tmp_path / "prices.csv"
    path.write_text("model_id,input,output\na,1,2\nb,3,4\n", encoding="utf-8")
    rehearsed = run.text("model", "import-prices", str(path), "--dry-run")
    assert "2 prices would be taken, 0 there already, 2 new models" == rehearsed
    assert [] == run.json("model", "list")["items"]
    assert 2 == run.json("model", "import-prices", str(path))["prices"]
    path.write_text("model_id,input\na,free\nb,3\n", encoding="utf-8")
    result = run("model", "import-prices", str(path))
    assert (1, "chatledger: line 2: input: is not a price\n") == (result.exit_code, result.stderr)
    assert "1 price taken, 0 there already, 0 new models, 1 wrong\n" == result.stdout
    assert "no file" in run.error("model", "import-prices", str(tmp_path / "nowhere"))
