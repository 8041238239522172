"""One pass: claim, parse, plan, commit, mirror, let go.

The crash states (docs/INTERNALS.md): a file is *dropped* in an outbox, *claimed* in `.claimed/` under its command id,
*accepted* once a commit says that id, *done* once its claim is gone. A claim is let go only after the mirrors show its
answer, so whatever is cut short is found again by its claim.
"""

import errno
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import zip_longest

from gitmaild.app.alarms import Alarms
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.outboxes import Outboxes
from gitmaild.app.ports import Batch, DeskRoot, Repo
from gitmaild.app.tending import TendBroken, Tending
from gitmaild.model import drop
from gitmaild.model.changeset import Changeset, Landed
from gitmaild.model.clock import Clock
from gitmaild.model.commands import Attachment, Bypass, Command, Envelope, File, Found, Release, Renew, Reserve, Retire, Send
from gitmaild.model.drop import Claim, Dropped
from gitmaild.model.errors import MailError, Refusal, Refused, Verdict
from gitmaild.model.glob import LITERAL
from gitmaild.model.ids import digits, mint, stamp
from gitmaild.model.names import OVERSEER, POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.bypass import bypass
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.parse import parse
from gitmaild.rules.plan import plan, refusal_note
from gitmaild.rules.send import check_attachments

log = logging.getLogger("gitmaild.intake")

# A file that has broken the daemon this often is set aside.
TRIES = 3
# How often a pass is planned anew because somebody else moved the tip.
_RETRIES = 20


class Halted(MailError):
    """The mailbox's history was rewritten; nothing is accepted until a person has looked."""

    code = "history-rewritten"


class Busy(MailError):
    """Another program holds the mailbox's branch, or keeps moving it."""

    code = "mailbox-busy"


@dataclass(slots=True)
class Work:
    """One claim on its way through a pass."""

    claim: Claim
    dropped: Dropped | None = None
    command: Command | None = None
    refusal: Refusal | None = None
    landed: bool = False
    gone: bool = False

    @property
    def size(self) -> int:
        """Bytes that were read for it."""
        attached = self.command.files if isinstance(self.command, Send) else ()
        return (self.dropped.size if self.dropped else 0) + sum(len(file.data) for file in attached)


class Broken(Exception):
    """Our own code failed on one file: a bug, which must cost that file and not the post office."""

    def __init__(self, work: Work) -> None:
        super().__init__(work.claim.file)
        self.work = work


@dataclass(frozen=True, slots=True)
class Wish:
    """A message that its agent moved to `read/` or `acked/`: a command without a drop."""

    project: str
    agent: str
    folder: str
    message_id: str
    name: str  # of its file


