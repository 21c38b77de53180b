"""The declared tables, for queries of your own and for writing through the ORM. They load nothing lazily.

Each is imported when it is first named.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from chatledger._lazy import lazy_names

if TYPE_CHECKING:
    from chatledger.models.annotation import Annotation
    from chatledger.models.audit import AuditEntry
    from chatledger.models.base import Base
    from chatledger.models.batch import BatchItem, BatchJob
    from chatledger.models.comparison import ComparisonGroup, ComparisonResult, ComparisonSession
    from chatledger.models.graph import GraphCheckpoint, GraphWrite
    from chatledger.models.message import Message
    from chatledger.models.metadata import SessionMetadata
    from chatledger.models.metric import Metric
    from chatledger.models.registry import Model, ModelPrice, ModelPriceTier, Project
    from chatledger.models.session import Session
    from chatledger.models.session_name import SessionName
    from chatledger.models.snapshot import Snapshot
    from chatledger.models.state import State
    from chatledger.models.timeout import Timeout, TimeoutDefault
    from chatledger.models.usage import SessionUsage
    from chatledger.models.workflow import Workflow, WorkflowExecution, WorkflowStep

# The modules, and what each of them has.
_HOMES = {
    "annotation": ("Annotation",),
    "audit": ("AuditEntry",),
    "batch": ("BatchItem", "BatchJob"),
    "comparison": ("ComparisonGroup", "ComparisonResult", "ComparisonSession"),
    "graph": ("GraphCheckpoint", "GraphWrite"),
    "message": ("Message",),
    "metadata": ("SessionMetadata",),
    "metric": ("Metric",),
    "registry": ("Model", "ModelPrice", "ModelPriceTier", "Project"),
    "session": ("Session",),
    "session_name": ("SessionName",),
    "snapshot": ("Snapshot",),
    "state": ("State",),
    "timeout": ("Timeout", "TimeoutDefault"),
    "usage": ("SessionUsage",),
    "workflow": ("Workflow", "WorkflowExecution", "WorkflowStep"),
}

__all__ = [
    "Annotation",
    "AuditEntry",
    "Base",
    "BatchItem",
    "BatchJob",
    "ComparisonGroup",
    "ComparisonResult",
    "ComparisonSession",
    "GraphCheckpoint",
    "GraphWrite",
    "Message",
    "Metric",
    "Model",
    "ModelPrice",
    "ModelPriceTier",
    "Project",
    "Session",
    "SessionMetadata",
    "SessionName",
    "SessionUsage",
    "Snapshot",
    "State",
    "Timeout",
    "TimeoutDefault",
    "Workflow",
    "WorkflowExecution",
    "WorkflowStep",
]

_find = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> Any:
    if name == "Base":
        # Whoever asks for the root asks for its tables: all of them, or a migration would want to drop the others.
        for home in _HOMES:
            import_module(f"{__name__}.{home}")
        from chatledger.models.base import Base  # noqa: PLC0415 - as above

        return Base
    return _find(name)
