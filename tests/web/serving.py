"""The application that the server tests run: `python -m tests.web.serving FD`, with the URL in the environment.

The question says how it is answered: "hang" never ends after two pieces; "crowd N" says its last piece when N answers
have begun.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

_begun: Counter[str] = Counter()
_all_there: dict[str, asyncio.Event] = {}


async def answer(turn: Any) -> AsyncIterator[str]:
    question = turn.question.content
    yield "Lis"
    if question == "hang":
        yield "bon"
        await asyncio.Event().wait()
    if question.startswith("crowd"):
        there = _all_there.setdefault(question, asyncio.Event())
        _begun[question] += 1
        if _begun[question] == int(question.split()[1]):
            there.set()
        await there.wait()
    yield "bon"


def main(descriptor: int) -> None:
    import uvicorn
    from fastapi import FastAPI, Header

    from chatledger.web import chat_router, lifespan

    async def current_user(x_user: str | None = Header(None)) -> str | None:
        return x_user

    app = FastAPI(lifespan=lifespan)
    app.include_router(chat_router(user=current_user, answer=answer))
    uvicorn.run(app, fd=descriptor, log_level="warning", lifespan="on", http="h11")


if __name__ == "__main__":
    main(int(sys.argv[1]))
