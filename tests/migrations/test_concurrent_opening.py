"""Eight processes open one database at once, when nobody has opened it before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from chatledger.migrate import HEAD
from tests.faults.nursery import Nursery
from tests.faults.truth import require_sound
from tests.migrations.contents import fill, fingerprint, revision
from tests.support.raw import Raw


def test_all_succeed_and_there_is_one_schema(nursery: Nursery, url: str, new_url: Callable[[], str]) -> None:
    _open_at_once(nursery, new_url(), fingerprint(url))


@pytest.mark.soak
def test_all_succeed_many_times(nursery: Nursery, url: str, new_url: Callable[[], str]) -> None:
    schema = fingerprint(url)
    for _ in range(50):
        _open_at_once(nursery, new_url(), schema)


def _open_at_once(nursery: Nursery, url: str, schema: dict[str, str]) -> None:
    results = nursery.crowd("open_it", [(url,)] * 8)
    assert [HEAD] * 8 == [result["revision"] for result in results]
    assert max(result["seconds"] for result in results) < 30
    assert schema == fingerprint(url)
    raw = Raw(url)
    assert 1 == raw.count("chatledger_version")
    assert (8, 8) == (raw.count("chatledger_sessions"), raw.count("chatledger_messages"))
    require_sound(url)
    if url.startswith("sqlite"):
        file = Path(str(make_url(url).database))
        assert [] == [path.name for path in file.parent.iterdir() if path.name.endswith(".new")]


def test_eight_upgrades_of_one_filled_database_at_once(nursery: Nursery, url: str) -> None:
    fill(url)
    assert HEAD == revision(url)
    nursery.start("downgrade", url, "0001").result()
    assert [HEAD] * 8 == nursery.crowd("upgrade", [(url,)] * 8)
    require_sound(url)
    assert 29 == Raw(url).count("chatledger_messages")
