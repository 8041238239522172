"""A mailbox as gitmaild wrote it has no findings; each kind of change by hand has one, with its commit and path."""

import os
import subprocess
from collections.abc import Callable

import pytest

from gitmaild import wiring
from gitmaild.model.errors import MailError
from gitmaild.rules.verify import Finding
from tests.post import Post

Put = dict[str, bytes | None]


def findings(post: Post) -> list[Finding]:
    return list(wiring.open_records(post.home).verify())


def codes(post: Post) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in findings(post)]


def by_hand(post: Post, files: Put, message: str = "by hand\n", *, onto: str = "main", as_gitmaild: str = "") -> str:
    """Commit files (None removes) on main, as anybody with a shell may; `as_gitmaild` is the agent that it is forged for."""
    index = str(post.top / "index")
    environment = os.environ | {"GIT_DIR": str(post.home.mailbox), "GIT_INDEX_FILE": index}

    def git(*arguments: str, stdin: bytes = b"", **more: str) -> str:
        done = subprocess.run(["git", *arguments], input=stdin, env=environment | more, check=True, capture_output=True)
        return done.stdout.decode().strip()

    git("read-tree", onto)
    for path, data in files.items():
        if data is None:
            git("update-index", "--index-info", stdin=f"0 {'0' * 40}\t{path}\n".encode())
        else:
            blob = git("hash-object", "-w", "--stdin", stdin=data)
            git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    who: dict[str, str] = {}
    if as_gitmaild:
        seconds = "1767225700 +0000"  # 2026-01-01T00:01:40Z
        who = {"GIT_AUTHOR_NAME": as_gitmaild, "GIT_COMMITTER_NAME": "gitmaild", "GIT_COMMITTER_EMAIL": "gitmaild@localhost"}
        who |= {"GIT_AUTHOR_DATE": seconds, "GIT_COMMITTER_DATE": seconds}
    made = git("commit-tree", git("write-tree"), "-p", onto, stdin=message.encode(), **who)
    git("update-ref", "refs/heads/main", made)
    os.unlink(index)
    return made


def forged(kind: str, agent: str = "GreenCastle", **more: str) -> str:
    lines = {"Command": f"{kind} cmd_20260101_ffffffff", "Project": "shop", "From": agent}
    lines |= {key.replace("_", "-"): value for key, value in more.items()} | {"Accepted": "2026-01-01T00:01:40.000000Z"}
    return f"{kind}: by hand\n\n" + "".join(f"{key}: {value}\n" for key, value in lines.items())


@pytest.fixture
def busy(post: Post) -> Post:
    """After letters, a reply, a bounce, readings, a refusal, leases that were held, renewed, waited for and ended."""
    post.agents("GreenCastle", "RedCat", "BlueLake")
    post.drop("GreenCastle", to="RedCat, NoBody", bcc="BlueLake", subject="lunch?", thread_id="123")
    post.drop("RedCat", kind="reserve", paths="src/api/**", ttl_seconds="60")
    post.settle()
    post.drop("GreenCastle", kind="reserve", paths="src/api/x.py", wait_seconds="600")
    post.drop("BlueLake", kind="reserve", paths="docs/**", reason="br-123")
    post.drop("RedCat", to="nobody-at-all", subject="x")
    post.settle()
    [name] = post.names("RedCat")[:1]
    post.file("RedCat", name, "read")
    post.file("BlueLake", post.names("BlueLake")[0], "read")
    post.drop("BlueLake", kind="renew")
    post.settle()
    post.file("RedCat", name, "acked", source="read")
    post.drop("BlueLake", kind="release")
    post.settle(10)
    return post


def letter(post: Post, below: str) -> str:
    return next(path for path in post.tree() if path.startswith(f"shop/{below}") and not path.endswith("profile.yaml"))


def test_a_busy_mailbox_is_as_gitmaild_wrote_it(busy: Post) -> None:
    kinds = {trailers["Command"].partition(" ")[0] for _, trailers, _ in busy.commits()}
    assert kinds >= {"message", "read", "ack", "refuse", "reserve", "renew", "release"}
    assert findings(busy) == []
    assert busy.start().daemon.turn([]) == 0


