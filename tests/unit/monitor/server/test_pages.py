"""What the pages say, asked as a browser asks: from a publisher, and from a store."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser

import msgspec
import pytest

from monitor.analysis.events.event import EventState, NetworkStatus
from monitor.analysis.verdict import Evidence, State, VantageState
from monitor.config.settings import ServerSettings
from monitor.keys.passwords import digest
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.evidence import EvidenceReader
from monitor.server.listed_events import A_PAGE
from monitor.server.page import SCRIPT
from monitor.wording.durations import ago, interval
from monitor.wording.languages import BY_CODE, LANGUAGES, Language
from monitor.wording.states import STATES
from monitor.wording.words import words_in
from storage.store import Store
from storage.values.cycle import Cycle
from storage.values.reviews import Mark, Review
from tests.browser import seed
from tests.contract.agents import quarantine
from tests.contract.cycles import cycle
from tests.prometheus import world
from tests.prometheus.world import FIELD, NOW, Clock
from tests.worlds import many_countries, notify_world
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

TOKEN = "0123456789abcdef" * 4
PAGES = ("/", "/events", f"/events/{seed.EVENT}", f"/events/{seed.ENDED}", "/countries/PK")


def client(
    publisher: Publisher, store: Store | None = None, access: Access | None = None
) -> httpx.AsyncClient:
    """A client that speaks to the application without a socket."""
    app = create_app(publisher, create_registry(publisher), store=store, access=access)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://monitor")


async def get(publisher: Publisher, path: str = "/", **headers: str) -> httpx.Response:
    """One request to a server without a store."""
    async with client(publisher) as asking:
        return await asking.get(path, headers=headers)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    """A store in which Pakistan blocks X."""
    filled = MemoryStore()
    await filled.open()
    await seed.fill(filled)
    yield filled
    await filled.close()


class Page(HTMLParser):
    """Tags with their attributes."""

    VOID = ("meta", "link", "img", "br", "wbr", "rect", "line")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag that is closed at once."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes what was opened last."""
        assert self.open.pop() == tag


def without_ours(text: str) -> str:
    """A page without the one script that is ours."""
    assert text.count(f"<script>{SCRIPT}</script>") == 1
    return text.replace(f"<script>{SCRIPT}</script>", "")


def words_of(text: str) -> str:
    """The text a person reads, without tags."""
    body = re.split(r"<body[^>]*>", text)[1].replace(f"<script>{SCRIPT}</script>", "")
    return re.sub(r"\s+", " ", re.sub(r"</?(?:b|bdi|time|span|code|a)\b[^>]*>", "", body))


def plain(text: str) -> str:
    """As `words_of`, every tag a space."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", words_of(text)))


@pytest.mark.parametrize("path", [*PAGES, "/vantages", "/nowhere"])
@pytest.mark.parametrize("lang", list(BY_CODE))
async def test_pages_need_nothing_from_outside(path: str, lang: str, store: Store) -> None:
    """No script but the one whose text the policy allows, no inline style, nothing loaded but the
    page's own icon; tags are balanced, links stay here, and the language and direction are told."""
    async with client(seed.publisher(), store) as asking:
        response = await asking.get(path, params={"lang": lang})
    assert response.headers["content-language"] == lang
    page = Page(without_ours(response.text))
    assert page.open == []
    _, root = page.tags[0]
    assert (root["lang"], root["dir"]) == (lang, BY_CODE[lang].direction)
    for tag, attributes in page.tags:
        assert tag not in ("script", "iframe", "object", "embed", "base", "form")
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src"):
            target = attributes.get(name) or ""
            if target != "https://news.example.org/denial":
                assert not re.match(r"[a-z]+:|//", target), target
            if target and tag == "a" and not target.startswith(("#", "https:")):
                ours = re.search(r"api/|metrics|-/|docs/|\?.*lang=|#", target)
                assert ours or attributes.get("class") == "brand", f"{target} loses the language"


async def test_the_policy_allows_exactly_the_pages_own_style_and_script() -> None:
    """The hashes in the policy are those of both as sent, so a browser applies them and no other;
    the script may ask this server alone."""
    response = await get(world.x_blocked_on_two_of_three())
    policy = response.headers["content-security-policy"].split("; ")
    for kind in ("style", "script"):
        own = response.text.split(f"<{kind}>")[1].split(f"</{kind}>")[0]
        found = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{found}'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    style = response.text.split("<style>")[1].split("</style>")[0]
    assert "prefers-color-scheme: dark" in style


