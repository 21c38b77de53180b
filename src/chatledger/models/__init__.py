"""The declared tables, for those who write their own queries. They hold no queries and load nothing lazily."""

from chatledger.models.annotation import Annotation
from chatledger.models.audit import AuditEntry
from chatledger.models.base import Base
from chatledger.models.batch import BatchItem, BatchJob
from chatledger.models.comparison import ComparisonGroup, ComparisonResult, ComparisonSession
from chatledger.models.message import Message
from chatledger.models.metadata import SessionMetadata
from chatledger.models.metric import Metric
from chatledger.models.registry import Model, ModelPrice, Project
from chatledger.models.session import Session
from chatledger.models.snapshot import Snapshot
from chatledger.models.timeout import Timeout, TimeoutDefault
from chatledger.models.usage import SessionUsage
from chatledger.models.workflow import Workflow, WorkflowExecution, WorkflowStep

__all__ = [
    "Annotation",
    "AuditEntry",
    "Base",
    "BatchItem",
    "BatchJob",
    "ComparisonGroup",
    "ComparisonResult",
    "ComparisonSession",
    "Message",
    "Metric",
    "Model",
    "ModelPrice",
    "Project",
    "Session",
    "SessionMetadata",
    "SessionUsage",
    "Snapshot",
    "Timeout",
    "TimeoutDefault",
    "Workflow",
    "WorkflowExecution",
    "WorkflowStep",
]