def test_an_empty_mailbox_has_nothing_to_be_found(post: Post) -> None:
    post.start()
    assert [finding.code for finding in findings(post)] in ([], ["unknown-format"])


def _canonical(post: Post) -> str:
    return letter(post, "messages/")


def _acked(post: Post) -> str:
    return letter(post, "agents/RedCat/acked/")


def _ended(post: Post) -> str:
    return letter(post, "leases-ended/")


BREAKS: list[tuple[str, Callable[[Post], str], Callable[[Post, str], Put]]] = [
    ("message-changed", _canonical, lambda post, path: {path: b"---\nid: other\n---\n"}),
    ("message-removed", _canonical, lambda post, path: {path: None}),
    ("copy-changed", _acked, lambda post, path: {path: b"changed\n"}),
    ("copy-removed", _acked, lambda post, path: {path: None}),
    ("lease-changed", _ended, lambda post, path: {path: b"id: x\n"}),
    ("lease-changed", _ended, lambda post, path: {path: None}),
    ("unknown-format", lambda post: "FORMAT", lambda post, path: {path: b"2\n"}),
    ("unknown-format", lambda post: "FORMAT", lambda post, path: {path: None}),
    ("fence-not-grown", lambda post: "shop/fence.yaml", lambda post, path: {path: b"fence: 1\n"}),
    ("file-removed", lambda post: "shop/agents/RedCat/profile.yaml", lambda post, path: {path: None}),
    ("file-changed", lambda post: "shop/project.yaml", lambda post, path: {path: b"project: other\n"}),
]


@pytest.mark.parametrize(("code", "where", "change"), BREAKS)
def test_what_was_edited_by_hand_is_found_with_its_commit_and_path(
    busy: Post, code: str, where: Callable[[Post], str], change: Callable[[Post, str], Put]
) -> None:
    path = where(busy)
    made = by_hand(busy, change(busy, path))
    found = findings(busy)
    assert {finding.commit for finding in found} <= {made, found[-1].commit}
    assert (code, path) in [(finding.code, finding.path) for finding in found]
    assert ("foreign", path) in codes(busy)


def test_a_forged_commit_that_looks_like_gitmailds_is_found_by_what_it_did(busy: Post) -> None:
    path = _canonical(busy)
    message = forged("message", Message_Id="msg_20260101_ffffffff", Thread_Id="x", To="RedCat", Result="delivered")
    made = by_hand(busy, {path: b"changed\n"}, message, as_gitmaild="GreenCastle")
    found = findings(busy)
    assert {finding.commit for finding in found} == {made}
    assert ("message-changed", path) in codes(busy)
    assert "foreign" not in [finding.code for finding in found]


def test_a_copy_that_moved_in_a_commit_of_another_message_is_found_unless_it_is_blind(busy: Post) -> None:
    (openly,) = (path for path in busy.tree() if path.startswith("shop/agents/RedCat/acked/"))
    busy.drop("GreenCastle", to="RedCat", bcc="BlueLake", subject="dinner?")
    busy.settle(10)
    named = {
        name: next(p for p in busy.tree() if f"/{name}/inbox/" in p and "dinner" in p) for name in ("RedCat", "BlueLake")
    }
    for agent, path in named.items():
        data = busy.blob(busy.tree()[path])
        by_hand(busy, {path: None, path.replace("/inbox/", "/read/"): data}, forged("read", agent), as_gitmaild=agent)
    told = [(finding.code, finding.path) for finding in findings(busy) if "moved" in finding.text]
    assert openly and told == [("trailers-disagree", named["RedCat"].replace("/inbox/", "/read/"))]


def test_a_copy_that_went_back_is_found(busy: Post) -> None:
    path = _acked(busy)
    back = path.replace("/acked/", "/inbox/")
    data = busy.git("show", f"main:{path}").encode()
    by_hand(busy, {path: None, back: data}, forged("read", "RedCat"), as_gitmaild="RedCat")
    assert codes(busy) == [("copy-moved-back", back)]


