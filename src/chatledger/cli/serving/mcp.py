"""`chatledger mcp`: a ledger for agents."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import typer

from chatledger.cli.arguments.options import Database
from chatledger.cli.errors import fail, report
from chatledger.cli.open_ledger import opened_for

TOKEN = "CHATLEDGER_MCP_TOKEN"
_LOCAL = ("127.0.0.1", "localhost", "::1")


def mcp(
    user: Annotated[str | None, typer.Option("--user-id", metavar="USER", help="Show this user's only.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Also let the agent append notes.")] = False,
    http: Annotated[
        int | None, typer.Option("--http", metavar="PORT", help="Serve over HTTP, at /mcp, instead of standard input.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="With --http: the address to listen on.")] = "127.0.0.1",
    db: Database = None,
) -> None:
    """Serve the conversations to an agent, over the Model Context Protocol. Needs the extra `mcp`.

    The agent can search, read and list conversations, and see their usage. It cannot change or delete anything; with
    --write it can append notes. Over HTTP on another address than this machine's own, a token is needed: the variable
    CHATLEDGER_MCP_TOKEN, or one that is made and shown.
    """
    try:
        from chatledger.mcp.server import server_of, with_token  # noqa: PLC0415 - an extra
    except ImportError as error:
        fail(str(error))
    with opened_for(db, user) as ledger:
        server = server_of(ledger, write=write)
        if http is None:
            server.run()
            return
        import uvicorn  # noqa: PLC0415 - an extra

        application = server.streamable_http_app(host=host)
        token = os.environ.get(TOKEN)
        if token is None and host not in _LOCAL:
            token = secrets.token_urlsafe(32)
            report(f"the token is {token}")
        served = application if token is None else with_token(application, token)
        report(f"serving http://{host}:{http}/mcp, until Ctrl-C")
        uvicorn.run(served, host=host, port=http, log_level="warning")
