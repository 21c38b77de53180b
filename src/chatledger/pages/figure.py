"""Plots as SVG inside of a page. Lines and letters take the page's own colour, by day and by night."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from chatledger.errors import MissingExtra
from chatledger.exchange.html import safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
#: Stands for the colour of the page's text until the plot is drawn.
_INK = "#010203"
#: Legible on light and dark paper.
ACCENT = "#3b82c4"
_RULES: Any = {  # the keys have a type of their own in new releases only

    "svg.fonttype": "none", "svg.hashsalt": "chatledger", "font.family": "sans-serif", "text.parse_math": False,
    "axes.spines.top": False, "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}  # fmt: skip


def figure(caption: str, draw: Callable[[Axes], None], *, width: float = 7.0, height: float = 2.5) -> str:
    """What `draw` puts on its axes, with a caption. Sizes are inches.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - an extra, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415 - as above
    except ImportError as error:
        raise MissingExtra("report", "a page with plots") from error
    out = io.BytesIO()
    with rc_context(_RULES):
        drawn = Figure(figsize=(width, height), layout="constrained")
        draw(drawn.add_subplot())
        drawn.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = safe(caption)
    return f"<figure>{_tidied(out.getvalue(), caption)}<figcaption>{text}</figcaption></figure>\n"


def _tidied(svg: bytes, caption: str) -> str:
    """The SVG without what a page's policy forbids: styles become attributes, and metadata goes."""
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        for rule in element.attrib.pop("style", "").split(";"):
            name, _, value = rule.partition(":")
            if name.strip() == "font":
                element.set("font-size", "10")
                element.set("font-family", "sans-serif")
            elif name.strip():
                element.set(name.strip(), value.strip())
        for name, value in element.attrib.items():
            if value == _INK:
                element.set(name, "currentColor")
    root.set("stroke-linejoin", "round")
    root.set("role", "img")
    root.set("aria-label", caption)
    return ElementTree.tostring(root, encoding="unicode")
