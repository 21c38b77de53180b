"""Fixtures: a nursery of processes, plain SQL, and a ledger with something of everything."""

from __future__ import annotations

import pytest

from tests.faults.fixtures import nursery, raw
from tests.integrity.damage import fill

__all__ = ["filled", "nursery", "raw"]


@pytest.fixture
def filled(url: str) -> str:
    """The URL of a ledger with something of everything."""
    fill(url)
    return url
