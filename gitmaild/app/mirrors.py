"""All mirrors of a home, as a fold over commits.

`apply` keeps the attached roots up as commits land; `catch_up` brings one root from its own checkpoint to the tip, by
replaying what the commits since touched or from nothing but the tip. All ways end in the same files, which is what the suite
checks.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice

from gitmaild.app.changes import Change, answer_of, digest, digest_filed, is_answered, own, sent_page, show
from gitmaild.app.mirror import Mirror
from gitmaild.app.ports import BatchTree, DeskRoot, LeaseViews, Repo
from gitmaild.app.threads import Threads, leads_to, parsed
from gitmaild.model import layout, leaseview
from gitmaild.model.changeset import Landed, parse_commit_message
from gitmaild.model.errors import MailError
from gitmaild.model.ids import hex_of, message_id, thread_file
from gitmaild.model.layout import AttachmentPath, Canonical, Copy, LeasePath, ProfilePath
from gitmaild.model.message import Message
from gitmaild.model.names import is_desk_name
from gitmaild.model.settings import Settings
from gitmaild.rules import pages
from gitmaild.rules.holdings import Holdings
from gitmaild.rules.mailbox import Mailbox, projects

# A root that is further behind is made from the tip instead.
_REPLAYED = 5_000


class Mirrors:
    def __init__(
        self,
        repo: Repo,
        threads: Threads,
        settings: Settings,
        *,
        protocol: bytes,
        views: LeaseViews,
        holdings: dict[str, Holdings],
    ) -> None:
        """`holdings`, by project, are shared with whoever plans: both look at the same leases."""
        self._repo, self.threads, self._settings, self._protocol = repo, threads, settings, protocol
        self._views, self._holdings = views, holdings
        self.attached: dict[str, Mirror] = {}
        self._crowds: set[str] = set()  # projects whose agents.md is not written yet
        self._tip = self._flushed = ""
        self._doubted = False
        self._remade: set[str] = set()
        # Called with (root key, error) for a root that refused; the owner of the roots replaces it.
        self.lose: Callable[[str, Exception], None] = lambda key, error: self.detach(key)

    # --- roots

    def attach(self, root: DeskRoot, tip: str) -> None:
        """Begin to mirror a root, and bring it to `tip`."""
        root.put(".gitignore", b"*\n", mode=0o644)
        root.put("README.md", self._protocol.replace(b"{project}", root.project.encode()), mode=0o644)
        mirror = self.attached[root.key] = Mirror(root, self._settings)
        mirror.sweep()
        self.catch_up(mirror, tip)

    def put_back(self, project: str, agent: str, folder: str, name: str) -> None:
        """Show a message where the tree has it, wherever its agent moved it in vain."""
        mailbox = Mailbox(self._repo.tree(self._tip), project)
        for mirror in [m for m in self.attached.values() if m.project == project and agent in m.desks]:
            self._guarded(mirror, lambda m: m.put_back(agent, folder, name, mailbox))

    def detach(self, key: str) -> None:
        self.attached.pop(key, None)

    def welcome(self, mirror: Mirror, desks: set[str], tip: str) -> None:
        """Show desks that were made since the root was last looked at; forget those that are gone."""
        new, mirror.desks = desks - mirror.desks, desks
        mailbox = Mailbox(self._repo.walk(tip), mirror.project)
        if any(mailbox.profile(agent) for agent in new):
            # A desk that is filled by half cannot be told from a whole one: until it is, the root vouches for nothing.
            vouched = mirror.root.checkpoint()
            mirror.root.set_checkpoint("")
            self._fill_desks(mirror, mailbox, new, tip)
            mirror.root.set_checkpoint(vouched)

    def forget(self) -> None:
        """Drop everything derived: the next `attach` of each root makes it from nothing, whatever its checkpoint says."""
        for mirror in list(self.attached.values()):
            self._guarded(mirror, lambda m: m.root.set_checkpoint(""))  # so that no kill in between ends the rebuild
        self._doubted = True
        self._remade.clear()
        self.threads.forget()

    # --- the fold, as commits land

    def apply(self, landed: Sequence[Landed], tree: BatchTree) -> None:
        """Show what these commits did: first the mail, then the answers. Pages wait for `flush`.

        A root that refuses is lost to `lose`, and the others get theirs: it catches up from its checkpoint when it is back.
        """
        changes: dict[str, Change] = {}
        for commit in landed:
            for project, message, oid in digest(commit, tree, changes):
                self.threads.add(project, message, oid)
        self._crowds |= {project for project, change in changes.items() if change.agents or change.directory}
        self.threads.settle()
        for project in [*changes]:
            digest_filed(project, changes, tree)
        for project, change in changes.items():
            if change.leases or change.agents:
                change.view = self._view(project, tree)
                self._views.put(project, change.view)
        for mirror in list(self.attached.values()):
            if mirror.project in changes:
                self._guarded(mirror, lambda m: show(m, changes[m.project], tree))
        if landed:
            self._tip = landed[-1].oid

    def has_unwritten_pages(self) -> bool:
        return bool(self.threads.changed or self._crowds)

    def flush(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Write the pages that changed, and say in every root how far it has come. Costs nothing where nothing has.

        Where `interrupted()` says so, what is left of the pages waits for the next call; one at least is written.
        """
        if not self.has_unwritten_pages() and self._flushed == self._tip:
            return
        for project, page in list(self.threads.changed):
            self._write_page(project, page, [m for m in self.attached.values() if m.project == project])
            if self.threads.changed and interrupted():
                return
        for project in self._crowds:
            data = _agents_page(Mailbox(self._repo.tree(self._tip), project))
            self._everywhere(project, lambda m, d=data: m.root.put("agents.md", d, mode=0o644))  # type: ignore[misc]
        self._crowds.clear()
        self._flushed = self._tip
        if self._tip:
            self.threads.set_checkpoint(self._tip)
            for mirror in list(self.attached.values()):
                self._guarded(mirror, lambda m: m.root.set_checkpoint(self._tip))

    def _write_page(self, project: str, page: str, mirrors: list[Mirror]) -> None:
        if written := self.threads.page(project, page, self._shown_pages(page, mirrors)):
            for mirror in mirrors:
                self._guarded(mirror, lambda m: m.page(page, written.data, written.newest))
            self.threads.note_shown(project, page, written)
        self.threads.settled(project, page)

    def _shown_pages(self, page: str, mirrors: list[Mirror]) -> Iterator[bytes | None]:
        for mirror in mirrors:
            try:
                yield mirror.shown_page(page)
            except (MailError, OSError) as error:
                self.lose(mirror.root.key, error)

    def _everywhere(self, project: str, act: Callable[[Mirror], None]) -> None:
        for mirror in [m for m in self.attached.values() if m.project == project]:
            self._guarded(mirror, act)

    def _guarded(self, mirror: Mirror, act: Callable[[Mirror], None]) -> None:
        try:
            act(mirror)
        except (MailError, OSError) as error:
            self.lose(mirror.root.key, error)

    # --- leases

    def show_views(self, tip: str) -> None:
        """Write the home's lease view of every project, from the tip."""
        tree = self._repo.tree(tip)
        for name in projects(tree):
            self._views.put(name, self._view(name, tree))

    def vouch(self, now: datetime) -> None:
        """Say in every lease view that it is true now: a guard tells by it whether anybody keeps them up."""
        mtime_ns = int(now.timestamp() * 1e9)
        self._views.touch(mtime_ns)
        for mirror in list(self.attached.values()):
            self._guarded(mirror, lambda m: m.vouch(mtime_ns))

    def _view(self, project: str, tree: BatchTree) -> bytes:
        """The lease view. Its tip is the tree of the leases: the same for a mirror that was made anew."""
        mailbox = Mailbox(tree, project, self._holdings.setdefault(project, Holdings(project)))
        names = [name for name in mailbox.agents() if is_desk_name(name)]
        active = [name for name in names if (p := mailbox.profile(name)) and p.state == "active"]
        return leaseview.render(mailbox.holdings().rows(), active, tree.oid(layout.leases(project)))

    def _show_leases(self, mirror: Mirror, tip: str) -> None:
        tree = self._repo.tree(tip)
        directory = layout.leases(mirror.project)
        places = [layout.recognise(f"{directory}/{name}") for name in tree.names(directory)]
        ids = [place.lease_id for place in places if isinstance(place, LeasePath)]
        held = {an_id: data for an_id in ids if (data := tree.read(layout.lease(mirror.project, an_id))) is not None}
        mirror.leases(held, self._view(mirror.project, tree))

    # --- from a checkpoint, or from nothing

    def catch_up(self, mirror: Mirror, tip: str) -> None:
        """Bring one root to the tip."""
        self._tip = tip
        doubted = self._doubted and mirror.root.key not in self._remade
        old = "" if doubted else mirror.root.checkpoint()
        if old == tip or not tip:
            return
        commits = list(islice(self._repo.commits(old, tip), _REPLAYED + 1)) if leads_to(self._repo, old, tip) else None
        if commits is not None and len(commits) <= _REPLAYED:
            self._replay(mirror, commits, tip)
        else:
            self._rebuild(mirror, tip)
        self._show_leases(mirror, tip)
        mirror.root.set_checkpoint(tip)
        self._remade.add(mirror.root.key)

    def _replay(self, mirror: Mirror, commits: list[Landed], tip: str) -> None:
        """Show the present state of everything that these commits, the ones since the checkpoint, touched."""
        mailbox = Mailbox(self._repo.tree(tip), mirror.project)
        paths = [path for commit in commits for path in (*commit.drops, *(path for path, _ in commit.puts))]
        places = [place for path in paths if (place := layout.recognise(path)) and place.project == mirror.project]
        for place in places:
            if isinstance(place, ProfilePath):
                mirror.agent(place.agent)
        mirror.show_posted(mailbox)
        touched = dict.fromkeys((p.agent, p.name) for p in places if isinstance(p, Copy))
        answers = [c for c in commits if is_answered(c.trailers) and c.trailers.get("Project") == mirror.project]
        puts = [(layout.recognise(path), oid) for commit in commits for path, oid in commit.puts]
        for place, oid in puts:
            if isinstance(place, AttachmentPath) and place.project == mirror.project:
                mirror.attachment(place, self._repo.blob(oid))
        for agent, name in touched:
            if agent in mirror.desks:
                mirror.ensure(agent, name, mailbox)
        for commit in answers:
            self._answer_again(mirror, commit.trailers, commit.answer, mailbox)
        for agent, name in touched:  # wherever its reader sits, the sender sees what became of it
            held = mailbox.held(agent, name)
            if held and held.folder != "inbox" and (message := parsed(mailbox.tree.read(held.path))):
                mirror.refresh(message, sent_page(message, mailbox))
        self._refresh_others(mirror, commits, mailbox)
        # Asked of the commits: the index has its own checkpoint, and may have come further than this root.
        mail = [parsed(self._repo.blob(oid)) for p, oid in puts if isinstance(p, Canonical) and p.project == mirror.project]
        spoken = {thread_file(message.thread_id) for message in mail if message}
        self._put_pages(mirror, [page for page in self.threads.newest(mirror.project) if page in spoken])
        mirror.root.put("agents.md", _agents_page(mailbox), mode=0o644)

    def _refresh_others(self, mirror: Mirror, commits: list[Landed], mailbox: Mailbox) -> None:
        """Answers whose message was read in another project, was held until now, or lies in a queue no longer."""
        ids = [word for commit in commits for word in commit.trailers.get("Message-Id", "").split(", ") if word]
        ids += [note.in_reply_to for commit in commits for note in self._notes(commit)]
        for an_id in dict.fromkeys(ids):
            if message := mailbox.message(an_id):
                mirror.refresh(message, sent_page(message, mailbox))

    def _notes(self, commit: Landed) -> list[Message]:
        """The notes of a commit that tells of held mail which went back."""
        if commit.trailers.get("Command", "").partition(" ")[0] not in ("contact-deny", "contact-policy", "send-back"):
            return []
        puts = [oid for path, oid in commit.puts if isinstance(layout.recognise(path), Canonical)]
        return [message for oid in puts if (message := parsed(self._repo.blob(oid)))]

    def _rebuild(self, mirror: Mirror, tip: str) -> None:
        """Make a root from nothing but the tip; what is there and right stays untouched."""
        mirror.root.set_checkpoint("")  # until it is whole, it vouches for nothing
        mailbox = Mailbox(self._repo.walk(tip), mirror.project)
        mirror.desks = set(mirror.root.desks())
        self._fill_desks(mirror, mailbox, mirror.desks, tip)
        mirror.show_posted(mailbox)
        for place, path in mailbox.attachments():
            mirror.attachment(place, mailbox.tree.read(path))
        newest = self.threads.newest(mirror.project)
        mirror.keep_pages(newest)
        self._put_pages(mirror, newest)
        mirror.root.put("agents.md", _agents_page(mailbox), mode=0o644)

    def _fill_desks(self, mirror: Mirror, mailbox: Mailbox, desks: Collection[str], tip: str) -> None:
        known = {agent for agent in desks if mailbox.profile(agent)}
        for agent in sorted(known):
            mirror.root.make_desk(agent)
            mirror.reconcile(agent, mailbox, thorough=True)
        if known:
            self._put_answers(mirror, mailbox, known, tip)

    def _put_answers(self, mirror: Mirror, mailbox: Mailbox, desks: Collection[str], tip: str) -> None:
        """The newest answers of these desks, found by walking the commits back from the tip."""
        wanted = dict.fromkeys(desks, self._settings.mirror_newest)
        answers: list[tuple[dict[str, str], str]] = []
        for _, text, _ in self._repo.newest_first(tip):
            if not wanted:
                break
            trailers, answer = parse_commit_message(text)
            agent = trailers.get("From", "")
            if agent in wanted and is_answered(trailers) and trailers.get("Project") == mirror.project:
                answers.append((trailers, answer))
                wanted[agent] -= 1
                if not wanted[agent]:
                    del wanted[agent]
        for agent in desks:
            mirror.keep_answers(agent, {hex_of(t["Command"])[:8] for t, _ in answers if t["From"] == agent})
        for trailers, answer in reversed(answers):
            self._answer_again(mirror, trailers, answer, mailbox)

    def _answer_again(self, mirror: Mirror, trailers: dict[str, str], answer: str, mailbox: Mailbox) -> None:
        data = pages.answer(answer) if answer else b""
        if not data and (message := own(trailers, mailbox.message(message_id(trailers["Command"])))):
            data = sent_page(message, mailbox)
        if data:
            mirror.answer(answer_of(trailers, data))

    def _put_pages(self, mirror: Mirror, newest_first: list[str]) -> None:
        for page in reversed(newest_first):
            if written := self.threads.page(mirror.project, page, [mirror.shown_page(page)]):
                mirror.page(page, written.data, written.newest)
                self.threads.note_shown(mirror.project, page, written)


def _agents_page(mailbox: Mailbox) -> bytes:
    profiles = [profile for name in mailbox.agents() if (profile := mailbox.profile(name))]
    return pages.agents(profiles, mailbox.directory())
