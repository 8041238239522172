"""Filing by moving: an agent that puts a message into `read/` or `acked/` has read or acknowledged it."""

from collections.abc import Callable, Iterable

from gitmaild.app.intake import Wish
from gitmaild.app.mirror import Mirror
from gitmaild.app.mirrors import Mirrors
from gitmaild.app.ports import Repo
from gitmaild.model.drop import Hint
from gitmaild.model.errors import MailError, Refused
from gitmaild.model.layout import FOLDERS, parse_file_name
from gitmaild.model.settings import Settings
from gitmaild.rules import render
from gitmaild.rules.mailbox import Mailbox

# An audit that took t seconds is not repeated for this many t, so that it costs under half a percent of a core.
_REST = 400
# So many audits in a row may pass over a desk whose directories did not change.
_PASSED_OVER = 9


class Filing:
    """Looks into `read/` and `acked/` where their directories changed; audits whole desks now and then."""

    def __init__(self, repo: Repo, mirrors: Mirrors, settings: Settings, monotonic: Callable[[], float]) -> None:
        self._repo, self._mirrors, self._settings, self._monotonic = repo, mirrors, settings, monotonic
        self._due: set[tuple[str, str]] = set()
        self._looked: dict[tuple[str, str, str], int] = {}
        # Not at the start, which has mail to deliver, and compares what it doubts by itself.
        self._next_audit = monotonic() + settings.audit_seconds
        self._audited: dict[tuple[str, str], tuple[tuple[int, ...], int]] = {}
        self._missing: dict[tuple[str, str], set[str]] = {}

    def hint(self, hints: Iterable[Hint]) -> None:
        """Note where to look: hints that name a `read/` or `acked/` directory."""
        for hint in hints:
            desk, _, folder = hint.directory.rpartition("/")
            if folder in FOLDERS[1:]:
                root, _, agent = desk.rpartition("/agents/")
                self._due.add((root, agent))
                # Two changes within one tick of the file system's clock leave one mtime.
                self._looked.pop((root, agent, folder), None)

    def look_everywhere(self) -> None:
        self._due |= {(key, agent) for key, mirror in self._mirrors.attached.items() for agent in mirror.desks}

    def wishes(self, tip: str) -> list[Wish]:
        """Messages that were moved further, at the desks that are due for a look."""
        found: list[Wish] = []
        due, self._due = self._due, set()
        for key, agent in sorted(due):
            mirror = self._mirrors.attached.get(key)
            if mirror is None or agent not in mirror.desks:
                continue
            try:
                found += self._look(mirror, agent, Mailbox(self._repo.tree(tip), mirror.project))
            except (MailError, OSError) as error:
                self._mirrors.lose(key, error)
        return found

    def _look(self, mirror: Mirror, agent: str, mailbox: Mailbox) -> list[Wish]:
        found = []
        for folder in FOLDERS[1:]:
            key = (mirror.root.key, agent, folder)
            changed = mirror.root.changed(f"agents/{agent}/{folder}")
            if changed == self._looked.get(key):
                continue
            filed = mirror.filed(agent, folder)
            names = [n for n in mirror.root.names(f"agents/{agent}/{folder}") if n not in filed and parse_file_name(n)]
            for name in sorted(names):
                if wish := self._moved(mirror, agent, folder, name, mailbox):
                    found.append(wish)
            # Only where nothing is pending: what was wished for is looked at again until the tree has it.
            if not found and changed == mirror.root.changed(f"agents/{agent}/{folder}"):
                self._looked[key] = changed
        return found

    def _moved(self, mirror: Mirror, agent: str, folder: str, name: str, mailbox: Mailbox) -> Wish | None:
        """A name that is new in a folder: a wish, or something to put back."""
        root = mirror.root
        held = mailbox.held(agent, name)
        if held is None:
            owner = next((other for other in mailbox.agents() if mailbox.held(other, name)), "")
            if owner:
                root.remove(f"agents/{agent}/{folder}/{name}")
                if owner in mirror.desks:
                    mirror.ensure(owner, name, mailbox)
            return None
        if FOLDERS.index(held.folder) >= FOLDERS.index(folder):
            if held.folder == folder:
                mirror.filed(agent, folder).add(name)
            else:
                mirror.put_back(agent, folder, name, mailbox)
            return None
        data = mailbox.tree.read(held.path)
        if data is None:
            return None
        mirror.mend(f"agents/{agent}/{folder}/{name}", data)
        try:
            message_id = render.parse_message(data).id
        except (Refused, KeyError, ValueError):
            mirror.put_back(agent, folder, name, mailbox)
            return None
        return Wish(mailbox.project, agent, folder, message_id, name)

    def audit(self, tip: str, *, force: bool = False) -> list[str]:
        """Compare every desk with the mailbox, when it is time; what had to be mended.

        What is missing is restored only when two audits in a row miss it: between a move out of one folder and the look
        into the next, a file may be nowhere.
        """
        now = self._monotonic()
        if now < self._next_audit and not force:
            return []
        # Where no hint told of a second change within a tick, this look finds it.
        self._looked.clear()
        mended: list[str] = []
        for mirror in list(self._mirrors.attached.values()):
            try:
                mailbox = Mailbox(self._repo.walk(tip), mirror.project)
                for agent in sorted(mirror.desks):
                    if mailbox.profile(agent) and self._is_due(mirror, agent, force=force):
                        mended += self._audit_desk(mirror, agent, mailbox)
            except (MailError, OSError) as error:
                self._mirrors.lose(mirror.root.key, error)
        took = self._monotonic() - now
        self._next_audit = now + max(self._settings.audit_seconds, _REST * took)
        return mended

    def _is_due(self, mirror: Mirror, agent: str, *, force: bool) -> bool:
        """False for a desk where no name came or went since its last audit, nine times out of ten.

        An edit in place changes no directory: it is for the tenth.
        """
        key = (mirror.root.key, agent)
        names = tuple(mirror.root.changed(f"agents/{agent}/{folder}") for folder in FOLDERS)
        last, passed = self._audited.get(key, ((), 0))
        quiet = names == last and passed < _PASSED_OVER and not self._missing.get(key) and not force
        self._audited[key] = (names, passed + 1 if quiet else 0)
        return not quiet

    def _audit_desk(self, mirror: Mirror, agent: str, mailbox: Mailbox) -> list[str]:
        key = (mirror.root.key, agent)
        missing = mirror.missing(agent, mailbox)
        spare = missing - self._missing.get(key, set())
        self._missing[key] = missing
        return mirror.reconcile(agent, mailbox, spare=spare)
