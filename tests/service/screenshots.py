"""The pictures of the README: `python -m tests.service.screenshots`. Needs Debian's chromium."""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.service.conftest import Agent
from tests.service.test_page import SWITCHES, history

INTO = Path(__file__).parents[2] / "linux" / "screenshots"
PAGES = {
    "overview": "/",
    "deployment": "/deployments/Deployments-76",
    "changes": "/deployments/Deployments-75",
}
LINES = """
import time
DONE = {"acquire": "2 packages, 58.2 MB", "extract": "2,014 files", "transform": "3 files changed"}
for name, detail in DONE.items():
    with report.stage(name):
        report.detail(detail)
        time.sleep(0.2)
with report.stage("build"):
    for line in ("Step 1/4 : FROM registry:5000/base:8.0", "Step 2/4 : COPY app /app", "Step 3/4 : EXPOSE 80"):
        report.info(line)
        time.sleep(0.1)
"""


def main() -> None:
    """Two pages of an agent with some history."""
    INTO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        agent = Agent(Path(folder) / "agent")
        history(agent.home, "Deployments-71", "Deployments-74", "Deployments-75")
        agent.start()
        agent.run(LINES, "Deployments-76")
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=SWITCHES)
        paths = {"origin": agent.url, "certPath": str(agent.own.certificate), "keyPath": str(agent.own.key)}
        context = chromium.new_context(
            ignore_https_errors=True,
            client_certificates=[paths],  # type: ignore[list-item]
            viewport={"width": 1100, "height": 700},
        )
        page = context.new_page()
        for name, path in PAGES.items():
            page.goto(agent.url + path)
            page.screenshot(path=INTO / f"{name}.png")
        chromium.close()
        agent.close()


if __name__ == "__main__":
    main()
