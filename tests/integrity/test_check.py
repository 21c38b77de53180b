"""A check finds each defect, and nothing else."""

from __future__ import annotations

from contextlib import closing

import pytest

from chatledger import Ledger, Severity
from tests.integrity.damage import CASES, DAMAGES, dump

_NOTES = {"no_digest", "forks", "names", "unused"}


def found(url: str, *, full: bool = True) -> tuple[dict[str, int], list[str]]:
    with closing(Ledger(url)) as ledger:
        report = ledger.check(full)
    assert report.ok is all(finding.severity is Severity.NOTE for finding in report.findings)
    assert report.full is full
    examples = [example for finding in report.findings for example in finding.examples]
    return {finding.kind: finding.count for finding in report.findings}, examples


@pytest.mark.parametrize("full", [True, False])
def test_a_sound_ledger_is_found_sound_and_not_changed(filled: str, full: bool) -> None:
    before = dump(filled)
    assert ({}, []) == found(filled, full=full)
    assert before == dump(filled)


@pytest.mark.usefixtures("expected_once")
@pytest.mark.parametrize(("backend", "name"), CASES)
def test_a_defect_is_found_and_nothing_else(filled: str, backend: str, name: str) -> None:
    damage = DAMAGES[name]
    damage.do(filled)
    before = dump(filled)
    kinds, examples = found(filled)
    assert damage.found == kinds
    assert [] != [example for example in examples if damage.example in example]
    if damage.quick is not None:
        assert damage.quick == found(filled, full=False)[0]
    assert before == dump(filled)
