"""The table of docs/reliability.md: which test proves which promise, and what it counted in its last full run.

`python -m tests.faults.safety_table soak.xml` prints the table of a run; with `--write` it goes into the page.
"""

from __future__ import annotations

import argparse
import platform
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psycopg

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_BEGIN = "<!-- results: written by `python -m tests.faults.safety_table --write` -->"
_END = "<!-- end of results -->"


@dataclass(frozen=True)
class Promise:
    """What is promised, and the tests that prove it: `module` or `module::function`, without `tests.`."""

    promise: str
    tests: tuple[str, ...]


PROMISES = (
    Promise(
        "A writer is killed with `kill -9` at a random moment: what was acknowledged is there once, in order, and the "
        "counters are right.",
        ("faults.test_killed_writer::test_every_acknowledged_append_survives",),
    ),
    Promise(
        "One of several writers is killed: the others go on.",
        ("faults.test_killed_writer::test_the_writers_beside_a_killed_one_go_on",),
    ),
    Promise(
        "8 processes and 16 threads append to one session and to many: no message is lost, doubled or reordered, and "
        "no call fails because the database is locked.",
        ("engine.test_processes::test_processes_append", "engine.test_threads::test_sixteen_threads"),
    ),
    Promise(
        "8 processes open one empty database at once: all succeed, and there is one schema.",
        ("migrations.test_concurrent_opening",),
    ),
    Promise(
        "An upgrade, a downgrade or a first opening is killed: the next run finishes it, and the rows are whole.",
        ("migrations.test_killed_upgrade",),
    ),
    Promise(
        "A purge, an erasure, a sweep, a repricing, a repair, a restoration or an adoption is killed: it is done, not "
        "done, or finished by the next run.",
        (
            "faults.test_killed_housekeeping",
            "faults.test_killed_reprice",
            "integrity.test_killed_repair",
            "backup.test_killed_restore",
            "adoption.test_killed",
        ),
    ),
    Promise(
        "Workers of batches and workflows are killed: each item and each step is recorded exactly once.",
        ("faults.test_killed_batch_workers", "faults.test_killed_workflow"),
    ),
    Promise(
        "The disk is full, the file, folder or mount is read-only, a parent folder is missing, the file is somebody "
        "else's: a typed error at once, and it works again when there is room.",
        ("faults.test_unreachable_files", "faults.test_scrub_rights", "backup.test_full_disk"),
    ),
    Promise(
        "The file is cut off, emptied, foreign, older, newer, or has a flipped bit: nothing is opened silently or "
        "replaced, and no error is untyped.",
        ("faults.test_damaged_files",),
    ),
    Promise(
        "Another program holds a lock: shorter than the timeout, it is waited for; longer, it is `Busy` within twice "
        "the timeout.",
        ("engine.test_foreign_locks",),
    ),
    Promise("A process forks after opening: parent and child both write correctly.", ("engine.test_fork",)),
    Promise(
        "The clock jumps back or ahead: the order stays, and nobody is archived wrongly.",
        (
            "engine.test_sweeper::test_a_clock_that_jumps_costs_one_round",
            "engine.test_sweeper::test_a_jump_ahead_that_is_taken_back_archives_nobody",
        ),
    ),
    Promise(
        "Sweepers of several processes archive each idle session once, and only when it was left.",
        ("faults.test_sweeping_crowd", "faults.test_sweepers_outlast"),
    ),
    Promise(
        "PostgreSQL is restarted, or ends its connections, under load: what was acknowledged is there, the same key is "
        "stored exactly once, and the same ledger writes again within 10 seconds.",
        ("faults.test_ended_backends", "faults.test_restarted_server", "faults.test_server_refusals"),
    ),
    Promise(
        "The primary of a synchronous pair of PostgreSQL servers is killed under 8 writers, and the standby is promoted: "
        "with keys, every acknowledged message is there exactly once, and the same ledger writes again.",
        ("faults.test_failover",),
    ),
    Promise(
        "The pool is exhausted: a typed error within the pool's timeout, and no connection leaks.",
        ("engine.test_pool", "ledger.test_transactions::test_an_exhausted_pool_is_busy"),
    ),
    Promise(
        "Some 470 odd values through every door: each comes back unchanged or is refused by name, alike on both databases.",
        (
            "services.messages.test_values_of_text",
            "services.messages.test_values_of_json",
            "adoption.test_any_value",
        ),
    ),
    Promise(
        "Content and passwords are in no error, log or repr.",
        ("ledger.test_secrets", "engine.test_secrets"),
    ),
    Promise(
        "A byte of a stored message is changed: `chatledger db check` notices.",
        ("integrity.test_changed_bytes",),
    ),
    Promise(
        "A user is erased: no word of theirs is left in the tables, the full text, the file or its log.",
        ("services.retention.test_erasure",),
    ),
    Promise(
        "A poller reads what came after the last number it saw, while others write: it sees every message, always a "
        "prefix.",
        (
            "engine.test_readers::test_a_poller_sees_every_message_always_a_prefix",
            "engine.test_processes::test_a_poller_in_another_process_sees_a_prefix_of_what_is_written",
        ),
    ),
    Promise(
        "Any sequence of operations leaves what a model of the ledger says.",
        ("ledger.test_random_operations",),
    ),
    Promise(
        "Another user's ids: not found, not shown, not touched, by any method.",
        ("ledger.test_owners",),
    ),
)


