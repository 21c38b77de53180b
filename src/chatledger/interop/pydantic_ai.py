"""Message histories of PydanticAI: `pip install 'chatledger[pydantic-ai]'`."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any, overload

from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.errors import InvalidInput, MissingExtra, SessionNotFound
from chatledger.interop.ledgers import in_session, limited
from chatledger.interop.pydantic_ai_messages import stored_messages, to_messages
from chatledger.ledger.user_ledger import UserLedger
from chatledger.schemas import Message
from chatledger.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage


@overload
def load(ledger: UserLedger, session_id: str, *, user_id: str | None = None) -> list[ModelMessage]: ...


@overload
def load(ledger: AsyncUserLedger, session_id: str, *, user_id: str | None = None) -> Awaitable[list[ModelMessage]]: ...


def load(ledger: UserLedger | AsyncUserLedger, session_id: str, *, user_id: str | None = None) -> Any:
    """Return the messages of a session, for `message_history`. A session that does not exist has none.

        agent.run_sync("And tomorrow?", message_history=load(ledger, "chat-1"))

    With an `AsyncLedger` the result is awaited. With `user_id`, only the sessions of that user exist. Messages that
    `save` has stored come back as PydanticAI's own JSON form has them; those of other programs are prompts, responses and
    tool results.

    Raises:
        MissingExtra: PydanticAI is not installed.
        InvalidInput: the ledger is limited to another user.
    """
    adapter = _framework().ModelMessagesTypeAdapter

    def read(uow: UnitOfWork) -> list[Any]:
        try:
            return list(adapter.validate_python(stored_messages(uow, session_id)))
        except SessionNotFound:
            return []

    return limited(ledger, user_id).view(read)


@overload
def save(
    ledger: UserLedger, session_id: str, messages: Sequence[ModelMessage], *, user_id: str | None = None
) -> list[Message]: ...


@overload
def save(
    ledger: AsyncUserLedger, session_id: str, messages: Sequence[ModelMessage], *, user_id: str | None = None
) -> Awaitable[list[Message]]: ...


def save(
    ledger: UserLedger | AsyncUserLedger, session_id: str, messages: Sequence[Any], *, user_id: str | None = None
) -> Any:
    """Append the messages of a run to a session, all or none, and return them as they are stored.

        save(ledger, "chat-1", result.new_messages())

    Creates the session if it does not exist. With an `AsyncLedger` the result is awaited. Saving the same messages twice
    appends them twice.

    Each prompt, tool result and response is a message with a role and a text, and with tool calls and reasoning in the
    form that `Message.tool_calls` and `Message.reasoning` read. Model and tokens are in their columns.

    Raises:
        MissingExtra: PydanticAI is not installed.
        SessionClosed: the session is archived, expired or failed.
        SessionExists: the session belongs to another user.
        InvalidInput: an item is not a message of PydanticAI, or the ledger is limited to another user.
    """
    framework = _framework()
    for number, message in enumerate(messages):
        if not isinstance(message, framework.ModelRequest | framework.ModelResponse):
            raise InvalidInput(f"messages.{number}", f"is not a message of PydanticAI, but {type(message).__name__}")
    dumped = framework.ModelMessagesTypeAdapter.dump_python(list(messages), mode="json")
    fields = to_messages(dumped)

    def write(uow: UnitOfWork) -> list[Message]:
        return in_session(uow, session_id, lambda id_: uow.messages.append_many(id_, fields)) if fields else []

    return limited(ledger, user_id).run(write)


def _framework() -> Any:
    try:
        from pydantic_ai import messages  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingExtra("pydantic-ai", "a message history of PydanticAI") from None
    return messages
