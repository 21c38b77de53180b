"""Projects, models and prices as users hand them in and hold them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from chatledger.schemas.fields import Amount, Count, Identifier, Input, Moment, Name, Record, Text

#: Dollars per million tokens. A message of 10^12 tokens each way then stays within 64 bits while its cost is counted.
MAX_PRICE = Decimal(4000)


def _price(value: Any) -> Decimal:
    """Dollars per million tokens, exact to the nano-dollar. A float is not exact, and refused."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ValueError("is not an exact price: give a Decimal or its text")  # noqa: TRY004 - Pydantic collects ValueErrors
    try:
        price = Decimal(value)
    except InvalidOperation:
        raise ValueError("is not a price") from None
    if not price.is_finite() or not 0 <= price <= MAX_PRICE:
        raise ValueError(f"must lie between 0 and {MAX_PRICE} dollars per million tokens")
    rounded = price.quantize(Decimal(1).scaleb(-9))
    if rounded != price:
        raise ValueError("has more than nine decimals")
    return rounded


Dollars = Annotated[Decimal, BeforeValidator(_price)]


class Project(Record):
    """A name under which sessions are gathered."""

    project_id: str
    name: str | None
    description: str | None
    metadata: dict[str, Any]
    created_at: datetime
    archived_at: datetime | None


class Model(Record):
    """A language model by the name that callers use for it."""

    model_id: str
    provider: str | None
    name: str | None
    #: Tokens that fit into one request.
    context_window: int | None
    notes: str | None
    metadata: dict[str, Any]
    created_at: datetime
    archived_at: datetime | None


class Price(Record):
    """What a model costs from a moment on, in dollars per million tokens. None: not known."""

    model_id: str
    effective_from: datetime
    input: Amount | None
    output: Amount | None
    #: None: as input.
    cached_input: Amount | None
    #: None: as output.
    reasoning: Amount | None
    #: Of other kinds of tokens. They are kept, and no cost is counted from them.
    others: dict[str, Amount]
    created_at: datetime


class ProjectFields(Input):
    """What is known of a project."""

    name: Text | None = None
    description: Text | None = None
    metadata: dict[Name, Any] | None = None


class ModelFields(Input):
    """What is known of a model."""

    provider: Identifier | None = None
    name: Text | None = None
    context_window: Count | None = None
    notes: Text | None = None
    metadata: dict[Name, Any] | None = None


def _effective(given: Any) -> Any:
    """A bare date is its midnight in UTC."""
    if isinstance(given, str) and len(given) == len("2026-05-01"):
        return f"{given}T00:00:00Z"
    if isinstance(given, date) and not isinstance(given, datetime):
        return f"{given.isoformat()}T00:00:00Z"
    return given


class NewPrice(Input):
    """A price to set."""

    input: Dollars | None = None
    output: Dollars | None = None
    cached_input: Dollars | None = None
    reasoning: Dollars | None = None
    others: dict[Annotated[str, Field(min_length=1)], Dollars] | None = None
    effective_from: Annotated[Moment | None, BeforeValidator(_effective)] = None


class RepriceReport(Record):
    """What a repricing did, or would do."""

    dry_run: bool
    #: Messages that were looked at.
    examined: int
    #: Messages that had no cost and have one now.
    filled: int
    #: Messages whose cost was counted with another price.
    corrected: int
    #: Messages whose price is gone, and with it their cost.
    withdrawn: int
    #: By how much the costs rose in all, in dollars.
    difference: Amount

    @property
    def changed(self) -> int:
        return self.filled + self.corrected + self.withdrawn


class PriceProblem(Record):
    """A row of a price list that was not taken."""

    #: The line of a CSV file, or the place in a JSON list, from 1; the model where the list is an object.
    place: str
    reason: str


class PriceListReport(Record):
    """What became of a price list."""

    dry_run: bool
    rows: int
    #: Models that were not in the registry.
    models: int
    #: Prices that were new or other than before.
    prices: int
    #: Prices that stood there already.
    unchanged: int
    problems: tuple[PriceProblem, ...]

    def __bool__(self) -> bool:
        """Whether every row was taken."""
        return not self.problems
