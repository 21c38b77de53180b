"""A session as a file."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from typing import IO, Any, cast
from urllib.parse import quote

from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.exchange import export_sessions
from chatledger.exchange.formats import ExportFormat

_IN_MEMORY = 1024 * 1024
_CHUNK = 256 * 1024
_MEDIA_TYPES = {
    ExportFormat.JSON: "application/json",
    ExportFormat.JSONL: "application/x-ndjson",
    ExportFormat.MARKDOWN: "text/markdown; charset=utf-8",
    ExportFormat.HTML: "text/html; charset=utf-8",
    ExportFormat.OPENAI: "application/x-ndjson",
    ExportFormat.SHAREGPT: "application/x-ndjson",
}
_ENDINGS = {ExportFormat.MARKDOWN: "md", ExportFormat.OPENAI: "jsonl", ExportFormat.SHAREGPT: "jsonl"}


async def export(ledger: AsyncUserLedger, session_id: str, format: ExportFormat) -> StreamingResponse:
    """The response with a session as a file.

    It is written to a temporary file first: an error is still a status then, and a slow client holds no snapshot.

    Raises:
        SessionNotFound: no such session, or it belongs to another user.
    """
    file = await ledger._call(lambda inner: _written(inner, session_id, format))
    ending = _ENDINGS.get(format, format.value)
    headers = {
        "content-disposition": f"attachment; filename*=utf-8''{quote(session_id, safe='')}.{ending}",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(
        _chunks(file), media_type=_MEDIA_TYPES[format], headers=headers, background=BackgroundTask(file.close)
    )


def _written(ledger: Any, session_id: str, format: ExportFormat) -> IO[bytes]:
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    try:
        text = io.TextIOWrapper(cast("IO[bytes]", file), "utf-8", newline="")
        export_sessions(ledger, text, format=format, session_ids=[session_id])
        text.flush()
        text.detach()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return cast("IO[bytes]", file)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        file.close()
