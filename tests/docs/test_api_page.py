"""The page names everything that is public, with the arguments that it has."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import chatledger
from chatledger import adoption, exchange, migrate
from tests.docs.api_page import MIGRATE, PAGE, SERVICES, public_methods, signature


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


@pytest.mark.parametrize("name", [*chatledger.__all__, *exchange.__all__, *adoption.__all__])
def test_every_public_name_is_there(page: str, name: str) -> None:
    assert f"`{name}`" in page or f"# {name}\n" in page


def test_every_method_is_there_as_it_is(page: str) -> None:
    """When this fails: `python -m tests.docs.api_page`, and read what it made of your docstring."""
    assert [] == [
        name for name, value in _methods() if f"# {name}\n" not in page or _signature(name, value) not in page
    ]


def _methods() -> Iterator[tuple[str, Any]]:
    for name, cls in {"Ledger": chatledger.Ledger, **{f"uow.{name}": cls for name, cls in SERVICES.items()}}.items():
        yield from ((f"{name}.{method}", value) for method, value in public_methods(cls))
    yield from ((f"migrate.{name}", getattr(migrate, name)) for name in MIGRATE)
    functions = ((name, getattr(module, name)) for module in (exchange, adoption) for name in module.__all__)
    yield from ((name, value) for name, value in functions if inspect.isfunction(value))


def _signature(name: str, value: Any) -> str:
    callable_ = callable(value) or isinstance(value, classmethod)
    return signature(name.rpartition(".")[2], value) if callable_ else ""
