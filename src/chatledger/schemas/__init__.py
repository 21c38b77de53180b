"""What users hand in and hold: frozen Pydantic objects, usable after the transaction is over."""

from chatledger.schemas.audit import AuditEntry
from chatledger.schemas.execution import WorkflowExecution, WorkflowStep, WorkflowVersion
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
    "AuditEntry",
    "BackupReport",
    "CopyReport",
    "Due",
    "ErasureReceipt",
    "Finding",
    "Health",
    "IntegrityReport",
    "MaintenanceReport",
    "Message",
    "NewMessage",
    "NewSession",
    "Page",
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
    "WorkflowExecution",
    "WorkflowStep",
    "WorkflowVersion",
]
