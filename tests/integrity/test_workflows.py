"""What a check finds in executions of workflows."""

from __future__ import annotations

from chatledger import Ledger
from tests.support.raw import Raw


def test_steps_without_an_execution_and_executions_without_steps_are_found(ledger: Ledger, url: str) -> None:
    raw = Raw(url)
    with ledger.begin() as uow:
        uow.workflows.define({"name": "w", "steps": {"a": {"uses": "m:f"}, "b": {"uses": "m:f"}}})
        for name in ("gone", "bare", "sound"):
            uow.workflows.start("w", execution_id=name)
    assert ledger.check()
    raw("DELETE FROM chatledger_workflow_steps WHERE execution_id = 'bare'")
    with raw.engine.connect() as connection:  # as a program does that knows of no foreign keys
        off = {"sqlite": "PRAGMA foreign_keys = OFF", "postgresql": "SET session_replication_role = replica"}
        connection.exec_driver_sql(off[raw.engine.dialect.name])
        connection.exec_driver_sql("DELETE FROM chatledger_workflow_executions WHERE execution_id = 'gone'")
        connection.commit()
    (found,) = ledger.check(full=False).findings
    assert ("executions", 3) == (found.kind, found.count)
    assert ("2 steps of missing execution 'gone'", "execution 'bare' has no steps") == found.examples
    assert not ledger.check()
