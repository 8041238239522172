"""contact, dnd, role, group, queue, board, post, handoff: through the command line, answers and exit statuses."""

from pathlib import Path

import pytest

from tests.adapters.runner import Terminal
from tests.adapters.test_cli_office import somebody_serves


@pytest.fixture
def shop(terminal: Terminal) -> Terminal:
    for name in ("GreenCastle", "RedCat", "BlueLake"):
        terminal.ok("register", name)
    return terminal


def send(shop: Terminal, sender: str, to: str, *more: str) -> dict[str, object]:
    answer: dict[str, object] = shop.ok(
        "send", "--as", sender, "--to", to, "--subject", "lunch?", *more, "--json", stdin="At noon.\n"
    ).json
    return answer


def test_a_stranger_is_held_until_approved_and_then_delivered_once(shop: Terminal) -> None:
    """Rows 84 and 86."""
    assert shop.ok("contact", "policy", "--as", "RedCat").out == "open\n"
    shop.ok("contact", "policy", "contacts_only", "--as", "RedCat")
    sent = send(shop, "GreenCastle", "RedCat")
    assert (sent["status"], sent["recipients"]) == ("held", [{"name": "RedCat", "state": "held"}])
    listed = shop.ok("contact", "list", "--as", "RedCat", "--json").json
    assert listed["policy"] == "contacts_only"
    assert [(one["from"], one["id"], one["because"], one["subject"]) for one in listed["held"]] == [
        ("GreenCastle", sent["id"], "policy", "lunch?")
    ]
    said = shop.ok("contact", "approve", "GreenCastle", "--as", "RedCat", "--json").json
    assert (said["status"], said["delivered"]) == ("approved", [sent["id"]])
    assert [mail["id"] for mail in shop.ok("inbox", "--as", "RedCat", "--json").json if mail["from"] == "GreenCastle"] == [
        sent["id"]
    ]
    assert send(shop, "GreenCastle", "RedCat")["status"] == "delivered"


def test_block_all_bounces_and_denial_sends_back(shop: Terminal) -> None:
    """Row 85."""
    shop.ok("contact", "policy", "block_all", "--as", "RedCat")
    said = shop("send", "--as", "GreenCastle", "--to", "RedCat", stdin="x\n")
    assert (said.status, "recipient blocks new contacts" in said.err) == (65, True)
    shop.ok("contact", "policy", "contacts_only", "--as", "BlueLake")
    send(shop, "GreenCastle", "BlueLake")
    assert shop.ok("contact", "deny", "GreenCastle", "--reason", "busy", "--as", "BlueLake").out == (
        "denied: GreenCastle; 1 sent back\n"
    )
    assert "not delivered to BlueLake: lunch?" in shop.ok("inbox", "--as", "GreenCastle").out


