"""What users hand in and hold: frozen Pydantic objects, usable after the transaction is over."""

from chatledger.schemas.audit import AuditEntry
from chatledger.schemas.integrity import Finding, IntegrityReport, RepairAction, RepairReport
from chatledger.schemas.message import Message, NewMessage
from chatledger.schemas.page import Page
from chatledger.schemas.retention import ErasureReceipt, PurgeReport
from chatledger.schemas.search import SearchHit, SessionHit
from chatledger.schemas.session import NewSession, Session
from chatledger.schemas.snapshot import Snapshot, SnapshotDiff
from chatledger.schemas.timeout import Due, SweepFailure, SweepReport, Timeout, TimeoutDefault, TimeoutReport

__all__ = [
    "AuditEntry",
    "Due",
    "ErasureReceipt",
    "Finding",
    "IntegrityReport",
    "Message",
    "NewMessage",
    "NewSession",
    "Page",
    "PurgeReport",
    "RepairAction",
    "RepairReport",
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
]
