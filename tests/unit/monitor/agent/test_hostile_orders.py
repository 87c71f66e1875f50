"""Attacks by a collector with its real keys: what it orders beyond what an agent ships, and beyond
what its host allows, is not measured.

Each order here is signed as a collector signs. The lab's story of the same is
tests/e2e/test_hostile_collector.py.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from monitor.agent.consent import Consent
from monitor.agent.ordered_catalog import Allowed, Choice, OrdersError, choose
from monitor.agent.paths import AgentFiles
from monitor.analysis.throttling.objects import objects_of
from monitor.config.catalog import parse_catalog, shipped_catalog
from monitor.config.settings import Settings
from monitor.keys.keys import fingerprint, public_text
from monitor.wire.answers import AgentSettings
from monitor.wire.catalog_proof import CatalogProof, make_signer, prove
from probes.catalog.catalog import Catalog, Endpoint, Platform
from probes.catalog.endpoint_kinds import EndpointKind
from probes.catalog.endpoint_text import parse_endpoint
from probes.measure.ordered_addresses import MOST_PER_ADDRESS, MOST_PER_DAY, OrderedLimits
from probes.vantage import Egress, EgressKind
from tests.unit.monitor.agent.test_agent_orders import own

AT = datetime(2026, 3, 1, tzinfo=UTC)
OFFLINE, SIGNING, LATER, THIEF = (
    Ed25519PrivateKey.from_private_bytes(letter * 32) for letter in (b"o", b"s", b"l", b"t")
)
TRUSTED = fingerprint(public_text(OFFLINE))
NOTHING, EVERYTHING = Allowed(), Allowed(everything=True)
SHIPPED = {one.name: one for one in shipped_catalog().platforms}


def platform(name: str, *endpoints: str) -> str:
    """TOML of a platform with these endpoints alone."""
    listed = ", ".join(f'"{one}"' for one in endpoints)
    return f"[platform.{name}.function.web]\ncore = true\nendpoints = [{listed}]\n"


def order(catalog: str, *platforms: str, proof: CatalogProof | None = None) -> AgentSettings:
    """To measure these by that catalogue."""
    return AgentSettings(
        version="1",
        issued_at=AT,
        interval=300.0,
        platforms=platforms,
        catalog=catalog,
        catalog_proof=proof,
        daily_bytes=100_000_000,
    )


def ids(catalog: Catalog) -> set[str]:
    """Of all that would be measured."""
    of_platforms = {
        one.id
        for each in catalog.platforms
        for function in each.functions
        for one in (*function.endpoints, *function.transfer)
    }
    return of_platforms | {one.endpoint.id for one in catalog.references}


def shipped_ids() -> set[str]:
    """Of all that an agent ships."""
    return ids(shipped_catalog())


def chosen(folder: Path, told: AgentSettings, allowed: Allowed = NOTHING) -> Choice:
    """What an agent whose file says nothing measures by it."""
    return choose(own(folder), told, allowed)


INSIDE = [
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1/",
    "http://192.168.77.1/",
    "tcp://192.168.77.1:22",
    "tcp://10.0.0.5:445",
    "https://[::1]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[2002:7f00:1::]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fec0::1]/",
    "https://[::127.0.0.1]/",
    "https://[::ffff:0:127.0.0.1]/",
    "https://[64:ff9b:1::a9fe:a9fe]/",
    "https://[4000::1]/",
    "https://[3fff::1]/",
    "tcp://0.0.0.0:22",
    "stun:100.64.0.1:3478",
    "https://224.0.0.1/",
    "https://localhost/",
    "https://router/",
    "https://printer.local/",
    "https://nas.home.arpa/",
    "https://db.internal/",
]


@pytest.mark.parametrize("endpoint", INSIDE)
@pytest.mark.parametrize("name", ["x", "ours"])
def test_attack_no_order_reaches_the_hosts_own_network(
    tmp_path: Path, name: str, endpoint: str
) -> None:
    """A platform redefined under its own name led an agent to cloud metadata, to itself and to the
    home network, and brought the pages back. Neither the host's consent nor an offline key makes
    that possible, and of a shipped platform the shipped version is measured."""
    for allowed in (Allowed(), EVERYTHING):
        found = chosen(tmp_path, order(platform(name, endpoint), name), allowed)
        assert ids(found.catalog) <= shipped_ids()
        assert found.catalog.platforms == ((SHIPPED["x"],) if name == "x" else ())
        assert [(one.name, one.acceptable) for one in found.unused] == [(name, False)]


@pytest.mark.parametrize(
    "catalog",
    [
        platform("x", "https://victim.example/"),
        '[platform.x.function.web]\nadd = ["https://victim.example/"]\n',
        '[platform.x.function.web]\nadd = ["https://x.com:8443/"]\n',
        '[platform.x.function.web]\nadd = ["https://x.com/another/path"]\n',
        '[platform.x.function.web]\ntransfer = "https://victim.example/large"\n',
    ],
)
def test_attack_no_platform_is_redefined_under_its_own_name(tmp_path: Path, catalog: str) -> None:
    """A name that the agent knows lends no endpoint its trust: host, port, path and the object of
    transfers are all the shipped ones."""
    found = chosen(tmp_path, order(catalog, "x"))
    assert found.catalog.platforms == (SHIPPED["x"],)
    (unused,) = found.unused
    assert unused.acceptable
    assert len(unused.endpoints) == 1


def test_attack_no_reference_leads_elsewhere(tmp_path: Path) -> None:
    """References are measured first in each cycle, and are no platform: the same holds for them."""
    catalog = '[references]\ninternational = ["https://victim.example/"]\n'
    found = chosen(tmp_path, order(catalog, "x"))
    assert found.catalog.references == own(tmp_path).catalog.references
    assert [one.endpoint.id for one in found.unused[0].references] == ["https://victim.example/"]


def test_an_order_chooses_among_what_is_shipped(tmp_path: Path) -> None:
    """That needs nobody's consent: fewer endpoints of a platform, or other references of the
    shipped ones."""
    first = SHIPPED["x"].functions[0].endpoints[0]
    found = chosen(tmp_path, order(platform("x", first.id), "x", "telegram"))
    assert [one.name for one in found.catalog.platforms] == ["x", "telegram"]
    assert found.catalog.platforms[0].functions[0].endpoints == (first,)
    assert not found.unused
    assert not found.catalog.ordered


def test_attack_a_name_the_host_chose_lends_itself_to_no_other_platform(tmp_path: Path) -> None:
    """A host who has X alone measured, since others stand out on its line, was sent to WhatsApp and
    Telegram by an order that called them X: all that is shipped counted as chosen."""
    mine = own(tmp_path, more='[catalog]\nplatforms = ["x"]\n')
    for other in ("https://web.telegram.org/", "https://web.whatsapp.com/"):
        assert other in shipped_ids()
        found = choose(mine, order(platform("x", other), "x"), NOTHING)
        assert found.catalog.platforms == (SHIPPED["x"],)
        assert [(one.name, one.acceptable) for one in found.unused] == [("x", True)]
    accept = consent(tmp_path)
    accept.accept(found.unused[0].endpoints, ())
    told = order(platform("x", other), "x")
    assert "https://web.whatsapp.com/" in ids(choose(mine, told, accept.allowed(told)).catalog)


@pytest.mark.parametrize("name", ["signal", "public-dns"])
def test_attack_what_is_measured_only_where_it_is_named(tmp_path: Path, name: str) -> None:
    """Asking it looks like getting round a block. An order had every agent do so whose file names
    no platforms, under its own name or as a part of another."""
    assert not SHIPPED[name].default
    told = order("", "x", name)
    found = chosen(tmp_path, told)
    assert found.catalog.platforms == (SHIPPED["x"],)
    assert [(one.name, one.acceptable) for one in found.unused] == [(name, True)]
    named = own(tmp_path, more=f'[catalog]\nplatforms = ["x", "{name}"]\n')
    assert choose(named, told, NOTHING).catalog.platforms == (SHIPPED["x"], SHIPPED[name])
    consent(tmp_path).accept(found.unused[0].endpoints, ())
    allowed = consent(tmp_path).allowed(told)
    both = choose(own(tmp_path), told, allowed).catalog
    assert both.platforms == (SHIPPED["x"], SHIPPED[name])


@pytest.mark.parametrize(
    "catalog",
    [
        "".join(platform("x", "https://x.com/").replace("web", f"f{n}") for n in range(3000)),
        "[platform.telegram.function.chat]\nsample = 0\n",
        "".join(platform(f"p{number}", "https://x.com/") for number in range(4)),
    ],
    ids=["an endpoint in thousands of functions", "whole pools", "one in several platforms"],
)
def test_attack_an_order_has_more_tested_in_a_cycle(tmp_path: Path, catalog: str) -> None:
    """Nothing new was named, so nobody was asked: an agent tested one site 3,000 times in a cycle,
    or every server of a pool of which it tests a few. That draws looks at its host, and many agents
    together would bring a site down."""
    names = ("x", "telegram", *(f"p{number}" for number in range(4)))
    mine = own(tmp_path, more='[catalog]\nplatforms = ["telegram"]\n')
    settings = mine if "telegram" in catalog else own(tmp_path)
    with pytest.raises(OrdersError, match=r"tests in a cycle|5 times"):
        choose(settings, order(catalog, *names), NOTHING)


def _known() -> list[str]:
    """All that an agent ships for measuring by default and that can be fetched over HTTPS."""
    shipped = (one for one in SHIPPED.values() if one.default)
    listed = (
        endpoint
        for each in shipped
        for function in each.functions
        for endpoint in (*function.endpoints, *function.transfer)
    )
    https = (one for one in listed if one.kind is EndpointKind.HTTPS)
    return list(dict.fromkeys(one.id for one in https if parse_endpoint(one.id) == one))


def _pages(platforms: Iterable[Platform]) -> Counter[Endpoint]:
    """What a quiet agent fetches to measure its speed."""
    return Counter(one.endpoint for each in platforms for one in objects_of(each) if one.page)


def _functions(known: list[str], transfer: list[str], number: int = 20) -> str:
    """TOML of X in so many functions, each with those to fetch."""
    listed = ", ".join(f'"{one}"' for one in transfer)
    return "".join(
        f'[platform.x.function.f{one}]\ncore = true\nneed = "any"\n'
        f'endpoints = ["{known[one]}"]\ntransfer = [{listed}]\n'
        for one in range(number)
    )


def test_attack_an_order_has_the_speed_of_more_measured(tmp_path: Path) -> None:
    """Known endpoints listed as those to fetch made 746 objects of 40, each fetched every hour:
    only tests were counted."""
    mine = own(tmp_path)
    most = sum(len(objects_of(one)) for one in mine.catalog.platforms)
    pages = [one.id for one in _pages(mine.catalog.platforms)]
    told = order(_functions(pages, pages, min(len(pages), 9)), "x")
    with pytest.raises(OrdersError, match=f"allows {most}"):
        choose(mine, told, NOTHING)
    with pytest.raises(OrdersError, match=f"{pages[0]} 4 times"):
        choose(mine, order(_functions(pages[1:], pages[:1], 3), "x"), NOTHING)


@pytest.mark.parametrize("name", ["f0", "web"])
def test_attack_an_order_has_a_quiet_agent_fetch_more_than_start_pages(
    tmp_path: Path, name: str
) -> None:
    """From a quiet vantage the speed of start pages is measured and of what the catalogue names:
    an order named api.x.com and 26 others, or called their function `web`. That waits for the
    host."""
    mine = own(tmp_path)
    pages = _pages(mine.catalog.platforms)
    api = "https://api.x.com/"
    assert api in _known()
    text = platform("x", api) if name == "web" else _functions([api], _known(), 1)
    found = choose(mine, order(text, "x"), NOTHING)
    assert found.catalog.platforms == (SHIPPED["x"],)
    (unused,) = found.unused
    assert unused.acceptable
    assert api in {one.id for one in unused.endpoints}
    assert not pages.keys() & set(unused.endpoints)
    named = order(_functions([api], [next(iter(pages)).id], 1), "x")
    assert not choose(mine, named, NOTHING).unused


def test_an_order_may_have_as_much_tested_as_the_agents_own_file(tmp_path: Path) -> None:
    """All shipped platforms, as they are, and what the host accepted besides."""
    every = tuple(name for name, one in SHIPPED.items() if one.default)
    told = order(platform("ours", *(f"https://h{n}.example/" for n in range(9))), *every, "ours")
    assert len(chosen(tmp_path, told, EVERYTHING).catalog.platforms) == len(every) + 1


def test_the_operators_own_platform_waits_for_a_host_whose_file_names_platforms(
    tmp_path: Path,
) -> None:
    """As each file does that joining wrote: such an agent measured the operator's own platforms
    never, and never said so. The shipped ones stay a choice of the host's alone."""
    mine = own(tmp_path, more='[catalog]\nplatforms = ["x"]\n')
    told = order(platform("ours", "https://ours.example/"), "x", "telegram", "ours")
    found = choose(mine, told, NOTHING)
    assert found.catalog.platforms == (SHIPPED["x"],)
    assert [(one.name, one.acceptable) for one in found.unused] == [("ours", True)]
    accept = consent(tmp_path)
    accept.accept(found.unused[0].endpoints, ())
    for allowed in (accept.allowed(told), EVERYTHING):
        both = choose(mine, told, allowed)
        assert [one.name for one in both.catalog.platforms] == ["x", "ours"]
        assert not both.unused
    elsewhere = order(platform("ours", "https://web.telegram.org/"), "x", "ours")
    assert [one.name for one in choose(mine, elsewhere, NOTHING).unused] == ["ours"]


