"""events, audit, verify: the record, for programs and for who doubts it."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import escaped, fail

_POLL = 0.2
_QUIET = 3.0

desk_of = click.make_pass_decorator(Desk)


@click.command()
@click.option("--since", "cursor", default="", metavar="CURSOR", help='Only what came after this event: its "commit".')
@click.option("--follow", "-f", is_flag=True, help="Go on as things happen, until interrupted.")
@click.option("--last", type=click.IntRange(1, 10**9), metavar="N", help="Of what there is now, only the newest N.")
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
    found: Iterable[dict[str, object]] = (
        records.last_events(last, cursor, tip, project=project) if last else records.events(cursor, tip, project=project)
    )
    for event in found:
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


@click.command()
@click.argument("thread_id", metavar="THREAD")
@click.option("--at", "moment", metavar="TIME", help="By then: 2h (ago), 3d, or 2026-11-22T15:00:00Z. Default: now.")
@desk_of
def audit(desk: Desk, *, thread_id: str, moment: str | None) -> None:
    """Who knew what when: what each participant of THREAD had received, read and acknowledged by TIME, from the commits.

    Blind recipients are in nobody's audit.

    \b
    Examples:
      gitmaild audit br-123
      gitmaild audit br-123 --at 2026-11-22T15:00:00Z --json
    """
    value = desk.ask("audit", {"thread_id": thread_id, "at": moment})
    desk.answer(value, "\n".join(_audited(value)))
    if not value["messages"]:
        fail(1, f"no messages in thread {thread_id} by {value['at']}")
        raise click.exceptions.Exit(1)


def _audited(value: dict[str, Any]) -> Iterator[str]:
    subjects = {row["id"]: row["subject"] for row in value["messages"]}
    for person in value["participants"]:
        yield f"{person['agent']}"
        for an_id in person["sent"]:
            yield f"  sent      {an_id}  {subjects[an_id]}"
        for row in person["received"]:
            times = [f"{word} {_minute(row[word])}" for word in ("received", "read", "acked") if row[word]]
            yield f"  {row['state']:8}  {row['id']}  {subjects[row['id']]} ({', '.join(times)})"


def _minute(stamp: str) -> str:
    return stamp[:19].replace("T", " ")


@click.command()
@click.option("--limit", type=click.IntRange(1, 10**9), default=100, show_default=True, help="So many findings at most.")
@desk_of
def verify(desk: Desk, *, limit: int) -> None:
    """Walk every commit of this home's mailbox, and name what was not written by gitmaild. Status 1 where there is any.

    No message file ever changed, ids are unique, trailers agree with trees, copies only moved on, leases ended once, fences
    grew. A mailbox that was rewritten or edited by hand is found, and each break is named with its commit and path.

    \b
    Examples:
      gitmaild verify
      gitmaild verify --json --limit 1000
    """
    began = time.monotonic()
    progress = _Progress(began)
    found = list(islice(wiring.open_records(desk.home).verify(progress.told), limit))
    progress.end()
    lines = [f"{row.commit[:12]}  {row.path or '-'}: {row.text} ({row.code})" for row in found]
    lines.append(
        f"{progress.done} commits in {time.monotonic() - began:.1f} s: "
        + (f"{len(found)}{' or more' if len(found) == limit else ''} problems" if found else "as gitmaild wrote them")
    )
    problems = [{"commit": row.commit, "path": row.path, "code": row.code, "text": row.text} for row in found]
    desk.answer({"success": not found, "commits": progress.done, "problems": problems}, "\n".join(lines))
    if found:
        fail(1, "this mailbox is not as gitmaild wrote it: git show each commit above; a clone may have what was lost")
        raise click.exceptions.Exit(1)


class _Progress:
    """Says on stderr how far a long walk is, every few seconds."""

    def __init__(self, began: float) -> None:
        self.done, self._next, self._said = 0, began + _QUIET, False

    def told(self, done: int, of: int) -> None:
        self.done = done
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _QUIET
            self._said = True
            sys.stderr.write(f"gitmaild: {done} of {of} commits\n")

    def end(self) -> None:
        if self._said:
            sys.stderr.write(f"gitmaild: {self.done} commits\n")
