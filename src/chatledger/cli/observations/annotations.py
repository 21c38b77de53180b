"""Annotations of sessions and messages: add, find, count and change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Cursor, Database, Metadata, Owner, SessionId, Since, Until, pairs
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document
from chatledger.cli.output.screen import Column, Screen, counted, when
from chatledger.cli.sessions.search import highlighted, marks_for
from chatledger.schemas import Annotation, LabelSummary, ModelAnnotations
from chatledger.schemas.session import KEEP

app = typer.Typer(no_args_is_help=True, help="Labels, scores and texts on sessions and messages.")

_AnnotationId = Annotated[
    str,
    typer.Argument(metavar="ANNOTATION_ID", show_default=False, help="SESSION_ID:NUMBER, as `annotation list` shows."),
]
_Score = Annotated[float | None, typer.Option("--score", metavar="NUMBER", help="On your own scale.")]
_Label = Annotated[str | None, typer.Option("--label", metavar="LABEL", help="One word, such as good or bad.")]
_Said = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="A remark.")]
_Author = Annotated[str | None, typer.Option("--author", metavar="NAME", help="The author.")]
_OfSession = Annotated[str | None, typer.Option("--session-id", metavar="ID", help="Only of this session.")]
_OfLabel = Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Only with this label.")]
_ByAuthor = Annotated[str | None, typer.Option("--author", metavar="NAME", help="Only by this author.")]
_OfMessage = Annotated[int | None, typer.Option("--message", min=1, metavar="N", help="Only of this message.")]


def annotate(
    session_id: SessionId,
    message: Annotated[
        int | None,
        typer.Option("--message", min=1, metavar="N", help="The message. By default, the session."),
    ] = None,
    label: _Label = None,
    score: _Score = None,
    text: _Said = None,
    author: _Author = None,
    metadata: Metadata = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Annotate a session, or one of its messages. Prints the id."""
    more = pairs(metadata)
    with opened_for(db, user) as ledger:
        added = ledger.run(
            lambda uow: uow.annotations.add(
                session_id, sequence_number=message, label=label, score=score, text=text, author=author, metadata=more
            )
        )
    if as_json:
        write_document(added)
    else:
        Screen().line(added.annotation_id)


@app.command()
def vote(
    session_id: SessionId,
    label: Annotated[str, typer.Argument(metavar="LABEL", show_default=False, help="One of the choices.")],
    author: Annotated[str, typer.Option("--author", metavar="NAME", show_default=False, help="Who votes.")],
    message: Annotated[
        int | None, typer.Option("--message", min=1, metavar="N", help="The message. By default, the session.")
    ] = None,
    choices: Annotated[
        list[str] | None,
        typer.Option("--choice", metavar="LABEL", help="May be repeated. By default, up and down."),
    ] = None,
    score: _Score = None,
    text: _Said = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Store a vote. An author has one vote on each message: a new one replaces it. Prints the id."""
    possible = choices or ["up", "down"]
    with opened_for(db, user) as ledger:
        stored = ledger.run(
            lambda uow: uow.annotations.vote(
                session_id, label, author=author, sequence_number=message, choices=possible, score=score, text=text
            )
        )
    if as_json:
        write_document(stored)
    else:
        Screen().line(stored.annotation_id)


@app.command("list")
def list_(
    session_id: _OfSession = None,
    message: _OfMessage = None,
    label: _OfLabel = None,
    author: _ByAuthor = None,
    min_score: Annotated[
        float | None, typer.Option("--min-score", metavar="NUMBER", help="The lowest score to include.")
    ] = None,
    max_score: Annotated[
        float | None, typer.Option("--max-score", metavar="NUMBER", help="The highest score to include.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 1,000.")] = 20,
    cursor: Cursor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List annotations, newest first."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        page = uow.annotations.list(
            session_id=session_id, sequence_number=message, label=label, author=author, min_score=min_score,
            max_score=max_score, since=since, until=until, limit=limit, cursor=cursor,
        )  # fmt: skip
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor})
        return
    if page.items:
        _show_table(Screen(), page.items)
    else:
        Screen.errors().line("no annotations")
    _show_rest(page.next_cursor)


@app.command()
def show(annotation_id: _AnnotationId, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Show an annotation with its text and metadata."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.annotations.get(annotation_id)
    _show(found, as_json=as_json)


@app.command()
def update(
    annotation_id: _AnnotationId,
    label: _Label = None,
    score: _Score = None,
    text: _Said = None,
    author: _Author = None,
    clear: Annotated[
        list[str] | None,
        typer.Option("--clear", metavar="FIELD", help="Empty it: label, score, text, author. May be repeated."),
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Change the given fields of an annotation."""
    given: dict[str, Any] = {"label": label, "score": score, "text": text, "author": author}
    wrong = set(clear or ()) - given.keys()
    if wrong or any(given[name] is not None for name in clear or ()):
        raise typer.BadParameter("must be label, score, text or author, and not given a value", param_hint="'--clear'")
    changes = {name: KEEP if value is None and name not in (clear or ()) else value for name, value in given.items()}
    with opened_for(db, user) as ledger:
        changed = ledger.run(lambda uow: uow.annotations.update(annotation_id, **changes))
    _show(changed, as_json=as_json)


@app.command()
def remove(annotation_id: _AnnotationId, user: Owner = None, db: Database = None) -> None:
    """Delete an annotation."""
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.annotations.remove(annotation_id))
    Screen().line(f"removed {annotation_id}")


