"""Cards and badges: what the public sees, on the pages of others."""

import re
from xml.etree import ElementTree

import pytest

from monitor.analysis.events.event import EventKind
from monitor.config.settings import ServerSettings
from monitor.keys.passwords import digest
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.wording.languages import BY_CODE
from tests.browser import seed
from tests.prometheus import world
from tests.worlds.http_client import httpx
from tests.worlds.notify_world import shutdown, unseen_shutdown

TOKEN = "0123456789abcdef" * 4
PUBLIC = ServerSettings(public=True, tokens=(digest(TOKEN),))
CLOSED = ServerSettings(tokens=(digest(TOKEN),))
PATHS = ("/cards/PK", "/cards/PK/x", "/badges/PK.svg", "/badges/PK/x.svg")


async def get(
    path: str,
    settings: ServerSettings | None = PUBLIC,
    *,
    token: str = "",
    shown: Publisher | None = None,
) -> httpx.Response:
    """One request."""
    shown = shown or seed.publisher()
    access = Access(settings) if settings else None
    app = create_app(shown, create_registry(shown), access=access)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://monitor", headers=headers
    ) as asking:
        return await asking.get(path)


def said(badge: httpx.Response) -> str:
    """What a badge says, which it draws as well."""
    tree = ElementTree.fromstring(badge.content)  # noqa: S314 # our own
    label = tree.get("aria-label") or ""
    drawn = [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert ": ".join(map(str, drawn)) == label
    return label


def _one_silent() -> Publisher:
    """X lasts in Pakistan, two of three networks are open, and nobody tests the third."""
    made = world.publisher(vantages=(*seed.FIELD[:3], *world.CONTROL), now=lambda: seed.NOW)
    active = [one for one in seed.events() if one.active and one.platform == "x"]
    for point in seed.FIELD[:2]:
        made.publish(world.cycle(point, accusations={}, at=seed.NOW), active)
    return made


async def test_nothing_is_green_while_a_block_may_go_on_where_nobody_tests() -> None:
    """Neither the badge, the card nor the table of the page, though each network that is tested is
    open."""
    shown = _one_silent()
    badge = await get("/badges/PK/x.svg", shown=shown)
    assert said(badge) == "X · Pakistan: ok · 2 of 3 networks · event: confirmed"
    assert "#d8f0df" not in badge.text
    page = (await get("/", shown=shown)).text
    cells = re.findall(r'<td role="cell" class="(\w+)" data-platform="X">', page)
    assert cells == ["degraded"]
    for path in ("/cards/PK", "/cards/PK/x"):
        card = (await get(path, shown=shown)).text
        assert re.findall(r'<bdi>X</bdi> <span class="tag ([\w-]+)">ok<', card) == ["degraded"]


async def test_a_badge_says_the_worst_and_on_how_many_networks() -> None:
    """Of a platform as the page's cell, of a country as the page's headline: nothing known is
    said as such."""
    assert said(await get("/badges/PK/x.svg")) == "X · Pakistan: blocked · 3 of 4 networks"
    assert said(await get("/badges/PK.svg")) == "Pakistan: 1 confirmed block"
    assert said(await get("/badges/BR.svg")) == "Brazil: 1 suspected block"
    kenya = "Kenya: Not watched now: there are no current results"
    assert said(await get("/badges/KE.svg")) == kenya
    slow = said(await get("/badges/BR/telegram.svg"))
    assert slow == "Telegram · Brazil: slowed down · 1 of 2 networks · event: suspected"
    assert said(await get("/badges/KE/x.svg")) == "X · Kenya: no data"


async def test_a_shutdown_is_said_of_its_country() -> None:
    """Nothing can be told of any platform then, and that is not all there is to say."""
    shown = seed.publisher()
    before = said(await get("/badges/KE.svg", shown=shown))
    alike = shutdown(country="KE"), shutdown(EventKind.VANTAGE_SILENT, vantage="nbo-safaricom")
    shown.show_events([*shown.snapshot.events.values(), *alike])
    for path in ("/cards/KE", "/cards/KE/x"):
        card = (await get(path, shown=shown)).text
        assert "confirmed Kenya is cut off from the internet" in " ".join(
            re.sub("<[^>]*>", "", card).split()
        )
        assert "Not watched now" not in card
    badge = await get("/badges/KE.svg", shown=shown)
    assert said(badge) == "Kenya: shutdown, confirmed"
    assert "#c2261f" in badge.text
    assert said(await get("/badges/KE/x.svg", shown=shown)) == (
        "X · Kenya: no data · shutdown, confirmed"
    )
    shown.show_events([*shown.snapshot.events.values(), shutdown(EventKind.ALLOWLIST)])
    assert said(await get("/badges/PK.svg", shown=shown)) == (
        "Pakistan: 1 confirmed block · only a list of sites, confirmed"
    )
    assert said(await get("/badges/KE.svg", shown=shown)) == before


@pytest.mark.parametrize("lang", list(BY_CODE))
@pytest.mark.parametrize("path", PATHS)
async def test_it_speaks_each_language(path: str, lang: str) -> None:
    """And is whole in it."""
    answer = await get(f"{path}?lang={lang}")
    assert answer.status_code == 200
    if path.endswith(".svg"):
        assert said(answer)
    else:
        assert f'<html lang="{lang}"' in answer.text


async def test_a_card_says_what_the_page_says_and_leads_to_it() -> None:
    """Links leave the frame."""
    card = (await get("/cards/PK")).text
    assert "X is blocked in Pakistan on 3 of 4 networks" in re.sub("<[^>]*>", "", card)
    assert f'href="../events/{seed.EVENT}" target="_top"' in card
    one = (await get("/cards/PK/telegram")).text
    assert "X is blocked" not in re.sub("<[^>]*>", "", one)


@pytest.mark.parametrize("path", PATHS)
async def test_only_a_public_server_lets_others_show_it(path: str) -> None:
    """Elsewhere no other site may frame or load it; nothing may ever run in it."""
    public = await get(path)
    assert public.headers["cross-origin-resource-policy"] == "cross-origin"
    policy = public.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    if path.startswith("/cards"):
        assert "frame-ancestors *" in policy
        assert "x-frame-options" not in public.headers
    for settings, token in ((None, ""), (CLOSED, TOKEN)):
        kept = await get(path, settings, token=token)
        assert kept.status_code == 200
        assert kept.headers["cross-origin-resource-policy"] == "same-origin"
        assert kept.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in kept.headers["content-security-policy"]
    assert (await get(path, CLOSED)).status_code == 401


@pytest.mark.parametrize("path", PATHS)
async def test_an_operator_sees_no_more_than_the_public(path: str) -> None:
    """A browser signs in by itself: a card on another site names no vantage to its visitors."""
    signed_in = await get(path, token=TOKEN)
    assert signed_in.content == (await get(path)).content
    assert not [one.id for one in seed.FIELD if one.id.encode() in signed_in.content]


@pytest.mark.parametrize(
    "path", ["/cards/FR", "/cards/PK/nothing", "/badges/FR.svg", "/badges/PK/x", "/badges/PK"]
)
async def test_what_is_not_watched_has_none(path: str) -> None:
    """A badge about nothing would be taken for good news."""
    assert (await get(path)).status_code == 404


async def test_who_has_a_badge_does_not_get_it_again() -> None:
    """Whoever shows it asks for it with each visit."""
    shown = seed.publisher()
    app = create_app(shown, create_registry(shown), access=Access(PUBLIC))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://monitor"
    ) as asking:
        first = await asking.get("/badges/PK.svg")
        again = await asking.get("/badges/PK.svg", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("path", "red"),
    [
        ("/", '<span class="tag blocked">'),
        ("/countries/PK", '<span class="tag blocked">'),
        ("/badges/PK.svg", "#c2261f"),
    ],
)
async def test_no_shutdown_is_red_of_which_no_vantage_can_tell(path: str, red: str) -> None:
    """The lists of the first page and of a country had it red, as one that lasts."""
    shown = world.publisher()
    shown.show_events([shutdown()])
    assert red in (await get(path, shown=shown)).text
    shown.show_events([unseen_shutdown()])
    assert red not in (await get(path, shown=shown)).text
