"""The page for people, asked as a browser with JavaScript off asks it: what is shown, what forms do, what attacks become."""

import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.web import charts, pages, words
from gitmaild.adapters.web.markdown import markdown
from gitmaild.adapters.web.render import HERE
from gitmaild.model.commands import KINDS
from tests.post import Post
from tests.webpage import TOKEN, application, build_town, lobby_of

# What may stand in a page. Nothing that a strict policy would block: no script or style of its own, no handler, no style.
_TAGS_THAT_LOAD = {"img", "iframe", "object", "embed", "audio", "video", "base", "style"}
_FORMS = ("send", "reply", "ack", "read", "contact", "release", "post")


class Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def check_harmless(text: str) -> Page:
    """Nothing in the page runs, loads from elsewhere, or leads to anything but the web, mail, or the page itself."""
    page = Page(text)
    assert [attributes for attributes in page.all("script") if attributes != {"src": "/mail/_/app.js", "defer": ""}] == []
    for tag, attributes in page.tags:
        assert tag not in _TAGS_THAT_LOAD, tag
        assert [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc", "formaction")] == [], tag
        for name in ("href", "src", "action", "xlink:href"):
            if value := attributes.get(name):
                assert re.match(r"(?:/(?!/)|\?|#|https?://|mailto:)", value), value
        if tag in ("link", "script"):
            assert (attributes.get("href") or attributes.get("src", "")).startswith("/mail/_/")
    return page


class Browser:
    """A browser that runs no script."""

    def __init__(self, lobby: Lobby, scope: str = "overseer") -> None:
        self.lobby = lobby
        self.client = TestClient(application(lobby, scope=scope), base_url="http://127.0.0.1:8765")

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(f"/mail{path}")
        assert answer.status_code == status, answer.text
        return str(answer.text)

    def post(self, path: str, status: int = 303, **fields: Any) -> str:
        """Where the form leads, or what it says when it leads nowhere."""
        answer = self.client.post(f"/mail{path}", data={"csrf": TOKEN} | fields, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return str(answer.headers["location"] if status == 303 else answer.text)

    def agent(self, name: str) -> Any:
        return self.lobby.for_agent("shop", name)


@pytest.fixture
def empty(post: Post) -> Iterator[Browser]:
    """A project where nobody has registered."""
    post.turn()
    post.stop()
    yield Browser(lobby_of(post))


@pytest.fixture
def crew(post: Post) -> Browser:
    post.agents("GreenCastle", "RedCat", "BlueLake")
    post.stop()
    return Browser(lobby_of(post))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    """Read only."""
    return Browser(build_town(Post(tmp_path_factory.mktemp("town")), mail=80))


DEEPER = (
    "/thread/br-123",
    "/thread/br-123/who-knew",
    "/agents/GreenCastle",
    "/agents/GreenCastle?folder=acked",
    "/agents/Overseer",
    "/boards/general",
    "/queues/triage",
    "/search?q=merge",
    "/search?q=from:",
    "?only=mine",
    "/log?author=RedCat&thread=br-123",
    "/compose?to=everyone&subject=x",
)


# --- pages


@pytest.mark.parametrize("path", ["", "?only=mine", *(f"/{name}" for name in pages.PAGES), "/search?q=merge"])
def test_every_page_of_an_empty_project_is_whole(empty: Browser, path: str) -> None:
    page = check_harmless(empty.get(f"/shop{path}"))
    assert len(page.all("h1")) == 1 or 'class="empty"' in empty.get(f"/shop{path}")
    assert page.all("nav")


@pytest.mark.parametrize("path", ["", *(f"/{name}" for name in pages.PAGES), *DEEPER])
def test_every_page_of_a_full_project_is_whole_without_scripts(town: Browser, path: str) -> None:
    page = check_harmless(town.get(f"/shop{path}"))
    assert len(page.all("h1")) == 1
    for form in page.all("form"):
        if form.get("method") == "post":
            assert form["action"].rpartition("/")[2] in _FORMS
    assert [f for f in page.all("input") if f.get("name") == "csrf" and f["value"] != TOKEN] == []
    posts = sum(1 for form in page.all("form") if form.get("method") == "post")
    assert sum(1 for field in page.all("input") if field.get("name") == "csrf") == posts


def test_all_mail_is_in_one_list_newest_first_with_who_has_read_it(town: Browser) -> None:
    text = town.get("/shop")
    places = [
        text.index(title) for title in ("Runbook is ready", "May I drop the old session table?", "Cart forgets the coupon")
    ]
    assert places == sorted(places)
    assert '<bdi>RedCat</bdi><i class="st ok" title="acknowledged">' in text


def test_older_mail_is_a_page_further_and_no_message_is_left_out(town: Browser) -> None:
    seen: list[str] = []
    path = "/shop"
    for _ in range(20):
        text = town.get(path)
        seen += re.findall(r'/mail/shop/thread/[^"#]+#(msg_[0-9a-f_]+)" data-row', text)
        older = re.search(r'href="/mail(/shop\?before=[^"]+)"', text)
        if not older:
            break
        path = older[1]
    kept = town.agent("").search("after:30d", limit=1000)
    assert len(seen) == len(set(seen)) > 80
    assert set(seen) == {each["id"] for each in kept}


def test_a_new_agent_and_a_new_lease_are_there_at_once(crew: Browser) -> None:
    """Rows 11 and 30, at the addresses of the first project as well."""
    crew.agent("OldMill").register(program="Codex", model="GPT", task_description="writes the runbook")
    crew.agent("OldMill").reserve(["src/api/**"], reason="br-7", ttl_seconds=1800)
    for at in ("", "/shop"):
        assert "OldMill" in crew.get(f"{at}/agents")
        page = check_harmless(crew.get(f"{at}/reservations"))
        for word in ("src/api/**", "OldMill", "exclusive", "br-7", "min left"):
            assert word in page.words, word


def test_the_registry_is_a_tree() -> None:
    leases = [{"pattern": p, "holder": "RedCat"} for p in ("src/api/**", "src/api/v1/x.py", "README.md")]
    tree = charts.registry([*leases, {"slot": "frontend-build", "holder": "RedCat"}])
    assert [each["pattern"] for each in tree["leases"]] == ["README.md"]
    api = tree["below"]["src"]["below"]["api"]
    assert [each["pattern"] for each in api["leases"]] == ["src/api/**"]
    assert [each["pattern"] for each in api["below"]["v1"]["leases"]] == ["src/api/v1/x.py"]
    assert [each["slot"] for each in tree["below"]["build slots"]["leases"]] == ["frontend-build"]


def test_a_thread_is_a_tree_of_its_answers_with_what_belongs_to_it(town: Browser) -> None:
    text = town.get("/shop/thread/br-123")
    depths = re.findall(r'<li class="card letter d(\d)', text)
    assert depths == ["0", "1", "2", "1", "0"]
    for part in ("src/api/auth/**", "Decided: rotate", "Not acknowledged", "<td>same pair</td>", "<code>revoke</code> must"):
        assert part in text, part


def test_a_query_that_is_wrong_names_its_column_and_the_language_is_explained(town: Browser) -> None:
    text = Page(town.get("/shop/search?q=form:RedCat")).words
    assert "did you mean from" in text
    assert "messages with both words" in text


def test_the_audit_log_shows_what_each_commit_changed_in_the_tree(town: Browser) -> None:
    text = town.get("/shop/log")
    assert '<li class="put"><b aria-hidden="true">+</b> <code>shop/messages/' in text
    assert "Message-Id" in text


def test_projects_are_switched_and_seen_together(post: Post) -> None:
    post.agents("GreenCastle", "RedCat")
    other = post.add_worktree("web", project="web")
    post.drop("BlueLake", name="join.md", worktree=other, kind="register")
    post.turn()
    post.drop("BlueLake", to="BlueLake", subject="of the web", worktree=other)
    post.drop("RedCat", to="GreenCastle", subject="of the shop")
    post.settle()
    post.stop()
    browser = Browser(lobby_of(post))
    both = browser.get("/")
    assert "of the web" in both
    assert "of the shop" in both
    assert 'href="/mail/web"' in browser.get("/shop")
    assert "of the web" not in browser.get("/shop")
    assert "of the web" in browser.get("/web")


def test_nobody_but_the_overseer_sees_or_does_anything(post: Post) -> None:
    post.agents("GreenCastle")
    post.stop()
    for scope in ("agent", "none"):
        browser = Browser(lobby_of(post), scope=scope)
        for path in ("/", "/shop", "/agents", "/shop/log", "/shop/agents/GreenCastle"):
            assert "GreenCastle" not in browser.get(path, status=403)
        browser.post("/shop/send", status=403, to="GreenCastle", subject="x", body="y")
    assert browser.agent("GreenCastle").inbox() == []


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/nowhere/log",
        "/shop/thread/no-such",
        "/shop/message/msg_20260101_00000000",
        "/shop/boards/nope",
        "/shop/agents/NoBody",
        "/shop/thread/%2e%2e",
        "/shop/agents/%2e%2e%2f%2e%2e",
        "/_/%2e%2e/site.py",
    ],
)
def test_what_is_not_there_is_not_found(crew: Browser, path: str) -> None:
    check_harmless(crew.get(path, status=404).replace("Not Found", ""))