CELL = re.compile(r'<td role="cell" class="([\w-]+)" data-platform="(\w+)">(.+?)</td>', re.DOTALL)


async def test_the_matrix_says_each_state_as_a_word() -> None:
    """A country's cell carries the worst state of its networks, and on how many of them, unless all
    are ok."""
    text = (await get(world.x_blocked_on_two_of_three())).text
    cells = [(css, platform, plain(f"<body>{cell}")) for css, platform, cell in CELL.findall(text)]
    assert len(cells) == len(world.TITLES)
    assert [(css, platform) for css, platform, _ in cells if css != "ok"] == [("blocked", "X")]
    said = {platform: cell for _, platform, cell in cells}
    assert "blocked 2 of 3 networks" in said["X"]
    assert said["YouTube"] == "ok"


@pytest.mark.parametrize("state", [State.INSUFFICIENT, State.DOWN])
async def test_what_is_blocked_is_not_told_to_be_undecided_or_down(state: State) -> None:
    """Pictures beside a site of which nothing is known, or that is down everywhere: the cell named
    them as if they were."""
    publisher = world.publisher(vantages=(FIELD[0], *world.CONTROL))
    publisher.publish(world.pictures_blocked(FIELD[0], state), [])
    for path in ("/", "/countries/PK"):
        text = (await get(publisher, path)).text
        cells = {platform: plain(f"<body>{cell}") for _, platform, cell in CELL.findall(text)}
        assert cells["X"].strip() == f"{STATES[state]} tls. reset blocked: pictures and videos"
    publisher.publish(world.pictures_blocked(FIELD[0], state, Evidence.WEAK), [])
    cells = {
        name: plain(f"<body>{one}") for _, name, one in CELL.findall((await get(publisher)).text)
    }
    assert cells["X"].strip() == STATES[state], "not enough to accuse anybody"


async def test_countries_are_in_the_order_of_their_names() -> None:
    """In the reader's language, not by their codes."""
    publisher = many_countries.publisher(("DE", "ES", "AT"))
    for lang, names in (
        ("en", ["Austria", "Germany", "Spain"]),
        ("es", ["Alemania", "Austria", "España"]),
    ):
        text = (await get(publisher, f"/?lang={lang}")).text
        assert re.findall(r'role="rowheader"><a href="[^"]*">(\w+)</a>', text) == names


async def test_a_country_is_shown_network_by_network() -> None:
    """The drill-down has one row for each network, with the method where one is accused."""
    text = (await get(world.x_blocked_on_two_of_three(), "/countries/PK")).text
    assert len(CELL.findall(text)) == len(FIELD) * len(world.TITLES)
    assert "tls.<wbr>reset" in text
    assert "dns.<wbr>nxdomain" in text
    assert "khi-ptcl" in text
    assert (await get(world.x_blocked_on_two_of_three(), "/countries/NL")).status_code == 404


@pytest.mark.parametrize("state", list(State))
async def test_every_state_has_a_colour_and_a_meaning(state: State) -> None:
    """Whatever the state, the page shows its word and explains it in the legend."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0], accusations={"x": (state, "", "")}), [])
    text = (await get(publisher)).text
    assert f'class="{state}" data-platform="X"' in text
    assert f'<dt class="tag {state}">{STATES[state]}</dt>' in text


@pytest.mark.parametrize("state", [one for one in VantageState if one is not VantageState.UNKNOWN])
async def test_every_health_of_a_vantage_has_a_colour(state: VantageState) -> None:
    """One that is unknown stays grey."""
    style = (await get(world.publisher())).text.partition("</style>")[0]
    assert f".tag.health-{state.replace('_', '-')}" in style


async def test_silence_is_grey_not_green() -> None:
    """Before any report every cell says no data and the headline claims nothing."""
    text = (await get(world.publisher())).text
    assert text.count("<b>no data</b>") == len(world.TITLES)
    assert '<h1 class="headline insufficient"' in text
    assert "No block" not in words_of(text).split("Platforms")[0]
    assert "Not watched now: there are no current results" in words_of(text)


async def test_a_network_that_is_not_seen_does_not_count_as_fine() -> None:
    """With one of three networks heard of, a cell says ok on one of three."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0]), [])
    cells = CELL.findall((await get(publisher)).text)
    assert all("1 of 3 networks" in cell for _, _, cell in cells)


