"""The facts of the shipped catalogue."""

import re
from importlib.resources import files

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from monitor.config.catalog import shipped_catalog, watched_by_default
from probes.catalog.catalog import (
    Endpoint,
    Function,
    Need,
    Platform,
    ReferenceScope,
    certificates_for,
)
from probes.catalog.endpoint_kinds import EndpointKind, Protocol
from probes.catalog.host import is_literal
from probes.measurement import family_of

CATALOG = shipped_catalog()
PLATFORMS = {platform.name: platform for platform in CATALOG.platforms}

CORE = {
    "x": {"web", "app"},
    "facebook": {"web", "app"},
    "messenger": {"chat"},
    "instagram": {"web", "app"},
    "threads": {"web"},
    "meta": {"web"},
    "whatsapp": {"chat"},
    "youtube": {"web", "app", "video"},
    "tiktok": {"web", "app"},
    "telegram": {"chat"},
    "signal": {"chat"},
    "public-dns": {"doh"},
}
OTHER = {
    "x": {"pictures", "video", "scripts", "links"},
    "facebook": {"pictures", "scripts"},
    "messenger": {"web", "chat-web", "app", "calls"},
    "instagram": {"media", "scripts"},
    "threads": {"media"},
    "meta": set(),
    "whatsapp": {"registration", "web", "media", "links"},
    "youtube": {"pictures", "links"},
    "tiktok": {"video", "pictures", "scripts", "links"},
    "telegram": {"web", "media", "links", "bots"},
    "signal": {"storage", "contacts", "group-calls", "media"},
    "public-dns": {"dot"},
}
CANONICAL = {
    "x": "https://x.com/",
    "facebook": "https://www.facebook.com/",
    "messenger": "https://www.facebook.com/messages/",
    "instagram": "https://www.instagram.com/",
    "threads": "https://www.threads.com/",
    "meta": "https://www.meta.com/",
    "whatsapp": "https://web.whatsapp.com/",
    "youtube": "https://www.youtube.com/",
    "tiktok": "https://www.tiktok.com/",
    "telegram": "https://web.telegram.org/",
}
OWNERS = {
    "x": "X Corp.",
    "facebook": "Meta",
    "messenger": "Meta",
    "instagram": "Meta",
    "threads": "Meta",
    "meta": "Meta",
    "whatsapp": "Meta",
    "youtube": "Google",
    "tiktok": "ByteDance",
    "telegram": "Telegram",
    "signal": "Signal",
    "public-dns": "Public DNS",
}


def function_of(platform: Platform, name: str) -> Function:
    """The function of that name."""
    return next(function for function in platform.functions if function.name == name)


def ids(function: Function) -> list[str]:
    """The endpoints of a function as text."""
    return [endpoint.id for endpoint in function.endpoints]


def test_these_are_the_platforms_and_owners() -> None:
    """No platform that governments name is missing, each is under the company that runs it."""
    assert {name: PLATFORMS[name].owner for name in OWNERS} == OWNERS
    assert all(platform.owner for platform in PLATFORMS.values())


@pytest.mark.parametrize("name", CORE)
def test_a_platform_is_blocked_by_its_core_functions_alone(name: str) -> None:
    """Core are the functions without which nobody can use the platform."""
    functions = PLATFORMS[name].functions
    assert {function.name for function in functions if function.core} == CORE[name]
    assert {function.name for function in functions if not function.core} == OTHER[name]


@pytest.mark.parametrize("name", CANONICAL)
def test_the_canonical_web_host_must_work_whatever_others_do(name: str) -> None:
    """An old name that still redirects proves nothing about the new one."""
    web = function_of(PLATFORMS[name], "web")
    assert web.canonical
    assert web.endpoints[0].id == CANONICAL[name]


def test_any_one_endpoint_suffices_only_where_applications_fall_back() -> None:
    """Where one host stands for another that carries something else, a block is not seen."""
    falling_back = {
        (platform.name, function.name)
        for platform in PLATFORMS.values()
        for function in platform.functions
        if function.need is Need.ANY and not function.canonical and len(function.endpoints) > 1
    }
    assert falling_back == {
        ("facebook", "app"),
        ("whatsapp", "chat"),
        ("tiktok", "app"),
        ("telegram", "chat"),
        ("telegram", "media"),
        ("public-dns", "doh"),
        ("public-dns", "dot"),
    }


