"""Workflows, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted, lifted
from chatledger.services.workflows.service import Workflows


class AsyncWorkflows(Lifted):
    """`Workflows`, awaited."""

    define = lifted(Workflows.define)
    get = lifted(Workflows.get)
    list = lifted(Workflows.list)
    start = lifted(Workflows.start)
    execution = lifted(Workflows.execution)
    executions = lifted(Workflows.executions)
    steps = lifted(Workflows.steps)
    output = lifted(Workflows.output)
    cancel = lifted(Workflows.cancel)
    retry = lifted(Workflows.retry)
    delete = lifted(Workflows.delete)
