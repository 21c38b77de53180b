"""Ledgers survive a fork: the child gets new connections and leaves its parent's alone."""

from __future__ import annotations

import os
import weakref

from sqlalchemy import Engine, Pool

_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
#: Pools inherited from the parent. Kept for ever: closing their connections would speak on the parent's sockets, and
#: SQLite in the child would think itself the last user of the file.
_inherited: list[Pool] = []


def survive_fork(engine: Engine) -> Engine:
    _engines.add(engine)
    return engine


def _after_fork() -> None:
    for engine in list(_engines):
        _inherited.append(engine.pool)
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_after_fork)