def test_without_enforcement_all_is_open_and_status_says_so(shop: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 87."""
    shop.ok("contact", "policy", "block_all", "--as", "RedCat")
    assert "WARNING" not in shop.ok("status").out
    monkeypatch.setenv("CONTACT_ENFORCEMENT_ENABLED", "false")
    assert send(shop, "GreenCastle", "RedCat")["status"] == "delivered"
    assert "WARNING   contacts are not enforced" in shop.ok("status").out


def test_asking_first(shop: Terminal) -> None:
    shop.ok("contact", "policy", "contacts_only", "--as", "RedCat")
    assert shop.ok("contact", "request", "RedCat", "--reason", "br-1", "--as", "GreenCastle").out == "requested: RedCat\n"
    assert "GreenCastle asks to write to you" in shop.ok("inbox", "--as", "RedCat").out
    assert shop("contact", "request", "RedCatt", "--as", "GreenCastle").status == 65


def test_do_not_disturb(shop: Terminal) -> None:
    shop.ok("dnd", "on", "--for", "2h", "--as", "RedCat")
    assert send(shop, "GreenCastle", "RedCat")["status"] == "held"
    assert send(shop, "GreenCastle", "RedCat", "--importance", "urgent")["status"] == "delivered"
    assert shop.ok("dnd", "off", "--as", "RedCat").out == "do not disturb: off\n"
    assert len(shop.ok("inbox", "--as", "RedCat", "--json").json) == 2


def test_a_role_is_bound_by_the_overseer_and_shows_both_names(shop: Terminal) -> None:
    """Row 9."""
    assert shop("role", "bind", "Orchestrator", "GreenCastle", "--as", "RedCat").status == 65
    assert shop.ok("role", "bind", "Orchestrator", "GreenCastle", "--as", "Overseer").out == "Orchestrator: GreenCastle\n"
    send(shop, "RedCat", "Orchestrator")
    (mail,) = shop.ok("inbox", "--as", "GreenCastle", "--json").json
    assert mail["to"] == ["Orchestrator"]
    assert (
        "roles: [Orchestrator=GreenCastle]"
        in (shop.here / ".gitmaild/agents/GreenCastle/inbox" / mail["path"].rsplit("/", 1)[-1]).read_text()
    )
    assert shop.ok("role", "list", "--json").json[0]["agent"] == "GreenCastle"
    shop.ok("role", "unbind", "Orchestrator", "--as", "Overseer")
    assert shop("send", "--as", "RedCat", "--to", "Orchestrator", stdin="x\n").status == 65


def test_an_inbox_is_sifted_by_who_wrote_also_by_role_and_group(shop: Terminal) -> None:
    """Row 216."""
    shop.ok("role", "bind", "Mayor", "GreenCastle", "--as", "Overseer")
    shop.ok("role", "bind", "Deacon", "RedCat", "--as", "Overseer")
    shop.ok("group", "set", "dogs", "BlueLake", "--as", "Overseer")
    for sender in ("RedCat", "BlueLake", "Overseer"):
        send(shop, sender, "Mayor")

    def senders(*options: str) -> list[str]:
        return [mail["from"] for mail in shop.ok("inbox", "--as", "GreenCastle", *options, "--json").json]

    assert senders() == ["Overseer", "BlueLake", "RedCat"]
    assert senders("--from", "Deacon") == senders("--from", "RedCat@shop") == ["RedCat"]
    assert senders("--from", "Deacon,@dogs") == senders("--from", "everyone") == ["BlueLake", "RedCat"]
    assert senders("--from", "Overseer", "--from", "Postmaster") == ["Overseer"]
    assert senders("--from", "RedCat@shop-web") == []
    wrong = shop("inbox", "--as", "GreenCastle", "--from", "Deecon")
    assert (wrong.status, "did you mean Deacon?" in wrong.err) == (65, True)


def test_a_group_a_queue_and_a_board(shop: Terminal) -> None:
    """Rows 113, 224, 297, 298."""
    shop.ok("group", "set", "polecats", "RedCat", "BlueLake", "--as", "Overseer")
    assert [row["name"] for row in send(shop, "GreenCastle", "@polecats")["recipients"]] == ["BlueLake", "RedCat"]  # type: ignore[union-attr,attr-defined]
    assert shop("group", "set", "polecats", "--add", "polecats", "--as", "Overseer").status == 65
    shop.ok("queue", "set", "reviewers", "--claim", "30m", "--as", "Overseer")
    sent = send(shop, "GreenCastle", "reviewers")
    assert shop.ok("queue", "show", "reviewers", "--json").json[0]["id"] == sent["id"]
    assert shop.ok("queue", "claim", "reviewers", "--as", "RedCat", "--json").json["ids"] == [sent["id"]]
    assert shop("queue", "claim", "reviewers", "--as", "BlueLake").status == 1
    assert shop.ok("queue", "list", "--json").json[0]["taken"][0]["agent"] == "RedCat"
    shop.ok("queue", "give-back", str(sent["id"]), "--as", "RedCat")
    assert shop.ok("queue", "list", "--json").json[0]["messages"] == 1
    shop.ok("post", "--as", "GreenCastle", "--subject", "Release on Friday", stdin="No merges after noon.\n")
    assert "Release on Friday" in shop.ok("board", "show").out
    assert "Release on Friday" not in shop.ok("inbox", "--as", "RedCat").out
    assert shop("board", "show", "nothing").status == 1


def test_a_hand_off_is_read_back_and_its_status_steers_a_loop(shop: Terminal) -> None:
    """Rows 226, 228 and 230."""
    assert shop("handoff", "--last", "--as", "RedCat").status == 1
    assert shop("handoff", "--as", "RedCat").status == 65
    shop.ok("handoff", "--completed", "the parser, all of it", "--next", "its tests", "--as", "RedCat")
    assert shop("handoff", "--completed", "the rest", "--done", "--as", "RedCat").status == 10
    last = shop.ok("handoff", "--last", "--as", "RedCat").out
    assert "the rest" in last
    assert "the parser" not in last
    shop.ok("send", "--as", "Overseer", "--to", "RedCat", "--subject", "[STOP] enough", stdin="Thank you.\n")
    assert shop("handoff", "--completed", "a bit", "--as", "RedCat").status == 11
    shop.ok(
        "ack",
        next(m["id"] for m in shop.ok("inbox", "--as", "RedCat", "--json").json if m["from"] == "Overseer"),
        "--as",
        "RedCat",
    )
    assert shop("handoff", "--completed", "a bit", "--as", "RedCat").status == 0


def test_a_hand_off_that_nobody_has_taken_yet_is_the_newest(shop: Terminal, home: Path) -> None:
    """Row 232."""
    shop.ok("handoff", "--completed", "the parser", "--as", "RedCat")
    with somebody_serves(home):
        assert shop("handoff", "--completed", "its tests", "--iteration", "2", "--as", "RedCat").status == 3
        shop("send", "--as", "RedCat", "--to", "RedCat", "--thread", "continuity", "-s", "a note", stdin="no hand-off\n")
        shop("handoff", "--completed", "elsewhere", "--thread", "br-9", "--as", "RedCat")
        (queued,) = shop.ok("handoff", "--last", "--as", "RedCat", "--json").json
        assert (queued["id"], queued["state"], queued["subject"]) == (
            "",
            "queued",
            "[HANDOFF] Iteration 2: completed: its tests",
        )
        assert "## Completed\n\n- its tests\n" in queued["body"]
        said = shop.ok("handoff", "--last", "--as", "RedCat").out
        assert said.startswith("-------- queued, not delivered yet · ")
    shop.ok("serve", "--once")
    (last,) = shop.ok("handoff", "--last", "--as", "RedCat", "--json").json
    assert (last["state"], last["subject"]) == ("inbox", queued["subject"])
    assert last["id"].startswith("msg_")


def test_a_hand_off_that_was_taken_and_not_committed_is_the_newest_too(shop: Terminal, home: Path) -> None:
    shop.ok("handoff", "--completed", "the parser", "--as", "RedCat")
    with somebody_serves(home):
        file = shop("handoff", "--completed", "its tests", "--as", "RedCat", "--json").json["file"]
        outbox = shop.here / ".gitmaild/agents/RedCat/outbox"
        (outbox / ".claimed").mkdir(exist_ok=True)
        (outbox / file).rename(outbox / ".claimed" / f"cmd_20260101_0000000a.{file}")
        assert "its tests" in shop.ok("handoff", "--last", "--as", "RedCat").out
    shop.ok("serve", "--once")
    assert [mail["subject"] for mail in shop.ok("inbox", "--thread", "continuity", "--as", "RedCat", "--json").json] == [
        "[HANDOFF] completed: its tests",
        "[HANDOFF] completed: the parser",
    ]


def test_lists_may_be_deleted_by_the_overseer(shop: Terminal) -> None:
    for kind in ("group", "queue", "board"):
        shop.ok(kind, "set", "old", "--as", "Overseer")
        assert shop("queue" if kind == "group" else "group", "set", "old", "--as", "Overseer").status == 65
        assert shop.ok(kind, "delete", "old", "--as", "Overseer").out == "deleted: old\n"
        assert "old" not in shop.ok(kind, "list").out