def test_what_the_hosts_own_file_holds_may_be_chosen(tmp_path: Path) -> None:
    """An endpoint of the agent's own catalogue is its host's choice, whatever it is."""
    (tmp_path / "mine.toml").write_text(platform("mine", "https://mine.example/"))
    mine = own(tmp_path, more=f'[catalog]\nfile = "{tmp_path}/mine.toml"\n')
    found = choose(mine, order(platform("x", "https://mine.example/"), "x", "mine"), Allowed())
    assert ids(found.catalog) - shipped_ids() == {"https://mine.example/"}
    assert not found.unused


def test_attack_a_catalogue_of_a_megabyte_is_not_read(tmp_path: Path) -> None:
    """An agent has 80 MB; whoever sends it a huge or deep catalogue gets nothing read."""
    for text in ("# " + "x" * 2**20, f"a = {'[' * 5000}{']' * 5000}"):
        with pytest.raises(OrdersError, match=r"it has more than|nested"):
            chosen(tmp_path, order(text, "x"))


def test_attack_names_that_a_proxy_resolves(tmp_path: Path) -> None:
    """Nobody sees where a name leads that a proxy resolves, so none comes by order there; what is
    shipped may still be chosen."""
    mine = own(tmp_path)
    (vantage,) = mine.vantages
    egress = Egress(kind=EgressKind.SOCKS5, proxy_host="proxy.example", proxy_port=1080)
    proxied = msgspec.structs.replace(
        mine, vantages=(msgspec.structs.replace(vantage, egress=egress),)
    )
    catalog = platform("ours", "https://ours.example/")
    found = choose(proxied, order(catalog, "x", "ours"), EVERYTHING)
    assert found.catalog.platforms == (SHIPPED["x"],)
    assert ["proxy" in one.why for one in found.unused] == [True]
    assert choose(mine, order(catalog, "ours"), EVERYTHING).catalog.ordered


