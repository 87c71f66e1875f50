"""An operator's catalogue: added to and merged over the shipped one."""

from pathlib import Path

import pytest

from monitor.config.catalog import (
    load_catalog,
    parse_catalog,
    select_platforms,
    shipped_catalog,
)
from monitor.config.country_code import country_code
from monitor.config.toml_problem import ConfigError, Problem
from probes.catalog.catalog import Catalog, Endpoint, Function, Need, Platform, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind, Protocol

SHIPPED = shipped_catalog()


def over_shipped(text: str) -> Catalog:
    """The shipped catalogue with this file merged in."""
    return parse_catalog(text, "mine.toml", SHIPPED)


def refused(text: str) -> tuple[Problem, ...]:
    """Every problem of a file with this text."""
    with pytest.raises(ConfigError) as caught:
        over_shipped(text)
    return caught.value.problems


def platform(catalog: Catalog, name: str) -> Platform:
    """The platform of that name."""
    return next(one for one in catalog.platforms if one.name == name)


def function(catalog: Catalog, platform_name: str, name: str) -> Function:
    """The function of that name."""
    return next(one for one in platform(catalog, platform_name).functions if one.name == name)


def test_a_platform_of_ones_own_is_added_at_the_end() -> None:
    """Everything it says arrives, and what is shipped stays as it was."""
    catalog = over_shipped(
        """
        [platform.our-news]
        title = "Our news"
        owner = "Our office"
        [platform.our-news.function.web]
        core = true
        endpoints = [
          "https://bücher.example/",
          { endpoint = "https://news.example/alive", status = [200, 204], verify = false },
        ]
        [platform.our-news.function.chat]
        need = "all"
        endpoints = ["tcp://[2001:db8::7]:5222", "tls://chat.example", "dns:chat.example"]
        """
    )
    assert catalog.platforms[:-1] == SHIPPED.platforms
    assert catalog.references == SHIPPED.references
    assert catalog.platforms[-1] == Platform(
        name="our-news",
        title="Our news",
        owner="Our office",
        functions=(
            Function(
                name="web",
                core=True,
                canonical=True,
                endpoints=(
                    Endpoint(kind=EndpointKind.HTTPS, host="xn--bcher-kva.example", port=443),
                    Endpoint(
                        kind=EndpointKind.HTTPS,
                        host="news.example",
                        port=443,
                        path="/alive",
                        expect_status=(200, 204),
                        verify=False,
                    ),
                ),
            ),
            Function(
                name="chat",
                need=Need.ALL,
                endpoints=(
                    Endpoint(kind=EndpointKind.TCP, host="2001:db8::7", port=5222),
                    Endpoint(kind=EndpointKind.TLS, host="chat.example", port=443),
                    Endpoint(kind=EndpointKind.DNS, host="chat.example", port=0),
                ),
            ),
        ),
    )


def test_title_and_owner_may_be_left_out() -> None:
    """The name stands in for the title, the title for the owner."""
    catalog = over_shipped(
        '[platform.news.function.web]\ncore = true\nendpoints = ["https://news.example/"]'
    )
    news = platform(catalog, "news")
    assert (news.title, news.owner, news.default) == ("news", "news", True)


def test_one_function_can_be_replaced_and_the_rest_stays() -> None:
    """What the file does not mention keeps its place and its values."""
    catalog = over_shipped('[platform.x.function.web]\nendpoints = ["https://x.com/home"]')
    web = function(catalog, "x", "web")
    assert [one.id for one in web.endpoints] == ["https://x.com/home"]
    assert (web.core, web.need, web.canonical) == (True, Need.ANY, True)
    assert platform(catalog, "x").functions[1:] == platform(SHIPPED, "x").functions[1:]
    assert [one.name for one in catalog.platforms] == [one.name for one in SHIPPED.platforms]


def test_endpoints_can_be_taken_out_and_put_in() -> None:
    """Only what changes has to be written; spelling does not have to match to the letter."""
    catalog = over_shipped(
        '[platform.x.function.web]\nremove = ["https://Twitter.com"]\nadd = ["https://mobile.x.com/"]'
    )
    assert [one.id for one in function(catalog, "x", "web").endpoints] == [
        "https://x.com/",
        "https://mobile.x.com/",
    ]