async def test_a_stale_vantage_turns_grey() -> None:
    """Three intervals after its last report a vantage shows no data, and when it last spoke."""
    clock = Clock()
    publisher = world.x_blocked_on_two_of_three(now=clock)
    clock.advance(16 * 60)
    assert (await get(publisher)).text.count("<b>no data</b>") == len(world.TITLES)
    text = (await get(publisher, "/vantages")).text
    assert "16 minutes ago" in text
    assert '<span class="tag health-unknown">not known</span>' in text


async def test_active_events_tell_since_networks_and_method() -> None:
    """An event is one sentence with both bounds in UTC and local time; below it each network."""
    seen = words_of((await get(world.x_blocked_on_two_of_three())).text)
    assert "1 confirmed block" in seen
    assert (
        "X is blocked in Pakistan on 2 of 3 networks, since between 11:43 and 11:48 UTC on "
        "1 Mar 2026 (16:43–16:48 in Karachi)" in seen
    )
    reset = "connections are reset when the platform&#39;s name appears tls.reset"
    assert f"PTCL (AS17557): blocked; {reset}" in seen.replace("'", "&#39;")
    assert "Nayatel (AS23674): blocked; DNS says the name does not exist dns.nxdomain" in seen
    assert "Jazz (AS45669): not blocked" in seen
    assert "evidence: strong" in seen


async def test_a_block_older_than_the_monitor_says_so() -> None:
    """With no known earlier moment the page does not pretend to know the onset, and a suspicion
    is told as one."""
    publisher = world.publisher()
    event = world.event(state=EventState.SUSPECTED, onset_known=False)
    publisher.publish(world.cycle(FIELD[0]), [event])
    seen = words_of((await get(publisher)).text)
    assert "X may be blocked in Pakistan" in seen
    assert "since before 11:48 UTC on 1 Mar 2026" in seen
    assert "PTCL (AS17557): seems blocked" in seen
    assert "1 suspected block" in seen


