"""Fixtures: a nursery of processes, and plain SQL."""

from __future__ import annotations

from tests.faults.fixtures import nursery, one_nursery, raw

__all__ = ["nursery", "one_nursery", "raw"]
