"""The commands that scripts around older chat stores call, as thin entries to ours."""

from __future__ import annotations

import sys
from typing import NoReturn

from chatledger.cli import main


def chat_init() -> NoReturn:
    """`chat-init …` is `chatledger create …`."""
    main(["chat-init", *sys.argv[1:]])


def chat_history() -> NoReturn:
    """`chat-history …` is `chatledger history …`."""
    main(["chat-history", *sys.argv[1:]])


def chat_cleanup() -> NoReturn:
    """`chat-cleanup …` is `chatledger cleanup …`."""
    main(["chat-cleanup", *sys.argv[1:]])
