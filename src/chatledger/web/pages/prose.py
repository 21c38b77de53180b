"""Markdown of messages as HTML that is safe to show."""

from __future__ import annotations

from functools import cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from chatledger.html.environment import printable

LONGEST = 100_000
"""Characters of a text that are read as Markdown. A longer one is shown as it is written."""

# No images: those of Markdown lie on other servers, which would learn what is read here.
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "span": {"class"}, "td": {"align"}, "th": {"align"}}


def prose(text: str) -> Markup:
    """A text as Markdown, sanitised. HTML in it is shown, not run; images become links."""
    if len(text) > LONGEST:
        return Markup('<div class="text" dir="auto">{}</div>').format(printable(text))
    html = nh3.clean(
        _parser().render(printable(text)),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup('<div class="prose" dir="auto">{}</div>').format(Markup(html))


def code(text: str, language: str) -> Markup:
    """A text with its syntax marked."""
    return Markup(_marked(printable(text), language))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "highlight": _highlighted})
    parser.enable(["table", "strikethrough"])
    parser.disable("image")
    return parser


def _highlighted(text: str, language: str, _: str) -> str:
    return f"<pre><code>{_marked(text, language)}</code></pre>"


def _marked(text: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return str(escape(text))
    return str(highlight(text, lexer, _formatter()))


@cache
def _formatter() -> HtmlFormatter[str]:
    return HtmlFormatter(nowrap=True, classprefix="hl-")
