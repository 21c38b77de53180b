"""`chatledger serve`: a ledger in the browser."""

from __future__ import annotations

import os
import secrets
import webbrowser
from typing import Annotated
from urllib.parse import quote

import typer

from chatledger.cli.arguments.options import Actor, Database
from chatledger.cli.errors import fail, report
from chatledger.cli.open_ledger import opened_for
from chatledger.errors import MissingExtra

TOKEN = "CHATLEDGER_WEB_TOKEN"
PORT = 8765
_LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(
    user: Annotated[str | None, typer.Option("--user-id", metavar="USER", help="Show this user's only.")] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 chooses a free one.")] = PORT,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    write: Annotated[
        bool,
        typer.Option("--write", help="Let conversations be renamed, annotated, archived, held, redacted, deleted."),
    ] = False,
    actor: Actor = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    db: Database = None,
) -> None:
    """Show the ledger in a browser: conversations, search, usage, comparisons, batches. Needs the extra `web`.

    The pages change nothing without --write. On another address than this machine's own, a token is needed: the variable
    CHATLEDGER_WEB_TOKEN, or one that is made and shown.
    """
    try:
        import uvicorn  # noqa: PLC0415 - an extra

        from chatledger.web.pages.application import browser  # noqa: PLC0415 - an extra
    except MissingExtra as error:
        fail(str(error))
    except ImportError:
        fail(str(MissingExtra("web", "pages in a browser")))
    if write and actor is None:
        raise typer.BadParameter("say who writes", param_hint="'--actor'")
    is_local = host in _LOCAL
    token = os.environ.get(TOKEN) or (None if is_local else secrets.token_urlsafe(32))
    with opened_for(db, user) as ledger:
        application = browser(
            ledger,
            token=token,
            hosts=_LOCAL if is_local else None,
            author=actor if write else None,
        )
        config = uvicorn.Config(application, host=host, port=port, log_level="warning")
        listening = config.bind_socket()
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/" + ("" if token is None else f"?token={quote(token)}")
        report(f"showing {address}, until Ctrl-C")
        if open_:
            webbrowser.open(address)
        uvicorn.Server(config).run([listening])
