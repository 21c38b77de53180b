"""The Jinja2 environment that renders every page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from chatledger.html.filters import FILTERS

# Characters of output that are joined before they are searched and written. Pieces differ in size, from a tag to fifty
# messages, so that their number says nothing of the memory they take.
_BUFFERED = 1 << 16

# read_text() turns CRLF into LF, as browsers do before they compare the hash.
STYLESHEET = files("chatledger.html").joinpath("style.css").read_text("utf-8")

_HASH = base64.b64encode(hashlib.sha256(STYLESHEET.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""Allows this stylesheet and nothing else: no scripts, images or forms, nothing from the network."""

# Control characters, which HTML does not allow, and the two that override the direction of the text after them.
# Other marks of direction stay: Arabic and Hebrew need them, and they end with their element.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202d\u202e]")
_REPLACEMENTS = (
    {code: 0x2400 + code for code in range(32) if code not in (9, 10, 13)}  # ␀ to ␟
    | {127: 0x2421}  # ␡
    | dict.fromkeys((*range(128, 160), 0x202D, 0x202E), 0xFFFD)
)


def render(name: str, **values: Any) -> str:
    """Return a page from a template of this package, such as `report.html.jinja`.

    Every value is escaped, and characters that a page cannot show are replaced.
    """
    return "".join(generate(name, **values))


def generate(name: str, **values: Any) -> Iterator[str]:
    """Yield a page in pieces of limited size, so that a long one is never in memory as a whole. See `render`."""
    pieces: list[str] = []
    size = 0
    for piece in environment().get_template(name).generate(**values):
        pieces.append(piece)
        size += len(piece)
        if size >= _BUFFERED:
            yield printable("".join(pieces))
            pieces, size = [], 0
    yield printable("".join(pieces))


def printable(text: str) -> str:
    """Replace characters that a page cannot show.

    Pages are searched piece by piece: to search each value by itself took a fifth of the time of a long export.
    """
    return text.translate(_REPLACEMENTS) if _UNPRINTABLE.search(text) else text


@cache
def environment() -> Environment:
    """Return the environment of every template, with its filters."""
    found = Environment(
        loader=PackageLoader("chatledger.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    found.filters |= FILTERS
    found.globals |= {
        "content_security_policy": CONTENT_SECURITY_POLICY,
        "stylesheet": Markup(STYLESHEET),
    }
    return found