def test_reading_a_page_marks_nothing_as_read(crew: Browser) -> None:
    sent = crew.agent("RedCat").send(["Overseer"], "Look", "at this")
    for path in ("/shop", "/shop?only=mine", f"/shop/thread/{sent['thread_id']}", "/shop/agents/Overseer"):
        assert "Look" in crew.get(path)
    assert [each.state for each in crew.agent("Overseer").inbox()] == ["inbox"]


# --- forms


def test_the_overseer_writes_and_agents_see_from_whom(crew: Browser) -> None:
    """Row 112."""
    where = crew.post("/shop/send", to=["RedCat", "GreenCastle, BlueLake"], subject="Stop the line", body="**Now.**")
    assert where.startswith("/mail/shop/thread/")
    for name in ("RedCat", "GreenCastle", "BlueLake"):
        (mail,) = crew.agent(name).inbox()
        assert (mail.from_, mail.subject, mail.importance, mail.body) == ("Overseer", "Stop the line", "high", "**Now.**")
    assert "<strong>Now.</strong>" in crew.get(where.removeprefix("/mail"))


def test_to_everyone_to_a_role_and_to_a_group(crew: Browser) -> None:
    overseer = crew.agent("Overseer")
    overseer.call("role_bind", {"role": "Reviewer", "agent": "RedCat"})
    overseer.call("group", {"name": "backend", "members": ["GreenCastle", "BlueLake"]})
    for name in ("everyone", "Reviewer", "backend"):
        assert f'value="{name}"' in crew.get("/shop/compose")
        crew.post("/shop/send", to=name, subject=f"to {name}", body="x", importance="normal")
    assert [m.subject for m in crew.agent("RedCat").inbox()] == ["to Reviewer", "to everyone"]
    assert [m.subject for m in crew.agent("BlueLake").inbox()] == ["to backend", "to everyone"]