async def test_the_headline_admits_blind_vantages() -> None:
    """`No block` comes with the networks that decided, and with how much was not measured."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0]), [])
    text = (await get(publisher)).text
    assert "No block in 10 of 10 verdicts on 1 of 3 networks" in words_of(text)
    assert "About 20 more were not measured." in words_of(text)
    assert 'class="headline insufficient"' in text
    for point in FIELD[1:]:
        publisher.publish(world.cycle(point), [])
    text = (await get(publisher)).text
    assert "No block in 30 of 30 verdicts on 3 networks" in words_of(text)
    assert "not measured" not in words_of(text).split("Platforms")[0]
    assert 'class="headline ok"' in text


async def test_a_block_without_an_event_is_not_passed_over() -> None:
    """A blocked cell never stands under a headline that says all is well."""
    publisher = world.publisher()
    publisher.publish(world.cycle(FIELD[0], accusations={"x": world.TLS_RESET}), [])
    seen = words_of((await get(publisher)).text)
    assert "No event yet, but 1 vantage saw a block in the last cycle" in seen


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_a_shutdown_that_lasts_is_told(path: str) -> None:
    """By the first page and by that of its country, not by that of another one."""
    kenya = world.vantage("nbo-safaricom", "KE", 33771, "Safaricom")
    publisher = world.publisher((*FIELD, kenya))
    publisher.publish(world.cycle(FIELD[0]), [notify_world.shutdown()])
    told = "Pakistan is cut off from the internet: 2 of 3 tested networks are offline · confirmed"
    assert told in words_of((await get(publisher, path)).text)
    assert "cut off" not in words_of((await get(publisher, "/countries/KE")).text)


@pytest.mark.parametrize("path", ["/", "/countries/PK"])
async def test_a_block_is_told_though_its_platform_is_no_longer_watched(path: str) -> None:
    """Until it is over or forgotten: no headline denies it, and it has its own name."""
    publisher = world.publisher(platforms=("facebook",))
    publisher.publish(world.cycle(FIELD[0], ("facebook",)), [world.event()])
    said = words_of((await get(publisher, path)).text)
    assert "X is blocked in Pakistan" in said
    assert "No block" not in said
    assert "Testing 1 platform from" in said or path != "/"
    assert "X is blocked in Pakistan" in words_of((await get(publisher, "/events")).text)
    assert 'href="events?platform=x&amp;days=30"' in (await get(publisher, "/events")).text
    assert (await get(publisher, "/platforms/x")).status_code == 404
    unseen = world.event(state=EventState.UNOBSERVED)
    publisher.publish(world.cycle(FIELD[0], ("facebook",)), [unseen])
    assert "1 block no longer observed" in words_of((await get(publisher)).text)


async def test_vantage_health_is_explained() -> None:
    """A vantage behind a login page says so in words, with its references."""
    publisher = world.publisher()
    captive = world.health(FIELD[0], state=VantageState.CAPTIVE_PORTAL, ok=1, total=4)
    publisher.publish(world.cycle(FIELD[0], state=captive), [])
    seen = words_of((await get(publisher, "/vantages")).text)
    assert "login page a login page answers for everything" in seen
    assert "1 of 4" in seen


async def test_the_page_says_what_to_know_of_a_vantage_beside_its_state() -> None:
    """A stub that hides forged answers, and why a vantage that answers is not judged from."""
    publisher = world.publisher()
    healthy = msgspec.structs.replace(world.health(FIELD[0]), stub_resolver=True)
    publisher.publish(world.cycle(FIELD[0], state=healthy), [])
    undecided = msgspec.structs.replace(
        world.health(FIELD[1], state=VantageState.UNKNOWN), rule_id="vantage.no_tls"
    )
    publisher.publish(world.cycle(FIELD[1], state=undecided), [])
    seen = words_of((await get(publisher, "/vantages")).text)
    assert "the references answer; its resolver is a forwarder on its own machine" in seen
    assert "Cleartext works but no reference answers over TLS" in seen


@pytest.mark.parametrize("path", ["/", "/vantages", "/countries/PK"])
async def test_pages_never_say_how_a_vantage_gets_out(path: str) -> None:
    """Proxies, credentials, source addresses and resolvers stay out of every page."""
    text = (await get(world.x_blocked_on_two_of_three(), path)).text
    for secret in ("secret", "198.51.100", "socks5"):
        assert secret not in text


@pytest.mark.parametrize("lang", list(BY_CODE))
async def test_a_network_without_name_and_number_is_called_unknown(lang: str) -> None:
    """A dash alone would read as nothing."""
    nameless = world.vantage("khi", asn=0, network="")
    publisher = world.publisher([nameless])
    publisher.publish(world.cycle(nameless), [world.event(points=[nameless])])
    unknown = words_in(BY_CODE[lang]).gettext("unknown network")
    for path in ("/", "/countries/PK", "/events/PK-x"):
        said = words_of((await get(publisher, f"{path}?lang={lang}")).text)
        assert unknown in said
        assert "–:" not in said
    assert lang == "en" or unknown != "unknown network"


async def test_names_cannot_become_markup() -> None:
    """Names from a config are text, whatever they hold."""
    nasty = world.vantage('"><script>alert(1)</script>', network="<img src=x onerror=alert(1)>")
    publisher = world.publisher(vantages=[nasty])
    publisher.publish(world.cycle(nasty), [])
    for path in ("/vantages", "/countries/PK"):
        text = (await get(publisher, path)).text
        assert "<script" not in without_ours(text)
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text


async def test_only_controls_configured_is_said() -> None:
    """With no field vantage the page tells that no blocking can be seen."""
    publisher = world.publisher(vantages=world.CONTROL)
    assert "No field vantage is configured" in (await get(publisher)).text


async def test_an_event_shows_what_it_rests_on(store: Store) -> None:
    """Each network's look stands beside the control's, layer by layer, with the rule in words,
    what was tried besides, and what people added apart from it."""
    async with client(seed.publisher(), store) as asking:
        seen = words_of((await asking.get(f"/events/{seed.EVENT}")).text)
    assert "X is blocked in Pakistan on 3 of 4 networks" in seen
    assert "✗ the connection was reset" in seen
    assert "✓ the certificate proves that it is the platform" in seen
    assert "Netherlands, SURF (AS1103)" in seen
    assert "Same server, harmless name: ✓ an encrypted answer came" in seen
    assert "Rule tls.reset: The connection is cut when the platform" in seen
    assert "It would be wrong if: A firewall at the vantage" in seen
    assert "Rule dns.nxdomain: The network" in seen
    assert "First signs: suspected" in seen
    assert "A person confirms it" in seen
    assert "Official denial" in seen


@pytest.mark.parametrize(
    "path", ["/", "/events", "/countries/PK", "/platforms/x", "/cards/PK", "/cards/PK/x"]
)
async def test_what_people_think_of_an_event_stands_beside_it(path: str, store: Store) -> None:
    """A review shows wherever the event does, and changes nothing of how it is called."""
    async with client(seed.publisher(), store) as asking:
        seen = words_of((await asking.get(path)).text)
    assert seen.count("A person confirms it") == 1
    assert "X is blocked in Pakistan on 3 of 4 networks" in seen


@pytest.mark.parametrize(
    ("path", "country", "event"),
    [
        *((path, "KE", seed.ENDED) for path in ("/", "/countries/KE", "/platforms/telegram")),
        *((path, "KE", "cut") for path in ("/", "/countries/KE", "/cards/KE")),
    ],
)
async def test_what_a_person_rejects_stands_nowhere_as_if_it_held(
    path: str, country: str, event: str, store: Store
) -> None:
    """Neither once it is over nor where it is no block."""
    cut = msgspec.structs.replace(notify_world.shutdown(country=country), id="cut")
    await store.save(cycle(9), [cut])
    shown = seed.publisher()
    shown.show_events([*shown.snapshot.events.values(), cut])
    rejects = Review(id="r", country=country, event=event, at=seed.NOW, mark=Mark.REJECTED)
    await store.add_review(rejects)
    async with client(shown, store) as asking:
        seen = words_of((await asking.get(path)).text)
    assert seen.count("A person rejects it") == 1


async def test_events_of_which_one_goes_on_as_the_other_lead_to_each_other(store: Store) -> None:
    """The page of the one that is gone leads on, in each language; that of the other shows what
    people said of the first, as said of that."""
    opened, *_ = seed.log()
    first, other = opened.snapshot, msgspec.structs.replace(opened.snapshot, id="5" * 20)
    gone = msgspec.structs.replace(first, state=EventState.WITHDRAWN)
    sequence = len(seed.log()) + 1
    lines = [
        msgspec.structs.replace(
            opened, event=other.id, snapshot=other, detail=f"AS1: tls.reset; goes on from {gone.id}"
        ),
        msgspec.structs.replace(
            opened,
            sequence=sequence,
            change="withdrawn",
            detail=f"goes on as {other.id}",
            snapshot=gone,
        ),
    ]
    await store.save(cycle(9), [gone, other], lines)
    async with client(seed.publisher(), store) as asking:
        for code, said in (
            ("en", "This event continues as another one"),
            ("pt", "Este evento continua como outro"),
            ("ur", "یہ ایک اور واقعے کے طور پر جاری ہے"),
        ):
            text = (await asking.get(f"/events/{gone.id}", params={"lang": code})).text
            link = re.search(r'<a href="([^"]*)">' + said, text)
            assert link is not None, code
            assert f"events/{other.id}" in link[1]
        # Nothing was taken back: no page says that the results do not support it.
        for path in ("/", "/events", "/countries/PK", "/platforms/x", f"/events/{gone.id}"):
            text = (await asking.get(path)).text
            assert "was thought to be blocked" not in text, path
            listed = "X in Pakistan: This event continues as another one" in words_of(text)
            assert listed == path.startswith("/events"), path
        text = (await asking.get(f"/events/{other.id}")).text
    assert "This event continues as another one" not in text
    assert "Two people in Lahore see the same" in words_of(text)
    link = re.search(r'<a href="([^"]*)">About an event that continues as this one', text)
    assert link is not None
    assert f"events/{gone.id}" in link[1]


async def test_an_event_that_is_over_tells_both_bounds_of_its_end(store: Store) -> None:
    """And that nothing is stored any more to show, where that is so."""
    async with client(seed.publisher(), store) as asking:
        seen = words_of((await asking.get(f"/events/{seed.ENDED}")).text)
    assert "Telegram was blocked in Kenya on the only network tested there" in seen
    assert "between 15:00 and 15:40 UTC on 11 Feb 2024 (18:00–18:40 in Nairobi)" in seen
    assert "The tests of that time are no longer stored" in seen


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("", "Kenya", "No events in this time"),
        ("country=KE", "Telegram was blocked in Kenya", "X is blocked in Pakistan"),
        ("platform=x", "X is blocked in Pakistan", "Telegram was blocked in Kenya"),
        ("state=ended", "Telegram was blocked in Kenya", "X is blocked in Pakistan"),
    ],
)
async def test_the_list_of_events_can_be_narrowed(
    query: str, shown: str, hidden: str, store: Store
) -> None:
    """By country, platform and state, with a file of the same."""
    async with client(seed.publisher(), store) as asking:
        text = (await asking.get(f"/events?{query}")).text
    listed = words_of(text).split("Times in UTC")[1]
    assert shown in listed
    assert hidden not in listed
    file = re.search(r'href="(api/v1/events\.csv\?[^"]*)"', text)
    assert file is not None
    async with client(seed.publisher(), store) as asking:
        answer = await asking.get("/" + file[1].replace("&amp;", "&"))
    assert answer.status_code == 200
    assert len(answer.text.splitlines()) > 1


@pytest.mark.parametrize(
    "query",
    [
        "country=zz%22%3E%3Cb%3E",
        "platform=%00",
        "state=x",
        "days=1e9",
        "page=0",
        "page=x",
        "page=1e3",
        "country=IR&country=PK",
        "platform=x&platform=whatsapp",
        "contry=PK",
        "since=2024-02-01",
        "span=week",
    ],
)
async def test_a_filter_that_makes_no_sense_lists_nothing(query: str, store: Store) -> None:
    """It says so: to leave it out would list events that were not asked for."""
    async with client(seed.publisher(), store) as asking:
        answer = await asking.get(f"/events?{query}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    assert "was blocked" not in answer.text
    assert "<b>" not in answer.text


async def test_many_events_have_pages(store: Store) -> None:
    """Each event once, the newest first, with links to older and newer ones that keep the filter
    and forget the page where it changes; a page beyond the last is none."""
    opened, *_ = seed.log()
    ids = [f"{number:020}" for number in range(2 * A_PAGE + 1)]
    more = [
        msgspec.structs.replace(
            opened.snapshot,
            id=one,
            state=EventState.ENDED,
            onset_latest=opened.snapshot.onset_latest - timedelta(minutes=number + 1),
        )
        for number, one in enumerate(ids)
    ]
    await store.save(cycle(9), more)
    listed: list[str] = []
    texts = []
    async with client(seed.publisher(), store) as asking:
        for number in (1, 2, 3):
            answer = await asking.get("/events", params={"platform": "x", "page": number})
            assert answer.status_code == 200
            texts.append(answer.text)
            found = re.findall(r'href="events/([^"?]+)', answer.text.split("<ol")[1])
            assert len(found) <= A_PAGE
            listed += found
        beyond = await asking.get("/events", params={"platform": "x", "page": 4})
    assert beyond.status_code == 404
    assert [one for one in listed if one in ids] == ids
    assert len(listed) == len(set(listed))
    for text, newer, older in zip(texts, (False, True, True), (True, True, False), strict=True):
        assert (">Newer events<" in text, ">Older events<" in text) == (newer, older)
    assert 'href="events?platform=x&amp;days=30&amp;page=3">Older events' in texts[1]
    assert 'href="events?platform=x&amp;days=30">Newer events' in texts[1]
    assert "page=" not in texts[1].split('class="filters"')[1].split("</details>")[0]


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda one: one.code)
async def test_a_page_offers_every_language_and_says_what_is_a_draft(language: Language) -> None:
    """Each by its own name, on the same page; the notice leads to the English."""
    text = (await get(seed.publisher(), f"/?lang={language.code}")).text
    chooser = text.split('<nav class="languages"')[1].split("</nav>")[0]
    links = re.findall(r'<a href="\./\?lang=(\w+)" lang="(\w+)"[^>]*>(\w+)</a>', chooser)
    assert links == [(one.code, one.code, one.name) for one in LANGUAGES]
    assert chooser.count("aria-current") == 1
    notice = re.search(r'<p class="draft[^>]*>(.*?) <a href="\./\?lang=en"', text)
    assert (notice[1] if notice else "") == words_in(language).draft


async def test_text_of_others_does_no_harm() -> None:
    """A ten-megabyte title with markup and a turn of direction is cut, written out, and text."""
    store = MemoryStore()
    await store.open()
    await seed.fill(store, seed.HUGE_TITLE)
    async with client(seed.publisher(), store) as asking:
        text = (await asking.get(f"/events/{seed.EVENT}")).text
    assert len(text) < 100_000
    assert "<script" not in without_ours(text)
    assert "onerror=alert(1)&gt;" in text
    assert "\\u202eevil\\u2066" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", text)
    assert "<i>page" not in text


@pytest.mark.parametrize(
    "path",
    [
        "/events/..%2f..%2fetc%2fpasswd",
        "/events/%00",
        "/events/%E2%80%AE",
        f"/events/{'A' * 5000}",
        f"/events/{seed.EVENT}'%20OR%20'1'='1",
        "/events/<script>",
        "/countries/..",
        "/countries/PK%00",
        "/../templates/base.html",
        "/%2e%2e/%2e%2e/etc/passwd",
    ],
)
async def test_tricks_with_paths_find_nothing(path: str, store: Store) -> None:
    """Whatever is asked for, there is a page of ours or none, and nothing of the request in it."""
    async with client(seed.publisher(), store) as asking:
        answer = await asking.get(f"http://monitor{path}")
    assert answer.status_code in (200, 404)
    assert "root:" not in answer.text
    assert "<script" not in without_ours(answer.text)
    assert "{{" not in answer.text


async def test_the_public_sees_nothing_finer_than_a_network(store: Store) -> None:
    """In public mode no page names a vantage, nor has events of single vantages; with a token the
    same addresses do."""
    settings = ServerSettings(tokens=(digest(TOKEN),), public=True)
    names = [point.id for point in (*seed.FIELD, *world.CONTROL)]
    async with client(seed.publisher(), store, Access(settings)) as asking:
        for path in PAGES:
            answer = await asking.get(path)
            assert answer.status_code == 200
            found = [name for name in names if name in answer.text]
            assert found == [], path
            assert "metrics" not in answer.text
        assert (await asking.get(f"/events/{seed.SILENT}")).status_code == 404
        assert (await asking.get("/vantages")).status_code == 401
        token = {"authorization": f"Bearer {TOKEN}"}
        for path in ("/countries/PK", "/vantages", f"/events/{seed.EVENT}"):
            assert "khi-ptcl" in (await asking.get(path, headers=token)).text
        assert (await asking.get(f"/events/{seed.SILENT}", headers=token)).status_code == 200


async def test_a_store_that_cannot_be_read_is_told(store: Store) -> None:
    """Pages then show what goes on now, and say what they cannot show."""
    await store.close()
    async with client(seed.publisher(), store) as asking:
        listed = words_of((await asking.get("/events")).text)
        event = words_of((await asking.get(f"/events/{seed.EVENT}")).text)
    assert "Stored data cannot be read at the moment; only current events are shown" in listed
    assert "X is blocked in Pakistan" in listed
    assert "Stored data cannot be read at the moment" in event


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7199, "119 minutes ago"),
        (7200, "2 hours ago"),
        (172799, "47 hours ago"),
        (172800, "2 days ago"),
    ],
)
def test_ages_read_as_people_say_them(seconds: int, words: str) -> None:
    """An age has one unit, and nothing is ever in the future."""
    assert ago(words_in(), NOW, NOW + timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(300.0, "5 minutes"), (60.0, "1 minute"), (90.0, "90 seconds"), (2.5, "2.5 seconds")],
)
def test_durations_read_as_people_say_them(seconds: float, words: str) -> None:
    """A length of time uses the unit it was probably configured in."""
    assert interval(words_in(), seconds) == words


async def test_a_block_that_ended_is_not_forgotten_by_the_first_page(store: Store) -> None:
    """It says that it was, and until when. What was never confirmed is not told there again."""
    async with client(seed.publisher(), store) as asking:
        shown = (await asking.get("/")).text
    over = shown[shown.index("No longer active") : shown.index("Platforms by country")]
    assert f'href="events/{seed.ENDED}"' in over
    assert "Telegram</bdi> was blocked in Kenya" in over or "Telegram was blocked in Kenya" in over
    assert "Ended" in over
    assert "YouTube" not in over


async def _listed_as(store: Store, network: NetworkStatus, *cycles: Cycle) -> str:
    """The page of the block, with that network in place of PTCL."""
    opened, *_ = seed.log()
    others = opened.snapshot.networks[1:]
    event = msgspec.structs.replace(opened.snapshot, networks=(network, *others))
    for one in cycles or (cycle(9),):
        await store.save(one, [event])
    async with client(seed.publisher(), store) as asking:
        return words_of((await asking.get(f"/events/{seed.EVENT}")).text)


async def test_a_network_shows_its_tests_whatever_its_vantages_call_it(store: Store) -> None:
    """An event names it as its first vantage does, and another one found the block: its tests were
    said to be no longer stored."""
    opened, *_ = seed.log()
    called = msgspec.structs.replace(opened.snapshot.networks[0], network="Pakistan Telecom")
    seen = await _listed_as(store, called)
    assert "Pakistan Telecom (AS17557)" in seen
    assert "no longer stored" not in seen


async def test_a_network_without_name_and_number_shows_its_tests() -> None:
    """By the vantage that it is, which the page does not name to anybody but operators."""
    store = MemoryStore()
    await store.open()
    await seed.fill(store)
    opened, *_ = seed.log()
    first, *_ = seed.cycles()
    nameless = msgspec.structs.replace(
        first,
        id="cycle-nameless",
        verdicts=tuple(
            msgspec.structs.replace(
                one, cycle="cycle-nameless", vantage="lahore-ali", asn=0, network=""
            )
            for one in first.verdicts
        ),
    )
    status = msgspec.structs.replace(
        opened.snapshot.networks[0], asn=0, network="", vantage="lahore-ali"
    )
    seen = await _listed_as(store, status, nameless)
    assert "unknown network" in seen
    assert "no longer stored" not in seen
    assert "lahore-ali" not in seen


async def test_better_evidence_is_shown_once_it_came(store: Store) -> None:
    """Whoever opens the page at the first sign must not see that sign alone for ever."""
    reader = EvidenceReader(store)
    event = await reader.event(seed.EVENT)
    assert event is not None
    _, second, _ = seed.cycles()
    before = (await reader.of(event, seed.NOW)).networks[1]
    assert {one.verdict.evidence for one in before.endpoints} == {Evidence.STRONG}
    verdicts = tuple(
        msgspec.structs.replace(
            one,
            cycle="later",
            judged_at=one.judged_at + timedelta(minutes=5),
            evidence=Evidence.CONCLUSIVE if one.state is State.BLOCKED else one.evidence,
        )
        for one in second.verdicts
    )
    later = msgspec.structs.replace(second, id="later", verdicts=verdicts, measurements=())
    await store.save(later)
    soon = seed.NOW + timedelta(seconds=61)
    after = (await reader.of(event, soon)).networks[1]
    assert {one.verdict.evidence for one in after.endpoints} == {Evidence.CONCLUSIVE}


async def test_no_test_of_a_vantage_in_quarantine_is_shown_as_evidence() -> None:
    """Its network has another vantage that finds the block too, by weaker signs: those are shown,
    as in a report."""
    store = MemoryStore()
    await store.open()
    await seed.fill(store)
    _, second, _ = seed.cycles()
    liar = tuple(
        msgspec.structs.replace(
            one,
            cycle="liar",
            vantage="doubted",
            evidence=Evidence.CONCLUSIVE if one.state is State.BLOCKED else one.evidence,
        )
        for one in second.verdicts
    )
    await store.save(
        msgspec.structs.replace(
            second, id="liar", vantage="doubted", verdicts=liar, measurements=(), platforms=()
        )
    )
    reader = EvidenceReader(store, store.quarantines)
    event = await reader.event(seed.EVENT)
    assert event is not None

    async def shown() -> set[str]:
        network = (await reader.of(event, seed.NOW)).networks[1]
        return {one.verdict.vantage for one in network.endpoints}

    assert await shown() == {"doubted"}
    await store.quarantine(quarantine("doubted"))
    assert await shown() == {second.vantage}
