"""Which worktree belongs to which project."""

from pathlib import PurePath

import pytest

from gitmaild.model.errors import Refused
from gitmaild.model.registry import Project, Registry

SHOP = Registry().enrol("shop", "/src/shop/.git", "/src/shop")


def test_the_first_worktree_makes_the_project() -> None:
    assert SHOP.projects == {"shop": Project("shop", "/src/shop/.git", ("/src/shop",))}


def test_a_second_worktree_of_the_same_repository_joins_its_project() -> None:
    both = SHOP.enrol("shop", "/src/shop/.git", "/src/shop-fix")
    assert both.projects["shop"].worktrees == ("/src/shop", "/src/shop-fix")


def test_enrolling_twice_changes_nothing() -> None:
    assert SHOP.enrol("shop", "/src/shop/.git", "/src/shop") == SHOP


def test_a_project_without_a_worktree_may_be_enrolled() -> None:
    assert Registry().enrol("shop", "/src/shop", "").projects == {"shop": Project("shop", "/src/shop")}


def test_a_slug_of_another_repository_is_refused_with_both_ways_out() -> None:
    with pytest.raises(Refused) as caught:
        SHOP.enrol("shop", "/other/shop/.git", "/other/shop")
    refusal = caught.value.refusal
    assert (refusal.code, refusal.reason) == ("slug-taken", "project 'shop' belongs to /src/shop/.git")
    assert "--project shop-2" in refusal.mend and "--project shop --join" in refusal.mend


def test_a_second_clone_joins_on_purpose() -> None:
    joined = SHOP.enrol("shop", "/other/shop/.git", "/other/shop", join=True)
    assert joined.projects["shop"] == Project("shop", "/src/shop/.git", ("/src/shop", "/other/shop"), ("/other/shop/.git",))
    assert joined.of_repository("/other/shop/.git") == joined.projects["shop"]


def test_a_clone_that_has_joined_need_not_say_so_again() -> None:
    joined = SHOP.enrol("shop", "/other/shop/.git", "/other/shop", join=True)
    assert joined.enrol("shop", "/other/shop/.git", "/other/shop") == joined


def test_an_unknown_repository_has_no_project() -> None:
    assert SHOP.of_repository("/elsewhere/.git") is None


@pytest.mark.parametrize(
    ("path", "worktree"),
    [
        ("/src/shop", "/src/shop"),
        ("/src/shop/a/b", "/src/shop"),
        ("/src/shop/vendor/lib/x", "/src/shop/vendor/lib"),
        ("/src", ""),
        ("/src/shop2", ""),
    ],
)
def test_a_path_lies_in_the_innermost_worktree_around_it(path: str, worktree: str) -> None:
    nested = SHOP.enrol("lib", "/src/lib/.git", "/src/shop/vendor/lib")
    project = nested.of_worktree(PurePath(path))
    assert nested.worktree_of(PurePath(path)) == worktree
    assert (worktree in project.worktrees) if project else worktree == ""