def test_no_call_is_made_by_a_name_that_resolves() -> None:
    """And no endpoint of the catalogue is a name alone."""
    kinds = {
        endpoint.kind
        for p in PLATFORMS.values()
        for function in p.functions
        for endpoint in function.endpoints
    }
    assert EndpointKind.DNS not in kinds


def test_every_function_names_its_source_and_date() -> None:
    """Facts about hosts grow old: whoever corrects one must see where it is from."""
    lines = files("probes.catalog").joinpath("catalog.toml").read_text(encoding="utf-8").split("\n")
    dated = re.compile(r"# .*20[0-9]{2}-[0-9]{2}")
    functions = [
        number
        for number, line in enumerate(lines)
        if line.startswith("[platform.") and ".function." in line and "public-dns" not in line
    ]
    assert len(functions) > 40
    assert [lines[number] for number in functions if not dated.match(lines[number - 1])] == []


def test_whatsapp_chat_is_a_sampled_pool_of_hosts_on_two_ports() -> None:
    """e1 to e16 and g, each on 443 and 5222, two looked at while all is well."""
    chat = function_of(PLATFORMS["whatsapp"], "chat")
    hosts = [f"e{number}" for number in range(1, 17)] + ["g"]
    assert sorted(ids(chat)) == sorted(
        f"tcp://{host}.whatsapp.net:{port}" for host in hosts for port in (443, 5222)
    )
    assert chat.sample == 2


def test_telegram_chat_is_five_data_centres_by_address() -> None:
    """Each over both families and on three ports, a sample of each: no name can be poisoned, and
    none stands for another."""
    chat = function_of(PLATFORMS["telegram"], "chat")
    assert chat.sample == 1
    hosts = {
        group.name: {endpoint.host for endpoint in pool}
        for group, pool in zip(chat.groups, chat.pools, strict=True)
    }
    assert hosts == {
        "dc1": {"149.154.175.50", "149.154.175.53", "2001:b28:f23d:f001::a"},
        "dc2": {"149.154.167.51", "95.161.76.100", "2001:67c:4e8:f002::a"},
        "dc3": {"149.154.175.100", "2001:b28:f23d:f003::a"},
        "dc4": {"149.154.167.91", "149.154.167.92", "2001:67c:4e8:f004::a"},
        "dc5": {"149.154.171.5", "91.108.56.130", "2001:b28:f23f:f005::a"},
    }
    assert {endpoint.port for endpoint in chat.endpoints} == {443, 80, 5222}
    assert len(chat.endpoints) == 3 * sum(map(len, hosts.values()))


def test_chat_servers_must_answer_in_their_own_protocol() -> None:
    """No tcp endpoint counts as reached by a handshake, which any box in between completes."""
    asked = {
        (platform.name, function.name, endpoint.protocol)
        for platform in PLATFORMS.values()
        for function in platform.functions
        for endpoint in function.endpoints
        if endpoint.kind is EndpointKind.TCP
    }
    assert asked == {
        ("telegram", "chat", Protocol.MTPROTO),
        ("telegram", "media", Protocol.MTPROTO),
        ("whatsapp", "chat", Protocol.WHATSAPP),
    }


def test_youtube_proves_itself_by_an_answer_without_content() -> None:
    """generate_204 must answer 204: a block page answers something else."""
    web = function_of(PLATFORMS["youtube"], "web")
    expected = {endpoint.id: endpoint.expect_status for endpoint in web.endpoints}
    assert expected == {
        "https://www.youtube.com/": (),
        "https://m.youtube.com/": (),
        "https://www.youtube.com/generate_204": (204,),
    }


