"""A server that speaks the APIs of OpenAI and Anthropic, for their own clients: it asks for a tool, then answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PIECES = ("Light ", "clothes ", "will do.")
ARGUMENTS = '{"city":"Lisbon"}'


class ModelServer(ThreadingHTTPServer):
    """`asked` are the bodies of the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def running() -> Iterator[ModelServer]:
    with ModelServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(body)
        anthropic = self.path.endswith("/messages")
        if body.get("stream"):
            self._send("text/event-stream", "".join(_anthropic_events() if anthropic else _openai_events()))
        else:
            self._send("application/json", json.dumps(_ANTHROPIC if anthropic else _OPENAI))

    def _send(self, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


_OPENAI_HEAD = {"id": "chatcmpl-1", "created": 1_777_626_000, "model": "gpt-5-mini-2026"}
_OPENAI_USAGE = {"prompt_tokens": 71, "completion_tokens": 18, "total_tokens": 89}
_OPENAI = {
    **_OPENAI_HEAD,
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
                ],
            },
        }
    ],
    "usage": _OPENAI_USAGE,
}
_ANTHROPIC_HEAD = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-2026"}
_ANTHROPIC_USAGE = {"input_tokens": 71, "output_tokens": 18}
_ANTHROPIC = {
    **_ANTHROPIC_HEAD,
    "content": [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": json.loads(ARGUMENTS)},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": _ANTHROPIC_USAGE,
}


def _openai_events() -> Iterator[str]:
    def event(choices: list[Any], **more: Any) -> str:
        return (
            f"data: {json.dumps({**_OPENAI_HEAD, 'object': 'chat.completion.chunk', 'choices': choices, **more})}\n\n"
        )

    yield event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    for piece in PIECES:
        yield event([{"index": 0, "delta": {"content": piece}, "finish_reason": None}])
    yield event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    yield event([], usage=_OPENAI_USAGE)
    yield "data: [DONE]\n\n"


def _anthropic_events() -> Iterator[str]:
    def event(kind: str, **more: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"

    head: dict[str, Any] = {**_ANTHROPIC_HEAD, "content": [], "stop_reason": None, "stop_sequence": None}
    yield event("message_start", message={**head, "usage": {"input_tokens": 71, "output_tokens": 1}})
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for piece in PIECES:
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 18})
    yield event("message_stop")
