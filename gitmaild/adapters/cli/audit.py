"""events: the record, for programs."""

import json
import sys
import time
from collections import deque
from collections.abc import Iterable

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import escaped

_POLL = 0.2

desk_of = click.make_pass_decorator(Desk)


@click.command()
@click.option("--since", "cursor", default="", metavar="CURSOR", help='Only what came after this event: its "commit".')
@click.option("--follow", "-f", is_flag=True, help="Go on as things happen, until interrupted.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Of what there is now, only the newest N.")
@click.option("--all-projects", is_flag=True, help="Of every project in this home. Default: of this one.")
@desk_of
def events(desk: Desk, *, cursor: str, follow: bool, last: int | None, all_projects: bool) -> None:
    """What happened, one commit a line, oldest first. Lines are JSON, with or without --json.

    Keep the "commit" of the last line that you have dealt with: it is the cursor for --since, on any day, in any process. A
    cursor that the history no longer leads through is refused (65).

    \b
    Examples:
      gitmaild events --last 1                 # where things stand: a cursor to begin with
      gitmaild events --since 2f9c1e0d6f... --json
      gitmaild events --follow --since 2f9c1e0d6f... | while read -r line; do echo "$line"; done
    """
    records = wiring.open_records(desk.home)
    project = "" if all_projects else desk.project.slug
    tip = records.reader.tip()
    found: Iterable[dict[str, object]] = records.events(cursor, tip, project=project)
    for event in deque(found, maxlen=last) if last else found:
        _line(event)
    while follow:
        sys.stdout.flush()
        time.sleep(_POLL)
        new = records.reader.tip()
        if new != tip:
            for event in records.events(tip, new, project=project):
                _line(event)
            tip = new


def _line(event: dict[str, object]) -> None:
    sys.stdout.write(escaped(json.dumps(event)) + "\n")
