"""Every operation is written once, synchronously, and is there in both colours."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from typing import Any, get_type_hints

import chatledger.services
from chatledger import AsyncLedger, Ledger
from chatledger.async_unit_of_work import AsyncUnitOfWork
from chatledger.services.work import Service
from chatledger.unit_of_work import UnitOfWork

#: Every service by the name of its class: a unit of work imports most of them when they are first asked for.
SERVICES = {
    cls.__name__: cls
    for module in pkgutil.iter_modules(chatledger.services.__path__, "chatledger.services.")
    for cls in vars(importlib.import_module(module.name)).values()
    if inspect.isclass(cls) and issubclass(cls, Service)
}


def test_both_units_of_work_have_the_same_services() -> None:
    assert services(UnitOfWork)
    assert services(UnitOfWork).keys() == services(AsyncUnitOfWork).keys()


def test_every_service_method_has_its_twin() -> None:
    twins = services(AsyncUnitOfWork)
    assert {name: methods(service) for name, service in services(UnitOfWork).items()} == {
        name: methods(twins[name]) for name in services(UnitOfWork)
    }


def test_the_async_ledger_has_every_method_of_the_ledger() -> None:
    assert set() == methods(Ledger) - methods(AsyncLedger)


def services(work: type) -> dict[str, type]:
    """The public attributes of a unit of work that are services, with their classes.

    An attribute may be an annotation, a property or a cached property; it must say its type.
    """
    annotated: dict[str, Any] = {}
    for owner in reversed(work.__mro__[:-1]):
        annotated |= get_type_hints(owner)
        for name, value in vars(owner).items():
            if isinstance(value, property) and value.fget is not None:
                annotated[name] = get_type_hints(value.fget, localns=SERVICES).get("return")
            elif isinstance(value, functools.cached_property):
                annotated[name] = get_type_hints(value.func, localns=SERVICES).get("return")
    return {
        name: hint
        for name, hint in annotated.items()
        if not name.startswith("_") and inspect.isclass(hint) and hint.__module__.startswith("chatledger.")
    }


def methods(owner: type) -> set[str]:
    """The public names of a class that can be called, inherited ones included."""
    return {name for name in dir(owner) if not name.startswith("_") and callable(getattr(owner, name))}
