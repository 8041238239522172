"""contact, dnd: whose mail one takes, and when."""

import click

from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, say, say_json
from gitmaild.model.contact import POLICIES

desk_of = click.make_pass_decorator(Desk)


@click.group()
def contact() -> None:
    """Say whose mail you take. Within a project all do, unless somebody asks for less.

    \b
    Examples:
      gitmaild contact policy contacts_only
      gitmaild contact list
      gitmaild contact approve RedCat
      gitmaild contact request RedCat@shop-web --reason 'The API changes on Monday.'
    """


@contact.command()
@click.argument("policy", required=False, type=click.Choice(POLICIES))
@desk_of
def policy(desk: Desk, *, policy: str | None) -> None:
    """Show your policy, or set it.

    open: anybody of the project writes to you. auto: who shares a thread or overlapping leases with you, or exchanged mail
    with you lately. contacts_only: whom you have approved. block_all: nobody new. Answers to you always pass.

    \b
    Example:
      gitmaild contact policy auto
    """
    if policy is None:
        row = desk.ask("contacts", {})
        desk.answer({"policy": row.policy}, row.policy)
        return
    desk.answer(desk.order("contact_policy", {"policy": policy}), f"policy: {policy}")


@contact.command()
@click.argument("agent")
@click.option("--reason", default="", metavar="R", help="Why. One line.")
@desk_of
def request(desk: Desk, *, agent: str, reason: str) -> None:
    """Ask AGENT to take your mail.

    \b
    Example:
      gitmaild contact request RedCat@shop-web --reason 'br-123'
    """
    answer = desk.order("contact_request", {"agent": agent, "reason": reason})
    desk.answer(answer, f"{answer.status}: {agent}")


@contact.command()
@click.argument("agents", nargs=-1, required=True, metavar="AGENT...")
@desk_of
def approve(desk: Desk, *, agents: tuple[str, ...]) -> None:
    """Take mail from AGENT from now on. What was held comes in.

    \b
    Example:
      gitmaild contact approve RedCat GreenCastle@shop
    """
    answer = desk.order("contact_approve", {"agents": agents})
    told = f"; {len(answer.delivered)} delivered" if answer.delivered else ""
    desk.answer(answer, f"approved: {', '.join(agents)}{told}")


@contact.command()
@click.argument("agents", nargs=-1, required=True, metavar="AGENT...")
@click.option("--reason", default="", metavar="R", help="What the sender is told.")
@desk_of
def deny(desk: Desk, *, agents: tuple[str, ...], reason: str) -> None:
    """Take no mail from AGENT. What was held goes back.

    \b
    Example:
      gitmaild contact deny RedCat --reason 'Ask BlueLake instead.'
    """
    answer = desk.order("contact_deny", {"agents": agents, "reason": reason})
    told = f"; {answer.sent_back} sent back" if answer.sent_back else ""
    desk.answer(answer, f"denied: {', '.join(agents)}{told}")


@contact.command("list")
@desk_of
def list_(desk: Desk) -> None:
    """Your policy, what you have said of whom, and the mail that waits for you to agree.

    \b
    Example:
      gitmaild contact list --json
    """
    row = desk.ask("contacts", {})
    if desk.as_json:
        say_json(row)
        return
    say(f"policy: {row.policy}" + (f"; not to be disturbed until {row.dnd_until}" if row.dnd_until else ""))
    if row.contacts:
        columns([(said.agent, said.state, said.at[:16], said.reason or "-") for said in row.contacts])
    if row.held:
        say("held:")
        columns([(one.from_, one.id, f"until {one.until[:16]}", one.subject or "-") for one in row.held])


@click.command()
@click.argument("state", type=click.Choice(("on", "off")))
@click.option("--for", "span", default="", metavar="S", help="For how long: 30m, 2h. Default: as long as may be, a day.")
@desk_of
def dnd(desk: Desk, *, state: str, span: str) -> None:
    """Do not disturb: all mail but urgent waits, and comes when it is over.

    \b
    Examples:
      gitmaild dnd on --for 2h
      gitmaild dnd off
    """
    answer = desk.order("dnd", {"on": state == "on", "seconds": span or None})
    desk.answer(answer, f"do not disturb: {state}" + (f" until {answer.until}" if state == "on" else ""))
