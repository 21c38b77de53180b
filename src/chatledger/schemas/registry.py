"""Projects, models and prices as users hand them in and hold them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from chatledger.schemas.costs import KINDS
from chatledger.schemas.fields import (
    Amount,
    Count,
    Identifier,
    Input,
    Moment,
    Name,
    Record,
    ServiceTier,
    Text,
)

MAX_PRICE = Decimal(4000)
"""Dollars per million tokens. A message of 10^12 tokens each way then stays within 64 bits while its cost is counted.
"""
_MAX_FACTOR = Decimal(100)


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
    context_window: int | None
    """Tokens that fit into one request."""
    notes: str | None
    metadata: dict[str, Any]
    alias_of: str | None
    """The model whose prices apply, set by `add_alias`."""
    priced_as: str | None
    """The model whose prices apply, if this one has none: by an alias, or by its name without a prefix or a date."""
    created_at: datetime
    archived_at: datetime | None


class PriceTier(Record):
    """A price in place of the standard one: for long inputs, or for another service tier. None: unknown."""

    service_tier: str | None = None
    """`batch`, `flex`, `priority` or another name; None is the standard tier."""
    above_tokens: int = 0
    """The tier applies to messages with more input tokens than this, up to the next tier."""
    input: Amount | None = None
    output: Amount | None = None
    cached_input: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    reasoning: Amount | None = None


class Price(Record):
    """What a model costs from a moment on, in dollars per million tokens. None: not known."""

    model_id: str
    effective_from: datetime
    input: Amount | None
    output: Amount | None
    cached_input: Amount | None
    """None: as input."""
    cache_write: Amount | None
    """For input that is written to a cache. None: unknown."""
    cache_write_1h: Amount | None
    """For input that is cached for an hour. None: unknown."""
    reasoning: Amount | None
    """None: as output."""
    others: dict[str, Amount]
    """Of other kinds of tokens. They are stored, and no cost is calculated from them."""
    tiers: tuple[PriceTier, ...] = ()
    """Prices for long inputs and other service tiers."""
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


def _factor(value: Any) -> Decimal:
    """What a service tier costs, compared with the standard tier. A float is not exact, and refused."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ValueError("is not an exact factor: give a Decimal or its text")  # noqa: TRY004 - as above
    try:
        factor = Decimal(value)
    except InvalidOperation:
        raise ValueError("is not a factor") from None
    if not factor.is_finite() or not 0 <= factor <= _MAX_FACTOR:
        raise ValueError(f"must lie between 0 and {_MAX_FACTOR}")
    return factor


class NewTier(Input):
    """A price to set for long inputs or another service tier: with prices of its own, or a factor."""

    service_tier: ServiceTier = None
    above_tokens: Count = 0
    factor: Annotated[Decimal | None, BeforeValidator(lambda value: None if value is None else _factor(value))] = None
    input: Dollars | None = None
    output: Dollars | None = None
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    reasoning: Dollars | None = None

    @model_validator(mode="after")
    def _is_a_tier(self) -> Self:
        if self.service_tier is None and not self.above_tokens:
            raise ValueError("must name a service tier, or tokens above which it applies")
        if self.factor is not None:
            if self.service_tier is None or self.above_tokens:
                raise ValueError("cannot have a factor: factors are for whole service tiers")
            if any(getattr(self, kind) is not None for kind in KINDS):
                raise ValueError("has a factor and prices: give one of them")
        return self


def _as_fields(tiers: Any) -> Any:
    """Tiers that were read may be set again."""
    if isinstance(tiers, list | tuple):
        return [tier.model_dump() if isinstance(tier, PriceTier) else tier for tier in tiers]
    return tiers


class NewPrice(Input):
    """A price to set."""

    input: Dollars | None = None
    output: Dollars | None = None
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
    cache_write_1h: Dollars | None = None
    reasoning: Dollars | None = None
    tiers: Annotated[tuple[NewTier, ...], BeforeValidator(_as_fields)] = ()
    others: dict[Annotated[str, Field(min_length=1)], Dollars] | None = None
    effective_from: Annotated[Moment | None, BeforeValidator(_effective)] = None


class RepriceReport(Record):
    """What a repricing did, or would do."""

    dry_run: bool
    examined: int
    """Messages that were looked at."""
    filled: int
    """Messages that had no cost and have one now."""
    corrected: int
    """Messages whose cost was counted with another price."""
    withdrawn: int
    """Messages whose price is gone, and with it their cost."""
    difference: Amount
    """By how much the costs rose in all, in dollars."""

    @property
    def changed(self) -> int:
        return self.filled + self.corrected + self.withdrawn


class PriceProblem(Record):
    """A row of a price list that was not taken."""

    place: str
    """The line of a CSV file, or the place in a JSON list, from 1; the model where the list is an object."""
    reason: str


class PriceListReport(Record):
    """What became of a price list."""

    dry_run: bool
    rows: int
    models: int
    """Models that were not in the registry."""
    prices: int
    """Prices that were new or other than before."""
    unchanged: int
    """Prices that stood there already."""
    problems: tuple[PriceProblem, ...]
    not_stored: dict[str, int] = Field(default_factory=dict)
    """Prices in the list that no column here holds (audio, images, requests, …), with the number of rows that have
    them.
    """
    without_token_prices: int = 0
    """Rows that have no price for tokens, and were left out."""

    def __bool__(self) -> bool:
        """Whether every row was taken."""
        return not self.problems
