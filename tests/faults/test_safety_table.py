"""The page on reliability names tests that exist, and its table says what a run did."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.faults import safety_table
from tests.faults.safety_table import PAGE, PROMISES, main, page_with, results, table

_ROOT = PAGE.parents[1]
_RUN = """<testsuites><testsuite name="pytest">
<testcase classname="tests.faults.test_killed_writer" name="test_every_acknowledged_append_survives[sqlite-8]" time="2.5">
<properties><property name="kills" value="8"/><property name="acknowledged" value="1200"/></properties></testcase>
<testcase classname="tests.faults.test_killed_writer" name="test_every_acknowledged_append_survives[postgresql-8]" time="2">
<properties><property name="kills" value="8"/></properties><failure message="lost"/></testcase>
<testcase classname="tests.engine.test_threads" name="test_sixteen_threads[a]" time="1">
<properties><property name="longest wait" value="0.25"/></properties></testcase>
<testcase classname="tests.engine.test_threads" name="test_sixteen_threads[b]" time="1">
<properties><property name="longest wait" value="0.125"/></properties></testcase>
<testcase classname="tests.engine.test_threads" name="test_turns_are_shared_evenly" time="1"/>
<testcase classname="tests.engine.test_fork" name="test_x" time="1"><skipped/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run.xml"
    path.write_text(_RUN)
    return path


@pytest.mark.parametrize("test", sorted({test for promise in PROMISES for test in promise.tests}))
def test_what_proves_a_promise_exists(test: str) -> None:
    module, _, function = test.partition("::")
    tree = ast.parse((_ROOT / "tests" / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert function in functions or (not function and any(name.startswith("test_") for name in functions))


def test_counts_are_added_and_of_waits_the_longest_is_kept(run: Path) -> None:
    found = results([run])
    killed, crowds = found[PROMISES[0].promise], found[PROMISES[2].promise]
    assert (1, 1, {"kills": 16.0, "acknowledged": 1200.0}) == (killed.passed, killed.failed, killed.figures)
    assert (2, 0, {"longest wait": 0.25}) == (crowds.passed, crowds.failed, crowds.figures)
    row = table(found).splitlines()[2]
    assert row.endswith("| `faults.test_killed_writer` | 2 | 1 | 1,200 acknowledged, 16 kills |")


def test_a_failure_or_a_promise_that_was_not_tried_is_no_success(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main([str(run)])
    assert "not run: A process forks" in capsys.readouterr().out


def test_results_are_written_in_place_of_the_older_ones(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(page_with(PAGE.read_text("utf-8"), "older ones"))
    monkeypatch.setattr(safety_table, "PAGE", page)
    main([str(run), "--write"])
    assert "older ones" not in page.read_text("utf-8")
    assert "1,200 acknowledged, 16 kills" in page.read_text("utf-8")
    assert page.read_text("utf-8").endswith(PAGE.read_text("utf-8").partition("<!-- end of results -->")[2])


def test_the_page_has_a_row_for_each_promise() -> None:
    page = PAGE.read_text("utf-8")
    assert [] == [promise.promise for promise in PROMISES if f"| {promise.promise} |" not in page]
