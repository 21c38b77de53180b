"""A figure: what was measured against what, and the bar that it is held against."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from benchmarks.rounds import Comparison


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    case: str
    database: str
    #: What ours is compared with, such as `raw`.
    against: str
    base: float
    ours: float
    unit: Literal["µs", "ms", "/s", "MiB", "messages"]
    ratio: float
    #: The bar that the ratio (or, where there is no base, ours) must stay below or, for rates, above. None: for information.
    bar: float | None = None
    more_is_better: bool = False
    quartiles: tuple[float, float] | None = None
    rounds: int = 1

    @property
    def reached(self) -> bool | None:
        if self.bar is None:
            return None
        held = self.ours if self.unit == "MiB" else self.ratio
        return held >= self.bar if self.more_is_better else held <= self.bar

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


def figure(
    case: str,
    database: str,
    comparison: Comparison,
    *,
    bar: float | None,
    against: str = "raw",
    unit: Literal["µs", "ms", "/s", "messages"] = "µs",
    more_is_better: bool = False,
) -> Figure:
    return Figure(
        case=case,
        database=database,
        against=against,
        base=comparison.base,
        ours=comparison.ours,
        unit=unit,
        ratio=comparison.ratio,
        bar=bar,
        more_is_better=more_is_better,
        quartiles=comparison.quartiles,
        rounds=comparison.rounds,
    )
