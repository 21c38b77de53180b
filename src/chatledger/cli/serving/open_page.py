"""`chatledger open`: a conversation in the browser."""

from __future__ import annotations

import os
import socket
import webbrowser
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from chatledger.cli.arguments.options import Database, Owner, SessionId
from chatledger.cli.errors import fail, report
from chatledger.cli.open_ledger import opened_for
from chatledger.cli.output.screen import Screen
from chatledger.cli.serving.serve import PORT, TOKEN

_HOST = "127.0.0.1"
# Seconds to wait for a server on this machine.
_CONNECTING = 2


def open_(
    session_id: SessionId,
    number: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", min=1, help="Go to this message.", show_default=False)
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="The port at which `chatledger serve` listens.")
    ] = PORT,
    print_: Annotated[bool, typer.Option("--print", help="Only print the address.")] = False,
    user: Owner = None,
    db: Database = None,
) -> None:
    """Open a conversation in the browser, and print its address. `chatledger serve` must be running.

    The address contains the token of CHATLEDGER_WEB_TOKEN, if that variable is set.
    """
    with opened_for(db, user) as ledger, ledger.read() as uow:
        uow.sessions.get(session_id, include_expired=True)
        if number is not None:
            uow.messages.get(session_id, number)
    if not print_ and not _is_served(port):
        fail(f"nothing is served at port {port}: run `chatledger serve` first, or name its port with --port")
    address = page_address(session_id, number, port=port, token=os.environ.get(TOKEN))
    Screen().text(address)
    if not print_ and not webbrowser.open(address):
        report("no browser was found: open the address yourself")


def page_address(session_id: str, number: int | None, *, port: int, token: str | None) -> str:
    """The address of a conversation, or of a message in it, on this machine."""
    query = {"token": token} if token else {}
    if number is not None:
        query |= {"around": str(number)}
    address = f"http://{_HOST}:{port}/session/{quote(session_id, safe='')}"
    return address + (f"?{urlencode(query)}" if query else "") + (f"#m{number}" if number is not None else "")


def _is_served(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=_CONNECTING):
            return True
    except OSError:
        return False
