"""Taking what agents drop: by a rename to a command id, as bytes, as a command; and letting it go once it is answered.

A claim is a file in `.claimed/`. It is let go only after the mirrors show its answer, so whatever is cut short is found
again by its claim.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from itertools import zip_longest

from gitmaild.app.mirrors import Mirrors
from gitmaild.app.outboxes import Outboxes
from gitmaild.app.ports import DeskRoot
from gitmaild.model import drop
from gitmaild.model.changeset import Landed
from gitmaild.model.clock import Clock
from gitmaild.model.commands import Attachment, Command, Envelope, Reserve, Send
from gitmaild.model.drop import Claim, Dropped
from gitmaild.model.errors import MailError, Refusal, Refused
from gitmaild.model.glob import LITERAL
from gitmaild.model.ids import digits, mint, stamp
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.commit import printable
from gitmaild.rules.parse import parse
from gitmaild.rules.send import check_attachments

log = logging.getLogger("gitmaild.claiming")

# A file that has broken the daemon this often is set aside.
TRIES = 3


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

    @property
    def file(self) -> str:
        """Its file's name, for people."""
        return printable(self.claim.name)


class Claiming:
    """The claims of all desk roots that are here."""

    def __init__(
        self,
        outboxes: Outboxes,
        mirrors: Mirrors,
        *,
        clock: Clock,
        entropy: Callable[[int], bytes],
        settings: Settings,
        answered: Callable[[str, str, str], None] = lambda root, agent, name: None,
    ) -> None:
        """`answered` is told of a drop (root, agent, name) that is done."""
        self._outboxes, self._mirrors, self._answered = outboxes, mirrors, answered
        self._clock, self._entropy, self._settings = clock, entropy, settings
        self.roots: dict[str, DeskRoot] = {}
        self.claims: dict[str, Claim] = {}  # claimed and not yet answered
        self.taken: set[str] = set()  # ids in use today, without their prefix
        self._committed: dict[str, str] = {}  # claims that the mailbox has, and as what; still to be let go
        self._tries: dict[str, int] = {}

    def mint(self) -> str:
        """A command id that nobody has."""
        command_id = mint(self._clock.now(), self._entropy, self.taken)
        self.taken.add(digits(command_id))
        return command_id

    # --- claims that are there already

    def recover(self, claims: Iterable[Claim], accepted: dict[str, str]) -> None:
        """Take over claims that a dead daemon left. `accepted`: those that the mailbox has, and their commits' kinds."""
        self.claims |= {claim.id: claim for claim in claims}
        self.taken |= {digits(claim.id) for claim in claims}
        self._committed |= accepted

    def forget(self, key: str) -> None:
        """Think no more of a root's claims; they stay on its disk."""
        for claim in [claim for claim in self.claims.values() if claim.root == key]:
            del self.claims[claim.id]

    def recognise(self, commits: Iterable[Landed]) -> None:
        """Find claims that the mailbox has after all, where the ref moved and the disk then failed."""
        for commit in commits:
            kind, _, command_id = commit.trailers.get("Command", "").partition(" ")
            if command_id in self.claims:
                self._committed[command_id] = kind

    def committed(self, work: Work) -> str:
        """The kind of the commit by which the mailbox has it, '' where it does not."""
        return self._committed.get(work.claim.id, "")

    def landed(self, works: Iterable[Work]) -> None:
        """The commits of a pass are in the mailbox: whatever fails from now on, its claims are never planned again."""
        for work in works:
            if work.landed:
                # What an earlier commit says stands, whatever its claimed bytes look like now.
                self._committed.setdefault(work.claim.id, "refuse" if work.refusal else "accept")

    def outdated(self) -> list[Claim]:
        """Claims of another day: a message is looked for on the day of its id, and on the day after."""
        today = self._clock.now()
        days = [f"{today:%Y%m%d}", f"{today - timedelta(days=1):%Y%m%d}"]
        return [claim for claim in self.claims.values() if digits(claim.id)[:8] not in days]

    def renew(self, claims: Iterable[Claim]) -> None:
        """Give claims a fresh id, but for those that the mailbox has."""
        for claim in claims:
            root = self.roots.get(claim.root)
            if root is None or claim.id in self._committed:
                continue
            new = drop.claim(claim.root, claim.agent, self.mint(), claim.name)
            if root.reclaim(claim, new):
                del self.claims[claim.id]
                self.claims[new.id] = new

    # --- claiming

    def claim(self) -> None:
        """Give every file that is ready an id, by one rename each."""
        room = self._settings.batch_files - len(self.claims)
        if room <= 0:
            return
        for root, agent, waiting in self._outboxes.take(self.roots, room, self._mirrors.lose):
            if root.key not in self.roots:
                continue  # lost a moment ago
            claim = drop.claim(root.key, agent, self.mint(), waiting.name)
            try:
                claimed = root.claim(claim, waiting.name)
            except (MailError, OSError) as error:
                self._mirrors.lose(root.key, error)
                continue
            if claimed:
                self.claims[claim.id] = claim

    def read(self) -> list[Work]:
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
        envelope = envelope_of(claim, root.project)
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
            self.broke(work)

    def _attachments(self, root: DeskRoot, agent: str, names: tuple[str, ...]) -> tuple[Attachment, ...]:
        found: list[Attachment] = []
        for name in names:
            data = root.attachment(agent, name, self._settings.attachment_limit)
            found.append(Attachment(name, sha256(data).hexdigest(), data))
            # After each: all that a drop may name could be more than the memory.
            check_attachments(found, self._settings)
        return tuple(found)

    def broke(self, work: Work) -> None:
        """A file on which our own code failed: tried again, and after the third time set aside for a person to see."""
        claim = work.claim
        self._tries[claim.id] = self._tries.get(claim.id, 0) + 1
        log.exception("bug claim=%s try=%d", claim.file, self._tries[claim.id])
        if self._tries[claim.id] >= TRIES:
            work.command, work.refusal = None, quarantined()
        else:
            work.gone, work.command = False, None

    # --- letting go

    def let_go(self, work: Work) -> None:
        """Answered: a refused file to `rejected/`, an accepted one away."""
        claim, root = work.claim, self.roots.get(work.claim.root)
        if not work.landed and not work.gone:
            return
        if root is not None and not work.gone:
            if work.refusal is not None:
                root.reject(claim, render.why(work.refusal, file=work.file, at=stamp(self._clock.last)))
            elif not root.done(claim, work.dropped):
                root.reject(claim, render.why(_changed(), file=work.file, at=stamp(self._clock.last)))
            if isinstance(work.command, Send) and work.refusal is None:
                for file in work.command.files:
                    root.attachment_done(claim.agent, file.name, file.data)
        self.claims.pop(claim.id, None)
        self._committed.pop(claim.id, None)
        self._tries.pop(claim.id, None)
        self._answered(claim.root, claim.agent, claim.name)


def envelope_of(claim: Claim, project: str) -> Envelope:
    return Envelope(claim.id, project, claim.agent, drop=claim.stem)


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
