"""handoff: word for one's next self, which remembers nothing."""

from dataclasses import replace
from typing import Any

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.mail import body_of, page
from gitmaild.adapters.cli.output import say, say_json
from gitmaild.app import handoffs, reading
from gitmaild.model.layout import FOLDERS
from gitmaild.model.names import OVERSEER
from gitmaild.model.settings import Settings
from gitmaild.rules.parse_people import CONTINUITY

desk_of = click.make_pass_decorator(Desk)

# How a loop that calls us goes on.
GO_ON, NOTHING_THERE, DONE, STOP = 0, 1, 10, 11


@click.command()
@click.option("--completed", multiple=True, metavar="C", help="What is done. May be repeated, as the others.")
@click.option("--remaining", multiple=True, metavar="R", help="What is left.")
@click.option("--blocker", "blockers", multiple=True, metavar="B", help="What stands in the way.")
@click.option("--next", "next_", multiple=True, metavar="N", help="What to do first.")
@click.option("--file", "files", multiple=True, metavar="F", help="A file that matters.")
@click.option("--test", "tests", multiple=True, metavar="T", help="How the tests stand.")
@click.option("--iteration", default="", metavar="I", help="The number of this round.")
@click.option("--thread", default="", metavar="T", help="Default: continuity.")
@click.option("--done", is_flag=True, help="There is nothing left: end with status 10.")
@click.option("--last", is_flag=True, help="Print the newest hand-off instead; status 1 where there is none.")
@click.argument("notes", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@desk_of
def handoff(
    desk: Desk,
    *,
    completed: tuple[str, ...],
    remaining: tuple[str, ...],
    blockers: tuple[str, ...],
    next_: tuple[str, ...],
    files: tuple[str, ...],
    tests: tuple[str, ...],
    iteration: str,
    thread: str,
    done: bool,
    last: bool,
    notes: str | None,
) -> None:
    """Leave word for your next self, or read what the last one left. An empty hand-off is refused.

    Exit status, for a loop around you: 0 go on, 10 done (--done), 11 stop (the Overseer has sent you [STOP], and
    you have not acknowledged it), 3 queued: nobody has taken it yet, and --last finds it in your outbox.

    \b
    Examples:
      gitmaild handoff --completed 'the parser' --remaining 'its tests' --next 'fix test_dates'
      gitmaild handoff --last
      gitmaild handoff --completed 'all of br-123' --done
    """
    if last:
        _print_last(desk, thread or CONTINUITY)
        return
    said: dict[str, Any] = {
        "completed": completed,
        "remaining": remaining,
        "blockers": blockers,
        "next": next_,
        "files": files,
        "tests": tests,
    }
    answer = desk.order(
        "handoff", said | {"iteration": iteration, "thread_id": thread, "body": body_of(notes) if notes else ""}
    )
    status = STOP if _is_stopped(desk) else DONE if done else GO_ON
    word = {GO_ON: "go on", DONE: "done", STOP: "stop"}[status]
    desk.answer(answer | {"loop": word}, f"handed off: {answer.id} ({word})")
    if status:
        raise click.exceptions.Exit(status)


def _print_last(desk: Desk, thread: str) -> None:
    entry = handoffs.newest(desk.own_root, desk.agent, thread, Settings())
    if desk.as_json:
        say_json([entry.fields(body=True)] if entry else [])
    elif entry:
        say(page(replace(entry.message, id=entry.message.id or "queued, not delivered yet")).rstrip("\n"))
    else:
        say("no hand-off")
    if not entry:
        raise click.exceptions.Exit(NOTHING_THERE)


def _is_stopped(desk: Desk) -> bool:
    entries = reading.inbox(desk.own_root, desk.agent, folders=FOLDERS[:2], tag="STOP", limit=100)
    return any(entry.message.sender == OVERSEER for entry in entries)
