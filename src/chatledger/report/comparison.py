"""The page of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatledger.html.environment import template
from chatledger.html.plots import LINE, SOFT, Plot, draw_plot, series_color
from chatledger.schemas import ComparisonGroup, ComparisonSummary, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A name, a value, and the interval around it.
Estimate = tuple[str, float, Interval | None]


@dataclass(frozen=True)
class IntervalPlot:
    """A plot with its legend and its note."""

    plot: Plot
    names: list[str]
    note: str


def comparison_page(group: ComparisonGroup, summary: ComparisonSummary) -> str:
    """Return the summary as a page with tables and plots. It runs no scripts and escapes every text.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    ratings: list[Estimate] = [
        (variant.variant, variant.rating, variant.rating_interval)
        for variant in summary.variants
        if variant.rating is not None
    ]
    win_rates: list[Estimate] = [
        (f"{pair.variant_b} against {pair.variant_a}", pair.win_rate, pair.interval)
        for pair in summary.pairs
        if pair.win_rate is not None
    ]
    return template("comparison.html.jinja").render(
        title=group.title or f"Comparison {group.group_id}",
        group=group,
        summary=summary,
        ratings=_interval_plot("Ratings", "Bradley–Terry, as Elo numbers, with intervals", ratings),
        win_rates=_interval_plot(
            "Win rates",
            f"With {summary.confidence:.0%} intervals; the line in the middle is a draw",
            win_rates,
            middle=0.5,
        ),
    )


def _interval_plot(
    title: str, note: str, estimates: list[Estimate], *, middle: float | None = None
) -> IntervalPlot | None:
    """Draw a dot for each value, on the line of its interval."""
    if not estimates:
        return None

    def draw(axes: Axes, _narrow: bool) -> None:
        for at, (_, value, interval) in enumerate(estimates):
            if interval is not None:
                axes.plot([interval.low, interval.high], [at, at], color=series_color(at), linewidth=4, alpha=0.5)
            axes.plot([value], [at], "o", color=series_color(at), markersize=7)
        if middle is not None:
            axes.axvline(middle, linewidth=1, linestyle="--", color=SOFT)
            axes.set_xlim(0, 1)
        axes.set_ylim(len(estimates) - 0.4, -0.6)
        axes.set_yticks([])
        axes.grid(axis="x", color=LINE)

    drawn = draw_plot(title, f"{title}. {note}", draw, height=0.9 + 0.35 * len(estimates))
    return IntervalPlot(drawn, [name for name, _, _ in estimates], note)
