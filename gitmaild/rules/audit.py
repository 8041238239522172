"""Who knew what when: what each participant of a thread had sent, received, read and acknowledged by a given time.

Told from the trailers of commits alone, which never name blind recipients: who got a blind copy is in nobody's audit.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from gitmaild.model.history import Recorded


@dataclass(slots=True)
class Copy:
    """One recipient's copy: when it came, and when it was read and acknowledged, '' for not yet."""

    received: str
    read: str = ""
    acked: str = ""

    @property
    def state(self) -> str:
        return "acked" if self.acked else "read" if self.read else "received"


class Audit:
    """Commits are shown to it one after the other, oldest first. Times are as `Accepted` has them."""

    def __init__(self, project: str, thread_id: str, at: str) -> None:
        self._project, self._thread, self._at = project, thread_id, at
        self.sent: dict[str, tuple[str, str, str]] = {}  # by message: (sender, subject of its commit, time)
        self.copies: dict[tuple[str, str], Copy] = {}  # by (agent, message)

    def look(self, commit: Recorded) -> bool:
        """Take a commit in; False once it is later than what is asked for."""
        said = commit.trailers
        if not commit.kind or commit.project != self._project:
            return True
        accepted = said.get("Accepted", "")
        if accepted > self._at:
            return False
        if commit.kind == "message" and said.get("Thread-Id") == self._thread:
            self._sent(commit, said.get("Message-Id", ""), accepted)
        elif commit.kind in ("read", "ack"):
            for an_id in said.get("Message-Id", "").split(", "):
                self._filed(commit.kind, said.get("From", ""), an_id, accepted)
        return True

    def _sent(self, commit: Recorded, an_id: str, accepted: str) -> None:
        said = commit.trailers
        self.sent[an_id] = (said.get("From", ""), commit.subject, accepted)
        for name in said.get("To", "").split(", "):
            if name:
                self.copies.setdefault((name, an_id), Copy(accepted))

    def _filed(self, kind: str, agent: str, an_id: str, accepted: str) -> None:
        copy = self.copies.get((agent, an_id))
        if copy is None:
            return
        # The first time counts: to acknowledge twice changes nothing.
        copy.read = copy.read or accepted
        if kind == "ack":
            copy.acked = copy.acked or accepted

    def told(self, subjects: dict[str, str]) -> dict[str, object]:
        """The answer that every door shows. `subjects` are those of the messages themselves, by id."""
        names = [sender for sender, _, _ in self.sent.values()] + [agent for agent, _ in self.copies]
        return {
            "thread_id": self._thread,
            "at": self._at,
            "messages": [
                {"id": an_id, "from": sender, "subject": subjects.get(an_id, told), "created": at}
                for an_id, (sender, told, at) in self.sent.items()
            ],
            "participants": [self._participant(name) for name in dict.fromkeys(names)],
        }

    def _participant(self, name: str) -> dict[str, object]:
        mine = {an_id: copy for (agent, an_id), copy in self.copies.items() if agent == name}
        return {
            "agent": name,
            "sent": [an_id for an_id, (sender, _, _) in self.sent.items() if sender == name],
            "received": [
                {"id": an_id, "state": copy.state, "received": copy.received, "read": copy.read, "acked": copy.acked}
                for an_id, copy in mine.items()
            ],
        }


def audit(commits: Iterable[Recorded], project: str, thread_id: str, at: str) -> Audit:
    """What `commits`, oldest first, say of a thread by the time `at`."""
    found = Audit(project, thread_id, at)
    for commit in commits:
        if not found.look(commit):
            break
    return found
