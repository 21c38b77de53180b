"""A comparison to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatledger.pages.figure import ACCENT, figure
from chatledger.pages.page import heading, page, paragraph, table
from chatledger.schemas import ComparisonGroup, ComparisonSummary, Difference, Interval, PairSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bar = tuple[str, float, Interval | None]


def comparison_page(group: ComparisonGroup, found: ComparisonSummary) -> str:
    """The summary as a page with tables and plots.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    return page(group.title or f"Comparison {group.group_id}", _parts(group, found))


def _parts(group: ComparisonGroup, found: ComparisonSummary) -> Iterator[str]:
    judges = ", ".join(found.judges) or "no judge"
    yield paragraph(f"{group.kind.value}: {', '.join(group.variants)} · {found.results} results of {judges}")
    rows = [
        (
            v.variant, str(v.wins), str(v.losses), str(v.draws), _percent(v.win_rate), _plain(v.cost), _plain(v.duration),
            "" if v.rating is None else f"{v.rating:.0f}",
        )
        for v in found.variants
    ]  # fmt: skip
    yield table(("variant", "won", "lost", "drawn", "win rate", "cost $", "seconds", "rating"), rows)
    rated = [(v.variant, v.rating, v.rating_interval) for v in found.variants if v.rating is not None]
    if rated:
        yield figure("Ratings (Bradley–Terry, as Elo numbers) with intervals", lambda axes: _bars(axes, rated, None))
    judged = [pair for pair in found.pairs if pair.win_rate is not None]
    if judged:
        bars = [(f"{p.variant_b} against {p.variant_a}", p.win_rate or 0.0, p.interval) for p in judged]
        yield figure(
            f"Win rates with {found.confidence:.0%} intervals; the line is a draw",
            lambda axes: _bars(axes, bars, 0.5),
            height=1.2 + 0.4 * len(bars),
        )
    for pair in found.pairs:
        yield heading(f"{pair.variant_b} against {pair.variant_a}")
        yield table(("", ""), _facts(pair))
    if found.agreements:
        yield heading("Agreement of judges")
        yield table(
            ("judges", "prompts", "agree", "tau"),
            [
                (f"{a.judge_a}, {a.judge_b}", str(a.n), f"{a.rate:.1%}", "" if a.tau is None else f"{a.tau:.2f}")
                for a in found.agreements
            ],
        )


def _facts(pair: PairSummary) -> Iterator[tuple[str, str]]:
    yield "won, lost, drawn, without verdict", f"{pair.wins}, {pair.losses}, {pair.draws}, {pair.missing}"
    if pair.win_rate is not None:
        error = "" if pair.standard_error is None else f" ± {pair.standard_error:.1%}"
        yield "win rate", f"{pair.win_rate:.1%}{error}"
        p = "" if pair.p_value is None else f", p = {pair.p_value:.2g}"
        yield f"{pair.test} test", f"{'told apart' if pair.told else 'not told apart'}{p}"
    if pair.needed is not None:
        yield "prompts it would take", f"{pair.needed:,}"
    for name, gap in (("cost $", pair.cost), ("seconds", pair.duration), *sorted(pair.scores.items())):
        if gap is not None:
            yield name, _gap(gap)
    if pair.position is not None:
        yield "preference for what stood first", f"{pair.position.preference:.1%} of {pair.position.n}"


def _gap(gap: Difference) -> str:
    within = "" if gap.interval is None else f" ({gap.interval.low:+.4g} to {gap.interval.high:+.4g})"
    return f"{gap.mean:+.4g}{within}, {gap.test} of {gap.n}"


def _bars(axes: Axes, bars: list[Bar], middle: float | None) -> None:
    for at, (_, value, interval) in enumerate(reversed(bars)):
        if interval is not None:
            axes.plot([interval.low, interval.high], [at, at], color=ACCENT, linewidth=3, alpha=0.5)
        axes.plot([value], [at], "o", color=ACCENT)
    if middle is not None:
        axes.axvline(middle, linewidth=1, linestyle="--", color="#888888")
        axes.set_xlim(0, 1)
    axes.set_yticks(range(len(bars)), [name[:40] for name, _, _ in reversed(bars)])
    axes.margins(y=0.3)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
