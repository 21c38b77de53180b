"""The page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chatledger.html.environment import render
from chatledger.html.plots import LINE, SOFT, Plot, draw_plot, series_color
from chatledger.schemas import ComparisonGroup, ComparisonSummary, Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A value and the interval around it.
_Estimate = tuple[float, Interval | None]


def comparison_page(group: ComparisonGroup, summary: ComparisonSummary) -> str:
    """Return the summary as a page with tables and plots. It runs no scripts and escapes every text.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    ratings = [(variant.rating, variant.rating_interval) for variant in summary.variants if variant.rating is not None]
    win_rates = [(pair.win_rate, pair.interval) for pair in summary.pairs if pair.win_rate is not None]
    return render(
        "comparison.html.jinja",
        title=group.title or f"Comparison {group.group_id}",
        group=group,
        summary=summary,
        ratings=_interval_plot("ratings", "Ratings of the variants", ratings) if ratings else None,
        win_rates=_interval_plot("win-rates", "Win rates of the pairs", win_rates, middle=0.5) if win_rates else None,
    )


def _interval_plot(name: str, description: str, estimates: Sequence[_Estimate], *, middle: float | None = None) -> Plot:
    """Draw a dot for each value, on the line of its interval."""

    def draw(axes: Axes, _narrow: bool) -> None:
        for at, (value, interval) in enumerate(estimates):
            if interval is not None:
                axes.plot([interval.low, interval.high], [at, at], color=series_color(at), linewidth=4, alpha=0.5)
            axes.plot([value], [at], "o", color=series_color(at), markersize=7)
        if middle is not None:
            axes.axvline(middle, linewidth=1, linestyle="--", color=SOFT)
            axes.set_xlim(0, 1)
        axes.set_ylim(len(estimates) - 0.4, -0.6)
        axes.set_yticks([])
        axes.grid(axis="x", color=LINE)

    return draw_plot(name, description, draw, height=0.9 + 0.35 * len(estimates))
