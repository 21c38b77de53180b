"""Functions that callers pass in and that are called synchronously.

Calling a coroutine function runs nothing of it: it returns a coroutine, which is not awaited here. Without these checks
`run` would commit an empty transaction, and a warning would count as sent.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, ParamSpec, TypeVar, cast

from chatledger.errors import InvalidInput

P = ParamSpec("P")
R = TypeVar("R")

_DEFERRED = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_GENERATORS = (GeneratorType, AsyncGeneratorType)


def is_async(function: Any) -> bool:
    """Whether what a function returns is to be awaited."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004 - it is asked what it is, not whether


def is_generator(function: Any) -> bool:
    """Whether calling a function only makes a generator."""
    kinds = (inspect.isgeneratorfunction, inspect.isasyncgenfunction)
    return any(kind(one) for kind in kinds for one in (function, getattr(function, "__call__", None)))  # noqa: B004 - as above


def require_synchronous(function: Any, field: str) -> None:
    """Refuse what is not a plain function.

    Raises:
        InvalidInput: not callable, or a coroutine or generator function, of which calling runs nothing.
    """
    code = getattr(function, "__code__", None)
    if code is not None and callable(function):  # a function or a method: the quick way
        if not code.co_flags & _DEFERRED:
            return
    elif not callable(function):
        raise InvalidInput(field, f"must be a function, not {type(function).__name__}")
    if is_async(function) or getattr(code, "co_flags", 0) & inspect.CO_ITERABLE_COROUTINE:
        raise InvalidInput(field, "is a coroutine function, which would not be awaited: pass a synchronous one")
    if is_generator(function):
        raise InvalidInput(field, "is a generator function, which does not run when it is called: pass a plain one")


def plain(outcome: R, field: str) -> R:
    """What a synchronous function returned.

    Raises:
        InvalidInput: a coroutine, another awaitable or a generator, of which nothing has run yet.
    """
    kind = type(outcome)
    if kind in _GENERATORS:
        raise InvalidInput(field, "returned a generator, which has not run yet: return a list instead")
    if hasattr(kind, "__await__"):
        if isinstance(outcome, CoroutineType):
            outcome.close()  # or Python warns that it was never awaited
        raise InvalidInput(field, "returned an awaitable, which is not awaited here: pass a synchronous function")
    return outcome


def callback(function: Callable[P, R] | None, field: str) -> Callable[P, R] | None:
    """A function to be called now and then, which refuses to return what nobody awaits; None where there is none.

    Raises:
        InvalidInput: as `require_synchronous`.
    """
    if function is None:
        return None
    require_synchronous(function, field)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return plain(function(*args, **kwargs), field)

    return call


def required_callback(function: Callable[P, R], field: str) -> Callable[P, R]:
    """`callback` of a function that must be there."""
    require_synchronous(function, field)
    return cast("Callable[P, R]", callback(function, field))
