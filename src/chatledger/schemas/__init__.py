"""What users hand in and hold: frozen Pydantic objects, usable after the transaction is over."""

from chatledger.schemas.audit import AuditEntry
from chatledger.schemas.comparison import ComparisonGroup, ComparisonResult, ComparisonSession, NewComparisonResult
from chatledger.schemas.comparison_summary import (
    Agreement,
    ComparisonSummary,
    Difference,
    Interval,
    PairSummary,
    PositionBias,
    VariantSummary,
)
from chatledger.schemas.integrity import Finding, IntegrityReport, RepairAction, RepairReport
from chatledger.schemas.message import Message, NewMessage
from chatledger.schemas.page import Page
from chatledger.schemas.retention import ErasureReceipt, PurgeReport
from chatledger.schemas.safekeeping import (
    BackupReport,
    CopyReport,
    Health,
    MaintenanceReport,
    Problem,
    RestoreReport,
    UpkeepStep,
)
from chatledger.schemas.search import SearchHit, SessionHit
from chatledger.schemas.session import NewSession, Session
from chatledger.schemas.snapshot import Snapshot, SnapshotDiff
from chatledger.schemas.timeout import Due, SweepFailure, SweepReport, Timeout, TimeoutDefault, TimeoutReport

__all__ = [
    "Agreement",
    "AuditEntry",
    "BackupReport",
    "ComparisonGroup",
    "ComparisonResult",
    "ComparisonSession",
    "ComparisonSummary",
    "CopyReport",
    "Difference",
    "Due",
    "ErasureReceipt",
    "Finding",
    "Health",
    "IntegrityReport",
    "Interval",
    "MaintenanceReport",
    "Message",
    "NewComparisonResult",
    "NewMessage",
    "NewSession",
    "Page",
    "PairSummary",
    "PositionBias",
    "Problem",
    "PurgeReport",
    "RepairAction",
    "RepairReport",
    "RestoreReport",
    "SearchHit",
    "Session",
    "SessionHit",
    "Snapshot",
    "SnapshotDiff",
    "SweepFailure",
    "SweepReport",
    "Timeout",
    "TimeoutDefault",
    "TimeoutReport",
    "UpkeepStep",
    "VariantSummary",
]
