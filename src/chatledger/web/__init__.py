"""FastAPI: `pip install 'chatledger[web]'`.

    from fastapi import FastAPI
    from chatledger.web import chat_router, lifespan

    app = FastAPI(lifespan=lifespan("sqlite:///chat.db"))
    app.include_router(chat_router(user=current_user, answer=answer), prefix="/chat")

The router has everything that a chat needs. For handlers of your own there are dependencies: `reading`, `writing` and
`user_ledger`.
"""

from __future__ import annotations

from chatledger.errors import MissingExtra

try:
    import fastapi  # noqa: F401 - looked for, so that the modules below need not
except ImportError:
    raise MissingExtra("web", "a router for FastAPI") from None

from chatledger.web.answers import Answer, Turn
from chatledger.web.bodies import Fork, Question, SessionToChange, SessionToCreate, WrittenMessage
from chatledger.web.dependencies import current_ledger, reading, user_ledger, writing
from chatledger.web.opening import lifespan
from chatledger.web.problems import Problem, install_problem_handlers, problem_of
from chatledger.web.router import chat_router

__all__ = [
    "Answer",
    "Fork",
    "Problem",
    "Question",
    "SessionToChange",
    "SessionToCreate",
    "Turn",
    "WrittenMessage",
    "chat_router",
    "current_ledger",
    "install_problem_handlers",
    "lifespan",
    "problem_of",
    "reading",
    "user_ledger",
    "writing",
]
