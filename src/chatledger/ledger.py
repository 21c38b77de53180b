"""Ledger: a database of conversations, its pool, and its transactions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from sqlalchemy import Engine
from sqlalchemy.engine import URL

from chatledger import migrate as migrations
from chatledger.clock import Clock, utc_now
from chatledger.database import Database
from chatledger.errors import InvalidInput
from chatledger.housekeeping import Housekeeping
from chatledger.inspection import Inspection
from chatledger.observers import Observer
from chatledger.safekeeping.keeper import Safekeeping
from chatledger.schemas.fields import identifier
from chatledger.services.counts import count_rows
from chatledger.settings import DEFAULT_URL, Preset, Settings


class Ledger(Inspection, Safekeeping):
    """A database of conversations.

        ledger = Ledger("sqlite:///chat.db")      # or "postgresql://…"; a bare path is a SQLite file

    Opening looks at the database once: an empty one is migrated to head, one that is behind, ahead or something else is
    refused. `migrate="always"` also upgrades one that is behind; `migrate="never"` does not look. `engine=` shares an
    application's pool instead of making one: its settings stay as they are (on SQLite, foreign keys are switched on for
    the time of our transactions), and `close` leaves it open.

    A ledger may be used from any number of threads and survives a fork.

    Raises:
        SchemaBehind, SchemaAhead, NotALedger, CorruptDatabase: what is there is not a ledger of this release.
        Unavailable, ReadOnly, Busy: it cannot be opened.
        InvalidInput: the URL is none, or its database is not supported.
    """

    def __init__(
        self,
        url: str | Path | URL | None = None,
        *,
        engine: Engine | None = None,
        settings: Settings | None = None,
        preset: Preset | str | None = None,
        migrate: Literal["empty", "always", "never"] = "empty",
        durability: Literal["normal", "full"] | None = None,
        clock: Clock = utc_now,
    ) -> None:
        if engine is not None and url is not None:
            raise InvalidInput("engine", "cannot stand beside a URL: it has one of its own")
        if migrate not in ("empty", "always", "never"):
            raise InvalidInput("migrate", "is not one of 'empty', 'always', 'never'")
        chosen = chosen_settings(settings, preset, durability)
        super().__init__(Database(DEFAULT_URL if url is None else url, engine, chosen, clock))
        try:
            self._database.open(migrate)
        except BaseException:
            self.close()
            raise

    def for_user(self, user_id: str) -> Housekeeping:
        """The same ledger as one user sees it: other users' sessions do not exist there."""
        return Housekeeping(self._database, owner_id(user_id))

    def observe(self, observer: Observer) -> Callable[[], None]:
        """Tell an observer of everything that this ledger does from now on; call what is given back to end that.

        `chatledger.telemetry` has observers for OpenTelemetry and Prometheus.
        """
        return self._database.observers.add(observer)

    def upgrade(self, revision: str = "head") -> None:
        """Migrate up, by default to this release's newest revision."""
        with self._database.translated():
            migrations.upgrade(self._database.engine, revision, dialect=self._database.dialect)

    def downgrade(self, revision: str, *, drop_content: bool = False) -> None:
        """Migrate down. A way down that would drop content, such as to `base`, is refused without `drop_content`.

        Raises:
            InvalidInput: no such revision, or one that is not below where the database stands.
            Conflict: content would be dropped; the error says how many rows of which tables. Nothing was changed.
        """
        with self._database.translated():
            migrations.downgrade(
                self._database.engine, revision, drop_content=drop_content, dialect=self._database.dialect
            )

    def current(self) -> str | None:
        """The revision that the database stands at, or None."""
        with self._database.transaction("read") as connection, self._database.translated():
            return migrations.current(connection, self._database.dialect)

    def info(self) -> dict[str, Any]:
        """What the database is: version, revision, sizes, settings in force, rows, pool."""
        with self._database.transaction("read") as connection, self._database.translated():
            facts = self._database.dialect.facts(connection)
            facts["revision"] = self._database.dialect.state(connection).revision
            if facts["revision"] == migrations.HEAD:
                facts["rows"] = count_rows(connection)
        return {**facts, "head": migrations.HEAD, "url": self.url, "pool": self.pool_status()}

    @property
    def url(self) -> str:
        """Where the ledger is, with the password hidden."""
        return self._database.url.render_as_string(hide_password=True)

    @property
    def engine(self) -> Engine:
        """The pooled engine, for queries of one's own."""
        return self._database.engine

    def close(self) -> None:
        """Close the pool, unless it is the application's. Closing twice is harmless."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Ledger({self.url!r})"


def owner_id(user_id: str) -> str:
    """A user to limit a ledger to. Raises InvalidInput for an empty one, which would limit it to nobody by mistake."""
    if not identifier(user_id, "user_id"):
        raise InvalidInput("user_id", "must not be empty")
    return user_id


def chosen_settings(settings: Settings | None, preset: Preset | str | None, durability: str | None) -> Settings:
    """The settings of a ledger from what its constructor was given.

    Raises:
        InvalidInput: an unknown preset or durability.
    """
    if preset is not None and preset not in list(Preset):
        raise InvalidInput("preset", f"{preset!r} is not one of {', '.join(Preset)}")
    if settings is not None and not isinstance(settings, Settings):
        raise InvalidInput("settings", f"must be Settings, not {type(settings).__name__}")
    chosen = settings or (Settings.preset(preset) if preset else Settings())
    return chosen if durability is None else Settings(**{**chosen.model_dump(), "durability": durability})
