"""A comparison to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from chatledger.pages.elements import Heading, Markup, document, escape, legend, note, section, table
from chatledger.pages.figures import LINE, SOFT, figure, series
from chatledger.pages.numbers import share
from chatledger.schemas import ComparisonGroup, ComparisonSummary, Difference, Interval, PairSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: A name, a value, and how far it may be off.
Bar = tuple[str, float, Interval | None]

_TEXT = Heading("", number=False)


def comparison_page(group: ComparisonGroup, found: ComparisonSummary) -> str:
    """The summary as a page with tables and plots: self-contained, without scripts, every text escaped.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    title = group.title or f"Comparison {group.group_id}"
    return document(title, [Markup(f'<h1 dir="auto">{escape(title)}</h1>'), *_parts(group, found)])


def _parts(group: ComparisonGroup, found: ComparisonSummary) -> Iterator[Markup]:
    judges = ", ".join(found.judges) or "no judge"
    yield note(f"{group.kind.value}: {', '.join(group.variants)} · {found.results} results of {judges}")
    rows = [
        [
            v.variant, str(v.wins), str(v.losses), str(v.draws), share(v.win_rate), _plain(v.cost), _plain(v.duration),
            "–" if v.rating is None else f"{v.rating:.0f}",
        ]
        for v in found.variants
    ]  # fmt: skip
    names = ("won", "lost", "drawn", "win rate", "cost $", "seconds", "rating")
    yield section("Variants", table([Heading("variant", number=False), *map(Heading, names)], rows))
    rated = [(v.variant, v.rating, v.rating_interval) for v in found.variants if v.rating is not None]
    if rated:
        yield _ranges("ratings", "Ratings", "Bradley–Terry, as Elo numbers, with intervals", rated, None)
    judged = [pair for pair in found.pairs if pair.win_rate is not None]
    if judged:
        bars = [(f"{p.variant_b} against {p.variant_a}", p.win_rate or 0.0, p.interval) for p in judged]
        about = f"With {found.confidence:.0%} intervals; the line in the middle is a draw"
        yield _ranges("win-rates", "Win rates", about, bars, 0.5)
    for pair in found.pairs:
        yield section(f"{pair.variant_b} against {pair.variant_a}", table([_TEXT, _TEXT], map(list, _facts(pair))))
    if found.agreements:
        agreements = [
            [f"{a.judge_a}, {a.judge_b}", str(a.n), share(a.rate), "–" if a.tau is None else f"{a.tau:.2f}"]
            for a in found.agreements
        ]
        headings = [Heading("judges", number=False), Heading("prompts"), Heading("agree"), Heading("tau")]
        yield section("Agreement of judges", table(headings, agreements))


def _ranges(name: str, title: str, about: str, bars: list[Bar], middle: float | None) -> Markup:
    """A dot for each value on the line of its interval. Names stand in the legend: the browser knows every script."""

    def draw(axes: Axes, _narrow: bool) -> None:
        for at, (_, value, interval) in enumerate(bars):
            if interval is not None:
                axes.plot([interval.low, interval.high], [at, at], color=series(at), linewidth=4, alpha=0.5)
            axes.plot([value], [at], "o", color=series(at), markersize=7)
        if middle is not None:
            axes.axvline(middle, linewidth=1, linestyle="--", color=SOFT)
            axes.set_xlim(0, 1)
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_yticks([])
        axes.grid(axis="x", color=LINE)

    drawn = figure(name, f"{title}. {about}", draw, height=0.9 + 0.35 * len(bars))
    return section(title, legend([bar[0] for bar in bars]), drawn, note(about))


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


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
