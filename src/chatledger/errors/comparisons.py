"""The errors of comparisons."""

from __future__ import annotations

from chatledger.errors.store import Conflict, NotFound


class ComparisonNotFound(NotFound):
    group_id: str

    def __init__(self, group_id: str) -> None:
        super().__init__(f"no comparison {group_id!r}", group_id=group_id)


class ComparisonExists(Conflict):
    group_id: str

    def __init__(self, group_id: str) -> None:
        super().__init__(f"comparison {group_id!r} exists already", group_id=group_id)


class ResultExists(Conflict):
    group_id: str
    prompt_key: str
    judge: str

    def __init__(self, group_id: str, prompt_key: str, judge: str) -> None:
        super().__init__(
            f"judge {judge!r} has a result for prompt {prompt_key!r} of comparison {group_id!r} already: "
            "record it with replace=True",
            group_id=group_id,
            prompt_key=prompt_key,
            judge=judge,
        )
