"""Which worktrees carry desk roots of which project: the meaning of `roots.yaml`."""

from dataclasses import dataclass, field, replace
from pathlib import PurePath

from gitmaild.model.errors import refuse


@dataclass(frozen=True, slots=True)
class Project:
    """`repository` is a git common directory, or a plain directory; `joined` holds second clones that joined on purpose."""

    slug: str
    repository: str
    worktrees: tuple[str, ...] = ()
    joined: tuple[str, ...] = ()

    def owns(self, repository: str) -> bool:
        return repository == self.repository or repository in self.joined


@dataclass(frozen=True, slots=True)
class Registry:
    projects: dict[str, Project] = field(default_factory=dict)

    def of_worktree(self, path: PurePath) -> Project | None:
        """The project of the worktree that `path` is, or lies in; the innermost where worktrees nest."""
        places = {worktree: project for project in self.projects.values() for worktree in project.worktrees}
        return next((places[str(p)] for p in (path, *path.parents) if str(p) in places), None)

    def worktree_of(self, path: PurePath) -> str:
        places = {worktree for project in self.projects.values() for worktree in project.worktrees}
        return next((str(p) for p in (path, *path.parents) if str(p) in places), "")

    def of_repository(self, repository: str) -> Project | None:
        return next((p for p in self.projects.values() if p.owns(repository)), None)

    def enrol(self, slug: str, repository: str, worktree: str, *, join: bool = False) -> "Registry":
        """The registry with `worktree` as a root of `slug`.

        Raises `Refused` where another repository holds the slug, or this repository has another one already.
        """
        known = self.of_repository(repository)
        if known and known.slug != slug:
            raise refuse(
                "other-slug",
                f"{repository} is project {known.slug!r} already",
                f"leave --project out, or say --project {known.slug}",
            )
        project = self.projects.get(slug)
        if project is None:
            project = Project(slug, repository)
        elif not project.owns(repository):
            if not join:
                raise refuse(
                    "slug-taken",
                    f"project {slug!r} belongs to {project.repository}",
                    f"choose another slug: --project {slug}-2; or, for a second clone on purpose: --project {slug} --join",
                )
            project = replace(project, joined=(*project.joined, repository))
        if worktree and worktree not in project.worktrees:
            project = replace(project, worktrees=(*project.worktrees, worktree))
        return Registry({**self.projects, slug: project})
