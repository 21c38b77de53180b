"""Language models: what is known of them, and what they cost."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from chatledger.cli.arguments.files import existing_file
from chatledger.cli.arguments.options import (
    Actor,
    AsJson,
    Cursor,
    Database,
    Metadata,
    ModelFilter,
    Owner,
    Project,
    Reason,
    Rehearse,
    Since,
    Until,
    pairs,
)
from chatledger.cli.arguments.times import TIME_HELP, moment
from chatledger.cli.errors import FAILED, report
from chatledger.cli.open_ledger import opened, opened_for
from chatledger.cli.output.json_output import amount, write_document
from chatledger.cli.output.progress import counting
from chatledger.cli.output.screen import Column, Screen, counted, when
from chatledger.cli.registry.projects import Archived, Limit, dated
from chatledger.schemas import Model, Price, PriceListReport, PriceTier, RepriceReport

app = typer.Typer(no_args_is_help=True, help="Language models and their prices.")

# Problems of a price list that are listed one by one.
_LISTED = 20
# Digits of a count that is read as one.
_DIGITS = 20


def _dollars(typed: str | Decimal) -> Decimal:
    try:
        return Decimal(typed)
    except InvalidOperation:
        raise typer.BadParameter("is not an amount of dollars") from None


def _price_option(name: str, words: str) -> Any:
    return typer.Option(name, metavar="DOLLARS", parser=_dollars, help=f"Per million {words}.")


_Id = Annotated[str, typer.Argument(metavar="MODEL_ID", show_default=False)]
_Provider = Annotated[str | None, typer.Option("--provider", metavar="NAME", help="Who runs it.")]
_Name = Annotated[str | None, typer.Option("--name", metavar="TEXT", help="The name that people use.")]
_Window = Annotated[int | None, typer.Option("--context-window", min=0, help="Tokens that fit into one request.")]
_Notes = Annotated[str | None, typer.Option("--notes", metavar="TEXT")]


@app.command("list")
def list_(
    archived: Archived = None, limit: Limit = 50, cursor: Cursor = None, user: Owner = None, db: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Print models by id."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        page = uow.models.list(archived=archived, limit=limit, cursor=cursor)
    if as_json:
        write_document({"items": page.items, "next_cursor": page.next_cursor})
        return
    columns = (Column("Model"), Column("Provider"), Column("Window", right=True), Column("Archived"))
    rows = [
        (one.model_id, one.provider or "", f"{one.context_window:,}" if one.context_window else "", dated(one))
        for one in page
    ]
    Screen().table(columns, rows)
    if page.next_cursor:
        Screen.errors().line((f"more with --cursor {page.next_cursor}", "dim"))


@app.command()
def show(model_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Print one model."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        _print(uow.models.get(model_id), as_json)


@app.command()
def add(
    model_id: _Id, provider: _Provider = None, name: _Name = None, context_window: _Window = None, notes: _Notes = None,
    metadata: Metadata = None, user: Owner = None, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Make a model, or bring one up to date with what is given."""
    fields = _given(provider, name, context_window, notes, metadata)
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.models.register(model_id, **fields)), as_json)


@app.command()
def update(
    model_id: _Id, provider: _Provider = None, name: _Name = None, context_window: _Window = None, notes: _Notes = None,
    metadata: Metadata = None, user: Owner = None, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Change what is given of a model that is there. Metadata that is given replaces all of it."""
    fields = _given(provider, name, context_window, notes, metadata)
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.models.update(model_id, **fields)), as_json)


@app.command()
def archive(model_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Put a model away. Its history and its prices stay."""
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.models.archive(model_id)), as_json)


