"""Workflows: built in Python or read from a file, executed by threads or tasks, drawn."""

from chatledger.workflows.building import Workflow
from chatledger.workflows.context import StepCancelled, StepContext
from chatledger.workflows.drawing import drawn, mermaid
from chatledger.workflows.reading import read_definition
from chatledger.workflows.runner import AsyncRunner, Runner

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
