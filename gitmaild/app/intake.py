"""One pass: claim, parse, plan, commit, mirror, let go.

The crash states (docs/INTERNALS.md): a file is *dropped* in an outbox, *claimed* in `.claimed/` under its command id,
*accepted* once a commit says that id, *done* once its claim is gone.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from gitmaild.app.claiming import Claiming, Work, envelope_of
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.ports import Batch, DeskRoot, Repo
from gitmaild.app.tending import TendBroken, Tending
from gitmaild.app.tip import Tip
from gitmaild.model import layout
from gitmaild.model.changeset import Changeset
from gitmaild.model.clock import Clock
from gitmaild.model.commands import Bypass, Envelope, File, Found, Release, Renew, Reserve, Retire
from gitmaild.model.errors import MailError, Refusal, Verdict
from gitmaild.model.names import OVERSEER, POSTMASTER
from gitmaild.model.settings import Settings
from gitmaild.rules.bypass import bypass
from gitmaild.rules.mailbox import Mailbox
from gitmaild.rules.plan import plan, refusal_note

# How often a pass is planned anew because somebody else moved the tip.
_RETRIES = 20


class Busy(MailError):
    """Another program holds the mailbox's branch, or keeps moving it."""

    code = "mailbox-busy"


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
        claiming: Claiming,
        tip: Tip,
        tending: Tending,
        *,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._repo, self._mirrors, self._clock, self._settings = repo, mirrors, clock, settings
        self.claiming, self.tip, self.tending = claiming, tip, tending
        self.accepted = 0
        self._refused: list[Wish] = []  # in this pass

    @property
    def roots(self) -> dict[str, DeskRoot]:
        """The desk roots that are here, by key."""
        return self.claiming.roots

    @property
    def seen(self) -> str:
        """The tip that the mirrors show."""
        return self.tip.seen

    @property
    def now(self) -> datetime:
        return self._clock.last

    # --- the pass

    def run(self, wishes: Iterable[Wish] = ()) -> int:
        """Take what is ready, and answer it; how many commands were answered.

        Raises OSError or `MailError` where the disk or the repository refuses: claims stay, and the next pass takes them
        again.
        """
        wishes = list(wishes)
        if old := self.claiming.outdated():
            self.tip.follow()  # what the mailbox has already keeps its id
            self.claiming.renew(old)
        self.claiming.claim()
        works = self.claiming.read()
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
            self.tip.follow()
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
        self.claiming.landed(works)
        self.tip.show(batch)
        self.accepted += len(batch.landed)

    def found(self, project: str) -> None:
        """Open a project in the mailbox, where it is not open yet."""
        self.tip.follow()
        if Mailbox(self._repo.tree(self.seen), project).exists():
            return
        batch = self._repo.batch(self.seen)
        command = Found(self._envelope(project, OVERSEER))
        change = plan(command, Mailbox(batch.tree, project), self._clock.now(), self._settings)
        assert isinstance(change, Changeset)
        batch.add(change)
        batch.land()
        self.tip.show(batch)

    def record(self, found: Iterable[Bypass]) -> None:
        """Record commits that went past the guard, where they touched what somebody else held. Raises as `run` does."""
        self.tip.follow()
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
        self.tip.show(batch)

    def envelope(self, project: str) -> Envelope:
        """For a command of the daemon's own."""
        return self._envelope(project, POSTMASTER)

    def _plan(self, works: list[Work], wishes: list[Wish]) -> Batch:
        """Every command planned on its predecessor's result, in one batch.

        Where our own code breaks on one of them, half a plan may stand in the batch: all are planned again without it.
        """
        while True:
            try:
                return self._planned(works, wishes)
            except Broken as broken:
                self.claiming.broke(broken.work)
                self._repo.discard()
            except TendBroken as broken:
                self.tending.give_up(broken)
                self._repo.discard()

    def _planned(self, works: list[Work], wishes: list[Wish]) -> Batch:
        self.tending.begin()
        self._waits: set[str] = set()
        batch = self._repo.batch(self.seen)
        mailboxes: dict[str, Mailbox] = {}

        def mailbox(project: str) -> Mailbox:
            return mailboxes.setdefault(project, self.tending.mailbox(batch.tree, project))

        tended = sorted(self.tending.overdue() | {name for work in works if (name := self._on_leases(work))})
        for project in tended:
            self.tending.tend(batch, mailbox(project), self.envelope)
        self._plan_works(works, batch, mailbox)
        self._plan_wishes(wishes, batch, mailbox)
        for project in sorted({*tended, *self._waits}):
            self.tending.tend(batch, mailbox(project), self.envelope)
        return batch

    def _on_leases(self, work: Work) -> str:
        """The project of a command that may change what leases can be had; '' for any other."""
        root = self.roots.get(work.claim.root)
        return root.project if root and isinstance(work.command, Reserve | Renew | Release | Retire) else ""

    def _note_waiting(self, planned: Changeset) -> None:
        """Remember the projects in which something waits for a time since this plan, or no longer."""
        paths = [*(put.path for put in planned.puts), *planned.drops]
        self._waits |= {path.partition("/")[0] for path in paths if layout.is_timed(path)}

    def _plan_works(self, works: list[Work], batch: Batch, mailbox: Callable[[str], Mailbox]) -> None:
        for work in works:
            work.landed = bool(self.claiming.committed(work))
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
                self._note_waiting(planned)

    def _plan_one(self, work: Work, batch: Batch, mailbox: Mailbox) -> None:
        now = self._clock.now()
        refusal = work.refusal
        if refusal is None and work.command is not None:
            planned = plan(work.command, mailbox, now, self._settings)
            if isinstance(planned, Changeset):
                batch.add(planned)
                self._note_waiting(planned)
                work.landed = True
                return
            refusal = work.refusal = planned
        if refusal is not None:
            note = refusal_note(refusal, envelope_of(work.claim, mailbox.project), work.file, mailbox, now)
            if note is not None:
                batch.add(note)
            work.landed = True

    def _let_go(self, work: Work) -> None:
        """Let a claim go as the mailbox has it, which may be from before a crash."""
        kind, root = self.claiming.committed(work), self.roots.get(work.claim.root)
        if kind not in ("", "refuse"):
            work.refusal = None  # accepted before a power cut that tore the claimed bytes; the commit has them
        elif kind and work.refusal is None and root is not None and not work.gone:
            work.refusal = self._replanned(work, root.project)
        self.claiming.let_go(work)

    def _replanned(self, work: Work, project: str) -> Refusal:
        """Why a refused command was refused, planned once more; the note in its sender's inbox has the words of the day."""
        if work.command is not None:
            again = plan(work.command, Mailbox(self._repo.tree(self.seen), project), self._clock.now(), self._settings)
            if isinstance(again, Refusal):
                return again
        return Refusal("refused", "the note from Postmaster in your inbox has the reason", "mend it and drop it again")

    def _envelope(self, project: str, agent: str) -> Envelope:
        return Envelope(self.claiming.mint(), project, agent)
