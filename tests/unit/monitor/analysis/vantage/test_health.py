"""The vantage's own health: each rule's case and near miss, and the arithmetic of loss."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from email.utils import format_datetime

import msgspec
import pytest

from monitor.analysis.vantage.exit_location import ExitMismatch
from monitor.analysis.vantage.health import HEALTH_RULES, assess
from monitor.analysis.vantage.loss import estimate_loss
from monitor.analysis.verdict import VantageHealth, VantageState
from probes.catalog.catalog import Reference, ReferenceScope
from probes.catalog.endpoint_kinds import EndpointKind
from probes.measure.follow_up_reasons import Reason
from probes.measurement import DOH, AnyObservation, HttpObservation, Layer, Measurement
from probes.vantage import VantagePoint
from tests.worlds.build import START, V4, V6, app, dns, egress, http, look, reference, tcp, tls

Looked = tuple[Reference, Measurement]

VANTAGE = VantagePoint(id="khi-ptcl", country="PK", asn=17557, network="PTCL")
APPLE = reference("captive.apple.com", ReferenceScope.UPLINK, EndpointKind.HTTP)
FIREFOX = reference("detectportal.firefox.com", ReferenceScope.UPLINK, EndpointKind.HTTP)
WIKIPEDIA, CLOUDFLARE, GSTATIC = (
    reference(host) for host in ("www.wikipedia.org", "www.cloudflare.com", "www.gstatic.com")
)
DAWN = reference("www.dawn.com", ReferenceScope.DOMESTIC)
ALL = (APPLE, FIREFOX, WIKIPEDIA, CLOUDFLARE, GSTATIC, DAWN)
FOREIGN = (WIKIPEDIA, CLOUDFLARE, GSTATIC)
UPLINK = (APPLE, FIREFOX)


def good(ref: Reference, *, at: float = 0.0, retransmits: int = 0, address: str = V4) -> Looked:
    """A look that reached a reference."""
    host = ref.endpoint.host
    rtype = "AAAA" if ":" in address else "A"
    seen: list[AnyObservation] = [
        dns(name=host, rtype=rtype, addresses=(address,)),
        tcp(address=address, retransmits=retransmits),
    ]
    if ref.endpoint.kind is EndpointKind.HTTP:
        seen.append(http(url=ref.endpoint.id, address=address))
    else:
        seen.append(tls(server_name=host, address=address))
    return ref, look(*seen, reached=True, at=at, endpoint=ref.endpoint.id)


def bad(ref: Reference, *seen: AnyObservation, at: float = 0.0) -> Looked:
    """A look that did not reach a reference."""
    return ref, look(*seen, at=at, endpoint=ref.endpoint.id)


def no_reply(ref: Reference, *, at: float = 0.0) -> Looked:
    """The name resolves, connecting times out."""
    return bad(ref, dns(name=ref.endpoint.host), tcp("generic_timeout_error"), at=at)


def unresolved(ref: Reference, failure: str, *, at: float = 0.0) -> Looked:
    """The name does not resolve."""
    return bad(ref, dns(failure, name=ref.endpoint.host), at=at)


def portal(ref: Reference, status: int = 302) -> Looked:
    """Somebody else's page in place of the captive-portal check's."""
    return bad(
        ref,
        dns(name=ref.endpoint.host),
        tcp(port=80),
        http(url=ref.endpoint.id, status=status, location="http://login.example/", expected=False),
    )


def resolves_privately(ref: Reference) -> Looked:
    """The name leads to an address of the local network."""
    return bad(ref, dns("dns_bogon_error", name=ref.endpoint.host, addresses=("192.168.1.1",)))


def untrusted(ref: Reference) -> Looked:
    """TLS answers with a certificate that does not verify."""
    host = ref.endpoint.host
    return bad(ref, dns(name=host), tcp(), tls("ssl_invalid_certificate", server_name=host))


def outdated(ref: Reference) -> Looked:
    """TLS answers with a certificate that has expired, if one believes our clock."""
    return untrusted(ref)


def dated(ref: Reference, *, behind: timedelta) -> Looked:
    """An answer whose Date is that far behind our clock."""
    ref, seen = good(ref)
    kept = [one for one in seen.observations if not isinstance(one, HttpObservation)]
    secure = ref.endpoint.kind is not EndpointKind.HTTP
    url = f"https://{ref.endpoint.host}/" if secure else ref.endpoint.id
    said = format_datetime(START - behind, usegmt=True)
    page = http(url=url, headers=(("date", said),), start=0.3)
    return ref, look(*kept, page, reached=True, endpoint=ref.endpoint.id)


def assessed(*looked: Looked, witnesses: Sequence[Measurement] = ()) -> VantageHealth:
    """Health from these looks."""
    return assess(VANTAGE, looked, witnesses, START)


def exiting(where: ExitMismatch) -> VantageHealth:
    """Health with good references and packets that come out somewhere."""
    return assess(VANTAGE, [good(ref) for ref in ALL], (), START, where)


UNLISTED = tuple(
    reference(host)
    for host in ("ftp.ripe.net", "ftp.apnic.net", "ftp.gnu.org", "home.cern", "www.w3.org")
)
GOOGLE, APPLE_WEB, VISA = POPULAR = tuple(
    reference(host, ReferenceScope.POPULAR)
    for host in ("www.google.com", "www.apple.com", "www.visa.com")
)
LITERAL = reference(V4, ReferenceScope.ADDRESS)


def twice(looked: Callable[[Reference], Looked], *refs: Reference) -> list[Looked]:
    """Two measurements of each that end the same way."""
    return [one for ref in refs for one in (looked(ref), looked(ref))]


def muted(ref: Reference) -> Looked:
    """A connection is made, and nothing answers the name."""
    host = ref.endpoint.host
    return bad(ref, dns(name=host), tcp(), tls("generic_timeout_error", server_name=host))


def in_small_packets(ref: Reference, failure: str | None = None) -> Looked:
    """The same, greeted again in small packets, which answers unless it fails so."""
    _, made = muted(ref)
    again = (tcp(), tls(failure, server_name=ref.endpoint.host))
    marked = [msgspec.structs.replace(one, reason=Reason.SMALL_SEGMENTS.value) for one in again]
    return ref, msgspec.structs.replace(made, observations=(*made.observations, *marked))


def forged(ref: Reference) -> Looked:
    """A device on the way shows a certificate of its own."""
    host = ref.endpoint.host
    return bad(ref, dns(name=host), tcp(), tls("ssl_unknown_authority", server_name=host))


def over_ipv6(ref: Reference) -> Looked:
    """It answers over IPv6, and is silent over IPv4."""
    host = ref.endpoint.host
    v4 = (dns(name=host), tcp("generic_timeout_error"))
    v6 = (dns(name=host, rtype="AAAA", addresses=(V6,)), tcp(address=V6))
    seen = (*v4, *v6, tls(server_name=host, address=V6))
    return ref, look(*seen, reached=True, endpoint=ref.endpoint.id)


def over_ipv6_alone(ref: Reference, failure: str) -> Looked:
    """It answers over IPv6, and its name is cut off over IPv4."""
    host = ref.endpoint.host
    over_ipv4 = (dns(name=host), tcp(), tls(failure, server_name=host))
    ref, seen = good(ref, address=V6)
    observations = (*over_ipv4, *seen.observations)
    return ref, look(*observations, reached=True, endpoint=ref.endpoint.id)


def servfail(ref: Reference) -> Looked:
    """The resolver reports a fault."""
    return unresolved(ref, "dns_servfail_error")


def answered(host: str, *, over_tls: bool = True) -> Measurement:
    """A platform's endpoint that answered."""
    seen: list[AnyObservation] = [dns(name=host), tcp()]
    if over_tls:
        seen.append(tls(server_name=host))
    return look(*seen, reached=True, endpoint=f"tls://{host}:443")


