"""Figures by matplotlib (the extra `report`) as SVG inside of a page: its colours, its fonts, no styles of their own.

A figure is drawn twice, for wide screens and for narrow ones, and the page shows one of them. No text of users is drawn:
names stand in the legend, which is HTML, so that any script is set by the browser.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatledger.errors import MissingExtra
from chatledger.pages.elements import Markup, escape
from chatledger.pages.style import SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Inches at 72 to the inch, which is what SVG counts in.
_WIDE, _NARROW = (12.0, 3.4), (5.2, 3.4)

#: Colours that stand for those of the page. No figure uses them for themselves.
INK, SOFT, LINE = "#010203", "#010204", "#010205"
_SERIES = tuple(f"#0102{number:02x}" for number in range(16, 16 + SERIES))

_turn = threading.Lock()


def series(number: int) -> str:
    """The colour of a series."""
    return _SERIES[number % SERIES]


def figure(name: str, description: str, draw: Callable[[Axes, bool], None], *, height: float = _WIDE[1]) -> Markup:
    """A figure. `draw` is given the axes and whether they are narrow; `name` is unique on the page.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    wide = _drawn(f"{name}-wide", description, draw, (_WIDE[0], height), narrow=False)
    narrow = _drawn(f"{name}-narrow", description, draw, (_NARROW[0], height), narrow=True)
    return Markup(f'<div class="wide">{wide}</div>\n<div class="narrow">{narrow}</div>')


def _drawn(
    name: str, description: str, draw: Callable[[Axes, bool], None], size: tuple[float, float], *, narrow: bool
) -> str:
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("report", "a page with plots") from None
    look: Any = {
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "svg.fonttype": "none", "svg.hashsalt": name, "font.size": 10.0, "axes.edgecolor": LINE, "axes.labelcolor": SOFT,
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "axes.grid.axis": "y",
        "axes.axisbelow": True, "grid.color": LINE, "grid.linewidth": 0.8, "text.color": INK, "xtick.color": SOFT,
        "ytick.color": SOFT, "xtick.major.size": 3.0, "ytick.major.size": 0.0,
    }  # fmt: skip
    out = io.StringIO()
    # The settings of the library are the process's.
    with _turn, mpl.rc_context(look):
        canvas = FigureCanvasSVG(Figure(figsize=size, layout="constrained"))
        axes = canvas.figure.subplots()
        draw(axes, narrow)
        canvas.figure.savefig(out, format="svg", metadata={"Date": None})
    return _at_home(out.getvalue(), description)


_STYLE = re.compile(r' style="([^"]*)"')
_HEAD = re.compile(r"<svg\b[^>]*?viewBox=\"([^\"]*)\"[^>]*>", re.DOTALL)
_DROPPED = re.compile(r"<metadata>.*?</metadata>|<style\b.*?</style>|<!--.*?-->", re.DOTALL)
_COLOURS = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)"} | {
    colour: f"var(--s{number})" for number, colour in enumerate(_SERIES)
}


def _at_home(svg: str, description: str) -> str:
    """An SVG file as a part of the page."""
    found = _HEAD.search(svg)
    assert found is not None
    body = _DROPPED.sub("", svg[found.end() :])
    body = _STYLE.sub(_attributes, body)
    for colour, variable in _COLOURS.items():
        body = body.replace(colour, variable)
    body = re.sub(r"\n\s*", "\n", body)
    return f'<svg viewBox="{found[1]}" role="img" aria-label="{escape(description)}">{body.strip()}'


def _attributes(style: re.Match[str]) -> str:
    """A style as attributes, which the page's policy allows."""
    given = []
    for part in style[1].split(";"):
        key, _, value = (piece.strip() for piece in part.partition(":"))
        if key == "font":  # "10px 'DejaVu Sans', …"
            size = re.search(r"([\d.]+)px", value)
            given += [f'font-size="{size[1]}"'] if size else []
        elif key and key != "font-family":
            given.append(f'{key}="{value.removesuffix("px") if key == "font-size" else value}"')
    return " " + " ".join(given) if given else ""
