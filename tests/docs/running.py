"""Runs the blocks of one page, and compares what they print with what the page shows."""

from __future__ import annotations

import contextlib
import difflib
import doctest
import importlib.util
import io
import os
import re
import shlex
import sys
import types
from pathlib import Path

from sqlalchemy.engine import make_url

from chatledger import AsyncLedger, Ledger
from tests.docs import commands
from tests.docs.pages import LANGUAGES, Block

PAGE_URL = "sqlite:///chat.db"
"""The ledger of the pages, and the folder that they show."""
PAGE_FOLDER = "/home/ada/chat"

# What is another one at each run.
_CHANGING = (
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z|\+00:00)?"), "<time>"),
    (re.compile(r"(--cursor )[\w-]+"), r"\1<cursor>"),
)
#: Each is an extra, and may be missing. Those of agents are no dependencies of the tests, because they are large.
FRAMEWORKS = {
    "agent_framework",
    "agents",
    "chatkit",
    "claude_agent_sdk",
    "fastapi",
    "google.adk",
    "langchain_core",
    "langgraph",
    "llama_index",
    "pydantic_ai",
    "strands",
}
_IMPORTED = re.compile(r"(?m)^ *(?:from|import) ([\w.]+)")
_checker = doctest.OutputChecker()


class Reader:
    """Somebody who follows a page from top to bottom in an empty folder.

    With a URL, the ledger of the page is that one instead.
    """

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self._folder = folder
        self._url = url
        self._printed = ""
        shims = folder.parent / "bin"
        commands.make_shims(shims)
        self._environment = {
            **os.environ,
            "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
            "PYTHONUNBUFFERED": "1",
            "PYTHONIOENCODING": "utf-8",
        }
        self._module = types.ModuleType("page")

    def follow(self, blocks: list[Block]) -> None:
        """Run the blocks. One that imports a missing framework is left out, with what it prints."""
        sys.modules["page"] = self._module  # Pydantic looks the names of a model up there
        left_out = False
        try:
            for block in blocks:
                left_out = left_out if block.language == "output" else needs_a_missing_framework(block)
                if left_out:
                    continue
                assert block.language in LANGUAGES, f"{block}: {block.language!r} says nothing; use {sorted(LANGUAGES)}"
                getattr(self, f"_{block.language}")(block)
        finally:
            self._leave()

    def _python(self, block: Block) -> None:
        # Blank lines in front, so that a traceback names the line of the page.
        code = compile("\n" * (block.line - 1) + self._here(block.text), str(block.page), "exec")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, self._module.__dict__)
        self._printed = printed.getvalue()

    def _output(self, block: Block) -> None:
        self._compare(block, "the block above", block.text, self._printed)

    def _console(self, block: Block) -> None:
        for command, expected in _commands(block):
            words = shlex.split(command) if command.startswith("export ") else []
            if words:
                name, _, value = words[1].partition("=")
                self._environment[name] = self._here(value)
                continue
            code, printed = commands.run(self._here(command), self._folder, self._environment)
            told = "\nchatledger: " in f"\n{printed}" or "Try 'chatledger" in printed or "FAILED" in expected
            assert code == 0 or told, f"{block}: {command} ended with {code}\n{printed}"
            self._compare(block, command, expected, printed)

    def _sql(self, block: Block) -> None:
        import psycopg  # noqa: PLC0415 - pages without SQL are followed without it, too

        assert self._url is not None, f"{block}: SQL is for pages with a PostgreSQL database"
        url = make_url(self._url).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(block.text.encode())

    def _text(self, block: Block) -> None:
        """Not run."""

    def _here(self, text: str) -> str:
        return text.replace(PAGE_URL, self._url) if self._url else text

    def _compare(self, block: Block, what: str, expected: str, printed: str) -> None:
        want, got = _steady(expected), _steady(printed.replace(str(self._folder), PAGE_FOLDER))
        if self._url:
            got = got.replace(self._url, PAGE_URL)
        if not _checker.check_output(want, got, doctest.ELLIPSIS):
            difference = difflib.unified_diff(want.splitlines(), got.splitlines(), "the page", "what ran", lineterm="")
            raise AssertionError("\n".join([f"{block}: {what} prints something else", *difference]))

    def _leave(self) -> None:
        """Close what the page left open, as the end of a program does."""
        sys.modules.pop("page", None)
        for value in list(self._module.__dict__.values()):
            if isinstance(value, Ledger):
                value.close()
            elif isinstance(value, AsyncLedger):
                value._threads.close()


def needs_a_missing_framework(block: Block) -> bool:
    """Whether a Python block imports one of the frameworks of `chatledger.interop` that is not installed."""
    if block.language != "python":
        return False
    imported = [f"{name}." for name in _IMPORTED.findall(block.text)]
    needed = {name for name in FRAMEWORKS if any(one.startswith(f"{name}.") for one in imported)}
    return not all(map(_is_installed, needed))


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # nor what it is part of
        return False


def _commands(block: Block) -> list[tuple[str, str]]:
    """Each command with the output that stands below it. A line that ends with a backslash goes on."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(([line.removeprefix("$ ")], []))
            continue
        assert found, f"{block}: a console block begins with a command behind `$ `"
        words, output = found[-1]
        if words[-1].endswith("\\") and not output:
            words[-1] = words[-1].removesuffix("\\")
            words.append(line.strip())
        else:
            output.append(line)
    return [("".join(words), "\n".join(output)) for words, output in found]


def _steady(text: str) -> str:
    for changing, placeholder in _CHANGING:
        text = changing.sub(placeholder, text)
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "\n".join(lines) + "\n" if lines else ""
