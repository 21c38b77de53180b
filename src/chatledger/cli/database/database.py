"""The database itself: begun, migrated, checked, described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from chatledger import migrate as migrations
from chatledger.cli.arguments.options import AsJson, Database
from chatledger.cli.database import backup, integrity, maintenance
from chatledger.cli.open_ledger import file_of, opened, place_of, url_of
from chatledger.cli.output.json_output import write_document
from chatledger.cli.output.screen import Screen, sized
from chatledger.dialects import dialect_of, parse_url
from chatledger.migrate import HEAD

app = typer.Typer(no_args_is_help=True, help="Migrate, check, repair, back up and describe the database.")
app.command()(integrity.check)
app.command()(integrity.repair)


def init(db: Database = None, as_json: AsJson = False) -> None:
    """Create a ledger, or upgrade an older one, and print its location."""
    path = file_of(db)
    made = path is not None and not path.exists()
    with opened(db, new=True, migrate="always") as ledger:
        place, revision = place_of(ledger, db), ledger.current()
        if as_json:
            write_document({"place": place, "url": ledger.url, "revision": revision, "new": made})
        else:
            Screen().line((place, "bold"), f" is ready (revision {revision})")


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="[REVISION]", help="The target revision.")] = "head",
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL for an empty database, and run nothing.")] = False,
    db: Database = None,
) -> None:
    """Upgrade the schema. Rows are kept; if it is killed, the old schema stays."""
    if sql:
        dialect = dialect_of(parse_url(url_of(db)).get_backend_name())
        typer.echo(migrations.script(dialect, revision), nl=False)
        return
    with opened(db, new=True, migrate="never") as ledger:
        before = ledger.current()
        ledger.upgrade(revision)
        _show_way(before, ledger.current())


@app.command()
def downgrade(
    revision: Annotated[
        str,
        typer.Argument(
            metavar="REVISION", show_default=False, help="The target revision; base drops every table of the ledger."
        ),
    ],
    drop_content: Annotated[
        bool, typer.Option("--drop-content", help="Drop rows that the downgrade cannot keep.")
    ] = False,
    db: Database = None,
) -> None:
    """Downgrade the schema. Refused if rows would be dropped, unless you pass --drop-content."""
    with opened(db, migrate="never") as ledger:
        before = ledger.current()
        ledger.downgrade(revision, drop_content=drop_content)
        _show_way(before, ledger.current())


@app.command()
def current(db: Database = None, as_json: AsJson = False) -> None:
    """Print the revision of the database."""
    with opened(db, migrate="never") as ledger:
        revision = ledger.current()
    if as_json:
        write_document({"revision": revision, "head": HEAD})
    else:
        Screen().line(revision or "none", "" if revision == HEAD else f" (this release needs {HEAD})")


@app.command()
def secure(
    role: Annotated[str, typer.Option("--role", metavar="NAME", help="The role of the server.", show_default=False)],
    undo: Annotated[bool, typer.Option("--undo", help="Take the policies and rights of the role back.")] = False,
    leakproof_search: Annotated[
        bool,
        typer.Option("--leakproof-search", help="Let searches of the role use the index of words. Needs a superuser."),
    ] = False,
    db: Database = None,
) -> None:
    """Limit a role of a PostgreSQL server to the rows of one user at a time, whatever SQL it runs.

    Ledgers that connect as this role work for one user, by --user-id or `for_user`. Run it again after an upgrade.
    """
    with opened(db) as ledger:
        if undo:
            ledger.unsecure(role)
        else:
            ledger.secure(role, leakproof_search=leakproof_search)
    Screen().line(("released", "bold") if undo else ("secured", "bold"), f" {role}")


@app.command()
def info(db: Database = None, as_json: AsJson = False) -> None:
    """Show version, revision, sizes by table and index, settings and pool of the database."""
    with opened(db, migrate="never") as ledger:
        facts = {**ledger.info(), **ledger.sizes()}
    facts["pool"] = facts.pop("pool")  # last, for it is not about what is stored
    if as_json:
        write_document(facts)
    else:
        _show_facts(Screen(), facts)


# Groups of figures that are sizes.
_OF_BYTES = {"bytes", "tables", "indexes", "file"}


app.command()(backup.backup)
app.command()(backup.restore)
app.command()(backup.copy)
app.command()(maintenance.maintain)
app.command()(maintenance.health)


def _show_facts(screen: Screen, facts: Mapping[str, Any]) -> None:
    plain = {name: value for name, value in facts.items() if not isinstance(value, Mapping)}
    width = max(map(len, plain))
    for name, value in plain.items():
        screen.line((name.replace("_", " ").ljust(width), "bold"), f"  {_shown(value)}")
    for name, group in facts.items():
        if isinstance(group, Mapping) and group:
            screen.line((name.replace("_", " "), "bold"))
            width = max(map(len, group))
            for part, value in group.items():
                screen.line(f"  {part.ljust(width)}  {sized(value) if name in _OF_BYTES else _shown(value)}")


def _shown(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _show_way(before: str | None, after: str | None) -> None:
    Screen().line(f"{before or 'none'} → {after or 'none'}" if before != after else f"already at {after or 'none'}")
