"""Ledgers survive a fork: the child gets new connections and leaves its parent's alone.

SQLite keeps what it has locked in a table of the process. A child that inherits an open connection inherits that table,
believes to hold locks that are its parent's, and may write into a log that the parent has deleted. So no connection to
a file is open while the process forks: the writers' turns are taken, idle connections are closed, and parent and child
open new ones. (A reader that is in the middle of its block in another thread keeps its connection: fork where no thread
reads, as any program with threads must.) Connections to a server are left to the parent, and forgotten in the child.
"""

from __future__ import annotations

import os
import weakref

from sqlalchemy import Engine, Pool

from chatledger.dialects.writer_queue import pause_writers, resume_writers

_files: weakref.WeakSet[Engine] = weakref.WeakSet()
_servers: weakref.WeakSet[Engine] = weakref.WeakSet()
# Pools inherited from the parent. Kept for ever: closing their connections would speak on the parent's sockets.
_inherited: list[Pool] = []


def survive_fork(engine: Engine, *, file: bool) -> Engine:
    """Look after an engine of ours, on a file or on a server, when the process forks."""
    (_files if file else _servers).add(engine)
    return engine


def _before() -> None:
    pause_writers()
    for engine in list(_files):
        engine.dispose()


def _in_child() -> None:
    resume_writers(child=True)
    for engine in [*_files, *_servers]:
        _inherited.append(engine.pool)
        engine.dispose(close=False)


if hasattr(os, "register_at_fork"):  # where processes fork at all
    os.register_at_fork(before=_before, after_in_parent=resume_writers, after_in_child=_in_child)
