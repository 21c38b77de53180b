"""Records in which messages answer one another, as conversations with forks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from chatledger.errors import InvalidInput
from chatledger.exchange.formats import Format
from chatledger.exchange.readers import oasst
from chatledger.exchange.readers.apps import chatgpt, claude, librechat, open_webui
from chatledger.exchange.readers.branching import Branching
from chatledger.exchange.readers.conversation import Conversation
from chatledger.exchange.readers.json_file import Piece
from chatledger.exchange.report import Failure

_READERS: dict[Format, Callable[[Any], Branching]] = {
    Format.CHATGPT: chatgpt.branching,
    Format.CLAUDE: claude.branching,
    Format.OPEN_WEBUI: open_webui.branching,
    Format.LIBRECHAT: librechat.branching,
    Format.OASST: oasst.branching,
}
FORMATS = frozenset(_READERS)


def conversations(chosen: Format, pieces: Iterable[Piece]) -> Iterator[Conversation | Failure]:
    """The conversations of a file in one of these formats, one for each record."""
    for piece in pieces:
        try:
            # Ids are names of fields in some of these: two messages with one id would be one.
            conversation = _READERS[chosen](piece.value(unique=True)).conversation(piece)
            assert conversation is not None  # as without a way to lead through
            yield conversation
        except InvalidInput as error:
            yield Failure(record=piece.number, line=piece.line, reason=str(error))