def by_address(*, reached: bool) -> Looked:
    """A foreign server of a literal address."""
    seen = [tcp(), tls(server_name="")] if reached else [tcp("generic_timeout_error")]
    return LITERAL, look(*seen, reached=reached, endpoint=LITERAL.endpoint.id)


BY_ADDRESS = look(tcp(), reached=True, endpoint=f"tcp://{V4}:443")
SLOW = tuple(good(ref, retransmits=1) for ref in ALL)
CLEAN = tuple(good(ref, at=60.0 * n) for n in range(1, 4) for ref in ALL)

EXAMPLES: dict[str, tuple[VantageHealth, VantageHealth]] = {
    "vantage.egress_failed": (
        assessed(*(bad(ref, egress()) for ref in ALL)),
        assessed(*(bad(ref, egress()) for ref in ALL[1:]), no_reply(APPLE)),
    ),
    "vantage.elsewhere": (exiting(ExitMismatch("NL")), exiting(ExitMismatch())),
    "vantage.other_network": (exiting(ExitMismatch("", 45595)), exiting(ExitMismatch())),
    "vantage.no_references": (assessed(), assessed(no_reply(APPLE))),
    "vantage.captive_portal": (
        assessed(*(portal(ref) for ref in UPLINK), *(untrusted(ref) for ref in FOREIGN)),
        assessed(*(portal(ref) for ref in UPLINK), *(good(ref) for ref in FOREIGN)),
    ),
    "vantage.resolver_down": (
        assessed(*(unresolved(ref, "dns_servfail_error") for ref in ALL)),
        assessed(*(unresolved(ref, "generic_timeout_error") for ref in ALL)),
    ),
    "vantage.offline": (
        assessed(*(no_reply(ref) for ref in ALL)),
        assessed(*(no_reply(ref) for ref in ALL[1:]), good(APPLE)),
    ),
    "vantage.resolver_cut_off": (
        assessed(good(DAWN), by_address(reached=True), *map(servfail, (*UNLISTED, *POPULAR))),
        assessed(good(DAWN), by_address(reached=False), *map(servfail, (*UNLISTED, *POPULAR))),
    ),
    "vantage.allowlist": (
        assessed(good(DAWN), good(GOOGLE), *twice(no_reply, *UNLISTED, VISA)),
        assessed(good(DAWN), good(GOOGLE), *twice(no_reply, *UNLISTED[2:]), *map(good, UNLISTED)),
    ),
    "vantage.large_packets": (
        assessed(good(DAWN), *map(in_small_packets, UNLISTED), *twice(muted, VISA, GOOGLE)),
        assessed(good(DAWN), *twice(muted, *UNLISTED, VISA, GOOGLE)),
    ),
    "vantage.allowlist_by_name": (
        assessed(good(DAWN), good(GOOGLE), *twice(muted, *UNLISTED, VISA)),
        assessed(good(DAWN), good(GOOGLE), *twice(forged, *UNLISTED, VISA)),
    ),
    "vantage.ipv4_cut": (
        assessed(good(DAWN), *map(over_ipv6, (*UNLISTED, VISA))),
        assessed(good(DAWN), good(VISA), *map(over_ipv6, UNLISTED)),
    ),
    "vantage.international_cut": (
        assessed(good(DAWN), *(no_reply(ref) for ref in (*UPLINK, *FOREIGN))),
        assessed(good(DAWN), good(WIKIPEDIA), *(no_reply(ref) for ref in UPLINK)),
    ),
    "vantage.clock_skew": (
        assessed(dated(APPLE, behind=timedelta(days=400)), *map(outdated, FOREIGN)),
        assessed(dated(APPLE, behind=timedelta(hours=23)), *map(outdated, FOREIGN)),
    ),
    "vantage.no_tls": (
        assessed(good(APPLE), *(untrusted(ref) for ref in (*FOREIGN, DAWN))),
        assessed(good(APPLE), *(untrusted(ref) for ref in FOREIGN[1:]), good(WIKIPEDIA)),
    ),
    "vantage.lossy": (assessed(*SLOW), assessed(*SLOW, *CLEAN)),
    "vantage.ok": (assessed(*(good(ref) for ref in ALL)), assessed(good(DAWN), no_reply(APPLE))),
}


