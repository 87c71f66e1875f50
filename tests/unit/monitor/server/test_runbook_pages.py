"""Runbooks, as the program serves them to people who follow the link of an alert."""

import re
from pathlib import Path

import pytest

from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.runbook_pages import FOLDER, names, runbook
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.yaml_files import yaml_of

ROOT = Path(__file__).parents[4]
RULES = yaml_of(ROOT / "dashboards/prometheus/shutwatch.rules.yml")
LINKS = {
    rule["alert"]: rule["annotations"]["runbook_url"]
    for group in RULES["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
"""Alert → the template of its link."""


async def get(path: str) -> httpx.Response:
    """What a reader of the program's pages gets."""
    publisher = world.publisher()
    transport = httpx.ASGITransport(app=create_app(publisher, create_registry(publisher)))
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        return await client.get(path)


@pytest.mark.parametrize("alert", LINKS)
async def test_the_program_serves_the_runbook_of_every_rule(alert: str) -> None:
    """The link of each alert ends in a page that is served, in every language of the page, and is
    about that alert."""
    path = re.sub(r"\{\{.*?\}\}", "", LINKS[alert]).removeprefix("http://127.0.0.1:10100")
    answer = await get(path)
    assert answer.status_code == 200, path
    assert f"<h1>{alert}</h1>" in answer.text
    assert "<h2>What to check</h2>" in answer.text
    assert "<li>" in answer.text
    urdu = (await get(f"{path}?lang=ur")).text
    assert '<article lang="en" dir="ltr">' in urdu
    assert f"<h1>{alert}</h1>" in urdu


@pytest.mark.parametrize("name", ["Nothing", "..%2Falerts", "ShutwatchMonitorDown.md", "", "a/b"])
async def test_no_other_file_is_served(name: str) -> None:
    """Only runbooks have a page."""
    assert (await get(f"/runbooks/{name}")).status_code == 404


@pytest.mark.parametrize("name", names())
def test_links_of_a_runbook_lead_somewhere(name: str) -> None:
    """To another runbook, another site, or a document of the site at `/docs`."""
    shown = runbook(name)
    assert shown is not None
    for address in re.findall(r'href="([^"]*)"', shown.html):
        document = re.fullmatch(r"\.\./docs/([\w-]+)\.html(#.*)?", address)
        if document:
            assert (ROOT / "docs" / f"{document[1]}.md").is_file(), address
        else:
            assert address in names() or address.startswith("https://"), address
    text = (FOLDER / f"{name}.md").read_text("utf-8")
    for document in re.findall(r"\]\(\.\./([\w-]+)\.md", text):
        assert f'href="../docs/{document}.html' in shown.html


def test_markup_in_a_runbook_is_shown_as_what_it_means() -> None:
    """Code stays code, and what stands between angle brackets is no HTML."""
    shown = runbook("ShutwatchMonitorDown")
    assert shown is not None
    assert "<code>systemctl restart shutwatch</code>" in shown.html
    assert "<script" not in shown.html
