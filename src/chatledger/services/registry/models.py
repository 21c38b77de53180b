"""The registry of language models, and what they cost."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select

from chatledger.errors import InvalidInput, ModelNotFound, PriceNotFound
from chatledger.models import tables
from chatledger.models.price_names import resolve, resolve_new
from chatledger.models.price_rows import prices
from chatledger.schemas import Model, Page, Price, PriceListReport, PriceTier, RepriceReport
from chatledger.schemas.fields import called, flags, moment, several, validated
from chatledger.schemas.registry import ModelFields, NewPrice
from chatledger.schemas.session import KEEP, Keep
from chatledger.services import audit
from chatledger.services.base import Service
from chatledger.services.registry import entries, price_tiers, repricing, stored_prices

models = tables.models

Amount = Decimal | int | str | None


class Models(Service):
    """The registry of language models, and what they cost.

    A model is made on first use, too, by a session or a message that names it. Models and their prices are shared by
    all users: a ledger that is limited to one shows them and changes none.
    """

    __slots__ = ()

    def register(
        self,
        model_id: str,
        *,
        provider: str | Keep | None = KEEP,
        name: str | Keep | None = KEEP,
        context_window: int | Keep | None = KEEP,
        notes: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
    ) -> Model:
        """Make a model, or bring one up to date. What is not given stays; None clears it. `context_window` is in
        tokens.

        Raises:
            InvalidInput: a value that cannot be stored, or a ledger that is limited to a user.
        """
        entries.require_whole(self._context, "model_id")
        called(model_id, "model_id")
        given = entries.given(
            {"provider": provider, "name": name, "context_window": context_window, "notes": notes, "metadata": metadata}
        )
        values = validated(ModelFields, given).model_dump(include=set(given))
        if entries.add(self._context, models, model_id, values):
            resolve_new(self._context.connected(), [model_id])
        else:
            entries.change(self._context, models, model_id, values)
        return self.get(model_id)

    def get(self, model_id: str) -> Model:
        """One model.

        Raises:
            ModelNotFound: no such model.
        """
        found = self.find(model_id)
        if found is None:
            raise ModelNotFound(model_id)
        return found

    def find(self, model_id: str) -> Model | None:
        """One model, or None."""
        row = entries.row_of(self._context, models, model_id)
        return None if row is None else Model.model_validate(row)

    def list(self, *, archived: bool | None = None, limit: int = 50, cursor: str | None = None) -> Page[Model]:
        """Models by id: all, or only the archived ones, or only the others. At most 1,000 a page.

        Raises:
            InvalidInput: a cursor of another list, or an invalid limit.
        """
        rows, after = entries.rows_of(
            self._context, models, archived=archived, limit=limit, cursor=cursor, visible=None
        )  # fmt: skip
        return Page[Model](items=tuple(Model.model_validate(row) for row in rows), next_cursor=after)

    def update(
        self,
        model_id: str,
        *,
        provider: str | Keep | None = KEEP,
        name: str | Keep | None = KEEP,
        context_window: int | Keep | None = KEEP,
        notes: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
    ) -> Model:
        """`register`, of a model that is there.

        Raises:
            ModelNotFound: no such model.
            InvalidInput: as `register`.
        """
        self._require(model_id)
        return self.register(
            model_id, provider=provider, name=name, context_window=context_window, notes=notes, metadata=metadata
        )

    def archive(self, model_id: str) -> Model:
        """Put a model away. Its history and its prices stay; archiving it again changes nothing.

        Raises:
            ModelNotFound: no such model.
        """
        self._require(model_id)
        entries.archive(self._context, models, model_id, self._context.now())
        return self.get(model_id)

    def unarchive(self, model_id: str) -> Model:
        """Bring a model back.

        Raises:
            ModelNotFound: no such model.
        """
        self._require(model_id)
        entries.archive(self._context, models, model_id, None)
        return self.get(model_id)

    def price(
        self,
        model_id: str,
        *,
        input: Amount | Keep = KEEP,
        output: Amount | Keep = KEEP,
        cached_input: Amount | Keep = KEEP,
        cache_write: Amount | Keep = KEEP,
        cache_write_1h: Amount | Keep = KEEP,
        reasoning: Amount | Keep = KEEP,
        tiers: Iterable[PriceTier | Mapping[str, Any]] | Keep | None = KEEP,
        others: Mapping[str, Decimal | int | str] | Keep | None = KEEP,
        effective_from: datetime | date | str | None = None,
    ) -> Price:
        """Set what a model costs from a moment on, in dollars per million tokens. A new model is registered.

        A kind of token whose price is not given keeps the price that it has at that moment; None removes it. Without
        `effective_from` the price applies from now on; a date means its midnight in UTC. A price of the same moment
        is replaced. Messages that were written before keep their cost until `reprice`. At most 4,000 dollars, and nine
        decimals.

        `cached_input` is for tokens that are read from a cache (without it, they cost as `input`), `cache_write` for
        those that are written to one, `cache_write_1h` for those that are cached for an hour. `tiers` are prices that
        replace these for long inputs (`above_tokens`) or in another `service_tier`; a service tier may have a `factor`
        instead of prices. Within a tier, a kind of token without a price is unknown if it has one in the standard tier.
        If the price in force has tiers, a new price must say what becomes of them; an empty list removes them.

        Raises:
            InvalidInput: no price at all, one that is not exact, tiers that contradict each other or are missing, an
                alias of another model, or a ledger that is limited to a user.
        """
        entries.require_whole(self._context, "model_id")
        called(model_id, "model_id")
        kinds = {
            "input": input, "output": output, "cached_input": cached_input, "cache_write": cache_write,
            "cache_write_1h": cache_write_1h, "reasoning": reasoning, "others": others, "tiers": tiers,
        }  # fmt: skip
        given = entries.given(kinds)
        if "tiers" in given:
            given["tiers"] = [] if tiers is None else several(tiers, "tiers")
        price = validated(NewPrice, {**given, "effective_from": effective_from})
        if not given:
            raise InvalidInput("input", "is missing: give at least one price")
        at = price.effective_from or self._context.now()
        stored_prices.lock_model(self._context, model_id)
        price = stored_prices.completed(self._context, model_id, at, price, given)
        if stored_prices.is_empty(price):
            raise InvalidInput("input", "is missing: give at least one price")
        price_tiers.rows_of(price)
        known = self.find(model_id)
        stored_prices.require_no_alias(model_id, known.alias_of if known else None)
        entries.add(self._context, models, model_id, {})
        if stored_prices.store(self._context, model_id, at, price):
            resolve(self._context.connected())
        return self._price(model_id, at)

    def prices(self, model_id: str) -> builtins.list[Price]:
        """All prices of a model, oldest first.

        Raises:
            ModelNotFound: no such model.
        """
        self.get(model_id)
        statement = select(prices).where(prices.c.model_id == model_id).order_by(prices.c.effective_from)
        rows, tiers = self._context.execute(statement).all(), price_tiers.read(self._context, model_id)
        return [stored_prices.as_price(row, tiers.get(row.effective_from, ())) for row in rows]

    def price_at(self, model_id: str, at: datetime) -> Price:
        """The price that is in force at a moment: the model's own, or that of the model that it is `priced_as`.

        Raises:
            ModelNotFound: no such model.
            PriceNotFound: it has no price yet at that moment.
        """
        when = moment(at, "at")
        source = self.get(model_id).priced_as or model_id
        found = [price for price in self.prices(source) if price.effective_from <= when]
        if not found:
            raise PriceNotFound(model_id)
        return found[-1]

    def remove_price(self, model_id: str, effective_from: datetime) -> None:
        """Take a price away. Costs that were counted with it stay until `reprice`.

        Raises:
            ModelNotFound: no such model.
            PriceNotFound: no price takes effect at that moment.
        """
        self._require(model_id)
        at = moment(effective_from, "effective_from")
        stored_prices.lock_model(self._context, model_id)
        this = delete(prices).where(prices.c.model_id == model_id, prices.c.effective_from == at)
        if not self._context.change(this):
            raise PriceNotFound(model_id)
        resolve(self._context.connected())
        audit.record(self._context, "price.removed", details={"model": model_id, "effective_from": at.isoformat()})

    def import_prices(self, rows: Iterable[Any], *, dry_run: bool = False) -> PriceListReport:
        """Take a price list: what `chatledger.exchange.read_prices` reads of a file, or dicts with the same names.

        A row names `model_id` and prices as `price` takes them, and may give `provider` and `context_window`. A row is
        the whole price: a kind of token that it does not name has none, and neither do its tiers. A row without
        `effective_from` applies for all time if the model has no price yet, and from now on if it differs from the
        price in force, so that a newer list does not change earlier costs. Rows that are wrong are named in the report,
        and the others are imported. `not_stored` in the report names the kinds of prices that no column here holds.
        Importing the same list again changes nothing.

        Raises:
            InvalidInput: a ledger that is limited to a user.
        """
        flags(dry_run=dry_run)
        entries.require_whole(self._context, "rows")
        return stored_prices.take(self._context, several(rows, "rows"), models, dry_run=dry_run)

    def add_alias(self, alias: str, model_id: str) -> Model:
        """Let a model without prices be priced as another model. Returns the alias.

        `alias` is the name that messages and sessions use; it is registered if it is new. An alias of an alias ends at
        the model with prices. Costs of messages that were written before stay until `reprice`. If the alias exists, its
        target is replaced.

        Raises:
            ModelNotFound: no such model as `model_id`.
            InvalidInput: the alias has prices of its own, would refer to itself, or the ledger is limited to a user.
        """
        entries.require_whole(self._context, "alias")
        called(alias, "alias")
        end: str | None = self.get(model_id).model_id
        passed = {alias}
        while end is not None:
            if end in passed:
                raise InvalidInput("alias", "would refer to itself: name the model that has the prices")
            passed.add(end)
            end = self.get(end).alias_of
        if self._context.execute(select(prices.c.model_id).where(prices.c.model_id == alias).limit(1)).first():
            raise InvalidInput("alias", "has prices of its own: remove them first with `remove_price`")
        entries.add(self._context, models, alias, {})
        entries.change(self._context, models, alias, {"alias_of": model_id})
        resolve(self._context.connected())
        return self.get(alias)

    def remove_alias(self, alias: str) -> Model:
        """Remove an alias that `add_alias` set; the model stays. Costs that were calculated stay until `reprice`.

        Raises:
            ModelNotFound: no such model.
            InvalidInput: it is not an alias, or the ledger is limited to a user.
        """
        entries.require_whole(self._context, "alias")
        if self.get(alias).alias_of is None:
            raise InvalidInput("alias", "is not an alias of another model")
        entries.change(self._context, models, alias, {"alias_of": None})
        resolve(self._context.connected())
        return self.get(alias)

    def reprice(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        model_id: str | None = None,
        project_id: str | None = None,
        session_id: str | None = None,
        overwrite_given: bool = False,
        dry_run: bool = False,
        reason: str | None = None,
    ) -> RepriceReport:
        """Calculate costs again, all in this transaction: `Ledger.reprice` does the same in several short ones.

        Messages without a cost get one if their price is known; costs that were calculated are corrected, or removed if
        no price applies any more. A cost that the caller gave stays, unless `overwrite_given`.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: an invalid filter.
        """
        flags(overwrite_given=overwrite_given, dry_run=dry_run)
        wanted = repricing.wanted(since, until, model_id, project_id, session_id, overwrite_given, reason)
        return repricing.reprice(
            lambda act: act(self._context), lambda act: act(self._context), wanted, dry_run=dry_run
        )

    def _require(self, model_id: str) -> None:
        entries.require_whole(self._context, "model_id")
        self.get(model_id)

    def _price(self, model_id: str, at: datetime) -> Price:
        this = select(prices).where(prices.c.model_id == model_id, prices.c.effective_from == at)
        tiers = price_tiers.read(self._context, model_id).get(at, ())
        return stored_prices.as_price(self._context.execute(this).one(), tiers)
