"""Search over messages."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Cursor, Database, IncludeCopies, Owner, Project, Since, Until
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Part, Screen, counted, when
from chatledger.enums import Role
from chatledger.schemas import Message, Page, SearchHit, SessionHit
from chatledger.unit_of_work import UnitOfWork

# Characters of a message around a hit.
_LINE = 160


def search(
    query: Annotated[
        list[str],
        typer.Argument(
            show_default=False,
            help='All words; "a phrase"; -without; either OR or; beg*; role: tool: model: user: title: after: before: '
            "with a value. Write -- before a word with a dash.",
        ),
    ],
    session_id: Annotated[str | None, typer.Option(metavar="ID", help="Only in this session.")] = None,
    project: Project = None,
    role: Annotated[Role | None, typer.Option(help="Only of this role.")] = None,
    since: Since = None,
    until: Until = None,
    by_session: Annotated[bool, typer.Option("--sessions", help="Each session once, by its best message.")] = False,
    context: Annotated[
        int, typer.Option("--context", "-C", min=0, max=50, metavar="N", help="Show N messages before and after, too.")
    ] = 0,
    include_copies: IncludeCopies = False,
    include_hidden: Annotated[
        bool, typer.Option("--include-hidden", help="Also messages that are hidden from people.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 200.")] = 20,
    cursor: Cursor = None,
    every: Annotated[bool, typer.Option("--all", help="Page after page, to the end.")] = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Find messages by their words, best first."""
    screen = Screen()
    marks = ("**", "**") if as_json else marks_for(screen)
    items: list[Any] = []
    is_first = True
    with opened_for(db, user) as ledger, ledger.read() as uow:
        find = uow.search.sessions if by_session else uow.search.messages
        while is_first or (every and cursor is not None):
            page: Page[SearchHit] | Page[SessionHit] = find(
                " ".join(query), session_id=session_id, project_id=project, role=role, since=since, until=until,
                include_copies=include_copies, include_hidden=include_hidden, limit=limit, cursor=cursor, highlight=marks,
            )  # fmt: skip
            is_first, cursor = False, page.next_cursor
            for hit in page.items:
                around = _around(uow, hit, context, include_hidden=include_hidden) if context else []
                if as_json:
                    items.append({**dict(hit), "context": around} if context else hit)
                else:
                    show_hit(screen, hit, marks, around)
                    items.append(hit)
    if as_json:
        write_document({"items": items, "next_cursor": cursor, "truncated": page.truncated})
        return
    notes = Screen.errors()
    if not items:
        notes.line("nothing found")
    if page.truncated:
        notes.line(("very many messages match: these are the best among the newest", "dim"))
    if cursor:
        notes.line((f"more with --cursor {cursor}", "dim"))


def _around(uow: UnitOfWork, hit: SearchHit, number: int, *, include_hidden: bool) -> list[Message]:
    """The messages before and after a hit."""
    if not hit.sequence_number:
        return []
    found = uow.messages.history(
        hit.session_id, after=max(0, hit.sequence_number - number - 1), before=hit.sequence_number + number + 1
    )
    return [
        message
        for message in found
        if message.sequence_number != hit.sequence_number and (include_hidden or not message.hidden)
    ]


def show_hit(screen: Screen, hit: SearchHit, marks: tuple[str, str], around: Sequence[Message] = ()) -> None:
    """Where it was found, and below it what, between the messages around it."""
    facts = [hit.role.value, when(hit.created_at), hit.title, hit.user_id]
    if isinstance(hit, SessionHit) and hit.hits > 1:
        facts.append(counted(hit.hits, "hit"))
    place = f"{hit.session_id} #{hit.sequence_number}" if hit.sequence_number else hit.session_id
    screen.line((place, "bold"), ("".join(f" · {fact}" for fact in facts if fact), "dim"))
    for message in around:
        if message.sequence_number < hit.sequence_number:
            _show_message(screen, message)
    screen.line("  ", *highlighted(hit.snippet, marks))
    for message in around:
        if message.sequence_number > hit.sequence_number:
            _show_message(screen, message)


def _show_message(screen: Screen, message: Message) -> None:
    line = " ".join(message.content.split())
    shown = f"{line[:_LINE]}…" if len(line) > _LINE else line
    screen.line((f"  {message.sequence_number} {message.role.value}: {shown}", "dim"))


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
