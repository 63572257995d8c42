"""The status page in a real browser, which shows a certificate as every peer does."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.parse
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Response, expect, sync_playwright

from agent.journal import Journal, NewRun
from agent.service.certificate import Certificate, own_certificate
from linux.sandbox.install import can_install, install
from tests.patience import PATIENCE
from tests.service.conftest import Agent

pytestmark = pytest.mark.system

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def browser(tool: Callable[[str], str]) -> Iterator[Browser]:
    if find_library("atomic") is None and can_install():
        install(["libatomic1"], say=lambda _line: None)  # what drives the browser loads it
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=tool("chromium"), args=SWITCHES)
        yield chromium
        chromium.close()


Visitor = Callable[..., BrowserContext]


@pytest.fixture
def visit(browser: Browser, agent: Agent) -> Iterator[Visitor]:
    """A visitor with a certificate, the agent's client's own if nothing else is said."""
    contexts: list[BrowserContext] = []

    def make(certificate: Certificate | None = None, *, javascript: bool = True, width: int = 1280) -> BrowserContext:
        shown = certificate or agent.own
        paths = {"origin": agent.url, "certPath": str(shown.certificate), "keyPath": str(shown.key)}
        context = browser.new_context(
            ignore_https_errors=True,
            client_certificates=[paths],  # type: ignore[list-item]
            java_script_enabled=javascript,
            viewport={"width": width, "height": 800},
        )
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    response = go(page, url)
    assert response.status == 200, page.content()
    return page


def go(page: Page, url: str) -> Response:
    """Open a page; again when an engine's network appears or goes meanwhile, for which browsers drop connections."""
    for _ in range(5):
        try:
            response = page.goto(url)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in str(error):
                raise
        else:
            assert response is not None
            if response.status != 200 or page.evaluate("document.styleSheets.length"):
                return response  # else it was the style sheet's connection
    pytest.fail("the machine's network does not come to rest")


def history(home: Path, *ids: str) -> None:
    """Deployments that succeeded, one after another, as a run writes them."""
    journal = Journal(home / "journal.db")
    for number, name in enumerate(ids, 1):
        entry = journal.begin(
            NewRun(
                id=name, kind="deployment", slot="shop/test/untenanted/web", release=f"1.{number}.0", project="Shop",
                environment="Test", tenant="", step="web", host="unix://",
            )
        )  # fmt: skip
        entry.note(image=f"registry:5000/shop:1.{number}.0-{name.lower()}", digest="sha256:" + "a" * 64)
        entry.packages([("Shop.Web", "Shop.Web", f"1.{number}.0", "b" * 64, 1000)])
        entry.changes([("structured", "appsettings.json", "Title", "Title", "Old <b>shop</b>", f"Shop {number}")])
        entry.finish("succeeded", container=f"shop-{name.lower()}", outputs={"Image": f"shop:{number}"})
    journal.close()


def test_overview_tells_what_serves(agent: Agent, visit: Visitor) -> None:
    history(agent.home, "Deployments-1", "Deployments-2")
    page = opened(visit(), agent.url)
    slot = page.get_by_role("region", name="shop/test/untenanted/web")
    expect(slot).to_contain_text("registry:5000/shop:1.2.0-deployments-2")
    expect(slot.get_by_role("combobox")).to_contain_text("Deployments-1")
    expect(page.get_by_role("row")).to_have_count(3)


def test_deployment_tells_its_configuration_as_text(agent: Agent, visit: Visitor) -> None:
    history(agent.home, "Deployments-1")
    page = opened(visit(), agent.url)
    page.get_by_role("link", name="Deployments-1").first.click()
    changes = page.locator("table.changes")
    expect(changes).to_contain_text("Old <b>shop</b>")
    expect(changes).to_contain_text("Shop 1")
    expect(changes.locator("b")).to_have_count(0)


def test_log_is_followed_live_and_the_page_settles_at_the_end(agent: Agent, visit: Visitor, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"while not os.path.exists({str(gate)!r}):\n    time.sleep(0.05)\n"
    do = f"import os, time\nreport.info('first line')\n{wait}"
    client = agent.client()
    client.deploy("D-1", agent.request(client, agent.bundle(do + "report.info('second line')")))
    page = opened(visit(), f"{agent.url}/deployments/D-1")
    expect(page.locator("#log")).to_contain_text("first line")
    expect(page.get_by_role("status")).to_have_text("Following live.")
    gate.touch()
    expect(page.locator("#log")).to_contain_text("second line")
    expect(page.get_by_role("heading", name="D-1")).to_contain_text("succeeded")
    expect(page.locator(".stages li.done")).to_contain_text("work")


def test_page_can_be_read_without_javascript(agent: Agent, visit: Visitor) -> None:
    agent.run("report.info('a line for everybody')")
    page = opened(visit(javascript=False), agent.url)
    page.get_by_role("link", name="D-1").click()
    expect(page.locator("#log")).to_contain_text("a line for everybody")
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")


def test_button_asks_for_a_rollback_of_its_own(agent: Agent, visit: Visitor) -> None:
    history(agent.home, "Deployments-1", "Deployments-2")
    page = opened(visit(), agent.url)
    page.get_by_role("button", name="Roll back").click()
    page.wait_for_url(re.compile(r"/deployments/rollback-"))
    asked = agent.client().deployments()[0]
    assert (asked.command, asked.slot, asked.by) == ("rollback", "shop/test/untenanted/web", "tests")


def test_reader_has_no_button_and_no_way_around_it(agent: Agent, visit: Visitor, tmp_path: Path) -> None:
    history(agent.home, "Deployments-1", "Deployments-2")
    reader = own_certificate(tmp_path / "reader", "reader")
    agent.trust(reader, "read", name="reader")
    agent.client(reader).capabilities()  # a new peer is known within a second
    page = opened(visit(reader), agent.url)
    expect(page.get_by_role("button")).to_have_count(0)
    assert post(agent, reader, {"slot": "shop/test/untenanted/web"}) == 403


def test_form_of_another_site_does_nothing(agent: Agent) -> None:
    history(agent.home, "Deployments-1", "Deployments-2")
    assert post(agent, agent.own, {"slot": "shop/test/untenanted/web", "token": "guessed"}) == 403
    assert agent.client().deployments() == []


def post(agent: Agent, certificate: Certificate, form: dict[str, str]) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate.certificate, certificate.key)
    connection = http.client.HTTPSConnection("127.0.0.1", agent.port, context=context, timeout=10)
    connection.request("POST", "/rollback", urllib.parse.urlencode(form))
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("width", [360, 1280])
def test_page_fits_narrow_and_wide_windows(agent: Agent, visit: Visitor, width: int) -> None:
    history(agent.home, "Deployments-1", "Deployments-2")
    page = opened(visit(width=width), agent.url)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    go(page, f"{agent.url}/deployments/Deployments-2")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_loaded_from_elsewhere_and_nothing_inline_runs(agent: Agent, visit: Visitor) -> None:
    context = visit()
    asked: list[str] = []
    complaints: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    response = go(page, agent.url)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert [url for url in asked if not url.startswith(agent.url)] == []
    assert complaints == []


def test_unknown_deployment_is_said_to_be_unknown(agent: Agent, visit: Visitor) -> None:
    page = visit().new_page()
    response = go(page, f"{agent.url}/deployments/nothing")
    assert response.status == 404
