"""OpenAI's client: a tool call, and an answer that is stored while it streams.

    pip install openai
    OPENAI_API_KEY=… python examples/openai_client.py [URL]

`OPENAI_BASE_URL` names another server with the same API.
"""

from __future__ import annotations

import sys
from typing import Any

from openai import OpenAI

from chatledger import Ledger, NewMessage
from chatledger.exchange import read_usage

MODEL = "gpt-5-mini"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]


def get_weather(city: str) -> str:
    """Stands for a tool."""
    return f"21 °C and dry in {city}"


def conversation(ledger: Ledger, session_id: str) -> Any:
    """The newest whole turns that fit, as the API takes them."""
    return [message.to_openai() for message in ledger.history(session_id, max_tokens=8000, include_unfinished=False)]


def main(url: str = "sqlite:///example.db") -> None:
    client = OpenAI()
    with Ledger(url) as ledger:
        chat = ledger.create(user_id="ada", title="What to pack", model_id=MODEL)
        ledger.append(chat.session_id, "user", "What should I pack for Lisbon?")

        reply = client.chat.completions.create(model=MODEL, messages=conversation(ledger, chat.session_id), tools=TOOLS)
        said = NewMessage.from_openai(reply.choices[0].message.model_dump(exclude_none=True))
        (call_message,) = ledger.append_many(
            chat.session_id, [said.model_copy(update={"model_id": reply.model, **read_usage(reply.usage)})]
        )
        for call in call_message.tool_calls:
            result = get_weather(**call.arguments)
            ledger.append(chat.session_id, "tool", result, name=call.name, tool_call_id=call.id)

        with ledger.stream(chat.session_id, "assistant", model_id=MODEL) as answer:
            for chunk in client.chat.completions.create(
                model=MODEL,
                messages=conversation(ledger, chat.session_id),
                stream=True,
                stream_options={"include_usage": True},
            ):
                for choice in chunk.choices:
                    answer.write(choice.delta.content or "")
                if chunk.usage is not None:
                    answer.set(**read_usage(chunk.usage))
        if stored := answer.message:
            print(f"{stored.content} ({stored.outcome}, {stored.output_tokens} tokens)")
        print([message.role.value for message in ledger.history(chat.session_id)])


if __name__ == "__main__":
    main(*sys.argv[1:])
