"""Rows of what looks like a block and is the platform's own doing, or the line's; and blocks beside
them that must not be excused by it."""

from collections.abc import Callable

import msgspec

from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.hosts import moved
from tests.lab.lab import Lab
from tests.lab.network import Network
from tests.scenarios.matrix import NOT_COVERED, Answer, Scenario, blocked, insufficient, ok, site

_NETWORK = "own-doing"
_FILTERS = "test_line_faults.py::test_a_filter_against_advertising_accuses_nobody"
_LED = insufficient("look.led_elsewhere")
_PARTLY = Answer(
    state="partial",
    rule_id="family.dns",
    method="dns",
    sub_method="bogon",
    evidence="conclusive",
)
Apply = Callable[[Lab, Network, str], object]
"""What happens to a host."""


def _row(name: str, story: str, answer: Answer, apply: Apply) -> Scenario:
    host = f"{name}.example"
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        network=_NETWORK,
        run=_NETWORK,
        build=lambda lab, network: apply(lab, network, host),
        answer=answer,
    )


def _led(name: str, story: str, answer: Answer, broken: Apply) -> Scenario:
    """The site leads this network alone to another host of its own, which is broken."""

    def apply(lab: Lab, network: Network, host: str) -> None:
        lab.internet.page(host, moved(f"https://to-{host}/"), to=network.name)
        broken(lab, network, f"to-{host}")

    row = _row(name, f"The site leads this network alone to {story}", answer, apply)
    return msgspec.structs.replace(row, hosts=(site(row.host), site(f"to-{row.host}")))


def _name_servers(how: str, **more: list[str]) -> Apply:
    """The site's own name servers lie to this country, whichever resolver asks from there."""

    def apply(lab: Lab, network: Network, host: str) -> None:
        asking = (network.resolver, network.resolver6, *OPEN_RESOLVERS[1:])
        for one in (*asking, "dns.google", "cloudflare-dns.com", "dns.quad9.net"):
            lab.internet.lie(host, how, resolver=one, **more)

    return apply


def _proved(name: str, story: str, answer: Answer, proof: str) -> Scenario:
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        answer=answer,
        proved_in=f"../lab/{proof}",
    )


def _one_family(name: str, story: str) -> Scenario:
    """A family that fails for the whole line."""
    return _proved(
        name,
        f"{story}, for every host alike; the other family works.",
        ok(),
        "test_line_faults.py::test_a_family_that_fails_for_the_whole_line_accuses_nobody",
    )


