"""Annotations and metrics as users pass them in and get them back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from chatledger.schemas.fields import Identifier, Input, Moment, Name, Record, Text

MAX_NUMBER = 1e300
"""Keeps the sum of any number of them finite."""


def _number(value: float) -> float:
    # Zero has one sign on one of the databases.
    return value + 0.0


Number = Annotated[
    float, Field(strict=True, ge=-MAX_NUMBER, le=MAX_NUMBER, allow_inf_nan=False), AfterValidator(_number)
]
"""A finite number. It is kept as 64-bit floating point and comes back unchanged; minus zero comes back as zero."""
Place = Annotated[int, Field(strict=True, ge=1, le=10**12)]
"""The number of a message."""


class NewAnnotation(Input):
    """An annotation to add. It has a label, a score or a text, or several of them."""

    sequence_number: Place | None = None
    """The message that it is about; None for the session."""
    label: Identifier | None = None
    score: Number | None = None
    text: Text | None = None
    author: Identifier | None = None
    metadata: dict[Name, Any] | None = None


class Annotation(Record):
    """A label, a score or a text on a session or on one of its messages."""

    annotation_id: str
    """The session's id, a colon and the number."""
    session_id: str
    annotation_number: int
    sequence_number: int | None
    """The message that it is about; None for the session."""
    label: str | None
    score: float | None
    text: str | None
    author: str | None
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime


class AnnotationHit(Annotation):
    """An annotation whose text matches."""

    snippet: str
    """The part of the text that matches, with the found words between the marks. It is plain text: escape it in HTML.
    """


class LabelSummary(Record):
    """The annotations of one label."""

    label: str | None
    """None: the annotations without a label."""
    count: int
    scored: int
    """How many of them have a score. The next three fields are None if it is 0."""
    mean_score: float | None
    least_score: float | None
    greatest_score: float | None


class AnnotationSummary(Record):
    """Counts and scores of annotations."""

    count: int
    sessions: int
    """How many sessions they belong to."""
    scored: int
    mean_score: float | None
    labels: tuple[LabelSummary, ...]
    """The most frequent label first."""


class ModelAnnotations(AnnotationSummary):
    """The annotations of one model."""

    model_id: str | None
    """The model of the annotated messages, or of their sessions. None if neither names one."""


class NewMetric(Input):
    """A number to record."""

    name: Identifier
    value: Number
    unit: Identifier | None = None
    session_id: Identifier | None = None
    user_id: Identifier | None = None
    """The owner, if the metric does not belong to a session."""
    model_id: Identifier | None = None
    project_id: Identifier | None = None
    metadata: dict[Name, Any] | None = None
    at: Moment | None = None
    """When it was measured. By default, now."""


class Metric(Record):
    """A number as it was measured."""

    metric_id: int
    name: str
    value: float
    unit: str | None
    session_id: str | None
    user_id: str | None
    model_id: str | None
    project_id: str | None
    metadata: dict[str, Any]
    at: datetime


class MetricPoint(Record):
    """The numbers of one period, in one unit."""

    start: datetime
    """The beginning of the period, in UTC."""
    unit: str | None
    count: int
    sum: float
    min: float
    max: float
    avg: float


class MetricSummary(Record):
    """All numbers of one name in one unit."""

    name: str
    unit: str | None
    count: int
    sum: float
    min: float
    max: float
    avg: float
    first_at: datetime
    last_at: datetime
