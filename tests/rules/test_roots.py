"""`roots.yaml`, there and back."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitmaild.model.errors import Refused
from gitmaild.model.registry import Project, Registry
from gitmaild.rules import roots
from tests.build import any_text

slugs = st.text("abcxyz059-", min_size=1, max_size=63)
paths = any_text.map(lambda text: "/" + text)
several = st.lists(paths, max_size=3, unique=True).map(tuple)
projects = st.builds(Project, slugs, paths, several, several)
registries = st.lists(projects, max_size=4, unique_by=lambda p: p.slug).map(
    lambda found: Registry({p.slug: p for p in found})
)


@given(registries)
def test_a_registry_is_read_back_as_it_was(registry: Registry) -> None:
    assert roots.parse(roots.render(registry)) == registry


@given(registries)
def test_what_is_written_is_yaml(registry: Registry) -> None:
    assert len(yaml.load(roots.render(registry), Loader=yaml.CSafeLoader) or {}) >= len(registry.projects)


def test_a_registry_is_a_page_that_a_person_can_read() -> None:
    registry = Registry().enrol("shop", "/src/shop/.git", "/src/shop").enrol("shop", "/src/shop/.git", "/src/shop-fix")
    assert roots.render(registry).decode() == (
        "# Which worktrees carry desk roots of which project. Written by gitmaild init.\n"
        'shop.repository: "/src/shop/.git"\n'
        "shop.worktrees:\n"
        '- "/src/shop"\n'
        '- "/src/shop-fix"\n'
    )


@pytest.mark.parametrize("data", [b"", b"\n", b"# nothing yet\n"])
def test_an_empty_file_is_an_empty_registry(data: bytes) -> None:
    assert roots.parse(data) == Registry()


def test_a_bad_slug_and_a_stray_key_are_left_out() -> None:
    data = b"../x.repository: /a\nshop.repository: /b\nshop.worktrees:\n- /b\nshop.colour: red\nlib.worktrees:\n- /c\n"
    assert roots.parse(data.removeprefix(b"../x.repository: /a\n")) == Registry({"shop": Project("shop", "/b", ("/b",))})
    assert roots.parse(b"a_b.repository: /a\n") == Registry()
    with pytest.raises(Refused):
        roots.parse(data)
