"""No renderer runs or loads anything of what an export as Markdown quotes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from importlib import import_module
from typing import Any

import pytest
from markdown_it import MarkdownIt

from chatledger import Ledger, reasoning, tool_call
from chatledger.exchange import ExportFormat
from chatledger.exchange.writers.markdown import inline, said
from tests.exchange.files import exported

_classic = import_module("markdown").markdown  # comes with MkDocs, untyped
RENDERERS: dict[str, Any] = {
    "commonmark": MarkdownIt("commonmark").render,
    "github": MarkdownIt("gfm-like", {"linkify": False}).render,
    "classic": _classic,
    "extended": lambda text: _classic(text, extensions=["extra", "fenced_code", "attr_list", "md_in_html"]),
}
"""Renderers with and without fences, each with HTML left live."""
LIVE = [
    "<script>alert(1)</script>",
    "Hi <img src=x onerror=alert(1)> there",
    "![pixel](https://evil.example/p.png)",
    "[click](javascript:alert(1))",
    "[click][1]\n\n[1]: javascript:alert(1)",
    "<javascript:alert(1)>",
    "<https://evil.example>",
    "![a][b]\n\n[b]: https://evil.example/p.png 'x'",
    "\\<script>alert(1)</script>",
    "\\\\<script>alert(1)</script>\\[a](javascript:alert(1))",
    "`a\n`<script>alert(1)</script>`",
    "text {: onclick=alert(1) }",
    "- ```\n  x\n\n<script>alert(1)</script>",
    "- x\n  ```\nfoo <script>alert(1)</script>\n  ```",
    "```\n</code></pre><script>alert(1)</script>\n\n<script>alert(1)</script>\n```",
    "~~~html\n\n<img src=x onerror=alert(1)>\n~~~\n![p](https://evil.example/p.png)",
    "````\n```\n<script>alert(1)</script>\n````",
    "```\nunclosed <script>alert(1)</script>\n\n<script>alert(1)</script>",
    "    indented <script>alert(1)</script>",
    "1. a\n\n       ```\n\n<script>alert(1)</script>",
    "&lt;script&gt; &#60;script>",
    "<!-- --><iframe src=//evil.example></iframe>",
    "`<b>`{=html}",
    "> quoted\n<script>alert(1)</script>",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    "Setext <b\n===\nonmouseover=alert(1)>x</b>",
    "<div\n\n<script>alert(1)</script>",
    "*[HTML]: x\n\n[^1]\n\n[^1]: <script>alert(1)</script>",
]
_HARMLESS = {
    "blockquote", "p", "pre", "code", "em", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "br", "hr",
    "table", "thead", "tbody", "tr", "th", "td", "del", "s", "dl", "dt", "dd",
}  # fmt: skip


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.live: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wrong = [name for name, _ in attrs if name not in ("class", "start", "style")]
        if tag not in _HARMLESS or wrong:
            self.live.append(f"<{tag} {wrong}>")

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(renderer: str, text: str) -> _Page:
    page = _Page()
    page.feed(RENDERERS[renderer](text))
    page.close()
    return page


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("text", LIVE)
def test_nothing_that_was_said_is_live(renderer: str, text: str) -> None:
    assert [] == rendered(renderer, said(text)).live
    assert [] == rendered(renderer, f"# {inline(text)}").live


def test_a_renderer_would_run_it() -> None:
    assert 20 < len([text for text in LIVE if any(rendered(renderer, text).live for renderer in RENDERERS)])


@pytest.mark.parametrize("renderer", ["commonmark", "classic"])
def test_what_was_said_can_be_read(renderer: str) -> None:
    for text in ("a < b & c > d [1] {x} \\ &lt;", "<script>alert(1)</script>", "![p](https://x.example/p.png)"):
        assert re.sub(r"\s", "", text) == re.sub(r"\s", "", rendered(renderer, said(text)).text)


def test_its_markdown_is_kept() -> None:
    text = "# Plan\n\n- **one**\n- two\n\n```python\nif a < 1:\n    print('x')\n```\n\n```mermaid\ngraph\n```"
    expected = "# Plan\n\n- **one**\n- two\n\n```python\nif a < 1:\n    print('x')\n```\n\n```\ngraph\n```"
    assert expected == said(text).replace("> ", "").replace(">\n", "\n")


def test_an_export_is_safe_as_a_whole(ledger: Ledger) -> None:
    text = "\n\n".join(LIVE)
    with ledger.begin() as uow:
        uow.sessions.create("<b>s</b>", title=LIVE[1], system_prompt=text, context={"a": text}, user_id="<i>u</i>")
        uow.messages.append(
            "<b>s</b>", "assistant", text, name="<u>n</u>", metadata={"m": text}, tool_call_id="`<b>`", model_id="<b>",
            payload={"reasoning": [reasoning(text)], "tool_calls": [tool_call("<b>", text)], "other": text},
        )  # fmt: skip
    document = exported(ledger, ExportFormat.MARKDOWN)
    for renderer in RENDERERS:
        assert [] == rendered(renderer, document).live
    assert "reasoning:" in document
