"""The errors of projects, models and prices; where they stand in the tree is drawn in `errors`."""

from __future__ import annotations

from chatledger.errors.store import Conflict, NotFound


class ProjectNotFound(NotFound):
    project_id: str

    def __init__(self, project_id: str) -> None:
        super().__init__(f"no project {project_id!r}", project_id=project_id)


class ModelNotFound(NotFound):
    model_id: str

    def __init__(self, model_id: str) -> None:
        super().__init__(f"no model {model_id!r}", model_id=model_id)


class PriceNotFound(NotFound):
    model_id: str

    def __init__(self, model_id: str) -> None:
        super().__init__(f"model {model_id!r} has no such price", model_id=model_id)


class ProjectExists(Conflict):
    project_id: str

    def __init__(self, project_id: str) -> None:
        super().__init__(f"project {project_id!r} exists already", project_id=project_id)


class ProjectInUse(Conflict):
    project_id: str

    def __init__(self, project_id: str) -> None:
        super().__init__(f"sessions belong to project {project_id!r}: archive it instead", project_id=project_id)
