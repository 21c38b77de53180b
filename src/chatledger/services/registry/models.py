"""The registry of language models, and what they cost."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select

from chatledger.errors import InvalidInput, ModelNotFound, PriceNotFound
from chatledger.models import Model as ModelRow
from chatledger.models.base import table_of
from chatledger.schemas import Model, Page, Price, PriceListReport, RepriceReport
from chatledger.schemas.fields import called, flags, moment, several, validated
from chatledger.schemas.registry import ModelFields, NewPrice
from chatledger.schemas.session import KEEP, Keep
from chatledger.services import audit
from chatledger.services.base import Service
from chatledger.services.registry import entries, repricing, stored_prices
from chatledger.services.registry.pricing import prices

models = table_of(ModelRow)

Amount = Decimal | int | str | None


class Models(Service):
    """The registry of language models, and what they cost.

    A model is made on first use, too, by a session or a message that names it. Models and their prices are shared by all
    users: a ledger that is limited to one shows them and changes none.
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
        """Make a model, or bring one up to date. What is not given stays; None clears it. `context_window` is in tokens.

        Raises:
            InvalidInput: a value that cannot be stored, or a ledger that is limited to a user.
        """
        entries.require_whole(self._context, "model_id")
        called(model_id, "model_id")
        given = entries.given(
            {"provider": provider, "name": name, "context_window": context_window, "notes": notes, "metadata": metadata}
        )
        values = validated(ModelFields, given).model_dump(include=set(given))
        if not entries.add(self._context, models, model_id, values):
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
            InvalidInput: a cursor of another list, or a limit that is none.
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
        reasoning: Amount | Keep = KEEP,
        others: Mapping[str, Decimal | int | str] | Keep | None = KEEP,
        effective_from: datetime | date | str | None = None,
    ) -> Price:
        """Set what a model costs from a moment on, in dollars per million tokens. A new model is registered.

        A kind of token whose price is not given keeps the price that it has at that moment; None removes it. Without
        `effective_from` the price holds from now on; a bare date means its midnight in UTC. A price of the same moment
        is replaced. Messages that were written before keep their cost until `reprice`. At most 4,000 dollars, and nine
        decimals.

        Raises:
            InvalidInput: no price at all, one that is not exact, or a ledger that is limited to a user.
        """
        entries.require_whole(self._context, "model_id")
        called(model_id, "model_id")
        kinds = {
            "input": input, "output": output, "cached_input": cached_input, "reasoning": reasoning, "others": others,
        }  # fmt: skip
        given = entries.given(kinds)
        price = validated(NewPrice, {**given, "effective_from": effective_from})
        if not given:
            raise InvalidInput("input", "is missing: give at least one price")
        at = price.effective_from or self._context.now()
        stored_prices.lock_model(self._context, model_id)
        price = stored_prices.completed(self._context, model_id, at, price, given)
        if stored_prices.is_empty(price):
            raise InvalidInput("input", "is missing: give at least one price")
        entries.add(self._context, models, model_id, {})
        stored_prices.store(self._context, model_id, at, price)
        return self._price(model_id, at)

    def prices(self, model_id: str) -> builtins.list[Price]:
        """All prices of a model, oldest first.

        Raises:
            ModelNotFound: no such model.
        """
        self.get(model_id)
        statement = select(prices).where(prices.c.model_id == model_id).order_by(prices.c.effective_from)
        return [stored_prices.as_price(row) for row in self._context.execute(statement)]

    def price_at(self, model_id: str, at: datetime) -> Price:
        """The price that is in force at a moment.

        Raises:
            ModelNotFound: no such model.
            PriceNotFound: it has no price yet at that moment.
        """
        when = moment(at, "at")
        found = [price for price in self.prices(model_id) if price.effective_from <= when]
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
        audit.record(self._context, "price.removed", details={"model": model_id, "effective_from": at.isoformat()})

    def import_prices(self, rows: Iterable[Any], *, dry_run: bool = False) -> PriceListReport:
        """Take a price list: what `chatledger.exchange.read_prices` reads of a file, or dicts with the same names.

        A row names `model_id` and prices as `price` takes them, and may give `provider` and `context_window`. A row is
        the whole price: a kind of token that it does not name has none. A row without `effective_from` holds for all
        time if the model has no price yet, and from now on if it differs from the price in force, so that a newer list
        does not change what was counted before. Rows that are wrong are named in the report, and the others are taken.
        The same list twice changes nothing.

        Raises:
            InvalidInput: a ledger that is limited to a user.
        """
        flags(dry_run=dry_run)
        entries.require_whole(self._context, "rows")
        return stored_prices.take(self._context, several(rows, "rows"), models, dry_run=dry_run)

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
        """Count costs again, all in this transaction: `Ledger.reprice` does the same in several short ones.

        Messages without a cost get one where their price is known; costs that were counted are corrected, or taken away
        where no price is in force any more. A cost that the caller gave stays, unless `overwrite_given`.

        Raises:
            SessionNotFound: no such session, or it belongs to another user.
            InvalidInput: a filter that is none.
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
        return stored_prices.as_price(self._context.execute(this).one())
