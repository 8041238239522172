"""Everything that agents, people and machines do to a post office, in any order.

The machine keeps only what was asked: which files were dropped, where, with which blind recipients. Whenever the office has
come to rest, git and the desks must agree with that and with each other. `HYPOTHESIS_PROFILE=soak` looks for longer.
"""

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from gitmaild import wiring
from gitmaild.edges.lock import Locked
from gitmaild.model import leaseview
from gitmaild.model.layout import FOLDERS, parse_file_name
from gitmaild.model.lease import ACTIVE, EXPIRED, RELEASED, Lease, Waiting, clash
from gitmaild.rules.holdings import meet, parse_lease, parse_waiting
from gitmaild.wiring.office import open_office
from tests.fakes import StillWatcher
from tests.fuse import Blown, Fuse
from tests.post import Post

AGENTS = ("GreenCastle", "RedCat", "BlueLake", "QuietOtter")
WORKTREES = ("shop", "shop-two")
SOAK = os.environ.get("HYPOTHESIS_PROFILE") == "soak"

agents = st.sampled_from(AGENTS)
worktrees = st.sampled_from(WORKTREES)
some = st.sets(agents, max_size=3)
paths = st.sets(st.sampled_from(["a", "b", "a/x", "*.py", "a/*.py", "{a,b}/**", "**/x", "c"]), min_size=1, max_size=3)
number = st.integers(0, 1000)
BAD = {
    "nobody": "---\nsubject: to whom?\n---\nhello\n",
    "unknown": "---\nto: NoBody, NoWhere\n---\nhello\n",
    "open": "---\nto: RedCat\nsubject: never closed\n",
    "forged": "---\nfrom: Overseer\nto: RedCat\n---\nhello\n",
    "kind": "---\nkind: dance\n---\n",
    "id": "---\nid: msg_20260101_00000000\nto: RedCat\n---\n",
    "reply": "---\nin_reply_to: msg_20260101_00000000\n---\n",
    "ids": "---\nkind: ack\nids: msg_99999999_99999999\n---\n",
    "attachment": "---\nto: RedCat\nattachments: nowhere.txt\n---\n",
    "text": "no front matter\n",
}

# What an agent says of whose mail it takes.
DOORS = {
    "open": "kind: contact-policy\npolicy: open\n",
    "auto": "kind: contact-policy\npolicy: auto\n",
    "contacts": "kind: contact-policy\npolicy: contacts_only\n",
    "block": "kind: contact-policy\npolicy: block_all\n",
    "ask": "kind: contact-request\nagent: OTHER\n",
    "approve": "kind: contact-approve\nagents: OTHER\n",
    "deny": "kind: contact-deny\nagents: OTHER\nreason: no\n",
    "quiet": "kind: dnd\nseconds: 600\n",
    "back": "kind: dnd\non: no\n",
}
LISTS = {
    "queue": "kind: queue\nname: reviews\nclaim_seconds: 300\n",
    "board": "kind: board\nname: general\nkeep: 2\n",
    "group": "kind: group\nname: cats\nadd: WHO\n",
    "less": "kind: group\nname: cats\nremove: WHO\n",
    "role": "kind: role-bind\nrole: Mayor\nagent: WHO\n",
    "none": "kind: role-unbind\nrole: Mayor\n",
    "gone": "kind: queue\nname: reviews\ndelete: yes\n",
}


