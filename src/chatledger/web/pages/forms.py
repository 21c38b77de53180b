"""Forms that change a ledger: `chatledger serve --write`.

Each is a POST that ends with a redirect to the page that shows the result, and works without scripts. What cannot be
undone is asked for again, on a page that says what will be gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from chatledger.enums import JudgeKind, Status
from chatledger.errors import InvalidInput
from chatledger.ledger.user_ledger import UserLedger
from chatledger.unit_of_work import UnitOfWork
from chatledger.web.pages.access import FormGuard
from chatledger.web.pages.rendering import link, page

_LARGEST = 1 << 20
"""Bytes of a form."""
_PREFERENCES = {"first": 0.0, "draw": 0.5, "second": 1.0}

_Fields = Mapping[str, str]


class Forms:
    """What may be done to sessions and comparisons, by one person."""

    def __init__(self, ledger: UserLedger, guard: FormGuard, author: str) -> None:
        self._ledger = ledger
        self._guard = guard
        self._author = author
        self._actions: dict[str, Callable[[UnitOfWork, str, _Fields], None]] = {
            "rename": _rename,
            "annotate": self._annotate,
            "vote": self._vote,
            "unannotate": _unannotate,
            "archive": lambda uow, session, fields: _ignore(uow.sessions.archive(session, reason=_reason(fields))),
            "reopen": lambda uow, session, fields: _ignore(uow.sessions.reopen(session, reason=_reason(fields))),
            "hold": lambda uow, session, fields: _ignore(uow.sessions.hold(session, reason=_reason(fields))),
            "release": lambda uow, session, fields: _ignore(uow.sessions.release(session, reason=_reason(fields))),
            "redact": lambda uow, session, fields: _ignore(uow.messages.redact(session, _number(fields))),
            "delete": lambda uow, session, fields: uow.sessions.delete(session, reason=_reason(fields)),
        }

    async def session(self, request: Request, session_id: str) -> Response:
        """POST /session/{id}: the field `action` says what to do."""
        fields = await self._fields(request)
        return await run_in_threadpool(self._do, request, session_id, fields)

    async def comparison(self, request: Request, group_id: str) -> Response:
        """POST /comparison/{id}: a verdict of the author on a pair of answers."""
        fields = await self._fields(request)
        await run_in_threadpool(self._judge, group_id, fields)
        return RedirectResponse(f"{link('comparison', group_id)}?done=judged", status_code=303)

    def _do(self, request: Request, session_id: str, fields: _Fields) -> Response:
        action = fields.get("action", "")
        if action not in self._actions:
            raise InvalidInput("action", f"is not one of {', '.join(self._actions)}")
        if action in ("delete", "redact") and fields.get("confirm") != action:
            return self._ask(request, session_id, action, fields)
        self._ledger.run(lambda uow: self._actions[action](uow, session_id, fields), actor=self._author)
        if action == "delete":
            return RedirectResponse("/?done=delete", status_code=303)
        number = fields.get("number", "")
        place = f"&around={number}#m{number}" if number.isascii() and number.isdigit() and number != "0" else ""
        return RedirectResponse(f"{link('session', session_id)}?done={action}{place}", status_code=303)

    def _ask(self, request: Request, session_id: str, action: str, fields: _Fields) -> Response:
        """The page that asks for a confirmation, and says what will be gone."""
        with self._ledger.read() as uow:
            session = uow.sessions.get(session_id, include_expired=True)
            children = uow.sessions.count(parent=session_id, status=list(Status)) if action == "delete" else 0
            message = uow.messages.get(session_id, _number(fields)) if action == "redact" else None
        return page(
            "confirm",
            title="Delete this conversation?" if action == "delete" else "Redact this message?",
            session=session,
            children=children,
            message=message,
            action=link("session", session_id),
            word=action,
            is_wrong="confirm" in fields,
            reason=fields.get("reason", ""),
            form_token=self._guard.token(request),
        )

    def _annotate(self, uow: UnitOfWork, session_id: str, fields: _Fields) -> None:
        uow.annotations.add(
            session_id, sequence_number=_number_or_none(fields), label=_given(fields, "label"), score=_score(fields),
            text=_given(fields, "text"), author=self._author,
        )  # fmt: skip

    def _vote(self, uow: UnitOfWork, session_id: str, fields: _Fields) -> None:
        uow.annotations.vote(
            session_id, fields.get("label", ""), author=self._author, sequence_number=_number_or_none(fields)
        )

    def _judge(self, group_id: str, fields: _Fields) -> None:
        preference = fields.get("preference", "")
        if preference not in _PREFERENCES:
            raise InvalidInput("preference", f"is not one of {', '.join(_PREFERENCES)}")
        self._ledger.run(
            lambda uow: uow.comparisons.record(
                group_id, fields.get("prompt", ""), fields.get("first", ""), fields.get("second", ""),
                judge=self._author, judge_kind=JudgeKind.PERSON, preference=_PREFERENCES[preference],
                notes=_given(fields, "notes"), replace=True,
            ),
            actor=self._author,
        )  # fmt: skip

    async def _fields(self, request: Request) -> dict[str, str]:
        """The fields of a form that one of our pages sent.

        Raises:
            HTTPException: it is too large, of another type, or from elsewhere.
        """
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            _refuse(415, "This is not a form.")
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST:
                _refuse(413, "The form is too large.")
        # Browsers send line breaks of forms as CR LF, and text is stored with LF.
        text = body.decode("utf-8", "replace")
        fields = {name: value.replace("\r\n", "\n") for name, value in parse_qsl(text, keep_blank_values=True)}
        if not self._guard.accepts(request, fields):
            _refuse(403, "This form is not from a page of this server, or the server was started again since, or the "
                    "browser keeps no cookies: go back and reload the page.")  # fmt: skip
        return fields


def _refuse(status: int, reason: str) -> NoReturn:
    raise HTTPException(status, reason)


def _ignore(_: Any) -> None:
    """What an action returns is shown by the next page."""


def _rename(uow: UnitOfWork, session_id: str, fields: _Fields) -> None:
    uow.sessions.update(session_id, title=_given(fields, "title"))


def _unannotate(uow: UnitOfWork, session_id: str, fields: _Fields) -> None:
    annotation = uow.annotations.get(fields.get("annotation", ""))
    if annotation.session_id != session_id:
        raise InvalidInput("annotation", "belongs to another session")
    uow.annotations.remove(annotation.annotation_id)


def _given(fields: _Fields, name: str) -> str | None:
    """A text, or None where the field was left empty."""
    return fields.get(name, "").strip() or None


def _reason(fields: _Fields) -> str | None:
    return _given(fields, "reason")


def _number(fields: _Fields) -> int:
    number = _number_or_none(fields)
    if number is None:
        raise InvalidInput("number", "is missing")
    return number


def _number_or_none(fields: _Fields) -> int | None:
    text = _given(fields, "number")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise InvalidInput("number", "is not the number of a message")
    return int(text[:20])


def _score(fields: _Fields) -> float | None:
    text = _given(fields, "score")
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise InvalidInput("score", "is not a number") from None
