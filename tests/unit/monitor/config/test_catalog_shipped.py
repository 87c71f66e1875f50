"""The facts of the shipped catalogue."""

import pytest

from monitor.config.catalog import shipped_catalog, watched_by_default
from probes.catalog.catalog import EndpointKind, Need, Platform, Protocol, ReferenceScope, Role

CATALOG = shipped_catalog()
PLATFORMS = {platform.name: platform for platform in CATALOG.platforms}

CORE = {
    "x": {"web", "api"},
    "facebook": {"web", "api"},
    "messenger": {"chat"},
    "instagram": {"web", "api"},
    "threads": {"web"},
    "meta": {"web"},
    "whatsapp": {"chat", "registration"},
    "youtube": {"web", "api"},
    "tiktok": {"web", "api"},
    "telegram": {"chat"},
    "signal": {"chat"},
    "public-dns": {"doh"},
}
OTHER = {
    "x": {"media", "links"},
    "facebook": {"media"},
    "messenger": {"web", "calls"},
    "instagram": {"media"},
    "threads": set(),
    "meta": set(),
    "whatsapp": {"web", "media"},
    "youtube": {"links", "media"},
    "tiktok": {"links", "media"},
    "telegram": {"web", "media", "links", "api"},
    "signal": set(),
    "public-dns": {"dot"},
}
CANONICAL = {
    "x": "https://x.com/",
    "facebook": "https://www.facebook.com/",
    "messenger": "https://www.messenger.com/",
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


def role_of(platform: Platform, name: str) -> Role:
    """The role of that name."""
    return next(role for role in platform.roles if role.name == name)


def ids(role: Role) -> list[str]:
    """The endpoints of a role as text."""
    return [endpoint.id for endpoint in role.endpoints]


def test_these_are_the_platforms_and_owners() -> None:
    """No platform that governments name is missing, each is under the company that runs it."""
    assert {name: PLATFORMS[name].owner for name in OWNERS} == OWNERS
    assert all(platform.owner for platform in PLATFORMS.values())


@pytest.mark.parametrize("name", CORE)
def test_a_platform_is_blocked_by_its_core_roles_alone(name: str) -> None:
    """Core are the roles without which nobody can use the platform."""
    roles = PLATFORMS[name].roles
    assert {role.name for role in roles if role.core} == CORE[name]
    assert {role.name for role in roles if not role.core} == OTHER[name]


@pytest.mark.parametrize("name", CANONICAL)
def test_the_canonical_web_host_must_work_whatever_others_do(name: str) -> None:
    """An old name that still redirects proves nothing about the new one."""
    web = role_of(PLATFORMS[name], "web")
    assert web.canonical
    assert web.endpoints[0].id == CANONICAL[name]


def test_only_web_roles_have_a_canonical_host() -> None:
    """Everywhere else one endpoint is as good as another."""
    others = [role for p in PLATFORMS.values() for role in p.roles if role.name != "web"]
    assert others
    assert not any(role.canonical for role in others)


def test_all_endpoints_are_needed_only_where_each_serves_something_else() -> None:
    """X's media hosts and Signal's services; every other role is a pool."""
    needing_all = {
        (platform.name, role.name)
        for platform in PLATFORMS.values()
        for role in platform.roles
        if role.need is Need.ALL
    }
    assert needing_all == {("x", "media"), ("signal", "chat")}


def test_whatsapp_chat_is_a_sampled_pool_of_hosts_on_two_ports() -> None:
    """e1 to e16 and g, each on 443 and 5222, two looked at while all is well."""
    chat = role_of(PLATFORMS["whatsapp"], "chat")
    hosts = [f"e{number}" for number in range(1, 17)] + ["g"]
    assert sorted(ids(chat)) == sorted(
        f"tcp://{host}.whatsapp.net:{port}" for host in hosts for port in (443, 5222)
    )
    assert chat.sample == 2


def test_telegram_chat_is_a_sampled_pool_of_data_centres_by_address() -> None:
    """Nine IPv4 and two IPv6 data centres on three ports each: no name can be poisoned."""
    chat = role_of(PLATFORMS["telegram"], "chat")
    assert chat.sample == 2
    assert {endpoint.port for endpoint in chat.endpoints} == {443, 80, 5222}
    hosts = {endpoint.host for endpoint in chat.endpoints}
    assert hosts == {
        "149.154.175.50",
        "149.154.175.53",
        "149.154.167.51",
        "149.154.167.91",
        "149.154.167.92",
        "149.154.175.100",
        "91.108.56.130",
        "149.154.171.5",
        "95.161.76.100",
        "2001:67c:4e8:f002::a",
        "2001:b28:f23d:f001::a",
    }
    assert len(chat.endpoints) == 3 * len(hosts)


def test_chat_servers_must_answer_in_their_own_protocol() -> None:
    """No tcp endpoint counts as reached by a handshake, which any box in between completes."""
    asked = {
        (platform.name, role.name, endpoint.protocol)
        for platform in PLATFORMS.values()
        for role in platform.roles
        for endpoint in role.endpoints
        if endpoint.kind is EndpointKind.TCP
    }
    assert asked == {
        ("telegram", "chat", Protocol.MTPROTO),
        ("telegram", "media", Protocol.MTPROTO),
        ("whatsapp", "chat", Protocol.WHATSAPP),
    }


def test_youtube_proves_itself_by_an_answer_without_content() -> None:
    """generate_204 must answer 204: a block page answers something else."""
    web = role_of(PLATFORMS["youtube"], "web")
    expected = {endpoint.id: endpoint.expect_status for endpoint in web.endpoints}
    assert expected == {
        "https://www.youtube.com/": (),
        "https://m.youtube.com/": (),
        "https://www.youtube.com/generate_204": (204,),
    }


@pytest.mark.parametrize(
    ("platform", "role", "endpoints"),
    [
        ("x", "web", ["https://x.com/", "https://twitter.com/"]),
        ("x", "api", ["https://api.x.com/", "https://api.twitter.com/"]),
        (
            "x",
            "media",
            ["https://abs.twimg.com/", "https://pbs.twimg.com/", "https://video.twimg.com/"],
        ),
        ("x", "links", ["https://t.co/"]),
        ("facebook", "api", ["https://graph.facebook.com/", "https://b-graph.facebook.com/"]),
        ("messenger", "calls", ["dns:stun.fbsbx.com", "stun:stun.fbsbx.com:3478"]),
        ("whatsapp", "registration", ["https://v.whatsapp.net/v2/register"]),
        ("whatsapp", "media", ["tls://mmg.whatsapp.net:443", "tls://static.whatsapp.net:443"]),
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
            "api",
            ["https://api.tiktokv.com/", "https://api16-normal-c-useast1a.tiktokv.com/"],
        ),
    ],
)
def test_roles_answer_where_they_are_known_to(
    platform: str, role: str, endpoints: list[str]
) -> None:
    """The endpoints that decide, as the platforms' operators publish them."""
    assert ids(role_of(PLATFORMS[platform], role)) == endpoints


