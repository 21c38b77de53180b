"""The chatledger error for a driver's error: by its SQLSTATE, and for a refused connection by the server's words."""

from __future__ import annotations

import logging
import re
from typing import Any

from sqlalchemy import exc as sa
from sqlalchemy.engine import ExceptionContext

from chatledger import errors
from chatledger.dialects.base import original

Kind = type[errors.ChatledgerError]

logger = logging.getLogger("chatledger")

_SHARED_STATEMENTS = (
    "prepared_statements: must be off behind a pooler in transaction mode: add prepared_statements=false to the URL, or"
    " open the ledger with prepared_statements=False"
)
_STANDBY = (
    "the server takes no writes (it is a standby, or set to read only): name every host and"
    " target_session_attrs=read-write in the URL, or read only"
)
_LOST = "the connection to the server was lost"
_STATES: dict[str, tuple[Kind, str]] = {
    "25P02": (errors.ChatledgerError, "an earlier statement failed: this transaction can only end (see uow.savepoint)"),
    "25006": (errors.ReadOnly, "the transaction may only read: write in ledger.begin()"),
    "40001": (errors.Busy, "another transaction changed the same rows: try again (ledger.run does)"),
    "40P01": (errors.Busy, "two transactions waited for each other: try again (ledger.run does)"),
    "55P03": (errors.Busy, "another transaction holds the lock: try again, or raise busy_timeout"),
    "57014": (errors.Busy, "the statement took longer than the server allows"),
    "53100": (errors.OutOfSpace, "the server's disk is full: nothing was written"),
    "53300": (
        errors.ConnectionFailed,
        "the server has no connection left: lower pool_size, raise max_connections or the role's limit, or use a pooler",
    ),
    "57P03": (errors.ConnectionFailed, "the server is starting up or shutting down: try again"),
    "28P01": (errors.AccessDenied, "the server refuses the user name or the password"),
    "28000": (errors.AccessDenied, "the server refuses this user: check the user of the URL, and pg_hba.conf"),
    "3D000": (errors.AccessDenied, "there is no such database on the server: create it first"),
    "42501": (errors.ReadOnly, "this user may not do that in the database: grant the rights to it"),
    "42P01": (errors.NotALedger, "a table of the ledger is missing: run `chatledger db upgrade`"),
    "42703": (errors.NotALedger, "a column of the ledger is missing: run `chatledger db upgrade`"),
    "42P05": (errors.InvalidInput, _SHARED_STATEMENTS),
    "26000": (errors.InvalidInput, _SHARED_STATEMENTS),
    "54000": (errors.InvalidInput, "a value is larger than the database can hold"),
    "22021": (errors.InvalidInput, "a text holds characters that the database cannot keep"),
    "22P05": (errors.InvalidInput, "a text holds characters that the database cannot keep"),
    "22003": (errors.InvalidInput, "a number is larger than the database can hold"),
    "22008": (errors.InvalidInput, "a time is outside of what the database can hold"),
}
_CLASSES: dict[str, tuple[Kind, str]] = {
    "08": (errors.ConnectionFailed, _LOST),
    "57": (errors.ConnectionFailed, "the server ended the connection"),
    "53": (errors.Unavailable, "the server is out of resources"),
    "23": (errors.Conflict, "a constraint of the database refused the row"),
    "XX": (errors.CorruptDatabase, "the server reports damaged data"),
    "58": (errors.Unavailable, "the server cannot read or write its files"),
}

# What a refused connection says: the driver knows no SQLSTATE of it. Servers of other languages get the general answer.
# Of several hosts the first line that fits one of them counts, so what may pass by itself comes first.
_REFUSALS: tuple[tuple[str, Kind, str | None, str | None], ...] = (
    (
        r"session is read-only|server is in hot standby mode",
        errors.StandbyServer,
        None,
        "no host of the URL takes writes: they are standbys, or cannot be reached",
    ),
    (r"session is not read-only|server is not in hot standby", errors.ConnectionFailed, None, "no host is a standby"),
    (
        r"database system is (starting up|shutting down|in recovery|not (yet )?accepting)|database system is in recovery",
        errors.ConnectionFailed,
        "57P03",
        None,
    ),
    (
        r"too many (clients|connections)|remaining connection slots|no more connections allowed",
        errors.ConnectionFailed,
        "53300",
        None,
    ),
    (
        r"password authentication failed|no password supplied|password is required|SASL authentication failed",
        errors.AccessDenied,
        "28P01",
        None,
    ),
    (
        r'database ".*" does not exist|no such database',
        errors.AccessDenied,
        "3D000",
        None,
    ),
    (
        r"database .* is not currently accepting connections",
        errors.AccessDenied,
        "55000",
        "the database accepts no connections: ALTER DATABASE … ALLOW_CONNECTIONS true",
    ),
    (
        r'role ".*" does not exist|no pg_hba\.conf entry|not permitted to log in|authentication failed for user',
        errors.AccessDenied,
        "28000",
        None,
    ),
    (
        r"permission denied for database",
        errors.AccessDenied,
        "42501",
        "this user may not connect to the database: GRANT CONNECT",
    ),
    (
        r"unsupported startup parameter",
        errors.InvalidInput,
        "08P01",
        "url: the pooler refuses one of its options: set it on the role or the database (ALTER ROLE … SET …)",
    ),
    (
        r"unrecognized configuration parameter|invalid value for parameter|parameter \".*\" cannot be",
        errors.InvalidInput,
        "22023",
        "url: the server refuses a setting among its options",
    ),
    (
        r"server does not support SSL|certificate|SSL error: (no |wrong |unsupported )",
        errors.AccessDenied,
        None,
        "the connection could not be encrypted as the URL asks: check sslmode and the certificates",
    ),
    (
        r"could not translate host name|Name or service not known|failed to resolve host|nodename nor servname",
        errors.ConnectionFailed,
        None,
        "the name of the host is not known: check the host of the URL, and the name service",
    ),
    (
        r"timeout expired|timed out",
        errors.ConnectionFailed,
        None,
        "the server did not answer in time: check host and port of the URL, firewalls and connect_timeout",
    ),
    (
        r"Connection refused|No such file or directory|invalid port number",
        errors.ConnectionFailed,
        None,
        "no server answers at the host and port of the URL: see that it runs, and that they are right",
    ),
    (r"closed the connection|connection is (closed|lost|bad)|consuming input", errors.ConnectionFailed, None, _LOST),
)

