"""Fixtures: the nursery of processes."""

from __future__ import annotations

from tests.faults.fixtures import nursery, one_nursery

__all__ = ["nursery", "one_nursery"]