def test_every_health_rule_has_its_examples() -> None:
    """A health rule without a matching case and a near miss cannot be added."""
    assert set(EXAMPLES) == {rule.id for rule in HEALTH_RULES}


def test_a_line_without_ipv4_has_lost_nothing_abroad() -> None:
    """Domestic references would be reached over it. What remains is judged over IPv6."""
    abroad = tuple(map(over_ipv6, (*UNLISTED, VISA)))
    assert assessed(over_ipv6(DAWN), *abroad).rule_id == "vantage.ok"
    cut = assessed(good(DAWN), *abroad)
    assert (cut.state, cut.families) == (VantageState.OK, ("ipv6",))


@pytest.mark.parametrize("rule_id", EXAMPLES)
def test_health_rule_decides_its_case(rule_id: str) -> None:
    """The rule decides the case made for it, with its own state."""
    matching, near_miss = EXAMPLES[rule_id]
    states = {rule.id: rule.state for rule in HEALTH_RULES}
    assert (matching.rule_id, matching.state) == (rule_id, states[rule_id])
    assert near_miss.rule_id != rule_id


def test_a_clock_far_off_mutes_even_while_some_certificates_still_verify() -> None:
    """What servers prove about our clock outweighs that references answer."""
    wrong = [dated(ref, behind=timedelta(days=60)) for ref in (WIKIPEDIA, DAWN)]
    health = assessed(*wrong, good(APPLE))
    assert (health.rule_id, health.state) == ("vantage.clock_skew", VantageState.UNKNOWN)
    assert health.clock_skew == pytest.approx(60 * 86400, abs=1)


