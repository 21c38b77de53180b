"""The services, awaited. Each is a list of declarations: a method is written once, synchronously, and lifted here."""

from chatledger.services.awaited.batches import AsyncBatches
from chatledger.services.awaited.comparisons import AsyncComparisons
from chatledger.services.awaited.conversations import AsyncMessages, AsyncMetadata, AsyncSearch, AsyncSessions
from chatledger.services.awaited.lifecycle import AsyncAudit, AsyncSnapshots, AsyncTimeouts
from chatledger.services.awaited.observations import AsyncAnnotations, AsyncMetrics
from chatledger.services.awaited.registry import AsyncModels, AsyncProjects
from chatledger.services.awaited.statistics import AsyncStatistics
from chatledger.services.awaited.workflows import AsyncWorkflows

__all__ = [
    "AsyncAnnotations",
    "AsyncAudit",
    "AsyncBatches",
    "AsyncComparisons",
    "AsyncMessages",
    "AsyncMetadata",
    "AsyncMetrics",
    "AsyncModels",
    "AsyncProjects",
    "AsyncSearch",
    "AsyncSessions",
    "AsyncSnapshots",
    "AsyncStatistics",
    "AsyncTimeouts",
    "AsyncWorkflows",
]
