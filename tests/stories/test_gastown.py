"""Gas Town on gitmaild: its roles from a preset, their mail, their queues and their leases; and all of them at once."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from gitmaild.model.settings import Settings
from gitmaild.rules import preset as rules
from gitmaild.wiring import presets
from tests.adapters.conftest import bare_terminal, home, terminal
from tests.adapters.runner import Terminal
from tests.post import Post

__all__ = ["bare_terminal", "home", "terminal"]

OFFICES = {"Mayor": "TownMayor", "Deacon": "TownDeacon", "Refinery": "RigRefinery"}
KINDS = {"dogs": ("BootDog", "FetchDog"), "polecats": ("RustPolecat", "ChromePolecat"), "crew": ("JoeCrew", "MaxCrew")}
AGENTS = [*OFFICES.values(), *(name for names in KINDS.values() for name in names)]

Town = Callable[[str], Terminal]


@pytest.fixture
def town(terminal: Terminal) -> Town:
    """Gas Town as one of the presets reads it, everybody at their desks."""

    def found(reading: str) -> Terminal:
        terminal.join(*AGENTS)
        bindings = OFFICES | {kind: ",".join(names) for kind, names in KINDS.items()}
        if reading == "gastown-docs":
            terminal.join("RigWitness")
            bindings["Witness"] = "RigWitness"
        terminal.ok("preset", "apply", reading, *(f"--bind={name}={agents}" for name, agents in bindings.items()))
        return terminal

    return found


def inbox(town: Terminal, agent: str, *options: str) -> list[str]:
    """`Sender: subject`, oldest first."""
    rows = town.ok("--as", agent, "inbox", *options, "--json").json
    return [f"{row['from']}: {row['subject']}" for row in reversed(rows)]


def claim(town: Terminal, agent: str, queue: str) -> list[str]:
    said = town("--as", agent, "queue", "claim", queue, "--json")
    ids: list[str] = said.json.get("ids", [])
    assert said.status == (0 if ids else 1 if said.json["status"] == "empty" else 65)
    return ids


def term(town: Terminal, agent: str, path: str, *options: str) -> int:
    """For how long a lease is that an agent takes without saying so."""
    lease = town.ok("--as", agent, "reserve", path, *options, "--json").json["granted"][0]["id"]
    seconds: int = yaml.safe_load((town.here / ".gitmaild" / "leases" / f"{lease}.yaml").read_text())["ttl_seconds"]
    return seconds


# --- the reading of the survey


def test_the_mayor_has_status_from_every_role_and_sees_whose_it_is(town: Town) -> None:
    """Row 216."""
    shop = town("gastown-seed")
    senders = ["TownDeacon", "RigRefinery", "BootDog", "RustPolecat", "JoeCrew", "Overseer"]
    for sender in senders:
        shop.mail(sender, "--to", "Mayor", "--subject", "[STATUS] all is well")
    assert inbox(shop, "TownMayor", "--tag", "STATUS") == [f"{sender}: [STATUS] all is well" for sender in senders]
    for role, sender in (("Deacon", "TownDeacon"), ("@dogs", "BootDog"), ("crew", "JoeCrew")):
        assert inbox(shop, "TownMayor", "--from", role) == [f"{sender}: [STATUS] all is well"]
    newest = shop.ok("--as", "TownMayor", "inbox", "--limit", "1", "--json").json[0]
    assert "roles: [Mayor=TownMayor]\n" in Path(newest["path"]).read_text()
    # A successor gets what comes from now on; what was there stays where it is.
    shop.ok("preset", "apply", "gastown-seed", "--bind", "Mayor=MaxCrew")
    shop.mail("BootDog", "--to", "Mayor", "--subject", "[STATUS] still well")
    assert inbox(shop, "MaxCrew") == ["BootDog: [STATUS] still well"]
    assert len(inbox(shop, "TownMayor")) == len(senders)


def test_the_deacons_alert_stands_out_from_all_other_mail(town: Town) -> None:
    """Row 217."""
    shop = town("gastown-seed")
    shop.mail("RigRefinery", "--to", "@polecats", "--subject", "epic-1 is coming")
    shop.mail("TownDeacon", "--to", "@polecats", "--importance", "high", "--subject", "[ALERT] main is broken")
    shop.mail("TownDeacon", "--to", "@polecats", "--subject", "patrol done")
    for polecat in KINDS["polecats"]:
        assert inbox(shop, polecat, "--min", "high") == ["TownDeacon: [ALERT] main is broken"]
        names = [path.name for path in (shop.here / ".gitmaild" / "agents" / polecat / "inbox").iterdir()]
        assert sum("_high_TownDeacon_alert-main-is-broken_" in name for name in names) == 1
    assert inbox(shop, "BootDog") == []


def test_dogs_take_work_from_the_gate_and_report_in_its_thread(town: Town) -> None:
    """Row 218."""
    shop = town("gastown-seed")
    for number in range(1, 6):
        shop.mail("RustPolecat", "--to", "quality-gate", "--thread", "gate-br-7", "--subject", f"check part {number}")
    assert claim(shop, "RustPolecat", "quality-gate") == []
    taken = {dog: [claim(shop, dog, "quality-gate") for _ in range(2)] for dog in KINDS["dogs"]}
    every = [message for dog in taken for [message] in taken[dog]]
    assert len(set(every)) == 4
    reports = {}
    for dog, found in taken.items():
        for [message] in found:
            said = shop.ok("--as", dog, "reply", message, "--json", stdin="Result: pass\nTests: 41\n\nAll green.\n").json
            reports[said["id"]] = dog
            shop.ok("--as", dog, "ack", message)
    thread = shop.ok("thread", "gate-br-7", "--json").json
    assert len(thread) == 5 + len(reports)
    told = {row["id"]: (row["from"], row["facts"]["Result"], row["in_reply_to"] in every) for row in thread[5:]}
    assert told == {message: (dog, "pass", True) for message, dog in reports.items()}
    assert len(inbox(shop, "RustPolecat", "--thread", "gate-br-7")) == 4
    (queue,) = (row for row in shop.ok("queue", "list", "--json").json if row["name"] == "quality-gate")
    assert (queue["messages"], queue["taken"]) == (1, [])


def test_the_refinery_announces_the_parts_of_a_task_and_each_goes_to_one_worker(town: Town) -> None:
    """Row 219."""
    shop = town("gastown-seed")
    parts = [
        shop.mail("RigRefinery", "--to", "tasks", "--thread", "epic-1", "--subject", f"[epic-1] part {number}", body=f"Files: src/{number}\n")
        for number in range(1, 4)
    ]  # fmt: skip
    assert claim(shop, "BootDog", "tasks") == []
    assert [claim(shop, worker, "tasks") for worker in ("RustPolecat", "JoeCrew", "ChromePolecat", "MaxCrew")] == [
        *([part] for part in parts),
        [],
    ]
    shop.ok("--as", "JoeCrew", "queue", "give-back", parts[1])
    assert claim(shop, "MaxCrew", "tasks") == [parts[1]]
    assert [row["facts"] for row in shop.ok("thread", "epic-1", "--json").json] == [
        {"Files": f"src/{number}"} for number in range(1, 4)
    ]


def test_a_broadcast_is_one_copy_for_each_who_is_meant(town: Town) -> None:
    """Row 224."""
    shop = town("gastown-seed")
    shop.mail("TownMayor", "--to", "@polecats,RustPolecat", "--cc", "@town", "--subject", "stop")
    got = {agent: inbox(shop, agent) for agent in [*AGENTS, "Overseer"]}
    assert got == {agent: [] if agent in ("TownMayor", "Overseer") else ["TownMayor: stop"] for agent in got}
    said = shop.ok("--as", "RustPolecat", "send", "--to", "@polecats", "-s", "x", "--json", stdin="x\n").json
    assert [row["name"] for row in said["recipients"]] == ["ChromePolecat"]


# --- leases by default, in both readings


@pytest.mark.parametrize(
    ("reading", "polecat", "crew", "mayor"),
    [("gastown-seed", 8 * 3600, 15 * 60, 3600), ("gastown-docs", 3600, 8 * 3600, 3600)],
)
def test_leases_are_as_long_as_the_preset_says_until_it_says_otherwise(
    town: Town, reading: str, polecat: int, crew: int, mayor: int
) -> None:
    """Rows 220 and 221, and row 22 of the contradictions: both readings are presets."""
    shop = town(reading)
    assert term(shop, "RustPolecat", "src/a") == polecat
    assert term(shop, "JoeCrew", "src/b") == crew
    assert term(shop, "TownMayor", "src/c") == mayor
    assert term(shop, "JoeCrew", "src/d", "--ttl", "5m") == 300
    text = shop.ok("preset", "show", reading).out
    before, _, after = text.partition("name: crew\n")
    (shop.here / "mine.yaml").write_text(before + "name: crew\n" + after.replace("lease_seconds: ", "lease_seconds: 7", 1))
    said = shop.ok("preset", "apply", "mine.yaml", "--json").json
    (change,) = (row["changes"] for row in said["entries"] if row["changes"])
    changed = int(change[0].rpartition(" ")[2])
    assert change == [f"lease_seconds: {crew} -> {changed}"]
    assert (term(shop, "JoeCrew", "src/e"), term(shop, "MaxCrew", "src/f")) == (changed, changed)
    assert term(shop, "RustPolecat", "src/g") == polecat
    held = {row["pattern"]: row["expires"] for row in shop.ok("leases", "--json").json if row["holder"] == "JoeCrew"}
    assert held["src/b"] < held["src/e"]


# --- the reading of the town's own documents


def test_a_branch_goes_through_the_merge_queue_in_one_thread(town: Town) -> None:
    """Row 219: MERGE_READY, MERGE_FAILED, REWORK_REQUEST and MERGED, with their particulars."""
    shop = town("gastown-docs")
    branch = "Branch: polecat/rust\nIssue: gp-abc\nPolecat: RustPolecat\n"

    def says(sender: str, to: str, what: str, more: str = "") -> str:
        subject = f"[{what}] RustPolecat"
        return shop.mail(sender, "--to", to, "--thread", "gp-abc", "--subject", subject, body=branch + more)

    says("RustPolecat", "Witness", "POLECAT_DONE", "Exit: MERGED\n")
    assert inbox(shop, "RigWitness", "--tag", "POLECAT_DONE") == ["RustPolecat: [POLECAT_DONE] RustPolecat"]
    ready = says("RigWitness", "merge-queue", "MERGE_READY", "Verified: clean git state, issue closed\n")
    other = shop.mail("RigWitness", "--to", "merge-queue", "--thread", "gp-def", "--subject", "[MERGE_READY] ChromePolecat")
    assert [claim(shop, agent, "merge-queue") for agent in ("RustPolecat", "TownMayor", "JoeCrew")] == [[], [], []]
    assert claim(shop, "RigRefinery", "merge-queue") == [ready]
    says("RigRefinery", "Witness", "MERGE_FAILED", "Failure-Type: tests\nError: test_dates: 1 failed\n\nSee the log.\n")
    says(
        "RigRefinery",
        "Witness",
        "REWORK_REQUEST",
        "Conflict-Files: src/a.py, src/b.py\n\nPlease rebase:\n\n  git fetch origin\n",
    )
    shop.ok("--as", "RigRefinery", "ack", ready)
    again = says("RigWitness", "merge-queue", "MERGE_READY", "Verified: clean git state, issue closed\n")
    assert [claim(shop, "RigRefinery", "merge-queue") for _ in range(3)] == [[other], [again], []]
    says("RigRefinery", "Witness", "MERGED", "Target: main\nMerge-Commit: 2f9c1e0\n")
    shop.ok("--as", "RigRefinery", "ack", again)
    thread = shop.ok("thread", "gp-abc", "--json").json
    assert [(row["from"], row["tags"][0]) for row in thread] == [
        ("RustPolecat", "POLECAT_DONE"),
        ("RigWitness", "MERGE_READY"),
        ("RigRefinery", "MERGE_FAILED"),
        ("RigRefinery", "REWORK_REQUEST"),
        ("RigWitness", "MERGE_READY"),
        ("RigRefinery", "MERGED"),
    ]
    common = {"Branch": "polecat/rust", "Issue": "gp-abc", "Polecat": "RustPolecat"}
    assert all(row["facts"].items() >= common.items() for row in thread)
    assert thread[2]["facts"] == common | {"Failure-Type": "tests", "Error": "test_dates: 1 failed"}
    assert thread[3]["facts"] == common | {"Conflict-Files": "src/a.py, src/b.py"}
    assert thread[5]["facts"] == common | {"Target": "main", "Merge-Commit": "2f9c1e0"}
    assert inbox(shop, "RigWitness", "--from", "Refinery", "--thread", "gp-abc")[-1] == "RigRefinery: [MERGED] RustPolecat"
    (queue,) = (row for row in shop.ok("queue", "list", "--json").json if row["name"] == "merge-queue")
    assert [taken["id"] for taken in queue["taken"]] == [other]


# --- all at once

EIGHT = {
    "Mayor": "TownMayor",
    "Deacon": "TownDeacon",
    "Witness": "RigWitness",
    "Refinery": "RigRefinery",
    "dogs": "BootDog",
    "polecats": "RustPolecat",
    "crew": "JoeCrew",
    "Overseer": "Overseer",
}
EACH = 125


def _address(sender: str, number: int) -> str:
    """Whom the n-th mail of a sender is for: roles, groups, agents and all, in turn."""
    others = [name for name, agent in EIGHT.items() if agent != sender]
    turn = [*others, *(EIGHT[name] for name in others), "@polecats, Mayor", "@town", "everyone"]
    return turn[number % len(turn)]


def _meant(sender: str, to: str) -> set[str]:
    """Who gets it. By a group nobody writes to oneself, by name one may."""
    all_of_them = set(EIGHT.values()) - {"Overseer"}
    found: set[str] = set()
    for name in (word.strip().removeprefix("@") for word in to.split(",")):
        agents = all_of_them if name in ("town", "everyone") else {EIGHT.get(name, name)}
        found |= agents - {sender} if name.islower() else agents
    return found


class Square:
    """Eight desks, driven by files alone."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.desks = {agent: post.desk(agent) for agent in EIGHT.values()}
        self.desks["Overseer"] = post.home.post / "shop" / "agents" / "Overseer"

    def drop(self, agent: str, name: str, lines: str, body: str = "") -> None:
        outbox = self.desks[agent] / "outbox"
        (outbox / f".{name}").write_text(f"---\n{lines}---\n{body}")
        (outbox / f".{name}").rename(outbox / name)

    def apply(self, reading: str) -> None:
        """What `preset apply` does, by files."""
        path = presets.shipped()[reading]
        found = rules.read(path.read_bytes(), path.name, Settings())
        bound = rules.bind(found, {name: (agent,) for name, agent in EIGHT.items() if name != "Overseer"})
        for number, entry in enumerate(bound.entries):
            kind, lines = rules.drop(entry)
            self.drop("Overseer", f"preset-{number:02d}.md", f"kind: {kind}\n{lines}")
            self.post.turn()

    def write(self, sender: str) -> None:
        for number in range(EACH):
            lines = f"to: {_address(sender, number)}\nsubject: {sender} {number}\nthread_id: gp-{number % 20}\n"
            self.drop(sender, f"mail-{number:03d}.md", lines, "x\n")

    def got(self) -> Counter[tuple[str, str]]:
        """(agent, subject) of every copy in every inbox."""
        files = [(agent, file) for agent, desk in self.desks.items() for file in (desk / "inbox").glob("*.md")]
        return Counter((agent, yaml.safe_load(file.read_text().split("---\n")[1])["subject"]) for agent, file in files)


def test_eight_roles_at_once_exchange_a_thousand_mails_and_none_is_lost(post: Post) -> None:
    """Row 223. Eight threads drop files while the daemon goes round; the preset, too, came as files."""
    post.agents(*(name for name in EIGHT.values() if name != "Overseer"))
    square = Square(post)
    square.apply("gastown-docs")
    threads = [threading.Thread(target=square.write, args=(sender,)) for sender in EIGHT.values()]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        post.turn(0.01)
    for thread in threads:
        thread.join()
    post.settle()
    expected = Counter(
        (agent, f"{sender} {number}")
        for sender in EIGHT.values()
        for number in range(EACH)
        for agent in _meant(sender, _address(sender, number))
    )
    assert square.got() == expected
    assert sum(subject.startswith("deliver: ") for subject in post.log()) == len(EIGHT) * EACH == 1000
    assert [agent for agent, desk in square.desks.items() if list(desk.glob("rejected/*"))] == []
    post.check_exactly_once()
    post.check_nothing_left()
