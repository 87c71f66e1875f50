"""Strips side by side: who is asked for has a row, and what is not known is said."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from urllib.parse import parse_qsl

import pytest
from msgspec.structs import replace

from monitor.analysis.verdict import State
from monitor.config.settings import ServerSettings
from monitor.keys.passwords import digest
from monitor.metrics.publisher import Publisher
from monitor.metrics.scrapes import create_registry
from monitor.server import create_app
from monitor.server.access import Access
from monitor.server.compare import MOST_ROWS, places_of
from monitor.wording.history import covered
from monitor.wording.languages import BY_CODE
from monitor.wording.words import words_in
from storage.store import StorageError
from storage.values.history_cell import HistoryCell
from storage.values.rollup import COUNTS
from storage.values.selection import Selection
from tests.browser import seed
from tests.contract.test_store_availability import judged
from tests.worlds import many_countries
from tests.worlds.http_client import httpx
from tests.worlds.memory_store import MemoryStore

TOKEN = "0123456789abcdef" * 4
TWO = "country=PK&country=BR&platform=x&platform=whatsapp&span=week"


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """X blocked on PTCL for the last ten hours and undecided in Brazil; WhatsApp works; and, of
    last year, X in Iran, which nobody watches now."""
    filled = MemoryStore()
    await filled.open()
    points = [seed.FIELD[0], seed.FIELD[2], seed.FIELD[4]]
    for number in range(40):
        at = seed.NOW - timedelta(hours=number, minutes=1)
        for place, point in enumerate(points):
            state = State.BLOCKED if number < 10 and point is seed.FIELD[0] else State.OK
            state = State.INSUFFICIENT if point is seed.FIELD[4] else state
            made = judged(
                3 * number + place,
                state,
                vantage=point.id,
                asn=point.asn,
                country=point.country,
                platforms=("x", "whatsapp"),
            )
            verdicts = tuple(
                replace(
                    one,
                    judged_at=at,
                    network=point.network,
                    state=state if one.platform == "x" else State.OK,
                )
                for one in made.platforms
            )
            await filled.save(replace(made, platforms=verdicts, started_at=at, finished_at=at))
    then = seed.NOW - timedelta(days=3)
    gone = judged(900, State.BLOCKED, vantage="thr", asn=58224, country="IR")
    verdicts = tuple(replace(one, judged_at=then) for one in gone.platforms)
    await filled.save(replace(gone, platforms=verdicts, started_at=then, finished_at=then))
    yield filled
    await filled.close()


async def ask(
    store: MemoryStore | None,
    query: str = TWO,
    *,
    public: bool = False,
    publisher: Publisher | None = None,
    path: str = "/compare",
) -> httpx.Response:
    """The page."""
    shown = publisher or seed.publisher()
    access = Access(ServerSettings(public=True, tokens=(digest(TOKEN),))) if public else None
    app = create_app(shown, create_registry(shown), store=store, access=access)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://monitor"
    ) as asking:
        return await asking.get(f"{path}?{query}")


def plain(text: str) -> str:
    """Without tags."""
    inline = re.sub(r"<svg.*?</svg>|</?bdi[^>]*>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", inline)))


def rows(text: str) -> list[str]:
    """What each row says."""
    return [plain(one) for one in re.findall(r'<tr role="row"><th scope="row".*?</tr>', text, re.S)]


async def test_each_pair_has_a_row_with_how_much_is_known(store: MemoryStore) -> None:
    """A platform's countries side by side, on one axis; what was decided, what was not, and what
    nobody watched are separate, and add up to the whole time."""
    answer = await ask(store)
    first, second, third, fourth = rows(answer.text)
    assert re.match(" ?Pakistan X ", first)
    assert re.match(" ?Brazil X ", second)
    assert re.match(" ?Pakistan WhatsApp ", third)
    assert re.match(" ?Brazil WhatsApp ", fourth)
    assert "reachable in 87.5% of decided tests" in first
    assert "mostly found blocked" in first
    assert "nothing known" in second
    assert "decided 0% " in second
    assert "reachable in 100% of decided tests" in fourth
    assert answer.text.count('<svg class="axis"') == 1
    for row in (first, second, third, fourth):
        shares = [float(one) for one in re.findall(r"([\d.]+)% ?(?=undecided|not watched|$)", row)]
        assert len(shares) == 3, row
        assert sum(shares) == pytest.approx(100)
    undecided = re.search(r"undecided ([\d.]+)%", second)
    assert undecided is not None
    assert float(undecided[1]) > 0


@pytest.mark.parametrize(
    ("known", "watched", "said"),
    [
        (0.0, 0.0, ("decided 0%", "undecided 0%", "not watched 100%")),
        (0.9999, 0.9999, ("decided 99.9%", "undecided 0%", "not watched 0.1%")),
        (0.25, 0.5, ("decided 25%", "undecided 25%", "not watched 50%")),
        (1.0, 1.0, ("decided 100%", "undecided 0%", "not watched 0%")),
    ],
)
def test_shares_are_never_rounded_up_to_all(
    known: float, watched: float, said: tuple[str, str, str]
) -> None:
    """A gap of a minute in a year is a gap."""
    assert covered(words_in(), known, watched) == said


async def test_networks_have_rows_of_their_own(store: MemoryStore) -> None:
    """Also those on which nobody looked in that time."""
    found = rows((await ask(store, "country=PK&platform=x&span=week&by=network")).text)
    assert len(found) == 4
    assert "PTCL (AS17557)" in found[0]
    assert "reachable in 75% of decided tests" in found[0]
    assert "Nayatel (AS23674)" in found[1]
    assert "not watched 100%" in found[1]


@pytest.mark.parametrize("by", ["", "network"])
async def test_who_is_not_watched_has_a_row_that_says_so(by: str, store: MemoryStore) -> None:
    """A country without a vantage, now or ever, is not left out, and not fine."""
    text = (await ask(store, f"country=NL&country=IR&platform=x&span=week&by={by}")).text
    never, earlier = rows(text)
    assert "Netherlands" in never
    assert "nothing known" in never
    assert "not watched 100%" in never
    assert "Iran" in earlier
    assert "reachable in 0% of decided tests" in earlier
    assert "countries/IR" not in text, "it has no page"


async def test_nothing_chosen_draws_nothing_and_says_what_to_do(store: MemoryStore) -> None:
    """One side alone stands for all of the other."""
    empty = (await ask(store, "")).text
    assert rows(empty) == []
    assert "Choose at least one country or one platform." in empty
    assert len(rows((await ask(store, "platform=x")).text)) == 3
    assert len(rows((await ask(store, "country=PK")).text)) == 10


async def test_what_is_cut_is_said(store: MemoryStore) -> None:
    """Sixty countries at once are too many to read."""
    many = many_countries.publisher()
    cut = (await ask(store, "platform=x&platform=tiktok", publisher=many)).text
    assert len(rows(cut)) == MOST_ROWS
    assert f"Only the first {MOST_ROWS} rows are shown." in cut
    countries = "&".join(f"country={one}" for one in many_countries.CODES[: MOST_ROWS // 2])
    whole = await ask(store, f"platform=x&platform=tiktok&{countries}", publisher=many)
    assert len(rows(whole.text)) == MOST_ROWS
    assert "Only the first" not in whole.text
    networks = await ask(store, f"platform=x&platform=x&{countries}&by=network", publisher=many)
    assert len(rows(networks.text)) == MOST_ROWS
    more = await ask(store, f"platform=x&platform=tiktok&{countries}&by=network", publisher=many)
    assert len(rows(more.text)) == MOST_ROWS
    assert "Only the first" in more.text


@pytest.mark.parametrize(
    ("query", "named", "target"),
    [
        ("country=BR&country=Pakistan", "Country: “Pakistan” is not a country code", "country=PK"),
        ("platform=x&platform=twiter", "Platform: “twiter” is in no catalogue", ""),
        ("country=PK&span=moth", "span: “moth” is not a possible value", "span=month"),
        ("country=PK&by=vantage", "by: “vantage” is not a possible value", ""),
        ("country=PK&period=30d", "There is no filter “period” here. ", ""),
        ("countries=PK", "There is no filter “countries” here. ", ""),
        ("country=PK&vantage=khi-ptcl", "There is no filter “vantage” here. ", ""),
    ],
)
async def test_a_mistake_is_named(query: str, named: str, target: str, store: MemoryStore) -> None:
    """With a link to what was meant that keeps the rest, and one to begin again."""
    answer = await ask(store, f"{query}&lang=en")
    assert answer.status_code == 400
    assert named in plain(answer.text)
    assert "<h1>Compare</h1>" in answer.text
    main = answer.text.split("<main")[1].split("</main>")[0]
    links = [unescape(one) for one in re.findall(r'<p><a href="([^"]*)"', main)]
    assert links[-1] == "compare?lang=en"
    if target:
        kept = parse_qsl(links[0].partition("?")[2])
        wrong = query.rpartition("&")[2]
        assert kept == parse_qsl(f"{query.replace(wrong, target)}&lang=en")


async def test_the_form_asks_for_what_the_address_says(store: MemoryStore) -> None:
    """It has every choice, those made are marked, and it keeps the language; the browser may send
    it to us alone."""
    answer = await ask(store, f"{TWO}&lang=fa&by=network")
    form = answer.text.split("<form")[1].split("</form>")[0]
    assert 'method="get" action="compare?lang=fa"' in form
    assert '<input type="hidden" name="lang" value="fa">' in form
    numbers = [form.count(f'name="{one}"') for one in ("country", "platform", "span", "by")]
    assert numbers == [3, 10, 1, 1]
    assert '<input type="hidden" name="span" value="week">' in form
    assert '<input type="hidden" name="by" value="network">' in form
    assert re.findall(r'name="(\w+)" value="(\w*)" checked', form) == [
        *(("country", one) for one in ("BR", "PK")),
        *(("platform", one) for one in ("x", "whatsapp")),
    ]
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert "<script" not in form


@pytest.mark.parametrize("lang", list(BY_CODE))
async def test_another_language_compares_the_same(lang: str, store: MemoryStore) -> None:
    """The links keep each of several values."""
    text = (await ask(store, f"{TWO}&lang={lang}")).text
    assert len(rows(text)) == 4
    chooser = text.split('<nav class="languages"')[1].split("</nav>")[0]
    links = [unescape(one).partition("?")[2] for one in re.findall(r'href="([^"]*)"', chooser)]
    assert [parse_qsl(one) for one in links] == [
        parse_qsl(f"{TWO}&lang={code}") for code in BY_CODE
    ]


@pytest.mark.parametrize(
    ("path", "query"),
    [("/countries/PK", "country=PK&span=week"), ("/platforms/x", "platform=x&span=week")],
)
async def test_countries_and_platforms_offer_it(path: str, query: str, store: MemoryStore) -> None:
    """With what they show chosen."""
    text = (await ask(store, "span=week", path=path)).text
    assert f'href="../compare?{query.replace("&", "&amp;")}"' in text
    both = (await ask(store, "span=week&by=network", path=path)).text
    assert f'href="../compare?{query.replace("&", "&amp;")}&amp;by=network"' in both


async def test_the_public_sees_no_more_than_elsewhere(store: MemoryStore) -> None:
    """Counts come as late as measurements do, and of networks at the finest."""
    query = "country=PK&platform=x&span=day&by=network"
    everything, public = await ask(store, query), await ask(store, query, public=True)
    assert "15:00: mostly found blocked" in everything.text
    assert "15:00: mostly found blocked" not in public.text
    assert "14:00: mostly found blocked" in public.text
    assert "khi-ptcl" not in public.text
    same = await ask(store, "span=day&by=network", public=True, path="/countries/PK")
    for run in re.findall(r'<rect class="blocked".*?</rect>', public.text):
        assert run in same.text


class Broken(MemoryStore):
    """A store whose counts cannot be read."""

    async def cells(self, selection: Selection, _: timedelta) -> list[HistoryCell]:
        """Raises StorageError."""
        raise StorageError(f"gone: {selection}")


@pytest.mark.parametrize("store_", [Broken(), None], ids=["broken", "none"])
async def test_counts_that_cannot_be_read_are_no_empty_strip(store_: MemoryStore | None) -> None:
    """An empty strip would say that nobody had looked."""
    text = (await ask(store_)).text
    assert "Stored data cannot be read at the moment." in text
    assert rows(text) == []


def test_a_row_of_all_networks_is_about_those_that_are_watched() -> None:
    """Two of three measured: a third of the time is not known. Of networks that are no longer
    watched it is about as many as once measured together: removing one makes nothing known."""
    pair, watched = ("PK", "x"), [(17557, "PTCL"), (45669, "Jazz"), (9541, "Cyber")]
    cells = [HistoryCell((*pair, 0, ""), hour, 2, (2, *(0 for _ in COUNTS))) for hour in (3, 5)]
    for now, networks in (({"PK": watched}, 3), ({"PK": watched[:1]}, 2), ({}, 2)):
        assert places_of([pair], now, cells, by_network=False) == {(*pair, 0, ""): networks}
    assert places_of([pair], {}, [], by_network=False) == {(*pair, 0, ""): 1}
