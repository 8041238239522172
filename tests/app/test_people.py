"""Contacts, roles, queues and boards as files show them, kept up and made anew."""

from pathlib import Path

import pytest

from gitmaild import wiring
from gitmaild.model.ids import hex_of
from gitmaild.model.settings import Settings
from tests.post import Post


@pytest.fixture
def post(post: Post) -> Post:
    post.agents("GreenCastle", "RedCat", "BlueLake")
    return post


def answer(post: Post, agent: str, stem: str) -> list[str]:
    """`status` and the recipients of an answer in `sent/`."""
    lines = post.sent(agent)[stem].splitlines()
    status = next(line.removeprefix("status: ") for line in lines if line.startswith("status: "))
    at = lines.index("recipients:")
    listed = [line.removeprefix("- ").strip('"') for line in lines[at + 1 :]]
    return [status, *listed[: next(i for i, line in enumerate(listed) if line == "---" or ": " in line[:8] or line == "")]]


def overseer(post: Post, /, **fields: str) -> None:
    name = "by.md"
    outbox = post.home.post / "shop" / "agents" / "Overseer" / "outbox"
    (outbox / f".{name}").write_text("---\n" + "".join(f"{key}: {value}\n" for key, value in fields.items()) + "---\n")
    (outbox / f".{name}").rename(outbox / name)
    post.settle()


def sound(post: Post) -> None:
    """Mirrors as if made from nothing, nothing twice, nothing that verify would not write."""
    post.check_mirrors()
    post.check_exactly_once()
    assert [(f.code, f.path, f.text) for f in wiring.open_records(post.home).verify()] == []


def test_a_senders_answer_follows_its_mail_from_the_door_into_the_inbox(post: Post) -> None:
    post.drop("RedCat", kind="contact-policy", policy="contacts_only")
    post.settle()
    post.drop("GreenCastle", to="RedCat, BlueLake", subject="lunch?", name="lunch.md")
    post.settle()
    assert answer(post, "GreenCastle", "lunch") == ["partly", "RedCat held", "BlueLake inbox"]
    assert post.inbox("RedCat") == ["Postmaster: GreenCastle wants to write to you"]
    sound(post)
    post.drop("RedCat", kind="contact-approve", agents="GreenCastle")
    post.settle()
    assert answer(post, "GreenCastle", "lunch") == ["delivered", "RedCat inbox", "BlueLake inbox"]
    assert "GreenCastle: lunch?" in post.inbox("RedCat")
    sound(post)


def test_a_senders_answer_says_why_its_mail_came_back(post: Post) -> None:
    post.drop("RedCat", kind="contact-policy", policy="contacts_only")
    post.settle()
    post.drop("GreenCastle", to="RedCat", subject="lunch?", name="lunch.md")
    post.settle()
    assert answer(post, "GreenCastle", "lunch") == ["held", "RedCat held"]
    post.drop("RedCat", kind="contact-deny", agents="GreenCastle", reason="ask BlueLake")
    post.settle()
    assert answer(post, "GreenCastle", "lunch") == ["partly", "RedCat bounced: RedCat takes no mail from you: ask BlueLake"]
    assert post.inbox("GreenCastle") == ["Postmaster: not delivered to RedCat: lunch?"]
    sound(post)


def test_the_daemon_wakes_up_when_quiet_is_over(post: Post) -> None:
    post.drop("RedCat", kind="dnd", seconds="30m")
    post.settle()
    post.drop("GreenCastle", to="RedCat", subject="lunch?")
    post.settle()
    assert post.inbox("RedCat") == []
    assert 0 < post.start().daemon.intake.tending.seconds_left() <= 1800
    post.stop()
    post.clock.advance(3600)
    post.settle()
    assert post.inbox("RedCat") == ["GreenCastle: lunch?"]
    sound(post)


