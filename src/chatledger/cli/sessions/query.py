"""A question and its answer: both recorded, the question first."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database
from chatledger.cli.errors import FAILED, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen
from chatledger.cli.responders.answers import Responder, ResponderFailed
from chatledger.cli.responders.responder import responder_of
from chatledger.cli.sessions.messages import standard_input, without_break
from chatledger.cli.signals import Terminated, exit_code_of
from chatledger.enums import Outcome, Role
from chatledger.errors import ChatledgerError, InvalidInput
from chatledger.ledger.stream import Stream
from chatledger.ledger.user_ledger import UserLedger
from chatledger.schemas import Message, NewMessage, Session
from chatledger.schemas.fields import MAX_IDENTIFIER
from chatledger.schemas.message import new_message
from chatledger.services.messages import streaming
from chatledger.transactions import Transactions
from chatledger.unit_of_work import UnitOfWork

# NUL, and halves of surrogate pairs.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def query(
    text: Annotated[
        str | None,
        typer.Argument(
            show_default=False,
            help="The question; - reads it from standard input. Without it, the question that has no answer yet.",
        ),
    ] = None,
    session_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The session. By default, a new one; its id is printed on standard error."),
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Create a session, with the id of --session-id if it is given.")
    ] = False,
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
        float | None, typer.Option(min=0.001, metavar="SECONDS", help="Stop a command after this time.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option("--last", "-n", min=1, metavar="N", help="Pass only the last N messages to the responder."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Ask only once: the same question again is neither added nor answered twice."),
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="Recorded with the answer.")] = None,
    user: Annotated[str | None, typer.Option("--user-id", metavar="USER", help="The owner of the session.")] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Record a question, let a responder answer, print and record the answer.

    The question is stored before the responder starts. If it fails or is interrupted, the question is kept, and so is
    what came of the answer, with its outcome (`error` or `interrupted`): run the same without the text to try again.
    Nothing is locked while it thinks.

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
    waiting = _waiting(uow, session.session_id)
    if waiting is None:
        raise InvalidInput("TEXT", f"give a question: nothing waits for an answer in session {session.session_id!r}")
    return session, waiting


def _waiting(uow: UnitOfWork, session_id: str) -> Message | None:
    """The last message, unless it is an answer. An answer that failed or was cut off is none."""
    before: int | None = None
    while found := uow.messages.history(session_id, last=1, before=before):
        message = found[0]
        if message.role in (Role.USER, Role.TOOL):
            return message
        if message.role is not Role.ASSISTANT or not _is_broken(message):
            return None
        before = message.sequence_number
    return None


def _is_broken(message: Message) -> bool:
    # One that is still being written may be of a command that was killed.
    return message.outcome in (Outcome.INTERRUPTED, Outcome.ERROR, Outcome.STREAMING)


def _answer_to(ledger: Transactions, question: Message, key: str | None) -> Message | None:
    """The answer that an earlier run under the same key has recorded."""
    if key is None:
        return None
    with ledger.read() as uow:
        return uow.messages.find(question.session_id, key=_answer_key(key))


def _answered(
    ledger: UserLedger,
    responder: Responder,
    session: Session,
    question: Message,
    last: int | None,
    model: str | None,
    key: str | None,
    screen: Screen | None,
) -> Message:
    with ledger.read() as uow:
        conversation = uow.messages.history(session.session_id, last=last, before=question.sequence_number + 1)
    saved = _Saved(ledger, session.session_id, model or session.model_id)
    shown = _Shown(screen, saved.write)
    began = time.perf_counter()

    def record(answer: NewMessage, key: str | None) -> Message:
        changes: dict[str, Any] = {"key": key}
        if answer.duration_ms is None:
            changes["duration_ms"] = round((time.perf_counter() - began) * 1000)
        if answer.model_id is None:
            changes["model_id"] = model or session.model_id
        return ledger.run(lambda uow: saved.finish(uow, answer.model_copy(update=changes)))

    try:
        answer = responder(_prompted(session, _without_retried(conversation)), shown.show)
    except ResponderFailed as failure:
        kept = _kept(question, shown.broken(failure.outcome), record)
        report(f"the responder failed: {failure}; {kept}: leave out the text to try again")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt as stop:
        what = "terminated" if isinstance(stop, Terminated) else "interrupted"
        report(f"{what}; {_kept(question, shown.broken(Outcome.INTERRUPTED), record)}")
        raise typer.Exit(exit_code_of(stop)) from None
    if shown.pieces:
        shown.end()
    elif screen:
        screen.text(answer.content)
    return record(answer, answer.key or (_answer_key(key) if key else None))


def _kept(question: Message, answer: NewMessage | None, record: Callable[[NewMessage, str | None], Message]) -> str:
    """Record the part of an answer that came, and say what is kept."""
    session_id = question.session_id
    kept = f"the question is kept as message {question.sequence_number} of session {session_id!r}"
    if answer is None:
        return kept
    try:
        number = record(answer, None).sequence_number
    except ChatledgerError as error:
        return f"{kept}, and what came of the answer is lost: {error}"
    return f"{kept}, and what came of the answer as message {number}"


class _Saved:
    """The answer in the ledger while its pieces come: a killed command leaves what was saved."""

    def __init__(self, ledger: UserLedger, session_id: str, model: str | None) -> None:
        self._session_id = session_id
        self._stream: Stream | None = ledger.stream(session_id, Role.ASSISTANT, model_id=model)
        self._number: int | None = None

    def write(self, piece: str) -> None:
        if self._stream is None or not (self._stream.text or piece.strip("\n")):
            return
        try:
            self._stream.write(piece)
        except ChatledgerError:
            self._stream = None  # all of it is recorded at the end, and refused then if it cannot be stored
        else:
            self._number = self._stream.sequence_number

    def finish(self, uow: UnitOfWork, answer: NewMessage) -> Message:
        """Record the whole answer, in place of what was saved of it."""
        if self._number is None:
            return uow.messages.append_many(self._session_id, [answer])[0]
        fields = answer.model_dump(exclude={"role", "created_at"}) | {"outcome": answer.outcome or Outcome.COMPLETE}
        return streaming.save(uow._context, self._session_id, self._number, fields, until=None)


class _Shown:
    """The pieces of an answer, as they come: on the screen where there is one, and kept."""

    def __init__(self, screen: Screen | None, save: Callable[[str], None]) -> None:
        self.pieces: list[str] = []
        self._save = save
        self._screen = screen
        self._break = ""

    def show(self, piece: str) -> None:
        self.pieces.append(piece)
        # The line is ended once, whether or not the answer ends with a break.
        text = self._break + piece
        self._break = "\n" if text.endswith("\n") else ""
        self._write(text.removesuffix("\n"), "")
        self._save(piece)

    def end(self) -> None:
        self._write("", "\n")

    def broken(self, outcome: Outcome) -> NewMessage | None:
        """What came, as a message; None if nothing did. It ends before what cannot be stored."""
        if self.pieces:
            self.end()
        text = without_break(_UNSTORABLE.split("".join(self.pieces), maxsplit=1)[0])
        return new_message({"role": Role.ASSISTANT, "content": text, "outcome": outcome}) if text else None

    def _write(self, text: str, end: str) -> None:
        if self._screen is None:
            return
        try:
            self._screen.text(text, end=end)
            self._screen.flush()
        except BrokenPipeError:
            # The reader has left; the answer is recorded all the same.
            self._screen = None


def _without_retried(conversation: list[Message]) -> list[Message]:
    """The conversation without answers that failed or were cut off and then given again."""
    following = [*conversation[1:], None]
    return [
        message
        for message, after in zip(conversation, following, strict=True)
        if not (_is_broken(message) and after is not None and after.role is Role.ASSISTANT)
    ]


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
