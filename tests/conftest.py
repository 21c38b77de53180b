"""Fixtures: real databases, and ledgers on them sync and async.

    sqlite_url, postgres_url    an empty database of that kind
    empty_url                   an empty database, once on each backend
    url                         a migrated database, once on each backend
    copied                      `copied(fill)`: the URL of a copy of a database that `fill(url)` has filled once
    ledger                      a `Ledger` on `url`
    any_ledger                        an `AsyncLedger` too, used as if it were sync: one test, sync and async
    clock, timed_ledger           a stopped clock, and a `any_ledger` that lives by it
    raw                         plain SQL on the database of `any_ledger` or `ledger`
    both                        a ledger on each database, to compare answers

The PostgreSQL server starts when the first test asks for it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from chatledger import Ledger
from tests.support import postgres, sqlite, templates
from tests.support.clock import StoppedClock
from tests.support.flavors import open_ledger
from tests.support.raw import Raw
from tests.support.shared import DATA_VARIABLE, shared_data_path

# How long an example takes says more about the machine than about us; hangs have a timeout. The examples of a default
# run are the same each time, so that it fails for what was changed; `make soak` draws others.
hypothesis.settings.register_profile("chatledger", deadline=None, derandomize=True)
hypothesis.settings.register_profile("random", deadline=None, print_blob=True)
hypothesis.settings.load_profile("chatledger")


# A shell starts what runs in the background with SIGINT ignored, and children inherit that: a test
# that interrupts one would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Two workers for each core: half of a test's time is spent waiting for a server, a disk or a killed process."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def _no_database_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands under test must not find the ledger of whoever runs the tests."""
    monkeypatch.delenv("CHATLEDGER_URL", raising=False)
    monkeypatch.delenv("CHATLEDGER_READER", raising=False)
    monkeypatch.delenv("CHATLEDGER_PREPARED_STATEMENTS", raising=False)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    with postgres.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: postgres.Server) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    name = postgres.unique_name("template")
    try:
        Ledger(postgres_server.create(name)).close()
        yield name
    finally:
        postgres_server.drop(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file that nobody has open."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    Ledger(sqlite.url_of(path)).close()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return sqlite.url_of(tmp_path / "chat.db")


@pytest.fixture
def postgres_url(postgres_server: postgres.Server) -> Iterator[str]:
    with postgres_server.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# Asked for by name and not as arguments: a test on SQLite must not start a server.


@pytest.fixture
def empty_url(backend: str, request: pytest.FixtureRequest) -> str:
    name = "sqlite_url" if backend == "sqlite" else "postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str:
    name = "migrated_sqlite_url" if backend == "sqlite" else "migrated_postgres_url"
    return str(request.getfixturevalue(name))


@pytest.fixture
def migrated_sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    return sqlite.copy(sqlite_template, tmp_path / "chat.db")


@pytest.fixture
def migrated_postgres_url(postgres_server: postgres.Server, postgres_template: str) -> Iterator[str]:
    with postgres_server.database(template=postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def filled_files(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> templates.Templates:
    return templates.of_files(sqlite_template, tmp_path_factory.mktemp("templates"))


@pytest.fixture(scope="session")
def filled_databases(postgres_server: postgres.Server, postgres_template: str) -> Iterator[templates.Templates]:
    with templates.of_databases(postgres_server, postgres_template) as databases:
        yield databases


@pytest.fixture
def copied(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[templates.Copy]:
    with ExitStack() as stack:

        def copy(fill: templates.Fill, /) -> str:
            if backend == "sqlite":
                path = Path(request.getfixturevalue("filled_files")(fill))
                return sqlite.copy(path, tmp_path / "chat.db")
            name = request.getfixturevalue("filled_databases")(fill)
            server: postgres.Server = request.getfixturevalue("postgres_server")
            return stack.enter_context(server.database(template=name))

        yield copy


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url) as ledger:
        yield ledger


@pytest.fixture(params=["sync", "async"])
def flavor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def any_ledger(flavor: str, url: str) -> Iterator[Ledger]:
    with open_ledger(flavor, url) as any_ledger:
        yield any_ledger


@pytest.fixture
def raw(url: str) -> Raw:
    return Raw(url)


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def timed_ledger(flavor: str, url: str, clock: StoppedClock) -> Iterator[Ledger]:
    with open_ledger(flavor, url, clock=clock) as any_ledger:
        yield any_ledger


@pytest.fixture
def both(migrated_sqlite_url: str, migrated_postgres_url: str) -> Iterator[tuple[Ledger, Ledger]]:
    with Ledger(migrated_sqlite_url) as sqlite, Ledger(migrated_postgres_url) as postgres:
        yield sqlite, postgres


@pytest.fixture
def shared_data() -> Path:
    """The data sets beside the checkout. Without them the test is skipped."""
    path = shared_data_path()
    if not path.is_dir():
        pytest.skip(f"no data at {path}: set {DATA_VARIABLE} to where it is")
    return path