@pytest.mark.parametrize(
    ("platform", "function", "endpoints"),
    [
        ("x", "web", ["https://x.com/", "https://twitter.com/"]),
        ("x", "app", ["https://api.x.com/", "https://api.twitter.com/"]),
        ("x", "pictures", ["https://pbs.twimg.com/"]),
        ("x", "video", ["https://video.twimg.com/"]),
        ("x", "scripts", ["https://abs.twimg.com/"]),
        ("x", "links", ["https://t.co/"]),
        ("facebook", "app", ["https://graph.facebook.com/", "https://b-graph.facebook.com/"]),
        ("facebook", "pictures", ["tls://scontent.xx.fbcdn.net:443"]),
        ("messenger", "chat", ["tls://edge-mqtt.facebook.com:443"]),
        ("messenger", "calls", ["stun:stun.fbsbx.com:3478"]),
        ("whatsapp", "registration", ["https://v.whatsapp.net/v2/register"]),
        (
            "whatsapp",
            "media",
            [
                "tls://mmg.whatsapp.net:443",
                "tls://mmg-fallback.whatsapp.net:443",
                "tls://static.whatsapp.net:443",
            ],
        ),
        ("youtube", "video", ["https://redirector.googlevideo.com/"]),
        ("youtube", "pictures", ["https://i.ytimg.com/"]),
        (
            "telegram",
            "media",
            [
                "tcp://149.154.167.151:443",
                "tcp://[2001:67c:4e8:f002::b]:443",
                "tcp://149.154.164.250:443",
                "tcp://[2001:67c:4e8:f004::b]:443",
            ],
        ),
        ("telegram", "links", ["https://t.me/", "https://telegram.org/"]),
        (
            "tiktok",
            "video",
            ["tls://v16-webapp-prime.tiktok.com:443", "tls://v16m.tiktokcdn.com:443"],
        ),
    ],
)
def test_functions_answer_where_they_are_known_to(
    platform: str, function: str, endpoints: list[str]
) -> None:
    """The endpoints that decide, as the platforms' operators publish them."""
    assert ids(function_of(PLATFORMS[platform], function)) == endpoints


def test_encrypted_dns_is_asked_of_three_providers_in_both_ways() -> None:
    """Any provider that is left will do; over TLS it is asked at its own port."""
    public = PLATFORMS["public-dns"]
    assert ids(function_of(public, "doh")) == [
        f"https://{host}/dns-query"
        for host in ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
    ]
    assert ids(function_of(public, "dot")) == [
        f"tls://{host}:853" for host in ("dns.google", "one.one.one.one", "dns.quad9.net")
    ]
    assert {function.need for function in public.functions} == {Need.ANY}


def test_signal_and_public_dns_are_shipped_and_not_watched_unless_named() -> None:
    """Both are for those who chose to. What is watched is verified, Signal too."""
    names = {platform.name for platform in watched_by_default(CATALOG).platforms}
    assert names == set(PLATFORMS) - {"signal", "public-dns"}
    assert all(
        endpoint.verify
        for platform in PLATFORMS.values()
        for function in platform.functions
        for endpoint in function.endpoints
    )


def test_the_roots_of_signal_are_those_that_its_apps_accept() -> None:
    """Two, both its own, by their digests; trusted for its names and for no others."""
    pem = certificates_for("cdn2.signal.org", CATALOG.authorities)
    roots = x509.load_pem_x509_certificates(pem.encode())
    assert [one.fingerprint(hashes.SHA256()).hex()[:16] for one in roots] == [
        "ddb0f92bb95c8d6f",
        "2642f1f90b389fed",
    ]
    for one in roots:
        one.verify_directly_issued_by(one)
        assert one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificates_for("signal.org", CATALOG.authorities) == pem
    for other in ("x.com", "notsignal.org", "signal.org.example", "org"):
        assert certificates_for(other, CATALOG.authorities) == ""


def test_uplink_references_have_answers_nobody_else_would_give() -> None:
    """Cleartext, with the exact status, and the body where there is one."""
    uplink = {
        one.endpoint.id: (one.endpoint.expect_status, one.endpoint.expect_body)
        for one in CATALOG.references
        if one.scope is ReferenceScope.UPLINK
    }
    assert uplink == {
        "http://captive.apple.com/hotspot-detect.html": ((200,), "Success"),
        "http://detectportal.firefox.com/success.txt": ((200,), "success"),
        "http://connectivitycheck.gstatic.com/generate_204": ((204,), ""),
    }


