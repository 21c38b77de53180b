"""`python -m tests.docs.installed` (`make dist`): the sdist and the wheel are built, installed, and followed.

Both are written to `dist/`, the wheel from the sdist. In `.venv-dist/plain` is the wheel alone: the README and most pages
are followed there, adapters and the router say which extra they need. In `.venv-dist/extras` are the extras, too, but the
frameworks: all tests of the documentation run there. The sdist holds what the repository does. `make interop` has the
frameworks; with `python -m tests.interop.frameworks --wheel` it installs the wheel of `dist/`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
from pathlib import Path

from tests.docs.pages import ROOT, name_of, pages
from tests.interop.frameworks import extras as adapters

DIST = ROOT / "dist"
_FOLDER = ROOT / ".venv-dist"
_NEED_EXTRAS = {
    "docs/applications.md",
    "docs/cli.md",
    "docs/comparisons.md",
    "docs/import-export.md",
    "docs/orm.md",
    "docs/postgresql.md",
    "docs/queries.md",
    "docs/report.md",
    "docs/scaling.md",
    "docs/telemetry.md",
}
"""Pages that use a driver, a plot or a table that is in an extra; the others are followed without any."""

# Run by the Python of the plain environment, with the names of modules. Adapters without a base class of their framework
# are imported without it, and ask for it when they are used.
_MISSING = """
import importlib
import sys
from chatledger import Ledger, MissingExtra
USES = {
    "chatledger.interop.openai_agents": lambda adapter: adapter.ChatledgerSession("s", "sqlite:///chat.db"),
    "chatledger.interop.claude_agent_sdk": lambda adapter: adapter.ChatledgerSessionStore("sqlite:///chat.db"),
    "chatledger.interop.pydantic_ai": lambda adapter: adapter.load(Ledger("sqlite:///chat.db"), "s"),
}
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        USES[name](module)
    except MissingExtra as error:
        print(error)
    else:
        raise SystemExit(f"{name} works without its extra")
"""


def main() -> None:
    """Build and try both; ends with the first step that fails."""
    shutil.rmtree(DIST, ignore_errors=True)
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _step("build", sys.executable, "-m", "build", "--outdir", str(DIST), str(ROOT))
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    _require_whole(sdist)

    plain = _environment("plain", str(wheel))
    version = re.sub(r"^chatledger-|-py3-none-any\.whl$", "", wheel.name)
    command = str(Path(plain).with_name("chatledger"))
    assert version == _printed(command, "-V").split()[-1]
    _step("a tour", command, "demo", folder=_FOLDER)
    followed = [name_of(page) for page in pages() if name_of(page) not in _NEED_EXTRAS]
    _step("pages without extras", plain, "-m", "tests.docs.follow", *followed)
    modules = [f"chatledger.interop.{extra.replace('-', '_')}" for extra in adapters()]
    _step("missing extras", plain, "-c", _MISSING, *modules, "chatledger.web", folder=_FOLDER)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    chosen = sorted(set(project["optional-dependencies"]) - set(adapters()))
    full = _environment("extras", f"{wheel}[{','.join(chosen)}]")
    tests = ["tests/docs", "tests/architecture/test_packaging.py"]
    _step("pages with extras", full, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *tests)
    sys.stdout.write(f"\n{sdist.name} and {wheel.name} are in {DIST.name}/ and work when they are installed\n")


def _require_whole(sdist: Path) -> None:
    """The sdist holds the files of the repository, no more and no less."""
    with tarfile.open(sdist) as archive:
        held = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()} - {"PKG-INFO"}
    if different := held ^ set(_printed("git", "ls-files").splitlines()):
        raise SystemExit(f"in the sdist or the repository only: {', '.join(sorted(different))}")


def _environment(name: str, requirement: str) -> str:
    """The Python of a new environment with a requirement in it."""
    folder = _FOLDER / name
    venv.create(folder, with_pip=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    _step(f"install {Path(requirement).name}", python, "-m", "pip", "install", "--quiet", requirement)
    return python


def _step(title: str, *command: str, folder: Path = ROOT) -> None:
    sys.stdout.write(f"\n{title}\n")
    sys.stdout.flush()
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # Or the checkout's own source would be found first.
    environment.pop("PYTHONPATH", None)
    if subprocess.run(command, cwd=folder, env=environment, check=False).returncode:
        raise SystemExit(f"FAILED: {title}")


def _printed(*command: str) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
