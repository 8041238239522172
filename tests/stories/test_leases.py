"""Two agents and one repository, by files alone: on paths of their own, and on the same.

Nobody runs a command of gitmaild: what an agent knows it reads from `sent/`, from `inbox/` and from `leases/`.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.post import Post


@dataclass
class Agent:
    post: Post
    name: str

    def asks(self, kind: str, **fields: str) -> dict[str, Any]:
        """Drop a file; what came back."""
        file = f"{kind}-{self.post.entropy.count}"
        self.post.drop(self.name, name=f"{file}.md", kind=kind, **fields)
        self.post.turn()
        answer: dict[str, Any] = yaml.safe_load(self.post.sent(self.name)[file].split("---\n")[1])
        return answer

    def reserves(self, path: str, **fields: str) -> dict[str, Any]:
        return self.asks("reserve", paths=path, **fields)

    def sees(self) -> list[str]:
        """Who holds what, as the files in its own worktree say."""
        files = (self.post.worktree / ".gitmaild" / "leases").glob("lease_*.yaml")
        return sorted(f"{lease['holder']}: {lease['pattern']}" for lease in map(_yaml, files))

    def tells(self, other: "Agent", subject: str) -> None:
        self.post.drop(self.name, to=other.name, subject=subject, thread_id="br-123")
        self.post.turn()

    def works(self, path: str, text: str) -> None:
        """Edit a file and commit it."""
        file = self.post.worktree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        _git(self.post.worktree, "add", path)
        _git(self.post.worktree, "commit", "-q", "-m", path, f"--author={self.name} <agent@example.invalid>")


def _yaml(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_bytes())
    return loaded


def _git(here: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=here, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def two(post: Post) -> tuple[Agent, Agent]:
    _git(post.worktree, "init", "-q", "-b", "main")
    post.agents("GreenCastle", "RedCat")
    return Agent(post, "GreenCastle"), Agent(post, "RedCat")


def test_scenario_1_two_agents_on_separate_paths_never_meet(post: Post, two: tuple[Agent, Agent]) -> None:
    """Rows 20 and 31."""
    green, red = two
    # T0: both say what they take, and T1, T2: both get it.
    first = green.reserves("src/api/**", ttl_seconds="3600", reason="br-123")
    second = red.reserves("src/ui/**", ttl_seconds="3600", reason="br-124")
    assert [(said["status"], said["conflicts"]) for said in (first, second)] == [("granted", []), ("granted", [])]
    assert green.sees() == red.sees() == ["GreenCastle: src/api/**", "RedCat: src/ui/**"]
    # T3, T4: both work and commit.
    green.tells(red, "[br-123] Start: API")
    red.tells(green, "[br-124] Start: UI")
    green.works("src/api/routes.py", "routes\n")
    red.works("src/ui/page.tsx", "page\n")
    # T5, T6: both let go.
    assert green.asks("release")["count"] == 1
    assert red.asks("release")["count"] == 1
    assert green.sees() == []
    assert _git(post.worktree, "ls-tree", "-r", "--name-only", "HEAD").splitlines() == [
        "src/api/routes.py",
        "src/ui/page.tsx",
    ]
    assert _git(post.worktree, "log", "--reverse", "--format=%an").splitlines() == ["GreenCastle", "RedCat"]
    assert [subject for subject in post.log() if not subject.startswith(("found", "register"))] == [
        "reserve: GreenCastle: src/api/**",
        "reserve: RedCat: src/ui/**",
        "deliver: GreenCastle -> RedCat: [br-123] Start: API",
        "deliver: RedCat -> GreenCastle: [br-124] Start: UI",
        "release: GreenCastle: src/api/**",
        "release: RedCat: src/ui/**",
    ]


def test_scenario_2_a_conflict_work_elsewhere_a_release_and_a_grant(post: Post, two: tuple[Agent, Agent]) -> None:
    """Row 32."""
    green, red = two
    # T0: one has it.
    assert green.reserves("src/api/**", reason="br-123")["status"] == "granted"
    # T1: the other is told who, until when and why.
    said = red.reserves("src/api/routes.py")
    assert said["status"] == "conflict"
    [conflict] = said["conflicts"]
    assert (conflict["holder"], conflict["witness"], conflict["reason"]) == ("GreenCastle", "src/api/routes.py", "br-123")
    # T2: it looks at what is free, T3: and works there.
    assert red.sees() == ["GreenCastle: src/api/**"]
    assert red.reserves("src/ui/**")["status"] == "granted"
    red.works("src/ui/page.tsx", "page\n")
    green.works("src/api/routes.py", "green was here\n")
    # T4: the first is done, and says so.
    assert green.asks("release", paths="src/api/**")["count"] == 1
    green.tells(red, "[br-123] Done: src/api is yours")
    assert post.inbox("RedCat") == ["GreenCastle: [br-123] Done: src/api is yours"]
    # T5: now the other has it.
    again = red.reserves("src/api/routes.py")
    assert (again["status"], again["granted"][0]["fence"]) == ("granted", 3)
    red.works("src/api/routes.py", "green was here\nred as well\n")
    assert _git(post.worktree, "show", "HEAD:src/api/routes.py") == "green was here\nred as well\n"


def test_scenario_2_without_asking_again_the_other_waits_in_the_queue(post: Post, two: tuple[Agent, Agent]) -> None:
    green, red = two
    green.reserves("src/api/**", ttl_seconds="3600")
    said = red.reserves("src/api/routes.py", wait_seconds="3600", reason="br-124")
    assert (said["status"], said["position"]) == ("waiting", 1)
    red.works("src/ui/page.tsx", "page\n")
    green.asks("release")
    assert red.sees() == ["RedCat: src/api/routes.py"]
    assert post.inbox("RedCat") == ["Postmaster: granted: src/api/routes.py"]
    note = (post.desk("RedCat") / "inbox" / post.names("RedCat")[0]).read_text()
    assert yaml.safe_load(note.split("---\n")[1])["leases"] == [
        lease.stem for lease in (post.worktree / ".gitmaild/leases").glob("lease_*")
    ]


def test_a_holder_that_died_keeps_nobody_waiting_beyond_its_term(post: Post, two: tuple[Agent, Agent]) -> None:
    """Row 24."""
    green, red = two
    green.reserves("src/api/**", ttl_seconds="60")
    red.reserves("src/api/**", wait_seconds="600")
    post.crash()
    post.turn(60)
    assert red.sees() == ["RedCat: src/api/**"]
