"""Responders that are Python functions."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from chatledger.cli.responders.answers import ResponderFailed, Show
from chatledger.enums import Role
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.fields import MAX_TEXT
from chatledger.schemas.message import new_message

# Characters of a responder's own error that are repeated.
_REASON = 300


def call(module: str, name: str, conversation: list[Message], show: Show) -> NewMessage:
    """Import the function, the current directory first, and make a message of what it returns."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        # What it prints is not the answer.
        with redirect_stdout(sys.stderr):
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
            return _message_of(_settled(found(conversation), show))
    except ChatledgerError as error:
        reason = f"its answer cannot be stored: {error}" if isinstance(error, InvalidInput) else str(error)
        kind = type(error).__name__
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's code: whatever it raises, the question is kept
        reason = type(error).__name__ + (f": {error}"[:_REASON] if str(error) else "")
        kind = type(error).__name__
    raise ResponderFailed(reason, kind=kind)


class _Joined:
    """The pieces of an answer, shown as they come."""

    def __init__(self, show: Show) -> None:
        self._show = show
        self._pieces: list[str] = []
        self._size = 0

    def add(self, piece: Any) -> None:
        if not isinstance(piece, str):
            raise TypeError(f"a responder yields pieces of text, not {type(piece).__name__}")
        self._size += len(piece)
        if self._size > MAX_TEXT:
            raise ValueError(f"the answer has more than {MAX_TEXT:,} characters")
        self._pieces.append(piece)
        self._show(piece)

    def __str__(self) -> str:
        return "".join(self._pieces)


def _settled(result: Any, show: Show) -> Any:
    """What a function returned, waited for and put together from its pieces."""
    if inspect.isawaitable(result) or isinstance(result, AsyncIterator):
        return asyncio.run(_awaited(result, show))
    if isinstance(result, Iterator):
        joined = _Joined(show)
        for piece in result:
            joined.add(piece)
        return str(joined)
    return result


async def _awaited(result: Any, show: Show) -> Any:
    if inspect.isawaitable(result):
        result = await result
    if isinstance(result, AsyncIterator):
        joined = _Joined(show)
        async for piece in result:
            joined.add(piece)
        return str(joined)
    return _settled(result, show) if isinstance(result, Iterator) else result


def _message_of(result: Any) -> NewMessage:
    if isinstance(result, NewMessage):
        return result
    if isinstance(result, str):
        if not result:
            raise ValueError("the answer is empty")
        return new_message({"role": Role.ASSISTANT, "content": result})
    if isinstance(result, Mapping):
        return new_message({"role": Role.ASSISTANT, **result})
    raise TypeError(f"a responder returns text, a dict or a NewMessage, not {type(result).__name__}")
