"""`chatledger batch`: items from files, run by responders, stopped by signals, and their results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatledger import Ledger
from tests.cli.conftest import Command

ECHO = f"{sys.executable} -c \"import json, sys; print('re:', json.load(sys.stdin)[-1]['content'])\""


@pytest.mark.parametrize(
    ("name", "text", "more", "expected"),
    [
        ("a.txt", "One?\n\n  Two?\r\n", [], [("1", "One?"), ("3", "  Two?")]),
        ("a.jsonl", '"One?"\n{"payload": 5, "key": "k", "priority": 2}\n{"n": 1}\n', [],
         [("1", "One?"), ("k", 5), ("3", {"n": 1})]),
        ("a.jsonl", '{"id": 7, "prompt": "x"}\n', ["--key", "id"], [("7", {"id": 7, "prompt": "x"})]),
        ("a.csv", 'id,prompt\na,"One,\ntwo"\nb,é\n', ["--key", "id"],
         [("a", {"id": "a", "prompt": "One,\ntwo"}), ("b", {"id": "b", "prompt": "é"})]),
        ("a.dat", '"One?"\n', ["--format", "jsonl"], [("1", "One?")]),
    ],
    ids=["lines", "json lines", "a key in json", "csv", "a format"],
)  # fmt: skip
def test_items_are_read_from_files(
    run: Command, url: str, here: Path, name: str, text: str, more: list[str], expected: list[tuple[str, object]]
) -> None:
    (here / name).write_bytes(text.encode())
    assert "job" == run.text("batch", "create", name, "--id", "job", *more)
    assert {"job_id": "job", "added": 0} == run.json("batch", "add", "job", name, *more)
    with Ledger(url) as ledger, ledger.read() as uow:
        assert expected == [(item.key, item.payload) for item in uow.batches.iterate("job")]


def test_a_line_that_is_no_item_is_named(run: Command, here: Path) -> None:
    (here / "a.jsonl").write_text('"One?"\n{broken\n')
    (here / "a.csv").write_text("id,prompt\na\n")
    (here / "a.txt").write_bytes(b"\xff\n")
    assert "line 2: is not JSON" in run.error("batch", "create", "a.jsonl")
    assert "line 1: has no 'id' to be its key" in run.error("batch", "create", "a.jsonl", "--key", "id")
    assert "line 2: has another number of fields" in run.error("batch", "create", "a.csv")
    assert "line 1: is not UTF-8" in run.error("batch", "create", "a.txt")
    assert "no file" in run.error("batch", "create", "nowhere.jsonl")
    assert "no batch 'nobody'" in run.error("batch", "status", "nobody")
    assert "with its items and results: add --yes to do it" in run.error("batch", "delete", "nobody")
    assert "needs a job" in run.misuse("batch", "status", "--watch")


def test_a_job_is_not_created_with_half_of_its_items(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatledger.cli.batches.items._CHUNK", 2)
    for good in ("", '"One?"\n"Two?"\n"Three?"\n'):
        result = run("batch", "create", "--id", "job", "--format", "jsonl", given=good + "{broken\n")
        assert (1, "is not JSON") == (result.exit_code, result.stderr.strip()[-11:])
    corrected = '"One?"\n"Two?"\n"Three?"\n'
    assert "job" == run.text("batch", "create", "--id", "job", "--format", "jsonl", given=corrected)
    assert 3 == run.json("batch", "status", "job")["total"]


def test_answers_are_recorded_and_failures_tried_again(run: Command, url: str, here: Path) -> None:
    (here / "responders.py").write_text(
        "import pathlib\n"
        "def answer(messages):\n"
        "    if messages[-1].content == 'bad' and not pathlib.Path('mended').exists():\n"
        "        raise ValueError('refused')\n"
        "    return {'content': messages[-1].content.upper(), 'input_tokens': 3, 'model_id': 'm'}\n"
    )
    given = '{"prompt": "good", "system": "be brief"}\n{"messages": [{"role": "user", "content": "talk"}]}\n"bad"\n'
    run.text(
        "batch", "create", "--id", "job", "--format", "jsonl", "--max-attempts", "2", "--backoff", "0s", given=given
    )
    ran = run("batch", "run", "job", "--responder", "responders:answer", "--record")
    assert (1, 1) == (ran.exit_code, ran.stderr.count("\n")), ran.output
    assert "done 2 · failed 1" in ran.stdout
    assert {"ValueError": 1} == run.json("batch", "status", "job")["errors"]
    (here / "mended").touch()
    assert {"job_id": "job", "retried": 1} == run.json("batch", "retry", "job")
    done = run.json("batch", "run", "job", "--responder", "responders:answer", "--record")
    assert (3, 0) == (done["done"], done["failed"])
    lines = [json.loads(line) for line in run.text("batch", "results", "job").splitlines()]
    assert ["GOOD", "TALK", "BAD"] == [line["result"]["content"] for line in lines]
    with Ledger(url) as ledger, ledger.read() as uow:
        history = uow.messages.history(lines[0]["session_id"])
        assert ["be brief", "good", "GOOD"] == [message.content for message in history]
        assert (3, "m") == (history[-1].input_tokens, history[-1].model_id)
        assert 3 == len(uow.sessions.list())
    watched = run.text("batch", "status", "job", "--watch", "--json")
    assert json.loads(watched)["finished"]
    assert ["job"] == [job["job_id"] for job in run.json("batch", "status")["items"]]


def test_a_job_is_paused_resumed_cancelled_and_deleted(run: Command) -> None:
    run.text("batch", "create", "--id", "job", "--user-id", "ada", given="One?\nTwo?\n")
    for command, status in (("pause", "paused"), ("resume", "open"), ("cancel", "cancelled")):
        assert status == run.text("batch", command, "job", "--user-id", "ada")
        assert "no batch" in run.error("batch", command, "job", "--user-id", "bob")
    assert 2 == run.json("batch", "run", "job", "--exec", ECHO)["waiting"]
    assert {"job_id": "job", "deleted": 2} == run.json("batch", "delete", "job", "--yes")


# Each signal and each database once: a signal ends the process, whatever the database is.
@pytest.mark.parametrize(
    ("backend", "number", "code"),
    [("sqlite", signal.SIGINT, 130), ("postgresql", signal.SIGTERM, 0)],
    ids=["sqlite-Ctrl-C", "postgresql-SIGTERM"],
)
def test_a_run_that_is_told_to_end_loses_nothing(
    run: Command, url: str, here: Path, number: signal.Signals, code: int
) -> None:
    run.text("batch", "create", "--id", "job", given="".join(f"{n}?\n" for n in range(200)))
    (here / "slow.py").write_text("import time\ndef answer(messages):\n    time.sleep(0.05)\n    return 'ok'\n")
    arguments = ["--db", url, "batch", "run", "job", "--responder", "slow:answer", "--record", "--concurrency", "3"]
    child = subprocess.Popen(
        [sys.executable, "-m", "chatledger", *arguments], cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    deadline = time.monotonic() + 30
    while run.json("batch", "status", "job")["done"] < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(number)
    _, said = child.communicate(timeout=30)
    assert (code, b"") == (child.returncode, said)
    now = run.json("batch", "status", "job")
    assert (0, 0, 0, 200) == (now["running"], now["failed"], now["delayed"], now["waiting"] + now["done"])
    assert 3 <= now["done"] < 200
    with Ledger(url) as ledger, ledger.read() as uow:
        assert now["done"] == len(uow.sessions.list(limit=1000))