def test_a_form_that_is_sent_twice_is_one_message(crew: Browser) -> None:
    for _ in range(2):
        crew.post("/shop/send", to="RedCat", subject="once", body="x", token="abc")
    assert [m.subject for m in crew.agent("RedCat").inbox()] == ["once"]


@pytest.mark.parametrize(
    "fields",
    [{"to": ""}, {"to": "not a name!"}, {"to": "RedCat", "importance": "asap"}, {"to": "RedCat", "ack_within": "soon"}],
)
def test_a_refused_form_comes_back_with_the_reason_and_all_that_was_written(crew: Browser, fields: dict[str, str]) -> None:
    text = crew.post("/shop/send", status=422, subject="My <subject>", body="My & text", **fields)
    page = check_harmless(text)
    assert 'class="note bad" role="alert"' in text
    assert "My & text" in page.words
    assert [f["value"] for f in page.all("input") if f.get("name") == "subject"] == ["My <subject>"]
    assert crew.agent("RedCat").inbox() == []


def test_reply_read_and_acknowledge(crew: Browser) -> None:
    asked = crew.agent("RedCat").send(["Overseer"], "May I?", "?", thread_id="br-9", ack_required=True)
    more = crew.agent("RedCat").send(["Overseer"], "By the way", "fyi")
    text = crew.get("/shop/thread/br-9")
    assert "acknowledge</button>" in text
    crew.post("/shop/ack", id=asked["id"], back="/mail/shop/thread/br-9")
    assert crew.agent("RedCat").acks(sent=True) == []
    where = crew.post("/shop/read", id=more["id"], back="/mail/shop?only=mine")
    assert where == "/mail/shop?only=mine&done=read"
    assert "Marked as read." in crew.get(where.removeprefix("/mail"))
    assert crew.agent("Overseer").inbox() == []
    crew.post("/shop/reply", id=asked["id"], body="You may.")
    (answer,) = crew.agent("RedCat").inbox()
    assert (answer.from_, answer.subject, answer.thread_id) == ("Overseer", "RE: May I?", "br-9")
    assert "there is nothing written" in crew.post("/shop/reply", status=422, id=asked["id"], body=" ")


