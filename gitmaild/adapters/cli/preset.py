"""preset: roles, groups, queues and boards set up at once, from a file."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.model.errors import Refused
from gitmaild.model.names import OVERSEER
from gitmaild.model.preset import Entry, Step
from gitmaild.rules import frontmatter
from gitmaild.rules import preset as rules
from gitmaild.wiring import presets as wiring

desk_of = click.make_pass_decorator(Desk)


@click.group()
def preset() -> None:
    """Presets: roles, groups, queues and boards in one file. Two readings of Gas Town come with gitmaild.

    \b
    Examples:
      gitmaild preset list
      gitmaild preset apply gastown-docs --bind Mayor=GreenCastle --bind polecats=RedCat,BlueLake
      gitmaild preset show gastown-docs > mine.yaml && gitmaild preset apply mine.yaml
    """


@preset.command("list")
@desk_of
def list_(desk: Desk) -> None:
    """The presets that come with gitmaild.

    \b
    Example:
      gitmaild preset list --json
    """
    found = [wiring.preset(name, desk.here, desk.home, desk.environment) for name in wiring.shipped()]
    if desk.as_json:
        say_json([{"name": one.name, "about": one.about, "source": one.source} for one in found])
    else:
        columns([(one.name, one.about) for one in found])


@preset.command()
@click.argument("name", metavar="NAME|FILE")
@desk_of
def show(desk: Desk, *, name: str) -> None:
    """Print a preset: the drops that it consists of. With --json, what they say.

    \b
    Example:
      gitmaild preset show gastown-seed > mine.yaml
    """
    found = wiring.preset(name, desk.here, desk.home, desk.environment)
    if desk.as_json:
        entries = [_entry(entry) | {"lines": rules.drop(entry)[1].splitlines()} for entry in found.entries]
        say_json({"name": found.name, "about": found.about, "source": found.source, "entries": entries})
    else:
        say(wiring.preset_text(name, desk.here)[0].decode().rstrip("\n"))


@preset.command()
@click.argument("name", metavar="NAME|FILE")
@click.option(
    "--bind", "bindings", multiple=True, metavar="ROLE=AGENT", help="Who holds a role, or GROUP=A,B: who is in it."
)
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@desk_of
def apply(desk: Desk, *, name: str, bindings: tuple[str, ...], dry_run: bool) -> None:
    """Make what the preset says, or change it, as the Overseer unless you say otherwise. What is so already is left alone.

    Nothing is taken away: members that a group has besides stay, and so do roles and groups that the preset does not
    name. All of it is checked first; where a part would be refused, nothing is done.

    \b
    Examples:
      gitmaild preset apply gastown-seed --bind Mayor=GreenCastle --bind crew=RedCat,BlueLake
      gitmaild preset apply mine.yaml --dry-run
    """
    agent = desk.agent if desk.chosen_name else OVERSEER
    found = rules.bind(wiring.preset(name, desk.here, desk.home, desk.environment), _bindings(bindings))
    steps = wiring.rehearse(desk.home, desk.environment, desk.project.slug, agent, found)
    due = [step for step in steps if step.status != "unchanged"]
    if not dry_run:
        for number, step in enumerate(due):
            _submit(desk, step, agent, f"{number} of {len(due)} done")
    value = {
        "success": True,
        "preset": found.name,
        "dry_run": dry_run,
        "changed": len(due),
        "entries": [_entry(step.entry) | {"status": step.status, "changes": list(step.changes)} for step in steps],
    }
    if desk.as_json:
        say_json(value)
        return
    columns([(step.status, step.entry.kind, step.entry.name, "; ".join(step.changes)) for step in due])
    would = "would be " if dry_run else ""
    say(f"{found.name}: {len(due)} of {len(steps)} {would}made or changed" if due else f"{found.name}: all is so already")


def _submit(desk: Desk, step: Step, agent: str, done: str) -> None:
    kind, lines = rules.drop(step.entry)
    receipt = desk.submit(kind, frontmatter.write([("kind", kind)]) + lines, "", agent=agent)
    if receipt.refusal is not None:
        raise Refused(receipt.refusal)
    if receipt.is_queued:
        # What follows may build on it, so it is not dropped before the answer.
        fail(3, f"queued, {done}; once it is answered, apply the preset again: what is so already is left alone")
        raise click.exceptions.Exit(3)


def _entry(entry: Entry) -> dict[str, object]:
    return {"kind": entry.kind, "name": entry.name}


def _bindings(given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """`--bind Mayor=GreenCastle --bind dogs=RedCat,BlueLake`, also of one name twice."""
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, equals, agents = text.partition("=")
        names = tuple(agent.strip().removeprefix("@") for agent in agents.split(",") if agent.strip())
        if not equals or not names:
            raise click.UsageError(f"--bind {text!r}: write ROLE=AGENT, or GROUP=AGENT,AGENT")
        key = name.strip().removeprefix("@")
        found[key] = (*found.get(key, ()), *names)
    return found
