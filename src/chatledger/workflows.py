"""Workflows: built in Python or read from a file, executed by threads or tasks, drawn."""

from chatledger.aio.workflows import AsyncRunner
from chatledger.execution.workflows.builder import Workflow
from chatledger.execution.workflows.context import StepCancelled, StepContext
from chatledger.execution.workflows.graph import drawn, mermaid
from chatledger.execution.workflows.loader import read_definition
from chatledger.execution.workflows.runner import Runner

__all__ = [
    "AsyncRunner",
    "Runner",
    "StepCancelled",
    "StepContext",
    "Workflow",
    "drawn",
    "mermaid",
    "read_definition",
]
