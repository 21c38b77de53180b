"""LiteLLM, which calls many providers with OpenAI's messages: an answer that is stored while it streams.

pip install litellm
OPENAI_API_KEY=… python examples/litellm_client.py [URL]
"""

from __future__ import annotations

import asyncio
import sys

import litellm

from chatledger import AsyncLedger
from chatledger.exchange import read_usage

MODEL = "openai/gpt-5-mini"


async def main(url: str = "sqlite:///example.db") -> None:
    async with AsyncLedger(url) as ledger:
        chat = await ledger.create(user_id="ada", title="What to pack", model_id=MODEL)
        await ledger.append(chat.session_id, "user", "What should I pack for Lisbon?")

        history = await ledger.history(chat.session_id, max_tokens=8000, include_unfinished=False)
        async with ledger.stream(chat.session_id, "assistant", model_id=MODEL) as answer:
            chunks = await litellm.acompletion(
                model=MODEL,
                messages=[message.to_openai() for message in history],
                stream=True,
                stream_options={"include_usage": True},
            )
            async for chunk in chunks:
                for choice in chunk.choices:
                    await answer.write(choice.delta.content or "")
                if (usage := getattr(chunk, "usage", None)) is not None:
                    answer.set(**read_usage(usage))
        if stored := answer.message:
            print(f"{stored.content} ({stored.outcome}, {stored.output_tokens} tokens)")
        print([message.role.value for message in await ledger.history(chat.session_id)])


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
