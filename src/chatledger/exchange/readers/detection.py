"""Which format a file has, by what its first records look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.exchange.formats import KNOWN, Format
from chatledger.exchange.readers import branched_records, ledger_lines, oasst, records
from chatledger.exchange.readers.agents import claude_code, codex, gemini_cli, opencode
from chatledger.exchange.readers.apps import ai_studio, chatgpt, claude, librechat, open_webui
from chatledger.exchange.readers.conversation import Conversation, StateLine
from chatledger.exchange.readers.json_file import PlainFile
from chatledger.exchange.report import Failure

# Records that are looked at until one can be read.
_TRIED = 50

# The most particular first: sessions of ours, and others' conversations, may hold lists of messages with a role as well.
_LOOKS_LIKE: dict[Format, Callable[[Any], bool]] = {
    Format.JSONL: ledger_lines.holds,
    Format.CLAUDE_CODE: claude_code.holds,
    Format.CODEX: codex.holds,
    Format.GEMINI_CLI: gemini_cli.holds,
    Format.OPENCODE: opencode.holds,
    Format.OPEN_WEBUI: open_webui.holds,
    Format.LIBRECHAT: librechat.holds,
    Format.AI_STUDIO: ai_studio.holds,
    Format.CHATGPT: chatgpt.holds,
    Format.CLAUDE: claude.holds,
    Format.OASST: oasst.holds,
    Format.ANTHROPIC: lambda value: records.holds(Format.ANTHROPIC, value),
    Format.GEMINI: lambda value: records.holds(Format.GEMINI, value),
    Format.AI_SDK: lambda value: records.holds(Format.AI_SDK, value),
    Format.OPENAI: lambda value: records.holds(Format.OPENAI, value),
    Format.SHAREGPT: lambda value: records.holds(Format.SHAREGPT, value),
}


class UnknownFormat(InvalidInput):
    """A file of JSON that is something else than conversations."""


def reader(
    file: PlainFile, wanted: Format, *, sure: bool = False
) -> tuple[Format, Iterator[Conversation | StateLine | Failure]]:
    """The format of a file (as wanted, or found out), and its conversations.

    With `sure` it must look like what is wanted.

    Raises:
        InvalidInput: none of the first records is JSON.
        UnknownFormat: they are of no known format.
    """
    found = _detected(file) if wanted is Format.AUTO or sure else wanted
    if wanted not in (Format.AUTO, found):
        raise UnknownFormat("file", f"is not {wanted}: it looks like {found}")
    if wanted is not Format.AUTO:
        _first_values(file)
    pieces = file.pieces()
    if found is Format.JSONL:
        return found, ledger_lines.conversations(pieces)
    if found in branched_records.FORMATS:
        return found, branched_records.conversations(found, pieces)
    if found is Format.CLAUDE_CODE:
        return found, claude_code.conversations(pieces, growing=file.is_growing)
    if found is Format.CODEX:
        return found, codex.conversations(pieces, growing=file.is_growing)
    if found is Format.GEMINI_CLI:
        return found, gemini_cli.conversations(pieces)
    if found is Format.OPENCODE:
        return found, opencode.conversations(pieces)
    if found is Format.AI_STUDIO:
        return found, ai_studio.conversations(pieces)
    return found, records.conversations(found, pieces)


def _detected(file: PlainFile) -> Format:
    for value in _first_values(file):
        for known, looks_like in _LOOKS_LIKE.items():
            if looks_like(value):
                return known
    raise UnknownFormat("file", f"is of none of the formats that are read: {KNOWN}")


def _first_values(file: PlainFile) -> list[Any]:
    """What the first readable records say. A list with nothing in it has none.

    Raises:
        InvalidInput: there are records, and none can be read.
    """
    values: list[Any] = []
    problem: InvalidInput | None = None
    for piece in islice(file.pieces(), _TRIED):
        try:
            values.append(piece.value())
        except InvalidInput as error:
            problem = problem or InvalidInput("file", f"cannot be read: its first record {error.reason}")
        if len(values) == 3:
            break
    if problem and not values:
        raise problem
    return values