def test_a_copy_for_somebody_who_was_never_sent_the_message_differs_from_nothing_but_its_commit(busy: Post) -> None:
    path = _acked(busy)
    forged_path = path.replace("/RedCat/acked/", "/GreenCastle/inbox/")
    by_hand(busy, {forged_path: b"other words\n"})
    assert codes(busy) == [("foreign", forged_path), ("copy-differs", forged_path)]


def test_an_id_is_used_once(busy: Post) -> None:
    path = _canonical(busy)
    twin = path.replace("/00/msg", "/00/001/msg")
    assert twin != path
    by_hand(busy, {twin: busy.git("show", f"main:{path}").encode()})
    assert ("id-twice", twin) in codes(busy)


def test_a_message_without_its_file_is_found_by_its_trailers(busy: Post) -> None:
    made = by_hand(busy, {}, forged("message", Message_Id="msg_20260101_ffffffff", To="RedCat"), as_gitmaild="GreenCastle")
    assert [(finding.commit, finding.code) for finding in findings(busy)] == [(made, "trailers-disagree")]


def test_a_lease_that_did_not_end_is_found_by_its_trailers(busy: Post) -> None:
    [held] = [path for path in busy.tree() if path.startswith("shop/leases/")]
    an_id = held.rpartition("/")[2].removesuffix(".yaml")
    by_hand(busy, {}, forged("release", Lease_Id=an_id, Lease_State="released"), as_gitmaild="GreenCastle")
    assert codes(busy) == [("trailers-disagree", "")]


def test_leases_granted_to_one_request_are_in_order_whatever_their_ids(busy: Post) -> None:
    busy.drop_text("GreenCastle", "---\nkind: reserve\npaths: [k, l, m, n, o, p]\n---\n")
    busy.settle()
    assert codes(busy) == []


def test_a_lease_that_is_held_again_under_its_old_fence_is_found(busy: Post) -> None:
    path = _ended(busy)
    held = f"shop/leases/{path.rpartition('/')[2]}"
    by_hand(busy, {held: busy.git("show", f"main:{path}").encode()})
    assert ("lease-went-back", held) in codes(busy)


def test_a_history_that_was_rewritten_is_found_although_every_commit_looks_right(busy: Post) -> None:
    busy.stop()
    busy.git("update-ref", "refs/heads/main", "main~2")
    [finding] = findings(busy)
    assert finding.code == "history-rewritten"


def test_an_amended_commit_is_found_by_its_times_and_names(busy: Post) -> None:
    text = busy.git("log", "-1", "--format=%B", "main")
    parent = busy.git("rev-parse", "main~1").strip()
    by_hand(busy, {}, text, onto=parent)
    assert {finding.code for finding in findings(busy)} >= {"history-rewritten", "rewritten"}


def test_a_symlink_or_a_program_in_the_tree_is_found(busy: Post) -> None:
    blob = busy.git("rev-parse", f"main:{_canonical(busy)}").strip()
    tree = busy.git("ls-tree", "main") + f"120000 blob {blob}\tlink\n"
    made = subprocess.run(["git", "mktree"], input=tree.encode(), env=os.environ | {"GIT_DIR": str(busy.home.mailbox)}, check=True, capture_output=True)  # fmt: skip
    commit = busy.git("commit-tree", made.stdout.decode().strip(), "-p", "main", "-m", "by hand").strip()
    busy.git("update-ref", "refs/heads/main", commit)
    assert codes(busy) == [("foreign", "link"), ("odd-mode", "link")]


def test_a_lost_object_is_a_finding_or_a_failure_and_never_passed_over(busy: Post) -> None:
    path = _canonical(busy)
    data = busy.git("show", f"main:{path}").encode() + b"more\n"
    made = by_hand(busy, {path.replace(".md", "0.md"): data})
    blob = busy.git("rev-parse", f"{made}:{path.replace('.md', '0.md')}").strip()
    (busy.home.mailbox / "objects" / blob[:2] / blob[2:]).unlink()
    assert ("lost-object", path.replace(".md", "0.md")) in codes(busy)
    tree = busy.git("rev-parse", f"{made}^{{tree}}").strip()
    (busy.home.mailbox / "objects" / tree[:2] / tree[2:]).unlink()
    with pytest.raises(MailError):
        findings(busy)
