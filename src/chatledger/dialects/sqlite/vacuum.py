"""What keeps a SQLite file quick and small, and clears it of what was deleted. Each waits up to a deadline."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from chatledger.dialects.sqlite import rebuild
from chatledger.dialects.sqlite.connection import LONG_PAUSE, wait_for


def merge_full_text(driver: Any, deadline: float) -> None:
    """Make one part of the index's many: quicker to search, and free of the words of deleted messages."""
    _in_one_transaction(driver, rebuild.merge(), deadline)


def rebuild_full_text(driver: Any, deadline: float) -> None:
    """Index everything again. Readers see the old index meanwhile, writers wait."""
    _in_one_transaction(driver, rebuild.rebuild(), deadline)


def _in_one_transaction(driver: Any, statements: Iterable[str], deadline: float) -> None:
    wait_for(driver, "BEGIN IMMEDIATE", deadline)
    try:
        for statement in statements:
            driver.execute(statement)
        driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:  # a full disk has ended it already, and ROLLBACK would raise another error
            driver.execute("ROLLBACK")
        raise


def vacuum(driver: Any, deadline: float) -> None:
    """Rewrite the file without its free pages."""
    wait_for(driver, "VACUUM", deadline)


def analyze(driver: Any, deadline: float) -> None:
    """Give the planner its figures. A thousand rows of each index are enough for it, however many there are."""
    driver.execute("PRAGMA analysis_limit=1000")
    wait_for(driver, "ANALYZE", deadline)


def cut_log(driver: Any, deadline: float) -> bool:
    """Bring the log into the file and cut it off; whether that could be done."""
    while True:
        # A reader of an older state keeps the log from being cut off; that is told by a row, not by an error.
        blocked = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not blocked or time.monotonic() >= deadline:
            return not blocked
        time.sleep(random.random() * LONG_PAUSE)


def remove_deleted_content(driver: Any, deadline: float) -> bool:
    """Leave nothing of what was deleted: in the full-text index, in free pages, in the log. Whether the log is empty."""
    with unhindered(driver):
        merge_full_text(driver, deadline)
        vacuum(driver, deadline)
        return cut_log(driver, deadline)


@contextmanager
def unhindered(driver: Any) -> Iterator[None]:
    """A block in which a connection of the pool may write outside of a transaction of ours."""
    before = {name: driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("query_only", "temp_store")}
    # VACUUM makes a copy of everything: not in memory.
    driver.execute("PRAGMA query_only=OFF")
    driver.execute("PRAGMA temp_store=FILE")
    try:
        yield
    finally:
        for name, value in before.items():
            driver.execute(f"PRAGMA {name}={value}")
