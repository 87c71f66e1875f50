"""The rows about a platform that fails for a part: of connections, addresses or families."""

import msgspec

from tests.scenarios.matrix import NOT_COVERED, Scenario, blocked


def _part(name: str, story: str, sign: str, rule_id: str, evidence: str) -> Scenario:
    """X fails for a part of people; the answer is the platform's."""
    proof = "test_a_part_that_fails_is_told_with_its_share"
    if rule_id == "partial.flows":
        proof = "test_a_share_of_connections_is_told"
    answer = blocked(sign, evidence)
    return Scenario(
        name=name,
        group="beyond",
        story=story,
        ooni=NOT_COVERED,
        answer=msgspec.structs.replace(answer, state="partial", rule_id=rule_id),
        proved_in=f"test_partial.py::{proof}",
    )


PARTIAL: tuple[Scenario, ...] = (
    _part(
        "v4-ip-drop",
        "All IPv4 packets to X are dropped; IPv6 works. Most people have IPv4 alone.",
        "tcp.timeout",
        "family.tcp",
        "conclusive",
    ),
    _part(
        "v4-ip-refused",
        "Connections to X over IPv4 are answered with a reset; IPv6 works.",
        "tcp.refused",
        "family.tcp",
        "strong",
    ),
    _part(
        "v4-sni-drop",
        "Over IPv4 nothing comes back after X's name; IPv6 works, for the box reads IPv4 alone.",
        "tls.timeout",
        "family.tls",
        "conclusive",
    ),
    _part(
        "v4-sni-reset",
        "Over IPv4 connections are reset after X's name; IPv6 works.",
        "tls.reset",
        "family.tls",
        "conclusive",
    ),
    _part(
        "v6-sni-reset",
        "Over IPv6 connections are reset after X's name; IPv4 works.",
        "tls.reset",
        "family.tls",
        "conclusive",
    ),
    *(
        _part(
            f"v{version}-any-reset",
            f"Over IPv{version} every connection to X is reset, whatever name it sends; IPv{other}"
            " works.",
            "tls.address",
            "family.tls",
            "strong",
        )
        for version, other in ((4, 6), (6, 4))
    ),
    _part(
        "v4-dns-nxdomain",
        "The resolver says that X's names do not exist when asked for IPv4 addresses; it gives the"
        " IPv6 ones.",
        "dns.nxdomain",
        "family.dns",
        "conclusive",
    ),
    _part(
        "v4-dns-empty",
        "The resolver gives X's IPv6 addresses, and says that there are no IPv4 ones.",
        "dns.no_answer",
        "family.dns",
        "weak",
    ),
    _part(
        "v4-dns-injected",
        "Asked for IPv4 addresses of X, a box answers with a silent one before the resolver does;"
        " the IPv6 ones come as they are.",
        "dns.injection",
        "family.dns",
        "conclusive",
    ),
    _part(
        "v4-dns-page",
        "The resolver gives the block page's IPv4 address for X, and X's own IPv6 ones.",
        "dns.hijack",
        "family.dns",
        "conclusive",
    ),
    _part(
        "half-reset",
        "Four in ten connections that name X are reset, by chance.",
        "tls.reset",
        "partial.flows",
        "conclusive",
    ),
    _part(
        "half-drop",
        "Four in ten connections that name X fall silent, by chance.",
        "tls.timeout",
        "partial.flows",
        "conclusive",
    ),
    _part(
        "one-of-two-dropped",
        "Packets to one of x.com's two addresses are dropped, over both families.",
        "tcp.timeout",
        "partial.addresses",
        "weak",
    ),
    _part(
        "one-of-two-refused",
        "Connections to one of x.com's two addresses are answered with a reset.",
        "tcp.refused",
        "partial.addresses",
        "weak",
    ),
)
"""Proved in `test_partial.py`, which reads the answers from here; a name is also a network's."""

DENIED = Scenario(
    name="ipv4-only-denied",
    group="beyond",
    story="The vantage has IPv4 alone; its resolver gives X's IPv6 addresses, and says that there"
    " are no IPv4 ones.",
    ooni=NOT_COVERED,
    answer=blocked("dns.no_answer", "conclusive"),
    proved_in="test_partial.py::test_a_part_that_fails_is_told_with_its_share",
)

INJECTED_DENIAL = Scenario(
    name="injected-denial",
    group="beyond",
    story="Before the resolver's answers a box gives a private IPv4 address for X's names, and says"
    " that there are no IPv6 ones.",
    ooni=NOT_COVERED,
    answer=blocked("dns.injection", "conclusive"),
    proved_in="test_partial.py::test_a_part_that_fails_is_told_with_its_share",
)
