"""The shape of a web application, without a framework: requests of several users at once.

    python examples/web_app.py [URL]

One AsyncLedger serves the whole application. Each request sees it as its user does, so no handler has to check whose
session it was asked for: another user's is not found.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field
from typing import Any

from chatledger import AsyncLedger, Busy, InvalidInput, NotFound


@dataclass(frozen=True)
class Request:
    """What a framework hands to a handler."""

    user_id: str
    action: str
    arguments: dict[str, Any] = field(default_factory=dict)


class Application:
    def __init__(self, ledger: AsyncLedger) -> None:
        self._ledger = ledger

    async def handle(self, request: Request) -> tuple[int, Any]:
        """A status and a body. The few errors of the ledger become the few statuses of the web."""
        try:
            return 200, await getattr(self, request.action)(request.user_id, **request.arguments)
        except NotFound as error:
            return 404, str(error)
        except InvalidInput as error:
            return 422, str(error)
        except Busy:
            return 503, "try again"

    async def start(self, user_id: str, title: str) -> str:
        async with self._ledger.for_user(user_id).begin() as uow:
            return (await uow.sessions.create(title=title)).session_id

    async def say(self, user_id: str, session_id: str, text: str, request_id: str) -> int:
        message = await self._ledger.for_user(user_id).run(
            lambda uow: uow.messages.append(session_id, "user", text, key=request_id)
        )
        return message.sequence_number

    async def read(self, user_id: str, session_id: str, last: int = 50) -> list[str]:
        async with self._ledger.for_user(user_id).read() as uow:
            return [message.content for message in await uow.messages.history(session_id, last=last)]

    async def find(self, user_id: str, text: str) -> list[str]:
        async with self._ledger.for_user(user_id).read() as uow:
            return [hit.snippet for hit in await uow.search.messages(text)]


async def serve(url: str) -> None:
    async with AsyncLedger(url, preset="web") as ledger:
        handle = Application(ledger).handle
        _, ada = await handle(Request("ada", "start", {"title": "Trip"}))
        _, lin = await handle(Request("lin", "start", {"title": "Dinner"}))
        said = [
            handle(Request(user, "say", {"session_id": session, "text": f"thought {n}", "request_id": f"{user}-{n}"}))
            for n in range(20)
            for user, session in (("ada", ada), ("lin", lin))
        ]
        print("said by two users at once:", len(await asyncio.gather(*said)))
        # A browser sends a request again: the message is there once.
        again = Request("ada", "say", {"session_id": ada, "text": "thought 0", "request_id": "ada-0"})
        print("again:", (await handle(again))[0])
        status, thoughts = await handle(Request("ada", "read", {"session_id": ada}))
        print("ada reads hers:", status, len(thoughts))
        print("lin reads ada's:", (await handle(Request("lin", "read", {"session_id": ada})))[0])
        print("a wrong request:", (await handle(Request("lin", "read", {"session_id": lin, "last": -1})))[0])


def main(url: str = "sqlite:///example.db") -> None:
    asyncio.run(serve(url))


if __name__ == "__main__":
    main(*sys.argv[1:])