def test_the_daemon_sends_back_what_nobody_agreed_to(post: Post) -> None:
    post.drop("RedCat", kind="contact-policy", policy="contacts_only")
    post.drop("GreenCastle", to="RedCat", subject="lunch?", name="lunch.md")
    post.settle()
    post.turn(8 * 24 * 3600)
    assert answer(post, "GreenCastle", "lunch")[0] == "partly"
    assert post.start().daemon.intake.tending.seconds_left() == float("inf")
    sound(post)


def test_a_queue_shows_in_every_root_until_somebody_claims(post: Post) -> None:
    overseer(post, kind="queue", name="reviewers", claim_seconds="30m")
    post.drop("GreenCastle", to="reviewers", subject="look", name="look.md")
    post.settle()
    shown = post.worktree / ".gitmaild" / "queues" / "reviewers"
    assert [path.name.split("_")[3] for path in shown.iterdir()] == ["look"]
    assert answer(post, "GreenCastle", "look") == ["delivered", "reviewers posted"]
    sound(post)
    post.drop("RedCat", kind="claim", queue="reviewers")
    post.settle()
    assert list(shown.iterdir()) == []
    assert post.inbox("RedCat") == ["GreenCastle: look"]
    assert answer(post, "GreenCastle", "look") == ["delivered", "RedCat inbox"]
    sound(post)
    post.turn(3600)
    assert len(list(shown.iterdir())) == 1
    assert post.inbox("RedCat") == [f"Postmaster: returned to reviewers: msg_20260101_{hex_of(shown_id(shown))}"]
    assert answer(post, "GreenCastle", "look") == ["delivered", "reviewers posted"]
    sound(post)


def shown_id(directory: Path) -> str:
    return next(directory.iterdir()).read_text().splitlines()[1].removeprefix("id: ")


def test_a_claimed_message_that_was_moved_to_acked_stays(post: Post) -> None:
    overseer(post, kind="queue", name="reviewers", claim_seconds="30m")
    post.drop("GreenCastle", to="reviewers", subject="look", name="look.md")
    post.settle()
    post.drop("RedCat", kind="claim", queue="reviewers")
    post.settle()
    post.file("RedCat", post.names("RedCat")[0], "acked")
    post.settle()
    post.turn(3600)
    assert (post.inbox("RedCat"), post.inbox("RedCat", "acked")) == ([], ["GreenCastle: look"])
    assert answer(post, "GreenCastle", "look") == ["delivered", "RedCat acked"]
    sound(post)


def test_a_board_shows_its_newest_in_every_root(post: Post) -> None:
    overseer(post, kind="board", name="news", keep="2")
    for number in range(3):
        post.drop("GreenCastle", to="news", subject=f"news {number}")
        post.settle()
    shown = post.worktree / ".gitmaild" / "boards" / "news"
    assert sorted(path.name.split("_")[3] for path in shown.iterdir()) == ["news-1", "news-2"]
    assert [post.inbox(agent) for agent in ("RedCat", "BlueLake")] == [[], []]
    sound(post)


def test_what_somebody_puts_beside_a_board_is_gone_when_it_is_made_anew(post: Post) -> None:
    post.drop("GreenCastle", to="general", subject="news")
    post.settle()
    shown = post.worktree / ".gitmaild" / "boards" / "general"
    (shown / "forged.md").write_text("from: Overseer\n")
    post.stop()
    (post.worktree / ".gitmaild" / ".checkpoint").unlink()
    post.settle()
    assert [path.name for path in shown.iterdir() if path.name == "forged.md"] == []


def test_the_page_of_agents_says_what_else_can_be_written_to(post: Post) -> None:
    overseer(post, kind="role-bind", role="Mayor", agent="GreenCastle", about="runs the town")
    overseer(post, kind="group", name="cats", members="RedCat, BlueLake")
    page = (post.worktree / ".gitmaild" / "agents.md").read_text()
    assert "- **Mayor**: GreenCastle; runs the town\n- **cats** (group): RedCat, BlueLake\n" in page
    sound(post)


