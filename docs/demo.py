"""`make demo`: a post office from nothing, on real agent mail, in half a minute.

Everything happens in a temporary directory: a home, a repository with a linked worktree, the real daemon. Agents write files
with a shell, as they would; what is printed is what the commands printed. Nothing is left behind.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MAIL = 120

console = Console(highlight=False, soft_wrap=True)


class Stage:
    """A temporary machine: its shell, its daemon."""

    def __init__(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="gitmaild-demo-"))
        self.shop, self.review = self.top / "shop", self.top / "shop-review"
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.top),
            "GITMAILD_HOME": str(self.top / "home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_PAGER": "cat",
        }
        self.daemon: subprocess.Popen[bytes] | None = None

    def quietly(self, command: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["sh", "-c", command], cwd=where or self.shop, env=self.environment, capture_output=True, text=True, check=False
        )
        return (done.stdout + done.stderr).replace(f"{self.top}/", "")

    def show(self, command: str, where: Path | None = None, lines: int = 24) -> str:
        """Run a command as typed, and print it with what it printed."""
        console.print(f"[bold green]$[/] [bold]{_plain(command)}[/]")
        text = self.quietly(command, where)
        shown = text.rstrip("\n").splitlines()
        for line in shown[:lines]:
            console.print(f"  {_plain(line[:150])}")
        if len(shown) > lines:
            console.print(f"  [dim]... and {len(shown) - lines} more lines[/]")
        return text

    def start_daemon(self) -> None:
        self.daemon = subprocess.Popen(
            [sys.executable, "-m", "gitmaild", "serve", "--no-http"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self.daemon.stdout
        self.daemon.stdout.readline()

    def close(self) -> None:
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(20)
        shutil.rmtree(self.top, ignore_errors=True)

    def drop(self, agent: str, name: str, text: str) -> None:
        outbox = self.shop / ".gitmaild" / "agents" / agent / "outbox"
        outbox.mkdir(parents=True, exist_ok=True)
        (outbox / f".{name}").write_text(text)
        (outbox / f".{name}").rename(outbox / name)

    def await_path(self, pattern: str, seconds: float = 10.0) -> Path:
        """The first path that matches below the desk root, once there is one."""
        until = time.monotonic() + seconds
        while True:
            found = sorted((self.shop / ".gitmaild").glob(pattern))
            if found:
                return found[0]
            if time.monotonic() > until:
                raise SystemExit(f"demo: nothing matched {pattern} within {seconds} s; gitmaild status would say why")
            time.sleep(0.01)


def _plain(text: str) -> str:
    """Text that rich must print as it is."""
    return text.replace("[", "\\[")


def say(text: str) -> None:
    console.print(f"\n[bold cyan]# {text}[/]")


def set_up(stage: Stage) -> None:
    say("A repository with a linked worktree. One command makes it a post office.")
    stage.shop.mkdir()
    stage.quietly(
        "git init -q -b main . && git -c user.name=demo -c user.email=a@example.invalid commit -q --allow-empty -m start"
    )
    stage.quietly("git worktree add -q ../shop-review -b review")
    stage.show("gitmaild init")
    stage.show("gitmaild init ../shop-review | head -1")
    stage.start_daemon()
    stage.show("git status --short | wc -l   # the desks never enter your project's history")


def join(stage: Stage) -> None:
    say("An agent needs a shell, nothing else: it joins by dropping a file.")
    stage.show("mkdir -p .gitmaild/agents/GreenCastle/outbox")
    stage.show(
        "printf -- '---\\nkind: register\\nprogram: Claude Code\\nmodel: Opus 4.5\\n---\\n' "
        "> .gitmaild/agents/GreenCastle/outbox/join.md"
    )
    stage.await_path("agents/GreenCastle/sent/join.*.md")
    stage.show("ls .gitmaild/agents/GreenCastle .gitmaild/agents/GreenCastle/sent")
    for name in ("RedCat", "BlueLake"):
        stage.drop(name, "join.md", "---\nkind: register\nprogram: Codex\n---\n")
        stage.await_path(f"agents/{name}/sent/join.*.md")


def replay(stage: Stage) -> None:
    say(f"{MAIL} messages that real agents wrote to each other, dropped one file at a time.")
    rows = [json.loads(line) for line in (FIXTURES / "gastown-mail.jsonl").read_text().splitlines()]
    rows = [row for row in rows if row["from"] not in row["to"]][:MAIL]
    agents = sorted({row["from"] for row in rows} | {name for row in rows for name in row["to"]})
    for name in agents:
        stage.drop(name, "join.md", "---\nkind: register\nprogram: town\n---\n")
    for name in agents:
        stage.await_path(f"agents/{name}/sent/join.*.md")
    began = time.perf_counter()
    with Progress(console=console, transient=not console.is_terminal) as progress:
        task = progress.add_task("dropped and delivered", total=len(rows))
        for number, row in enumerate(rows):
            head = f"to: {', '.join(row['to'])}\nsubject: {row['subject']}\nthread_id: {row['thread_id']}\n"
            stage.drop(row["from"], f"mail{number}.md", f"---\n{head}importance: {row['importance']}\n---\n{row['body']}\n")
            stage.await_path(f"agents/{row['from']}/sent/mail{number}.*.md")
            progress.advance(task)
    took = time.perf_counter() - began
    console.print(f"  {len(rows)} messages, each answered only once it was committed and on the disk: {took:.1f} s")
    stage.show(f"ls .gitmaild/agents/{rows[0]['to'][0]}/inbox | tail -4   # the names alone are a triage view")


def converse(stage: Stage) -> None:
    say("GreenCastle writes to two, and mistypes a third. Two get their mail; it hears about the third.")
    stage.drop(
        "GreenCastle",
        "start.md",
        "---\nto: RedCat, BlueLake, RedCatt\nsubject: [br-123] Start: Auth API\nthread_id: br-123\nack_required: yes\n---\n"
        "I take src/api. Who takes the tests?\n",
    )
    stage.await_path("agents/GreenCastle/sent/start.*.md")
    stage.show("cat .gitmaild/agents/GreenCastle/sent/start.*.md", lines=18)
    stage.show("tail -n 5 .gitmaild/agents/GreenCastle/inbox/*Postmaster*")
    say("RedCat reads it with cat, answers by its id, and acknowledges it with mv.")
    mail = stage.await_path("agents/RedCat/inbox/*_GreenCastle_*.md")
    stage.show(f"cat {mail.relative_to(stage.shop)}")
    message_id = mail.read_text().splitlines()[1].removeprefix("id: ")
    stage.drop("RedCat", "answer.md", f"---\nin_reply_to: {message_id}\n---\nI take the tests.\n")
    stage.await_path("agents/RedCat/sent/answer.*.md")
    stage.show(f"mv .gitmaild/agents/RedCat/inbox/{mail.name} .gitmaild/agents/RedCat/acked/")
    until = time.monotonic() + 10
    while (
        "RedCat acked" not in stage.quietly("cat .gitmaild/agents/GreenCastle/sent/start.*.md") and time.monotonic() < until
    ):
        time.sleep(0.02)
    stage.show("grep -A3 recipients .gitmaild/agents/GreenCastle/sent/start.*.md   # the sender sees it")
    stage.show("cat .gitmaild/threads/br-123.md")


def reserve(stage: Stage) -> None:
    say("GreenCastle reserves src/api, with a file. RedCat wants a part of it, with a command: refused, with the way out.")
    reserve = "---\nkind: reserve\npaths: src/api/**\nttl_seconds: 2700\nreason: br-123\n---\n"
    stage.drop("GreenCastle", "reserve.md", reserve)
    stage.await_path("agents/GreenCastle/sent/reserve.*.md")
    stage.show("cat .gitmaild/agents/GreenCastle/sent/reserve.*.md")
    stage.show("gitmaild --as RedCat reserve src/api/routes.py")
    say("Git hooks hold everybody to it. RedCat's commit is blocked, and needs no daemon for that.")
    stage.show("gitmaild guard install")
    stage.quietly("mkdir -p src/api && echo 'GET /tokens' > src/api/routes.py && git add src")
    commit = "git -c user.name=demo -c user.email=a@example.invalid commit -q"
    stage.show(f"GITMAILD_AGENT=RedCat {commit} -m 'Add a route'; echo status $?", lines=12)
    say("GreenCastle commits, and releases. Now RedCat's reservation is granted, and its commit passes.")
    stage.show(f"GITMAILD_AGENT=GreenCastle {commit} -m 'Add a route'; echo status $?")
    stage.show("gitmaild --as GreenCastle release")
    stage.show("gitmaild --as RedCat reserve src/api/routes.py --ttl 30m --reason br-123")
    stage.quietly("echo 'DELETE /tokens' >> src/api/routes.py && git add src")
    stage.show(f"GITMAILD_AGENT=RedCat {commit} -m 'Add another'; echo status $?")
    stage.show("cat .gitmaild/leases/lease_*.yaml; git log --oneline")


def find(stage: Stage) -> None:
    say("Everything can be found again, right after it was sent.")
    stage.show("gitmaild search 'subject:\"Auth API\" from:GreenCastle'")
    stage.show("gitmaild --as RedCat search 'merge conflict after:1d' --limit 2")
    stage.show("gitmaild search 'form:RedCat'; echo status $?   # a typing error is never a silent nothing")
    say("And a conversation in short, without any model.")
    stage.show("gitmaild summarize br-123")


def stand_for_others(stage: Stage) -> None:
    say("A role is an address that one agent holds. BlueLake asks for less mail: what it has not agreed to is held.")
    stage.show("gitmaild role bind Orchestrator GreenCastle --as Overseer")
    stage.show("echo 'Tests are green.' | gitmaild --as RedCat send --to Orchestrator --subject 'Progress: 60 %'")
    stage.show("gitmaild --as BlueLake contact policy contacts_only")
    stage.show("echo 'Who has the keys?' | gitmaild --as RedCat send --to BlueLake --subject 'One question'")
    stage.show("gitmaild --as BlueLake contact approve RedCat")


def look_back(stage: Stage) -> None:
    say("A refused file comes back unchanged, with the reason beside it.")
    stage.drop("BlueLake", "oops.md", "---\nto: GreenCastle\nimportance: asap\n---\nhello\n")
    stage.await_path("agents/BlueLake/rejected/oops.md.why.md")
    stage.show("tail -n 1 .gitmaild/agents/BlueLake/rejected/oops.md.why.md")
    say("The record is a git repository that anybody can read.")
    stage.show("git --git-dir ../home/mailbox.git log --oneline -6")
    stage.show("git --git-dir ../home/mailbox.git log -1 --grep 'Thread-Id: br-123' --stat --format=full", lines=20)
    stage.show("gitmaild status")


def main() -> None:
    stage = Stage()
    try:
        set_up(stage)
        join(stage)
        replay(stage)
        converse(stage)
        reserve(stage)
        find(stage)
        stand_for_others(stage)
        look_back(stage)
    finally:
        stage.close()
    console.print(
        "\nAll of it is gone again. Next: [bold]. .venv/bin/activate[/], then in a repository of yours "
        "[bold]gitmaild init && gitmaild serve[/], and tell an agent: read .gitmaild/README.md"
    )


if __name__ == "__main__":
    main()
