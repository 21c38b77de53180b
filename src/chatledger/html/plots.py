"""Plots as SVG inside of a page, drawn by matplotlib (the extra `report`).

Each plot is drawn twice, for wide and for narrow screens, and the stylesheet shows one of them. Plots contain no stored
text: names are in the legend, which is HTML, so that the browser chooses fonts for every script.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from markupsafe import Markup

from chatledger.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SERIES = 8
"""Number of colors for series. The stylesheet defines `--s0` to `--s7`."""

# Inches, of which SVG has 72 units each.
_WIDE, _NARROW, _HEIGHT = 12.0, 5.2, 3.4

# matplotlib needs real colors: each stands for a variable of the stylesheet, and no plot uses it for itself.
INK, SOFT, LINE, ACCENT = "#010203", "#010204", "#010205", "#010206"
_SERIES = tuple(f"#0102{number:02x}" for number in range(16, 16 + SERIES))
_VARIABLES = {INK: "var(--ink)", SOFT: "var(--soft)", LINE: "var(--line)", ACCENT: "var(--accent)"} | {
    color: f"var(--s{number})" for number, color in enumerate(_SERIES)
}

_SETTINGS = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "font.size": 10.0,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 3.0,
    "ytick.major.size": 0.0,
}

# matplotlib's settings belong to the process.
_settings_lock = threading.Lock()


@dataclass(frozen=True)
class Svg:
    """The view box and the content of an `svg` element."""

    view_box: str
    content: Markup


@dataclass(frozen=True)
class Plot:
    """A plot for wide and for narrow screens, with its description for screen readers."""

    description: str
    wide: Svg
    narrow: Svg


def series_color(number: int) -> str:
    """Return the color of a series. Colors repeat after the eighth."""
    return _SERIES[number % SERIES]


def draw_plot(name: str, description: str, draw: Callable[[Axes, bool], None], *, height: float = _HEIGHT) -> Plot:
    """Draw a plot. `draw` is called with the axes and whether they are narrow; `name` must be unique on the page.

    Raises:
        MissingExtra: matplotlib is not installed.
    """

    def drawn(width: float, *, narrow: bool) -> Svg:
        return _inline(_svg_file(f"{name}-{width}", (width, height), lambda axes: draw(axes, narrow)))

    return Plot(description, wide=drawn(_WIDE, narrow=False), narrow=drawn(_NARROW, narrow=True))


def _svg_file(name: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise MissingExtra("report", "a page with plots") from None
    out = io.StringIO()
    # The salt makes ids differ between plots and stay the same between runs.
    settings: Any = _SETTINGS | {"svg.hashsalt": name}
    with _settings_lock, mpl.rc_context(settings):
        canvas = FigureCanvasSVG(Figure(figsize=size, layout="constrained"))
        draw(canvas.figure.subplots())
        canvas.figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _inline(file: str) -> Svg:
    """Make an SVG file fit for a page: variables for colors, attributes for styles, ids only where they are used."""
    root = ElementTree.fromstring(file)
    used_ids = set(re.findall(r"#([\w-]+)", file))
    for element in root.iter():
        for child in list(element):
            if _local_name(child.tag) in ("metadata", "style"):
                element.remove(child)
        element.tag = _local_name(element.tag)
        attributes = _attributes(element)
        if attributes.get("id") not in used_ids:
            attributes.pop("id", None)
        element.attrib = {name: _VARIABLES.get(value, value) for name, value in attributes.items()}
        element.text = element.text if (element.text or "").strip() else None
        element.tail = "\n"
    content = "".join(ElementTree.tostring(child, encoding="unicode") for child in root)
    return Svg(root.attrib["viewBox"], Markup(content))


def _attributes(element: Element) -> dict[str, str]:
    """The attributes of an element, its style among them: the page's policy forbids `style`."""
    attributes = {
        # HTML has no namespaces, and knows this one prefix.
        ("xlink:href" if name.endswith("}href") else name): value
        for name, value in element.attrib.items()
        if name != "style"
    }
    for declaration in element.attrib.get("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":  # "10px 'DejaVu Sans', …"; the page has fonts of its own
            size = re.search(r"([\d.]+)px", value)
            if size is not None:
                attributes["font-size"] = size[1]
        elif name == "font-size":
            attributes[name] = value.removesuffix("px")
        elif name and name != "font-family":
            attributes[name] = value
    return attributes


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]
