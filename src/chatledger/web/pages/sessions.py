"""The list of conversations, and what a search finds."""

from __future__ import annotations

from typing import Any

from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from chatledger.enums import Status
from chatledger.ledger.user_ledger import UserLedger
from chatledger.unit_of_work import UnitOfWork
from chatledger.web.pages.rendering import ROWS, Word, about, chosen_word, following, link, page, place

# What marks a word that was found: characters that no text has in their place.
_MARKS = ("\ue000", "\ue001")


class SessionsPage:
    def __init__(self, ledger: UserLedger) -> None:
        self._ledger = ledger

    def show(
        self,
        q: Word = "",
        project: Word = "",
        model: Word = "",
        status: Word = "",
        label: Word = "",
        cursor: Word = "",
        done: Word = "",
    ) -> HTMLResponse:
        """The sessions by their last activity, or what a search finds."""
        chosen = {"q": q.strip(), "project": project, "model": model, "status": status, "label": label}
        with self._ledger.read() as uow:
            found = _found(uow, chosen, cursor) if chosen["q"] else _listed(uow, chosen, cursor)
            projects = [one.project_id for one in uow.projects.list()]
            models = [one.model_id for one in uow.models.list()]
        return page(
            "sessions", here="sessions", title="Conversations", chosen=chosen, is_more=bool(cursor), done=done,
            projects=projects, models=models, statuses=[one.value for one in Status], rows=found["rows"],
            more=following("/", chosen, found["next"]),
        )  # fmt: skip


def _listed(uow: UnitOfWork, chosen: dict[str, str], cursor: str) -> dict[str, Any]:
    found = uow.sessions.list(
        project_id=chosen["project"] or None, model_id=chosen["model"] or None,
        status=chosen_word(Status, chosen["status"]), annotated=chosen["label"] or None, limit=ROWS,
        cursor=cursor or None,
    )  # fmt: skip
    rows = [
        {
            "link": link("session", session.session_id), "title": session.title or session.session_id, "snippet": None,
            "about": about(session.user_id, session.project_id, session.model_id),
            "messages": session.message_count, "cost": session.total_cost or None, "time": session.last_activity,
            "status": session.status.value, "held": session.held_at is not None,
        }
        for session in found.items
    ]  # fmt: skip
    return {"rows": rows, "next": found.next_cursor}


def _found(uow: UnitOfWork, chosen: dict[str, str], cursor: str) -> dict[str, Any]:
    # A qualifier, which means the messages as well as their session.
    model = f' model:"{chosen["model"]}"' if chosen["model"] else ""
    found = uow.search.sessions(
        chosen["q"] + model,
        project_id=chosen["project"] or None,
        limit=ROWS,
        cursor=cursor or None,
        highlight=_MARKS,
    )
    rows = [
        {
            "link": link("session", hit.session_id) + place(hit.sequence_number),
            "title": hit.title or hit.session_id, "snippet": _marked(hit.snippet),
            "about": about(hit.user_id, hit.project_id), "messages": None, "cost": None,
            "time": hit.created_at, "status": None, "held": False,
        }
        for hit in found.items
    ]  # fmt: skip
    return {"rows": rows, "next": found.next_cursor}


def _marked(snippet: str) -> Markup:
    text = str(escape(snippet))
    return Markup(text.replace(_MARKS[0], "<mark>").replace(_MARKS[1], "</mark>"))
