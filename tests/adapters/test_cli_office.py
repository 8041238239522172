"""init, serve, status, log, rebuild."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.adapters.runner import Terminal, git, process, repository


@contextmanager
def somebody_serves(home: Path) -> Iterator[None]:
    """Somebody holds the lock of this home, and answers nothing."""
    fd = os.open(home / "state" / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(fd)


# --- init


def test_init_asks_nothing_and_says_what_is_next(bare_terminal: Terminal, home: Path) -> None:
    said = bare_terminal.ok("init").out
    assert said.splitlines()[0] == f"project shop: mail for agents in {bare_terminal.here}/.gitmaild"
    assert "gitmaild serve" in said
    assert "gitmaild register GreenCastle" in said
    assert (home / "mailbox.git" / "HEAD").exists()
    assert home.stat().st_mode & 0o777 == 0o700


def test_init_in_json(bare_terminal: Terminal, home: Path) -> None:
    root = str(bare_terminal.here / ".gitmaild")
    assert bare_terminal.ok("init", "--json").json == {"success": True, "project": "shop", "root": root, "home": str(home)}


def test_init_leaves_no_trace_in_the_status_of_the_repository(terminal: Terminal) -> None:
    assert git(terminal.here, "status", "--porcelain", "--ignored=no") == ""
    assert (terminal.here / ".gitmaild" / ".gitignore").read_text() == "*\n"


def test_init_tells_the_repository_where_its_mail_is(terminal: Terminal, home: Path) -> None:
    assert git(terminal.here, "config", "--local", "gitmaild.home").strip() == str(home)
    assert git(terminal.here, "config", "--local", "gitmaild.project").strip() == "shop"


def test_init_keeps_the_comments_of_the_users_git_configuration(bare_terminal: Terminal) -> None:
    config = bare_terminal.here / ".git" / "config"
    config.write_text(config.read_text() + "# mine\n[alias]\n\tst = status ; short\n")
    bare_terminal.ok("init")
    assert "# mine\n[alias]\n\tst = status ; short\n" in config.read_text()


def test_init_may_be_repeated(terminal: Terminal, home: Path) -> None:
    def everything() -> list[bytes]:
        files = (home / "roots.yaml", terminal.here / ".git" / "config", terminal.here / ".gitmaild" / "README.md")
        return [path.read_bytes() for path in files]

    before, commits = everything(), git(home / "mailbox.git", "rev-list", "main")
    terminal.ok("init")
    assert (everything(), git(home / "mailbox.git", "rev-list", "main")) == (before, commits)


def test_init_writes_the_page_that_teaches_the_protocol(terminal: Terminal) -> None:
    page = (terminal.here / ".gitmaild" / "README.md").read_text()
    assert page.startswith("# Mail for agents and people (project shop)\n")
    assert len(page.splitlines()) <= 60


def test_a_subdirectory_is_its_worktree(bare_terminal: Terminal) -> None:
    (bare_terminal.here / "src" / "api").mkdir(parents=True)
    said = bare_terminal.ok("init", "--json", here=bare_terminal.here / "src" / "api").json
    assert said["root"] == str(bare_terminal.here / ".gitmaild")


def test_linked_worktrees_are_one_project(terminal: Terminal, tmp_path: Path) -> None:
    """Row 107."""
    git(terminal.here, "worktree", "add", "-q", str(tmp_path / "review"))
    assert terminal.ok("init", "--json", here=tmp_path / "review").json["project"] == "shop"
    terminal.join("GreenCastle")
    terminal.join("RedCat", here=tmp_path / "review")
    terminal.mail("GreenCastle", "--to", "RedCat", "--subject", "over there")
    assert [m["subject"] for m in terminal.ok("--json", "--as", "RedCat", "inbox").json] == ["over there"]
    assert len(list((tmp_path / "review/.gitmaild/agents/RedCat/inbox").glob("*.md"))) == 1


def test_a_linked_worktree_that_nobody_enrolled_still_knows_its_project(crew: Terminal, tmp_path: Path) -> None:
    git(crew.here, "worktree", "add", "-q", str(tmp_path / "review"))
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "hi")
    assert len(crew.ok("--json", "--as", "RedCat", "inbox", here=tmp_path / "review").json) == 1


def test_a_second_repository_of_the_same_name_is_refused_with_the_ways_out(terminal: Terminal, tmp_path: Path) -> None:
    other = repository(tmp_path / "elsewhere" / "shop")
    refused = terminal("init", here=other)
    assert refused.status == 65
    assert "--project shop-2" in refused.err
    assert "--project shop --join" in refused.err
    assert not (other / ".gitmaild").exists()
    assert terminal.ok("--json", "init", "--project", "shop-2", here=other).json["project"] == "shop-2"


def test_a_second_clone_joins_on_purpose(terminal: Terminal, tmp_path: Path) -> None:
    clone = repository(tmp_path / "elsewhere" / "shop")
    assert terminal.ok("--json", "init", "--project", "shop", "--join", here=clone).json["project"] == "shop"
    terminal.join("GreenCastle")
    assert [a["agent_name"] for a in terminal.ok("--json", "agents", here=clone).json] == ["GreenCastle", "Overseer"]


def test_a_repository_has_one_project(terminal: Terminal) -> None:
    refused = terminal("init", "--project", "store")
    assert refused.status == 65
    assert "is project 'shop' already" in refused.err


@pytest.mark.parametrize("slug", ["Shop", "a b", "../x", "x" * 64, "shop.web"])
def test_a_slug_that_is_none_is_refused(bare_terminal: Terminal, slug: str, home: Path) -> None:
    refused = bare_terminal("init", "--project", slug)
    assert (refused.status, "bad-slug" in refused.err) == (65, True)
    assert not (bare_terminal.here / ".gitmaild").exists()


def test_a_directory_without_git_is_a_project_too(bare_terminal: Terminal, tmp_path: Path) -> None:
    plain = tmp_path / "My Notes"
    plain.mkdir()
    assert bare_terminal.ok("--json", "init", here=plain).json["project"] == "my-notes"
    bare_terminal.join("GreenCastle", here=plain)
    assert (plain / ".gitmaild/agents/GreenCastle/inbox").is_dir()


def test_a_repository_without_a_commit_is_a_project_too(bare_terminal: Terminal, tmp_path: Path) -> None:
    young = repository(tmp_path / "young", commit=False)
    assert bare_terminal.ok("--json", "init", here=young).json["project"] == "young"


def test_a_bare_repository_is_a_plain_directory(bare_terminal: Terminal, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "hub.git")
    said = bare_terminal.ok("--json", "init", here=tmp_path / "hub.git").json
    assert (said["project"], said["root"]) == ("hub-git", str(tmp_path / "hub.git/.gitmaild"))


def test_init_takes_the_worktree_as_an_argument(bare_terminal: Terminal, tmp_path: Path) -> None:
    said = bare_terminal.ok("--json", "init", str(bare_terminal.here), here=tmp_path).json
    assert said["root"] == str(bare_terminal.here / ".gitmaild")
    assert bare_terminal("init", "nowhere", here=tmp_path).status == 64


def test_init_follows_no_symlink_that_a_checkout_holds(bare_terminal: Terminal, tmp_path: Path) -> None:
    (bare_terminal.here / ".gitmaild").mkdir()
    (bare_terminal.here / ".gitmaild" / ".gitignore").symlink_to(tmp_path / "victim")
    bare_terminal("init")
    assert not (tmp_path / "victim").exists()


def test_init_refuses_a_desk_root_that_is_a_symlink(bare_terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (bare_terminal.here / ".gitmaild").symlink_to(tmp_path / "victim")
    assert bare_terminal("init").status == 69
    assert list((tmp_path / "victim").iterdir()) == []


def test_init_beside_a_daemon_that_does_not_answer_is_queued(bare_terminal: Terminal, home: Path) -> None:
    (home / "state").mkdir(parents=True)
    with somebody_serves(home):
        assert bare_terminal("init").status == 3


# --- where the home is


def test_the_home_may_be_named_by_storage_root(
    bare_terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 101."""
    monkeypatch.delenv("GITMAILD_HOME")
    monkeypatch.setenv("STORAGE_ROOT", str(tmp_path / "storage"))
    bare_terminal.ok("init")
    assert (tmp_path / "storage" / "mailbox.git" / "HEAD").exists()


