"""register, agents, whois, retire."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.model.errors import Refused
from gitmaild.model.names import OVERSEER

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
    answer = desk.order("register", {"program": program, "model": model, "task_description": task}, agent=name or "")
    desk.answer(answer, f"registered: {answer.agent_name} (project {desk.project.slug})")


@click.command()
@desk_of
def agents(desk: Desk) -> None:
    """List who is here, on what, since when.

    \b
    Example:
      gitmaild agents --json
    """
    profiles = desk.ask("agents", {})
    if desk.as_json:
        say_json(profiles)
        return
    if not profiles:
        say("nobody has registered yet")
    columns([(p.agent_name, p.state, " ".join(w for w in (p.program, p.model) if w), p.task_description) for p in profiles])


@click.command()
@click.argument("name")
@desk_of
def whois(desk: Desk, *, name: str) -> None:
    """What is known of one agent.

    \b
    Example:
      gitmaild whois GreenCastle
    """
    try:
        profile = desk.ask("whois", {"name": name})
    except Refused as refused:
        if refused.code != "no-agent":
            raise
        fail(1, refused.reason)
        raise click.exceptions.Exit(1) from None
    if desk.as_json:
        say_json(profile)
    else:
        columns([(key, str(value)) for key, value in profile.items() if value])


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
    who = desk.agent if desk.chosen_name else OVERSEER
    desk.answer(desk.order("retire", {"agent": name, "reason": reason}, agent=who), f"retired: {name}")