def test_attack_many_endpoints_of_one_host(tmp_path: Path) -> None:
    """400 endpoints on one address were accepted: an agent scanned its ports, and many agents
    together would have brought it down. A few per host are the most, spread over any platforms."""
    scan = platform("scan", *(f"tcp://192.88.99.77:{port}" for port in range(1, 401)))
    found = chosen(tmp_path, order(scan, "scan"), EVERYTHING)
    assert not found.catalog.platforms
    spread = "".join(
        platform(f"p{number}", *(f"https://victim.example/{number}/{one}" for one in range(4)))
        for number in range(10)
    )
    several = order(spread, *(f"p{number}" for number in range(10)))
    found = chosen(tmp_path, several, EVERYTHING)
    assert len(found.catalog.ordered) == MOST_PER_ADDRESS
    assert all("victim.example" in one.why for one in found.unused)


def test_attack_another_catalogue_every_hour(tmp_path: Path) -> None:
    """Whoever may sign catalogues sends a new one with each request for settings: the endpoints of
    a day are bounded all together, and tomorrow there is room again."""
    now = AT
    limits = OrderedLimits(lambda: now)
    mine, measured = own(tmp_path), set[str]()

    def hourly(hour: int) -> Choice:
        catalog = platform("p", *(f"https://h{hour}-{one}.example/" for one in range(50)))
        return choose(mine, order(catalog, "p"), EVERYTHING, limits.admit)

    for hour in range(24):
        measured |= hourly(hour).catalog.ordered
    assert len(measured) == MOST_PER_DAY
    (refused,) = hourly(23).unused
    assert "one day" in refused.why
    now += timedelta(days=1)
    assert len(hourly(24).catalog.ordered) == 50


