"""A question and its answer: both recorded, the question first."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database
from chatledger.cli.errors import FAILED, INTERRUPTED, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen
from chatledger.cli.responder import Responder, ResponderFailed, Show, responder_of
from chatledger.cli.sessions.messages import standard_input
from chatledger.enums import Role
from chatledger.errors import InvalidInput
from chatledger.schemas import Message, NewMessage, Session
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork


def query(
    text: Annotated[
        str | None,
        typer.Argument(
            show_default=False,
            help="The question; - reads it from standard input. Without it, the one that still waits for an answer.",
        ),
    ] = None,
    session_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The session. Without it one is begun, its id on standard error.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Begin a session, under --session-id where given.")] = False,
    function: Annotated[
        str | None,
        typer.Option(
            "--responder", metavar="MODULE:FUNCTION", help="Called with the list of messages.", show_default=False
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="COMMAND", help="Run without a shell, fed with the conversation as JSON."),
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="How long a command may take.")
    ] = None,
    last: Annotated[
        int | None, typer.Option("--last", "-n", min=1, metavar="N", help="The responder sees only the last so many.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Ask once: run again, the same question is neither repeated nor answered twice."
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Recorded with the answer.")] = None,
    user: Annotated[str | None, typer.Option("--user", metavar="USER", help="Whose session it is.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Record a question, let a responder answer, print and record the answer.

    The question is stored before the responder starts, and kept when it fails; then run the same without the text to try
    again. Nothing is locked while it thinks.

    A function gets the list of messages, the system prompt in front as message 0. It returns text, or a dict (content,
    payload, input_tokens, output_tokens, cost, …), or yields pieces of text; it may be async. Modules are looked for in
    the current directory first.

    A command gets a JSON array on its standard input, such as [{"role": "user", "content": "Where to in May?"}], with
    name, tool_call_id, payload, metadata, model_id, sequence_number and created_at where there are any. Its standard
    output is the answer.
    """
    responder = responder_of(function, command, timeout)
    begins = new or session_id is None
    if begins and text is None:
        raise typer.BadParameter("a new session needs a question", param_hint="'TEXT'")
    if key is not None and session_id is None:
        raise typer.BadParameter("needs --session-id: a new session has no earlier question", param_hint="'--key'")
    if key is not None and len(_answer_key(key)) > MAX_IDENTIFIER:
        raise typer.BadParameter("is too long", param_hint="'--key'")
    asked = standard_input() if text == "-" else text
    with opened_for(db, user, new=begins) as ledger:
        session, question = ledger.run(
            lambda uow: _ask(uow, session_id, asked, key, begins=begins, user=user, model=model)
        )
        if session_id is None:
            report(f"session {session.session_id}")
        answer = _answer_to(ledger, question, key)
        screen = Screen()
        if answer is None:
            answer = _answered(ledger, responder, session, question, last, model, key, None if as_json else screen)
        elif not as_json:
            screen.text(answer.content)
    if as_json:
        write_document({"session_id": session.session_id, "question": question, "answer": answer})


def _ask(
    uow: UnitOfWork,
    session_id: str | None,
    text: str | None,
    key: str | None,
    *,
    begins: bool,
    user: str | None,
    model: str | None,
) -> tuple[Session, Message]:
    if begins:
        session = uow.sessions.create(session_id, user_id=user, model_id=model)
    else:
        assert session_id is not None
        session = uow.sessions.get(session_id, include_expired=True)
    if text is not None:
        return session, uow.messages.append(session.session_id, Role.USER, text, key=key)
    waiting = uow.messages.history(session.session_id, last=1)
    if not waiting or waiting[0].role not in (Role.USER, Role.TOOL):
        raise InvalidInput("TEXT", f"give a question: nothing waits for an answer in session {session.session_id!r}")
    return session, waiting[0]


def _answer_to(ledger: Transactions, question: Message, key: str | None) -> Message | None:
    """The answer that an earlier run under the same key has recorded."""
    if key is None:
        return None
    with ledger.read() as uow:
        return uow.messages.find(question.session_id, key=_answer_key(key))


def _answered(
    ledger: Transactions,
    responder: Responder,
    session: Session,
    question: Message,
    last: int | None,
    model: str | None,
    key: str | None,
    screen: Screen | None,
) -> Message:
    kept = f"the question is kept as message {question.sequence_number} of session {session.session_id!r}"
    with ledger.read() as uow:
        conversation = uow.messages.history(session.session_id, last=last, before=question.sequence_number + 1)
    streamed: list[str] = []
    began = time.perf_counter()
    try:
        answer = responder(_prompted(session, conversation), _shower(screen, streamed))
    except (ResponderFailed, KeyboardInterrupt) as failure:
        if streamed and screen:
            screen.text("")
        if isinstance(failure, KeyboardInterrupt):
            report(f"interrupted; {kept}")
            raise typer.Exit(INTERRUPTED) from None
        report(f"the responder failed: {failure}; {kept}: leave out the text to try again")
        raise typer.Exit(FAILED) from None
    took = round((time.perf_counter() - began) * 1000)
    if screen:
        screen.text("" if streamed else answer.content)
    changes: dict[str, Any] = {"key": answer.key or (_answer_key(key) if key else None)}
    if answer.duration_ms is None:
        changes["duration_ms"] = took
    if answer.model_id is None:
        changes["model_id"] = model or session.model_id
    return ledger.run(lambda uow: _record(uow, session.session_id, answer.model_copy(update=changes)))


def _record(uow: UnitOfWork, session_id: str, answer: NewMessage) -> Message:
    return uow.messages.append_many(session_id, [answer])[0]


def _shower(screen: Screen | None, streamed: list[str]) -> Show:
    def show(piece: str) -> None:
        if screen:
            screen.text(piece, end="")
            screen.flush()
            streamed.append(piece)

    return show


def _prompted(session: Session, conversation: list[Message]) -> list[Message]:
    """The conversation behind its system prompt, unless it begins with one of its own."""
    if not session.system_prompt or (conversation and conversation[0].role is Role.SYSTEM):
        return conversation
    prompt = Message(
        session_id=session.session_id,
        sequence_number=0,
        role=Role.SYSTEM,
        content=session.system_prompt,
        metadata={},
        created_at=session.created_at,
    )
    return [prompt, *conversation]


def _answer_key(key: str) -> str:
    return f"{key}:answer"