_NO_CONNECTION = (
    "no connection to the server: see that it runs, and that the host, port, database, user and password"
    " of the URL are right"
)
# What a driver says of an option before it connects. The value may be a password.
_OPTION = re.compile(
    r'invalid connection option "(?P<unknown>\w+)"|for connection option "(?P<wrong>\w+)"'
    r"|bad value for (?P<bad>\w+)|invalid (?P<value>\w+) value:"
)


def classify(error: BaseException) -> tuple[Kind, str, str | None]:
    """The chatledger error, a sentence without any stored value, and the SQLSTATE."""
    cause = original(error)
    state: str | None = getattr(cause, "sqlstate", None)
    if getattr(cause, "chatledger_standby", False) or (state == "0A000" and _is_of_standby(cause)):
        return errors.StandbyServer, _STANDBY, state
    if isinstance(cause, UnicodeError):
        return errors.InvalidInput, "a text holds characters that the database cannot keep", state
    known = _STATES.get(state or "") or _CLASSES.get((state or "")[:2])
    if known is not None:
        _keep_cause(cause, known[0], state)
        return *known, state
    if state is None and (isinstance(error, sa.DBAPIError) or _is_of_driver(error)):
        if isinstance(error, sa.DBAPIError) and error.connection_invalidated:
            _keep_cause(cause, errors.ConnectionFailed, None)
            return errors.ConnectionFailed, _LOST, None
        option = _OPTION.search(str(cause))
        if option is not None:
            name = option[option.lastgroup or 0]
            what = "is not an option of PostgreSQL's" if option["unknown"] else "has an invalid value"
            return errors.InvalidInput, f"url: {name} {what}", None
        if any(base.__name__ == "OperationalError" for base in type(cause).__mro__):
            return _refused(cause)
        if isinstance(error, sa.InterfaceError | sa.InternalError):
            _keep_cause(cause, errors.ConnectionFailed, None)
            return errors.ConnectionFailed, _LOST, None
    return errors.ChatledgerError, f"the database refused the statement ({state or type(error).__name__})", state


def _refused(cause: BaseException) -> tuple[Kind, str, str | None]:
    words = str(cause)
    for pattern, kind, state, message in _REFUSALS:
        if re.search(pattern, words):
            _keep_cause(cause, kind, state)
            return kind, message or _STATES[state or ""][1], state
    _keep_cause(cause, errors.ConnectionFailed, None)
    return errors.ConnectionFailed, _NO_CONNECTION, None


def _keep_cause(cause: BaseException, kind: Kind, state: str | None) -> None:
    """Log the server's own words, where they are about the server and so hold nothing that was stored."""
    if issubclass(kind, errors.Unavailable):
        diagnosis: Any = getattr(cause, "diag", None)
        words = getattr(diagnosis, "message_primary", None) or str(cause)
        logger.warning("the connection to the server failed", extra={"code": state, "reason": words.strip()})


def _is_of_driver(error: BaseException) -> bool:
    return type(error).__module__.startswith("psycopg")


def _is_of_standby(cause: BaseException) -> bool:
    """Whether a server refused to begin a transaction that writes: of the errors of its settings alone."""
    diagnosis: Any = getattr(cause, "diag", None)
    return str(getattr(diagnosis, "source_file", None) or "").endswith("variable.c")


def leave_standby(context: ExceptionContext) -> None:
    """For our own engines: give up connections to a server that refused a write in a writing transaction.

    The primary may be another host by now. In a reading transaction the same SQLSTATE is the caller's mistake.
    """
    if getattr(context.original_exception, "sqlstate", None) != "25006" or context.connection is None:
        return
    driver: Any = context.connection.connection.dbapi_connection
    if driver is not None and driver.read_only is not True:
        context.original_exception.chatledger_standby = True  # type: ignore[attr-defined]
        context.is_disconnect = True