@app.command()
def unarchive(model_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Bring a model back."""
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.models.unarchive(model_id)), as_json)


@app.command()
def price(
    model_id: _Id,
    input_: Annotated[Any, _price_option("--input", "input tokens")] = None,
    output: Annotated[Any, _price_option("--output", "output tokens")] = None,
    cached_input: Annotated[Any, _price_option("--cached-input", "cached ones of the input; else as input")] = None,
    cache_write: Annotated[Any, _price_option("--cache-write", "input tokens that are written to a cache")] = None,
    cache_write_1h: Annotated[Any, _price_option("--cache-write-1h", "those that are cached for an hour")] = None,
    reasoning: Annotated[Any, _price_option("--reasoning", "reasoning ones of the output; else as output")] = None,
    tiers: Annotated[
        list[str] | None,
        typer.Option(
            "--tier",
            metavar="NAME=VALUE,…",
            help="Another price for long inputs (above_tokens=200000,input=2.5,output=15) or for a service tier "
            "(service_tier=batch,factor=0.5). Can be repeated.",
        ),
    ] = None,
    no_tiers: Annotated[bool, typer.Option("--no-tiers", help="Remove the tiers of the price in force.")] = False,
    from_: Annotated[
        Any,
        typer.Option("--from", metavar="TIME", parser=moment, help=f"When it takes effect; else now. {TIME_HELP}"),
    ] = None,
    user: Owner = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Set what a model costs from a moment on. Kinds of tokens that are not given keep their price.

    Messages that were written before keep their cost until `reprice`.
    """
    kinds = {
        "input": input_, "output": output, "cached_input": cached_input, "cache_write": cache_write,
        "cache_write_1h": cache_write_1h, "reasoning": reasoning,
    }  # fmt: skip
    fields: dict[str, Any] = {kind: amount for kind, amount in kinds.items() if amount is not None}
    if tiers and no_tiers:
        raise typer.BadParameter("cannot be used with --tier", param_hint="'--no-tiers'")
    if tiers or no_tiers:
        fields["tiers"] = [_tier(text) for text in tiers or ()]
    with opened_for(db, user) as ledger:
        done = ledger.run(lambda uow: uow.models.price(model_id, **fields, effective_from=from_))
    if as_json:
        write_document(done)
    else:
        _table([done])


@app.command()
def prices(model_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False) -> None:
    """Print all prices of a model, oldest first."""
    with opened_for(db, user) as ledger, ledger.read() as uow:
        found = uow.models.prices(model_id)
    if as_json:
        write_document({"items": found})
    else:
        _table(found)


@app.command("remove-price")
def remove_price(
    model_id: _Id,
    from_: Annotated[
        Any,
        typer.Option(
            "--from", metavar="TIME", parser=moment, help=f"When it takes effect: {TIME_HELP}", show_default=False
        ),
    ],
    actor: Actor = None, user: Owner = None, db: Database = None,
) -> None:  # fmt: skip
    """Take a price away. Costs that were counted with it stay until `reprice`."""
    with opened_for(db, user) as ledger:
        ledger.run(lambda uow: uow.models.remove_price(model_id, from_), actor=actor)


@app.command()
def reprice(
    since: Since = None, until: Until = None, model: ModelFilter = None, project: Project = None,
    session: Annotated[
        str | None, typer.Option("--session-id", metavar="SESSION_ID", help="Only of this session.")
    ] = None,
    overwrite_given: Annotated[
        bool, typer.Option("--overwrite-given", help="Count again even costs that callers gave.")
    ] = False,
    dry_run: Rehearse = False, actor: Actor = None, reason: Reason = None, user: Owner = None, db: Database = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Count the costs of messages again: fill in what can be known now, and correct what a price has changed.

    It works in short transactions, each with its row in the audit log: one that was stopped is run again.
    """
    with opened_for(db, user) as ledger, counting("pricing") as so_far:
        done = ledger.reprice(
            since=since, until=until, model_id=model, project_id=project, session_id=session,
            overwrite_given=overwrite_given, dry_run=dry_run, actor=actor, reason=reason,
            progress=lambda now: so_far(_summary(now)),
        )  # fmt: skip
    if as_json:
        write_document(done)
    else:
        Screen().line(_summary(done))


def _existing_or_none(typed: Path | None) -> Path | None:
    """A file to read, if one is named."""
    return None if typed is None else existing_file(typed)


@app.command("import-prices")
def import_prices(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", show_default=False, callback=_existing_or_none)
    ] = None,
    shipped: Annotated[bool, typer.Option("--shipped", help="The list that comes with chatledger.")] = False,
    dry_run: Rehearse = False, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Read a price list: CSV, a JSON list, or the JSON object by model that LiteLLM publishes.

    With --shipped, the list that comes with chatledger: models of large providers, with prices that apply from the day
    of the list on.

    Columns are model_id, input, output, cached_input, cache_write, cache_write_1h, reasoning (dollars per million
    tokens), service_tier, above_tokens, effective_from, provider and context_window. Rows that are wrong are named, and
    the others are imported. Importing the same list again changes nothing. Prices that cannot be stored are named.
    """
    from chatledger.exchange.readers.price_lists import read_prices  # noqa: PLC0415 - the readers are needed here only
    from chatledger.exchange.readers.shipped_prices import shipped_prices  # noqa: PLC0415 - as above

    if shipped == (file is not None):
        raise typer.BadParameter("give a file, or --shipped for the list that comes with chatledger", param_hint="FILE")
    rows = shipped_prices() if file is None else read_prices(file)
    with opened(db) as ledger:
        done = ledger.run(lambda uow: uow.models.import_prices(rows, dry_run=dry_run))
    if as_json:
        write_document(done)
    else:
        screen = Screen()
        screen.line(_taken(done))
        if done.without_token_prices:
            screen.line(f"left out, without a price for tokens: {counted(done.without_token_prices, 'row')}")
        if done.not_stored:
            names = ", ".join(f"{name} ({counted(rows, 'row')})" for name, rows in done.not_stored.items())
            screen.text(f"not stored, because no cost is calculated from them: {names}")
    for problem in done.problems[:_LISTED]:
        report(f"{problem.place}: {problem.reason}")
    if len(done.problems) > _LISTED:
        report(f"and {counted(len(done.problems) - _LISTED, 'more problem')}")
    if done.problems:
        raise typer.Exit(FAILED)


@app.command()
def alias(
    name: Annotated[str, typer.Argument(metavar="ALIAS", show_default=False)],
    model_id: _Id, user: Owner = None, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Let a model without prices be priced as another one. Costs that were calculated stay until `reprice`."""
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.models.add_alias(name, model_id)), as_json)


@app.command("remove-alias")
def remove_alias(
    name: Annotated[str, typer.Argument(metavar="ALIAS", show_default=False)],
    user: Owner = None, db: Database = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Remove an alias. The model stays, and costs that were calculated stay until `reprice`."""
    with opened_for(db, user) as ledger:
        _print(ledger.run(lambda uow: uow.models.remove_alias(name)), as_json)


def _tier(text: str) -> dict[str, Any]:
    """A tier from NAME=VALUE pairs. What they may be is up to the ledger."""
    fields: dict[str, Any] = {}
    for pair in text.split(","):
        name, found, value = (part.strip() for part in pair.partition("="))
        if not found or not name or name in fields:
            raise typer.BadParameter("must be NAME=VALUE, with a comma between pairs", param_hint="'--tier'")
        whole = name == "above_tokens" and value.isascii() and value.isdigit() and len(value) <= _DIGITS
        fields[name] = int(value) if whole else value
    return fields


def _given(
    provider: str | None, name: str | None, window: int | None, notes: str | None, metadata: list[str] | None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "provider": provider, "name": name, "context_window": window, "notes": notes, "metadata": pairs(metadata) or None,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value is not None}


def _print(model: Model, as_json: bool) -> None:
    if as_json:
        write_document(model)
        return
    said = [
        model.model_id, model.name, model.provider,
        f"{model.context_window:,} tokens" if model.context_window else None,
        f"priced as {model.priced_as}" if model.priced_as else None,
        f"alias of {model.alias_of}" if model.alias_of else None,
        f"archived {when(model.archived_at)}" if model.archived_at else None,
    ]  # fmt: skip
    screen = Screen()
    screen.line(" · ".join(part for part in said if part))
    if model.notes:
        screen.text(model.notes)


def _table(found: list[Price]) -> None:
    names = ("From", "For", "Input", "Output", "Cached", "Cache write", "1h", "Reasoning")
    columns = [Column(name, right=name not in ("From", "For")) for name in names]
    rows = []
    for price in found:
        rows.append((when(price.effective_from), "", *_amounts(price)))
        rows += [("", _shown_tier(tier), *_amounts(tier)) for tier in price.tiers]
    # A column that only few models need is left out of the others' tables.
    kept = [at for at, name in enumerate(names) if name in _ALWAYS or any(row[at] for row in rows)]
    Screen().table([columns[at] for at in kept], [tuple(row[at] for at in kept) for row in rows])


# Columns of every table of prices.
_ALWAYS = ("From", "Input", "Output", "Cached", "Reasoning")


def _amounts(price: Price | PriceTier) -> list[str]:
    kinds = ("input", "output", "cached_input", "cache_write", "cache_write_1h", "reasoning")
    return [_shown(getattr(price, kind)) for kind in kinds]


def _shown_tier(tier: PriceTier) -> str:
    above = f"above {tier.above_tokens:,} tokens" if tier.above_tokens else None
    return " ".join(part for part in (tier.service_tier, above) if part)


def _shown(dollars: Decimal | None) -> str:
    return "" if dollars is None else f"${amount(dollars)}"


def _summary(done: RepriceReport) -> str:
    would = "would be " if done.dry_run else ""
    change = f"{'-' if done.difference < 0 else '+'}${amount(abs(done.difference))}"
    return (
        f"{counted(done.examined, 'message')} looked at: {done.filled:,} {would}filled in, {done.corrected:,} corrected, "
        f"{done.withdrawn:,} withdrawn ({change})"
    )


def _taken(done: PriceListReport) -> str:
    taken = "would be taken" if done.dry_run else "taken"
    return (
        f"{counted(done.prices, 'price')} {taken}, {done.unchanged:,} there already, {counted(done.models, 'new model')}"
        f"{f', {len(done.problems):,} wrong' if done.problems else ''}"
    )
