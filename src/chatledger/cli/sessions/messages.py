"""Messages: added and read back."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.options import AsJson, Database, Metadata, Owner, SessionId, json_value, pairs
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.json_output import encoded, write_document, write_line
from chatledger.cli.output.screen import Screen, counted, money, when
from chatledger.cli.sessions.sessions import status_of
from chatledger.enums import Outcome, Role
from chatledger.errors import InvalidInput
from chatledger.schemas import Message, Session

_STYLES = {
    Role.SYSTEM: "magenta",
    Role.DEVELOPER: "magenta",
    Role.USER: "bold cyan",
    Role.ASSISTANT: "bold green",
    Role.TOOL: "yellow",
}

# Characters of a payload that a terminal shows.
_PAYLOAD = 600

_Tokens = Annotated[int | None, typer.Option(min=0, metavar="N")]


def add(
    session_id: SessionId,
    role: Annotated[Role, typer.Argument(show_default=False)],
    content: Annotated[
        str | None,
        typer.Argument(
            show_default=False,
            help="The text; - reads it from standard input, without a line break at its end. "
            "Text that begins with a dash stands after --.",
        ),
    ] = None,
    payload: Annotated[str | None, typer.Option(metavar="JSON", help="Structured content, stored unchanged.")] = None,
    metadata: Metadata = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="Add it only once: the same key and text again change nothing.")
    ] = None,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The name of the speaker or the tool.")] = None,
    tool_call_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the call that a tool answers.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="MODEL", help="The model that wrote it.")] = None,
    tokens: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="The total, if the kinds are not known.")
    ] = None,
    input_tokens: _Tokens = None,
    output_tokens: _Tokens = None,
    cached_tokens: _Tokens = None,
    reasoning_tokens: _Tokens = None,
    cache_write_tokens: _Tokens = None,
    cache_write_1h_tokens: _Tokens = None,
    service_tier: Annotated[
        str | None, typer.Option(metavar="NAME", help="Where prices differ: batch, flex, priority.")
    ] = None,
    duration_ms: Annotated[int | None, typer.Option(min=0, metavar="MS", help="How long it took.")] = None,
    cost: Annotated[str | None, typer.Option(metavar="DOLLARS", help="The cost, exact to nine decimals.")] = None,
    outcome: Annotated[Outcome | None, typer.Option(help="How writing the message ended.")] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Append a message to a session, and print its number."""
    if content is None and payload is None:
        raise typer.BadParameter(
            "give the text, - to read it from standard input, or --payload", param_hint="'CONTENT'"
        )
    structured = json_value(payload, "--payload")
    entries = pairs(metadata) or None
    text = standard_input() if content == "-" else content or ""
    with opened_for(db, user) as ledger:
        message = ledger.append(
            session_id,
            role,
            text,
            payload=structured,
            metadata=entries,
            name=name,
            tool_call_id=tool_call_id,
            model_id=model,
            tokens_used=tokens,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=cached_tokens,
            reasoning_tokens=reasoning_tokens,
            cache_write_tokens=cache_write_tokens,
            cache_write_1h_tokens=cache_write_1h_tokens,
            service_tier=service_tier,
            duration_ms=duration_ms,
            cost=cost,
            outcome=outcome,
            key=key,
        )
    if as_json:
        write_document(message)
    else:
        Screen().line(str(message.sequence_number))


def history(
    session_id: SessionId,
    last: Annotated[
        int | None, typer.Option("--last", "-n", min=0, metavar="N", help="Only the last N messages.")
    ] = None,
    after: Annotated[int | None, typer.Option(min=0, metavar="N", help="Only messages after number N.")] = None,
    before: Annotated[int | None, typer.Option(min=0, metavar="N", help="Only messages before number N.")] = None,
    user: Owner = None,
    db: Database = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON Lines: one message on each line.")] = False,
) -> None:
    """Print the messages of a session in order."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        session = uow.sessions.get(session_id, include_expired=True)
        messages: Iterable[Message]
        if last is None:
            messages = uow.messages.iterate(session_id, after=after, before=before)
        else:
            messages = uow.messages.history(session_id, last=last, after=after, before=before)
        if as_json:
            for message in messages:
                write_line(message)
        else:
            show(Screen(), session, messages)


def show(screen: Screen, session: Session, messages: Iterable[Message]) -> None:
    """A conversation as people read it."""
    facts = [session.session_id, session.user_id, session.model_id, status_of(session)]
    facts.append(counted(session.message_count, "message"))
    if session.title:
        screen.line((session.title, "bold"))
    screen.line((" · ".join(fact for fact in facts if fact), "dim"))
    if session.system_prompt:
        screen.text("")
        screen.line(("system prompt", _STYLES[Role.SYSTEM]))
        screen.text(session.system_prompt)
    show_messages(screen, messages)


def show_messages(screen: Screen, messages: Iterable[Message]) -> None:
    """Messages as people read them, each below a blank line."""
    for message in messages:
        screen.text("")
        screen.line(
            (f"#{message.sequence_number} {_speaker(message)}", _STYLES[message.role]), (_facts(message), "dim")
        )
        if message.content:
            screen.text(message.content)
        if message.payload is not None:
            _show_payload(screen, message)


def _show_payload(screen: Screen, message: Message) -> None:
    calls = _calls(message.payload)
    if calls:
        for call in calls:
            screen.line(("→ ", "dim"), call)
        return
    text = encoded(message.payload, ascii_only=False)
    if screen.is_terminal and len(text) > _PAYLOAD:
        text = f"{text[:_PAYLOAD]}… ({len(text):,} characters: --json shows all)"
    screen.line((f"payload: {text}", "dim"))


def _calls(payload: Any) -> list[str]:
    """Tool calls in OpenAI's form, as `name(arguments)`; none when the payload holds anything else."""
    try:
        if {name for name, value in payload.items() if value is not None} != {"tool_calls"}:
            return []
        return [f"{call['function']['name']}({call['function']['arguments']})" for call in payload["tool_calls"]]
    except (AttributeError, KeyError, TypeError):
        return []


def _speaker(message: Message) -> str:
    name = f" {message.name}" if message.name else ""
    call = f" ({message.tool_call_id})" if message.tool_call_id else ""
    hidden = " (hidden)" if message.hidden else ""
    return f"{message.role.value}{name}{call}{hidden}"


def _facts(message: Message) -> str:
    facts = [when(message.created_at)]
    if message.model_id:
        facts.append(message.model_id)
    if message.total_tokens:
        facts.append(counted(message.total_tokens, "token"))
    if message.cost:
        facts.append(money(message.cost))
    if message.duration_ms is not None:
        facts.append(f"{message.duration_ms / 1000:.1f} s")
    return "".join(f" · {fact}" for fact in facts)


def standard_input() -> str:
    """All of standard input, without a line break at its end.

    Raises:
        InvalidInput: it is not UTF-8.
    """
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise InvalidInput("content", "standard input is not UTF-8")
    return without_break(text)


def without_break(text: str) -> str:
    """Text without the line break that commands put at its end."""
    return text.removesuffix("\n").removesuffix("\r")
