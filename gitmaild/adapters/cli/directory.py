"""role, group, queue, board, post: what stands for somebody else, or for all."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.mail import body_of, told
from gitmaild.adapters.cli.output import columns, fail, say, say_json
from gitmaild.adapters.client.rows import Row
from gitmaild.model.directory import GENERAL
from gitmaild.model.message import IMPORTANCE

desk_of = click.make_pass_decorator(Desk)

# --- roles


@click.group()
def role() -> None:
    """Roles: an address that one agent holds at a time. The Overseer binds them, and whom directory_editors names.

    \b
    Examples:
      gitmaild role bind Orchestrator GreenCastle --as Overseer
      gitmaild role list
    """


@role.command()
@click.argument("name", metavar="ROLE")
@click.argument("agent", required=False)
@click.option("--about", metavar="A", help="What the role is for.")
@click.option("--lease", metavar="S", help="For how long its holder reserves by default: 30m, 4h.")
@desk_of
def bind(desk: Desk, *, name: str, agent: str | None, about: str | None, lease: str | None) -> None:
    """Let AGENT hold ROLE. Who held it until now is in the history.

    \b
    Example:
      gitmaild role bind Orchestrator GreenCastle --about 'Hands out the work.' --as Overseer
    """
    _role(desk, desk.order("role_bind", {"role": name, "agent": agent, "about": about, "lease_seconds": lease}))


@role.command()
@click.argument("name", metavar="ROLE")
@desk_of
def unbind(desk: Desk, *, name: str) -> None:
    """Leave ROLE to nobody; mail to it bounces until somebody holds it.

    \b
    Example:
      gitmaild role unbind Orchestrator --as Overseer
    """
    _role(desk, desk.order("role_unbind", {"role": name}))


def _role(desk: Desk, answer: Row) -> None:
    desk.answer(answer, f"{answer.role}: {answer.agent or 'nobody'}")


@role.command("list")
@desk_of
def roles(desk: Desk) -> None:
    """Who holds which role.

    \b
    Example:
      gitmaild role list --json
    """
    rows = desk.ask("roles", {})
    if desk.as_json:
        say_json(rows)
    elif not rows:
        say("no roles yet: gitmaild role bind ROLE AGENT --as Overseer")
    else:
        columns([(row.role, row.agent or "nobody", row.about or "-") for row in rows])


# --- groups, queues, boards


@click.group()
def group() -> None:
    """Groups: an address whose members each get a copy. Members are agents, roles and groups. `everyone` is there always.

    \b
    Examples:
      gitmaild group set polecats RedCat BlueLake --as Overseer
      gitmaild send --to @polecats --subject 'Stop' <<< 'main is broken.'
    """


@group.command("set")
@click.argument("name")
@click.argument("members", nargs=-1, metavar="MEMBER...")
@click.option("--add", multiple=True, metavar="M", help="One more member; leaves the others.")
@click.option("--remove", multiple=True, metavar="M", help="One less.")
@click.option("--about", metavar="A", help="What it is for.")
@click.option("--lease", metavar="S", help="For how long its members reserve by default: 30m, 4h.")
@desk_of
def set_group(
    desk: Desk,
    *,
    name: str,
    members: tuple[str, ...],
    add: tuple[str, ...],
    remove: tuple[str, ...],
    about: str | None,
    lease: str | None,
) -> None:
    """Make the group NAME of these members, or change it.

    \b
    Examples:
      gitmaild group set polecats RedCat BlueLake --as Overseer
      gitmaild group set town @polecats Mayor --about 'all who work here' --as Overseer
      gitmaild group set polecats --add GreenCastle --as Overseer
    """
    _edit(
        desk, "group", name, {"members": members, "add": add, "remove": remove}, ("about", about), ("lease_seconds", lease)
    )


@click.group()
def queue() -> None:
    """Queues: each message goes to one member, the first to claim it.

    \b
    Examples:
      gitmaild queue set reviewers RedCat BlueLake --claim 30m --as Overseer
      gitmaild queue claim reviewers
      gitmaild ack msg_20261122_7b3dc3a7        # done with it
    """


@queue.command("set")
@click.argument("name")
@click.argument("members", nargs=-1, metavar="MEMBER...")
@click.option("--add", multiple=True, metavar="M", help="One more member; leaves the others.")
@click.option("--remove", multiple=True, metavar="M", help="One less.")
@click.option("--about", metavar="A", help="What it is for.")
@click.option("--claim", metavar="S", help="What is claimed goes back if it is not acknowledged in this time: 30m.")
@desk_of
def set_queue(
    desk: Desk,
    *,
    name: str,
    members: tuple[str, ...],
    add: tuple[str, ...],
    remove: tuple[str, ...],
    about: str | None,
    claim: str | None,
) -> None:
    """Make the queue NAME, or change it. Without members, anybody may claim.

    \b
    Example:
      gitmaild queue set reviewers RedCat BlueLake --claim 30m --as Overseer
    """
    _edit(
        desk, "queue", name, {"members": members, "add": add, "remove": remove}, ("about", about), ("claim_seconds", claim)
    )


@queue.command("claim")
@click.argument("name")
@click.argument("ids", nargs=-1, metavar="ID...")
@desk_of
def claim(desk: Desk, *, name: str, ids: tuple[str, ...]) -> None:
    """Take the oldest message of the queue NAME, or these. It comes to your inbox, and to nobody else's.

    Status 1 where nothing is left.

    \b
    Example:
      gitmaild queue claim reviewers
    """
    answer = desk.order("claim", {"queue": name, "ids": ids or None})
    taken = answer.ids
    desk.answer(answer, f"claimed until {answer.until}: {', '.join(taken)}" if taken else f"{name}: nothing there")
    if not taken:
        raise click.exceptions.Exit(1)


@queue.command("give-back")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@desk_of
def give_back(desk: Desk, *, ids: tuple[str, ...]) -> None:
    """Put messages that you have claimed back into their queue.

    \b
    Example:
      gitmaild queue give-back msg_20261122_7b3dc3a7
    """
    desk.answer(desk.order("give_back", {"ids": ids}), f"returned: {', '.join(ids)}")


@click.group()
def board() -> None:
    """Boards: what is posted is seen by all, and is in nobody's inbox. `general` is there always.

    \b
    Examples:
      gitmaild post --subject 'Release on Friday' <<< 'No merges after noon.'
      gitmaild board show general
    """


@board.command("set")
@click.argument("name")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="How many messages it shows. Default: 100.")
@click.option("--about", metavar="A", help="What it is for.")
@desk_of
def set_board(desk: Desk, *, name: str, keep: int | None, about: str | None) -> None:
    """Make the board NAME, or change it.

    \b
    Example:
      gitmaild board set releases --keep 20 --as Overseer
    """
    _edit(desk, "board", name, {}, ("about", about), ("keep", None if keep is None else str(keep)))


@board.command("show")
@click.argument("name", default=GENERAL)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@desk_of
def show_board(desk: Desk, *, name: str, limit: int) -> None:
    """What is posted on the board NAME, newest first.

    \b
    Example:
      gitmaild board show general --limit 5
    """
    _show(desk, "board", name, limit)


@queue.command("show")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@desk_of
def show_queue(desk: Desk, *, name: str, limit: int) -> None:
    """What lies in the queue NAME for somebody to claim, newest first.

    \b
    Example:
      gitmaild queue show reviewers
    """
    _show(desk, "queue", name, limit)


@click.command()
@click.option("--board", "name", default=GENERAL, show_default=True, metavar="B", help="The board.")
@click.option("--subject", "-s", default="", metavar="S", help="One line.")
@click.option("--thread", default="", metavar="T", help="The conversation, e.g. an issue id.")
@click.option("--importance", type=click.Choice(IMPORTANCE), default="normal", show_default=True)
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@desk_of
def post(desk: Desk, *, name: str, subject: str, thread: str, importance: str, file: str | None) -> None:
    """Post FILE, or standard input, on a board: seen by all, in nobody's inbox.

    \b
    Example:
      gitmaild post --board general --subject 'Release on Friday' <<< 'No merges after noon.'
    """
    if name not in [row.name for row in desk.ask("lists", {"kind": "board"})]:
        raise click.UsageError(f"no board {name!r}; see gitmaild board list")
    given = {"to": [name], "subject": subject, "importance": importance, "thread_id": thread, "body": body_of(file)}
    told(desk, desk.order("send", given))


def _edit(desk: Desk, kind: str, name: str, members: dict[str, tuple[str, ...]], *said: tuple[str, str | None]) -> None:
    given = {"name": name} | {key: names or None for key, names in members.items()} | dict(said)
    _listed(desk, desk.order(kind, given))


def _listed(desk: Desk, answer: Row) -> None:
    desk.answer(answer, f"{answer.status}: {answer.name} {', '.join(answer.members)}".rstrip())


def _lists(desk: Desk, kind: str) -> None:
    rows = desk.ask("lists", {"kind": kind})
    if desk.as_json:
        say_json(rows)
    elif not rows:
        say(f"no {kind}s yet: gitmaild {kind} set NAME --as Overseer")
    else:
        columns([_list_row(row) for row in rows])


def _list_row(row: Row) -> tuple[str, ...]:
    count = f"{row.messages} messages" if "messages" in row else ""
    return (row.name, count, ", ".join(row.members), row.about or "-")


def _show(desk: Desk, kind: str, name: str, limit: int) -> None:
    if name not in [row.name for row in desk.ask("lists", {"kind": kind})]:
        fail(1, f"no {kind} {name!r}; see gitmaild {kind} list")
        raise click.exceptions.Exit(1)
    rows = desk.ask("posted", {"kind": kind, "name": name, "limit": limit})
    if desk.as_json:
        say_json(rows)
        return
    for row in rows:
        say(f"-------- {row.id} · {row.created[:16].replace('T', ' ')} · {row.from_}")
        say(f"subject: {row.subject}\n\n{row.body.strip()}\n")
    if not rows:
        say("nothing there")


def _with_list_and_delete(below: click.Group, kind: str) -> None:
    """The two commands that groups, queues and boards have alike."""

    @below.command("list", help=f"All {kind}s.\n\n\b\nExample:\n  gitmaild {kind} list --json")
    @desk_of
    def list_(desk: Desk) -> None:
        _lists(desk, kind)

    @below.command("delete", help=f"Remove the {kind} NAME.\n\n\b\nExample:\n  gitmaild {kind} delete old --as Overseer")
    @click.argument("name")
    @desk_of
    def delete(desk: Desk, *, name: str) -> None:
        _listed(desk, desk.order(kind, {"name": name, "delete": True}))


for _below, _kind in ((group, "group"), (queue, "queue"), (board, "board")):
    _with_list_and_delete(_below, _kind)
