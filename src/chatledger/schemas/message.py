"""Messages as users hand them in and hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, cast, overload

from pydantic import (
    BeforeValidator,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from chatledger.enums import Outcome, OutcomeLike, Role, RoleLike
from chatledger.errors import InvalidInput
from chatledger.schemas.content_parts import parts_of, with_parts
from chatledger.schemas.fields import (
    Amount,
    Count,
    Flag,
    Identifier,
    Input,
    Moment,
    Money,
    Name,
    Record,
    ServiceTier,
    Text,
    validated,
)
from chatledger.schemas.message_parts import (
    Reasoning,
    ToolCall,
    ToolResult,
    read_reasoning,
    read_tool_calls,
    read_tool_result,
)
from chatledger.validation import invalid_input

Shape = TypeVar("Shape")


def _false_if_none(value: Any) -> Any:
    """What an ORM object says of an attribute that was not set."""
    return False if value is None else value


class NewMessage(Input):
    """A message to append.

    `content` is text, or the list of parts that OpenAI's and Anthropic's APIs use: then its text is the content, and
    the parts are kept in `payload["content"]`. Whatever else belongs to the message goes into `payload`: JSON values,
    Pydantic models, or a dict of them. Times are aware; tokens and milliseconds are whole numbers; `cost` is in
    dollars, exact to the nano-dollar.
    """

    role: Role
    content: Text = ""
    payload: Any = None
    metadata: dict[Name, Any] | None = None
    name: Identifier | None = None
    tool_call_id: Identifier | None = None
    model_id: Identifier | None = None
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cached_tokens: Count | None = None
    """The part of the input that was read from a cache."""
    reasoning_tokens: Count | None = None
    """The part of the output that was spent on reasoning."""
    cache_write_tokens: Count | None = None
    """The part of the input that was written to a cache."""
    cache_write_1h_tokens: Count | None = None
    """The part of `cache_write_tokens` that is cached for an hour, at a price of its own."""
    unpriced_units: Count | None = None
    """Billed units that no price covers, such as audio tokens or web searches. If there are any, there is no cost."""
    service_tier: ServiceTier = None
    """`batch`, `flex`, `priority` or another tier with its own prices. "default" and "standard" are None."""
    tokens_used: Count | None = None
    """The total, when only a total is known."""
    duration_ms: Count | None = None
    cost: Money | None = None
    """In dollars. When it is left out, it is calculated from the price of the model, if there is one."""
    outcome: Outcome | None = None
    """Whether the writing of the message failed or was interrupted."""
    hidden: Annotated[Flag, BeforeValidator(_false_if_none)] = False
    """Whether people do not see the message, such as a profile that a program gives the model. Titles, previews and
    search leave it out. The history contains it, because the model has seen it.
    """
    key: Identifier | None = None
    """Makes the append idempotent: the same key with the same content returns the first message."""
    created_at: Moment | None = None

    is_settled: ClassVar[bool] = False
    """Whether the cost was settled before, so that none is counted."""

    @model_validator(mode="before")
    @classmethod
    def _keep_parts(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and isinstance(given.get("content"), list | tuple):
            return with_parts(given)
        return given

    @classmethod
    def from_openai(cls, item: Mapping[str, Any]) -> NewMessage:
        """The message for a chat-completions message; `Message.to_openai` gives it back.

        Raises:
            InvalidInput: not a dict, an unknown role, or a value that cannot be stored.
        """
        return cast("NewMessage", _notation("exchange.readers.openai").from_openai(item))

    @classmethod
    def from_anthropic(cls, item: Mapping[str, Any]) -> list[NewMessage]:
        """The messages for a message of Anthropic's API: one for each tool result, and one for the rest.

        Raises:
            InvalidInput: not a dict, an unknown role, or a value that cannot be stored.
        """
        return [validated(NewMessage, fields) for fields in _notation("codecs.anthropic").read(item)]

    if TYPE_CHECKING:
        # Pydantic takes the values of an enum; a type checker would see its members only.
        def __init__(
            self,
            *,
            role: RoleLike,
            content: str | Sequence[Any] = "",
            payload: Any = None,
            metadata: Mapping[str, Any] | None = None,
            name: str | None = None,
            tool_call_id: str | None = None,
            model_id: str | None = None,
            input_tokens: int | None = None,
            output_tokens: int | None = None,
            cached_tokens: int | None = None,
            reasoning_tokens: int | None = None,
            cache_write_tokens: int | None = None,
            cache_write_1h_tokens: int | None = None,
            unpriced_units: int | None = None,
            service_tier: str | None = None,
            tokens_used: int | None = None,
            duration_ms: int | None = None,
            cost: Decimal | float | str | None = None,
            outcome: OutcomeLike | None = None,
            hidden: bool = False,
            key: str | None = None,
            created_at: datetime | None = None,
        ) -> None: ...


class Message(Record):
    """One turn of a session, as stored."""

    session_id: str
    sequence_number: int
    role: Role
    content: str
    payload: Any = None
    metadata: dict[str, Any]
    name: str | None = None
    tool_call_id: str | None = None
    model_id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None
    """The part of the input that was written to a cache."""
    cache_write_1h_tokens: int | None = None
    """The part of `cache_write_tokens` that is cached for an hour."""
    unpriced_units: int | None = None
    """Billed units that no price covers. If there are any, the cost is not calculated."""
    service_tier: str | None = None
    """What the request was billed as; None is the standard tier."""
    tokens_used: int | None = None
    duration_ms: int | None = None
    cost: Amount | None = None
    priced_from: datetime | None = None
    """The price that the cost was counted with, by the moment it took effect; None where the caller gave the cost."""
    priced_as: str | None = None
    """The model whose price was used, if that is not the message's or its session's own model."""
    outcome: Outcome | None = None
    hidden: bool = False
    """Whether people do not see the message. Titles, previews and search leave it out; the history contains it."""
    key: str | None = None
    created_at: datetime
    copied_from: str | None = None
    """The session of the original that this message is a copy of. None: it is an original.

    Forks, sessions restored from a snapshot as new ones, and imported branches hold copies. They name the original, and
    never another copy. Statistics and search count a message once and leave copies out, unless `include_copies` is set.
    When the original is deleted, one of its copies becomes the original.
    """
    copied_sequence: int | None = None
    """The number of the original within its session."""

    @property
    def total_tokens(self) -> int:
        """What the session's total counts: `tokens_used` where given, else input and output."""
        if self.tokens_used is not None:
            return self.tokens_used
        return (self.input_tokens or 0) + (self.output_tokens or 0)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in the payload (`payload["tool_calls"]`), their arguments parsed."""
        return read_tool_calls(self.payload)

    @property
    def tool_result(self) -> ToolResult | None:
        """What a tool returned; None if the role is not `tool`."""
        return read_tool_result(self.role, self.content, self.tool_call_id, self.name, self.payload)

    @property
    def reasoning(self) -> tuple[Reasoning, ...]:
        """The model's thoughts in the payload (`payload["reasoning"]`), in order. The content does not repeat them."""
        return read_reasoning(self.payload)

    @property
    def parts(self) -> list[Any]:
        """The content as a list of parts: those that were appended, unchanged, or else one part with the text."""
        return parts_of(self.content, self.payload)

    def to_openai(self) -> dict[str, Any]:
        """The message as OpenAI's chat API takes it, with tool calls and parts. `NewMessage.from_openai` reads it."""
        return cast("dict[str, Any]", _notation("exchange.readers.openai").to_openai(self))

    def to_anthropic(self) -> dict[str, Any]:
        """The message as Anthropic's API takes it, with blocks for tool calls and results, and signed reasoning.

        A result of a tool is a message of the user there. A message of the role `system` or `developer` has the role
        `system`: the API takes its text as `system`. `chatledger.to_anthropic` converts a whole conversation.
        """
        return cast("dict[str, Any]", _notation("codecs.anthropic").write(self))

    @overload
    def payload_as(self, shape: type[Shape], part: str | None = None) -> Shape: ...

    @overload
    def payload_as(self, shape: Any, part: str | None = None) -> Any: ...

    def payload_as(self, shape: Any, part: str | None = None) -> Any:
        """The payload, or one part of a payload that is a dict, as a Pydantic model or any type that Pydantic knows.

            message.payload_as(QueryPlan)
            message.payload_as(QueryPlan, "query_plan")
            message.payload_as(list[Row], "result_set")

        Raises:
            InvalidInput: the payload (or the part) is missing or has another shape.
        """
        value, place = self.payload, "payload"
        if part is not None:
            place = f"payload.{part}"
            if not isinstance(value, dict) or part not in value:
                raise InvalidInput(place, "is not there")
            value = value[part]
        try:
            return TypeAdapter(shape).validate_python(value)
        except ValidationError as error:
            wrong = invalid_input(error)
        raise InvalidInput(f"{place}.{wrong.field}", wrong.reason)


def _notation(module: str) -> Any:
    # Notations are written over messages, not below them. They are looked up when one is asked for.
    return import_module(f"chatledger.{module}")


def new_message(given: NewMessage | Any) -> NewMessage:
    """A message to append, from itself or from a dict.

    Raises:
        InvalidInput: naming the field.
    """
    return given if isinstance(given, NewMessage) else validated(NewMessage, given)


def origin_of(message: NewMessage) -> dict[str, Any]:
    """What a message to append is a copy of, as columns."""
    return {name: getattr(message, name, None) for name in ("copied_from", "copied_sequence")}


def price_of(message: NewMessage) -> dict[str, Any]:
    """The price that the cost of a settled message was counted with, as columns."""
    return {name: getattr(message, name, None) for name in ("priced_from", "priced_as")}
