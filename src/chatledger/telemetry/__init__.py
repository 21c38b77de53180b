"""Metrics of a ledger for OpenTelemetry and Prometheus. Off unless you ask for them; each is an extra.

    from chatledger.telemetry import prometheus
    stop = prometheus.instrument(ledger)

They report messages appended, transactions (how they ended, how long they waited and took), statements by their verb,
the connections of the pool, and what sweeps did. They never report texts, ids, or the text of statements.
"""

from __future__ import annotations

from chatledger.observers import VERBS, Observer

__all__ = ["BOUNDS", "VERBS", "Observer"]

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of seconds: an append takes parts of a millisecond, a search some, and waiting may take long."""
