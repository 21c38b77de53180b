"""A router with everything that a chat needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import Enum
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response

from chatledger.aio.user_ledger import AsyncUserLedger
from chatledger.callbacks import callback, required_callback
from chatledger.enums import Role, Status
from chatledger.errors import InvalidInput
from chatledger.exchange.formats import ExportFormat
from chatledger.schemas import ForkedSession, Message, Page, SearchHit, Session, SessionHit
from chatledger.services.pagination import decode_cursor, encode_cursor
from chatledger.unit_of_work import UnitOfWork
from chatledger.web import exports
from chatledger.web.answers import Answer, AnswerResponse, History, ask, recent_turns
from chatledger.web.bodies import Fork, Question, SessionToChange, SessionToCreate, WrittenMessage
from chatledger.web.dependencies import User, user_ledger
from chatledger.web.problems import ProblemRoute, documented

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="`next_cursor` of the page before")]
After = Annotated[int | None, Query(ge=0, le=2**53, description="The number of the last message that is known")]

_OLDER, _NEWER = "older messages", "newer messages"
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `question`, then `delta` for each piece, then `done` or `error`",
        "content": {
            "text/event-stream": {
                # Of each event.
                "schema": {
                    "type": "object",
                    "properties": {
                        "event": {"enum": ["question", "delta", "done", "error"]},
                        "data": {"type": "string", "contentMediaType": "application/json"},
                    },
                    "required": ["event", "data"],
                }
            }
        },
    }
}
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The session as a file",
        "content": {
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            **{kind: {"schema": {}} for kind in ("application/x-ndjson", "text/markdown", "text/html")},
        },
    }
}


def chat_router(
    *,
    user: User | None,
    answer: Answer | None = None,
    roles: Iterable[Role | str] = (Role.USER,),
    history: History | None = None,
    on_error: Callable[[Exception], object] | None = None,
    tags: list[str | Enum] | None = None,
) -> APIRouter:
    """Return a router that stores and serves chats: sessions, messages, search, forks, exports, and answers that stream.

        app = FastAPI(lifespan=lifespan("sqlite:///chat.db"))
        app.include_router(chat_router(user=current_user, answer=answer), prefix="/chat")

    `user` is a dependency of your application that returns the id of the user as text (None: 401). A user sees only their
    own sessions; those of others are 404. `user=None` is for an application with one user, who sees the whole ledger.

    `answer` is an async generator function that is called with a `Turn` and yields the answer, piece by piece. Without
    it, there is no route for answers. If it raises an exception, the outcome of the answer is `error`, and the client is
    told that it was cut off. `on_error` is called with the exception, which is not logged, because its text may contain
    messages.

    `history` is called with a unit of work and the question, and returns the messages for `Turn.messages`; by default the
    newest whole turns with at most 50 messages. It is synchronous and called in a worker thread. `roles` are the roles of
    messages that clients may append.

    Errors are problem details (RFC 9457) with the status of `problem_of`. Hidden messages are not listed. Responses have
    all other fields of a session and its messages, system prompt and payloads included: if clients must not see these,
    write handlers of your own.

    Raises:
        InvalidInput: an argument is not valid.
    """
    function: Any = answer
    if function is not None and (not callable(function) or inspect.iscoroutinefunction(function)):
        raise InvalidInput("answer", "must be an async generator function: `async def` with `yield`")
    allowed = _roles(roles)
    chosen_history = recent_turns if history is None else required_callback(history, "history")
    on_error = callback(on_error, "on_error")
    mine = user_ledger(user)
    router = APIRouter(route_class=ProblemRoute, responses=documented(), tags=["chats"] if tags is None else tags)

    @router.post("/sessions", status_code=201)
    async def create_session(body: SessionToCreate, response: Response, ledger: AsyncUserLedger = mine) -> Session:
        """Create a session."""
        created = await ledger.create(**body.model_dump())
        response.headers["location"] = f"sessions/{quote(created.session_id, safe='')}"
        return created

    @router.get("/sessions")
    async def list_sessions(
        ledger: AsyncUserLedger = mine,
        status: Annotated[list[Status] | None, Query()] = None,
        project_id: str | None = None,
        model_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[Session]:
        """List sessions by their last activity, newest first. Expired ones only if `status` names them."""
        return await ledger.view(
            lambda uow: uow.sessions.list(
                status=status, project_id=project_id, model_id=model_id, since=since, until=until, limit=limit,
                cursor=cursor,
            )
        )  # fmt: skip

    @router.get("/sessions/{session_id}")
    async def get_session(session_id: str, ledger: AsyncUserLedger = mine) -> Session:
        """Return a session."""
        return await ledger.view(lambda uow: uow.sessions.get(session_id))

    @router.patch("/sessions/{session_id}")
    async def change_session(session_id: str, body: SessionToChange, ledger: AsyncUserLedger = mine) -> Session:
        """Change the fields that are sent; null clears a field."""
        return await ledger.run(lambda uow: uow.sessions.update(session_id, **body.model_dump(exclude_unset=True)))

    @router.delete("/sessions/{session_id}", status_code=204)
    async def delete_session(session_id: str, ledger: AsyncUserLedger = mine) -> None:
        """Delete a session with its messages. One that is on hold is refused with 409."""
        await ledger.run(lambda uow: uow.sessions.delete(session_id))

    @router.post("/sessions/{session_id}/archive")
    async def archive_session(session_id: str, ledger: AsyncUserLedger = mine) -> Session:
        """Close a session. It takes no more messages until it is reopened."""
        return await ledger.run(lambda uow: uow.sessions.archive(session_id))

    @router.post("/sessions/{session_id}/reopen")
    async def reopen_session(session_id: str, ledger: AsyncUserLedger = mine) -> Session:
        """Reopen a closed session."""
        return await ledger.run(lambda uow: uow.sessions.reopen(session_id))

    @router.post("/sessions/{session_id}/fork", status_code=201)
    async def fork_session(
        session_id: str, response: Response, body: Fork | None = None, ledger: AsyncUserLedger = mine
    ) -> ForkedSession:
        """Copy a session, up to and with message `at`, into a new one."""
        wanted = body or Fork()
        forked = await ledger.run(
            lambda uow: uow.sessions.fork(
                session_id, at=wanted.at, new_session_id=wanted.session_id, title=wanted.title
            )
        )
        response.headers["location"] = f"../{quote(forked.session_id, safe='')}"
        return forked

    @router.get("/sessions/{session_id}/messages")
    async def list_messages(
        session_id: str,
        ledger: AsyncUserLedger = mine,
        after: After = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[Message]:
        """Return a page of messages in their order: the newest ones, and with `next_cursor` older ones.

        With `after`, the first messages behind that number, and with `next_cursor` newer ones. Hidden messages are left
        out, so that a page may have fewer than `limit`.
        """
        return await ledger.view(lambda uow: _messages(uow, session_id, after, limit, cursor))

    @router.post("/sessions/{session_id}/messages", status_code=201)
    async def append_message(session_id: str, body: WrittenMessage, ledger: AsyncUserLedger = mine) -> Message:
        """Append a message. With a `key`, it is stored once, however often it is sent."""
        if body.role not in allowed:
            raise InvalidInput("body.role", f"must be one of {', '.join(allowed)}")
        return await ledger.run(
            lambda uow: uow.messages.append(session_id, body.role, body.content, metadata=body.metadata, key=body.key)
        )

    @router.get("/sessions/{session_id}/export", responses=_FILE, response_class=Response)
    async def export_session(
        session_id: str, ledger: AsyncUserLedger = mine, format: ExportFormat = ExportFormat.JSONL
    ) -> Response:
        """Return a session with all messages, hidden ones included, as a file."""
        return await exports.export(ledger, session_id, format)

    @router.get("/search")
    async def search_messages(
        q: str,
        ledger: AsyncUserLedger = mine,
        session_id: str | None = None,
        role: Role | None = None,
        limit: Limit = 20,
        cursor: Cursor = None,
    ) -> Page[SearchHit]:
        """Find messages, best first. No query is an error."""
        return await ledger.view(
            lambda uow: uow.search.messages(q, session_id=session_id, role=role, limit=limit, cursor=cursor)
        )

    @router.get("/search/sessions")
    async def search_sessions(
        q: str, ledger: AsyncUserLedger = mine, limit: Limit = 20, cursor: Cursor = None
    ) -> Page[SessionHit]:
        """Find sessions by their title and messages, best first."""
        return await ledger.view(lambda uow: uow.search.sessions(q, limit=limit, cursor=cursor))

    if answer is not None:
        _add_answers(router, mine, answer, chosen_history, on_error)
    return router


def _add_answers(
    router: APIRouter, mine: Any, answer: Answer, history: History, on_error: Callable[[Exception], object] | None
) -> None:
    @router.post("/sessions/{session_id}/answer", responses=_EVENTS, response_class=Response)
    async def answer_question(
        session_id: str, body: Question, request: Request, ledger: AsyncUserLedger = mine
    ) -> Response:
        """Store a question of the user, and send the answer while it is written and stored.

        Events: `question` with the stored message; `delta` with a piece of the text; `done` with the stored answer; or
        `error` with problem details and what was stored of the answer (`message`). If the client leaves, the answer is
        kept as far as it has come, with the outcome `interrupted`. With a `key`, the request can be repeated.
        """
        asked = await ledger.run(lambda uow: ask(uow, session_id, body, history))
        return AnswerResponse(request, ledger, asked, answer, on_error)


def _messages(uow: UnitOfWork, session_id: str, after: int | None, limit: int, cursor: str | None) -> Page[Message]:
    if cursor is not None and after is not None:
        after, place = decode_cursor(_NEWER, cursor, int)[0], None
    else:
        place = None if cursor is None else decode_cursor(_OLDER, cursor, int)[0]
    if after is not None:
        found = uow.messages.history(session_id, after=after, limit=limit + 1)
        page = found[:limit]
        following = encode_cursor(_NEWER, page[-1].sequence_number) if len(found) > limit else None
    else:
        found = uow.messages.history(session_id, before=place, last=limit + 1)
        page = found[-limit:]
        following = encode_cursor(_OLDER, page[0].sequence_number) if len(found) > limit else None
    return Page[Message](items=tuple(one for one in page if not one.hidden), next_cursor=following)


def _roles(given: Any) -> frozenset[Role]:
    try:
        if not isinstance(given, str):
            return frozenset(Role(one) for one in given)
    except (TypeError, ValueError):
        pass
    raise InvalidInput("roles", f"must be a list of roles: {', '.join(Role)}")
