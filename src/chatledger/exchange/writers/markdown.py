"""Exports to read as text.

What was said stands in quotes: a heading or an unclosed fence in it cannot be taken for the document's own. Its
Markdown is kept, without what a renderer would run or load: HTML, images and links are escaped, and read as they were
written. Fenced code is fenced again, and names a language only when no renderer draws or runs it. Names and titles are
escaped. Everything else is fenced, by more backticks than it holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, TextIO

from chatledger.exchange.writers.conversations import Conversations
from chatledger.exchange.writers.presentation import facts, pretty_json, take_apart, timestamp, usage_labels
from chatledger.schemas import Message, Session

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&-])")
_LINE = re.compile(r"\r\n|\r|\n")
# What begins something live in Markdown: HTML and autolinks, links and images, references, attributes and templates of
# some renderers, and fences that are not ours.
_LIVE = re.compile(r"([<\\\[\]]|\{(?=[:{%#.=])|&(?=#|\w+;)|`(?=``)|~(?=~~))")
# Not every renderer takes a backslash for these.
_ENTITIES = {"<": "&lt;", "&": "&amp;"}
# What is live in code, if a renderer does not know fences.
_LIVE_IN_CODE = re.compile(r"<[A-Za-z/!?]|\]\(|\]:|!\[")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`\s]*)[^`]*")
# Languages of code that renderers colour and do nothing else with; others draw diagrams or run scripts.
_LANGUAGES = {
    "bash", "c", "cpp", "csharp", "css", "diff", "dockerfile", "go", "html", "ini", "java", "javascript", "js",
    "json", "kotlin", "lua", "makefile", "perl", "php", "powershell", "py", "python", "r", "ruby", "rust", "scala",
    "sh", "shell", "sql", "swift", "toml", "ts", "typescript", "xml", "yaml", "yml", "zsh",
}  # fmt: skip
_RUN = re.compile(r"`+")


def write_markdown(out: TextIO, conversations: Conversations) -> None:
    """Write a heading for each session and, below it, one for each message."""
    for number, (session, messages) in enumerate(conversations):
        out.write("---\n\n" if number else "")
        out.write("".join(_session(session)))
        for message in messages:
            out.write("".join(_message(message)))


def _session(session: Session) -> Iterator[str]:
    yield f"# {inline(session.title or 'Untitled conversation')}\n\n"
    yield "".join(f"- {name}: {code(value)}\n" for name, value in facts(session)) + "\n"
    if session.system_prompt:
        yield f"## system prompt\n\n{said(session.system_prompt)}\n\n"
    yield from _value("context", session.context or None)
    yield from _value("metadata", session.metadata or None)


def _message(message: Message) -> Iterator[str]:
    heading = [str(message.sequence_number), message.role.value]
    heading += [inline(message.name)] if message.name else []
    heading += ["hidden"] if message.hidden else []
    yield f"## {' · '.join([*heading, timestamp(message.created_at)])}\n\n"
    parts = take_apart(message)
    for thought in parts.reasoning:
        yield f"reasoning:\n\n{said(thought)}\n\n"
    if parts.text:
        yield f"{said(parts.text)}\n\n"
    if message.tool_call_id:
        yield f"answers {code(message.tool_call_id)}\n\n"
    for call in parts.calls:
        call_id = f" ({code(call.call_id)})" if call.call_id else ""
        yield f"calls {code(call.name)}{call_id}\n\n{fenced(call.arguments, 'json')}\n\n"
    yield from _value("payload", parts.payload)
    yield from _value("metadata", message.metadata or None)
    if usage := usage_labels(message):
        yield f"{inline(' · '.join(usage))}\n\n"


def _value(name: str, value: Any) -> Iterator[str]:
    if value is not None:
        yield f"{name}:\n\n{fenced(pretty_json(value), 'json')}\n\n"


def said(text: str) -> str:
    """A text in quotes, in which nothing is live.

    Fences are written again on their own level, because a renderer may see other ones than we do (in a list, for
    example), and would then take for text what we take for code.
    """
    blocks = []
    for language, part in _fenced_parts(text):
        if language is None:
            blocks.append(_LIVE.sub(_escaped, part.strip("\r\n")))
        else:
            blocks.append(fenced(part, language if language.lower() in _LANGUAGES else ""))
    return quote("\n\n".join(block for block in blocks if block))


def _fenced_parts(text: str) -> Iterator[tuple[str | None, str]]:
    """The parts of a text between and within its code fences, with the language of code; None for other text."""
    lines: list[str] = []
    fence: str | None = None
    language = ""
    for line in _LINE.split(text):
        mark = _FENCE.fullmatch(line)
        if fence is None and mark is not None:
            yield None, "\n".join(lines)
            lines, fence, language = [], mark[1], mark[2]
        elif fence is not None and mark is not None and mark[1].startswith(fence) and not mark[2]:
            yield language, "\n".join(lines)
            lines, fence = [], None
        else:
            lines.append(line)
    yield (None if fence is None else language), "\n".join(lines)


def quote(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in _LINE.split(text))


def fenced(text: str, language: str = "") -> str:
    """A block of code, whatever is in it. Code with something live is indented, too: some renderers know no fences."""
    fence = "`" * max(3, _longest_run(text) + 1)
    if _LIVE_IN_CODE.search(text):
        text = "\n".join(["", *(f"    {line}" if line else "" for line in _LINE.split(text)), ""])
    return f"{fence}{language}\n{text}\n{fence}"


def code(text: str) -> str:
    """Code within a line. Line ends become spaces."""
    text = _one_line(text)
    marks = "`" * (_longest_run(text) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{space}{text}{space}{marks}"


def inline(text: str) -> str:
    """Text within a line, with nothing in it that Markdown reads."""
    return _SPECIAL.sub(_escaped, _one_line(text))


def _escaped(mark: re.Match[str]) -> str:
    return _ENTITIES.get(mark[1], f"\\{mark[1]}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN.findall(text)), default=0)
