"""The main job, end to end, on an embedded database that can be looked at afterwards."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from chatledger.cli.demo.conversations import CONVERSATIONS, FORK, MARK, TRIP, Conversation
from chatledger.cli.errors import fail
from chatledger.cli.open_ledger import opened
from chatledger.cli.output.new_file import writing
from chatledger.cli.output.screen import Screen, counted
from chatledger.cli.sessions import messages, search, sessions
from chatledger.exchange.formats import ExportFormat
from chatledger.ledger.ledger import Ledger
from chatledger.unit_of_work import UnitOfWork


def demo(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="[FILE]", show_default=False, help="The file of the demo ledger; by default chatledger-demo.db."
        ),
    ] = Path("chatledger-demo.db"),
) -> None:
    """Record a few conversations, read them back, find them, fork one, export all. Try this first.

    If it is run again, it starts over: its own sessions are replaced, and whatever else is in the file stays. A file
    that is not the demo's is refused.
    """
    screen = Screen()
    for target in _targets(path).values():
        if target.exists() and not _mentions_demo(target):
            fail(f"{str(target)!r} exists and is not the demo's: name another ledger file")
    with opened(str(path), new=True) as ledger:
        if not _is_demo(ledger):
            fail(f"{str(path)!r} is not a demo ledger: name another file")
        _record(screen, ledger)
        _read_back(screen, ledger)
        _find(screen, ledger)
        _fork(screen, ledger)
        _export(screen, ledger, path)
    _say_what_next(screen, path)


def _is_demo(ledger: Ledger) -> bool:
    with ledger.read() as uow:
        return _marked(uow, TRIP) or not uow.sessions.list(limit=1).items


def _marked(uow: UnitOfWork, session_id: str) -> bool:
    return uow.sessions.find(session_id, include_expired=True) is not None and bool(
        uow.metadata.get(session_id, MARK, False)
    )


def _record(screen: Screen, ledger: Ledger) -> None:
    _step(screen, "1. Record a few conversations")
    for conversation in CONVERSATIONS:
        with ledger.begin() as uow:
            recorded = _record_one(uow, conversation)
        screen.line(f"{conversation.session_id}: {counted(recorded, 'message')}")
    screen.text("")
    with ledger.read() as uow:
        sessions.show_table(screen, uow.sessions.list().items)


def _record_one(uow: UnitOfWork, given: Conversation) -> int:
    for stale in (given.session_id, *([FORK] if given.session_id == TRIP else [])):
        if _marked(uow, stale):
            uow.sessions.delete(stale)
    uow.sessions.create(
        given.session_id,
        user_id=given.user_id,
        project_id="demo",
        model_id=given.model_id,
        title=given.title,
        system_prompt=given.system_prompt,
        metadata={MARK: True},
    )
    return len(uow.messages.append_many(given.session_id, given.messages))


def _read_back(screen: Screen, ledger: Ledger) -> None:
    _step(screen, "2. Read one back")
    with ledger.read() as uow:
        messages.show(screen, uow.sessions.get(TRIP), uow.messages.iterate(TRIP))


def _find(screen: Screen, ledger: Ledger) -> None:
    marks = search.marks_for(screen)
    with ledger.read() as uow:
        for query in ("lisbon train*", "番茄"):
            _step(screen, f"3. Search: {query}")
            for hit in uow.search.messages(query, highlight=marks):
                search.show_hit(screen, hit, marks)


def _fork(screen: Screen, ledger: Ledger) -> None:
    _step(screen, "4. Fork after message 2 and go another way")
    with ledger.begin() as uow:
        uow.sessions.fork(TRIP, at=2, new_session_id=FORK, title="A weekend in May, by train")
        uow.messages.append(FORK, "user", "Somewhere by direct train, please.")
        uow.messages.append(FORK, "assistant", "Marseille: three hours from Paris, and the sea at the end.")
    with ledger.read() as uow:
        original, fork = uow.sessions.get(TRIP), uow.sessions.get(FORK)
    screen.line(f"{original.session_id} keeps its {original.message_count}, {fork.session_id} has {fork.message_count}")


def _export(screen: Screen, ledger: Ledger, path: Path) -> None:
    from chatledger.exchange import export_sessions  # noqa: PLC0415 - as the export command does

    _step(screen, "5. Export")
    for format_, target in _targets(path).items():
        with writing(target, force=True) as out:
            done = export_sessions(ledger, out, format=format_, project_id="demo")
        screen.line(f"{target}: {counted(done.sessions, 'session')}, {counted(done.messages, 'message')}")


def _targets(path: Path) -> dict[ExportFormat, Path]:
    return {ExportFormat.HTML: path.with_suffix(".html"), ExportFormat.JSONL: path.with_suffix(".jsonl")}


def _mentions_demo(path: Path) -> bool:
    return path.is_file() and TRIP.encode() in path.read_bytes()


def _say_what_next(screen: Screen, path: Path) -> None:
    _step(screen, "Now it is yours")
    screen.line("The ledger lies at ", (str(path.resolve()), "bold"))
    screen.line(f"Open {_targets(path)[ExportFormat.HTML]} in a browser, or try:")
    program = _program()
    for command in (
        "list",
        f"history {TRIP} --last 2",
        "search evening",
        f'add {TRIP} user "And for a week?"',
        f'query "And with children?" --session-id {TRIP} --exec "echo Take the train."',
        "db info",
    ):
        screen.line((f"  {program} --db {path} {command}", "cyan"))


def _step(screen: Screen, title: str) -> None:
    screen.text("")
    screen.line((title, "bold underline"))


def _program() -> str:
    """How the command is called from here: in a checkout it is not on the PATH."""
    if shutil.which("chatledger"):
        return "chatledger"
    beside = Path(sys.executable).with_name("chatledger")
    return os.path.relpath(beside) if beside.exists() else "python -m chatledger"
