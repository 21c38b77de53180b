"""The application that serves the pages."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, time, timedelta
from http import HTTPStatus
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from markupsafe import Markup, escape
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from chatledger.enums import Status
from chatledger.errors import ChatledgerError, InvalidInput, MissingExtra, NotFound
from chatledger.exchange.writers.presentation import facts, pretty_json
from chatledger.html.environment import render
from chatledger.html.plots import Plot
from chatledger.ledger.user_ledger import UserLedger
from chatledger.report.data import ReportData, read_report_data
from chatledger.report.page import plots, template_values
from chatledger.schemas import Message
from chatledger.services.statistics.filters import PeriodFilterArguments
from chatledger.unit_of_work import UnitOfWork
from chatledger.web.pages.cards import card
from chatledger.web.problems import problem_of

MESSAGES = 100
"""Messages of one page."""
SESSIONS = 50
"""Sessions, or hits, of one page."""

# Nothing from the network, no scripts but the one below /static, no frames.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STATIC = {"style.css": "text/css", "browser.css": "text/css", "browser.js": "text/javascript"}
_COOKIE = "chatledger_token"
_DAYS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "a year", "": "all time"}
# What marks a word that was found: characters that no text has in their place.
_MARKS = ("\ue000", "\ue001")

Word = Annotated[str, Query(max_length=10_000)]


def browser(ledger: UserLedger, *, token: str | None = None, hosts: list[str] | None = None) -> FastAPI:
    """Return an application with pages about a ledger: sessions, search, conversations, usage.

    They show all of the ledger, or what `ledger.for_user(user_id)` may see, and change nothing. With a token, a browser
    must open them once with `?token=…`, and keeps it in a cookie. `hosts` are the names under which the pages may be
    asked for, so that a page of somebody else cannot reach them by a name of its own.
    """
    app = FastAPI(title="chatledger", docs_url=None, redoc_url=None, openapi_url=None)
    _Pages(ledger).add_to(app)
    app.add_exception_handler(ChatledgerError, _failed)
    app.add_exception_handler(HTTPException, _refused)
    app.middleware("http")(_guard(token))
    if hosts is not None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    return app


class _Pages:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def add_to(self, app: FastAPI) -> None:
        page = {"methods": ["GET"], "response_class": HTMLResponse}
        app.add_api_route("/", self.sessions, **page)  # type: ignore[arg-type]  # the same for all
        app.add_api_route("/usage", self.usage, **page)  # type: ignore[arg-type]  # as above
        app.add_api_route("/session/{session_id:path}", self.conversation, **page)  # type: ignore[arg-type]  # as above
        app.add_api_route("/static/{name}", _static, methods=["GET"])

    def sessions(
        self, q: Word = "", project: Word = "", model: Word = "", status: Word = "", cursor: Word = ""
    ) -> HTMLResponse:
        """The sessions by their last activity, or what a search finds."""
        chosen = {"q": q.strip(), "project": project, "model": model, "status": status}
        with self._ledger.read() as uow:
            found = _found(uow, chosen, cursor) if chosen["q"] else _listed(uow, chosen, cursor)
            projects = [one.project_id for one in uow.projects.list()]
            models = [one.model_id for one in uow.models.list()]
        given = {name: value for name, value in chosen.items() if value}
        more = None if found["next"] is None else "/?" + urlencode({**given, "cursor": found["next"]})
        return _page(
            "browser/sessions.html.jinja", here="sessions", title="Conversations", chosen=chosen, more=more,
            is_more=bool(cursor), projects=projects, models=models, statuses=[one.value for one in Status], **found,
        )  # fmt: skip

    def conversation(
        self, session_id: str, before: int | None = None, after: int | None = None, around: int | None = None
    ) -> HTMLResponse:
        """The messages of a session: the newest, or those before, after or around one."""
        with self._ledger.read() as uow:
            session = uow.sessions.get(session_id, include_expired=True)
            messages = _window(uow, session_id, before, after, around)
        here = _link(session_id)
        first, last = (messages[0].sequence_number, messages[-1].sequence_number) if messages else (0, 0)
        folded = [("system prompt", session.system_prompt or "")]
        folded += [(name, pretty_json(value)) for name, value in _beside(session.context, session.metadata)]
        return _page(
            "browser/conversation.html.jinja",
            title=session.title or "Untitled conversation",
            facts=facts(session),
            origin=None if session.forked_from is None else _link(session.forked_from),
            folded=[one for one in folded if one[1]],
            cards=map(card, messages),
            chosen=around,
            earlier=f"{here}?before={first}" if first > 1 else None,
            later=f"{here}?after={last}" if last < session.last_sequence and messages else None,
        )

    def usage(self, days: Word = "30") -> HTMLResponse:
        """Costs, tokens and activity."""
        if days not in _DAYS:
            raise InvalidInput("days", f"is not one of {', '.join(_DAYS)}")
        filters: PeriodFilterArguments = {}
        if days:
            today = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(tzinfo=UTC))
            filters["since"] = today - timedelta(days=int(days))
        with self._ledger.read() as uow:
            data = read_report_data(uow, filters, "UTC", None)
        return _page(
            "browser/usage.html.jinja", here="usage", title="Usage", plots=_plots(data), days=days, choices=_DAYS,
            **template_values(data),
        )  # fmt: skip


def _listed(uow: UnitOfWork, chosen: dict[str, str], cursor: str) -> dict[str, Any]:
    page = uow.sessions.list(
        project_id=chosen["project"] or None, model_id=chosen["model"] or None, status=_status(chosen["status"]),
        limit=SESSIONS, cursor=cursor or None,
    )  # fmt: skip
    rows = [
        {
            "link": _link(session.session_id), "title": session.title or session.session_id, "snippet": None,
            "about": _about(session.user_id, session.project_id, session.model_id),
            "messages": session.message_count, "cost": session.total_cost or None, "time": session.last_activity,
            "status": session.status.value,
        }
        for session in page.items
    ]  # fmt: skip
    return {"rows": rows, "next": page.next_cursor}


def _found(uow: UnitOfWork, chosen: dict[str, str], cursor: str) -> dict[str, Any]:
    # A qualifier, which means the messages as well as their session.
    model = f' model:"{chosen["model"]}"' if chosen["model"] else ""
    page = uow.search.sessions(
        chosen["q"] + model,
        project_id=chosen["project"] or None,
        limit=SESSIONS,
        cursor=cursor or None,
        highlight=_MARKS,
    )
    rows = [
        {
            "link": _link(hit.session_id) + _place(hit.sequence_number),
            "title": hit.title or hit.session_id, "snippet": _marked(hit.snippet),
            "about": _about(hit.user_id, hit.project_id, None), "messages": None, "cost": None,
            "time": hit.created_at, "status": None,
        }
        for hit in page.items
    ]  # fmt: skip
    return {"rows": rows, "next": page.next_cursor}


def _window(
    uow: UnitOfWork, session_id: str, before: int | None, after: int | None, around: int | None
) -> list[Message]:
    history = uow.messages.history
    if around is not None:
        return history(session_id, before=around + 1, last=MESSAGES // 2) + history(
            session_id, after=around, limit=MESSAGES // 2
        )
    if after is not None:
        return history(session_id, after=after, limit=MESSAGES)
    return history(session_id, before=before, last=MESSAGES)


def _plots(data: ReportData) -> dict[str, Plot]:
    """The plots of the report, if matplotlib is there."""
    try:
        return dict(plots(data))
    except MissingExtra:
        return {}


def _beside(context: dict[str, Any], metadata: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in (("context", context), ("metadata", metadata)) if value]


def _about(*values: str | None) -> str:
    return " · ".join(value for value in values if value)


def _status(word: str) -> Status | None:
    if not word:
        return None
    try:
        return Status(word)
    except ValueError:
        raise InvalidInput("status", f"is not one of {', '.join(Status)}") from None


def _link(session_id: str) -> str:
    return f"/session/{quote(session_id, safe='')}"


def _place(number: int) -> str:
    """The part of a link that leads to a message; 0 is none of them."""
    return f"?around={number}#m{number}" if number else ""


def _marked(snippet: str) -> Markup:
    text = str(escape(snippet))
    return Markup(text.replace(_MARKS[0], "<mark>").replace(_MARKS[1], "</mark>"))


def _static(name: str) -> Response:
    if name not in _STATIC:
        raise HTTPException(404)
    text = files("chatledger.html").joinpath(name).read_text("utf-8")
    return Response(text, media_type=_STATIC[name])


def _page(template: str, *, here: str = "", **values: Any) -> HTMLResponse:
    return HTMLResponse(render(template, here=here, **values))


def _error_page(status: int, reason: str) -> HTMLResponse:
    page = render("browser/error.html.jinja", here="", title=HTTPStatus(status).phrase, reason=reason)
    return HTMLResponse(page, status_code=status)


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, ChatledgerError)
    problem = problem_of(error)
    told = str(error) if isinstance(error, NotFound | InvalidInput) else problem.detail or problem.title
    return _error_page(problem.status, told)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error_page(error.status_code, "There is no such page." if error.status_code == 404 else str(error.detail))


def _guard(token: str | None) -> Callable[[Request, Any], Coroutine[Any, Any, Response]]:
    """Ask for the token, and add the headers that every answer has."""

    async def guarded(request: Request, call_next: Any) -> Response:
        response: Response
        given = request.query_params.get("token")
        if token is not None and given is not None and hmac.compare_digest(given.encode(), token.encode()):
            response = RedirectResponse(str(request.url.remove_query_params("token")), status_code=303)
            response.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
        elif token is not None and not hmac.compare_digest(request.cookies.get(_COOKIE, "").encode(), token.encode()):
            response = PlainTextResponse("Open the address with ?token=… that was shown at the start.\n", 401)
        else:
            response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers[name] = value
        return response

    return guarded
