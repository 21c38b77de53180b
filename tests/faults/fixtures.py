"""Fixtures that several folders share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.nursery import Nursery
from tests.support.raw import Raw


@pytest.fixture(scope="package")
def one_nursery() -> Iterator[Nursery]:
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def nursery(one_nursery: Nursery, record_property: Callable[[str, object], None]) -> Iterator[Nursery]:
    """The folder's nursery; how many children were killed goes into the report of the test."""
    before = one_nursery.kills
    yield one_nursery
    if kills := one_nursery.kills - before:
        record_property("kills", kills)


@pytest.fixture
def raw(url: str) -> Raw:
    return Raw(url)
