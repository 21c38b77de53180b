"""The plots of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from chatledger.html.filters import compact
from chatledger.html.plots import ACCENT, Plot, draw_plot, series_color
from chatledger.report.data import ReportData

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


PERCENTILE_STRENGTHS = (1.0, 0.7, 0.45)
"""How strong the accent color is for the 50th, 90th and 99th percentile. The stylesheet has the same for the legend.

Colors of series are those of models, on the whole page: what is not a model has the accent color.
"""


def stacked_bars(
    name: str, description: str, starts: Sequence[datetime], values: Sequence[Sequence[float]], unit: str
) -> Plot:
    """Draw stacked bars: one for each period, with a layer for each series. `unit` is the label of the axis."""

    def draw(axes: Axes, narrow: bool) -> None:
        positions = range(len(starts))
        below = [0.0] * len(starts)
        for number, layer in enumerate(values):
            axes.bar(positions, layer, bottom=below, width=0.86, color=series_color(number), linewidth=0)
            below = [low + value for low, value in zip(below, layer, strict=True)]
        _label_axes(axes, starts, narrow)
        axes.set_ylim(0, max(below, default=0) * 1.05 or 1)
        axes.set_ylabel(unit)

    return draw_plot(name, description, draw)


def latency(report: ReportData) -> Plot:
    """Draw the median, the 90th and the 99th percentile of the durations, a line for each."""

    def draw(axes: Axes, narrow: bool) -> None:
        starts = [one.start for one in report.latencies]
        for field, strength in zip(("p50_ms", "p90_ms", "p99_ms"), PERCENTILE_STRENGTHS, strict=True):
            # A period without an answer has no point, and interrupts the line: matplotlib leaves a gap for NaN.
            values = [getattr(one, field) for one in report.latencies]
            seconds = [math.nan if value is None else value / 1000 for value in values]
            axes.plot(seconds, color=ACCENT, alpha=strength, linewidth=1.8, marker="o", markersize=3.5)
        _label_axes(axes, starts, narrow)
        axes.set_ylim(bottom=0)
        axes.set_ylabel("seconds")

    return draw_plot("latency", "Latency percentiles over time, in seconds", draw)


def activity(report: ReportData) -> Plot:
    """Draw a square for each hour of the week: the more messages, the stronger its color."""
    most = report.busiest_hour or 1

    def draw(axes: Axes, narrow: bool) -> None:
        for one in report.activity:
            if one.messages:
                strength = 0.12 + 0.88 * one.messages / most
                axes.add_patch(_square(one.hour, one.weekday - 1, strength))
        axes.set_xlim(-0.5, 23.5)
        axes.set_ylim(6.5, -0.5)
        axes.set_xticks(range(0, 24, 6 if narrow else 3), [f"{hour}:00" for hour in range(0, 24, 6 if narrow else 3)])
        axes.set_yticks(range(7), _DAYS)
        axes.set_xlabel("hour of the day")
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)

    return draw_plot("activity", "Messages by hour and weekday", draw, height=2.6)


def _square(hour: int, day: int, strength: float) -> Rectangle:
    from matplotlib.patches import Rectangle  # noqa: PLC0415 - an extra

    return Rectangle((hour - 0.46, day - 0.46), 0.92, 0.92, facecolor=ACCENT, alpha=strength, linewidth=0)


def _label_axes(axes: Axes, starts: Sequence[datetime], narrow: bool) -> None:
    """Label the axes: a few dates below, and short numbers at the side."""
    step = max(1, -(-len(starts) // (4 if narrow else 10)))
    shown = range(0, len(starts), step)
    years = len({start.year for start in starts}) > 1
    axes.set_xticks(list(shown), [_date(starts[position], years) for position in shown])
    axes.set_xlim(-0.7, max(len(starts), 1) - 0.3)
    axes.yaxis.set_major_formatter(lambda value, _: compact(value))


def _date(at: datetime, year: bool) -> str:
    # The page is in English; %b would follow the locale of the process.
    return f"{at.day} {_MONTHS[at.month - 1]}" + (f" {at.year}" if year else "")
