"""The action of a step: a function, a command, or a prompt for a responder."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from chatledger.clock import utc_now
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.execution.child_process import ChildFailed, run_program
from chatledger.execution.workflows.context import StepCancelled, StepContext
from chatledger.schemas import Message, NewMessage
from chatledger.schemas.message import new_message
from chatledger.schemas.workflow import StepDefinition

Responder = Callable[[list[Message]], Any]
"""Returns the answer to a conversation."""
Await = Callable[[Coroutine[Any, Any, Any], StepContext], Any]
"""Returns the result of a coroutine, for as long as the step is wanted."""


class StepFailed(Exception):
    """A command or responder returned nothing usable. The message says why."""


def run_coroutine(coroutine: Coroutine[Any, Any, Any], _context: StepContext) -> Any:
    """Return the result of a coroutine that is run in an event loop of its own."""
    return asyncio.run(coroutine)


class Actions:
    """The actions of the steps of an execution."""

    def __init__(
        self, functions: Mapping[str, Callable[..., Any]], responder: Responder | None, wait: Await = run_coroutine
    ) -> None:
        self._functions = dict(functions)
        self._responder = responder
        self._wait = wait

    def require(self, name: str, step: StepDefinition) -> None:
        """Refuse a step that cannot be executed, before anything is started.

        Raises:
            InvalidInput: its function is unknown, or there is no responder.
        """
        if step.uses is not None:
            self._function(step.uses, f"steps.{name}.uses")
        if step.prompt is not None and self._responder is None:
            raise InvalidInput(f"steps.{name}.prompt", "needs a responder")

    def perform(self, step: StepDefinition, argument: Any, context: StepContext) -> Any:
        """Make one attempt. `argument` is the command or the prompt. Return the output."""
        if step.uses is not None:
            return self._result(self._function(step.uses, "uses")(context), context)
        if step.exec is not None:
            return _execute(argument, context)
        return self._ask(argument, context)

    def _function(self, name: str, field: str) -> Callable[..., Any]:
        if name in self._functions:
            return self._functions[name]
        module, _, path = name.partition(":")
        if not module or not path:
            raise InvalidInput(field, f"no function {name!r} is registered, and it is not module:function")
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.insert(0, here)
        try:
            found: Any = importlib.import_module(module)
            for part in path.split("."):
                found = getattr(found, part)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the user's module: it may raise anything
            found, why = None, type(error).__name__
        else:
            why = type(found).__name__
        if not callable(found):
            raise InvalidInput(field, f"{name!r} is not a function that can be imported ({why})")
        self._functions[name] = found
        return self._functions[name]

    def _result(self, result: Any, context: StepContext) -> Any:
        return self._wait(result, context) if inspect.iscoroutine(result) else result

    def _ask(self, prompt: str, context: StepContext) -> Any:
        assert self._responder is not None
        conversation = [Message(session_id=context.session_id, sequence_number=1, role=Role.USER, content=prompt,
                                metadata={}, created_at=utc_now())]  # fmt: skip
        answer = _message_of(self._result(self._responder(conversation), context))
        context.append(Role.USER, prompt)
        fields = answer.model_dump(exclude_unset=True, exclude={"role", "content"})
        context.append(answer.role, answer.content, **fields)
        return {"text": answer.content, "session_id": context.session_id}


def _message_of(result: Any) -> NewMessage:
    if isinstance(result, NewMessage):
        return result
    if isinstance(result, str) and result:
        return new_message({"role": Role.ASSISTANT, "content": result})
    if isinstance(result, Mapping):
        return new_message({"role": Role.ASSISTANT, **result})
    raise StepFailed("the responder gave no text, dict or NewMessage")


def _execute(program: list[str], context: StepContext) -> Any:
    """Run a command without a shell. What it prints, 50 MB at most, is its output: as JSON if it is JSON, else text."""
    fields = {"input": context.input, "item": context.item, "index": context.index, "key": context.key}
    printed = bytearray()
    try:
        run_program(program, json.dumps(fields).encode(), on_output=printed.extend, check=partial(_check, context))
    except ChildFailed as failure:
        raise StepFailed(str(failure)) from None
    try:
        text = printed.decode("utf-8")
    except UnicodeDecodeError:
        raise StepFailed(f"{program[0]!r} printed something that is not UTF-8") from None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text.removesuffix("\n")


def _check(context: StepContext) -> None:
    if context.cancelled:
        raise StepCancelled


def _no_constant(word: str) -> Any:
    """NaN and infinities are not JSON, although Python reads them."""
    raise ValueError(word)
