"""The guard's hooks in a user's repository, and the project that the repository is in."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gitmaild.edges.home import Home
from gitmaild.model.errors import refuse
from gitmaild.wiring.places import registry

if TYPE_CHECKING:
    from gitmaild.edges.hooks import Hooks


def guard_hooks(place: Path, environment: Mapping[str, str], *, version: Sequence[int] | None = None) -> "Hooks":
    """The guard's hooks in the repository around `place`. Raises `Refused` where there is none."""
    from gitmaild.edges.hookfile import render  # noqa: PLC0415
    from gitmaild.edges.hooks import Hooks  # noqa: PLC0415

    here = Path(__file__).parent.parent
    # In a checkout the hooks lie beside the package, in a wheel they are within.
    shipped = here / "hooks" if (here / "hooks").is_dir() else here.parent / "hooks"
    program = here / "adapters" / "guard" / "__main__.py"
    stub = render((shipped / "guard").read_text(), python=Path(sys.executable), program=program)
    return Hooks(place, stub, environment, version=tuple(version) if version else None)


def guard_project(home: Home, place: Path, environment: Mapping[str, str], *, project: str) -> tuple[str, str]:
    """Make the repository around `place` know its project: (slug, prefix of its paths there). Idempotent.

    A submodule that is not enrolled itself belongs to the project that its superproject is in. Raises `Refused` where there
    is no project, or `project` is not one of this home.
    """
    from gitmaild.edges import hooks, worktree  # noqa: PLC0415

    found, known = worktree.find(place), registry(home)
    if project:
        path = Path(project).expanduser().resolve()
        named = known.projects.get(project) or (known.of_worktree(path) if path.is_dir() else None)
        if named is None:
            names_known = ", ".join(known.projects) or "none yet"
            raise refuse("no-project", f"no project {project!r}", f"run gitmaild init there (known: {names_known})")
        worktree.mark(found, home=home.path, project=named.slug)
        return named.slug, ""
    if own := known.of_repository(str(found.repository)):
        worktree.mark(found, home=home.path, project=own.slug)
        return own.slug, ""
    outer = found.top
    while above := hooks.superproject(outer, environment):
        outer = above.resolve()
        if enrolled := known.of_repository(str(worktree.find(outer).repository)):
            prefix = f"{found.top.relative_to(outer)}/"
            worktree.mark(found, home=home.path, project=enrolled.slug, prefix=prefix)
            return enrolled.slug, prefix
    raise refuse("no-project", f"{found.top} is in no project", "run gitmaild init there, or name its project")


def forget_prefix(place: Path) -> bool:
    """Take back what `guard_project` wrote into a submodule. True where there was something."""
    from gitmaild.edges import worktree  # noqa: PLC0415

    return worktree.unmark(worktree.find(place))