class Intake:
    def __init__(
        self,
        repo: Repo,
        mirrors: Mirrors,
        outboxes: Outboxes,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        settings: Settings,
        alarms: Alarms,
        remember_tip: Callable[[str], None],
        tending: Tending,
        landed: Callable[[Sequence[Landed]], None],
        answered: Callable[[str, str, str], None] = lambda root, agent, name: None,
    ) -> None:
        """`landed` is told of commits once the mirrors show them, `answered` of a drop (root, agent, name) that is done."""
        self._repo, self._mirrors, self.outboxes = repo, mirrors, outboxes
        self._clock, self._entropy, self._settings, self._alarms = clock, entropy, settings, alarms
        self._remember_tip, self.tending, self._landed, self._answered = remember_tip, tending, landed, answered
        self.roots: dict[str, DeskRoot] = {}
        self.seen = ""  # the tip that the mirrors show
        self.taken: set[str] = set()  # ids in use today, without their prefix
        self.claims: dict[str, Claim] = {}  # claimed and not yet answered
        self.committed: dict[str, str] = {}  # claims that the mailbox has, and as what; still to be let go
        self.tries: dict[str, int] = {}
        self.accepted = 0
        self._refused: list[Wish] = []  # in this pass

    # --- the pass

    def run(self, wishes: Iterable[Wish] = ()) -> int:
        """Take what is ready, and answer it; how many commands were answered.

        Raises OSError or `MailError` where the disk or the repository refuses: claims stay, and the next pass takes them
        again.
        """
        wishes = list(wishes)
        self._renew()
        self._claim()
        works = self._read_some()
        if not works and not wishes and not self.tending.overdue():
            return 0
        self._land(works, wishes)
        for work in works:
            try:
                self._let_go(work)
            except (MailError, OSError) as error:
                self._mirrors.lose(work.claim.root, error)
        for wish in self._refused:
            self._mirrors.put_back(wish.project, wish.agent, wish.folder, wish.name)
        return sum(work.landed or work.gone for work in works) + len(wishes) - len(self._refused)

    def _land(self, works: list[Work], wishes: list[Wish]) -> None:
        """Plan, commit and show. From the moment that a batch has landed, its claims are `committed`: whatever fails
        afterwards, they are let go and never planned again."""
        stale = MailError()
        for _ in range(_RETRIES):
            self.follow_tip()
            try:
                batch = self._plan(works, wishes)
                batch.land()
                self.tending.landed()
                break
            except MailError as error:
                self._repo.discard()
                if error.verdict is not Verdict.TEMPORARY:
                    raise
                stale = error
            except OSError:
                self._repo.discard()
                raise
        else:
            raise Busy(
                f"another program is in the way, {_RETRIES} times in one pass: {stale}; mail waits and is tried again"
            )
        for work in works:
            if work.landed:
                # What an earlier commit says stands, whatever its claimed bytes look like now.
                self.committed.setdefault(work.claim.id, "refuse" if work.refusal else "accept")
        self._show(batch)
        self.accepted += len(batch.landed)

    def _show(self, batch: Batch) -> None:
        """Show what has landed. Only then is it seen: where showing fails, the next pass follows the tip to it."""
        if batch.landed:
            tip = batch.landed[-1].oid
            self._remember_tip(tip)
            self._mirrors.apply(batch.landed, batch.tree)
            self.seen = tip
            self._landed(batch.landed)

    def found(self, project: str) -> None:
        """Open a project in the mailbox, where it is not open yet."""
        self.follow_tip()
        if Mailbox(self._repo.tree(self.seen), project).exists():
            return
        batch = self._repo.batch(self.seen)
        command = Found(self._envelope(project, OVERSEER))
        change = plan(command, Mailbox(batch.tree, project), self._clock.now(), self._settings)
        assert isinstance(change, Changeset)
        batch.add(change)
        batch.land()
        self._show(batch)

    def record(self, found: Iterable[Bypass]) -> None:
        """Record commits that went past the guard, where they touched what somebody else held. Raises as `run` does."""
        self.follow_tip()
        batch = self._repo.batch(self.seen)
        try:
            for command in found:
                mailbox = self.tending.mailbox(batch.tree, command.envelope.project)
                if change := bypass(command, mailbox, self._clock.now()):
                    batch.add(change)
            batch.land()
        except BaseException:
            self._repo.discard()
            raise
        self._show(batch)

    def envelope(self, project: str) -> Envelope:
        """For a command of the daemon's own."""
        return self._envelope(project, POSTMASTER)

    def follow_tip(self) -> None:
        """Notice commits that somebody else made: show them where they follow ours, refuse to write where they do not."""
        tip = self._main()
        if tip == self.seen:
            self._alarms.clear(Halted.code)
            return
        if not self._repo.is_ancestor(self.seen, tip):
            raise Halted(
                f"history rewritten: main is at {tip[:12] or 'nothing'}, which does not descend from {self.seen[:12]}; "
                "put it back with git update-ref, or accept it with gitmaild rebuild"
            )
        log.info("followed-tip old=%s new=%s", self.seen[:12], tip[:12])
        self._repo.secure()
        commits = list(self._repo.commits(self.seen, tip))
        for commit in commits:
            # Ours after all, where the ref moved and the disk then failed.
            kind, _, command_id = commit.trailers.get("Command", "").partition(" ")
            if command_id in self.claims:
                self.committed[command_id] = kind
        self._mirrors.apply(commits, self._repo.tree(tip))
        self.seen = tip
        self._landed(commits)
        self._remember_tip(tip)
        self.tending.look(self._repo.tree(tip))

    def begin(self, last: str) -> None:
        """Go on from the tip that this home's last daemon knew."""
        self.seen = last
        tip = self._main()
        self.seen = last or tip

    def _main(self) -> str:
        """The tip. A ref that is broken or gone is not a new mailbox: it is put back to the last one known."""
        broken: MailError | None = None
        try:
            if (tip := self._repo.tip()) or not self._repo.has(self.seen):
                return tip
        except MailError as error:
            if not self._repo.has(self.seen):
                raise
            broken = error
        text = f"{broken or 'main was gone'}; put back to {self.seen[:12]}"
        log.error("restored-tip: %s", text)
        self._alarms.raise_("restored-tip", text, self.now)
        self._repo.set_tip(self.seen)
        return self.seen

    def accept_tip(self) -> None:
        """Take whatever main leads to as the truth, also where it does not follow what was seen."""
        self._repo.secure()
        self.seen = self._repo.tip()
        self._remember_tip(self.seen)

    # --- its steps

    def _renew(self) -> None:
        """Give claims of another day a fresh id: a message is looked for on the day of its id, and on the day after."""
        today = self._clock.now()
        days = [f"{today:%Y%m%d}", f"{today - timedelta(days=1):%Y%m%d}"]
        old = [claim for claim in self.claims.values() if digits(claim.id)[:8] not in days]
        if old:
            self.follow_tip()  # what the mailbox has already keeps its id
        for claim in old:
            root = self.roots.get(claim.root)
            if root is None or claim.id in self.committed:
                continue
            command_id = mint(today, self._entropy, self.taken)
            new = drop.claim(claim.root, claim.agent, command_id, claim.name)
            if root.reclaim(claim, new):
                self.taken.add(digits(command_id))
                del self.claims[claim.id]
                self.claims[new.id] = new

    def _claim(self) -> None:
        """Give every file that is ready an id, by one rename each."""
        room = self._settings.batch_files - len(self.claims)
        if room <= 0:
            return
        for root, agent, waiting in self.outboxes.take(self.roots, room, self._mirrors.lose):
            if root.key not in self.roots:
                continue  # lost a moment ago
            command_id = mint(self._clock.now(), self._entropy, self.taken)
            claim = drop.claim(root.key, agent, command_id, waiting.name)
            try:
                claimed = root.claim(claim, waiting.name)
            except (MailError, OSError) as error:
                self._mirrors.lose(root.key, error)
                continue
            if claimed:
                self.taken.add(command_id[4:])
                self.claims[claim.id] = claim

    def _read_some(self) -> list[Work]:
        """As many claims as one batch may hold. The rest is not even read: together they may be more than the memory."""
        works: list[Work] = []
        size = 0
        for claim in _in_turn(self.claims.values())[: self._settings.batch_files]:
            if size > self._settings.batch_bytes:
                break
            works.append(Work(claim))
            self._read(works[-1])
            size += works[-1].size
        return works

    def _read(self, work: Work) -> None:
        """Bytes to command or refusal; whatever is wrong with a file stays with that file."""
        claim, root = work.claim, self.roots.get(work.claim.root)
        if root is None:
            work.gone = True
            return
        envelope = self._envelope(root.project, claim.agent, claim)
        try:
            work.dropped = root.take(claim, self._settings.message_limit)
            envelope = replace(envelope, sha256=sha256(work.dropped.data).hexdigest())
            parsed = parse(work.dropped.data, envelope, self._settings, fenced=not claim.name.endswith(".yaml"))
            if isinstance(parsed, Refusal):
                work.refusal = parsed
            elif isinstance(parsed, Reserve):
                work.command = _looked_up(parsed, root)
            elif isinstance(parsed, Send) and parsed.attachments:
                work.command = replace(parsed, files=self._attachments(root, claim.agent, parsed.attachments))
            else:
                work.command = parsed
        except Refused as refused:
            work.refusal = refused.refusal
        except FileNotFoundError:
            work.gone = True
        except (MailError, OSError) as error:
            work.gone = True
            self._mirrors.lose(claim.root, error)
        except Exception:  # noqa: BLE001 - a bug must cost one file, not the post office
            self._broke(work)

    def _plan(self, works: list[Work], wishes: list[Wish]) -> Batch:
        """Every command planned on its predecessor's result, in one batch.

        Where our own code breaks on one of them, half a plan may stand in the batch: all are planned again without it.
        """
        while True:
            try:
                return self._planned(works, wishes)
            except Broken as broken:
                self._broke(broken.work)
                self._repo.discard()
            except TendBroken as broken:
                self.tending.give_up(broken)
                self._repo.discard()

    def _planned(self, works: list[Work], wishes: list[Wish]) -> Batch:
        self.tending.begin()
        batch = self._repo.batch(self.seen)
        mailboxes: dict[str, Mailbox] = {}

        def mailbox(project: str) -> Mailbox:
            return mailboxes.setdefault(project, self.tending.mailbox(batch.tree, project))

        tended = sorted(self.tending.overdue() | {name for work in works if (name := self._on_leases(work))})
        for project in tended:
            self.tending.tend(batch, mailbox(project), self.envelope)
        self._plan_works(works, batch, mailbox)
        self._plan_wishes(wishes, batch, mailbox)
        for project in tended:
            self.tending.tend(batch, mailbox(project), self.envelope)
        return batch

    def _on_leases(self, work: Work) -> str:
        """The project of a command that may change what leases can be had; '' for any other."""
        root = self.roots.get(work.claim.root)
        waits = isinstance(work.command, Send) and work.command.ack_within
        return root.project if root and (waits or isinstance(work.command, Reserve | Renew | Release | Retire)) else ""

    def _plan_works(self, works: list[Work], batch: Batch, mailbox: Callable[[str], Mailbox]) -> None:
        for work in works:
            work.landed = work.claim.id in self.committed
            root = self.roots.get(work.claim.root)
            if work.landed or root is None or work.gone or batch.size > self._settings.batch_bytes:
                continue
            try:
                self._plan_one(work, batch, mailbox(root.project))
            except (OSError, MailError):
                raise
            except Exception as error:
                raise Broken(work) from error

    def _plan_wishes(self, wishes: list[Wish], batch: Batch, mailbox: Callable[[str], Mailbox]) -> None:
        self._refused = []
        for wish in wishes:
            command = File(self._envelope(wish.project, wish.agent), wish.folder, (wish.message_id,))
            planned = plan(command, mailbox(wish.project), self._clock.now(), self._settings)
            if isinstance(planned, Refusal):
                self._refused.append(wish)
            elif planned.puts:
                batch.add(planned)

    def _plan_one(self, work: Work, batch: Batch, mailbox: Mailbox) -> None:
        now = self._clock.now()
        refusal = work.refusal
        if refusal is None and work.command is not None:
            planned = plan(work.command, mailbox, now, self._settings)
            if isinstance(planned, Changeset):
                batch.add(planned)
                work.landed = True
                return
            refusal = work.refusal = planned
        if refusal is not None:
            envelope = self._envelope(mailbox.project, work.claim.agent, work.claim)
            note = refusal_note(refusal, envelope, _shown(work.claim), mailbox, now)
            if note is not None:
                batch.add(note)
            work.landed = True

    def _let_go(self, work: Work) -> None:
        """Answered: a refused file to `rejected/`, an accepted one away."""
        claim, root = work.claim, self.roots.get(work.claim.root)
        if not work.landed and not work.gone:
            return
        if root is not None and not work.gone:
            if self.committed.get(claim.id, "refuse") != "refuse":
                work.refusal = None  # accepted before a power cut that tore the claimed bytes; the commit has them
            elif claim.id in self.committed and work.refusal is None:
                work.refusal = self._replanned(work, root.project)
            if work.refusal is not None:
                root.reject(claim, render.why(work.refusal, file=_shown(claim), at=stamp(self._clock.last)))
            elif not root.done(claim, work.dropped):
                root.reject(claim, render.why(_changed(), file=_shown(claim), at=stamp(self._clock.last)))
            if isinstance(work.command, Send) and work.refusal is None:
                for file in work.command.files:
                    root.attachment_done(claim.agent, file.name, file.data)
        self.claims.pop(claim.id, None)
        self.committed.pop(claim.id, None)
        self.tries.pop(claim.id, None)
        self._answered(claim.root, claim.agent, claim.name)

    def settle(self, accepted: dict[str, str]) -> None:
        """Note which claims the mailbox has already: command ids and their commits' kinds. The next pass lets them go."""
        self.committed |= {command_id: kind for command_id, kind in accepted.items() if command_id in self.claims}

    def _replanned(self, work: Work, project: str) -> Refusal:
        """Why a refused command was refused, planned once more; the note in its sender's inbox has the words of the day."""
        if work.command is not None:
            again = plan(work.command, Mailbox(self._repo.tree(self.seen), project), self._clock.now(), self._settings)
            if isinstance(again, Refusal):
                return again
        return Refusal("refused", "the note from Postmaster in your inbox has the reason", "mend it and drop it again")

    def _broke(self, work: Work) -> None:
        """A file on which our own code failed: tried again, and after the third time set aside for a person to see."""
        claim = work.claim
        self.tries[claim.id] = self.tries.get(claim.id, 0) + 1
        log.exception("bug claim=%s try=%d", claim.file, self.tries[claim.id])
        if self.tries[claim.id] >= TRIES:
            work.command, work.refusal = None, quarantined()
        else:
            work.gone, work.command = False, None

    def _attachments(self, root: DeskRoot, agent: str, names: tuple[str, ...]) -> tuple[Attachment, ...]:
        found: list[Attachment] = []
        for name in names:
            data = root.attachment(agent, name, self._settings.attachment_limit)
            found.append(Attachment(name, sha256(data).hexdigest(), data))
            # After each: all that a drop may name could be more than the memory.
            check_attachments(found, self._settings)
        return tuple(found)

    def _envelope(self, project: str, agent: str, claim: Claim | None = None) -> Envelope:
        if claim is not None:
            return Envelope(claim.id, project, agent, drop=claim.stem)
        command_id = mint(self._clock.now(), self._entropy, self.taken)
        self.taken.add(command_id[4:])
        return Envelope(command_id, project, agent)

    @property
    def now(self) -> datetime:
        return self._clock.last