@dataclass
class Drop:
    """A file that was put into an outbox, and who must not be seen in what becomes of it."""

    agent: str
    worktree: str
    name: str
    blind: frozenset[str] = frozenset()
    lost: bool = False  # its desk or worktree was taken away before it came to rest


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.top = Path(tempfile.mkdtemp(prefix="machine-"))
        self.post = Post(self.top)
        self.drops: list[Drop] = []
        self.count = 0
        self.state: dict[tuple[str, str], int] = {}
        self.subjects: dict[str, str] = {}
        self.ended: set[str] = set()
        self.queue: list[Waiting] = []
        self.queued: set[str] = set()  # files of messages that were in a queue when the office was at rest

    def teardown(self) -> None:
        try:
            self.comes_to_rest()
        finally:
            self.post.stop()
            shutil.rmtree(self.top)

    @initialize()
    def begins(self) -> None:
        self.post.agents(*AGENTS)
        self.post.settle()

    # --- agents

    def _put(self, agent: str, worktree: str, text: str | bytes, blind: frozenset[str] = frozenset()) -> None:
        self.count += 1
        name = f"d{self.count}.md"
        if self._here(worktree).is_dir():
            self.post.drop_text(agent, text, name=name, worktree=self._here(worktree))
            self.drops.append(Drop(agent, worktree, name, blind))

    @rule(agent=agents, worktree=worktrees, to=some, cc=some, bcc=some, thread=st.integers(0, 3), ack=st.booleans())
    def writes(self, agent: str, worktree: str, to: set[str], cc: set[str], bcc: set[str], thread: int, ack: bool) -> None:
        blind = bcc - to - cc - {agent}
        fields = {"to": to, "cc": cc, "bcc": bcc}
        lines = "".join(f"{key}: {', '.join(sorted(names))}\n" for key, names in fields.items() if names)
        lines += f"thread_id: br-{thread}\n" if thread else ""
        lines += "ack_required: yes\n" if ack else ""
        self._put(agent, worktree, f"---\n{lines}subject: number {self.count}\n---\nhello\n", frozenset(blind))

    @rule(agent=agents, worktree=worktrees)
    def writes_to_everyone(self, agent: str, worktree: str) -> None:
        self._put(agent, worktree, f"---\nto: everyone, NoBody\nimportance: urgent\nsubject: all {self.count}\n---\n")

    @rule(agent=agents, worktree=worktrees, kind=st.sampled_from(sorted(BAD)))
    def makes_a_mistake(self, agent: str, worktree: str, kind: str) -> None:
        self._put(agent, worktree, BAD[kind])

    @rule(agent=agents, worktree=worktrees, request=st.integers(0, 2), to=agents, blind=agents, more=st.booleans())
    def asks_again(self, agent: str, worktree: str, request: int, to: str, blind: str, more: bool) -> None:
        text = f"---\nrequest_id: r{request}\nto: {to}\nbcc: {blind}\nsubject: asked\n---\n{'more' if more else ''}\n"
        self._put(agent, worktree, text, frozenset({blind} - {to, agent}))

    @rule(agent=agents, worktree=worktrees, which=number)
    def replies(self, agent: str, worktree: str, which: int) -> None:
        if name := self._message(agent, "shop", which)[1]:
            parts = parse_file_name(name)
            assert parts is not None
            self._put(agent, worktree, f"---\nin_reply_to: msg_{self._day(name)}_{parts.hex}\n---\nYes.\n")

    @rule(agent=agents, worktree=worktrees, which=number, kind=st.sampled_from(["read", "ack"]))
    def files_by_a_drop(self, agent: str, worktree: str, which: int, kind: str) -> None:
        if name := self._message(agent, "shop", which)[1]:
            self._put(
                agent, worktree, f"---\nkind: {kind}\nids: msg_{self._day(name)}_{name[:-3].rpartition('_')[2]}\n---\n"
            )

    @rule(agent=agents, worktree=worktrees, which=number, to=st.sampled_from(FOLDERS), copies=st.booleans())
    def files_by_moving(self, agent: str, worktree: str, which: int, to: str, copies: bool) -> None:
        """Forward and backward."""
        folder, name = self._message(agent, worktree, which)
        target = self.post.desk(agent, self._here(worktree)) / to
        if name and target.is_dir():
            source = target.parent / folder / name
            if copies and folder != to:
                shutil.copy(source, target / name)
            else:
                source.rename(target / name)

    @rule(agent=agents, other=agents, which=number, to=st.sampled_from(FOLDERS))
    def puts_mail_on_anothers_desk(self, agent: str, other: str, which: int, to: str) -> None:
        folder, name = self._message(agent, "shop", which)
        target = self.post.desk(other) / to
        if name and target.is_dir() and agent != other and not (target / name).exists():
            (self.post.desk(agent) / folder / name).rename(target / name)

    @rule(agent=agents, worktree=worktrees, which=number)
    def deletes_mail(self, agent: str, worktree: str, which: int) -> None:
        folder, name = self._message(agent, worktree, which)
        if name:
            (self.post.desk(agent, self._here(worktree)) / folder / name).unlink()

    @rule(agent=agents, worktree=worktrees, which=number)
    def edits_mail(self, agent: str, worktree: str, which: int) -> None:
        """As an editor does, and at rest the edit is kept beside what was written."""
        folder, name = self._message(agent, worktree, which)
        if not name:
            return
        self.comes_to_rest()
        desk = self.post.desk(agent, self._here(worktree))
        for folder in FOLDERS:
            if (path := desk / folder / name).is_file():
                whole, edit = path.read_bytes(), f"edited {self.count}\n".encode()
                path.unlink()
                path.write_bytes(edit)
                self._audit()
                assert path.read_bytes() == whole
                assert path.with_name(f"{name}.orig").read_bytes() == edit

    @rule(agent=agents, worktree=worktrees, again=st.booleans())
    def takes_a_desk_away(self, agent: str, worktree: str, again: bool) -> None:
        desk = self.post.desk(agent, self._here(worktree))
        if desk.is_dir():
            shutil.rmtree(desk)
            self._lose(worktree, agent)
        if again and self._here(worktree).is_dir():
            (desk / "outbox").mkdir(parents=True)

    @rule(agent=agents, back=st.booleans())
    def retires_or_comes_back(self, agent: str, back: bool) -> None:
        self._put(agent, "shop", f"---\nkind: {'register' if back else 'retire'}\n---\n")

    @rule(
        agent=agents,
        worktree=worktrees,
        paths=paths,
        exclusive=st.booleans(),
        atomic=st.booleans(),
        ttl=st.sampled_from([5, 600, 86_400]),
        wait=st.sampled_from([0, 500, 86_400]),
    )
    def reserves(
        self, agent: str, worktree: str, paths: set[str], exclusive: bool, atomic: bool, ttl: int, wait: int
    ) -> None:
        more = f"exclusive: {'yes' if exclusive else 'no'}\natomic: {'yes' if atomic else 'no'}\nttl_seconds: {ttl}\n"
        items = "".join(f"- {path}\n" for path in sorted(paths))
        self._put(agent, worktree, f"---\nkind: reserve\n{more}wait_seconds: {wait}\npaths:\n{items}---\n")

    @rule(
        agent=agents, worktree=worktrees, kind=st.sampled_from(["renew", "release"]), path=st.sampled_from(["", "a", "*.py"])
    )
    def renews_or_releases(self, agent: str, worktree: str, kind: str, path: str) -> None:
        self._put(agent, worktree, f"---\nkind: {kind}\n{f'paths: {path}' if path else ''}\n---\n")

    @rule(path=st.sampled_from(["a", "*.py", "c"]))
    def are_ended_by_force(self, path: str) -> None:
        self._oversee(f"kind: release\npaths: {path}\nreason: enough\n")

    @rule(agent=agents, worktree=worktrees, other=agents, what=st.sampled_from(sorted(DOORS)))
    def speaks_of_its_door(self, agent: str, worktree: str, other: str, what: str) -> None:
        self._put(agent, worktree, f"---\n{DOORS[what].replace('OTHER', other)}---\n")

    @rule(agent=agents, worktree=worktrees, to=st.sampled_from(["reviews", "general", "cats", "Mayor"]), blind=agents)
    def writes_to_what_stands_for_others(self, agent: str, worktree: str, to: str, blind: str) -> None:
        text = f"---\nto: {to}\nbcc: {blind}\nsubject: listed {self.count}\nthread_id: br-9\n---\nhello\n"
        # A blind copy of somebody in the group is no secret; nor is what a queue's claimer does.
        self._put(agent, worktree, text)

    @rule(agent=agents, worktree=worktrees)
    def claims_from_the_queue(self, agent: str, worktree: str) -> None:
        self._put(agent, worktree, "---\nkind: claim\nqueue: reviews\n---\n")

    @rule(agent=agents, worktree=worktrees, which=number)
    def gives_back(self, agent: str, worktree: str, which: int) -> None:
        if name := self._message(agent, "shop", which)[1]:
            text = f"---\nkind: give-back\nids: msg_{self._day(name)}_{name[:-3].rpartition('_')[2]}\n---\n"
            self._put(agent, worktree, text)

    @rule(who=agents, what=st.sampled_from(sorted(LISTS)))
    def says_who_stands_for_whom(self, who: str, what: str) -> None:
        self._oversee(LISTS[what].replace("WHO", who))

    def _oversee(self, lines: str) -> None:
        home = self.post.home.post / "shop" / "agents" / "Overseer" / "outbox"
        if home.is_dir():
            self.count += 1
            (home / f".d{self.count}.md").write_text(f"---\n{lines}---\n")
            (home / f".d{self.count}.md").rename(home / f"d{self.count}.md")

    # --- people and their machines

    @rule()
    def adds_the_second_worktree_or_takes_it_away(self) -> None:
        there, away = self.top / "shop-two", self.top / "away"
        if there.is_dir():
            there.rename(away)
        elif away.is_dir():
            away.rename(there)
        else:
            self.post.add_worktree("shop-two")
            (self.post.desk("RedCat", there) / "outbox").mkdir(parents=True)

    @precondition(lambda self: (self.top / "away").is_dir())
    @rule()
    def loses_the_second_worktree(self) -> None:
        shutil.rmtree(self.top / "away")
        self._lose("shop-two")
        (self.top / "shop-two" / ".gitmaild").mkdir(parents=True)

    @rule(to=agents, seconds=st.integers(0, 86_400))
    def writes_with_plain_git(self, to: str, seconds: int) -> None:
        if (self.post.home.mailbox / "refs/heads/main.lock").exists():
            return  # git waits for its owner, and so do we
        self.count += 1
        at = f"20251231T{seconds // 3600 % 24:02}{seconds // 60 % 60:02}{seconds % 60:02}.000000Z"
        number, hour = f"{self.count:08x}", f"2025/12/31/{at[9:11]}"
        created = f"{at[:4]}-{at[4:6]}-{at[6:11]}:{at[11:13]}:{at[13:15]}.000000Z"
        text = (
            f"---\nid: msg_20251231_{number}\nthread_id: br-1\nfrom: BlueLake\nto: [{to}]\ncreated: {created}\n"
            "importance: normal\nack_required: false\nsubject: by hand\n---\nhello\n"
        )
        copy = f"shop/agents/{to}/inbox/{hour}/{at}_normal_BlueLake_by-hand_{number}.md"
        self.post.foreign({copy: text, f"shop/messages/{hour}/msg_20251231_{number}.md": text})

    @rule()
    def repacks(self) -> None:
        self.post.git("repack", "-d", "--geometric=2", "--quiet")

    @rule(days=st.sampled_from([-30, -1, 1, 30]), minutes=st.integers(-10, 10))
    def sets_the_clock(self, days: int, minutes: int) -> None:
        self.post.clock.jump(days * 86_400 + minutes * 60)

    @rule()
    def asks_for_a_rebuild(self) -> None:
        (self.post.home.state / "rebuild").touch()

    # --- the daemon

    @rule(seconds=st.sampled_from([0.1, 1, 5, 100]))
    def goes_round(self, seconds: float) -> None:
        self.post.turn(seconds)

    @rule()
    def is_stopped(self) -> None:
        self.post.stop()

    @rule()
    def is_killed(self) -> None:
        self.post.crash()

    @rule(at=st.integers(0, 150))
    def is_killed_on_its_round(self, at: int) -> None:
        with Fuse(at).in_place() as fuse:
            try:
                self.post.turn()
            except Blown:
                assert fuse.blown
            died = fuse.blown
        if died:
            self.post.crash()

    @rule(
        at=st.integers(0, 100),
        what=st.sampled_from([errno.ENOSPC, errno.EIO, errno.EMFILE]),
        length=st.sampled_from([1, 3, 500]),
    )
    def is_refused_by_the_disk(self, at: int, what: int, length: int) -> None:
        office = self.post.start()
        with Fuse(at, what, length).in_place():
            self.post.turn()
        assert self.post.office is office

    @rule()
    def meets_another_daemon(self) -> None:
        self.post.start()
        with pytest.raises(Locked):
            open_office(self.post.home, {}, limits=self.post.limits, watcher=StillWatcher())

    # --- what must be so

    @rule()
    def comes_to_rest(self) -> None:
        post = self.post
        if (self.top / "away").is_dir():
            self.adds_the_second_worktree_or_takes_it_away()
        post.turn(400)
        post.settle()
        self._audit()
        assert [alarm for alarm in post.alarms() if alarm not in ("clock", "clock-leapt", "restored-tip")] == []
        self._check_fates()
        self._check_states()
        self._check_blind()
        self._check_leases()
        self._check_doors()
        post.check_exactly_once()
        post.check_nothing_left()
        post.fsck()
        self._let_what_is_due_pass()
        post.check_mirrors()
        self._check_leases()
        if SOAK:  # three processes of git for each of a thousand mailboxes
            assert [f for f in wiring.open_records(post.home).verify() if f.code != "foreign"] == []

    def _check_fates(self) -> None:
        answered = {}
        for subject, trailers, _ in self.post.commits():
            if "Drop" in trailers:
                key = trailers["From"], trailers["Drop"]
                assert key not in answered or key[1] == "join", f"{key} was answered twice: {answered[key]}, {subject}"
                answered[key] = subject
        for drop in self.drops:
            desk, stem = self.post.desk(drop.agent, self._here(drop.worktree)), drop.name.removesuffix(".md")
            sent = [p.name for p in (desk / "sent").glob(f"{stem}.*.md")]
            rejected = [p.name for p in (desk / "rejected").glob(f"{stem}.*")]
            accepted = (drop.agent, stem) in answered
            if not drop.lost:
                assert (len(sent), sorted(rejected)) == ((1, []) if accepted else (0, [drop.name, f"{drop.name}.why.md"]))
            elif desk.is_dir():
                assert len(sent) == (1 if accepted else 0)

    def _check_states(self) -> None:
        """A copy in git only ever advances, and is gone only where it went back into its queue."""
        now = {}
        tree = self.post.tree()
        queued = {path.rpartition("/")[2] for path in tree if path.startswith(("shop/queues/", "shop/claims/"))}
        queued |= self.queued
        self.queued = queued
        for path in tree:
            parts = path.split("/")
            if len(parts) > 4 and parts[1] == "agents" and parts[3] in FOLDERS:
                now[parts[2], parts[-1]] = FOLDERS.index(parts[3])
        assert [copy for copy, state in self.state.items() if now.get(copy, -1) < state and copy[1] not in queued] == []
        self.state = now

    def _check_blind(self) -> None:
        """Nobody who was written to blindly stands anywhere in the commit, the message, or its page."""
        blind = {(drop.agent, drop.name.removesuffix(".md")): drop.blind for drop in self.drops}
        tree = {path.rpartition("/")[2]: oid for path, oid in self.post.tree().items() if "/messages/" in path}
        pages = [p.read_text() for p in (self._here("shop") / ".gitmaild/threads").glob("*.md")]
        for subject, trailers, body in self.post.commits():
            names = blind.get((trailers.get("From", ""), trailers.get("Drop", "")), frozenset())
            said = f"{subject}\n{trailers}\n{body}"
            if message := trailers.get("Message-Id"):
                said += self.post.blob(tree[f"{message}.md"]).decode()
                said += "".join(
                    line for page in pages for line in page.splitlines() if line.startswith(f"-------- {message} ")
                )
            assert [name for name in names if name in said] == []

    def _check_doors(self) -> None:
        """What waits at a door is a message of the mailbox, and lies in no folder of whom it waits for."""
        tree = list(self.post.tree())
        copies = {(p.split("/")[2], p[:-3].rpartition("_")[2]) for p in tree if "/inbox/" in p or "/read/" in p}
        known = {path[:-3].rpartition("_")[2] for path in tree if path.startswith("shop/messages/")}
        waiting = [path[:-5].split("_")[-2:] for path in tree if path.startswith("shop/held/")]
        assert [one for one in waiting if one[1] not in known or tuple(one) in copies] == []

    def _check_leases(self) -> None:
        """One holder at a time, each lease in one place, fences that grow, views that say so, a queue that is fair."""
        tree = self.post.tree()
        held = [lease for path, oid in tree.items() if path.startswith("shop/leases/") and (lease := self._lease(path, oid))]
        ended = [
            lease
            for path, oid in tree.items()
            if path.startswith("shop/leases-ended/") and (lease := self._lease(path, oid))
        ]
        assert {lease.state for lease in held} <= {ACTIVE} and {lease.state for lease in ended} <= {RELEASED, EXPIRED}
        ids = [lease.id for lease in (*held, *ended)]
        assert len(ids) == len(set(ids)) == sum(path.startswith(("shop/leases/", "shop/leases-ended/")) for path in tree)
        before, self.ended = self.ended, {lease.id for lease in ended}
        assert before <= self.ended, "a lease came back"
        fences = [lease.fence for lease in sorted((*held, *ended), key=lambda lease: (lease.granted, lease.fence))]
        assert fences == sorted(set(fences))
        for number, one in enumerate(held):
            for other in held[:number]:
                apart = one.holder == other.holder or not clash(one.exclusive, other.exclusive)
                assert apart or meet(one.thing, other.thing) is None, f"{one} and {other}"
        view = (self.post.home.state / "leases" / "shop").read_bytes()
        assert {row.lease_id for row in leaseview.parse(view).rows} == {lease.id for lease in held}
        for root in self.post._worktrees():
            if (root / "README.md").exists():
                assert (root / "leases" / ".view").read_bytes() == view
                assert {path.stem for path in (root / "leases").glob("lease_*")} == {lease.id for lease in held}
        self._check_queue(tree, held)

    def _check_queue(self, tree: dict[str, str], held: list[Lease]) -> None:
        """Nobody waits for what is free, and nobody was overtaken since the last look."""
        before, prefix = self.queue, "shop/lease-queue/"
        found = (parse_waiting(p[len(prefix) : -5], self.post.blob(oid)) for p, oid in tree.items() if p.startswith(prefix))
        self.queue = [request for request in found if request]
        for number, request in enumerate(self.queue):
            ahead = [(r.agent, r.exclusive, thing) for r in self.queue[:number] for thing in r.things]
            ahead += [(lease.holder, lease.exclusive, lease.thing) for lease in held]
            others = [
                thing for agent, exclusive, thing in ahead if agent != request.agent and clash(exclusive, request.exclusive)
            ]
            assert any(meet(mine, thing) is not None for mine in request.things for thing in others), f"free: {request}"
        left = {request.number for request in self.queue}
        granted = {
            body.partition("request: ")[2].partition("\n")[0]
            for _, trailers, body in self.post.commits()
            if "grant " in trailers.get("Command", "")
        }
        for number, late in enumerate(before):
            for early in before[:number]:
                same = early.agent != late.agent and clash(early.exclusive, late.exclusive)
                if same and early.number in left and late.command_id in granted:
                    assert all(meet(a, b) is None for a in early.things for b in late.things), f"{late} before {early}"

    def _lease(self, path: str, oid: str) -> Lease | None:
        return parse_lease(Path(path).stem, self.post.blob(oid))

    def _let_what_is_due_pass(self) -> None:
        """A fresh daemon knows of no leap of the clock; and nothing must end between two looks that are compared."""
        self.post.stop()
        self.post.settle()
        while (intake := self.post.start().daemon.intake).tending.seconds_left() < 10:
            # Where the clock was set back, the post office's time stands still until the wall's has caught up.
            behind = (intake.now - self.post.clock.now).total_seconds()
            self.post.settle(max(behind, 0.0) + 10)

    # --- inside

    def _here(self, worktree: str) -> Path:
        """A worktree, wherever it is now."""
        away = self.top / "away"
        return away if worktree == "shop-two" and away.is_dir() else self.top / worktree

    def _lose(self, worktree: str, agent: str = "") -> None:
        for drop in self.drops:
            if drop.worktree == worktree and agent in ("", drop.agent):
                drop.lost = True

    def _audit(self) -> None:
        """Two audits, as a minute apart: what is missing in one of them may be on its way."""
        for _ in range(2):
            daemon = self.post.start().daemon
            daemon.filing.audit(daemon.intake.seen, force=True)
            self.post.turn()

    def _message(self, agent: str, worktree: str, which: int) -> tuple[str, str]:
        """(folder, file name) of one of an agent's messages; empty where it has none."""
        desk = self.post.desk(agent, self._here(worktree))
        found = [(f, n) for f in FOLDERS if (desk / f).is_dir() for n in sorted(os.listdir(desk / f)) if parse_file_name(n)]
        return found[which % len(found)] if found else ("", "")

    def _day(self, name: str) -> str:
        return name[:8]


def test_a_post_office_keeps_its_promises_whatever_happens_in_whatever_order() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=150 if SOAK else 25, stateful_step_count=40 if SOAK else 25)
    )
