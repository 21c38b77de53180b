"""The application that serves the pages."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.resources import files

from fastapi import FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException

from chatledger.errors import ChatledgerError
from chatledger.ledger.user_ledger import UserLedger
from chatledger.web.pages.access import FormGuard, guard
from chatledger.web.pages.comparisons import ComparisonPages
from chatledger.web.pages.conversation import ConversationPage
from chatledger.web.pages.forms import Forms
from chatledger.web.pages.rendering import broken, failed, misread, refused
from chatledger.web.pages.sessions import SessionsPage
from chatledger.web.pages.upkeep import AuditPage, TimeoutsPage
from chatledger.web.pages.usage import UsagePage
from chatledger.web.pages.work import BatchPages, WorkflowPages

_STATIC = {"style.css": "text/css", "browser.css": "text/css", "browser.js": "text/javascript"}


def browser(
    ledger: UserLedger, *, token: str | None = None, hosts: Collection[str] | None = None, author: str | None = None
) -> FastAPI:
    """Return an application with pages about a ledger: conversations, search, usage, comparisons, batches, workflows,
    timeouts, and the audit log.

    They show all of the ledger, or what `ledger.for_user(user_id)` may see. They change nothing unless `author` is
    given: then conversations can be renamed, annotated, archived, held, redacted and deleted, and answers compared, in
    the name of that person. With a token, a browser must open them once with `?token=…`, and keeps it in a cookie.
    `hosts` are the names under which the pages may be asked for, so that a page of somebody else cannot reach them by a
    name of its own.
    """
    app = FastAPI(title="chatledger", docs_url=None, redoc_url=None, openapi_url=None)
    form_guard = None if author is None else FormGuard()
    comparisons, batches, workflows = ComparisonPages(ledger, form_guard), BatchPages(ledger), WorkflowPages(ledger)
    pages: dict[str, Callable[..., HTMLResponse]] = {
        "/": SessionsPage(ledger).show,
        "/usage": UsagePage(ledger).show,
        "/comparisons": comparisons.list,
        "/comparison/{group_id:path}": comparisons.show,
        "/batches": batches.list,
        "/batch/{job_id:path}": batches.show,
        "/workflows": workflows.list,
        "/execution/{execution_id:path}": workflows.show,
        "/timeouts": TimeoutsPage(ledger).show,
        "/audit": AuditPage(ledger).show,
        "/session/{session_id:path}": ConversationPage(ledger, form_guard).show,
    }
    for path, show in pages.items():
        app.add_api_route(path, show, methods=["GET"], response_class=HTMLResponse)
    if form_guard is not None and author is not None:
        forms = Forms(ledger, form_guard, author)
        app.add_api_route("/session/{session_id:path}", forms.session, methods=["POST"], response_class=HTMLResponse)
        app.add_api_route(
            "/comparison/{group_id:path}", forms.comparison, methods=["POST"], response_class=HTMLResponse
        )
    app.add_api_route("/static/{name}", _static, methods=["GET"])
    app.add_exception_handler(ChatledgerError, failed)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(RequestValidationError, misread)
    app.add_exception_handler(Exception, broken)
    app.middleware("http")(guard(token, hosts, form_guard))
    return app


def _static(name: str) -> Response:
    if name not in _STATIC:
        raise HTTPException(404)
    text = files("chatledger.html").joinpath(name).read_text("utf-8")
    return Response(text, media_type=_STATIC[name])