def _looked_up(command: Reserve, root: DeskRoot) -> Reserve:
    """A request with what the worktree has of its paths as they stand."""
    kinds = {path: root.in_worktree(path.removeprefix(LITERAL)) for path in command.paths}
    existing = frozenset(path for path, kind in kinds.items() if kind)
    return replace(command, existing=existing, files=frozenset(path for path in existing if kinds[path] == "file"))


def _in_turn(claims: Iterable[Claim]) -> list[Claim]:
    """Claims of every desk in turn, each desk's in their order: who drops much, or large files, delays nobody else."""
    desks: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        desks.setdefault((claim.root, claim.agent), []).append(claim)
    return [claim for row in zip_longest(*desks.values()) for claim in row if claim]


def quarantined() -> Refusal:
    return Refusal(
        "quarantined",
        f"this file broke the post office {TRIES} times and was set aside",
        "send its words in a fresh file; the log has the error",
    )


def _changed() -> Refusal:
    return Refusal(
        "changed-after-taken",
        "the file changed after it was taken; what was taken has been accepted",
        "write to a name that starts with a dot, then rename it; drop the rest as another message",
    )


def _shown(claim: Claim) -> str:
    """A file's name as a person can read it, whatever bytes it was made of."""
    return "".join(c if c.isprintable() else "?" for c in claim.name)


def describe(error: OSError) -> tuple[str, str]:
    """(alarm, text) for a disk that refuses."""
    texts = {
        errno.ENOSPC: ("disk-full", "no space, or no free inodes"),
        errno.EDQUOT: ("disk-full", "the quota is used up"),
        errno.EROFS: ("read-only", "the file system is read-only"),
        errno.EIO: ("disk-error", "the disk reports an input/output error"),
        errno.EMFILE: ("too-many-files", "too many open files"),
        errno.ENFILE: ("too-many-files", "too many open files on this machine"),
    }
    key, text = texts.get(error.errno or 0, ("disk-refuses", error.strerror or str(error)))
    where = f" ({error.filename!r})" if error.filename else ""
    return key, f"{text}{where}; mail waits and is tried again"
