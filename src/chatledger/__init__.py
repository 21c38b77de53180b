"""chatledger keeps the conversations of LLM chats and agents in a relational database."""

from typing import TYPE_CHECKING, Any

from chatledger.errors import (
    AdoptionFailed,
    Busy,
    ChatledgerError,
    Conflict,
    CorruptDatabase,
    InvalidInput,
    KeyReused,
    LedgerClosed,
    MessageNotFound,
    MetadataNotFound,
    MissingExtra,
    NotALedger,
    NotFound,
    OutOfSpace,
    ReadOnly,
    SchemaAhead,
    SchemaBehind,
    SchemaError,
    SequenceConflict,
    SessionClosed,
    SessionExists,
    SessionHeld,
    SessionNotFound,
    SnapshotNotFound,
    TransitionRefused,
    Unavailable,
    UnitOfWorkEnded,
)
from chatledger.ledger import Ledger
from chatledger.schemas import (
    AuditEntry,
    BackupReport,
    CopyReport,
    Due,
    ErasureReceipt,
    Finding,
    Health,
    IntegrityReport,
    MaintenanceReport,
    Message,
    NewMessage,
    Page,
    Problem,
    PurgeReport,
    RepairAction,
    RepairReport,
    RestoreReport,
    SearchHit,
    Session,
    SessionHit,
    Snapshot,
    SnapshotDiff,
    SweepFailure,
    SweepReport,
    Timeout,
    TimeoutDefault,
    TimeoutReport,
    UpkeepStep,
)
from chatledger.settings import Preset, Settings
from chatledger.sweeper import Sweeper
from chatledger.unit_of_work import UnitOfWork
from chatledger.vocabulary import LimitKind, Orphans, Outcome, Role, Scope, Severity, SnapshotKind, Status, SweepAction

if TYPE_CHECKING:
    from chatledger.async_ledger import AsyncLedger
    from chatledger.safekeeping.copying import copy_ledger

__version__ = "0.1.0"

__all__ = [
    "AdoptionFailed",
    "AsyncLedger",
    "AuditEntry",
    "BackupReport",
    "Busy",
    "ChatledgerError",
    "Conflict",
    "CopyReport",
    "CorruptDatabase",
    "Due",
    "ErasureReceipt",
    "Finding",
    "Health",
    "IntegrityReport",
    "InvalidInput",
    "KeyReused",
    "Ledger",
    "LedgerClosed",
    "LimitKind",
    "MaintenanceReport",
    "Message",
    "MessageNotFound",
    "MetadataNotFound",
    "MissingExtra",
    "NewMessage",
    "NotALedger",
    "NotFound",
    "Orphans",
    "OutOfSpace",
    "Outcome",
    "Page",
    "Preset",
    "Problem",
    "PurgeReport",
    "ReadOnly",
    "RepairAction",
    "RepairReport",
    "RestoreReport",
    "Role",
    "SchemaAhead",
    "SchemaBehind",
    "SchemaError",
    "Scope",
    "SearchHit",
    "SequenceConflict",
    "Session",
    "SessionClosed",
    "SessionExists",
    "SessionHeld",
    "SessionHit",
    "SessionNotFound",
    "Settings",
    "Severity",
    "Snapshot",
    "SnapshotDiff",
    "SnapshotKind",
    "SnapshotNotFound",
    "Status",
    "SweepAction",
    "SweepFailure",
    "SweepReport",
    "Sweeper",
    "Timeout",
    "TimeoutDefault",
    "TimeoutReport",
    "TransitionRefused",
    "Unavailable",
    "UnitOfWork",
    "UnitOfWorkEnded",
    "UpkeepStep",
    "__version__",
    "copy_ledger",
]


def __getattr__(name: str) -> Any:
    # asyncio takes as long to import as the rest of this package: it waits for those who await.
    if name == "AsyncLedger":
        from chatledger.async_ledger import AsyncLedger  # noqa: PLC0415

        return AsyncLedger
    if name == "copy_ledger":
        from chatledger.safekeeping.copying import copy_ledger  # noqa: PLC0415 - few programs copy

        return copy_ledger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