def test_attack_another_catalogue_right_after_midnight(tmp_path: Path) -> None:
    """Yesterday's endpoints are measured until another order comes. Where only what is ordered
    anew counted for a day, its first minutes doubled what a host had agreed to."""
    now = AT
    limits = OrderedLimits(lambda: now)

    def ordered(word: str) -> frozenset[str]:
        several = {
            f"p{n}": [f"https://{word}{n}-{one}.example/" for one in range(50)] for n in range(4)
        }
        catalog = "".join(platform(name, *ids) for name, ids in several.items())
        return choose(
            own(tmp_path), order(catalog, *several), EVERYTHING, limits.admit
        ).catalog.ordered

    yesterday = ordered("a")
    assert len(yesterday) == MOST_PER_DAY
    now += timedelta(days=1)
    measured = {
        one
        for number, one in enumerate(sorted(yesterday))
        if limits.reaches(one, f"192.88.99.{number}")
    }
    assert measured == yesterday
    assert not ordered("b")


# -- consent --------------------------------------------------------------------------------------


def consent(folder: Path, now: datetime = AT, trusted: tuple[str, ...] = (TRUSTED,)) -> Consent:
    """Of a host who trusts the offline key."""
    files = AgentFiles(config=folder / "a.toml", key=folder / "k.pem", spool=folder / "spool.db")
    return Consent(files, trusted, lambda: now)


