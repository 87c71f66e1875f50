"""The documents at `/docs`: the built files and nothing else, under a policy of their own."""

import base64
import hashlib
from pathlib import Path

import pytest

from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.documents import Site, built_site
from tests.prometheus import world
from tests.worlds.http_client import httpx

SCRIPT = "document.title = 'ours'"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A small site, with a file beside it that is not part of it."""
    (tmp_path / "secret.txt").write_text("not for readers")
    folder = tmp_path / "site"
    (folder / "adr").mkdir(parents=True)
    for name in ("index.html", "alerts.html", "adr/index.html"):
        (folder / name).write_text(f"<title>{name}</title><script>{SCRIPT}</script>")
    (folder / "search.json").write_text("{}")
    return built_site(folder)


@pytest.mark.parametrize(
    ("path", "type_"),
    [
        ("", "text/html; charset=utf-8"),
        ("alerts.html", "text/html; charset=utf-8"),
        ("adr/", "text/html; charset=utf-8"),
        ("search.json", "application/json"),
    ],
)
def test_each_file_is_served_as_what_it_is(site: Site, path: str, type_: str) -> None:
    """A folder's page is its index."""
    served = site.document(path)
    assert served is not None
    assert served.headers["content-type"] == type_


@pytest.mark.parametrize(
    "path", ["../secret.txt", "adr/../../secret.txt", "/etc/passwd", "adr", "alerts.md", "adr//"]
)
def test_no_other_file_is_served(site: Site, path: str) -> None:
    """Whatever a request names."""
    assert site.document(path) is None


def test_the_policy_allows_the_scripts_of_the_site_alone(site: Site) -> None:
    """The scripts in its pages by their digest; no other in a page, and nothing of another host."""
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'self' 'sha256-{digest}'; " in site.policy
    assert site.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in site.policy.replace("style-src 'self' 'unsafe-inline'", "")
    assert "*" not in site.policy
    assert "://" not in site.policy


async def _get(path: str, folder: Path, language: str = "en") -> httpx.Response:
    publisher = world.publisher()
    app = create_app(publisher, create_registry(publisher), documents=folder)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://monitor") as client:
        return await client.get(path, headers={"Accept-Language": language})


async def test_the_address_without_a_slash_leads_on(tmp_path: Path) -> None:
    """To the same host, under whatever path a proxy puts the program."""
    answer = await _get("/docs", tmp_path)
    assert answer.status_code == 307
    assert answer.headers["location"] == "docs/"


async def test_without_a_site_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    """In the reader's language, and with the status of what is not there."""
    answer = await _get("/docs/", tmp_path)
    assert answer.status_code == 404
    assert "make docs" in answer.text
    assert "make docs" in (await _get("/docs/alerts.html", tmp_path, "ur")).text


@pytest.mark.usefixtures("site")
async def test_the_program_serves_the_site(tmp_path: Path) -> None:
    """With its policy; what is not in it has the program's own page."""
    answer = await _get("/docs/alerts.html", tmp_path / "site")
    assert answer.status_code == 200
    assert "sha256-" in answer.headers["content-security-policy"]
    assert (await _get("/docs/none.html", tmp_path / "site")).status_code == 404
    assert (await _get("/docs/..%2Fsecret.txt", tmp_path / "site")).status_code == 404


async def test_every_page_leads_to_the_documents(tmp_path: Path) -> None:
    """From its footer."""
    assert 'href="docs/"' in (await _get("/events", tmp_path)).text
    assert 'href="../docs/"' in (await _get("/countries/PK", tmp_path)).text