def test_forged_dates_in_cleartext_alone_mute_nobody() -> None:
    """Whoever rewrites cleartext cannot switch the vantage off while certificates verify."""
    health = assessed(dated(APPLE, behind=timedelta(days=400)), *map(good, FOREIGN))
    assert (health.state, health.clock_skew) == (VantageState.OK, None)


def test_a_platform_that_was_reached_tells_the_time_too() -> None:
    """References that stop at the handshake say no date; looks of the cycle that answered do."""
    _, witness = dated(DAWN, behind=timedelta(seconds=90))
    health = assessed(*map(good, FOREIGN), witnesses=[witness])
    assert (health.state, health.clock_skew) == (VantageState.OK, 90)


def test_a_local_forwarder_is_told() -> None:
    """Names asked of a stub are noted, for they hide an injected second answer."""
    ref, seen = good(WIKIPEDIA)
    through = msgspec.structs.replace(dns(name=ref.endpoint.host), stub=True)
    stubbed = msgspec.structs.replace(seen, observations=(through, *seen.observations[1:]))
    assert assessed((ref, stubbed)).stub_resolver
    assert not assessed((ref, seen)).stub_resolver


def test_latest_look_of_each_reference_decides() -> None:
    """A vantage that was online before the failures and is not after them is offline."""
    before = [good(ref) for ref in ALL]
    after = [no_reply(ref, at=60.0) for ref in ALL]
    assert assessed(*before, *after).state is VantageState.OFFLINE
    assert assessed(*after, *before).state is VantageState.OFFLINE


def test_dead_resolver_is_told_from_cut_cable_by_a_sign_of_life() -> None:
    """When nothing resolves, an endpoint reached by address shows that the network works."""
    silent = [unresolved(ref, "generic_timeout_error") for ref in ALL]
    assert assessed(*silent).rule_id == "vantage.offline"
    assert assessed(*silent, witnesses=[BY_ADDRESS]).rule_id == "vantage.resolver_down"


def test_names_that_all_lead_home_are_a_captive_portal() -> None:
    """A portal may answer every name with its own private address."""
    assert assessed(*map(resolves_privately, ALL)).rule_id == "vantage.captive_portal"


@pytest.mark.parametrize("reached", [True, False])
def test_fake_addresses_of_a_proxy_are_neither_a_list_nor_a_cut(reached: bool) -> None:
    """Software against censors at the vantage leads foreign names to addresses of its own, and
    spares domestic ones and captive-portal checks."""
    fake = [
        bad(ref, dns("dns_bogon_error", name=ref.endpoint.host, addresses=(f"198.18.0.{n}",)))
        for n, ref in enumerate((*UNLISTED, *POPULAR))
    ]
    for spared in ([good(DAWN)], [good(DAWN), *map(good, UPLINK)]):
        health = assessed(*fake, *spared, by_address(reached=reached))
        assert health.state not in (VantageState.ALLOWLIST, VantageState.INTERNATIONAL_CUT)
    lies = [
        bad(ref, dns("dns_bogon_error", name=ref.endpoint.host, addresses=("10.10.34.36",)))
        for ref in (*UNLISTED, *POPULAR)
    ]
    assert assessed(*lies, good(DAWN), by_address(reached=True)).rule_id == "vantage.allowlist"


@pytest.mark.parametrize("status", [407, 511])
def test_a_device_that_wants_a_login_is_a_captive_portal(status: int) -> None:
    """What such a proxy lets pass over TLS is its own choice; no server far away answers so."""
    wanted = [portal(ref, status) for ref in UPLINK]
    foreign = [good(ref) for ref in FOREIGN]
    assert assessed(*wanted, *foreign).rule_id == "vantage.captive_portal"
    assert assessed(wanted[0], good(FIREFOX), *foreign).rule_id == "vantage.ok"


def test_a_portal_that_lets_a_few_sites_pass_is_no_allowlist() -> None:
    """Free Facebook on a café's line: a list of sites passes, by its owner's choice."""
    several = [reference(f"site{n}.example.org") for n in range(6)]
    silent = [bad(ref, dns(), tcp(), tls("generic_timeout_error")) for ref in several]
    seen = [good(GSTATIC), good(CLOUDFLARE), *silent]
    assert assessed(*seen, *map(good, UPLINK)).rule_id == "vantage.allowlist_by_name"
    assert assessed(*seen, *map(portal, UPLINK)).rule_id == "vantage.captive_portal"
    some = [good(ref) for ref in several[:4]]
    assert assessed(*seen[:2], *some, *map(portal, UPLINK)).rule_id == "vantage.ok"