@dataclass
class Result:
    """What the tests of one promise did in a run."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)

    def add(self, figure: str, value: float) -> None:
        """Sum counts; of times, keep the longest."""
        known = self.figures.get(figure, 0.0)
        self.figures[figure] = max(known, value) if figure.startswith("longest") else known + value


def proves(test: str, module: str, function: str) -> bool:
    """Whether a test of a promise names this function of a module (a dotted name without `tests.`)."""
    named, _, only = test.partition("::")
    return named == module and only in ("", function)


def results(runs: Iterable[Path]) -> dict[str, Result]:
    """The results of each promise in JUnit files that pytest wrote."""
    found = {promise.promise: Result() for promise in PROMISES}
    for run in runs:
        for case in ET.parse(run).iter("testcase"):
            module = re.sub(r"^tests\.", "", case.get("classname", ""))
            function = case.get("name", "").partition("[")[0]
            for promise in PROMISES:
                if any(proves(test, module, function) for test in promise.tests):
                    _count(found[promise.promise], case)
    return found


def _count(result: Result, case: ET.Element) -> None:
    if case.find("skipped") is not None:
        result.skipped += 1
    elif case.find("failure") is not None or case.find("error") is not None:
        result.failed += 1
    else:
        result.passed += 1
    result.seconds += float(case.get("time", "0"))
    for recorded in case.iter("property"):
        result.add(recorded.get("name", ""), float(recorded.get("value", "0")))


def table(found: Mapping[str, Result]) -> str:
    """The results as a table of Markdown."""
    lines = [
        "| What happens, and what holds | Proved by | Tests | Failed | Counted |",
        "| --- | --- | --- | --- | --- |",
    ]
    for promise in PROMISES:
        result = found[promise.promise]
        figures = ", ".join(_figure(name, value) for name, value in sorted(result.figures.items()))
        modules = dict.fromkeys(test.partition("::")[0] for test in promise.tests)
        proof = ", ".join(f"`{module}`" for module in modules)
        ran = result.passed + result.failed
        lines.append(f"| {promise.promise} | {proof} | {ran} | {result.failed} | {figures} |")
    return "\n".join(lines)


def _figure(name: str, value: float) -> str:
    return f"{name} {value:.2f} s" if name.startswith("longest") else f"{value:,.0f} {name}"


def files() -> list[str]:
    """The files of all tests that prove a promise."""
    tests = [test.partition("::")[0] for promise in PROMISES for test in promise.tests]
    return [f"tests/{module.replace('.', '/')}.py" for module in dict.fromkeys(tests)]


def page_with(page: str, written: str) -> str:
    """The page, with its results replaced."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        message = f"the page has no place for results: {_BEGIN} … {_END}"
        raise ValueError(message)
    return f"{before}{_BEGIN}\n\n{written}\n\n{_END}{after}"


def described(found: Mapping[str, Result], on: date) -> str:
    """The table with the day, the command and the machine."""
    seconds = sum(result.seconds for result in found.values())
    return (
        f"`make soak` on {on.isoformat()}: {platform.system()} {platform.machine()}, Python "
        f"{platform.python_version()}, psycopg {psycopg.__version__}; {seconds / 60:.0f} minutes for these rows.\n\n"
        f"{table(found)}"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The safety table of a run of pytest, from its JUnit files.")
    parser.add_argument("runs", nargs="*", type=Path, help="files that pytest wrote with --junitxml")
    parser.add_argument("--files", action="store_true", help="print the files of the tests that prove something")
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    given = parser.parse_args(arguments)
    if given.files:
        print(*files())  # noqa: T201 - a command's output
        return 0
    found = results(given.runs)
    written = described(found, date.today())  # noqa: DTZ011 - the day of whoever runs it
    print(written)  # noqa: T201 - a command's output
    if given.write:
        PAGE.write_text(page_with(PAGE.read_text("utf-8"), written), "utf-8")
    failed = sum(result.failed for result in found.values())
    missing = [promise for promise, result in found.items() if not result.passed]
    for promise in missing:
        print(f"not run: {promise}")  # noqa: T201 - a command's output
    return 1 if failed or missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