def test_a_function_can_be_added_to_a_shipped_platform() -> None:
    """A new function stands after the shipped ones."""
    catalog = over_shipped('[platform.x.function.grok]\nendpoints = ["https://grok.com/"]')
    assert platform(catalog, "x").functions[:-1] == platform(SHIPPED, "x").functions
    assert platform(catalog, "x").functions[-1].name == "grok"


def test_flags_alone_can_be_changed() -> None:
    """Watching signal, looking at every member of a pool, making pictures core."""
    catalog = over_shipped(
        "[platform.signal]\ndefault = true\n"
        "[platform.whatsapp.function.chat]\nsample = 0\n"
        "[platform.x.function.pictures]\ncore = true\n"
        "[platform.signal.function.chat]\nverify = false\n"
    )
    assert platform(catalog, "signal").default
    assert function(catalog, "whatsapp", "chat").sample == 0
    assert len(function(catalog, "whatsapp", "chat").endpoints) == 34
    assert function(catalog, "x", "pictures").core
    assert not any(one.verify for one in function(catalog, "signal", "chat").endpoints)


def test_a_protocol_is_said_of_one_endpoint_or_of_a_whole_function() -> None:
    """It changes nothing about which endpoint it is."""
    catalog = over_shipped(
        "[platform.signal.function.calls]\n"
        'endpoints = ["tcp://192.0.2.7:443", '
        '{ endpoint = "tcp://192.0.2.8:443", protocol = "mtproto" }, "stun:turn.signal.org"]\n'
        "[platform.signal.function.more]\n"
        'protocol = "mtproto"\nendpoints = ["tcp://192.0.2.9:443", "tcp://192.0.2.9:80"]\n'
    )
    calls = function(catalog, "signal", "calls").endpoints
    assert [one.id for one in calls] == [
        *("tcp://192.0.2.7:443", "tcp://192.0.2.8:443", "stun:turn.signal.org:3478"),
    ]
    assert [one.protocol for one in calls] == [None, Protocol.MTPROTO, None]
    more = function(catalog, "signal", "more").endpoints
    assert [one.protocol for one in more] == [Protocol.MTPROTO] * 2


def test_endpoints_keep_the_protocol_of_what_is_shipped() -> None:
    """One leaves a pool; the others are asked as before, and a new one if told to."""
    catalog = over_shipped(
        '[platform.telegram.function.chat]\nremove = ["tcp://149.154.175.50:80"]\n'
        'add.dc1 = ["tcp://192.0.2.9:443", '
        '{ endpoint = "tcp://192.0.2.10:443", protocol = "mtproto" }]'
    )
    chat = function(catalog, "telegram", "chat").endpoints
    kept = [one for one in chat if not one.host.startswith("192.0.2.")]
    assert len(kept) == len(function(SHIPPED, "telegram", "chat").endpoints) - 1
    assert {one.protocol for one in kept} == {Protocol.MTPROTO}
    new = {one.id: one.protocol for one in chat if one.host.startswith("192.0.2.")}
    assert new == {"tcp://192.0.2.9:443": None, "tcp://192.0.2.10:443": Protocol.MTPROTO}
    (dc1, *others) = function(catalog, "telegram", "chat").groups
    assert dc1.endpoints[-2:] == tuple(new)
    assert "tcp://149.154.175.50:80" not in dc1.endpoints
    assert others == list(function(SHIPPED, "telegram", "chat").groups[1:])


def test_a_number_says_how_many_must_work_and_groups_count_apart() -> None:
    """Two of three; and groups with endpoints of their own."""
    catalog = over_shipped(
        "[platform.news.function.seats]\ncore = true\nneed = 2\n"
        'endpoints = ["tls://a.example", "tls://b.example", "tls://c.example"]\n'
        "[platform.news.function.rooms]\n"
        'endpoints.north = ["tls://n.example"]\nendpoints.south = ["tls://s.example"]\n'
    )
    seats, rooms = function(catalog, "news", "seats"), function(catalog, "news", "rooms")
    assert (seats.need, len(seats.endpoints), seats.groups) == (2, 3, ())
    assert [(one.name, one.endpoints) for one in rooms.groups] == [
        ("north", ("tls://n.example:443",)),
        ("south", ("tls://s.example:443",)),
    ]
    assert [[one.host for one in pool] for pool in rooms.pools] == [["n.example"], ["s.example"]]