def of_scope(scope: ReferenceScope) -> list[Endpoint]:
    """The references of a scope, of all countries."""
    return [one.endpoint for one in CATALOG.references if one.scope is scope]


def test_foreign_references_are_many_and_of_two_kinds() -> None:
    """Sites that a list would name and others, all proven by certificates, no host twice; files
    longer than 32 KB among those that no list names, and nothing that a censor would spare."""
    unlisted = of_scope(ReferenceScope.INTERNATIONAL)
    popular = of_scope(ReferenceScope.POPULAR)
    both = [*unlisted, *popular]
    assert (len(unlisted), len(popular)) == (15, 5)
    assert len({endpoint.host for endpoint in both}) == 20
    assert all(endpoint.verify for endpoint in both)
    assert {endpoint.kind for endpoint in both} == {EndpointKind.TLS, EndpointKind.HTTPS}
    assert sum(endpoint.kind is EndpointKind.HTTPS for endpoint in unlisted) >= 5
    assert not any(
        e.host.endswith(("google.com", "cloudflare.com", "gstatic.com")) for e in unlisted
    )
    hosts = {
        e.host for p in CATALOG.platforms for function in p.functions for e in function.endpoints
    }
    assert hosts.isdisjoint(endpoint.host for endpoint in both)


def test_foreign_addresses_are_literal_and_of_both_families() -> None:
    """They answer where no name does; their certificates are of hosts, so nobody judges them."""
    addresses = of_scope(ReferenceScope.ADDRESS)
    assert all(is_literal(endpoint.host) and not endpoint.verify for endpoint in addresses)
    assert {family_of(endpoint.host) for endpoint in addresses} == {"ipv4", "ipv6"}


def test_countries_at_risk_have_domestic_references() -> None:
    """Sixty countries and more, each with a site of its own."""
    countries = {one.country for one in CATALOG.references if one.country}
    assert len(countries) >= 60
    assert {
        "AF",
        "BD",
        "CU",
        "ET",
        "IN",
        "IQ",
        "IR",
        "KZ",
        "MM",
        "RU",
        "SD",
        "SY",
        "UG",
    } <= countries
    home = [one for one in CATALOG.references if one.scope is ReferenceScope.DOMESTIC]
    assert len({one.endpoint.host for one in home}) >= len(home) - 2


def test_references_over_udp_are_of_two_owners_and_two_kinds() -> None:
    """Who blocks all calls leaves the time alone, and who blocks one platform's leaves others'."""
    over_udp = [one.endpoint for one in CATALOG.references if one.scope is ReferenceScope.UDP]
    assert {(e.kind, e.host, e.port) for e in over_udp} == {
        (EndpointKind.STUN, "stun.cloudflare.com", 3478),
        (EndpointKind.STUN, "stun.l.google.com", 19302),
        (EndpointKind.NTP, "time.cloudflare.com", 123),
        (EndpointKind.NTP, "time.google.com", 123),
    }
    assert not any(e.host.endswith((".fbsbx.com", ".facebook.com")) for e in over_udp)


@pytest.mark.parametrize(
    ("country", "endpoints"),
    [
        ("PK", {"https://www.pta.gov.pk/", "https://www.dawn.com/"}),
        ("BR", {"https://www.gov.br/", "https://www.uol.com.br/"}),
        ("KE", {"tls://ca.go.ke:443", "tls://safaricom.co.ke:443"}),
        ("FJ", set()),
    ],
)
def test_domestic_references_are_asked_only_from_their_country(
    country: str, endpoints: set[str]
) -> None:
    """Each country has its own, and none is shipped for some."""
    asked = {
        one.endpoint.id
        for one in CATALOG.references_for(country)
        if one.scope is ReferenceScope.DOMESTIC
    }
    assert asked == endpoints
