"""Anthropic's client: a tool call, and an answer that is stored while it streams.

    pip install anthropic
    ANTHROPIC_API_KEY=… python examples/anthropic_client.py [URL]

`ANTHROPIC_BASE_URL` names another server with the same API.
"""

from __future__ import annotations

import sys
from typing import Any

from anthropic import Anthropic

from chatledger import Ledger, NewMessage, to_anthropic
from chatledger.exchange import read_usage

MODEL = "claude-haiku-4-5"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"name": "get_weather", "input_schema": CITY}]


def get_weather(city: str) -> str:
    """Stands for a tool."""
    return f"21 °C and dry in {city}"


def conversation(ledger: Ledger, session_id: str) -> Any:
    """The newest whole turns that fit, as arguments of the API: `system`, if there is any, and `messages`."""
    return to_anthropic(ledger.history(session_id, max_tokens=8000, include_unfinished=False))


def main(url: str = "sqlite:///example.db") -> None:
    client = Anthropic()
    with Ledger(url) as ledger:
        chat = ledger.create(user_id="ada", title="What to pack", model_id=MODEL)
        ledger.append(chat.session_id, "user", "What should I pack for Lisbon?")

        reply = client.messages.create(
            model=MODEL, max_tokens=500, tools=TOOLS, **conversation(ledger, chat.session_id)
        )
        blocks = [block.model_dump(exclude_none=True) for block in reply.content]
        said = NewMessage.from_anthropic({"role": "assistant", "content": blocks})
        columns = {"model_id": reply.model, **read_usage(reply.usage)}
        stored = ledger.append_many(chat.session_id, [said[0].model_copy(update=columns), *said[1:]])
        for call in (call for message in stored for call in message.tool_calls):
            result = get_weather(**call.arguments)
            ledger.append(chat.session_id, "tool", result, name=call.name, tool_call_id=call.id)

        with (
            ledger.stream(chat.session_id, "assistant", model_id=MODEL) as answer,
            client.messages.stream(
                model=MODEL, max_tokens=500, tools=TOOLS, **conversation(ledger, chat.session_id)
            ) as stream,
        ):
            for piece in stream.text_stream:
                answer.write(piece)
            answer.set(**read_usage(stream.get_final_message().usage))
        if last := answer.message:
            print(f"{last.content} ({last.outcome}, {last.output_tokens} tokens)")
        print([message.role.value for message in ledger.history(chat.session_id)])


if __name__ == "__main__":
    main(*sys.argv[1:])
