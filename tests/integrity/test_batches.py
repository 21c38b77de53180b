"""Items without their job, and what else a check finds in batches and a repair mends."""

from __future__ import annotations

from chatledger import Ledger
from tests.support.raw import Raw


def test_items_without_a_job_get_one_and_a_count_that_is_behind_is_raised(ledger: Ledger, url: str) -> None:
    raw = Raw(url)
    with ledger.begin() as uow:
        for name in ("gone", "behind", "sound"):
            uow.batches.create(name, [{"key": str(number)} for number in range(3)])
        uow.sessions.create("s")
        uow.batches.complete(uow.batches.claim("sound", worker="w")[0], session_id="s")
    assert ledger.check()
    raw("DELETE FROM chatledger_batch_jobs WHERE job_id = 'gone'")
    raw("UPDATE chatledger_batch_jobs SET last_item = 1 WHERE job_id = 'behind'")
    raw("DELETE FROM chatledger_sessions")
    found = {finding.kind: finding.count for finding in ledger.check().findings}
    assert {"batches": 2, "results": 1} == found
    assert {"batches": 2} == {action.kind: action.count for action in ledger.repair().actions}
    assert ["results"] == [finding.kind for finding in ledger.check().findings]
    with ledger.begin() as uow:
        assert ("paused", 3, None) == ((job := uow.batches.get("gone")).status, job.last_item, job.user_id)
        assert 1 == uow.batches.add("behind", [{"key": "new"}])
        assert 4 == uow.batches.item("behind", "new").item_number
