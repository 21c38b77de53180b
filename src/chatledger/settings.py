"""Settings of a ledger, and the reasons for the defaults."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from chatledger.errors import InvalidInput
from chatledger.validation import invalid_input

ENVIRONMENT_URL = "CHATLEDGER_URL"
ENVIRONMENT_READER = "CHATLEDGER_READER"
ENVIRONMENT_PREPARED_STATEMENTS = "CHATLEDGER_PREPARED_STATEMENTS"
DEFAULT_URL = "chatledger.db"

MIB = 1024 * 1024

Durability = Literal["normal", "full"]
"""What a commit survives. See `Settings.durability`."""


class Preset(StrEnum):
    """Pool settings that suit a kind of program."""

    CLI = "cli"
    WEB = "web"
    HIGH_CONCURRENCY = "high_concurrency"
    POOLER = "pooler"


_PRESETS: dict[Preset, dict[str, Any]] = {
    # A command runs one transaction after another; a second connection serves a progress reader.
    Preset.CLI: {"pool_size": 1, "max_overflow": 1, "pool_timeout": 10.0},
    Preset.WEB: {"pool_size": 5, "max_overflow": 10, "pool_timeout": 30.0},
    # Many short transactions at once: more connections, and quick refusal instead of a long queue.
    Preset.HIGH_CONCURRENCY: {"pool_size": 20, "max_overflow": 20, "pool_timeout": 10.0},
    # The connections are to a pooler in transaction mode, where they cost little and prepared statements do not work.
    Preset.POOLER: {"pool_size": 20, "max_overflow": 20, "pool_timeout": 30.0, "prepared_statements": False},
}


class Settings(BaseModel):
    """How a ledger uses its database. Times are in seconds, sizes in bytes.

    `Settings.preset("high_concurrency", busy_timeout=5)` starts from a preset.

    Raises:
        InvalidInput: an unknown setting, or a value that is not valid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    pool_size: int = Field(default=5, ge=1, le=1000)
    max_overflow: int = Field(default=10, ge=0, le=1000)
    pool_timeout: float = Field(default=30.0, gt=0, le=3600)
    """How long to wait for a connection from the pool before `PoolExhausted` is raised."""
    pool_recycle: float = Field(default=1800.0, ge=-1, le=10**9)
    """The age at which a server connection is replaced, so that a firewall or a failover does not leave dead ones in
    the pool.
    """
    busy_timeout: float = Field(default=30.0, ge=0, le=3600)
    """How long to wait for a lock that another writer holds before `Busy` is raised."""
    retry_timeout: float = Field(default=30.0, ge=0, le=3600)
    """How long `Ledger.run` tries again while the server cannot be reached, counted from the first failure. A failover
    to another host takes from a few seconds to half a minute. 0 switches this off.
    """
    durability: Durability = "normal"
    """`normal` survives a killed process. `full` also survives a power cut, and flushes the disk at every commit."""
    cache_size: int = Field(default=16 * MIB, ge=0, le=2**40)
    """The page cache of each connection."""
    mmap_size: int | None = Field(default=None, ge=0, le=2**47)
    """How much of the file is mapped into memory. None: 256 MiB if the SQLite library does not have the WAL-reset bug,
    else nothing.
    """
    prepared_statements: StrictBool = True
    """False for a connection pooler in transaction mode, where a prepared statement may belong to another client. If
    the URL says `prepared_statements=false`, that wins. If neither settings nor a preset nor the argument of the same
    name were given to the ledger, the environment variable `CHATLEDGER_PREPARED_STATEMENTS` counts.
    """

    if not TYPE_CHECKING:  # type checkers see the fields

        def __init__(self, **values: Any) -> None:
            for name, value in values.items():
                if isinstance(value, bool) and name != "prepared_statements":  # True would be read as 1
                    raise InvalidInput(name, "must not be True or False")
            try:
                super().__init__(**values)
                return
            except ValidationError as error:
                wrong = invalid_input(error, "settings")
            raise wrong

    @classmethod
    def preset(cls, name: Preset | str, **changes: Any) -> Settings:
        """The settings of a preset, with changes.

        Raises:
            InvalidInput: an unknown preset, or a setting that is not valid.
        """
        if name not in list(Preset):
            raise InvalidInput("preset", f"is not one of {', '.join(Preset)}")
        return cls(**{**_PRESETS[Preset(name)], **changes})


def checked_durability(given: Any) -> Durability | None:
    """The durability that was asked of one transaction, or None for the ledger's.

    Raises:
        InvalidInput: it is something else.
    """
    if given is None:
        return None
    if type(given) is not str or given not in ("normal", "full"):
        raise InvalidInput("durability", "is not one of 'normal', 'full', None")
    return "full" if given == "full" else "normal"
