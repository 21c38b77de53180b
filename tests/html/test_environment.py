"""Templates escape and print every value, refuse unknown names, and share one stylesheet."""

from __future__ import annotations

import base64
import hashlib
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jinja2 import StrictUndefined, UndefinedError

import chatledger.html
from chatledger.html import environment, filters

_FOLDER = Path(chatledger.html.__file__).parent / "templates"
_TEMPLATES = sorted(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*.jinja"))


def rendered(source: str, **values: object) -> str:
    return environment.printable(environment.environment().from_string(source).render(**values))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>\"'&", "&lt;b&gt;&#34;&#39;&amp;"),
        ("\x00\x1b[31m\x7f", "␀␛[31m␡"),
        ("a\x85\u202eb\u202d", "a\ufffd\ufffdb\ufffd"),
        ("tab\tline\r\nend \u200f\u2067\u05e9\u05dc\u2069", "tab\tline\r\nend \u200f\u2067\u05e9\u05dc\u2069"),
    ],
)
def test_every_value_is_escaped_and_printable(text: str, expected: str) -> None:
    assert expected == rendered("{{ text }}", text=text)
    # Escaped first, as when a macro returns it or texts are joined.
    assert expected == rendered("{% macro same(x) %}{{ x }}{% endmacro %}{{ same(text) }}", text=text)
    assert f"{expected}<br>" == rendered("{{ text ~ ('<br>' | safe) }}", text=text)


def test_a_page_is_escaped_and_printable_in_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_BUFFERED", 4096)
    hostile = "<i>\x1b\u202e"
    sections: list[Any] = [(hostile, [(hostile, hostile)] * 300, [], [(hostile, hostile)], [])]
    page = {"title": hostile, "sections": sections, "totals": lambda: hostile}
    pieces = list(environment.generate("conversations.html.jinja", **page))
    assert len(pieces) > 3
    assert "".join(pieces) == environment.render("conversations.html.jinja", **page)
    assert 605 == "".join(pieces).count("&lt;i&gt;␛\ufffd")
    assert not re.search("[\x1b\u202e]|<i>", "".join(pieces))


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="titel"):
        rendered("{{ titel }}")
    assert environment.environment().undefined is StrictUndefined


@pytest.mark.parametrize("name", _TEMPLATES)
def test_templates_compile_and_switch_no_escaping_off(name: str) -> None:
    templates = environment.environment()
    templates.get_template(name)
    assert templates.loader is not None
    source, _, _ = templates.loader.get_source(templates, name)
    if name.startswith("browser/"):  # what `chatledger serve` shows has one script of its own
        source = source.replace('<script src="/static/browser.js" defer></script>', "")
    assert not re.search(r"\|\s*safe\b|autoescape|<script|style=|https?:", source)


def test_the_policy_allows_the_stylesheet_and_nothing_else() -> None:
    digest = base64.b64encode(hashlib.sha256(environment.STYLESHEET.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in environment.CONTENT_SECURITY_POLICY
    assert environment.CONTENT_SECURITY_POLICY.startswith("default-src 'none'; ")
    assert not re.search(r"url\(|@import|</", environment.STYLESHEET)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ value | dollars }}", "$1,234.50"),
        ("{{ value | milliseconds }}", "1.2 s"),
        ("{{ 1234567 | integer }}", "1,234,567"),
        ("{{ 0.0512 | percent }}", "5.1%"),
        ("{{ 0.95 | percent(0) }}", "95%"),
        ("{{ 12.5 | change }}", "+1,250%"),
        ("{{ 0.00123456 | number }}", "0.001235"),
        ("{{ 2.5 | signed }}", "+2.5"),
        ("{{ 1200 | compact }}", "1.2k"),
        ("{{ 1 | counted('prompt') }}, {{ 1200 | counted('prompt') }}", "1 prompt, 1,200 prompts"),
        ("{{ none | dollars }}{{ none | integer }}{{ none | milliseconds }}{{ none | percent }}", "––––"),
    ],
)
def test_filters_format_numbers(source: str, expected: str) -> None:
    assert expected == rendered(source, value=Decimal("1234.5"))


@pytest.mark.parametrize(("amount", "expected"), [("0", "$0"), ("0.1", "$0.10"), ("0.00123", "$0.00123")])
def test_small_amounts_keep_their_digits(amount: str, expected: str) -> None:
    assert expected == filters.dollars(Decimal(amount))
