"""The registry of projects: names under which sessions are gathered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, exists, select

from chatledger.enums import StateScope
from chatledger.errors import ProjectExists, ProjectInUse, ProjectNotFound
from chatledger.models import tables
from chatledger.schemas import Page, Project
from chatledger.schemas.fields import called, validated
from chatledger.schemas.registry import ProjectFields
from chatledger.schemas.session import KEEP, Keep
from chatledger.services import audit
from chatledger.services.base import Service
from chatledger.services.registry import entries
from chatledger.services.rows import sessions

projects = tables.projects
states = tables.state


class Projects(Service):
    """The registry of projects: names under which sessions are gathered.

    A project is made on first use, too, by a session that names it. A ledger that is limited to a user shows the
    projects of that user's sessions, and changes none.
    """

    __slots__ = ()

    def create(
        self,
        project_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Project:
        """Make a project.

        Raises:
            ProjectExists: the id is taken.
            InvalidInput: a value that cannot be stored, or a ledger that is limited to a user.
        """
        entries.require_whole(self._context, "project_id")
        called(project_id, "project_id")
        fields = validated(ProjectFields, {"name": name, "description": description, "metadata": metadata})
        if not entries.add(self._context, projects, project_id, fields.model_dump()):
            raise ProjectExists(project_id)
        return self.get(project_id)

    def get(self, project_id: str) -> Project:
        """One project.

        Raises:
            ProjectNotFound: no such project, or none of the user's.
        """
        found = self.find(project_id)
        if found is None:
            raise ProjectNotFound(project_id)
        return found

    def find(self, project_id: str) -> Project | None:
        """One project, or None."""
        row = entries.row_of(self._context, projects, project_id, self._visible())
        return None if row is None else Project.model_validate(row)

    def list(self, *, archived: bool | None = None, limit: int = 50, cursor: str | None = None) -> Page[Project]:
        """Projects by id: all, or only the archived ones, or only the others. At most 1,000 a page.

        Raises:
            InvalidInput: a cursor of another list, or an invalid limit.
        """
        rows, after = entries.rows_of(
            self._context, projects, archived=archived, limit=limit, cursor=cursor, visible=self._visible()
        )
        return Page[Project](items=tuple(Project.model_validate(row) for row in rows), next_cursor=after)

    def update(
        self,
        project_id: str,
        *,
        name: str | Keep | None = KEEP,
        description: str | Keep | None = KEEP,
        metadata: Mapping[str, Any] | Keep | None = KEEP,
    ) -> Project:
        """Change what is given; None clears it.

        Raises:
            ProjectNotFound: no such project.
            InvalidInput: as `create`.
        """
        self._require(project_id)
        changes = entries.given({"name": name, "description": description, "metadata": metadata})
        values = validated(ProjectFields, changes).model_dump(include=set(changes))
        entries.change(self._context, projects, project_id, values)
        return self.get(project_id)

    def archive(self, project_id: str) -> Project:
        """Put a project away. Its sessions stay as they are; archiving it again changes nothing.

        Raises:
            ProjectNotFound: no such project.
        """
        self._require(project_id)
        entries.archive(self._context, projects, project_id, self._context.now())
        return self.get(project_id)

    def unarchive(self, project_id: str) -> Project:
        """Bring a project back.

        Raises:
            ProjectNotFound: no such project.
        """
        self._require(project_id)
        entries.archive(self._context, projects, project_id, None)
        return self.get(project_id)

    def delete(self, project_id: str) -> None:
        """Delete a project that no session belongs to.

        Raises:
            ProjectNotFound: no such project.
            ProjectInUse: sessions belong to it. Archive it instead.
        """
        self._require(project_id)
        unused = delete(projects).where(
            projects.c.project_id == project_id, ~exists(select(1).where(sessions.c.project_id == project_id))
        )
        if not self._context.change(unused):
            raise ProjectInUse(project_id)
        self._context.execute(
            delete(states).where(states.c.scope == StateScope.PROJECT, states.c.scope_id == project_id)
        )
        audit.record(self._context, "project.deleted", details={"project": project_id})

    def _require(self, project_id: str) -> None:
        entries.require_whole(self._context, "project_id")
        self.get(project_id)

    def _visible(self) -> entries.Visible:
        owner = self._context.owner
        if owner is None:
            return None
        return exists(select(1).where(sessions.c.project_id == projects.c.project_id, sessions.c.user_id == owner))