def test_references_replace_only_those_of_their_kind() -> None:
    """One scope, or one country's domestic list; the others stay."""
    catalog = over_shipped(
        '[references]\ndomestic.PK = ["https://www.geo.tv/"]\ndomestic.KE = ["https://www.nation.africa/"]\n'
        'uplink = [{ endpoint = "http://portal.example/", status = 200, body = "yes" }]\n'
    )
    found: dict[tuple[str, str], list[str]] = {}
    for one in catalog.references:
        found.setdefault((one.scope, one.country), []).append(one.endpoint.id)
    assert found[ReferenceScope.DOMESTIC, "PK"] == ["https://www.geo.tv/"]
    assert found[ReferenceScope.DOMESTIC, "KE"] == ["https://www.nation.africa/"]
    assert len(found[ReferenceScope.DOMESTIC, "BR"]) == 2
    assert len(found[ReferenceScope.INTERNATIONAL, ""]) == 15
    assert found[ReferenceScope.UPLINK, ""] == ["http://portal.example/"]


def test_an_empty_file_changes_nothing() -> None:
    """No key is required."""
    assert over_shipped("") == SHIPPED


def test_platforms_are_selected_in_the_order_of_the_catalogue() -> None:
    """Unknown names select nothing."""
    chosen = select_platforms(SHIPPED, ["telegram", "x", "nope"])
    assert [one.name for one in chosen.platforms] == ["x", "telegram"]
    assert chosen.references == SHIPPED.references


NEWS = "[platform.news.function.web]\ncore = true\n"
PEM = SHIPPED.authorities[0].certificates
AUTHORITY = '[authority."{}"]\ncertificates = """{}"""\n'


def test_an_authority_is_added_and_one_of_the_same_domain_replaced() -> None:
    """A domain in any script and case; the shipped one stays where the file names another."""
    first = PEM.partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    catalog = over_shipped(
        AUTHORITY.format("Bücher.example", PEM) + AUTHORITY.format("signal.org", first)
    )
    assert [(one.domain, one.certificates) for one in catalog.authorities] == [
        ("signal.org", first),
        ("xn--bcher-kva.example", PEM),
    ]
    assert over_shipped("").authorities == SHIPPED.authorities


