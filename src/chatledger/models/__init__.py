"""The declared tables, for those who write their own queries. They hold no queries and load nothing lazily."""

from chatledger.models.audit import AuditEntry
from chatledger.models.base import Base
from chatledger.models.message import Message
from chatledger.models.metadata import SessionMetadata
from chatledger.models.registry import Model, ModelPrice, Project
from chatledger.models.session import Session
from chatledger.models.snapshot import Snapshot
from chatledger.models.timeout import Timeout, TimeoutDefault
from chatledger.models.workflow import Workflow, WorkflowExecution, WorkflowStep

__all__ = [
    "AuditEntry",
    "Base",
    "Message",
    "Model",
    "ModelPrice",
    "Project",
    "Session",
    "SessionMetadata",
    "Snapshot",
    "Timeout",
    "TimeoutDefault",
    "Workflow",
    "WorkflowExecution",
    "WorkflowStep",
]
