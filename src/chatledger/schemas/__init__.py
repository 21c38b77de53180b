"""What users hand in and hold: frozen Pydantic objects, usable after the transaction is over."""

from chatledger.schemas.audit import AuditEntry
from chatledger.schemas.integrity import Finding, IntegrityReport, RepairAction, RepairReport
from chatledger.schemas.message import Message, NewMessage
from chatledger.schemas.observations import (
    Annotation,
    AnnotationHit,
    AnnotationSummary,
    LabelSummary,
    Metric,
    MetricPoint,
    MetricSummary,
    NewAnnotation,
    NewMetric,
)
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
    "Annotation",
    "AnnotationHit",
    "AnnotationSummary",
    "AuditEntry",
    "BackupReport",
    "CopyReport",
    "Due",
    "ErasureReceipt",
    "Finding",
    "Health",
    "IntegrityReport",
    "LabelSummary",
    "MaintenanceReport",
    "Message",
    "Metric",
    "MetricPoint",
    "MetricSummary",
    "NewAnnotation",
    "NewMessage",
    "NewMetric",
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
]
