"""Exports to look at: one HTML file that needs nothing else and runs nothing.

Everything stored passes `safe`, ids and names of tools too, and the page's policy forbids whatever would slip through.
"""

from __future__ import annotations

from html import escape
from typing import Any, TextIO

from chatledger.exchange.report import ExportReport
from chatledger.exchange.writers.html_style import POLICY, STYLE
from chatledger.exchange.writers.presentation import Call, facts, figures, is_data, moment, parts, pretty, shown
from chatledger.schemas import Message, Session

# Controls other than tab and line end become their pictures; HTML has no place for them.
_CONTROLS = {code: 0x2400 + code for code in range(32) if code not in (9, 10, 13)} | {127: 0x2421}
_UNTITLED = "Untitled conversation"


class Html:
    """A section for each session, a card for each message."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._sessions = 0

    def begin(self, only: Session | None) -> None:
        title = "Conversations" if only is None else (only.title or _UNTITLED)
        self._out.write(
            "<!DOCTYPE html>\n"
            '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta name="referrer" content="no-referrer">\n<meta name="generator" content="chatledger">\n'
            f"<title>{safe(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        )

    def open(self, session: Session) -> None:
        self._sessions += 1
        said = "".join(f'<div><dt>{name}</dt><dd dir="auto">{safe(value)}</dd></div>' for name, value in facts(session))
        self._out.write(
            f'<section class="session">\n<h1 dir="auto">{safe(session.title or _UNTITLED)}</h1>\n'
            f'<dl class="facts">{said}</dl>\n'
        )
        if session.system_prompt:
            self._out.write(
                '<article class="message system"><header><b class="role">system prompt</b></header>'
                f"{prose(session.system_prompt)}</article>\n"
            )
        for name, value in (("context", session.context), ("metadata", session.metadata)):
            if value:
                self._out.write(f"<details><summary>{name}</summary>{block(pretty(value))}</details>\n")

    def message(self, message: Message) -> None:
        part = shown(message)
        role = message.role.value
        place = f"s{self._sessions}m{message.sequence_number}"
        name = f'<span dir="auto">{safe(message.name)}</span>' if message.name else ""
        self._out.write(
            f'<article class="message {role}" id="{place}"><header><b class="role">{role}</b>{name}'
            f'<a class="number" href="#{place}">#{message.sequence_number}</a>'
            f'<time datetime="{message.created_at.isoformat()}">{moment(message.created_at)}</time></header>'
        )
        if message.tool_call_id:
            self._out.write(f'<p class="label">answers <code class="id">{safe(message.tool_call_id)}</code></p>')
        if part.text:
            self._out.write(block(part.text) if is_data(message) else prose(part.text))
        for call in part.calls:
            self._out.write(_call(call))
        for label, value in (("payload", part.payload), ("metadata", message.metadata or None)):
            if value is not None:
                self._out.write(f'<p class="label">{label}</p>{block(pretty(value))}')
        if said := figures(message):
            self._out.write(f"<footer>{safe(' · '.join(said))}</footer>")
        self._out.write("</article>\n")

    def close(self) -> None:
        self._out.write("</section>\n")

    def end(self, report: ExportReport) -> None:
        sessions = "1 conversation" if report.sessions == 1 else f"{report.sessions:,} conversations"
        messages = "1 message" if report.messages == 1 else f"{report.messages:,} messages"
        self._out.write(f"<footer>{sessions}, {messages}</footer>\n</main>\n</body>\n</html>\n")


def safe(text: Any) -> str:
    """Text that HTML shows as it is, between tags or in a quoted attribute."""
    return escape(str(text).translate(_CONTROLS))


def prose(text: str) -> str:
    """What was said: fenced code as code, the rest with its line ends, in the direction of each paragraph."""
    return "".join(
        block(part) if is_code else f'<div class="text" dir="auto">{safe(part.strip(chr(10)))}</div>'
        for is_code, part in parts(text)
        if part.strip()
    )


def block(text: str) -> str:
    # A line end right behind the tag is not shown, so that one that belongs to the text would be lost.
    return f'<pre dir="ltr">\n{safe(text)}</pre>'


def _call(call: Call) -> str:
    call_id = f' <code class="id">{safe(call.call_id)}</code>' if call.call_id else ""
    return f'<p class="label">calls <code>{safe(call.name)}</code>{call_id}</p>{block(call.arguments)}'