def test_encrypted_dns_is_asked_of_three_providers_in_both_ways() -> None:
    """Any provider that is left will do; over TLS it is asked at its own port."""
    public = PLATFORMS["public-dns"]
    assert ids(role_of(public, "doh")) == [
        f"https://{host}/dns-query"
        for host in ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
    ]
    assert ids(role_of(public, "dot")) == [
        f"tls://{host}:853" for host in ("dns.google", "one.one.one.one", "dns.quad9.net")
    ]
    assert {role.need for role in public.roles} == {Need.ANY}


def test_signal_and_public_dns_are_shipped_and_not_watched_unless_named() -> None:
    """Signal's certificates come from an authority of its own, so they are recorded, not judged;
    asking public DNS in each cycle is for those who chose to."""
    names = {platform.name for platform in watched_by_default(CATALOG).platforms}
    assert names == set(PLATFORMS) - {"signal", "public-dns"}
    unjudged = {
        platform.name
        for platform in PLATFORMS.values()
        for role in platform.roles
        for endpoint in role.endpoints
        if not endpoint.verify
    }
    assert unjudged == {"signal"}


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


def test_international_references_are_three_companies_over_tls() -> None:
    """Foreign reach, proven by a certificate."""
    international = [
        one.endpoint for one in CATALOG.references if one.scope is ReferenceScope.INTERNATIONAL
    ]
    assert {endpoint.kind for endpoint in international} == {EndpointKind.TLS}
    assert {endpoint.host for endpoint in international} == {
        "www.wikipedia.org",
        "www.cloudflare.com",
        "www.gstatic.com",
    }


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
        ("KE", set()),
    ],
)
def test_domestic_references_are_asked_only_from_their_country(
    country: str, endpoints: set[str]
) -> None:
    """Each country has its own, and none is shipped for most."""
    asked = {
        one.endpoint.id
        for one in CATALOG.references_for(country)
        if one.scope is ReferenceScope.DOMESTIC
    }
    assert asked == endpoints
