"""Projects and models, awaited."""

from __future__ import annotations

from chatledger.services.lifted import Lifted


class AsyncProjects(Lifted):
    """`Projects`, awaited."""


class AsyncModels(Lifted):
    """`Models`, awaited."""
