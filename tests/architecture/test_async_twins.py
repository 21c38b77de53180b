"""Every operation is written once, synchronously, and is there sync and async."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import chatledger.aio
import chatledger.services
from chatledger import AsyncLedger, Ledger
from chatledger.aio.method import AsyncService
from chatledger.aio.unit_of_work import AsyncUnitOfWork
from chatledger.services.base import Service
from chatledger.services.messages.service import Messages
from chatledger.services.sessions.service import Sessions
from chatledger.unit_of_work import UnitOfWork

# Every service, sync and async, by the name of its class: the annotations of a unit of work are text.
CLASSES = {
    cls.__name__: cls
    for package in (chatledger.services, chatledger.aio)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    for cls in vars(importlib.import_module(module.name)).values()
    if inspect.isclass(cls) and issubclass(cls, Service | AsyncService)
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
    """The services of a unit of work, by the name of the attribute."""
    return {name: CLASSES[cls] for name, cls in work.__annotations__.items() if not name.startswith("_")}


def methods(owner: type) -> set[str]:
    """The public names of a class that can be called, inherited ones included."""
    return {name for name in dir(owner) if not name.startswith("_") and callable(getattr(owner, name))}


def test_the_short_ways_of_a_ledger_take_what_the_services_take() -> None:
    for direct, method in (
        (Ledger.create, Sessions.create), (Ledger.append, Messages.append), (Ledger.append_many, Messages.append_many),
        (Ledger.history, Messages.history),
    ):  # fmt: skip
        assert inspect.signature(direct) == inspect.signature(method)