def accepted(folder: Path, told: AgentSettings, mine: Settings) -> Choice:
    """What is measured once the host accepted all that may be."""
    asked = choose(mine, told, consent(folder).allowed(told))
    for part in asked.unused:
        if part.acceptable:
            consent(folder).accept(part.endpoints, part.references)
    return choose(mine, told, consent(folder).allowed(told))


def test_what_the_host_accepted_is_measured_and_nothing_beside_it(tmp_path: Path) -> None:
    """Consent is for endpoints, not for a name: an order that changes one of them waits again, and
    so does one that is measured without judging its certificate."""
    catalog = platform("ours", "https://ours.example/", "https://api.ours.example/")
    mine = own(tmp_path)
    found = accepted(tmp_path, order(catalog, "ours"), mine)
    assert found.catalog.ordered == {"https://ours.example/", "https://api.ours.example/"}
    fewer = order(platform("ours", "https://ours.example/"), "ours")
    assert not choose(mine, fewer, consent(tmp_path).allowed(fewer)).unused
    for changed in (
        platform("ours", "https://ours.example/", "https://victim.example/"),
        catalog + "verify = false\n",
    ):
        told = order(changed, "ours")
        found = choose(mine, told, consent(tmp_path).allowed(told))
        assert not found.catalog.platforms
        assert found.unused[0].acceptable
    consent(tmp_path).forget()
    told = order(catalog, "ours")
    assert not choose(mine, told, consent(tmp_path).allowed(told)).catalog.platforms


