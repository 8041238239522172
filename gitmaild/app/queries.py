"""What can be asked of the mailbox itself. Never writes, needs no lock, works with the daemon down."""

from gitmaild.app.ports import Repo
from gitmaild.app.threads import Threads, parsed
from gitmaild.model.ids import MESSAGE_ID
from gitmaild.model.message import Message
from gitmaild.rules.mailbox import Mailbox, Profile
from gitmaild.rules.parse import did_you_mean
from gitmaild.rules.people import free_name


class Reader:
    """Answers from the tip, as it is at each question."""

    def __init__(self, repo: Repo, threads: Threads) -> None:
        self._repo, self._threads = repo, threads

    def message(self, project: str, message_id: str) -> Message | None:
        return self._mailbox(project).message(message_id) if MESSAGE_ID.fullmatch(message_id) else None

    def thread(self, project: str, thread_id: str) -> list[Message]:
        """A thread's messages, oldest first. What the thread index has not seen yet is read from the commits after it."""
        found = {message.id: message for message in self._threads.messages(project, thread_id)}
        for message in self._unindexed(project):
            if message.thread_id == thread_id:
                found[message.id] = message
        return sorted(found.values(), key=lambda message: message.created)

    def agents(self, project: str) -> list[Profile]:
        mailbox = self._mailbox(project)
        return [profile for name in mailbox.agents() if (profile := mailbox.profile(name))]

    def profile(self, project: str, name: str) -> Profile | None:
        return self._mailbox(project).profile(name)

    def guess(self, project: str, name: str) -> str:
        return did_you_mean(name, self._mailbox(project).agents())

    def free_name(self, project: str) -> str:
        """An unused name, for an agent that registers without one."""
        return free_name(self._repo.tip(), self._mailbox(project))

    def tip(self) -> str:
        return self._repo.tip()

    def _mailbox(self, project: str) -> Mailbox:
        return Mailbox(self._repo.tree(self._repo.tip()), project)

    def _unindexed(self, project: str) -> list[Message]:
        old, tip = self._threads.checkpoint(), self._repo.tip()
        if old == tip or not self._repo.is_ancestor(old, tip):
            return []
        prefix = f"{project}/messages/"
        puts = (put for commit in self._repo.commits(old, tip) for put in commit.puts)
        return [message for path, oid in puts if path.startswith(prefix) and (message := parsed(self._repo.blob(oid)))]
