"""guard install, remove, status, check."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, fail, say_json

desk_of = click.make_pass_decorator(Desk)
_repo = click.option("--repo", metavar="DIR", type=click.Path(exists=True, file_okay=False), help="Default: here.")


@click.group()
def guard() -> None:
    """Let git refuse a commit that touches what another agent has reserved.

    \b
    Examples:
      gitmaild guard install
      gitmaild guard status
      gitmaild guard check src/api/routes.py
    """


@guard.command()
@click.argument("project", required=False, default="")
@click.argument("repository", metavar="[REPO]", required=False, type=click.Path(exists=True, file_okay=False))
@_repo
@click.option("--strict", is_flag=True, help="Also at the move of a branch, which --no-verify does not skip.")
@click.option("--pre-push/--no-pre-push", default=True, help="Also before a push. Default: yes.")
@click.option("--write", is_flag=True, help="husky, lefthook: add the lines to their files, which your team shares.")
@desk_of
def install(
    desk: Desk, *, project: str, repository: str | None, repo: str | None, strict: bool, pre_push: bool, write: bool
) -> None:
    """Install the guard's git hooks beside the hooks that are there. One install serves all worktrees. May be repeated.

    PROJECT: the project that REPO belongs to, where REPO is not enrolled in it by gitmaild init. A submodule belongs to the
    project of what it lies in.

    \b
    Examples:
      gitmaild guard install
      gitmaild guard install --strict
      gitmaild guard install --repo libs/sub
      gitmaild guard install shop ../shop-web
    """
    place = Path(repo or repository or desk.here).resolve()
    hooks = wiring.guard_hooks(place, desk.environment)
    slug, prefix = wiring.guard_project(desk.home, place, desk.environment, project=project)
    done = hooks.install(strict=strict, pre_push=pre_push, write=write)
    value: dict[str, Any] = {"success": not done.todo, "project": slug, "prefix": prefix, **asdict(done)}
    if done.todo:
        added = "\n".join(f"add to {todo.file}:\n\n{todo.text}\n" for todo in done.todo)
        how = "" if done.way == "lefthook" else "; or let gitmaild guard install --write do it"
        desk.answer(value, f"{added}\nnot installed yet: {done.way} runs the hooks here, and its files are yours{how}")
        raise click.exceptions.Exit(1)
    lines = [f"{'installed' if done.changed else 'was installed already'}: {', '.join(done.paths)}"]
    lines += [f"kept, and run after it: {path}" for path in done.kept]
    lines += [done.note] if done.note else []
    if not (desk.home.state / "leases" / slug).exists():
        lines.append("there is no lease view yet, and without one every commit is blocked: gitmaild serve, or serve --once")
    desk.answer(value, "\n".join(lines))


@guard.command()
@click.argument("repository", metavar="[REPO]", required=False, type=click.Path(exists=True, file_okay=False))
@_repo
@desk_of
def remove(desk: Desk, *, repository: str | None, repo: str | None) -> None:
    """Take the guard's hooks away, and put back what was there before.

    \b
    Example:
      gitmaild guard remove
    """
    place = Path(repo or repository or desk.here).resolve()
    done = wiring.guard_hooks(place, desk.environment).remove()
    changed = wiring.forget_prefix(place) or done.changed
    lines = ["removed" if changed else "was not installed", *([done.note] if done.note else [])]
    desk.answer({"success": True, "changed": changed, "left": done.kept}, "\n".join(lines))


@guard.command()
@_repo
@desk_of
def status(desk: Desk, *, repo: str | None) -> None:
    """Does git run the guard? It is made to run it, and the guard must answer. Status 1 where commits are not guarded.

    \b
    Example:
      gitmaild guard status --json
    """
    place = Path(repo or desk.here).resolve()
    events = wiring.guard_hooks(place, desk.environment).state()
    settings = wiring.git_settings(place, desk.environment)
    if desk.as_json:
        say_json({"project": settings.get("project", ""), "events": [asdict(event) for event in events]})
    else:
        proof = {True: "git runs it", False: "git does not run it", None: "not proven: its owner runs it"}
        columns(
            [
                (event.event, event.state, proof[event.is_proven] if event.path else "", event.path, event.kept)
                for event in events
            ]
        )
    if events[0].state == "absent" or events[0].is_proven is False:
        raise click.exceptions.Exit(1)


@guard.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@desk_of
def check(desk: Desk, *, paths: tuple[str, ...]) -> None:
    """May you edit these files? Asks what a commit would ask. Status 1 where somebody else holds one of them.

    \b
    Examples:
      gitmaild guard check src/api/routes.py
      gitmaild --as GreenCastle guard check src/api/*.py --json
    """
    from gitmaild.adapters.guard import program, words  # noqa: PLC0415
    from gitmaild.adapters.guard.repository import GitFailed  # noqa: PLC0415
    from gitmaild.model.leaseview import Torn  # noqa: PLC0415

    environ = dict(desk.environment)
    if desk.identity:
        environ["GITMAILD_AGENT"] = desk.identity
    now = wiring.wall_clock().timestamp()
    try:
        answered = program.check(list(paths), environ, str(desk.here), now)
    except (program.Blind, Torn, GitFailed) as problem:
        if desk.as_json:
            say_json({"free": False, "blind": str(problem), "conflicts": []})
        lines = words.blind(str(problem), words.bypass("check", environ), is_warning=False)
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        raise click.exceptions.Exit(1) from None
    if answered is None:
        raise click.exceptions.Exit(fail(1, f"{desk.here} is in no project: gitmaild init; nothing guards it"))
    gate, said = answered
    if desk.as_json:
        conflicts = [
            {
                "path": finding.path,
                "more": finding.more,
                "pattern": finding.row.pattern,
                "holder": finding.row.holder,
                "lease": finding.row.lease_id,
                "expires": finding.row.expires,
                "expires_in_seconds": max(int(words.seconds(finding.row.expires) - now), 0),
                "reason": finding.row.reason,
            }
            for finding in said.blocked
        ]
        say_json({"free": not said.blocked, "as": gate.who, "conflicts": conflicts})
    else:
        lines = words.spoken(gate, said, now)
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        if not said.blocked:
            desk.answer({}, "free")
    if said.blocked:
        raise click.exceptions.Exit(1)
