"""register, agents, whois, retire."""

from typing import TYPE_CHECKING

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.model.names import OVERSEER, check_name
from gitmaild.rules import frontmatter

if TYPE_CHECKING:
    from gitmaild.rules.mailbox import Profile

desk_of = click.make_pass_decorator(Desk)


@click.command()
@click.argument("name", required=False)
@click.option("--program", metavar="P", help="What runs you: Claude Code, Codex, a script.")
@click.option("--model", metavar="M", help="The model, if there is one.")
@click.option("--task", metavar="T", help="What you work on.")
@desk_of
def register(desk: Desk, *, name: str | None, program: str | None, model: str | None, task: str | None) -> None:
    """Join the project as NAME, or say anew what you work on. Without NAME, a free one is chosen.

    \b
    Examples:
      gitmaild register GreenCastle --program 'Claude Code' --model 'Opus 4.5' --task 'Backend API'
      gitmaild register
    """
    name = name or desk.chosen_name or wiring.open_reader(desk.home).free_name(desk.project.slug)
    check_name(name)
    given = (("program", program), ("model", model), ("task_description", task))
    fields: list[tuple[str, frontmatter.Written]] = [(key, value) for key, value in given if value is not None]
    receipt = desk.submit("register", frontmatter.write(fields), agent=name)
    keys = ("agent_name", "program", "model", "task_description", "registered")
    value = {"success": True} | {key: receipt.text(key) for key in keys}
    desk.answer(
        value | {"desk": f"{desk.root_of(name).path}/agents/{name}"}, f"registered: {name} (project {desk.project.slug})"
    )


@click.command()
@desk_of
def agents(desk: Desk) -> None:
    """List who is here, on what, since when.

    \b
    Example:
      gitmaild agents --json
    """
    profiles = wiring.open_reader(desk.home).agents(desk.project.slug)
    if desk.as_json:
        say_json([_shown(profile) for profile in profiles])
        return
    if not profiles:
        say("nobody has registered yet")
    columns([(p.name, p.state, " ".join(w for w in (p.program, p.model) if w), p.task_description) for p in profiles])


@click.command()
@click.argument("name")
@desk_of
def whois(desk: Desk, *, name: str) -> None:
    """What is known of one agent.

    \b
    Example:
      gitmaild whois GreenCastle
    """
    reader = wiring.open_reader(desk.home)
    profile = reader.profile(desk.project.slug, name)
    if profile is None:
        fail(1, f"no agent {name!r} in project {desk.project.slug}{reader.guess(desk.project.slug, name)}")
        raise click.exceptions.Exit(1)
    if desk.as_json:
        say_json(_shown(profile))
    else:
        columns([(key, str(value)) for key, value in _shown(profile).items() if value])


@click.command()
@click.argument("name")
@click.option("--reason", default="", metavar="R", help="What senders are told.")
@desk_of
def retire(desk: Desk, *, name: str, reason: str) -> None:
    """Close NAME's desk: mail to it bounces with the reason. Registering again opens it.

    An agent may retire itself; the Overseer, who you are unless you say otherwise, may retire anybody.

    \b
    Example:
      gitmaild retire GreenCastle --reason 'the API is done'
    """
    fields: list[tuple[str, frontmatter.Written]] = [("agent", name)]
    fields += [("reason", reason)] if reason else []
    desk.submit("retire", frontmatter.write(fields), agent=desk.agent if desk.chosen_name else OVERSEER)
    desk.answer({"success": True, "agent_name": name, "state": "retired"}, f"retired: {name}")


def _shown(profile: "Profile") -> dict[str, object]:
    return {key: value for key, value in profile.fields() if key != "reason" or value}