OWN_DOING: tuple[Scenario, ...] = (
    _led(
        "led-to-a-wrong-name",
        "a host whose certificate is for another name, from everywhere.",
        _LED,
        lambda lab, _, host: lab.internet.certificate(host, "wrong-name"),
    ),
    _led(
        "led-to-an-expired-one",
        "a host whose certificate has expired.",
        _LED,
        lambda lab, _, host: lab.internet.certificate(host, "expired"),
    ),
    _row(
        "led-nowhere",
        "The site leads this network alone to a name that does not exist.",
        _LED,
        lambda lab, network, host: lab.internet.page(
            host, moved("https://nowhere.example/"), to=network.name
        ),
    ),
    _led(
        "led-to-a-private-address",
        "a host whose name has a private address everywhere.",
        _LED,
        lambda lab, _, host: lab.internet.lie(host, "address", answer=["10.1.2.3"]),
    ),
    _led(
        "led-and-reset",
        "another host, whose name is reset here.",
        blocked("tls.reset", "conclusive"),
        lambda _, network, host: network.block(sni=[host], how="reset"),
    ),
    _led(
        "led-and-denied",
        "another host, whose name the resolver denies.",
        blocked("dns.nxdomain", "conclusive"),
        lambda _, network, host: network.block(dns=[host], how="nxdomain"),
    ),
    _row(
        "lapsed-here",
        "Here alone the site's certificate has expired: one of its servers was forgotten, or"
        " somebody else's is.",
        blocked("tls.certificate", "weak"),
        lambda _, network, host: network.forge([host], "expired"),
    ),
    _row(
        "self-signed-here",
        "Here alone the site's certificate is signed by itself.",
        blocked("tls.certificate", "conclusive"),
        lambda _, network, host: network.forge([host], "self-signed"),
    ),
    _row(
        "own-nxdomain",
        "The site's own name servers deny its name to this country, whichever resolver asks.",
        blocked("dns.nxdomain", "strong"),
        _name_servers("nxdomain"),
    ),
    _row(
        "own-nodata",
        "The site's own name servers have no address of it for this country.",
        blocked("dns.no_answer", "strong"),
        _name_servers("empty"),
    ),
    _row(
        "own-loopback",
        "The site's own name servers say 127.0.0.1 to this country.",
        blocked("dns.bogon", "strong"),
        _name_servers("address", answer=["127.0.0.1"]),
    ),
    _row(
        "a-forged",
        "The resolver forges IPv4 addresses alone: a false one of its own for them, and the true"
        " IPv6 ones.",
        _PARTLY,
        lambda _, network, host: network.block(dns=[host], how="bogon", qtypes=["A"]),
    ),
    _row(
        "aaaa-forged",
        "The same with IPv6 addresses.",
        _PARTLY,
        lambda _, network, host: network.block(dns=[host], how="bogon", qtypes=["AAAA"]),
    ),
    _proved(
        "a-forged-ipv6-reset",
        "After a good cycle the resolver forges IPv4 addresses, and the name is reset over IPv6.",
        blocked("dns.bogon", "conclusive"),
        "test_dead_cache.py::test_a_lie_over_one_family_is_no_dead_cache",
    ),
    _proved(
        "moved-address",
        "The resolver goes on giving an address at which a picture host was verified once, and"
        " which is another customer's by now.",
        Answer(
            state="degraded",
            rule_id="dns.hijack",
            method="dns",
            sub_method="hijack",
            evidence="weak",
        ),
        "test_dead_cache.py::test_an_address_that_became_anothers_is_weak_evidence",
    ),
    _proved(
        "private-cache-died",
        "The network answers with a private cache of its own, which served X until it died.",
        insufficient("dns.dead_address"),
        "test_dead_cache.py::test_a_private_cache_that_dies_was_no_lie",
    ),
    _one_family("ipv4-large-packets", "Large packets are lost over IPv4"),
    _one_family("ipv4-dropped", "TLS's port is dropped over IPv4"),
    _one_family("ipv4-refused", "TLS's port is refused over IPv4"),
    _one_family("ipv4-reset", "Every TLS greeting is reset over IPv4"),
    _one_family("ipv6-reset", "Every TLS greeting is reset over IPv6"),
    _proved(
        "platforms-over-ipv4",
        "The names of X and of Meta's platforms are reset over IPv4 alone; other hosts answer over"
        " it.",
        Answer(
            state="partial",
            rule_id="family.tls",
            method="tls",
            sub_method="reset",
            evidence="strong",
        ),
        "test_line_faults.py::test_a_block_of_every_platform_over_one_family_is_told",
    ),
    _proved(
        "large-packets",
        "Large packets are lost for every host; what answers in small ones is no list of sites.",
        insufficient("vantage.no_tls"),
        "test_line_faults.py::test_a_line_that_loses_large_packets_is_no_list_of_names",
    ),
    _proved(
        "login-proxy",
        "An office's proxy answers every cleartext request with 407, and cuts off X.",
        insufficient("vantage.captive_portal"),
        "test_line_faults.py::test_what_a_portal_lets_pass_is_nobodys_list",
    ),
    _proved(
        "portal-with-free-sites",
        "A login page stands before all cleartext, and few sites work without the login.",
        insufficient("vantage.captive_portal"),
        "test_line_faults.py::test_what_a_portal_lets_pass_is_nobodys_list",
    ),
    _proved(
        "ad-filter",
        "A filter against advertising at home answers 0.0.0.0 for names of Facebook's app as well.",
        insufficient("dns.own_filter"),
        f"{_FILTERS}[ad-filter]",
    ),
    _proved(
        "ad-filter-denies",
        "Such a filter says that these names do not exist, as for a name of advertisers.",
        insufficient("dns.own_filter"),
        f"{_FILTERS}[ad-filter-denies]",
    ),
    _proved(
        "ad-filter-refuses",
        "Such a filter refuses to answer for them.",
        insufficient("dns.own_filter"),
        f"{_FILTERS}[ad-filter-refuses]",
    ),
    _proved(
        "ad-filter-is-empty",
        "Such a filter answers for them without an address.",
        insufficient("dns.own_filter"),
        f"{_FILTERS}[ad-filter-is-empty]",
    ),
    _proved(
        "tls-alone",
        "A firewall completes connections to chat servers of WhatsApp and Telegram, and lets no"
        " protocol of theirs through; the answer is WhatsApp's.",
        Answer(
            state="blocked",
            rule_id="app.middlebox",
            method="tcp",
            sub_method="middlebox",
            evidence="weak",
        ),
        "test_line_faults.py::test_a_firewall_that_lets_tls_alone_through_is_no_strong_sign",
    ),
    _proved(
        "app-denied",
        "The resolver says that names of Facebook's app do not exist, and gives those of"
        " advertisers.",
        blocked("dns.nxdomain", "conclusive"),
        "test_line_faults.py::test_a_resolver_that_denies_a_platform_alone_accuses",
    ),
    _proved(
        "known-antivirus",
        "Software of the vantage's own machine, known by its authority, opens X's TLS alone.",
        insufficient("tls.local_authority"),
        "test_line_faults.py::test_known_software_that_opens_one_platform_accuses_nobody",
    ),
    _proved(
        "trouble-that-ends",
        "Greetings are reset for all hosts when the cycle begins, and the trouble ends in it.",
        insufficient("vantage.no_tls"),
        "test_line_faults.py::test_trouble_that_ends_before_the_last_references_accuses_nobody",
    ),
    _proved(
        "data-centres-with-one-port",
        "Of each of Telegram's data centres two ports of three are dropped: programs try the"
        " third.",
        ok(),
        "test_line_faults.py::test_a_data_centre_with_one_port_left_works",
    ),
    _proved(
        "queries-refused-at-random",
        "A resolver that limits queries refuses many of them, whatever they ask.",
        insufficient("line.refuses"),
        "test_refused_at_random.py::test_refusals_at_random_accuse_nobody[refused-0.6]",
    ),
    _proved(
        "connections-refused-at-random",
        "A full translation of addresses refuses many connections, whomever they are for.",
        insufficient("line.refuses"),
        "test_refused_at_random.py::test_refusals_at_random_accuse_nobody[reset-0.6]",
    ),
)