@app.command()
def search(
    query: Annotated[list[str], typer.Argument(show_default=False, help="As in `chatledger search`.")],
    session_id: _OfSession = None,
    label: _OfLabel = None,
    author: _ByAuthor = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most 200.")] = 20,
    cursor: Cursor = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Find annotations by the words of their text, newest first."""
    screen = Screen()
    marks = ("**", "**") if as_json else marks_for(screen)
    with opened_for(db, user) as ledger, ledger.read() as uow:
        page = uow.annotations.search(
            " ".join(query), session_id=session_id, label=label, author=author, since=since, until=until, limit=limit,
            cursor=cursor, highlight=marks,
        )  # fmt: skip
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor, "truncated": page.truncated})
        return
    for hit in page.items:
        screen.line((hit.annotation_id, "bold"), ("".join(f" · {fact}" for fact in _facts(hit)), "dim"))
        screen.line("  ", *highlighted(hit.snippet, marks))
    if not page.items:
        Screen.errors().line("nothing found")
    _show_rest(page.next_cursor)


@app.command()
def summary(
    session_id: _OfSession = None,
    message: _OfMessage = None,
    label: _OfLabel = None,
    author: _ByAuthor = None,
    since: Since = None,
    until: Until = None,
    by_model: Annotated[bool, typer.Option("--by-model", help="A summary for each model.")] = False,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Count annotations by label, with their scores."""
    if by_model:
        if message is not None:
            raise typer.BadParameter("cannot be combined with --message", param_hint="'--by-model'")
        with opened_for(db, user) as ledger, ledger.read() as uow:
            models = uow.annotations.by_model(
                session_id=session_id, label=label, author=author, since=since, until=until
            )
        _show_models(models, as_json=as_json)
        return
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.annotations.summary(
            session_id=session_id, sequence_number=message, label=label, author=author, since=since, until=until
        )
    if as_json:
        write_document({**dict(found), "labels": found.labels})
        return
    screen = Screen()
    mean = "" if found.mean_score is None else f", mean score {found.mean_score:g}"
    screen.line(f"{counted(found.count, 'annotation')} on {counted(found.sessions, 'session')}{mean}")
    if found.labels:
        screen.table((Column("Label"), *_SCORES), [(each.label or "", *_scores(each)) for each in found.labels])


_SCORES = tuple(Column(name, right=True) for name in ("Count", "Scored", "Mean", "Least", "Greatest"))


def _scores(label: LabelSummary) -> tuple[str, ...]:
    numbers = map(_number, (label.mean_score, label.least_score, label.greatest_score))
    return (f"{label.count:,}", f"{label.scored:,}", *numbers)


def _show_models(models: Sequence[ModelAnnotations], *, as_json: bool) -> None:
    if as_json:
        write_document({"items": [{**dict(each), "labels": each.labels} for each in models]})
        return
    rows = [(each.model_id or "", label.label or "", *_scores(label)) for each in models for label in each.labels]
    Screen().table((Column("Model"), Column("Label"), *_SCORES), rows)


def _show(annotation: Annotation, *, as_json: bool) -> None:
    if as_json:
        write_document(annotation)
        return
    screen = Screen()
    screen.line((annotation.annotation_id, "bold"), ("".join(f" · {fact}" for fact in _facts(annotation)), "dim"))
    if annotation.text is not None:
        screen.text(annotation.text)
    if annotation.metadata:
        screen.line(encoded(annotation.metadata, ascii_only=False))


def _facts(annotation: Annotation) -> list[str]:
    message = "" if annotation.sequence_number is None else f"message {annotation.sequence_number}"
    score = "" if annotation.score is None else f"score {annotation.score:g}"
    facts = [message, annotation.label or "", score, annotation.author or "", when(annotation.created_at)]
    return [fact for fact in facts if fact]


def _show_table(screen: Screen, annotations: Sequence[Annotation]) -> None:
    screen.table(
        (
            Column("ID"),
            Column("Message", rank=1, right=True),
            Column("Label"),
            Column("Score", right=True),
            Column("Who", rank=2),
            Column("When", rank=3),
            Column("Text", rank=4, flexible=True),
        ),
        [
            (
                each.annotation_id,
                "" if each.sequence_number is None else str(each.sequence_number),
                each.label or "",
                _number(each.score),
                each.author or "",
                when(each.created_at),
                " ".join((each.text or "")[:400].split()),
            )
            for each in annotations
        ],
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _show_rest(cursor: str | None) -> None:
    if cursor:
        Screen.errors().line((f"more with --cursor {cursor}", "dim"))