@pytest.mark.parametrize(
    "back", ["//evil.example", "https://evil.example", "/mail//evil", "/mail\\@evil", "/other", "/mail/shop\r\nX: y"]
)
def test_a_form_leads_only_to_pages_of_ours(crew: Browser, back: str) -> None:
    sent = crew.agent("RedCat").send(["Overseer"], "x", "y")
    assert crew.post("/shop/read", id=sent["id"], back=back) == "/mail/shop?done=read"


def test_a_contact_is_approved_and_another_denied(crew: Browser) -> None:
    crew.post("/shop/contact", verdict="policy", policy="contacts_only")
    crew.agent("RedCat").send(["Overseer"], "Let me in", "please")
    crew.agent("BlueLake").send(["Overseer"], "Me too", "please")
    assert {m.from_ for m in crew.agent("Overseer").inbox()} == {"Postmaster"}
    assert "Let me in" in crew.get("/shop/contacts")
    (note, _) = crew.agent("Overseer").inbox()
    assert "contact" in crew.get(f"/shop/message/{note.id}")
    crew.post("/shop/contact", verdict="approve", agent="RedCat")
    assert [m.subject for m in crew.agent("Overseer").inbox() if m.from_ == "RedCat"] == ["Let me in"]
    crew.post("/shop/contact", verdict="deny", agent="BlueLake", reason="not now")
    assert "not now" in crew.agent("BlueLake").inbox()[0].body
    assert "no verdict" in crew.post("/shop/contact", status=422, verdict="maybe")


def test_a_lease_is_taken_away_with_a_reason_and_its_holder_is_told(crew: Browser) -> None:
    lease = crew.agent("RedCat").reserve(["src/**"])["granted"][0]["id"]
    assert "say why" in crew.post("/shop/release", status=422, lease=lease, reason="")
    crew.post("/shop/release", status=422, reason="all of them")
    assert len(crew.agent("RedCat").leases()) == 1
    crew.post("/shop/release", lease=lease, reason="RedCat has gone home")
    assert crew.agent("RedCat").leases() == []
    assert any("RedCat has gone home" in mail.body for mail in crew.agent("RedCat").inbox())
    assert "RedCat has gone home" in crew.get("/shop/reservations")


def test_a_post_on_a_board_is_seen_by_all_and_in_no_inbox(crew: Browser) -> None:
    """Row 113."""
    crew.agent("Overseer").call("board", {"name": "general"})
    crew.post("/shop/post", board="general", subject="Holiday", body="on Friday")
    assert "Holiday" in crew.get("/shop/boards/general")
    assert "Holiday" in crew.get("/shop/boards")
    assert crew.agent("RedCat").inbox() == []
    crew.post("/shop/post", status=404, board="RedCat", subject="not a board", body="x")
    assert crew.agent("RedCat").inbox() == []


def test_an_enormous_form_is_refused(crew: Browser) -> None:
    crew.post("/shop/send", status=413, to="RedCat", subject="x", body="y" * 5_000_000)
    crew.post("/shop/send", status=413, **{f"f{n}": "x" for n in range(300)})


# --- attacks

# FAULTS: raw HTML, addresses that run, pictures that tell, links that hide where they lead.
ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java&#115;cript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox(1))",
    "![t](http://tracker.example/p.png)",
    "[x](//evil.example/a)",
    "<iframe src=https://evil.example></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    '[x](https://a.example "onmouseover=alert(1) x=\\"")',
    '<https://a.example/"onclick=alert(1)>',
    "```<script>\nalert(1)\n```",
    "<style>*{background:url(https://evil.example)}</style>",
    "</textarea></title></pre><script>alert(1)</script><!--",
    "<form action=https://evil.example><input name=csrf></form>",
    "\u202e<b>gpj.exe\u202c {{ 7*7 }} {% raw %}",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_can_do_nothing(attack: str) -> None:
    page = check_harmless(markdown(attack))
    for tag, _ in page.tags:
        assert tag in ("p", "a", "pre", "code", "em", "strong"), tag
    for link in page.all("a"):
        assert link["rel"] == "noopener noreferrer nofollow"
        assert link.get("href", "https://").startswith(("https://", "mailto:"))