def test_one_foreign_site_down_is_not_a_cut() -> None:
    """A working captive-portal check outvotes a single foreign reference, not several."""
    assert assessed(good(DAWN), good(APPLE), no_reply(WIKIPEDIA)).state is not (
        VantageState.INTERNATIONAL_CUT
    )
    several = [bad(ref, dns(), tcp("connection_refused")) for ref in FOREIGN]
    assert assessed(good(DAWN), good(APPLE), *several).rule_id == "vantage.international_cut"


def test_uplink_tampered_alone_is_ok() -> None:
    """Rewritten cleartext does not mute a vantage whose TLS references answer."""
    assert assessed(portal(APPLE), good(WIKIPEDIA), good(DAWN)).state is VantageState.OK


def test_families_are_those_of_reached_references() -> None:
    """A family counts as working when a reference answered over it in its latest look."""
    assert assessed(good(WIKIPEDIA), good(DAWN, address=V6)).families == ("ipv4", "ipv6")
    host = WIKIPEDIA.endpoint.host
    broken_v6 = look(
        dns(name=host),
        dns(name=host, rtype="AAAA", addresses=(V6,)),
        tcp(),
        tcp("generic_timeout_error", address=V6),
        tls(server_name=host),
        reached=True,
        endpoint=WIKIPEDIA.endpoint.id,
    )
    assert assessed((WIKIPEDIA, broken_v6)).families == ("ipv4",)


@pytest.mark.parametrize("failure", ["generic_timeout_error", "connection_reset"])
def test_a_family_over_which_no_reference_proves_itself_is_the_lines_own_trouble(
    failure: str,
) -> None:
    """Cleartext and small packets may pass where no handshake is finished. One reference that does
    finish it is enough, and one alone that does not may be down itself."""
    both = [good(APPLE), good(FIREFOX, address=V6)]
    cut_off = [over_ipv6_alone(ref, failure) for ref in (*FOREIGN, DAWN)]
    assert assessed(*both, *cut_off).families == ("ipv6",)
    assert assessed(*both, *map(over_ipv6, FOREIGN)).families == ("ipv6",)
    assert assessed(*both, *cut_off[1:], good(WIKIPEDIA)).families == ("ipv4", "ipv6")
    assert assessed(good(APPLE), cut_off[0]).families == ("ipv4", "ipv6")
    dead = [no_reply(WIKIPEDIA), no_reply(CLOUDFLARE), good(GSTATIC, address=V6)]
    assert assessed(good(APPLE), *dead).families == ("ipv4", "ipv6")


def test_names_that_do_not_resolve_over_one_family_leave_it_working() -> None:
    """A reference without IPv4 addresses says nothing about IPv4."""
    refs = [good(ref, address=V6) for ref in FOREIGN]
    denied = dns("dns_nxdomain_error", rtype="A")
    looked = [
        (ref, look(denied, *seen.observations, reached=True, endpoint=ref.endpoint.id))
        for ref, seen in refs
    ]
    assert assessed(good(APPLE), *looked).families == ("ipv4", "ipv6")


def test_counts_are_of_the_latest_round() -> None:
    """References answered out of references asked, each counted once."""
    health = assessed(good(DAWN), no_reply(DAWN, at=60), good(WIKIPEDIA), bad(APPLE, egress()))
    assert (health.references_ok, health.references_total) == (1, 2)


# -- lists -----------------------------------------------------------------------------------


def test_what_a_list_lets_pass_is_named() -> None:
    """References and platforms that answer, by host; none where all is well."""
    listed = assessed(
        good(DAWN),
        good(GOOGLE),
        *twice(no_reply, *UNLISTED, APPLE_WEB),
        witnesses=[answered("i.ytimg.com"), answered("mirror.example", over_tls=False)],
    )
    assert listed.state is VantageState.ALLOWLIST
    assert listed.passing == ("www.google.com", "www.dawn.com", "i.ytimg.com")
    assert assessed(*map(good, (*UNLISTED, *POPULAR))).passing == ()


def test_a_bundle_that_lets_one_platform_pass_is_not_offline() -> None:
    """Verified TLS to anybody shows that the line lives; a bare handshake of TCP does not."""
    dead = twice(no_reply, *UPLINK, *UNLISTED, *POPULAR, DAWN)
    bundle = assessed(*dead, witnesses=[answered("www.facebook.com")])
    assert (bundle.state, bundle.passing) == (VantageState.ALLOWLIST, ("www.facebook.com",))
    box = assessed(*dead, witnesses=[answered("www.facebook.com", over_tls=False)])
    assert box.state is VantageState.OFFLINE


