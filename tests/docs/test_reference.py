"""The reference of the API names everything that is public, and everything public has a docstring."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

import chatledger
from chatledger import adoption, exchange, models, workflows
from chatledger.ledger.user_ledger import UserLedger
from chatledger.unit_of_work import _SERVICES
from tests.docs.pages import ROOT

REFERENCE = ROOT / "docs" / "reference"
PACKAGES = (chatledger, exchange, adoption, models, workflows)
SERVICES = {cls: getattr(importlib.import_module(module), cls) for module, cls in _SERVICES.values()}
CLASSES: dict[str, type] = {
    "Ledger": chatledger.Ledger,
    "UserLedger": UserLedger,
    "UnitOfWork": chatledger.UnitOfWork,
    "AsyncLedger": chatledger.AsyncLedger,
    "AsyncUnitOfWork": chatledger.AsyncUnitOfWork,
    **SERVICES,
}


@cache
def directives() -> list[str]:
    """The objects that the pages ask for."""
    text = "".join(page.read_text("utf-8") for page in REFERENCE.glob("*.md"))
    return re.findall(r"(?m)^::: (\S+)$", text)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.__name__))
def test_every_public_name_is_in_the_reference(package: Any) -> None:
    shown = {name.rpartition(".")[2] for name in directives()}
    assert set() == set(package.__all__) - shown - {"__version__"}


@pytest.mark.parametrize("name", directives())
def test_what_the_reference_shows_is_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    try:
        shown = importlib.import_module(module)
    except chatledger.MissingExtra as error:  # its base class is one of the framework's
        pytest.skip(f"needs the extra {error.extra}")
    assert hasattr(shown, attribute)


def test_no_object_is_shown_twice() -> None:
    assert len(directives()) == len(set(directives()))


def test_every_page_is_in_the_navigation() -> None:
    navigation = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), yaml.SafeLoader)["nav"]
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    assert pages == set(_leaves(navigation))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.__name__))
def test_every_public_name_has_a_docstring(package: Any) -> None:
    things = {name: getattr(package, name) for name in package.__all__}
    assert [] == [
        name
        for name, thing in things.items()
        if isinstance(thing, type) or inspect.isfunction(thing)
        if not _is_told_by_its_name(thing) and not _own_docstring(thing)
    ]


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_method_has_a_docstring(name: str) -> None:
    methods = {
        method: value
        for cls in CLASSES[name].__mro__[:-1]
        for method, value in vars(cls).items()
        if not method.startswith("_")
        if callable(value) or isinstance(value, property | classmethod | staticmethod)
    }
    assert [] == [method for method, value in methods.items() if not inspect.getdoc(value)]


def _is_told_by_its_name(thing: Any) -> bool:
    """An error whose name and attributes say it all, as `SessionNotFound` does."""
    return isinstance(thing, type) and issubclass(thing, chatledger.ChatledgerError)


def _own_docstring(thing: Any) -> str | None:
    if isinstance(thing, type):
        inherited = {base.__doc__ for base in (*thing.__mro__[1:], BaseModel, Enum)}
        return thing.__doc__ if thing.__doc__ not in inherited else None
    return inspect.getdoc(thing)


def _leaves(navigation: Any) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
    else:
        for part in navigation.values() if isinstance(navigation, dict) else navigation:
            yield from _leaves(part)