def test_attack_consent_cannot_be_had_for_what_no_host_would_allow(tmp_path: Path) -> None:
    """`accept` takes only what may be accepted, and a file of consent that somebody wrote does not
    lead into the host's network."""
    told = order(platform("ours", "http://192.168.77.1/"), "ours")
    assert not accepted(tmp_path, told, own(tmp_path)).catalog.platforms
    (endpoint,) = parse_catalog(told.catalog, "c").platforms[0].functions[0].endpoints
    consent(tmp_path).accept([endpoint], [])
    assert not accepted(tmp_path, told, own(tmp_path)).catalog.platforms


def test_what_cannot_be_read_is_no_consent(tmp_path: Path) -> None:
    """A file that was cut short allows nothing, and `accept` begins it anew."""
    (tmp_path / "spool.db.accepted").write_bytes(b'{"endpoints": [{"kind"')
    assert consent(tmp_path).allowed(order("", "x")) == Allowed()


# -- offline keys ---------------------------------------------------------------------------------

CATALOG = platform("ours", "https://ours.example/")
NEXT = platform("ours", "https://next.ours.example/")


def proven(
    catalog: str = CATALOG,
    *,
    offline: Ed25519PrivateKey = OFFLINE,
    key: Ed25519PrivateKey = SIGNING,
    begins: datetime = AT - timedelta(days=1),
    days: float = 30,
    made_at: datetime = AT,
) -> AgentSettings:
    """An order with a catalogue as `shutwatch sign` signs it."""
    signer = make_signer(offline, key, begins, begins + timedelta(days=days))
    return order(catalog, "ours", proof=prove(catalog, signer, key, made_at))


def test_a_catalogue_of_a_trusted_offline_key_needs_no_consent(tmp_path: Path) -> None:
    """It is measured at once, and only by agents whose file names the key."""
    told = proven()
    assert consent(tmp_path).fault(told) == ""
    assert consent(tmp_path).allowed(told) == EVERYTHING
    assert consent(tmp_path, trusted=()).allowed(told) == Allowed()


def _changed(told: AgentSettings, **changes: object) -> AgentSettings:
    proof = told.catalog_proof
    assert proof is not None
    signer = {name: value for name, value in changes.items() if name != "made_at"}
    own_fields = {name: value for name, value in changes.items() if name == "made_at"}
    return msgspec.structs.replace(
        told,
        catalog_proof=msgspec.structs.replace(
            proof, signer=msgspec.structs.replace(proof.signer, **signer), **own_fields
        ),
    )


