"""The page of the command line shows every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from chatledger.cli.application import app
from tests.docs.pages import ROOT, blocks


def _commands(group: Any, before: str = "chatledger") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before} {name}")
        elif not command.hidden:
            yield f"{before} {name}"


@pytest.mark.parametrize("command", list(_commands(typer.main.get_command(app))))
def test_every_command_has_an_example(command: str) -> None:
    shown = [block.text for block in blocks(ROOT / "docs" / "cli.md") if block.language == "console"]
    assert any(f"{command} " in f"{line} " for text in shown for line in text.splitlines())
