"""The guard's decisions and words, in this process: a view, a repository, a question."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitmaild.adapters import guard
from gitmaild.adapters.guard import passes, words
from gitmaild.adapters.guard.program import main, stamp
from tests.adapters.guarded import NOW, Guarded

GREEN = {"GITMAILD_AGENT": "GreenCastle"}


@pytest.fixture
def shop(tmp_path: Path) -> Guarded:
    """GreenCastle, RedCat and BlueLake work here; nothing is held."""
    made = Guarded(tmp_path / "shop", tmp_path / "home")
    made.commit("README.md", "src/api/routes.py", "src/api/models.py", "docs/api.md", text="old\n")
    made.held()
    return made


# --- what it says


def test_a_conflict_is_told_word_for_word(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**", lease_id="lease_20260101_0a1b2c3d"))
    shop.stage("src/api/routes.py")
    assert shop.ask("pre-commit", **GREEN) == (
        1,
        "BLOCKED: File 'src/api/routes.py' reserved by RedCat\n"
        "FILE_RESERVATION_CONFLICT: pattern 'src/api/**', lease lease_20260101_0a1b2c3d, reason br-123\n"
        "Reservation expires in: 45 minutes\n"
        "Options:\n"
        "  1. Wait for the reservation to expire, or queue for it: gitmaild reserve src/api/routes.py --wait 3600\n"
        "  2. Contact RedCat: gitmaild send --to RedCat --subject 'May I have src/api/routes.py?'\n"
        "  3. Use --no-verify to bypass (not recommended)\n",
    )


def test_each_lease_is_told_once_and_its_other_files_are_counted(shop: Guarded) -> None:
    shop.held(shop.lease("src/**"), shop.lease("docs/**", "BlueLake", reason=""))
    shop.stage("src/a.py", "src/b.py", "src/c.py", "docs/a.md", "docs/b.md", "free.py")
    said = shop.ask("pre-commit", **GREEN)[1]
    assert [line for line in said.splitlines() if line.startswith(("BLOCKED", "and "))] == [
        "BLOCKED: File 'docs/a.md' reserved by BlueLake",
        "and 1 more file of the same reservation",
        "BLOCKED: File 'src/a.py' reserved by RedCat",
        "and 2 more files of the same reservation",
    ]
    assert "reason" not in said.splitlines()[1]


def test_a_hundred_leases_are_not_told_in_full(shop: Guarded) -> None:
    shop.held(*(shop.lease(f"src/{n}.py", lease_id=f"lease_20260101_{n:08x}") for n in range(100)))
    shop.stage(*(f"src/{n}.py" for n in range(100)))
    said = shop.ask("pre-commit", **GREEN)[1]
    assert said.count("BLOCKED") == 10
    assert "and 90 more reservations of others\n" in said


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (0.4, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (2699.5, "45 minutes"),
        (3600, "1 hour"),
        (5400, "1 hour 30 minutes"),
        (86400, "1 day"),
        (90000, "1 day 1 hour"),
        (30 * 86400, "30 days"),
    ],
)
def test_the_time_left_is_told_in_words(shop: Guarded, left: float, told: str) -> None:
    shop.held(shop.lease("README.md", left=left))
    shop.stage("README.md")
    assert f"Reservation expires in: {told}\n" in shop.ask("pre-commit", **GREEN)[1]


@pytest.mark.parametrize("age", [12, 600, 7200, 200_000])
def test_the_age_of_a_view_that_nobody_keeps_is_told(shop: Guarded, age: int) -> None:
    told = {12: "12 s", 600: "10 minutes", 7200: "2 hours", 200_000: "2 days 7 hours"}
    shop.held(shop.lease("README.md"), age=age)
    shop.stage("README.md")
    status, said = shop.ask("pre-commit", **GREEN)
    assert (status, said.splitlines()[-1]) == (1, f"offline view, age {told[age]}")


def test_an_old_view_that_blocks_nothing_is_silent(shop: Guarded) -> None:
    shop.held(shop.lease("README.md"), age=999)
    shop.stage("docs/api.md")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


def test_nothing_of_a_lease_or_a_path_moves_the_cursor_or_forges_a_line(shop: Guarded) -> None:
    evil = "\x1b]52;c;eA==\x07\u202e\u2028BLOCKED: nothing\x85"
    shop.held(shop.lease("a/**", "RedCat", reason=evil, lease_id=evil))
    shop.stage("a/\x1b[2J.py")
    said = shop.ask("pre-commit", **GREEN)[1]
    assert all(line.isprintable() for line in said.split("\n"))
    assert len(said.splitlines()) == 7
    assert "File 'a/\\x1b[2J.py'" in said
    assert "gitmaild reserve $'" in said


def test_a_path_that_is_no_text_is_guarded_and_shown_escaped(shop: Guarded) -> None:
    name = b"caf\xe9.py"
    path = os.fsencode(shop.top) + b"/src/" + name
    with open(path, "w"):
        pass
    shop.git("add", "src")
    shop.held(shop.lease("src/*.py"))
    status, said = shop.ask("pre-commit", **GREEN)
    assert (status, "File 'src/caf\\xe9.py' reserved" in said) == (1, True)


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("src/a.py", "src/a.py"),
        ("my file", "'my file'"),
        ("it's", "'it'\\''s'"),
        ("a;rm -rf $HOME", "'a;rm -rf $HOME'"),
        ("app/[slug]/page.tsx", "':(literal)app/[slug]/page.tsx'"),
        ("-x", "':(literal)-x'"),
        ("größe", "'größe'"),
    ],
)
def test_what_is_to_be_pasted_is_one_word_of_a_shell(shop: Guarded, path: str, word: str) -> None:
    shop.held(shop.lease(f":(literal){path}"))
    shop.stage(path)
    said = shop.ask("pre-commit", **GREEN)[1]
    assert f": gitmaild reserve {word} --wait 3600\n" in said
    printed = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, text=True, check=True).stdout
    assert printed.removeprefix(":(literal)") == path


@pytest.mark.parametrize("text", ["\x1b[2J'\\", "a\nb", "\udce9x", "\u202e"])
def test_a_word_with_controls_says_the_same_bytes_to_a_shell(text: str) -> None:
    word = words.quote(text)
    assert word.isprintable()
    done = subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True)
    assert done.stdout == text.encode("utf-8", "surrogateescape")


# --- whose leases block


def test_other_paths_and_own_leases_and_expired_ones_do_not_block(shop: Guarded) -> None:
    shop.held(
        shop.lease("src/api/**", "GreenCastle"),
        shop.lease("docs/**", left=0.0),
        shop.lease("README.md", left=-1.0),
        shop.lease("src/ui/**"),
    )
    shop.stage("src/api/routes.py", "docs/api.md", "README.md")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


def test_a_lease_blocks_to_its_last_microsecond(shop: Guarded) -> None:
    shop.held(shop.lease("README.md", left=0.0001))
    shop.stage("README.md")
    assert shop.ask("pre-commit", **GREEN)[0] == 1


def test_only_staged_paths_count(shop: Guarded) -> None:
    shop.held(shop.lease("README.md"))
    shop.write("README.md", text="changed, not staged\n")
    shop.stage("docs/api.md")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


def test_a_rename_counts_on_both_names_and_a_deletion_on_its_own(shop: Guarded) -> None:
    shop.commit("docs/api.md", text="not what README says\n")
    for arguments in (["mv", "README.md", "free.md"], ["mv", "docs/api.md", "README.md", "-f"], ["rm", "-q", "README.md"]):
        shop.git("reset", "-q", "--hard")
        shop.held(shop.lease("README.md"))
        shop.git(*arguments)
        assert shop.ask("pre-commit", **GREEN)[1].startswith("BLOCKED: File 'README.md' reserved by RedCat\n")


def test_a_file_that_is_only_intended_to_be_added_is_not_committed(shop: Guarded) -> None:
    shop.held(shop.lease("new.py"))
    shop.write("new.py")
    shop.git("add", "-N", "new.py")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


def test_before_the_first_commit_everything_is_new(tmp_path: Path) -> None:
    shop = Guarded(tmp_path / "shop", tmp_path / "home")
    shop.held(shop.lease("src/a.py"))
    shop.stage("src/a.py")
    assert shop.ask("pre-commit", **GREEN)[0] == 1
    shop.git("rm", "-q", "--cached", "src/a.py")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


def test_where_git_folds_case_so_do_leases(shop: Guarded) -> None:
    shop.held(shop.lease("SRC/API/**"))
    shop.stage("src/api/routes.py")
    assert shop.ask("pre-commit", **GREEN) == (0, "")
    shop.git("config", "core.ignorecase", "true")
    assert shop.ask("pre-commit", **GREEN)[0] == 1


@pytest.mark.parametrize("name", ["caf\u00e9.txt", "cafe\u0301.txt"])
def test_a_name_with_an_accent_is_one_path_however_it_is_written(shop: Guarded, name: str) -> None:
    shop.held(shop.lease("caf\u00e9.txt"))
    shop.stage(name)
    assert shop.ask("pre-commit", **GREEN)[0] == 1


def test_a_shared_lease_is_for_reading(shop: Guarded) -> None:
    shop.held(shop.lease("docs/**", "GreenCastle", exclusive=False))
    shop.stage("docs/api.md", "docs/b.md")
    assert shop.ask("pre-commit", **GREEN) == (
        0,
        "WARNING: File 'docs/api.md' and 1 more file: your shared lease is for reading; to write: gitmaild reserve docs/api.md "
        "(shared lease is read-only)\n",
    )


def test_an_exclusive_lease_besides_is_enough_to_write(shop: Guarded) -> None:
    shop.held(shop.lease("docs/**", "GreenCastle", exclusive=False), shop.lease("docs/api.md", "GreenCastle"))
    shop.stage("docs/api.md")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


def test_who_reads_is_told_of_and_blocks_nobody(shop: Guarded) -> None:
    shop.held(shop.lease("docs/**", exclusive=False, lease_id="lease_20260101_00000001"))
    shop.stage("docs/api.md")
    assert shop.ask("pre-commit", **GREEN) == (
        0,
        "WARNING: File 'docs/api.md' is being read by RedCat (shared, pattern 'docs/**', lease lease_20260101_00000001)\n",
    )


# --- who commits


def test_identity_comes_from_the_first_that_says_one(shop: Guarded) -> None:
    shop.held(shop.lease("README.md", "GreenCastle"))
    shop.stage("README.md")
    (shop.top / ".gitmaild" / "agents" / "GreenCastle").mkdir(parents=True)
    assert shop.ask("pre-commit")[0] == 0, "the one desk here"
    shop.git("config", "gitmaild.agent", "BlueLake")
    assert shop.ask("pre-commit")[0] == 1
    assert shop.ask("pre-commit", AGENT_NAME="GreenCastle")[0] == 0
    assert shop.ask("pre-commit", AGENT_NAME="GreenCastle", GITMAILD_AGENT="RedCat")[0] == 1


def test_two_desks_say_nothing_and_the_overseers_does_not_count(shop: Guarded) -> None:
    shop.held(shop.lease("README.md", "GreenCastle"))
    shop.stage("README.md")
    for name in ("GreenCastle", "Overseer", "Postmaster"):
        (shop.top / ".gitmaild" / "agents" / name).mkdir(parents=True)
    assert shop.ask("pre-commit")[0] == 0
    (shop.top / ".gitmaild" / "agents" / "RedCat").mkdir()
    assert shop.ask("pre-commit")[0] == 1


def test_a_person_is_blocked_and_told_the_way_past(shop: Guarded) -> None:
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    status, said = shop.ask("pre-commit")
    assert status == 1
    assert said.splitlines()[-1] == "The guard takes you for a person; if you are RedCat: git config gitmaild.agent RedCat"


def test_a_name_that_nobody_registered_is_reported_and_counts_as_none(shop: Guarded) -> None:
    shop.held(shop.lease("README.md"))
    shop.stage("docs/api.md")
    status, said = shop.ask("pre-commit", GITMAILD_AGENT="redcat")
    assert (status, said) == (
        0,
        "GITMAILD_AGENT says 'redcat', who is not registered in this project: the guard takes you for a person\n",
    )
    shop.stage("README.md")
    assert shop.ask("pre-commit", GITMAILD_AGENT="redcat")[0] == 1


def test_the_overseer_is_a_person(shop: Guarded) -> None:
    shop.stage("README.md")
    assert shop.ask("pre-commit", GITMAILD_AGENT="Overseer") == (0, "")


# --- modes


@pytest.mark.parametrize("name", ["GITMAILD_GUARD_MODE", "AGENT_MAIL_GUARD_MODE"])
def test_warn_mode_tells_and_passes(shop: Guarded, name: str) -> None:
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    status, said = shop.ask("pre-commit", **GREEN, **{name: "warn"})
    assert (status, said.splitlines()[0]) == (0, "WARNING: File 'README.md' reserved by RedCat")
    assert "FILE_RESERVATION_CONFLICT" in said
    assert "--no-verify" not in said
    assert shop.ask("pre-commit", **GREEN, **{name: "block"})[0] == 1


def test_a_mode_that_is_none_blocks_and_says_so(shop: Guarded) -> None:
    shop.held(shop.lease("README.md"))
    shop.stage("README.md")
    status, said = shop.ask("pre-commit", **GREEN, GITMAILD_GUARD_MODE="wran", AGENT_MAIL_GUARD_MODE="warn")
    assert (status, "GITMAILD_GUARD_MODE is 'wran', which is neither block nor warn: the guard blocks\n" in said) == (
        1,
        True,
    )


# --- the view


def test_a_repository_that_is_in_no_project_is_not_ours(shop: Guarded) -> None:
    shop.git("config", "--unset", "gitmaild.project")
    shop.view.unlink()
    shop.stage("README.md")
    assert shop.ask("pre-commit") == (0, "")


def test_a_missing_view_blocks_and_names_the_ways_out(shop: Guarded) -> None:
    shop.view.unlink()
    shop.stage("README.md")
    status, said = shop.ask("pre-commit", **GREEN)
    assert status == 1
    assert said.splitlines()[0].startswith("BLOCKED: the guard cannot tell who holds what: there is no lease view")
    for part in (str(shop.view), "gitmaild serve --once", "gitmaild rebuild", "gitmaild guard remove", "--no-verify"):
        assert part in said
    assert shop.ask("pre-commit", **GREEN, GITMAILD_GUARD_MODE="warn")[0] == 0


@pytest.mark.parametrize("cut", [0, 1, 25, -1])
def test_a_torn_view_blocks_and_is_named(shop: Guarded, cut: int) -> None:
    shop.held(shop.lease("src/ui/**"))
    shop.view.write_bytes(shop.view.read_bytes()[:cut])
    shop.stage("README.md")
    status, said = shop.ask("pre-commit", **GREEN)
    assert (status, f"the lease view {shop.view} is torn" in said) == (1, True)


def test_a_view_with_a_pattern_that_is_none_blocks(shop: Guarded) -> None:
    shop.held(shop.lease("!no"))
    shop.stage("README.md")
    status, said = shop.ask("pre-commit", **GREEN)
    assert (status, "has a pattern that is none: '!no'" in said) == (1, True)


def test_without_the_home_the_worktree_s_own_view_serves_then_the_main_one_s(shop: Guarded, tmp_path: Path) -> None:
    shop.view.unlink()
    linked = tmp_path / "linked"
    shop.git("worktree", "add", "-q", str(linked))
    shop.held(shop.lease("README.md"), at=shop.top / ".gitmaild" / "leases" / ".view")
    (linked / "README.md").write_text("new\n")
    shop.git("-C", str(linked), "add", "README.md")
    assert shop.ask("pre-commit", here=linked, **GREEN)[0] == 1
    shop.held(at=linked / ".gitmaild" / "leases" / ".view")
    assert shop.ask("pre-commit", here=linked, **GREEN)[0] == 0


def test_a_view_that_is_no_file_is_passed_over(shop: Guarded) -> None:
    shop.view.unlink()
    os.mkfifo(shop.view)
    beside = shop.top / ".gitmaild" / "leases" / ".view"
    beside.parent.mkdir(parents=True)
    beside.symlink_to("/dev/zero")
    shop.stage("README.md")
    assert shop.ask("pre-commit", **GREEN)[0] == 1


# --- the trace of passes


def test_a_holder_s_pass_leaves_a_line_with_the_tree(shop: Guarded) -> None:
    shop.held(shop.lease("README.md", "GreenCastle"))
    shop.stage("README.md")
    index, config = ((shop.top / ".git" / name).read_bytes() for name in ("index", "config"))
    assert shop.ask("pre-commit", **GREEN) == (0, "")
    assert ((shop.top / ".git" / "index").read_bytes(), (shop.top / ".git" / "config").read_bytes()) == (index, config)
    assert shop.passes() == [["GreenCastle", "holder", shop.git("write-tree")]]
    assert [name for name in os.listdir(shop.top / ".git") if name.startswith("gitmaild-")] == ["gitmaild-passes"]


def test_a_warned_pass_leaves_a_line_and_others_leave_none(shop: Guarded) -> None:
    shop.held(shop.lease("README.md"), shop.lease("docs/**", "GreenCastle", exclusive=False))
    shop.stage("docs/api.md", "src/api/routes.py")
    shop.ask("pre-commit", **GREEN)
    shop.stage("README.md")
    shop.ask("pre-commit", **GREEN)
    assert shop.passes() == []
    shop.ask("pre-commit", GITMAILD_GUARD_MODE="warn")
    assert [line[:2] for line in shop.passes()] == [["-", "warned"]]


def test_the_trace_keeps_its_newest_half(shop: Guarded) -> None:
    line = f"GreenCastle holder {'0' * 40}\n"
    trace = shop.top / ".git" / passes.NAME
    trace.write_text(line * (256 * 1024 // len(line)))
    shop.held(shop.lease("README.md", "GreenCastle"))
    shop.stage("README.md")
    shop.ask("pre-commit", **GREEN)
    assert 120 * 1024 < trace.stat().st_size < 130 * 1024
    lines = trace.read_text().splitlines()
    assert {len(each) for each in lines} == {len(line) - 1}
    assert lines[-1].endswith(shop.git("write-tree"))


def test_a_trace_that_cannot_be_written_stops_no_commit(shop: Guarded) -> None:
    (shop.top / ".git" / passes.NAME).symlink_to("/nowhere/else")
    shop.held(shop.lease("README.md", "GreenCastle"))
    shop.stage("README.md")
    assert shop.ask("pre-commit", **GREEN) == (0, "")


# --- check


def test_check_asks_the_same_before_an_edit(shop: Guarded) -> None:
    shop.held(shop.lease("src/api/**"))
    assert shop.ask("check", "docs/api.md", **GREEN) == (0, "")
    status, said = shop.ask("check", "api/not-there-yet.py", here=shop.top / "src", **GREEN)
    assert (status, said.splitlines()[0]) == (1, "BLOCKED: File 'src/api/not-there-yet.py' reserved by RedCat")
    assert said.splitlines()[-1] == "  3. Edit other files until then"
    assert shop.ask("check", str(shop.top / "src" / "api" / "routes.py"), **GREEN)[0] == 1


def test_check_of_a_path_outside_says_so(shop: Guarded) -> None:
    status, said = shop.ask("check", "../elsewhere.py", **GREEN)
    assert (status, "'../elsewhere.py' is not in the worktree" in said) == (1, True)


def test_what_git_has_in_its_configuration_is_gone_past_in_another_way(shop: Guarded) -> None:
    shop.view.unlink()
    shop.commit("docs/api.md")
    line = f"{shop.git('rev-parse', 'HEAD~1')} {shop.git('rev-parse', 'HEAD')} refs/heads/main\n"
    shop.git("update-ref", "refs/heads/main", "HEAD~1")
    for environ, way in (({}, "core.hooksPath=/dev/null"), ({"GITMAILD_GUARD_EVENT": "x"}, ".enabled=false")):
        status, said = shop.ask("reference-transaction", "prepared", stdin=line, **environ)
        assert (status, way in said) == (1, True)


# --- the program


def test_an_event_that_is_none_is_a_usage_error(shop: Guarded) -> None:
    assert shop.ask("post-commit")[0] == 64


def test_only_what_is_about_to_happen_to_branches_is_looked_at(shop: Guarded) -> None:
    for state in ("preparing", "committed", "aborted"):
        assert shop.ask("reference-transaction", state, stdin="not even lines") == (0, "")
    assert shop.ask("reference-transaction", "prepared", stdin=f"{'0' * 40} {'1' * 40} refs/tags/x\n") == (0, "")


def test_without_git_it_blocks(shop: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    status, said = shop.ask("pre-commit")
    assert (status, "git cannot be started" in said) == (1, True)


def test_outside_of_a_repository_there_is_nothing_to_guard(tmp_path: Path) -> None:
    said = io.StringIO()
    streams = {"stdin": io.BytesIO(), "stderr": said}
    assert main(["pre-commit"], environ=dict(os.environ), cwd=str(tmp_path), now=NOW, **streams) == 0  # type: ignore[arg-type]


def test_stamps_compare_as_text() -> None:
    assert stamp(NOW) == "2026-01-01T00:00:00.000000Z"
    assert stamp(NOW - 0.000001) < stamp(NOW) < stamp(NOW + 0.000002)
    assert words.seconds(stamp(NOW)) == NOW
    assert words.seconds("rubbish") == 0.0


def test_a_commit_pays_for_few_imports() -> None:
    """What a fresh interpreter loads for the guard, beyond what it starts with."""
    code = (
        f"import sys; sys.path.append({str(Path(guard.__file__).parents[3])!r}); before = set(sys.modules); "
        "import gitmaild.adapters.guard.program; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if not name.startswith("gitmaild")}
    # -S leaves out what `site` would have loaded.
    assert loaded <= {"os", "os.path", "posixpath", "genericpath", "stat", "_stat", "_collections_abc", "abc", "_abc"}
