"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from chatledger.errors import (
    AccessDenied,
    Busy,
    ChatledgerError,
    CommitUnknown,
    Conflict,
    InvalidInput,
    NestedWrite,
    NotFound,
    OutOfSpace,
    SessionClosed,
    Unavailable,
)
from chatledger.services.base import logger
from chatledger.validation import finding

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:chatledger:error:"
_NAME = re.compile(r"(?<!^)(?=[A-Z])")

_STATUSES: tuple[tuple[type[ChatledgerError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (SessionClosed, 409),
    (InvalidInput, 422),
    (NestedWrite, 500),
    (Busy, 503),
    (AccessDenied, 500),
    (OutOfSpace, 507),
    (Unavailable, 503),
)
"""The first that fits. What is not listed is 500: the operator of the application has to do something."""

# What the client is told of a server's error. The error itself names the operator's remedies, and is logged.
_DETAILS = {
    500: "the server cannot use its store of conversations",
    503: "the store of conversations is busy or cannot be reached: try again",
    507: "the store of conversations has no space left",
}
_COMMIT_UNKNOWN = "it is not known whether this was stored: look for it before you send it again"
_RETRY_AFTER = 1


class Invalid(BaseModel):
    """A value of a request that is not valid."""

    field: str
    """Where it is, such as `body.content`."""
    reason: str


class Problem(BaseModel):
    """Why a request failed (RFC 9457), as `application/problem+json`."""

    type: str = "about:blank"
    """`urn:chatledger:error:` and the kind of error, such as `session-not-found`; or `about:blank`."""
    title: str
    """The name of the status."""
    status: int
    detail: str | None = None
    """For people. It never contains a message or another value of the request, apart from ids."""
    field: str | None = None
    """For a value that is not valid: which one."""
    errors: list[Invalid] | None = None
    """For a request that is not valid: all that is wrong."""
    retry_after: int | None = Field(default=None, exclude=True)
    """The seconds to wait before the request is repeated, for the header `Retry-After`."""

    def response(self, headers: Any = None) -> Response:
        """The problem as a response."""
        # ASCII: the name of a field may have a lone surrogate, which UTF-8 has not.
        content = json.dumps(self.members(), separators=(",", ":"))
        response = Response(content, self.status, headers, MEDIA_TYPE)
        if self.retry_after is not None:
            response.headers["retry-after"] = str(self.retry_after)
        return response

    def members(self) -> dict[str, Any]:
        """The members that have a value."""
        return self.model_dump(mode="python", exclude_none=True)


def problem_of(error: ChatledgerError) -> Problem:
    """The problem details of an error, with the status: 404 for `NotFound`, 409 for `Conflict` and `SessionClosed`, 422
    for `InvalidInput`, 503 for `Busy` and `Unavailable`, 507 for `OutOfSpace`, and 500 for the others.
    """
    status = next((number for kind, number in _STATUSES if isinstance(error, kind)), 500)
    found = Problem(type=_TYPE + _NAME.sub("-", type(error).__name__).lower(), title=_title(status), status=status)
    if isinstance(error, CommitUnknown):
        return found.model_copy(update={"detail": _COMMIT_UNKNOWN})
    if status >= 500:
        retry_after = _RETRY_AFTER if status == 503 else None
        return found.model_copy(update={"detail": _DETAILS[status], "retry_after": retry_after})
    field = error.field if isinstance(error, InvalidInput) else None
    return found.model_copy(update={"detail": str(error), "field": field})


def problem_of_request(error: RequestValidationError) -> Problem:
    """The problem details of a request that FastAPI refuses. Values are left out."""
    wrong = [finding(one, "request") for one in error.errors()]
    return Problem(
        type=f"{_TYPE}invalid-input",
        title=_title(422),
        status=422,
        detail="; ".join(map(str, wrong)),
        field=wrong[0].field,
        errors=[Invalid(field=one.field, reason=one.reason) for one in wrong],
    )


def report(request: Request, error: ChatledgerError, problem: Problem) -> None:
    """Log an error of the server, with the route and without what the request says."""
    if problem.status >= 500:
        route = getattr(request.scope.get("route"), "path", None)
        details = {"method": request.method, "route": route, "error": type(error).__name__, "reason": str(error)}
        logger.error("request failed", extra=details)


def answer_to(request: Request, error: ChatledgerError) -> Response:
    """The response for an error."""
    problem = problem_of(error)
    report(request, error, problem)
    return problem.response()


class ProblemRoute(APIRoute):
    """A route whose errors are problem details, whatever handlers the application has."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors as responses."""
        handle: Callable[[Request], Coroutine[Any, Any, Response]] = super().get_route_handler()

        async def handle_problems(request: Request) -> Response:
            try:
                return await handle(request)
            except ChatledgerError as error:
                return answer_to(request, error)
            except RequestValidationError as error:
                return problem_of_request(error).response()
            except HTTPException as error:
                if _has_handler(request, error):
                    raise
                detail: Any = error.detail  # FastAPI allows any JSON value
                found = Problem(
                    title=_title(error.status_code),
                    status=error.status_code,
                    detail=detail if isinstance(detail, str) else None,
                )
                return found.response(error.headers)

        return handle_problems


def install_problem_handlers(app: FastAPI) -> None:
    """Answer errors of chatledger with problem details in all handlers of an application.

    The routes of `chat_router` do so anyway. Errors of the server are logged with the route and the kind of error.
    """

    async def handle(request: Request, error: Exception) -> Response:
        if not isinstance(error, ChatledgerError):
            raise error
        return answer_to(request, error)

    app.add_exception_handler(ChatledgerError, handle)


def _has_handler(request: Request, error: HTTPException) -> bool:
    """Whether the application answers such an error in its own way."""
    handlers = request.app.exception_handlers
    if error.status_code in handlers:
        return True
    kind = next((kind for kind in type(error).__mro__ if kind in handlers), None)
    return kind is not None and handlers[kind] is not http_exception_handler


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def documented() -> dict[int | str, dict[str, Any]]:
    """The problems as OpenAPI describes them."""
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {
        "4XX": {"description": "The request was refused (RFC 9457)", "content": content},
        "5XX": {"description": "The server failed (RFC 9457)", "content": content},
    }
