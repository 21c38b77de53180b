"""The frame of a page: everything in one file, no script, nothing from the network, every text escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence

from chatledger.exchange.html import safe
from chatledger.exchange.html_style import STYLE

_MORE = """
main{max-width:62rem}
h2{font-size:1.15rem;margin:2rem 0 .5rem;overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}
th,td{padding:.3rem .8rem .3rem 0;text-align:start;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
th{color:var(--soft);font-weight:600}
figure{margin:1rem 0;color:var(--ink)}
figure svg{max-width:100%;height:auto}
figcaption{font-size:.85rem;color:var(--soft)}
"""
_STYLE = STYLE + _MORE
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'"


def page(title: str, parts: Iterable[str]) -> str:
    """A page of parts that are HTML already."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n<meta name="generator" content="chatledger">\n'
        f"<title>{safe(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1 dir="auto">{safe(title)}</h1>\n{"".join(parts)}</main>\n</body>\n</html>\n'
    )


def heading(text: str) -> str:
    return f'<h2 dir="auto">{safe(text)}</h2>\n'


def paragraph(text: str) -> str:
    return f'<p dir="auto">{safe(text)}</p>\n'


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts."""
    head = "".join(f"<th>{safe(name)}</th>" for name in headers)
    body = "".join("<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'
