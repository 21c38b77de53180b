"""What statistics say."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from pydantic import computed_field, field_serializer

from chatledger.schemas.fields import Record

_NANO = Decimal(1).scaleb(-9)
_MICROSECOND = Decimal(1).scaleb(-3)


class Usage(Record):
    """How many messages there are, and what they took. Sums are exact."""

    sessions: int
    """Sessions with at least one of these messages. The only figure that does not add up over periods, roles and
    models.
    """
    messages: int
    answers: int
    """Messages of the assistant, and others that say how they ended."""
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    """Part of the input."""
    cache_write_tokens: int
    """Part of the input."""
    reasoning_tokens: int
    """Part of the output."""
    total_tokens: int
    """As sessions count: a message's own total, else its input and output."""
    cost: Decimal
    """Dollars of the messages that have a cost. JSON has null where nothing is known: see `cost_known`."""
    priced: int
    """Messages with a cost."""
    duration_ms: int
    """Milliseconds of all messages that say how long they took."""
    timed: int
    """Messages with a duration."""
    errors: int
    interruptions: int

    @computed_field  # type: ignore[prop-decorator] # mypy knows no decorated property
    @property
    def unpriced(self) -> int:
        """Answers without a cost: their model has no price, or they do not say their tokens."""
        return max(self.answers - self.priced, 0)

    @property
    def cost_known(self) -> bool:
        """Whether `cost` says anything: False where there are answers or tokens and no message has a cost."""
        return bool(self.priced) or not (self.answers or self.total_tokens)

    @field_serializer("cost", when_used="json")
    def _cost_in_json(self, cost: Decimal) -> str | None:
        return format(cost, "f") if self.cost_known else None

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def average_cost(self) -> Decimal | None:
        """Dollars of a message that has a cost, rounded half to even to the nano-dollar."""
        return _mean(self.cost, self.priced, _NANO)

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def average_duration_ms(self) -> Decimal | None:
        """Of a message that has a duration, rounded half to even to three decimals."""
        return _mean(Decimal(self.duration_ms), self.timed, _MICROSECOND)

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def average_tokens(self) -> Decimal | None:
        """Of a message, rounded half to even to three decimals."""
        return _mean(Decimal(self.total_tokens), self.messages, _MICROSECOND)

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def error_rate(self) -> float | None:
        """The part of the answers that failed, from 0 to 1. None where there is no answer."""
        return self.errors / self.answers if self.answers else None

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def interruption_rate(self) -> float | None:
        """The part of the answers that were cut off, from 0 to 1. None where there is no answer."""
        return self.interruptions / self.answers if self.answers else None


class UsageOf(Usage):
    """The usage of one model, project, user, session or role."""

    key: str | None
    """Which; None gathers what names none."""


class Period(Record):
    """A day, week, month or hour."""

    start: datetime
    """Its first moment, in the time zone that was asked for."""
    end: datetime
    """The first moment after it."""


class UsagePeriod(Usage, Period):
    """The usage of a period. An empty period is there, too."""

    key: str | None = None
    """With `split`: which model, project, user or role."""


class Activity(Usage):
    """The usage of an hour of the week."""

    weekday: int
    """1 is Monday, 7 is Sunday."""
    hour: int


class Latency(Record):
    """How long messages took, of those that say so.

    A percentile is the nearest rank: the smallest duration that at least so many percent do not exceed. It is always a
    duration that was measured, in whole milliseconds. None of them is there when no message has a duration.
    """

    messages: int
    average_ms: Decimal | None
    """Rounded half to even to three decimals."""
    min_ms: int | None
    p50_ms: int | None
    p90_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    max_ms: int | None


class LatencyOf(Latency):
    """How long the messages of one model, project, user, session or role took."""

    key: str | None
    """Which; None gathers what names none."""


class LatencyPeriod(Latency, Period):
    """How long the messages of a period took."""

    key: str | None = None
    """With `split`: which model, project, user or role."""


class ContextUse(Record):
    """How much of its model's context window a session fills."""

    session_id: str
    title: str | None
    model_id: str
    context_window: int
    """Tokens that fit into one request."""
    tokens: int
    """Input and output of the newest message that says its input."""

    @computed_field  # type: ignore[prop-decorator] # as above
    @property
    def share(self) -> float:
        """Of the window; above 1 where more was used than is known to fit."""
        return self.tokens / self.context_window


class UsageComparison(Record):
    """A period against the one before."""

    since: datetime
    until: datetime
    previous_since: datetime
    current: Usage
    previous: Usage

    def change(self, figure: str) -> float | None:
        """How much a figure rose (0.25: by a quarter) or fell. None where there was none before, or it is not known."""
        if figure == "cost" and not (self.previous.cost_known and self.current.cost_known):
            return None
        before, now = getattr(self.previous, figure), getattr(self.current, figure)
        return float(now) / float(before) - 1 if before and now is not None else None


def _mean(total: Decimal, number: int, step: Decimal) -> Decimal | None:
    # Enough digits for any sum: the default context would round twice.
    if not number:
        return None
    units = total / step
    whole, rest = divmod(int(units), number)
    double = 2 * rest
    if double > number or (double == number and whole % 2):
        whole += 1
    return (Decimal(whole) * step).quantize(step, ROUND_HALF_EVEN)


def mean_ms(total: Decimal, number: int) -> Decimal | None:
    """Milliseconds of one, rounded half to even to three decimals."""
    return _mean(total, number, _MICROSECOND)
