"""From the printed link to an answer, in Chromium, behind the door of a real `gitmaild serve`."""

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitmaild.adapters.client.lobby import Lobby
from tests.adapters.runner import process, repository

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install -e '.[dev]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="no browser here: apt-get install chromium"),
]


@pytest.fixture
def shop(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A repository whose daemon serves on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("HTTP_PORT", str(free.getsockname()[1]))
    here = repository(tmp_path / "shop")
    assert process("init", here=here).returncode == 0
    daemon = subprocess.Popen([sys.executable, "-m", "gitmaild", "serve"], cwd=here, stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        assert "is serving" in daemon.stdout.readline()
        assert "Server starting" in daemon.stdout.readline()
        yield here
    finally:
        daemon.terminate()
        daemon.wait(20)
        if daemon.stdout:
            daemon.stdout.close()


def test_log_in_by_the_printed_link_write_see_the_answer_come_in(shop: Path, home: Path) -> None:
    said: list[str] = []
    red = Lobby(home, environment={}).for_agent("shop", "RedCat")
    red.register(program="Codex")
    link = process("web", here=shop).stdout.strip()
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(link)
        page.wait_for_url(re.compile("/mail"))
        page.get_by_role("link", name="Compose").click()
        page.get_by_label("To", exact=True).fill("RedCat")
        page.get_by_label("Subject").fill("Stop the line")
        page.get_by_label("Text").fill("Now.")
        page.get_by_role("button", name="Send").click()
        playwright.expect(page.get_by_role("status").filter(has_text="Sent.")).to_be_visible()
        playwright.expect(page.locator("#live")).to_have_text("live")
        (mail,) = red.inbox()
        red.reply(mail.id, "Stopped.")
        playwright.expect(page.get_by_text("Stopped.")).to_be_visible()
        again = browser.new_context().new_page()
        again.goto(link)
        assert "/mail" not in again.url
        browser.close()
    assert said == []