SOON = timedelta(days=3)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (proven(offline=THIEF), "does not name its offline key"),
        (_changed(proven(), key=public_text(THIEF)), "did not sign the signing key"),
        (_changed(proven(), ends=AT + timedelta(days=90)), "did not sign the signing key"),
        (_changed(proven(), begins=AT - timedelta(days=9)), "did not sign the signing key"),
        (_changed(proven(offline=THIEF), offline=public_text(OFFLINE)), "did not sign"),
        (_changed(proven(), offline="nonsense"), "none"),
        (_changed(proven(), made_at=AT + SOON), "did not sign this catalogue"),
        (msgspec.structs.replace(proven(), catalog=NEXT), "did not sign this catalogue"),
        (proven(days=101), "more than 100 days"),
        (proven(days=-1), "more than 100 days"),
        (proven(begins=AT - timedelta(days=31)), "not valid now"),
        (proven(begins=AT + SOON), "not valid now"),
        (proven(made_at=AT + timedelta(days=40)), "while its signing key was valid"),
        (order(CATALOG, "ours"), "not signed"),
    ],
)
def test_attack_a_seized_collector_cannot_forge_a_catalogue(
    tmp_path: Path, told: AgentSettings, why: str
) -> None:
    """It has its own keys, and whatever catalogues were signed: neither another key nor another
    date nor another text comes through."""
    assert why in consent(tmp_path).fault(told)
    assert consent(tmp_path).allowed(told) == Allowed()


def test_attack_a_stolen_signing_key_is_worthless_once_its_successor_was_seen(
    tmp_path: Path,
) -> None:
    """A new signing key needs nothing of hosts. After its first catalogue, the old one's are taken
    no more, those that are signed from then on included."""
    consent(tmp_path).remember(proven())
    rotated = proven(NEXT, key=LATER, begins=AT - timedelta(hours=1))
    assert consent(tmp_path).allowed(rotated) == EVERYTHING
    consent(tmp_path).remember(rotated)
    stolen = proven(platform("ours", "https://victim.example/"), made_at=AT + timedelta(hours=1))
    assert consent(tmp_path).fault(stolen) == "a newer signing key is in use"
    assert consent(tmp_path).allowed(rotated) == EVERYTHING


def test_attack_an_older_catalogue_is_not_brought_up_again(tmp_path: Path) -> None:
    """An endpoint that the operator took out stays out."""
    consent(tmp_path).remember(proven(NEXT, made_at=AT))
    older = proven(made_at=AT - timedelta(hours=2))
    assert consent(tmp_path).fault(older) == "a newer catalogue was signed"


def test_an_offline_key_is_changed_by_the_hosts_file(tmp_path: Path) -> None:
    """While both are named either is believed; then the old one is taken out."""
    new = fingerprint(public_text(THIEF))
    both = consent(tmp_path, trusted=(TRUSTED, new))
    assert both.allowed(proven()) == both.allowed(proven(offline=THIEF)) == EVERYTHING
    assert consent(tmp_path, trusted=(new,)).allowed(proven()) == Allowed()


def _authority(domain: str) -> str:
    pem = next(iter(shipped_catalog().authorities)).certificates
    return f'[authority."{domain}"]\ncertificates = """{pem}"""\n'


def test_attack_no_order_names_an_authority(tmp_path: Path) -> None:
    """What the collector, or who has seized it, signs for a platform would verify at the agent."""
    shipped = shipped_catalog().authorities
    found = chosen(tmp_path, order(_authority("x.com"), "x"))
    assert found.catalog.authorities == shipped
    assert found.catalog.platforms == (SHIPPED["x"],)


def test_a_platform_whose_authority_the_host_does_not_have_is_not_measured(tmp_path: Path) -> None:
    """It would look like a forgery. An offline key that the host trusts may name one."""
    text = _authority("ours.example") + platform("ours", "https://www.ours.example/")
    told = order(text, "ours")
    endpoints = frozenset(one.endpoints[0] for one in chosen(tmp_path, told).unused)
    found = chosen(tmp_path, told, Allowed(endpoints=endpoints))
    assert not found.catalog.platforms
    (unused,) = found.unused
    assert (unused.name, unused.acceptable) == ("ours", False)
    assert "authority of www.ours.example" in unused.why
    signed = chosen(tmp_path, told, EVERYTHING)
    assert [one.name for one in signed.catalog.platforms] == ["ours"]
    assert [one.domain for one in signed.catalog.authorities] == ["signal.org", "ours.example"]
