"""A chat loop with a pretend model.

    python examples/chat_loop.py [URL]      type, or pipe lines in; an empty line ends

The question is stored before the model is asked, and the answer when it is there. Nothing is locked in between, and a
question whose answer never came is still in the ledger.
"""

from __future__ import annotations

import sys
import time

from chatledger import Ledger, Message


def pretend_model(history: list[Message]) -> str:
    """Stands for a call to a model."""
    said = sum(message.role == "user" for message in history)
    return f"You have said {said} thing(s); the last was {history[-1].content!r}."


def main(url: str = "sqlite:///example.db") -> None:
    with Ledger(url) as ledger:
        chat = ledger.create(user_id="ada", title="Chat loop", model_id="pretend-1")
        for line in sys.stdin:
            if not line.strip():
                break
            print(turn(ledger, chat.session_id, line.strip()))
        with ledger.read() as uow:
            print(f"session {chat.session_id}: {uow.sessions.get(chat.session_id).message_count} messages")


def turn(ledger: Ledger, session_id: str, question: str) -> str:
    """A question and its answer."""
    ledger.append(session_id, "user", question)
    with ledger.read() as uow:
        history = uow.messages.history(session_id, last=20)
    began = time.perf_counter()
    answer = pretend_model(history)
    took = round((time.perf_counter() - began) * 1000)
    ledger.append(session_id, "assistant", answer, duration_ms=took)
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
