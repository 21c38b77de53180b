"""Imports run one way only. `ALLOWED` is the house; a new room is a new line in it."""

from __future__ import annotations

from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, imports, module_name, source_files

_LEAVES = {"callbacks", "_lazy", "errors", "settings", "enums", "ids", "clock"}
_TABLES = _LEAVES | {"dialects", "models", "schemas"}
_LEDGERS = {
    "revisions", "migrate", "database", "observers", "unit_of_work", "async_unit_of_work", "transactions", "sweeper", "housekeeping",
    "inspection",
    "safekeeping", "ledger", "async_transactions", "async_housekeeping", "async_inspection", "async_safekeeping",
    "async_ledger", "batch_steps", "batch_settling", "batch_course",
    "batch_threads", "batching", "async_batching",
}  # fmt: skip

# Each room, and what its files may import from the other rooms.
ALLOWED: dict[str, set[str]] = {
    "_lazy": set(),
    "callbacks": {"errors"},
    "committed": {"callbacks", "errors"},
    "enums": set(),
    "errors": set(),
    "ids": {"errors"},
    "clock": {"errors"},
    "settings": {"errors", "enums"},
    "dialects": _LEAVES,
    # The JSON rules and stored forms are asked of dialects.
    "schemas": _LEAVES | {"dialects"},
    # What runs revisions lies below the tables: their metadata's `create_all` and `drop_all` run them.
    "revisions": _LEAVES | {"dialects", "schemas"},
    # What is written through the ORM is validated, digested and priced as what services write.
    "models": _LEAVES | {"dialects", "schemas", "revisions"},
    "services": _TABLES,
    "migrate": {"dialects", "models", "revisions"},
    "alembic_plugin": {"errors", "dialects", "migrate"},
    # Settings for the default URL and the variable that replaces it.
    "alembic_environment": {"settings", "dialects", "models", "revisions", "alembic_plugin"},
    "orm_session": _TABLES | {"database"},
    "unit_of_work": _TABLES | {"services", "orm_session"},
    # Schemas only to say what an observer is told.
    "observers": set(),
    "database": _LEAVES | {"dialects", "migrate", "observers"},
    "transactions": _TABLES | {"database", "unit_of_work", "orm_session"},
    # What a run over a batch does next, and who does it.
    "batch_steps": _TABLES | {"services", "unit_of_work"},
    "batch_settling": _TABLES | {"services", "unit_of_work", "batch_steps"},
    "batch_course": _TABLES | {"services", "unit_of_work", "batch_steps", "batch_settling"},
    "batch_threads": _TABLES | {"services", "transactions", "batch_steps", "batch_course"},
    "batching": _TABLES | {"transactions", "batch_threads"},
    "async_batching": _TABLES | {"async_transactions", "batch_steps", "batch_course", "batch_threads", "batching"},
    "sweeper": _LEAVES | {"schemas"},
    "housekeeping": _TABLES | {"committed", "services", "unit_of_work", "transactions", "sweeper", "batching"},
    # Migrations, for what a freshly migrated database looks like.
    "inspection": _TABLES | {"services", "migrate", "housekeeping"},
    "safekeeping": _TABLES | {"services", "migrate", "database", "housekeeping"},
    "ledger": _TABLES | {"services", "migrate", "database", "observers", "housekeeping", "inspection", "safekeeping"},
    "workers": {"errors"},
    "async_unit_of_work": _TABLES | {"services", "unit_of_work", "workers"},
    "async_transactions": _TABLES | {"async_unit_of_work", "housekeeping", "ledger", "unit_of_work", "workers"},
    "async_housekeeping": _TABLES | {"services", "async_transactions", "async_batching", "housekeeping", "sweeper"},
    "async_inspection": _TABLES | {"async_housekeeping", "inspection"},
    "async_safekeeping": _TABLES | {"async_housekeeping", "async_unit_of_work", "ledger", "safekeeping"},
    "async_ledger": _TABLES
    | {"async_housekeeping", "async_inspection", "async_safekeeping", "async_transactions", "ledger", "observers"},
    "exchange": _TABLES | _LEDGERS | {"services"},
    "adoption": _TABLES | _LEDGERS | {"services"},
    "workflows": _TABLES | {"services", "unit_of_work", "transactions", "async_transactions"},
    # Observers that speak to others; each imports what it needs when it is asked for.
    "telemetry": _TABLES | _LEDGERS,
    # Pages to look at; what stands on them comes from others.
    "pages": {"errors"},
    "report": _TABLES | _LEDGERS | {"services", "pages"},
    # The two front doors. They may come in through `chatledger` itself, as users do.
    "interop": _TABLES | _LEDGERS | {"services", "exchange", "chatledger"},
    "cli": _TABLES | _LEDGERS | {"services", "exchange", "adoption", "telemetry", "report", "workflows", "chatledger"},
    # `chatledger/__init__.py` and `__main__.py`.
    "chatledger": _LEAVES | _LEDGERS | {"models", "schemas"},
    "__main__": {"cli"},
}


def test_imports_run_one_way_only() -> None:
    assert [] == [wrong for path in source_files() for wrong in _wrong_imports(path)]


def test_every_room_is_in_the_table() -> None:
    assert set() == {room_of(module_name(path)) for path in source_files()} - ALLOWED.keys()


def test_the_table_has_no_circle() -> None:
    TopologicalSorter(ALLOWED).prepare()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("from chatledger.errors import Busy", ["chatledger.errors.Busy"]),
        ("from chatledger import errors", ["chatledger.errors"]),
        ("from . import base", ["chatledger.dialects.base"]),
        ("from ..errors import Busy", ["chatledger.errors.Busy"]),
        ("def later():\n    import chatledger.cli", ["chatledger.cli"]),
        ("if TYPE_CHECKING:\n    import chatledger.cli", []),
        ("if typing.TYPE_CHECKING:\n    pass\nelse:\n    import json", ["json"]),
    ],
)
def test_an_import_is_seen_wherever_it_runs(line: str, expected: list[str]) -> None:
    assert expected == [name for _, name in imports(line, "chatledger.dialects")]


def room_of(name: str) -> str:
    """`chatledger.models.message.Message` lies in `models`, `chatledger.Ledger` in `chatledger`."""
    _, _, inside = name.partition(".")
    room = inside.partition(".")[0]
    is_module = (PACKAGE / room).is_dir() or (PACKAGE / f"{room}.py").is_file()
    return room if room and is_module else "chatledger"


def _wrong_imports(path: Path) -> list[str]:
    name = module_name(path)
    room = room_of(name)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    allowed = ALLOWED.get(room, set()) | {room}
    return [
        f"{name}:{line} imports {imported}, but {room} may not look into {room_of(imported)}"
        for line, imported in imports(path.read_text("utf-8"), package)
        if imported.split(".")[0] == "chatledger" and room_of(imported) not in allowed
    ]
