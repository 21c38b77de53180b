"""Messages to append that were in a session before: copies, and those whose cost is settled.

Apart from the others, because a program that appends needs neither, and Pydantic takes a while to make them.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from chatledger.schemas.fields import Count, Identifier, Moment
from chatledger.schemas.message import NewMessage


class CopiedMessage(NewMessage):
    """A message that may be a copy of another one, by the session and the number of the original."""

    copied_from: Identifier | None = None
    copied_sequence: Annotated[Count, Field(ge=1)] | None = Field(default=None, validate_default=True)

    @field_validator("copied_sequence")
    @classmethod
    def _belongs_to_a_session(cls, value: int | None, info: ValidationInfo) -> int | None:
        if "copied_from" in info.data and (value is None) != (info.data["copied_from"] is None):
            raise ValueError("belongs to a session: give both or neither")
        return value


class SettledMessage(CopiedMessage):
    """A message whose cost was settled before, in another ledger or program: none is counted where it has none.

    `priced_from` says which price the cost was counted with; without it the cost was given.
    """

    is_settled: ClassVar[bool] = True

    priced_from: Moment | None = None
    priced_as: Identifier | None = None
    """The model whose price it was, if that is not the message's own model."""

    @field_validator("priced_from", "priced_as")
    @classmethod
    def _belongs_to_a_cost(cls, value: Any, info: ValidationInfo) -> Any:
        # A cost that was refused is not in the data, and has its own error.
        if value is not None and "cost" in info.data and info.data["cost"] is None:
            raise ValueError("belongs to a cost, and there is none")
        return value