BROKEN = {
    "authority without certificates": (
        '[authority."example.org"]',
        (1, 'authority."example.org".certificates', "root certificates"),
    ),
    "authority that is none": (
        AUTHORITY.format("example.org", "nothing"),
        (2, 'authority."example.org".certificates', "-----BEGIN CERTIFICATE-----"),
    ),
    "authority with a cut certificate": (
        AUTHORITY.format("example.org", PEM[:900]),
        (2, 'authority."example.org".certificates', "-----BEGIN CERTIFICATE-----"),
    ),
    "authority with a number": (
        '[authority."example.org"]\ncertificates = 7\n',
        (2, 'authority."example.org".certificates', "-----BEGIN CERTIFICATE-----"),
    ),
    "authority of everything": (
        AUTHORITY.format("org", PEM),
        (1, "authority.org", 'a domain such as "example.org"'),
    ),
    "authority of an address": (
        AUTHORITY.format("192.0.2.7", PEM),
        (1, 'authority."192.0.2.7"', 'a domain such as "example.org"'),
    ),
    "authority of a page": (
        AUTHORITY.format("https://example.org/", PEM),
        (1, 'authority."https://example.org/"', 'a domain such as "example.org"'),
    ),
    "unknown key": (
        f'{NEWS}endpoint = ["https://news.example/"]',
        (3, "platform.news.function.web.endpoint", 'did you mean "endpoints"?'),
    ),
    "no endpoints": (NEWS, (1, "platform.news.function.web.endpoints", "list at least one")),
    "empty endpoints": (
        f"{NEWS}endpoints = []",
        (3, "platform.news.function.web.endpoints", "list at least one"),
    ),
    "no function": (
        '[platform.news]\ntitle = "News"',
        (1, "platform.news.function", "[platform.news.function.web]"),
    ),
    "no core function": (
        '[platform.news.function.web]\nendpoints = ["https://news.example/"]',
        (1, "platform.news.function", "core = true"),
    ),
    "core taken from the last core function": (
        "[platform.threads.function.web]\ncore = false",
        (1, "platform.threads.function", "core = true"),
    ),
    "name with capitals": (
        f'{NEWS.replace("news", "News")}endpoints = ["https://news.example/"]',
        (1, "platform.News", "lower-case"),
    ),
    "name that stands for something else": (
        f'{NEWS.replace("news", "reference")}endpoints = ["https://news.example/"]',
        (1, "platform.reference", "another name"),
    ),
    "role name with spaces": (
        '[platform.x.function."my function"]\nendpoints = ["https://x.com/"]',
        (1, 'platform.x.function."my function"', "lower-case"),
    ),
    "need misspelt": (
        '[platform.x.function.web]\nneed = "one"',
        (2, "platform.x.function.web.need", '"any", "all"'),
    ),
    "sample of a function that needs all": (
        "[platform.tiktok.function.video]\nsample = 2",
        (2, "platform.tiktok.function.video.sample", "sample = 0"),
    ),
    "need all of a sampled pool": (
        '[platform.whatsapp.function.chat]\nneed = "all"',
        (2, "platform.whatsapp.function.chat.need", "sample = 0"),
    ),
    "sample of a function that needs two": (
        "[platform.x.function.web]\nneed = 2\nsample = 1",
        (3, "platform.x.function.web.sample", "sample = 0"),
    ),
    "more needed than there are": (
        "[platform.x.function.web]\nneed = 3",
        (2, "platform.x.function.web.need", "list at least 3 endpoints"),
    ),
    "none needed": (
        "[platform.x.function.web]\nneed = 0",
        (2, "platform.x.function.web.need", "1"),
    ),
    "an unknown need": (
        '[platform.x.function.web]\nneed = "most"',
        (2, "platform.x.function.web.need", 'one of "any", "all"'),
    ),
    "adding to no group": (
        '[platform.telegram.function.chat]\nadd = ["tcp://192.0.2.9:443"]',
        (2, "platform.telegram.function.chat.add", "its group: add.dc1"),
    ),
    "a group where there are none": (
        '[platform.x.function.web]\nadd.one = ["https://x.example/"]',
        (2, "platform.x.function.web.add", "this function has no groups"),
    ),
    "one endpoint in two groups": (
        '[platform.x.function.app]\nendpoints = { a = ["tls://x.ex"], b = ["tls://x.ex"] }',
        (2, "platform.x.function.app.endpoints", "each endpoint in one group only"),
    ),
    "a canonical endpoint beside groups": (
        '[platform.x.function.web]\nendpoints.a = ["tls://x.example"]',
        (2, "platform.x.function.web.endpoints", "canonical or groups"),
    ),
    "calls that only resolve": (
        '[platform.messenger.function.calls]\nadd = ["dns:stun.fbsbx.com"]',
        (1, "platform.messenger.function.calls.endpoints", "a server that answers"),
    ),
    "removing what is not there": (
        '[platform.x.function.web]\nremove = ["https://twiter.com/"]',
        (2, "platform.x.function.web.remove[1]", 'did you mean "https://twitter.com/"?'),
    ),
    "removing everything": (
        '[platform.x.function.links]\nremove = ["https://t.co/"]',
        (2, "platform.x.function.links.remove", "leave at least one"),
    ),
    "adding what is there": (
        '[platform.x.function.web]\nadd = ["https://x.com/"]',
        (2, "platform.x.function.web.add[1]", "has it already"),
    ),
    "adding to endpoints given": (
        '[platform.x.function.web]\nendpoints = ["https://x.com/"]\nadd = ["https://y.com/"]',
        (3, "platform.x.function.web.add", "under endpoints instead"),
    ),
    "adding to a new function": (
        '[platform.x.function.new]\nadd = ["https://y.com/"]',
        (2, "platform.x.function.new.add", "under endpoints instead"),
    ),
    "endpoint twice": (
        f'{NEWS}endpoints = ["https://news.example/", "https://NEWS.example"]',
        (3, "platform.news.function.web.endpoints[2]", "remove one of the two"),
    ),
    "status of something that has none": (
        f'{NEWS}endpoints = [\n  {{ endpoint = "tls://news.example", status = 200 }},\n]',
        (4, "platform.news.function.web.endpoints[1].status", "only http and https"),
    ),
    "protocol of something that has one": (
        f'{NEWS}endpoints = [{{ endpoint = "tls://news.example", protocol = "mtproto" }}]',
        (3, "platform.news.function.web.endpoints[1].protocol", "only tcp endpoints"),
    ),
    "protocol of a function with others in it": (
        f'{NEWS}protocol = "mtproto"\nendpoints = ["tcp://news.example:1", "dns:news.example"]',
        (3, "platform.news.function.web.protocol", "not dns:news.example"),
    ),
    "unknown protocol": (
        f'{NEWS}endpoints = [{{ endpoint = "tcp://news.example:1", protocol = "mtprot" }}]',
        (3, "platform.news.function.web.endpoints[1].protocol", '"mtproto"'),
    ),
    "a time server as a platform": (
        f'{NEWS}endpoints = ["ntp:time.example"]',
        (3, "platform.news.function.web.endpoints[1]", "as a reference, under udp"),
    ),
    "a site as a reference over UDP": (
        '[references]\nudp = ["https://www.example.org/"]',
        (2, "references.udp[1]", "stun:host or ntp:host under udp"),
    ),
    "a time server as a reference abroad": (
        '[references]\ninternational = ["ntp:time.example"]',
        (2, "references.international[1]", "stun:host or ntp:host under udp"),
    ),
    "status out of range": (
        f'{NEWS}endpoints = [{{ endpoint = "https://news.example/", status = 20 }}]',
        (3, "platform.news.function.web.endpoints[1].status", "from 100 to 599"),
    ),
    "no status at all": (
        f'{NEWS}endpoints = [{{ endpoint = "https://news.example/", status = [] }}]',
        (3, "platform.news.function.web.endpoints[1].status", "at least one status"),
    ),
    "body outside references": (
        f'{NEWS}endpoints = [{{ endpoint = "https://news.example/", body = "x" }}]',
        (3, "platform.news.function.web.endpoints[1].body", "endpoint, status, verify, protocol"),
    ),
    "endpoint table without endpoint": (
        f"{NEWS}endpoints = [{{ status = 200 }}]",
        (3, "platform.news.function.web.endpoints[1].endpoint", "name it"),
    ),
    "number for an endpoint": (
        f"{NEWS}endpoints = [443]",
        (3, "platform.news.function.web.endpoints[1]", "quotation marks"),
    ),
    "platforms as a list": (
        '[[platform]]\nname = "news"',
        (1, "platform", "a table of settings"),
    ),
    "not TOML": ("[platform.x\n", (1, "", "with ]")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_shown_with_file_key_line_and_remedy(name: str) -> None:
    """A catalogue's mistakes are told like a configuration's."""
    text, (line, key, remedy) = BROKEN[name]
    problems = refused(text)
    assert len(problems) == 1, "\n".join(map(str, problems))
    assert (problems[0].file, problems[0].line, problems[0].key) == ("mine.toml", line, key)
    assert remedy in problems[0].remedy


def test_several_mistakes_are_all_shown_in_order() -> None:
    """One reading finds them all, over platforms, functions and references."""
    problems = refused(
        '[platform.x.function.web]\nneed = "one"\nsample = -1\n'
        '[platform.news.function.web]\nendpoints = ["ftp://x", "https://ok.example/", "y"]\n'
        "[references]\ninternational = [1]\n[platfrom]\n"
    )
    assert [problem.line for problem in problems] == [2, 3, 5, 5, 7, 8]


def test_a_file_that_is_not_there_is_one_problem(tmp_path: Path) -> None:
    """No traceback for a wrong name."""
    with pytest.raises(ConfigError) as caught:
        load_catalog(tmp_path / "none.toml", SHIPPED)
    assert "cannot be read" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("pk", "PK"),
        ("Pakistan", "PK"),
        ("Brasil", "BR"),
        ("UK", "GB"),
        ("usa", "US"),
        ("Turkey", "TR"),
        ("Ivory Coast", "CI"),
        ("Phillipines", "PH"),
        ("Myanmar", "MM"),
        ("Saint Lucia", "LC"),
        ("Trinidad and Tobago", "TT"),
    ],
)
def test_a_country_by_another_name_is_recognised(written: str, code: str) -> None:
    """Names, other codes and slips of the pen lead to the code that is meant."""
    with pytest.raises(ValueError, match=f'write "{code}"'):
        country_code(written)