def test_a_lossy_line_is_no_list() -> None:
    """References that fail at every try beside others that needed many tries were lost."""
    resent = [good(ref, retransmits=1, at=60.0 * n) for n in range(3) for ref in (DAWN, GOOGLE)]
    health = assessed(*resent, *twice(no_reply, *UNLISTED, VISA))
    assert health.state is VantageState.LOSSY


def test_references_that_came_back_are_no_list() -> None:
    """Whatever answered once in the cycle was not kept out by a list."""
    after = [no_reply(ref, at=60.0) for ref in UNLISTED]
    health = assessed(good(DAWN), good(GOOGLE), *map(good, UNLISTED), *after)
    assert health.state is not VantageState.ALLOWLIST


def test_few_references_show_no_list() -> None:
    """Two of three that fail may be down or blocked by themselves."""
    health = assessed(good(DAWN), good(GOOGLE), *twice(no_reply, WIKIPEDIA, CLOUDFLARE))
    assert health.state is not VantageState.ALLOWLIST


def test_names_dropped_abroad_are_no_cut() -> None:
    """Where connections to foreign addresses are made the lines are whole, whatever TLS says."""
    health = assessed(good(DAWN), *twice(muted, *UNLISTED, *POPULAR))
    assert (health.rule_id, health.passing) == ("vantage.allowlist_by_name", ("www.dawn.com",))
    few = assessed(good(DAWN), *map(muted, FOREIGN))
    assert few.state is not VantageState.INTERNATIONAL_CUT


def test_a_line_that_loses_large_packets_is_no_list_of_names() -> None:
    """What answers in small packets is on no list where every handshake of TLS falls silent."""
    silent = twice(muted, *UNLISTED, *POPULAR, DAWN)
    small = look(dns(), tcp(), app(), reached=True, endpoint="tcp://e1.whatsapp.net:443")
    assert assessed(*silent, *map(good, UPLINK), witnesses=[small]).rule_id == "vantage.no_tls"
    listed = assessed(*silent, witnesses=[small, answered("www.facebook.com")])
    assert listed.rule_id == "vantage.allowlist_by_name"
    unconnected = twice(no_reply, *UNLISTED, *POPULAR, DAWN)
    assert assessed(*unconnected, witnesses=[small]).rule_id == "vantage.allowlist"


def test_what_falls_silent_in_small_packets_too_is_on_no_list() -> None:
    """Of those greeted again most must answer: one that was silent by chance proves nothing."""
    silent = [in_small_packets(ref, "generic_timeout_error") for ref in UNLISTED[:2]]
    rest = [good(DAWN), *twice(muted, *UNLISTED[2:4], VISA, GOOGLE)]
    one = in_small_packets(UNLISTED[4])
    assert assessed(*silent, one, *rest).rule_id == "vantage.allowlist_by_name"
    assert assessed(silent[0], *map(in_small_packets, UNLISTED[1:2]), one, *rest).rule_id == (
        "vantage.large_packets"
    )


def test_a_resolver_without_foreign_names_is_no_cut_and_one_that_lies_is_a_list() -> None:
    """A fault of the resolver is told by foreign addresses that answer; a lie is no fault."""
    foreign = (*UNLISTED, *POPULAR)
    timeouts = [unresolved(ref, "generic_timeout_error") for ref in foreign]
    dead = assessed(good(DAWN), by_address(reached=True), *timeouts)
    assert (dead.rule_id, dead.state) == ("vantage.resolver_cut_off", VantageState.UNKNOWN)
    lies = [unresolved(ref, "dns_nxdomain_error") for ref in foreign]
    assert assessed(good(DAWN), by_address(reached=True), *lies).rule_id == "vantage.allowlist"
    cached = [unresolved(ref, "dns_servfail_error") for ref in foreign if ref is not GOOGLE]
    remembered = assessed(good(DAWN), good(GOOGLE), by_address(reached=True), *cached)
    assert remembered.rule_id == "vantage.resolver_cut_off"


def test_a_dead_resolver_is_told_by_a_foreign_address() -> None:
    """With silence for every name, an address that answers names the resolver; none: offline."""
    silent = [unresolved(ref, "generic_timeout_error") for ref in (*ALL, *UNLISTED)]
    assert assessed(*silent, by_address(reached=True)).rule_id == "vantage.resolver_down"
    assert assessed(*silent, by_address(reached=False)).rule_id == "vantage.offline"
    faults = [unresolved(ref, "dns_servfail_error") for ref in ALL]
    assert assessed(*faults, by_address(reached=False)).rule_id == "vantage.offline"