# --- between projects


@pytest.fixture
def web(post: Post) -> Post:
    worktree = post.add_worktree("shop-web", "shop-web")
    post.drop("SwiftFalcon", name="join.md", worktree=worktree, kind="register")
    post.settle()
    return post


def there(post: Post) -> Path:
    return post.top / "shop-web"


def inbox(post: Post, agent: str) -> list[str]:
    return [name.split("_")[2] + ": " + name.split("_")[3] for name in post.names(agent, worktree=there(post))]


def test_mail_crosses_projects_when_it_is_agreed_to_and_both_sides_see_its_way(web: Post) -> None:
    (web.desk("GreenCastle") / "outbox" / "files").mkdir()
    (web.desk("GreenCastle") / "outbox" / "files" / "report.txt").write_text("all green\n")
    web.drop(
        "GreenCastle", to="SwiftFalcon@shop-web", subject="lunch?", thread_id="br-1", name="x.md", attachments="report.txt"
    )
    web.settle()
    assert answer(web, "GreenCastle", "x") == ["held", "SwiftFalcon@shop-web held"]
    assert not (there(web) / ".gitmaild" / "threads" / "br-1.md").exists()
    sound(web)
    web.drop("SwiftFalcon", kind="contact-approve", agents="GreenCastle@shop", worktree=there(web))
    web.settle()
    assert sorted(inbox(web, "SwiftFalcon")) == [
        "GreenCastle: lunch",
        "Postmaster: greencastle-shop-wants-to-write-to-you",
    ]
    assert answer(web, "GreenCastle", "x") == ["delivered", "SwiftFalcon@shop-web inbox"]
    assert "GreenCastle@shop" in (there(web) / ".gitmaild" / "threads" / "br-1.md").read_text()
    assert len(list((there(web) / ".gitmaild" / "files").glob("*/report.txt"))) == 1
    sound(web)
    [name] = [n for n in web.names("SwiftFalcon", worktree=there(web)) if "_GreenCastle_" in n]
    web.file("SwiftFalcon", name, "acked", worktree=there(web))
    web.settle()
    assert answer(web, "GreenCastle", "x") == ["delivered", "SwiftFalcon@shop-web acked"]
    sound(web)


def test_an_answer_crosses_back(web: Post) -> None:
    web.drop("GreenCastle", to="SwiftFalcon@shop-web", subject="lunch?", thread_id="br-1")
    web.settle()
    web.drop("SwiftFalcon", kind="contact-approve", agents="GreenCastle@shop", worktree=there(web))
    web.settle()
    [name] = [n for n in web.names("SwiftFalcon", worktree=there(web)) if "_GreenCastle_" in n]
    an_id = (web.desk("SwiftFalcon", there(web)) / "inbox" / name).read_text().splitlines()[1].removeprefix("id: ")
    web.drop("SwiftFalcon", in_reply_to=an_id, worktree=there(web))
    web.settle()
    assert web.inbox("GreenCastle") == ["SwiftFalcon: RE: lunch?"]
    page = (web.worktree / ".gitmaild" / "threads" / "br-1.md").read_text()
    assert "SwiftFalcon@shop-web -> GreenCastle" in page
    sound(web)


def test_a_home_that_opens_its_projects_delivers_at_once(tmp_path: Path) -> None:
    post = Post(tmp_path, Settings(cross_project_policy="open"))
    post.agents("GreenCastle")
    worktree = post.add_worktree("shop-web", "shop-web")
    post.drop("SwiftFalcon", name="join.md", worktree=worktree, kind="register")
    post.settle()
    post.drop("GreenCastle", to="SwiftFalcon@shop-web", subject="lunch?", name="x.md")
    post.settle()
    assert inbox(post, "SwiftFalcon") == ["GreenCastle: lunch"]
    assert answer(post, "GreenCastle", "x") == ["delivered", "SwiftFalcon@shop-web inbox"]
    sound(post)
    post.stop()
