"""The page for people in a real browser: Debian's Chromium, driven by Playwright, with scripts on and off."""

import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from gitmaild.adapters.client.lobby import Lobby
from gitmaild.adapters.web import pages
from tests.post import Post
from tests.webpage import build_town, lobby_of, served

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")
if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no browser here: apt-get install chromium"),
]
PATHS = ["", "?only=mine", *(f"/{name}" for name in pages.PAGES), "/thread/br-123", "/agents/GreenCastle", "/boards/general"]
PATHS += ["/thread/br-123/who-knew", "/search?q=merge"]


@pytest.fixture(scope="module")
def chromium() -> Iterator["Browser"]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a town, for reading."""
    with served(build_town(Post(tmp_path_factory.mktemp("town")), mail=60)) as address:
        yield address


@pytest.fixture
def crew(post: Post) -> Iterator[tuple[str, Lobby]]:
    """The address of a project with three agents, for writing."""
    post.agents("GreenCastle", "RedCat", "BlueLake")
    post.stop()
    lobby = lobby_of(post)
    with served(lobby) as address:
        yield address, lobby


Open = Callable[..., "Page"]


@pytest.fixture
def visit(chromium: "Browser") -> Iterator[Open]:
    """Opens a page; after the test, nothing was said on its console, and it has asked nobody but its own server."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def opened(address: str, *, scripts: bool = True, width: int = 1280, dark: bool = False) -> "Page":
        context = chromium.new_context(
            java_script_enabled=scripts,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        page.set_default_timeout(10_000)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert {urlsplit(url).hostname for url in asked} == {"127.0.0.1"}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_every_page_opens_in_light_and_dark_wide_and_on_a_phone(town: str, visit: Open, scripts: bool) -> None:
    for width, dark in ((1280, False), (390, True)):
        page = visit(f"{town}/mail", scripts=scripts, width=width, dark=dark)
        for path in PATHS:
            answer = page.goto(f"{town}/mail/shop{path}")
            assert answer is not None
            assert answer.status == 200, path
            assert page.locator("h1").count() == 1, path
            if scripts:
                # Nothing sticks out sideways: a phone need not be scrolled both ways.
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_the_overseer_composes_and_replies(crew: tuple[str, Lobby], visit: Open, scripts: bool) -> None:
    """Row 222."""
    address, lobby = crew
    page = visit(f"{address}/mail", scripts=scripts)
    page.get_by_role("link", name="Compose").click()
    page.locator("label.pick", has_text="RedCat").click()
    page.get_by_label("To", exact=True).fill("BlueLake")
    page.get_by_label("Subject").fill("Stop the line")
    page.get_by_label("Text").fill("**Now**, please.")
    page.get_by_role("button", name="Send").click()
    playwright.expect(page.get_by_role("status").filter(has_text="Sent.")).to_be_visible()
    playwright.expect(page.locator(".text strong")).to_have_text("Now")
    (mail,) = lobby.for_agent("shop", "RedCat").inbox()
    assert (mail.from_, mail.importance, mail.subject) == ("Overseer", "high", "Stop the line")
    lobby.for_agent("shop", "RedCat").reply(mail.id, "Stopped. Shall I wait?", ack_required=True)
    page.goto(f"{address}/mail?")
    page.get_by_role("link", name="RE: Stop the line").click()
    page.locator("#answer").fill("Yes.")
    page.get_by_role("button", name="Reply").click()
    playwright.expect(page.locator(".letter")).to_have_count(3)
    assert lobby.for_agent("shop", "RedCat").inbox()[0].body.strip() == "Yes."
    page.get_by_role("button", name="acknowledge").first.click()
    playwright.expect(page.get_by_role("status").filter(has_text="Acknowledged.")).to_be_visible()
    assert lobby.for_agent("shop", "RedCat").acks(sent=True) == []


def test_a_lease_is_taken_away(crew: tuple[str, Lobby], visit: Open) -> None:
    address, lobby = crew
    lobby.for_agent("shop", "RedCat").reserve(["src/api/**"], reason="br-1")
    page = visit(f"{address}/mail/reservations")
    page.locator("summary", has_text="release").click()
    page.get_by_label("Why").fill("gone home")
    page.get_by_role("button", name="Force release").click()
    playwright.expect(page.get_by_text("All land is free")).to_be_visible()
    assert lobby.for_agent("shop", "RedCat").leases() == []


def test_new_mail_comes_in_by_itself_and_what_is_being_written_stays(crew: tuple[str, Lobby], visit: Open) -> None:
    address, lobby = crew
    page = visit(f"{address}/mail/shop")
    playwright.expect(page.locator("#live")).to_have_text("live")
    lobby.for_agent("shop", "RedCat").send(["Overseer"], "Look here", "at this", thread_id="br-5")
    playwright.expect(page.get_by_text("Look here")).to_be_visible()
    playwright.expect(page.locator("#nav .count")).to_have_text("1")
    page.goto(f"{address}/mail/shop/thread/br-5")
    playwright.expect(page.locator("#live")).to_have_text("live")
    page.locator("#answer").fill("half a sen")
    lobby.for_agent("shop", "RedCat").send(["Overseer"], "And here", "again", thread_id="br-5")
    playwright.expect(page.locator(".letter")).to_have_count(2)
    assert page.locator("#answer").input_value() == "half a sen"


def test_keys_walk_the_list_and_lead_to_pages(town: str, visit: Open) -> None:
    page = visit(f"{town}/mail/shop")
    page.keyboard.press("j")
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.getAttribute('href')")
    assert first == page.locator("[data-row]").nth(1).get_attribute("href")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/thread/**")
    page.keyboard.press("r")
    assert page.evaluate("document.activeElement.id") == "answer"
    page.keyboard.press("Escape")
    for keys, where in (("gl", "**/reservations"), ("ga", "**/agents"), ("c", "**/compose")):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_url(where)
    page.keyboard.press("?")
    playwright.expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("merge")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=merge")


def test_attacks_do_nothing_in_a_browser(crew: tuple[str, Lobby], visit: Open) -> None:
    from tests.adapters.test_web import ATTACKS

    address, lobby = crew
    red = lobby.for_agent("shop", "RedCat")
    for attack in ATTACKS:
        red.send(["Overseer"], attack.replace("\n", " "), attack, thread_id="evil")
    red.reserve(["src/**"], reason=ATTACKS[0])
    page = visit(f"{address}/mail/shop/thread/evil")
    for path in ("", "/thread/evil", "/agents/RedCat", "/reservations", "/log", "/search?q=alert", "/threads"):
        page.goto(f"{address}/mail/shop{path}")
        for link in page.locator(".text a").all():
            assert str(link.get_attribute("href") or "https://").startswith(("https://", "mailto:"))
