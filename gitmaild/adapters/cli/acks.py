"""acks: who has not answered for what."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, say_json

desk_of = click.make_pass_decorator(Desk)


@click.command()
@click.option("--pending", is_flag=True, help="All that are missing, which is the default.")
@click.option("--overdue", is_flag=True, help="Only those whose time (--ack-within) is over.")
@click.option("--mine", is_flag=True, help="Only what you owe.")
@click.option("--sent", is_flag=True, help="Only what others owe you.")
@desk_of
def acks(desk: Desk, *, pending: bool, overdue: bool, mine: bool, sent: bool) -> None:
    """List acknowledgements that were asked for and are missing: what you owe, and what others owe you.

    Who asks without being an agent sees everybody's. Where a message set a time, its recipients are reminded once when it is
    over, and its sender is told once.

    \b
    Examples:
      gitmaild acks --pending --mine
      gitmaild acks --overdue --sent --json
    """
    if pending and overdue:
        raise click.UsageError("--pending and --overdue exclude each other: what is overdue is pending too")
    rows = desk.ask("acks", {"mine": mine, "sent": sent, "overdue": overdue})
    if desk.as_json:
        say_json(rows)
    else:
        columns([_row(row) for row in rows])
        if not rows:
            desk.answer(None, "nothing is overdue" if overdue else "nothing is pending")


def _row(row: dict[str, object]) -> tuple[str, ...]:
    due = f"{'OVERDUE since' if row['overdue'] else 'due'} {str(row['due'])[:16].replace('T', ' ')}" if row["due"] else ""
    return (str(row["id"]), str(row["agent"]), str(row["state"]), due, f"from {row['from']}", str(row["subject"]) or "-")
