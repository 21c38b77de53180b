"""Search over messages."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from chatledger.cli.arguments.options import AsJson, Cursor, Database, IncludeCopies, Owner, Project, Since, Until
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Part, Screen, counted, when
from chatledger.enums import Role
from chatledger.schemas import Page, SearchHit, SessionHit


def search(
    query: Annotated[
        list[str],
        typer.Argument(
            show_default=False,
            help='All words; "a phrase"; -without; either OR or; beg*. Write -- before a word with a dash.',
        ),
    ],
    session_id: Annotated[str | None, typer.Option(metavar="ID", help="Only in this session.")] = None,
    project: Project = None,
    role: Annotated[Role | None, typer.Option(help="Only of this role.")] = None,
    since: Since = None,
    until: Until = None,
    by_session: Annotated[bool, typer.Option("--sessions", help="Each session once, by its best message.")] = False,
    include_copies: IncludeCopies = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 200.")] = 20,
    cursor: Cursor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Find messages by their words, best first."""
    screen = Screen()
    marks = ("**", "**") if as_json else marks_for(screen)
    with opened_for(db, user) as ledger, ledger.read() as uow:
        find = uow.search.sessions if by_session else uow.search.messages
        page: Page[SearchHit] | Page[SessionHit] = find(
            " ".join(query), session_id=session_id, project_id=project, role=role, since=since, until=until,
            include_copies=include_copies, limit=limit, cursor=cursor, highlight=marks,
        )  # fmt: skip
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor, "truncated": page.truncated})
        return
    for hit in page.items:
        show_hit(screen, hit, marks)
    notes = Screen.errors()
    if not page.items:
        notes.line("nothing found")
    if page.truncated:
        notes.line(("very many messages match: these are the best among the newest", "dim"))
    if page.next_cursor:
        notes.line((f"more with --cursor {page.next_cursor}", "dim"))


def show_hit(screen: Screen, hit: SearchHit, marks: tuple[str, str]) -> None:
    """Where it was found, and below it what."""
    facts = [hit.role.value, when(hit.created_at), hit.title, hit.user_id]
    if isinstance(hit, SessionHit) and hit.hits > 1:
        facts.append(counted(hit.hits, "hit"))
    place = f"{hit.session_id} #{hit.sequence_number}"
    screen.line((place, "bold"), ("".join(f" · {fact}" for fact in facts if fact), "dim"))
    screen.line("  ", *highlighted(hit.snippet, marks))


def marks_for(screen: Screen) -> tuple[str, str]:
    """Marks around what was found, which no stored text can imitate; none where nothing can be highlighted."""
    return (secrets.token_hex(8), secrets.token_hex(8)) if screen.is_terminal else ("", "")


def highlighted(snippet: str, marks: tuple[str, str]) -> list[Part]:
    """A snippet in parts: what stands between the marks has a style."""
    if not marks[0]:
        return [snippet]
    first, *rest = snippet.split(marks[0])
    parts: list[Part] = [first]
    for piece in rest:
        found, _, after = piece.partition(marks[1])
        parts += [(found, "bold yellow"), after]
    return parts