def test_a_resolver_over_https_that_fails_says_nothing_of_the_network() -> None:
    """It is a third party's, down or blocked for itself. Two vantages that asked one were a country
    in which no name resolves; now their own trouble is theirs."""
    failing = []
    for ref in (*ALL, *UNLISTED):
        _, made = unresolved(ref, "dns_non_recoverable_failure")
        asked = [msgspec.structs.replace(one, transport=DOH) for one in made.of(Layer.DNS)]
        failing.append((ref, msgspec.structs.replace(made, observations=tuple(asked))))
    down = assessed(*failing, by_address(reached=True))
    assert (down.rule_id, down.state) == ("vantage.resolver_down", VantageState.UNKNOWN)
    offline = assessed(*failing, by_address(reached=False))
    assert (offline.rule_id, offline.state) == ("vantage.offline", VantageState.OFFLINE)


@pytest.mark.parametrize(
    ("resolvers", "state"),
    [
        (("8.8.8.8:53", "[2606:4700:4700::1111]:53"), VantageState.UNKNOWN),
        (("proxy:1.1.1.1:53",), VantageState.UNKNOWN),
        (("8.8.8.8:53", "192.0.2.53:53"), VantageState.OFFLINE),
        (("18.8.8.8:53",), VantageState.OFFLINE),
    ],
)
def test_a_resolver_for_everybody_that_fails_says_nothing_of_the_network(
    resolvers: tuple[str, ...], state: VantageState
) -> None:
    """When it is down, or one network drops what is sent to it, no country is without names."""
    failing = []
    for ref in (*ALL, *UNLISTED):
        host, why = ref.endpoint.host, "generic_timeout_error"
        failing.append(bad(ref, *(dns(why, name=host, resolver=one) for one in resolvers)))
    down = assessed(*failing, by_address(reached=True))
    assert (down.rule_id, down.state) == ("vantage.resolver_down", state)


def test_unjudged_certificates_do_not_outvote_a_captive_portal() -> None:
    """A portal may show any certificate, and fakes none that is judged."""
    unjudged = msgspec.structs.replace(DAWN.endpoint, verify=False)
    home = msgspec.structs.replace(DAWN, endpoint=unjudged)
    seen = [good(home), *(portal(ref) for ref in UPLINK), *map(untrusted, FOREIGN)]
    assert assessed(*seen).rule_id == "vantage.captive_portal"


# -- loss --------------------------------------------------------------------------------------


def test_successes_leave_a_remainder() -> None:
    """Six successes leave (0 + 0.5) / (6 + 1), never zero."""
    loss = estimate_loss([good(ref) for ref in ALL], [])
    assert loss.timeout_rate == pytest.approx(0.5 / 7)
    assert not loss.lossy


def test_no_references_leave_nothing_certain() -> None:
    """Without any look a timeout is as likely as not."""
    assert estimate_loss([], []).timeout_rate == 0.5


def slow_connects(slow: int, total: int) -> list[Measurement]:
    """Platform looks of which some needed their SYN sent again."""
    return [
        look(tcp(retransmits=int(n < slow)), reached=True, endpoint=f"tcp://{V4}:443", at=float(n))
        for n in range(total)
    ]


def test_ten_percent_loss_still_allows_detection() -> None:
    """19 of 100 round trips sent again give 3 · 0.19³ = 0.02: two timeouts can accuse."""
    references = [good(ref, at=float(n)) for n in range(5) for ref in ALL]
    trips = 100 - 2 * len(references)
    loss = estimate_loss(references, slow_connects(19, trips))
    assert loss.timeout_rate == pytest.approx(3 * 0.19**3)
    assert not loss.lossy
    assert loss.timeout_rate**2 < 0.005


def test_thirty_percent_loss_is_lossy() -> None:
    """51 of 100 round trips sent again give 3 · 0.51³ = 0.40."""
    references = [good(ref) for ref in ALL]
    loss = estimate_loss(references, slow_connects(51, 88))
    assert loss.timeout_rate == pytest.approx(3 * 0.51**3)
    assert loss.lossy


def test_few_round_trips_do_not_make_a_line_lossy() -> None:
    """Two resends out of six round trips may be chance; the same share out of more is not."""
    proxied = [(ref, look(tls(address=""), reached=True)) for ref in (WIKIPEDIA, DAWN)]
    assert not estimate_loss(proxied, slow_connects(2, 6)).lossy
    assert estimate_loss(proxied, slow_connects(4, 12)).lossy


def test_failed_witnesses_do_not_count() -> None:
    """A censor that drops a platform's packets does not make the line look lossy."""
    dropped = [look(dns(tries=3), tcp("generic_timeout_error", retransmits=3)) for _ in range(50)]
    clean = estimate_loss([good(ref) for ref in ALL], [])
    assert estimate_loss([good(ref) for ref in ALL], dropped) == clean