def test_the_home_is_known_to_a_worktree(terminal: Terminal, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITMAILD_HOME")
    assert terminal.ok("status", "--json").json["home"] == str(home)


def test_an_option_wins_over_the_environment(terminal: Terminal, tmp_path: Path) -> None:
    assert terminal.ok("--home", str(tmp_path / "other"), "status", "--json").json["home"] == str(tmp_path / "other")


# --- which project


def test_outside_of_every_worktree_a_project_is_named(crew: Terminal, tmp_path: Path) -> None:
    away = tmp_path / "away"
    away.mkdir()
    crew.ok("init", here=repository(tmp_path / "web"))
    assert crew("agents", here=away).status == 65
    assert "known: shop, web" in crew("agents", here=away).err
    for named in ("shop", str(crew.here), "../shop"):
        assert len(crew.ok("--project", named, "--json", "agents", here=away).json) == 4


def test_a_slug_that_nobody_has_is_not_taken_for_the_project_around_here(crew: Terminal) -> None:
    refused = crew("--project", "shpo", "agents")
    assert (refused.status, "no project 'shpo'" in refused.err) == (65, True)


# --- serve


def test_serve_once_answers_what_waits(crew: Terminal, home: Path) -> None:
    with somebody_serves(home):
        assert crew("--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", stdin="").status == 3
    assert crew.ok("serve", "--once", "--json").json == {"answered": 1}
    assert len(crew.ok("--json", "--as", "RedCat", "inbox").json) == 1


def test_one_daemon_serves_a_home(terminal: Terminal, home: Path) -> None:
    with somebody_serves(home):
        refused = terminal("serve", "--once")
    assert refused.status == 75
    assert "another gitmaild" in refused.err


# --- status


def test_status_in_json(crew: Terminal, home: Path) -> None:
    said = crew.ok("status", "--json").json
    root = str(crew.here / ".gitmaild")
    assert (said["running"], said["holder"], said["alarms"], said["away"]) == (False, "", [], {})
    assert said["tip"] == git(home / "mailbox.git", "rev-parse", "main").strip()
    assert said["commits"] == 4
    assert said["roots"] == [str(home / "post/shop"), root]


def test_status_counts_what_waits(crew: Terminal, home: Path) -> None:
    outbox = crew.here / ".gitmaild/agents/GreenCastle/outbox"
    (outbox / "a.md").write_text("---\nto: RedCat\n---\n")
    (outbox / ".draft.md").write_text("---\n")
    (outbox / ".claimed").mkdir(exist_ok=True)
    (outbox / ".claimed" / "cmd_20260101_00000000.b.md").write_text("---\nto: RedCat\n---\n")
    said = crew.ok("status", "--json").json
    assert said["waiting"][str(crew.here / ".gitmaild")] == {"GreenCastle": 2}
    assert "waiting: GreenCastle 2" in crew.ok("status").out


def test_status_says_that_somebody_serves(terminal: Terminal, home: Path) -> None:
    with somebody_serves(home):
        assert terminal.ok("status", "--json").json["running"] is True


def test_status_survives_what_an_agent_puts_in_the_place_of_an_outbox(crew: Terminal) -> None:
    outbox = crew.here / ".gitmaild/agents/GreenCastle/outbox"
    outbox.rename(outbox.with_name("old"))
    outbox.write_text("not a directory")
    said = crew.ok("status", "--json").json
    assert list(said["away"]) == [str(crew.here / ".gitmaild")]


def test_status_says_what_is_wrong_with_the_mailbox(terminal: Terminal, home: Path) -> None:
    (home / "mailbox.git" / "refs" / "heads" / "main").write_text("garbage\n")
    said = terminal("status", "--json")
    assert said.status == 1
    assert len(said.json["alarms"]) == 1


def test_status_where_nothing_was_set_up(bare_terminal: Terminal) -> None:
    assert bare_terminal.ok("status", "--json").json["tip"] == ""
    assert "daemon    not running: gitmaild serve" in bare_terminal.ok("status").out


# --- log


def test_the_log_is_git_log(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "[br-123] Start", "--thread", "br-123")
    assert crew.ok("log", "--format=%s", "-1").out == "deliver: GreenCastle -> RedCat: [br-123] Start\n"
    assert len(crew.ok("log", "--oneline", "--author=GreenCastle").out.splitlines()) == 2
    assert len(crew.ok("log", "--oneline", "--grep", "Thread-Id: br-123").out.splitlines()) == 1


def test_the_log_takes_paths_behind_two_dashes(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    assert len(crew.ok("log", "--oneline", "--", "shop/agents/RedCat/inbox").out.splitlines()) == 1
    assert len(crew.ok("log", "--grep", "x", "--oneline", "--", "shop/agents/RedCat/inbox").out.splitlines()) == 1


def test_the_log_in_json(crew: Terminal) -> None:
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", "--thread", "br-1")
    for options in ((), ("--stat",), ("--oneline", "-p")):
        newest, *_ = crew.ok("log", "--json", *options).json
        assert (newest["author"], newest["subject"]) == ("GreenCastle", "deliver: GreenCastle -> RedCat: x")
        assert newest["trailers"]["Message-Id"] == mail
        assert newest["trailers"]["Thread-Id"] == "br-1"
    assert len(crew.ok("log", "--json", "--stat").json) == 5


def test_every_message_has_its_history(crew: Terminal) -> None:
    """Row 66: creation, reading and acknowledging are changes of their own."""
    mail = crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x")
    crew.ok("--as", "RedCat", "read", mail)
    crew.ok("--as", "RedCat", "ack", mail)
    said = crew.ok("log", "--json", "--", "shop/agents/RedCat").json
    assert [row["subject"].split(":")[0] for row in said] == ["ack", "read", "deliver", "register"]


def test_a_wrong_option_of_git_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal("log", "--no-such-option").status == 64


def test_the_log_of_no_mailbox_says_what_to_do(bare_terminal: Terminal) -> None:
    refused = bare_terminal("log")
    assert (refused.status, "gitmaild init" in refused.err) == (69, True)


# --- rebuild


def test_rebuild_makes_desks_anew(crew: Terminal) -> None:
    crew.mail("GreenCastle", "--to", "RedCat", "--subject", "x", "--thread", "br-1")
    root = crew.here / ".gitmaild"
    inbox = root / "agents/RedCat/inbox"
    [name] = os.listdir(inbox)
    (inbox / name).unlink()
    (root / "threads/br-1.md").unlink()
    assert crew.ok("rebuild", "--json").json == {"success": True}
    assert os.listdir(inbox) == [name]
    assert (root / "threads/br-1.md").exists()


def test_rebuild_is_left_to_the_daemon_that_runs(crew: Terminal, home: Path) -> None:
    with somebody_serves(home):
        assert crew("rebuild").status == 3
    assert (home / "state" / "rebuild").exists()


# --- processes


@pytest.mark.slow
def test_two_agents_without_a_daemon_do_not_lose_each_others_mail(crew: Terminal, home: Path) -> None:
    """Whoever finds the lock taken by another command's pass runs one itself as soon as that is over."""
    import subprocess
    import sys

    command = [sys.executable, "-m", "gitmaild", "--json", "--as"]
    senders = [
        subprocess.Popen(
            [*command, name, "send", "--to", "BlueLake", "-s", f"{name} {n}"],
            cwd=crew.here,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        for n in range(2)
        for name in ("GreenCastle", "RedCat")
    ]
    answers = [json.loads(sender.communicate(timeout=50)[0]) for sender in senders]
    assert [answer["status"] for answer in answers] == ["delivered"] * 4
    assert len(crew.ok("--json", "--as", "BlueLake", "inbox").json) == 4


@pytest.mark.slow
def test_a_command_is_answered_by_the_daemon_that_runs(crew: Terminal, home: Path) -> None:
    import subprocess
    import sys

    daemon = subprocess.Popen(
        [sys.executable, "-m", "gitmaild", "serve"],
        cwd=crew.here,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert daemon.stdout is not None
        assert daemon.stdout.readline().startswith(f"gitmaild is serving {home}: 2 desk roots (pid ")
        assert crew.ok("status", "--json").json["holder"].startswith(f"pid {daemon.pid}, host ")
        sent = crew.ok("--json", "--as", "GreenCastle", "send", "--to", "RedCat", "-s", "x", stdin="", patience=20).json
        assert sent["status"] == "delivered"
        second = process("serve", here=crew.here)
        assert (second.returncode, f"pid {daemon.pid}" in second.stderr) == (75, True)
    finally:
        daemon.terminate()
        daemon.communicate(timeout=20)
    assert daemon.returncode == 0
