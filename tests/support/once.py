"""Tests of what no database and no event loop has a part in: they run on one of each."""

from __future__ import annotations

import pytest

ONE_DATABASE = pytest.mark.parametrize("backend", ["sqlite"])
"""Of the tests with `ledger`: a value that is refused before the database is asked is refused on each."""

ONCE = pytest.mark.parametrize(("backend", "flavor"), [("sqlite", "sync")])
"""Of the tests with `any_ledger`: the same, and each async method is made from its sync twin
(tests/architecture/test_async_twins.py).
"""

ONE_FLAVOR = pytest.mark.parametrize("flavor", ["sync"])
"""Of the tests with `any_ledger` that have many cases: what one statement does is the same behind either."""
