"""What all pages have in common: links, the frame, and errors in words."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

from fastapi import Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from chatledger.errors import ChatledgerError, Conflict, InvalidInput, MissingExtra, NotFound, SessionClosed
from chatledger.html.environment import render
from chatledger.web.pages.access import HEADERS
from chatledger.web.problems import problem_of, problem_of_request

Choice = TypeVar("Choice", bound=StrEnum)

ROWS = 50
"""Rows of a page of a list."""

Word = Annotated[str, Query(max_length=10_000)]
"""What the address gives."""


def link(kind: str, one: str) -> str:
    """The address of a session, a comparison, a batch or an execution."""
    return f"/{kind}/{quote(one, safe='')}"


def place(number: int | None) -> str:
    """The part of a link to a session that leads to a message; 0 and None are none of them."""
    return f"?around={number}#m{number}" if number else ""


def following(path: str, given: dict[str, str], cursor: str | None) -> str | None:
    """The address of the next page of a list, or None."""
    if cursor is None:
        return None
    return f"{path}?" + urlencode({**{name: value for name, value in given.items() if value}, "cursor": cursor})


def chosen_word(words: type[Choice], word: str) -> Choice | None:
    """The word that a filter gives; None where it was left open.

    Raises:
        InvalidInput: it is none of them.
    """
    if not word:
        return None
    try:
        return words(word)
    except ValueError:
        raise InvalidInput("filter", f"is not one of {', '.join(words)}") from None


def about(*values: str | None) -> str:
    return " · ".join(value for value in values if value)


def page(template: str, *, here: str = "", **values: Any) -> HTMLResponse:
    return HTMLResponse(render(f"browser/{template}.html.jinja", here=here, **values))


def _error_page(status: int, reason: str) -> HTMLResponse:
    text = render("browser/error.html.jinja", here="", title=HTTPStatus(status).phrase, reason=reason)
    return HTMLResponse(text, status_code=status)


async def failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, ChatledgerError)
    if isinstance(error, MissingExtra):
        return _error_page(501, str(error))
    problem = problem_of(error)
    is_ours = isinstance(error, NotFound | InvalidInput | Conflict | SessionClosed)
    return _error_page(problem.status, str(error) if is_ours else problem.detail or problem.title)


async def refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error_page(error.status_code, "There is no such page." if error.status_code == 404 else str(error.detail))


async def misread(_: Request, error: Exception) -> Response:
    """An address with a value of another type, such as `?before=yesterday`."""
    assert isinstance(error, RequestValidationError)
    return _error_page(422, problem_of_request(error).detail or "")


async def broken(_: Request, __: Exception) -> Response:
    """An error that nobody expected, which the server logs. It comes from outside what adds the headers."""
    response = _error_page(500, "Something went wrong in chatledger. The log of the server says what.")
    response.headers.update(HEADERS)
    return response