def test_broken_family_is_not_loss() -> None:
    """IPv6 connects that never succeed leave the share of resends alone."""
    host = WIKIPEDIA.endpoint.host
    dead_v6 = tcp("generic_timeout_error", address=V6, retransmits=3)
    seen = look(dns(name=host), tcp(), dead_v6, tls(server_name=host), reached=True)
    assert not estimate_loss([(WIKIPEDIA, seen)] * 8, []).lossy


def test_timeouts_of_references_raise_the_rate() -> None:
    """Two references of six that time out make 2.5 / 7."""
    looks = [*(good(ref) for ref in ALL[2:]), *(no_reply(ref) for ref in UPLINK)]
    loss = estimate_loss(looks, [])
    assert loss.timeout_rate == pytest.approx(2.5 / 7)
    assert loss.lossy


def test_one_dead_reference_tells_nothing_about_loss() -> None:
    """A reference silent in every round while the others always answer is left out."""
    rounds = [good(ref, at=at) for at in (0.0, 60.0) for ref in ALL[1:]]
    dead = [no_reply(APPLE), no_reply(APPLE, at=60.0)]
    assert estimate_loss([*rounds, *dead], []).timeout_rate == pytest.approx(0.5 / 11)
    once = [no_reply(APPLE), good(APPLE, at=60.0)]
    assert estimate_loss([*rounds, *once], []).timeout_rate == pytest.approx(1.5 / 13)


def test_dead_references_on_a_clean_line_tell_nothing_about_loss() -> None:
    """Up to half of the references may be silent where nothing was resent: at both tries, or at
    their only one where many round trips went well."""
    rounds = [good(ref, at=at) for at in (0.0, 60.0) for ref in ALL[2:]]
    dead = twice(no_reply, *UPLINK)
    assert estimate_loss([*rounds, *dead], []).timeout_rate == pytest.approx(0.5 / 9)
    resent = [good(DAWN, retransmits=1, at=90.0)]
    assert estimate_loss([*rounds, *dead, *resent], []).timeout_rate > 0.2
    most = [good(ref, at=at) for at in (0.0, 60.0, 90.0, 120.0) for ref in ALL[:2]]
    assert estimate_loss([*most, *twice(no_reply, *ALL[2:])], []).timeout_rate > 0.2
    once = [no_reply(ref) for ref in UPLINK]
    assert estimate_loss([*rounds, *once], []).timeout_rate > 0.2
    assert estimate_loss([*rounds, *once], slow_connects(0, 8)).timeout_rate < 0.1


def test_looks_that_died_at_the_proxy_are_no_looks() -> None:
    """Our own proxy's failures count neither as timeouts nor as successes."""
    looks = [good(ref) for ref in ALL]
    with_egress = [*looks, bad(DAWN, egress("generic_timeout_error"), at=60.0)]
    assert estimate_loss(with_egress, []) == estimate_loss(looks, [])


@pytest.mark.parametrize(
    ("where", "rule_id"),
    [
        (ExitMismatch("NL", 64511), "vantage.elsewhere"),
        (ExitMismatch("", 45595), "vantage.other_network"),
        (ExitMismatch(), "vantage.ok"),
    ],
)
def test_an_exit_that_is_elsewhere_outweighs_good_references(
    where: ExitMismatch, rule_id: str
) -> None:
    """All answers, but not from here: nothing can be judged; the near miss is an exit that fits."""
    looks = [good(ref) for ref in ALL]
    health = assess(VANTAGE, looks, (), START, where)
    assert health.rule_id == rule_id
    assert (health.exit_country, health.exit_asn) == (where.country, where.asn)
    assert (health.state is VantageState.OK) == (rule_id == "vantage.ok")


@pytest.mark.parametrize("answered", [False, True])
def test_references_over_udp_say_nothing_about_health(*, answered: bool) -> None:
    """Many networks that are well let no UDP out: neither silence nor an answer changes health."""
    calls = reference("stun.example", ReferenceScope.UDP, EndpointKind.STUN)
    name = dns(name=calls.endpoint.host)
    heard = [app(None if answered else "generic_timeout_error", protocol="stun")]
    over_udp = (calls, look(name, *heard, reached=answered, endpoint=calls.endpoint.id))
    well = [good(one) for one in ALL]
    dead = [no_reply(one) for one in ALL]
    for others in (well, dead, []):
        alone = assess(VANTAGE, others, (), START)
        assert assess(VANTAGE, [*others, *[over_udp] * 4], (), START) == alone
