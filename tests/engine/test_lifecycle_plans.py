"""The sweep, the purge, the clean-up and the audit log go by the index that was made for them, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from chatledger import Ledger, Status, UnitOfWork
from chatledger.services.retention import expiry, purge
from chatledger.services.timeouts import sweep as sweeps
from tests.engine.test_query_plans import large, plan

__all__ = ["large"]

_NOW = datetime(2026, 5, 17, tzinfo=UTC)
_SOON = datetime(2026, 5, 1, 0, 20, tzinfo=UTC)


_CHANGES = (
    """INSERT INTO chatledger_session_timeouts (session_id, archive_limit, next_check_at)
    SELECT session_id, 3600, last_activity FROM chatledger_sessions""",
    """UPDATE chatledger_sessions SET status = 'archived', archived_at = last_activity
    WHERE status = 'idle' AND session_id LIKE '%7'""",
    """UPDATE chatledger_sessions SET status = 'expired', expired_at = last_activity
    WHERE status = 'idle' AND session_id LIKE '%8'""",
    """INSERT INTO chatledger_audit_log (at, action, actor, session_id, user_id)
    SELECT last_activity, 'session.archived', 'sweeper', session_id, user_id FROM chatledger_sessions""",
)


@pytest.fixture(scope="module")
def swept(large: Ledger) -> Ledger:
    """The same with limits for all, most of them for later, with sessions that are closed, and with a long audit log."""
    with large.begin() as uow:
        for statement in _CHANGES:
            uow._context.execute(text(statement))
    if large.engine.dialect.name == "postgresql":
        with large.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    return large


def _page(uow: UnitOfWork) -> object:
    return sweeps.look(uow._context, _SOON, None, 100)


def _next_page(uow: UnitOfWork) -> object:
    return sweeps.look(uow._context, _NOW, (_SOON, "s100"), 100)


def _old(uow: UnitOfWork, status: Status, last: tuple[datetime, str] | None) -> object:
    wanted = purge.wanted(_SOON, status, _NOW, None)
    return purge._old(uow._context, wanted.statuses[0], wanted, last)


_PLANS: dict[str, tuple[Callable[[UnitOfWork], object], str]] = {
    "a page of the sweep": (_page, "ix_chatledger_session_timeouts_next_check_at"),
    "the next page": (_next_page, "ix_chatledger_session_timeouts_next_check_at"),
    "who is due": (lambda uow: uow.timeouts.due(_SOON, limit=10), "ix_chatledger_session_timeouts_next_check_at"),
    "a rehearsal": (
        lambda uow: uow.timeouts.sweep(dry_run=True, now=_SOON),
        "ix_chatledger_session_timeouts_next_check_at",
    ),
    "purge of archived": (lambda uow: _old(uow, Status.ARCHIVED, None), "ix_chatledger_sessions_archived_at"),
    "its next batch": (lambda uow: _old(uow, Status.ARCHIVED, (_SOON, "s7")), "ix_chatledger_sessions_archived_at"),
    "purge of expired": (lambda uow: _old(uow, Status.EXPIRED, None), "ix_chatledger_sessions_expired_at"),
    "its next batch too": (lambda uow: _old(uow, Status.EXPIRED, (_SOON, "s8")), "ix_chatledger_sessions_expired_at"),
}


@pytest.mark.parametrize("name", _PLANS)
def test_what_is_due_or_old_is_found_by_its_index_in_its_order(swept: Ledger, name: str) -> None:
    context, index = _PLANS[name]
    found = plan(swept, context)
    assert index in found, found
    _neither_scanned_nor_sorted(found)


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "ix_chatledger_audit_log_at"),
        ({"session_id": "s7"}, "chatledger_audit_log_session_id|pk_chatledger_audit_log"),
        ({"user_id": "u7"}, "ix_chatledger_audit_log_user_id"),
        ({"since": _NOW - timedelta(days=15), "until": _NOW - timedelta(days=14)}, "ix_chatledger_audit_log_at"),
        ({"action": "session.archived"}, "ix_chatledger_audit_log_at"),
    ],
    ids=str,
)
def test_the_audit_log_is_read_by_an_index(swept: Ledger, filters: dict[str, Any], index: str) -> None:
    found = plan(swept, lambda uow: uow.audit.list(**filters, limit=20))
    assert re.search(index, found), found
    assert not re.search(r"Seq Scan on chatledger_audit_log|SCAN chatledger_audit_log(?! USING)", found), found


def test_a_clean_up_goes_by_indexes_that_hold_no_closed_sessions(swept: Ledger) -> None:
    class Writing:
        """What `plan` uses of a ledger: the statements lock what they find, which a reader may not."""

        engine = swept.engine
        read = swept.begin

    indexes = ("ix_chatledger_sessions_active_activity", "ix_chatledger_sessions_resting_activity")
    for overdue, index in zip(expiry._OVERDUE, indexes, strict=True):

        def look(uow: UnitOfWork, overdue: Any = overdue) -> object:
            return uow._context.execute(overdue.limit(100), {"before": _SOON, "owner": None}).all()

        found = plan(Writing(), look)  # type: ignore[arg-type]  # what `plan` uses of one
        assert index in found, found
        _neither_scanned_nor_sorted(found)


def _neither_scanned_nor_sorted(found: str) -> None:
    for line in found.splitlines():
        # Defaults are a few rows; of an index that holds what is wanted, all may be read.
        assert not re.search(r"Seq Scan on (sessions|chatledger_session_timeouts|messages)\b", line), found
        assert not re.match(r"\W*SCAN (sessions|chatledger_session_timeouts|messages)\b(?! USING)", line), found
        assert "TEMP B-TREE" not in line, found
        assert not re.match(r"\W*(Incremental )?Sort\b", line), found