def test_attacks_in_every_field_are_text_on_every_page(crew: Browser) -> None:
    """Row 111."""
    lines = [attack.replace("\n", " ") for attack in ATTACKS]
    for number, (attack, line) in enumerate(zip(ATTACKS, lines, strict=True)):
        crew.agent("RedCat").send(["Overseer", "GreenCastle"], line, attack, thread_id=f"evil-{number}", ack_required=True)
    everything = " ".join(lines)[:400]
    crew.agent("RedCat").register(program=everything, model=everything, task_description=everything)
    crew.agent("RedCat").reserve(["src/<script>alert(1)<b>/**"], reason=everything)
    crew.agent("RedCat").reserve(["docs/**"], reason=lines[1])
    overseer = crew.agent("Overseer")
    overseer.call("board", {"name": "general", "about": lines[0]})
    overseer.call("group", {"name": "backend", "members": ["RedCat"], "about": lines[1]})
    overseer.call("role_bind", {"role": "Reviewer", "agent": "RedCat", "about": lines[2]})
    crew.agent("RedCat").send(["general"], lines[0], ATTACKS[1])
    shown = [
        "",
        "?only=mine",
        *(f"/{name}" for name in pages.PAGES),
        "/agents/RedCat",
        "/agents/GreenCastle",
        "/boards/general",
    ]
    shown += [f"/thread/evil-{number}" for number in range(len(ATTACKS))]
    shown += [f"/search?q={quote(attack)}" for attack in ATTACKS] + [
        f"/compose?to={quote(a)}&subject={quote(a)}" for a in ATTACKS
    ]
    shown += ["/search?q=alert", "/thread/evil-0/who-knew", "/log?author=" + quote(lines[0]) + "&thread=" + quote(lines[1])]
    for path in shown:
        page = check_harmless(crew.get(f"/shop{path}"))
        assert [a for tag, a in page.tags if tag == "form" and "evil" in a.get("action", "")] == []
    assert lines[0] in check_harmless(crew.get("/shop")).words
    assert "src/<script>alert(1)<b>/**" in check_harmless(crew.get("/shop/reservations")).words
    assert check_harmless(crew.get("/shop/agents")).words.count("<script>alert(1)</script>") >= 2


def test_attacks_in_forms_and_addresses_are_text(crew: Browser) -> None:
    for attack in ATTACKS:
        check_harmless(crew.post("/shop/send", status=422, to=attack, subject=attack, body=attack, importance=attack))
        check_harmless(crew.get(f"/{quote(attack, safe='')}", status=404))
        check_harmless(crew.get(f"/shop/thread/{quote(attack, safe='')}?done={quote(attack)}", status=404))


HARD = ("[", "*", "`", "> ", "![](", "[a](", "|", "*a_ ", "**a *", "a\n", "- ", "<", "[x]: y\n", "~~", "[[", "1) ", "\\[")


@pytest.mark.parametrize("text", HARD)
def test_no_text_holds_a_page_up(text: str) -> None:
    """The worst that is parsed at all, by processor time: other work on the machine is not ours."""
    began = time.process_time()
    rendered = markdown(text * (60_000 // len(text)))
    assert time.process_time() - began < 2.5
    check_harmless(rendered)


def test_a_text_that_is_too_long_is_shown_as_it_is() -> None:
    text = "<b>" * 60_000
    assert check_harmless(markdown(text)).words == text


# --- small things


def test_ages_names_and_beginnings() -> None:
    assert [words.span(s) for s in (0, 5, 89, 90, 7199, 7200, 172_800)] == [
        "now",
        "5 s",
        "89 s",
        "1 min",
        "119 min",
        "2 h",
        "2 d",
    ]
    assert [words.initials(name) for name in ("GreenCastle", "Overseer", "everyone", "")] == ["GC", "O", "E", ""]
    assert words.snippet("## Plan\n\n* `a` **b**") == "Plan a b"
    assert words.moment("no time") is None
    assert words.hue("RedCat") == words.hue("RedCat")


def test_the_script_hears_of_every_kind_of_event() -> None:
    """A source of events has to be asked for each kind by name."""
    script = (HERE / "static" / "app.js").read_text()
    for kind in (
        *KINDS,
        "expire",
        "grant",
        "warn",
        "remind",
        "escalate",
        "let-in",
        "send-back",
        "return",
        "found",
        "guard.bypassed",
        "foreign",
    ):
        assert f'"{kind}"' in script


def test_templates_and_static_files_carry_nothing_from_elsewhere() -> None:
    for path in sorted(Path(HERE).glob("*/*.*")):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, path
        assert "style=" not in text and "onclick" not in text, path
