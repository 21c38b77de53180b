"""`chatledger workflow`: definitions from files, executions that are run, stopped, gone on with and drawn."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from chatledger import Ledger
from chatledger.backup.progress import Progress
from chatledger.cli.workflows import workflow
from chatledger.cli.workflows.progress import StepsShown
from chatledger.schemas.execution import WorkflowStep
from tests.cli.conftest import Command

GREET: dict[str, Any] = {
    "name": "greet",
    "inputs": {"who": {}},
    "steps": {
        "count": {"exec": ["printf", "[1, 2]"]},
        "say": {"exec": ["echo", "Hello ${input.who} ${item}"], "for_each": "${count.output}"},
        "end": {"exec": ["echo", "${say.output}"]},
    },
}


def written(here: Path, steps: dict[str, Any], **more: Any) -> str:
    (here / "flow.json").write_text(json.dumps({"name": "flow", "steps": steps, **more}))
    return "flow.json"


def test_a_definition_is_stored_once_run_and_shown(run: Command, here: Path) -> None:
    (here / "greet.json").write_text(json.dumps(GREET))
    assert "greet version 1" == run.text("workflow", "define", "greet.json")
    assert 1 == run.json("workflow", "define", "greet.json")["version"]
    assert [("greet", 1)] == [(one["name"], one["version"]) for one in run.json("workflow", "list")["items"]]
    assert GREET == run.json("workflow", "show", "greet")
    done = run.json("workflow", "run", "greet", "--input", '{"who": "Ada"}', "--id", "first")
    assert ("succeeded", 1, {"who": "Ada"}) == (done["state"], done["version"], done["input"])
    outputs = {(step["step"], step["item"]): step["output"] for step in done["steps"]}
    assert ["Hello Ada 1", "Hello Ada 2"] == [outputs["say", place] for place in range(2)]
    assert ["Hello Ada 1", "Hello Ada 2"] == outputs["end", -1]
    assert done == run.json("workflow", "status", "first")
    assert "greet version 1: succeeded" == run.text("workflow", "resume", "first").splitlines()[0]
    assert "+ say (2 succeeded)" in run.text("workflow", "show", "first")
    assert 's1[["say (2 succeeded)"]]' in run.text("workflow", "show", "first", "--mermaid")
    assert ["first"] == [one["execution_id"] for one in run.json("workflow", "list", "--executions")["items"]]
    again = run("workflow", "run", "greet", "--input", '{"who": "Bob"}', "--version", "1")
    assert (0, True) == (again.exit_code, again.stderr.startswith("chatledger: execution "))


def test_what_cannot_be_is_one_line(run: Command, here: Path) -> None:
    (here / "greet.json").write_text(json.dumps(GREET))
    run.text("workflow", "define", "greet.json")
    assert "there is no step 'b'" in run.error(
        "workflow", "define", written(here, {"a": {"exec": ["x"], "needs": ["b"]}})
    )
    (here / "bad.json").write_text("{")
    assert "is not JSON (line 1)" in run.error("workflow", "define", "bad.json")
    (here / "bad.json").write_text(
        '{"name": "x", "steps": {"a": {"exec": ["x"], "with": {"x": ' + "[" * 900 + "]" * 900
    )
    assert "is not JSON" in run.error("workflow", "define", "bad.json")
    assert "no file 'nowhere.json'" in run.error("workflow", "define", "nowhere.json")
    assert "'nobody'" in run.error("workflow", "run", "nobody")
    assert "'who' is missing" in run.error("workflow", "run", "greet")
    assert "no input 'whom'" in run.error("workflow", "run", "greet", "--input", '{"whom": 1}')
    assert "--input" in run.misuse("workflow", "run", "greet", "--input", '{"who": NaN}')
    assert "is not an object" in run.misuse("workflow", "run", "greet", "--input", "[1]")
    for command in ("status", "resume", "cancel", "retry"):
        assert "'nobody'" in run.error("workflow", command, "nobody")
    assert "'nobody'" in run.error("workflow", "show", "nobody")
    run.text("workflow", "run", "greet", "--input", '{"who": 1}', "--id", "taken")
    assert "exists already" in run.error("workflow", "run", "greet", "--input", '{"who": 1}', "--id", "taken")
    assert "has no step 'nothing'" in run.error("workflow", "retry", "taken", "--step", "nothing")


def test_a_user_sees_their_own(run: Command, here: Path) -> None:
    run.text("workflow", "define", written(here, {"a": {"exec": ["true"]}}), "--user-id", "ada")
    run.text("workflow", "run", "flow", "--id", "e", "--user-id", "ada")
    for arguments in (
        ["run", "flow"],
        *([command, "e"] for command in ("status", "resume", "cancel", "retry", "show")),
    ):
        assert "flow'" in (said := run.error("workflow", *arguments, "--user-id", "bob")) or "'e'" in said
    assert [] == run.json("workflow", "list", "--user-id", "bob")["items"]
    assert [] == run.json("workflow", "list", "--executions", "--user-id", "bob")["items"]


def test_a_failed_execution_is_exit_code_one_and_can_be_retried(run: Command, here: Path) -> None:
    steps = {"a": {"exec": ["cat", "given"]}, "b": {"exec": ["echo", "${a.output}!"]}}
    run.text("workflow", "define", written(here, steps))
    failed = run("workflow", "run", "flow", "--id", "e")
    assert (1, True) == (failed.exit_code, "'cat' exited with 1" in failed.stdout)
    assert "! a" in run.text("workflow", "show", "e")
    (here / "given").write_text("mended")
    assert "pending" == run.text("workflow", "retry", "e")
    assert {"mended!"} == {
        step["output"] for step in run.json("workflow", "resume", "e")["steps"] if step["step"] == "b"
    }
    assert "succeeded" == run.text("workflow", "cancel", "e")


def test_prompts_need_a_responder_and_the_execution_is_kept(run: Command, url: str, here: Path) -> None:
    run.text("workflow", "define", written(here, {"ask": {"prompt": "Greet Ada"}}))
    assert "steps.ask.prompt: needs a responder; execution e is kept" in run.error(
        "workflow", "run", "flow", "--id", "e"
    )
    (here / "shouting.py").write_text("def answer(messages):\n    return messages[-1].content.upper()\n")
    done = run.json("workflow", "resume", "e", "--responder", "shouting:answer")
    assert "GREET ADA" == done["steps"][0]["output"]["text"]
    with Ledger(url) as ledger, ledger.read() as uow:
        history = uow.messages.history(done["steps"][0]["session_id"])
    assert ["Greet Ada", "GREET ADA"] == [message.content for message in history]


def test_a_module_of_the_user_that_is_broken_is_no_defect_of_ours(run: Command, here: Path) -> None:
    (here / "flow_broken.py").write_text("raise RuntimeError('secret')\n")
    run.text("workflow", "define", written(here, {"a": {"uses": "flow_broken:f"}}))
    said = run.error("workflow", "run", "flow", "--id", "e")
    assert ("'flow_broken:f' is not a function" in said, "secret" in said) == (True, False)


# Each signal and each database once: a signal ends the process, whatever the database is.
@pytest.mark.parametrize(
    ("backend", "number", "code"),
    [("sqlite", signal.SIGINT, 130), ("postgresql", signal.SIGTERM, 0)],
    ids=["sqlite-Ctrl-C", "postgresql-SIGTERM"],
)
def test_a_run_that_is_told_to_end_can_be_gone_on_with(
    run: Command, url: str, here: Path, number: signal.Signals, code: int
) -> None:
    steps = {"a": {"exec": ["echo", "1"]}, "b": {"exec": ["sh", "-c", "touch begun; sleep 60"], "needs": ["a"]}}
    run.text("workflow", "define", written(here, steps))
    child = subprocess.Popen(
        [sys.executable, "-m", "chatledger", "--db", url, "workflow", "run", "flow", "--id", "e"], cwd=here,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while not (here / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "in the hands of another runner" in run.error("workflow", "resume", "e")
    os.killpg(child.pid, number)  # as a terminal does
    _, said = child.communicate(timeout=30)
    assert (code, b"chatledger: interrupted; `chatledger workflow resume e` goes on\n") == (child.returncode, said)
    now = run.json("workflow", "status", "e")
    assert ("pending", None) == (now["state"], now["lease_until"])
    assert ["succeeded", "pending"] == [step["state"] for step in now["steps"]]
    assert "cancelled" == run.text("workflow", "cancel", "e")


def test_a_terminal_sees_how_far_it_is(run: Command, here: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    steps = {"a": {"exec": ["echo", "[1, 2]"]}, "b": {"exec": ["test", "${item}", "=", "1"], "for_each": "${a.output}"}}
    run.text("workflow", "define", written(here, steps))
    told: list[tuple[str, int, int | None]] = []

    class Kept(StepsShown):
        def __init__(self, tell: Progress, steps: list[WorkflowStep]) -> None:
            def both(what: str, done: int, total: int | None) -> None:
                told.append((what, done, total))
                tell(what, done, total)

            super().__init__(both, steps)

    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("chatledger.cli.workflows.progress._PAUSE", 0.0)
    monkeypatch.setattr(workflow, "StepsShown", Kept)
    with Ledger(url) as ledger:
        begun = ledger.run(lambda uow: uow.workflows.start("flow"))
        with pytest.raises(typer.Exit):
            workflow._execute(ledger, begun.execution_id, None, 1, 60, as_json=True, take_over=False)
    assert [("a", 0, 2), ("", 1, 2), ("", 1, 3), ("b 0", 1, 3), ("", 2, 3), ("b 1", 2, 3)] == told[:6]
    assert ("1 failed", 3, 3) == told[-1]
    assert "100%" in shown.getvalue()
