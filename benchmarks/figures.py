"""A figure: what was measured against what, and the bar that it is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.rounds import Comparison


@dataclass(frozen=True)
class Bar:
    """What a figure must not exceed, or must reach."""

    value: float
    at_least: bool = False
    absolute: bool = False
    """Held against our figure itself and not against the ratio."""

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g}{' (ours)' if self.absolute else ''}"


def at_most(value: float) -> Bar:
    return Bar(value)


def at_least(value: float) -> Bar:
    return Bar(value, at_least=True)


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    case: str
    database: str
    against: str
    """What ours is compared with, such as `raw`."""
    base: float
    ours: float
    unit: str
    ratio: float | None
    bar: Bar | None
    """None: for information."""
    quartiles: tuple[float, float] | None = None
    cpu: tuple[float, float] | None = None
    """Processor time of this process, base and ours, in the unit of the figure."""
    cpu_ratio: float | None = None
    rounds: int = 1
    errors: int = 0
    """Operations that raised something. A figure with errors has not reached its bar."""

    @property
    def reached(self) -> bool | None:
        if self.bar is None:
            return None
        held = self.ours if self.bar.absolute or self.ratio is None else self.ratio
        inside = held >= self.bar.value if self.bar.at_least else held <= self.bar.value
        return inside and not self.errors

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


def figure(
    case: str,
    database: str,
    comparison: Comparison,
    *,
    bar: Bar | None,
    against: str = "raw",
    unit: str = "µs",
    errors: int = 0,
) -> Figure:
    """The figure of a comparison."""
    return Figure(
        case=case,
        database=database,
        against=against,
        base=comparison.base,
        ours=comparison.ours,
        unit=unit,
        ratio=comparison.ratio,
        bar=bar,
        quartiles=comparison.quartiles,
        cpu=comparison.cpu,
        cpu_ratio=comparison.cpu_ratio,
        rounds=comparison.rounds,
        errors=errors,
    )
