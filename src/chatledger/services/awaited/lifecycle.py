"""Limits, snapshots and the audit log, awaited."""

from __future__ import annotations

from chatledger.services.audit import Audit
from chatledger.services.lifted import Lifted, lifted
from chatledger.services.snapshots.service import Snapshots
from chatledger.services.timeouts.service import Timeouts


class AsyncTimeouts(Lifted):
    """`Timeouts`, awaited."""

    configure = lifted(Timeouts.configure)
    configure_default = lifted(Timeouts.configure_default)
    defaults = lifted(Timeouts.defaults)
    clear = lifted(Timeouts.clear)
    clear_default = lifted(Timeouts.clear_default)
    get = lifted(Timeouts.get)
    due = lifted(Timeouts.due)
    warn = lifted(Timeouts.warn)
    sweep = lifted(Timeouts.sweep)
    report = lifted(Timeouts.report)
    purge = lifted(Timeouts.purge)


class AsyncSnapshots(Lifted):
    """`Snapshots`, awaited."""

    take = lifted(Snapshots.take)
    list = lifted(Snapshots.list)
    get = lifted(Snapshots.get)
    messages = lifted(Snapshots.messages)
    diff = lifted(Snapshots.diff)
    restore = lifted(Snapshots.restore)
    delete = lifted(Snapshots.delete)


class AsyncAudit(Lifted):
    """`Audit`, awaited."""

    list = lifted(Audit.list)
