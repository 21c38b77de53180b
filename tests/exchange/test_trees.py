"""Paths and branches of trees, however deep and wide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatledger import InvalidInput
from chatledger.exchange.readers.trees import Branch, Tree


def tree(*parents: int | None, silent: tuple[int, ...] = (), rank: Any = None) -> Tree:
    holds = [place not in silent for place in range(len(parents))]
    return Tree(parents, holds, rank or range(len(parents)), "mapping")


def test_a_branch_leaves_the_main_path_behind_the_last_common_message() -> None:
    #      0 - 1 - 2 - 3
    #           \- 4 - 5
    #               \- 6
    found = tree(None, 0, 1, 2, 1, 4, 4)
    assert [0, 1, 2, 3] == found.path(3)
    assert [Branch(5, 2), Branch(6, 2)] == found.branches(3)
    assert [4, 6] == found.path(6, above=2)
    assert [Branch(3, 2), Branch(5, 3)] == found.branches(6)


def test_what_answers_the_end_of_the_main_path_is_a_branch_of_all_of_it() -> None:
    assert [Branch(2, 1), Branch(3, 1)] == tree(None, 0, 1, 0).branches(0)


def test_another_beginning_has_nothing_in_common() -> None:
    assert [Branch(3, 0)] == tree(None, 0, None, 2).branches(1)


def test_nodes_without_a_message_count_for_nothing() -> None:
    #  (0) - 1 - (2) - 3
    #               \- (4)      an end that says nothing is no branch
    #         \- (5) - 6
    found = tree(None, 0, 1, 2, 2, 1, 5, silent=(0, 2, 4, 5))
    assert [1, 3] == found.path(3)
    assert 1 == found.depth(2)
    assert [Branch(6, 1)] == found.branches(3)
    assert [6] == found.path(6, above=1)
    assert None is tree(None, 0, silent=(0, 1)).end(last=True)


def test_siblings_stand_in_their_order() -> None:
    found = tree(None, 0, 0, 0, rank=[0, 9, 3, 5])
    assert (2, 1) == (found.end(last=False), found.end(last=True))
    assert [Branch(3, 1), Branch(1, 1)] == found.branches(2)


@pytest.mark.parametrize("parents", [(0,), (1, 0), (None, 2, 3, 1), (1, 2, 1)])
def test_a_cycle_is_refused(parents: tuple[int | None, ...]) -> None:
    with pytest.raises(InvalidInput, match="in a cycle"):
        tree(*parents)


def test_values_are_handed_on_along_the_paths() -> None:
    found = tree(None, 0, 1, None, 1)
    assert [7, 5, 5, 7, 3] == found.inherited([None, 5, None, None, 3], 7)
    assert [1, 3, 7, 8, 19] == found.sums([1, 2, 4, 8, 16])


def test_a_tree_may_be_as_deep_as_it_likes() -> None:
    deep = 200_000
    found = tree(None, *range(deep))
    assert deep == found.end(last=True)
    assert deep + 1 == len(found.path(deep))
    assert [] == found.branches(deep)


@given(
    st.lists(st.integers(min_value=0), min_size=1, max_size=40), st.integers(min_value=0), st.sets(st.integers(0, 39))
)
def test_every_message_is_on_the_main_path_or_on_a_branch(draws: list[int], end: int, silent: set[int]) -> None:
    # Each node's parent is one before it, or none.
    parents = [None if draw % (place + 1) == place else draw % (place + 1) for place, draw in enumerate(draws)]
    found = tree(*parents, silent=tuple(silent))
    end %= len(parents)
    main = found.path(end)
    met = set(main)
    for leaf, at in found.branches(end):
        own = found.path(leaf, above=at)
        assert found.path(leaf) == main[:at] + own
        assert main[at : at + 1] != own[:1]
        met.update(own)
    assert set(found.messages()) == met
