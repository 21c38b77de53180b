"""The parts of a page. Whatever is text goes through `escape`; what is markup already is `Markup`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape as _escape
from typing import NewType

from chatledger.pages.style import POLICY, SERIES, STYLE

#: HTML that was made here.
Markup = NewType("Markup", str)

# What a browser may not be given: controls, and marks that turn the direction of what follows.
_DROPPED = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160), *range(8234, 8239)))
_DROPPED |= dict.fromkeys(range(0x2066, 0x206A))


def escape(text: str) -> Markup:
    """Text as text, whatever it holds."""
    return Markup(_escape(text.translate(_DROPPED)))


@dataclass(frozen=True)
class Heading:
    """Of a column."""

    text: str
    #: Numbers stand at the end of their cell.
    number: bool = True


def document(title: str, parts: Iterable[Markup]) -> str:
    """A whole page."""
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="chatledger">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    return head + "\n".join(parts) + "\n</main>\n</body>\n</html>\n"


def section(title: str, *parts: Markup) -> Markup:
    return Markup(f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>")


def note(text: str) -> Markup:
    return Markup(f'<p class="soft">{escape(text)}</p>')


def table(headings: Sequence[Heading], rows: Iterable[Sequence[str]]) -> Markup:
    """A table, which scrolls by itself where it is wider than the screen."""

    def cell(tag: str, heading: Heading, text: str) -> str:
        kind = "n" if heading.number else "t"
        return f'<{tag} class="{kind}">{escape(text)}</{tag}>'

    head = "".join(cell("th", heading, heading.text) for heading in headings)
    body = "\n".join(
        "<tr>" + "".join(cell("td", *pair) for pair in zip(headings, row, strict=True)) + "</tr>" for row in rows
    )
    return Markup(
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>'
    )


def folded(summary: str, *parts: Markup) -> Markup:
    """What is shown when somebody asks for it, and on paper."""
    return Markup(f"<details><summary>{escape(summary)}</summary>\n" + "\n".join(parts) + "\n</details>")


def legend(names: Sequence[str]) -> Markup:
    """What the colours of a figure stand for."""
    items = "".join(
        f'<li><span class="chip s{place % SERIES}"></span>{escape(name)}</li>' for place, name in enumerate(names)
    )
    return Markup(f'<ul class="legend">{items}</ul>')


@dataclass(frozen=True)
class Card:
    """A figure with its name, and how it changed."""

    name: str
    value: str
    change: str = ""


def cards(many: Iterable[Card]) -> Markup:
    shown = "\n".join(
        f'<div class="card"><span class="soft">{escape(one.name)}</span><b>{escape(one.value)}</b>'
        + (f'<span class="same">{escape(one.change)}</span>' if one.change else "")
        + "</div>"
        for one in many
    )
    return Markup(f'<div class="cards">\n{shown}\n</div>')
