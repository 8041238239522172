"""`roots.yaml` to a registry and back: flat keys `<project>.repository`, `<project>.worktrees`, `<project>.joined`."""

from gitmaild.model.names import is_slug
from gitmaild.model.registry import Project, Registry
from gitmaild.rules import frontmatter

_HEAD = "# Which worktrees carry desk roots of which project. Written by gitmaild init.\n"


def parse(data: bytes) -> Registry:
    """Raises `Refused` for a file that is not front matter; projects with a bad slug are left out."""
    text = b"\n".join(line for line in data.splitlines() if not line.startswith(b"#"))
    projects: dict[str, Project] = {}
    if not text.strip():
        return Registry()
    fields, _ = frontmatter.read(text + b"\n", limit=1 << 24, fenced=False, key=frontmatter.DOTTED_KEY)
    for key, field in fields.items():
        slug, _, what = key.partition(".")
        if what == "repository" and is_slug(slug):
            many = {k: fields[f"{slug}.{k}"].items or () for k in ("worktrees", "joined") if f"{slug}.{k}" in fields}
            projects[slug] = Project(slug, field.value, many.get("worktrees", ()), many.get("joined", ()))
    return Registry(projects)


def render(registry: Registry) -> bytes:
    parts = [_HEAD]
    for slug, project in sorted(registry.projects.items()):
        parts.append(frontmatter.write([(f"{slug}.repository", project.repository)]))
        for key, paths in (("worktrees", project.worktrees), ("joined", project.joined)):
            if paths:
                parts.append(frontmatter.write_lines(f"{slug}.{key}", paths))
    return "".join(parts).encode()
