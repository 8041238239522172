"""contact, dnd: whose mail one takes, and when."""

import click

from gitmaild import wiring
from gitmaild.adapters.cli.desk import Desk
from gitmaild.adapters.cli.output import columns, say, say_json
from gitmaild.model.contact import POLICIES
from gitmaild.rules import frontmatter

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
        row = wiring.open_people(desk.home, desk.environment).door(desk.project.slug, desk.agent, wiring.wall_clock())
        desk.answer({"policy": row["policy"]}, str(row["policy"]))
        return
    receipt = desk.submit("contact-policy", frontmatter.write([("policy", policy)]))
    desk.answer({"success": True, "status": receipt.text("status"), "policy": policy}, f"policy: {policy}")


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
    receipt = desk.submit("contact-request", frontmatter.write([("agent", agent), ("reason", reason)]))
    status = receipt.text("status")
    desk.answer({"success": True, "status": status, "agent": agent}, f"{status}: {agent}")


@contact.command()
@click.argument("agents", nargs=-1, required=True, metavar="AGENT...")
@desk_of
def approve(desk: Desk, *, agents: tuple[str, ...]) -> None:
    """Take mail from AGENT from now on. What was held comes in.

    \b
    Example:
      gitmaild contact approve RedCat GreenCastle@shop
    """
    _said(desk, "contact-approve", agents, "")


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
    _said(desk, "contact-deny", agents, reason)


def _said(desk: Desk, kind: str, agents: tuple[str, ...], reason: str) -> None:
    fields: list[tuple[str, frontmatter.Written]] = [("agents", agents)]
    fields += [("reason", reason)] if reason else []
    receipt = desk.submit(kind, frontmatter.write(fields))
    delivered, back = list(receipt.items("delivered")), int(receipt.text("sent_back") or 0)
    value = {"success": True, "status": receipt.text("status"), "agents": list(agents)}
    told = f"; {len(delivered)} delivered" if delivered else f"; {back} sent back" if back else ""
    desk.answer(value | {"delivered": delivered, "sent_back": back}, f"{value['status']}: {', '.join(agents)}{told}")


@contact.command("list")
@desk_of
def list_(desk: Desk) -> None:
    """Your policy, what you have said of whom, and the mail that waits for you to agree.

    \b
    Example:
      gitmaild contact list --json
    """
    row = wiring.open_people(desk.home, desk.environment).door(desk.project.slug, desk.agent, wiring.wall_clock())
    if desk.as_json:
        say_json(row)
        return
    say(f"policy: {row['policy']}" + (f"; not to be disturbed until {row['dnd_until']}" if row["dnd_until"] else ""))
    said, waits = _rows(row["contacts"]), _rows(row["held"])
    if said:
        columns([(str(r["agent"]), str(r["state"]), str(r["at"])[:16], str(r["reason"]) or "-") for r in said])
    if waits:
        say("held:")
        columns([(str(r["from"]), str(r["id"]), f"until {str(r['until'])[:16]}", str(r["subject"]) or "-") for r in waits])


def _rows(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


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
    fields: list[tuple[str, frontmatter.Written]] = [("on", state == "on")]
    fields += [("seconds", span)] if span and state == "on" else []
    receipt = desk.submit("dnd", frontmatter.write(fields))
    value = {"success": True, "status": receipt.text("status"), "until": receipt.text("until")}
    desk.answer(value, f"do not disturb: {state}" + (f" until {value['until']}" if state == "on" else ""))
