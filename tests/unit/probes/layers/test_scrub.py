"""Scrubbing removes the vantage's addresses in every spelling, and little else."""

import base64
import html
import ipaddress
import re
import time
from collections.abc import Callable
from urllib.parse import quote, unquote

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from probes.layers.scrub import PLACEHOLDER, Scrubber, scrub_observation, scrub_observations
from probes.measurement import (
    AnyObservation,
    DnsAnswer,
    DnsObservation,
    EgressObservation,
    HttpObservation,
    TcpObservation,
    TlsObservation,
)

Writing = Callable[[str], str]


def entities(text: str) -> str:
    """Every character as a decimal HTML entity."""
    return "".join(f"&#{ord(character)};" for character in text)


def hex_entities(text: str) -> str:
    """Every character as a hexadecimal HTML entity."""
    return "".join(f"&#x{ord(character):X};" for character in text)


def percent(text: str) -> str:
    """Every character percent-encoded."""
    return "".join(f"%{ord(character):02x}" for character in text)


def escapes(text: str) -> str:
    """Every character as in a JavaScript string."""
    return "".join(f"\\u{ord(character):04x}" for character in text)


def base64_of(text: str) -> str:
    """In base64."""
    return base64.b64encode(text.encode()).decode()


def reversed_parts(text: str) -> str:
    """Reversed, as in DNS."""
    return ".".join(reversed(text.split(".")))


def packed(text: str) -> bytes:
    """As octets."""
    return ipaddress.ip_address(text).packed


V4_WRITINGS: dict[str, Writing] = {
    "plain": str,
    "percent": percent,
    "dots percent": lambda a: a.replace(".", "%2E"),
    "percent twice": lambda a: a.replace(".", "%252e"),
    "entities": entities,
    "hexadecimal entities": hex_entities,
    "dots as entities": lambda a: a.replace(".", "&#46;"),
    "named dots": lambda a: a.replace(".", "&period;"),
    "escapes": escapes,
    "defanged": lambda a: a.replace(".", "[.]"),
    "defanged round": lambda a: a.replace(".", "(.)"),
    "dashed": lambda a: a.replace(".", "-"),
    "underscored": lambda a: a.replace(".", "_"),
    "reversed": reversed_parts,
    "reversed and dashed": lambda a: reversed_parts(a).replace(".", "-"),
    "reverse pointer": lambda a: ipaddress.ip_address(a).reverse_pointer,
    "zero padded": lambda a: ".".join(part.zfill(3) for part in a.split(".")),
    "hexadecimal": lambda a: packed(a).hex(),
    "hexadecimal number": lambda a: "0x" + packed(a).hex().upper(),
    "hexadecimal with colons": lambda a: packed(a).hex(":"),
    "hexadecimal octets": lambda a: ".".join(hex(octet) for octet in packed(a)),
    "decimal": lambda a: str(int(ipaddress.ip_address(a))),
    "characters in hexadecimal": lambda a: a.encode().hex(),
    "mapped": lambda a: f"::ffff:{a}",
    "mapped in hexadecimal": lambda a: f"::ffff:{packed(a)[:2].hex()}:{packed(a)[2:].hex()}",
    "with a port": lambda a: f"{a}:51812",
    "with a port after a dot": lambda a: f"{a}.51812",
    "base64 of the number": lambda a: base64.b64encode(packed(a)).decode(),
}
V6_WRITINGS: dict[str, Writing] = {
    "plain": str,
    "upper case": str.upper,
    "in full": lambda a: ipaddress.ip_address(a).exploded,
    "without gaps": lambda a: ":".join(
        f"{int(group, 16):x}" for group in ipaddress.ip_address(a).exploded.split(":")
    ),
    "in brackets with a port": lambda a: f"[{a}]:443",
    "with a zone": lambda a: f"{a}%eth0",
    "percent": percent,
    "colons percent": lambda a: quote(a, safe=""),
    "entities": entities,
    "hexadecimal entities": hex_entities,
    "named colons": lambda a: a.replace(":", "&colon;"),
    "escapes": escapes,
    "dashed": lambda a: a.replace(":", "-"),
    "in full and dashed": lambda a: ipaddress.ip_address(a).exploded.replace(":", "-"),
    "reverse pointer": lambda a: ipaddress.ip_address(a).reverse_pointer,
    "hexadecimal": lambda a: packed(a).hex(),
    "decimal": lambda a: str(int(ipaddress.ip_address(a))),
    "characters in hexadecimal": lambda a: a.encode().hex(),
    "base64 of the number": lambda a: base64.b64encode(packed(a)).decode(),
}

words = st.text("abc xyz.,:;-_/=\"'<>?&%#()[]{}\n\t0159é", max_size=12)
own_v4 = st.ip_addresses(v=4).filter(lambda a: not a.is_loopback and int(a) > 0xFFFFFF).map(str)


def _telling(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether a vantage may have this IPv6 address and it is long enough to recognise."""
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    digits = sum(character not in "0:" for character in address.exploded)
    return digits > 5 and not mapped and not address.is_loopback


own_v6 = st.ip_addresses(v=6).filter(_telling).map(str)


def digits_of(text: str) -> str:
    """The digits of an address without separators."""
    return re.sub(r"[^0-9a-f]", "", html.unescape(text).lower())


def prose(draw: st.DrawFn, side: str) -> str:
    """Text next to an address that does not continue it."""
    text = draw(words)
    # A digit directly beside a number makes it another number, and one behind a dot, however that
    # is written, is its port.
    beside = r"\w|[%&#;.\-_:]|[(\[]\.[)\]]"
    if side == "before":
        return f"{text} " if re.search(f"({beside})$", text) else text
    return f" {text}" if re.match(beside, text) else text


@st.composite
def around(draw: st.DrawFn) -> tuple[str, str]:
    """Text before and after an address."""
    return prose(draw, "before"), prose(draw, "after")


def left_of(own: str, writings: dict[str, Writing], before: str, after: str) -> dict[str, str]:
    """The spellings of an address that survive scrubbing."""
    scrubber = Scrubber([own])
    left = {}
    for name, writing in writings.items():
        written = writing(own)
        scrubbed = scrubber.text(f"{before}{written}{after}")
        traces = digits_of(written) if len(digits_of(written)) > 6 else written
        if PLACEHOLDER not in scrubbed or traces in digits_of(scrubbed) or written in scrubbed:
            left[name] = scrubbed
    return left


@given(own_v4, around())
def test_no_writing_of_our_ipv4_address_survives(own: str, text: tuple[str, str]) -> None:
    """Our own IPv4 address is removed in every spelling."""
    assert left_of(own, V4_WRITINGS, *text) == {}


@given(own_v6, around())
@example("d840::111", ("=", " "))
def test_no_writing_of_our_ipv6_address_survives(own: str, text: tuple[str, str]) -> None:
    """Our own IPv6 address is removed in every spelling."""
    assert left_of(own, V6_WRITINGS, *text) == {}


@given(own_v4, around())
@example("1.0.0.0", ("11 ", " "))
@example("2.3.4.5", ("22 ", " x"))
def test_the_page_around_our_address_stays(own: str, text: tuple[str, str]) -> None:
    """Only the address is removed, not the text next to it; numbers that are octets of it may be
    part of it, as in `55, then 55.0.0.0`."""
    before, after = text
    # `%050` may stand for a control character and a zero.
    shown = f"{before} {after} {unquote(before)} {unquote(after)}"
    numbers = map(int, re.findall(r"\d+", shown))
    assume(not set(numbers) & set(packed(own)))
    # `1<b>2.3.4.5` shows another address, which goes as well.
    assume(not re.search(r"\d(<[^<>]*>)+$", before) and not re.match(r"(<[^<>]*>)+\d", after))
    # A number that a dot, however it is written, joins to the address is read as part of it.
    assume(not re.search(r"\d\W*\.\W*$", before) and not re.match(r"\W*\.\W*\d", after))
    scrubber = Scrubber([own])
    assume(not scrubber.finds(before) and not scrubber.finds(after))
    assert scrubber.text(f"{before}{own}{after}") == f"{before}{PLACEHOLDER}{after}"


@given(st.one_of(own_v4, own_v6), st.binary(max_size=40), st.binary(max_size=40), st.booleans())
def test_base64_hides_our_address_at_no_offset(
    own: str, before: bytes, after: bytes, url_safe: bool
) -> None:
    """Our address is found inside longer base64, text and binary data."""
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    for inside in (own.encode(), packed(own)):
        token = encode(before + inside + after).decode()
        scrubbed = Scrubber([own]).text(f'"{token}"')
        left = scrubbed.replace(PLACEHOLDER, " ").replace('"', " ").split()
        for part in left:
            for start in range(4):
                whole = part.rstrip("=")[start:]
                whole = whole[: len(whole) - (len(whole) % 4 == 1)]
                decoded = base64.urlsafe_b64decode(
                    whole.replace("+", "-").replace("/", "_") + "=" * (-len(whole) % 4)
                )
                assert inside not in decoded


PROVIDERS = "192.0.2.200"
"""The public address of the provider's NAT, which the vantage does not know."""
PROVIDERS_V6 = "2001:db8:99::1:5"


@pytest.mark.parametrize(
    "text",
    [
        "Your address is {v4}",
        "Your address is...{v4}.",
        "ip={v4}&t=17",
        "for={v4};proto=https",
        "x{v4}y",
        "_{v4}_",
        "{v4}:51812",
        "{v4}.51812",
        "{dashed}.dsl.isp.example",
        "id-{dashed}-17",
        "{percent}",
        "{entities}",
        "https://stop.example/?{v4}/",
        "ip:{v6}",
        "{v6}.",
        ":{v6}:",
        "[{v6}]:443",
        "{v6}%25eth0",
        "(from {v6})",
        "{v6} {v4}",
        "::ffff:{v4}",
        '{{"ip":"{v4}"}}',
        "{base64}",
        "token=x{base64}",
        "{base64_json}",
        "{base64_v6}",
    ],
)
def test_an_address_we_do_not_know_to_be_ours_goes_as_well(text: str) -> None:
    """Behind NAT every address in plain text is removed, because ours is unknown."""
    written = text.format(
        v4=PROVIDERS,
        v6=PROVIDERS_V6,
        dashed=PROVIDERS.replace(".", "-"),
        percent=percent(PROVIDERS),
        entities=entities(PROVIDERS),
        base64=base64_of(PROVIDERS),
        base64_json=base64_of(f'{{"client":"{PROVIDERS}","t":1}}'),
        base64_v6=base64_of(f"ip={PROVIDERS_V6}"),
    )
    scrubbed = Scrubber(["10.0.0.5"]).text(written)
    assert PLACEHOLDER in scrubbed
    for part in (PROVIDERS, PROVIDERS_V6, "192-0-2-200", base64_of(PROVIDERS)[:8]):
        assert part not in scrubbed
    assert "2.200" not in scrubbed
    assert ":99::" not in scrubbed


@given(
    st.ip_addresses(v=4).map(str), st.sampled_from(["{}", "a {} b", "x={};", "<b>{}</b>", "{}."])
)
def test_any_ipv4_address_in_a_page_goes(address: str, text: str) -> None:
    """Every IPv4 address in plain text is removed."""
    assert Scrubber([]).text(text.format(address)) == text.format(PLACEHOLDER)


@given(
    st.one_of(
        st.ip_addresses(v=6),
        # Mostly zeros, so that the gap is long and stands anywhere.
        st.lists(st.sampled_from([0, 0, 0, 1, 0xFC00, 0xABCD]), min_size=8, max_size=8).map(
            lambda groups: ipaddress.IPv6Address(b"".join(g.to_bytes(2, "big") for g in groups))
        ),
    ),
    st.sampled_from(["{}", "a {} b", "x={};", "ip:{} ", "<b>{}</b>", "{}.", ":{}:"]),
)
def test_any_ipv6_address_in_a_page_goes(address: ipaddress.IPv6Address, text: str) -> None:
    """Every IPv6 address of at least two numbers is removed."""
    assume(sum(1 for group in str(address).split(":") if group) >= 2)
    assume(address.ipv4_mapped is None)  # some Pythons write the end of these as an IPv4 address
    assert Scrubber([]).text(text.format(address)) == text.format(PLACEHOLDER)


@pytest.mark.parametrize(
    "text",
    [
        "12:34:56",
        "Sat, 17 Feb 2024 12:34:56 GMT",
        "2024-02-17T12:34:56Z",
        "2024-02-17 12:34:56.789",
        "2024-02-17-10-20-30",
        "2024-02-17",
        "version 1.2.3",
        "Firefox/128.0",
        "1.2.3-rc.4",
        "300.1.2.3",
        "1.2.3.400",
        "1.2.3.4567",
        "3.14159.2.6535",
        "std::string a::before ::after",
        "a:hover, b:focus",
        "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01",
        "::",
        "1::",
        "10 20 30 40",
        "application/json; charset=utf-8",
        "max-age=31536000; includeSubDomains",
        "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        "0123456789abcdef0123456789abcdef",
        "+92 21 111 20 20 20",
        "92-21-111-2020",
        "100%25 sure &amp; &#8211; &hellip;",
        "https://www.pta.gov.pk/en/media-center/single-media/2024-02-17",
    ],
)
def test_what_cannot_be_an_address_is_left_alone(text: str) -> None:
    """Times, dates, versions and digests are not changed."""
    assert Scrubber(["198.51.100.7", "2001:db8:7::7"], ["203.0.113.10"]).text(text) == text


@given(st.text("abcdefghijklmnopqrstuvwxyz ABC,;!?\n", max_size=300))
def test_prose_is_left_alone(text: str) -> None:
    """A page without addresses is not changed."""
    assert Scrubber(["198.51.100.7", "2001:db8:7::7"]).text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "served by {}",
        "https://{}/",
        "{}.",
        "[{}]:443",
        "({})",
    ],
)
@pytest.mark.parametrize("address", ["203.0.113.10", "2001:db8:113::10"])
def test_addresses_that_were_looked_at_stay(text: str, address: str) -> None:
    """A tested address on the page stays, because it is evidence."""
    written = text.format(address)
    assert Scrubber(["198.51.100.7"], [address]).text(written) == written


def test_looked_at_or_not_our_own_address_goes() -> None:
    """Our own address is removed even if it was tested."""
    scrubber = Scrubber(["198.51.100.7"], ["198.51.100.7"])
    assert scrubber.text("198.51.100.7") == PLACEHOLDER


def test_loopback_is_nobodys_address() -> None:
    """A loopback resolver does not make 2130706433 an address of ours."""
    scrubber = Scrubber(["127.0.0.1", "::1"])
    assert scrubber.text("2130706433 7f000001") == "2130706433 7f000001"
    assert not scrubber.is_own("127.0.0.1")


def test_an_ipv4_address_in_an_ipv6_one_is_the_same() -> None:
    """Our address is recognised in its IPv4 and its IPv4-mapped form."""
    scrubber = Scrubber(["::ffff:198.51.100.7"], ["203.0.113.10"])
    assert scrubber.is_own("198.51.100.7")
    assert scrubber.text("198.51.100.7 c6336407 ::ffff:c633:6407") == " ".join([PLACEHOLDER] * 3)
    assert scrubber.text("::ffff:cb00:710a") == "::ffff:cb00:710a"


@pytest.mark.parametrize(
    "written",
    [
        "64:ff9b::93.184.216.7",
        "64:ff9b:1::5db8:d807",
        "2001:db8:122:344:5d:b8d8:700:0",
        "2001:db8:122:5db8:d8:700::",
        "2002:5db8:d807::1",
    ],
)
def test_an_ipv6_address_that_stands_for_our_ipv4_one_goes(written: str) -> None:
    """A DNS64 makes an IPv6 address of an answer with ours, which has ours in it: at the end, or
    where RFC 6052 puts it behind a prefix of the network's own. So has one of 6to4."""
    scrubber = Scrubber(["93.184.216.7", "10.0.1.128"], tested=[written, "64:ff9b::93.184.216.8"])
    assert scrubber.address(written) == "::"
    assert scrubber.text(f"at {ipaddress.IPv6Address(written)}.") == f"at {PLACEHOLDER}."
    assert scrubber.address("64:ff9b::93.184.216.8") == "64:ff9b::93.184.216.8"
    answer = DnsAnswer(delay=0.1, rcode="NOERROR", addresses=(written,))
    seen = DnsObservation(
        start=0.0, duration=0.1, name="x.com", rtype="AAAA", resolver="r", answers=(answer,)
    )
    (kept,) = scrub_observations((seen,), scrubber)
    assert isinstance(kept, DnsObservation)
    assert kept.answers[0].addresses == ("::",)
    # A private one tells nobody anything, and some server's may have the same digits in it.
    assert scrubber.address("2a02:26f0:a00:180::1a2b") == "2a02:26f0:a00:180::1a2b"


def test_a_link_local_address_goes_with_or_without_its_zone() -> None:
    """A link-local address is recognised without its device."""
    scrubber = Scrubber(["fe80::1ff:fe23:4567:890a%eth0"])
    assert scrubber.is_own("fe80::1ff:fe23:4567:890a")
    assert "4567" not in scrubber.text("fe80::1ff:fe23:4567:890a and fe80-0-0-0-1ff-fe23-4567-890a")


def test_a_certificate_is_searched_for_our_address() -> None:
    """Our address is found in binary data as text and as octets."""
    scrubber = Scrubber(["198.51.100.7", "2001:db8:7::7"])
    assert scrubber.shows_own(b"\x30\x82CN=198.51.100.7")
    assert scrubber.shows_own(b"\x30\x82\x87\x04" + packed("198.51.100.7"))
    assert scrubber.shows_own(b"\x30" + packed("2001:db8:7::7"))
    assert not scrubber.shows_own(b"\x30\x82CN=198.51.100.70x"[:14])
    assert not Scrubber([]).shows_own(b"anything")


@given(words, st.lists(own_v4, max_size=2), words)
@example("", [], "")
def test_finding_agrees_with_taking_out(before: str, own: list[str], after: str) -> None:
    """`finds` is true exactly when `text` changes something."""
    text = before + " ".join(own) + after
    scrubber = Scrubber(own)
    assert scrubber.finds(text) == (scrubber.text(text) != text)


@given(st.lists(st.one_of(words, own_v4), max_size=4), own_v4)
@example(["11", "[dot]1.2.3.4", "dot 5"], "1.2.3.4")
@example(["AA" * 20, "Y21.2.3.4", "="], "1.2.3.4")
def test_texts_searched_together_hide_nothing(texts: list[str], own: str) -> None:
    """What `finds` finds in one of them it finds among the others."""
    for scrubber in (Scrubber([own]), Scrubber([])):
        assert scrubber.finds(*texts) >= any(map(scrubber.finds, texts))


HOSTILE = {
    "colons": ":" * 500_000,
    "gaps": "a::" * 170_000,
    "groups": "a:" * 250_000,
    "numbers": "1." * 250_000,
    "dashes": "1-" * 250_000,
    "escapes": "%31" * 170_000,
    "entities": "&#4" * 170_000,
    "one long token": "M" * 500_000,
    "many tokens": "MTkyMTky " * 55_000,
    "open brackets": "[." * 250_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_page_takes_long(text: str) -> None:
    """A page made to slow down the search costs a fraction of a second."""
    scrubber = Scrubber(["198.51.100.7", "2001:db8:7::7"], ["203.0.113.10"])
    started = time.process_time()
    scrubber.text(text)
    assert time.process_time() - started < 3.0


OWN, OWN_V6 = "198.51.100.7", "2001:db8:7::7"
OBSERVATIONS: list[AnyObservation] = [
    DnsObservation(
        start=0.0,
        duration=0.1,
        name="198-51-100-7.stop.example",
        rtype="A",
        resolver=f"{OWN}:53",
        answers=(
            DnsAnswer(delay=0.1, rcode="NOERROR", addresses=(OWN, "203.0.113.10")),
            DnsAnswer(delay=0.2, rcode="NOERROR", cnames=(f"{OWN}.stop.example",)),
        ),
    ),
    DnsObservation(start=0.0, duration=0.1, name="x.com", rtype="AAAA", resolver=f"[{OWN_V6}]:53"),
    TcpObservation(start=0.0, duration=0.1, address=OWN, port=443),
    TcpObservation(start=0.0, duration=0.1, address=OWN_V6, port=443),
    TlsObservation(
        start=0.0,
        duration=0.1,
        address=OWN,
        port=443,
        server_name="198-51-100-7.stop.example",
        verify_error=f"IP address mismatch, certificate is not valid for '{OWN}'.",
        chain=(b"leaf", OWN.encode()),
    ),
    EgressObservation(start=0.0, duration=0.1, reply=f"no service for {OWN}"),
    HttpObservation(
        start=0.0,
        duration=0.1,
        url=f"https://stop.example/{OWN}",
        address=OWN,
        title=f"{OWN} is blocked",
        location=f"/?{OWN}",
        headers=(("x-client", OWN), (f"x-{OWN}", "1")),
        body=f"<p>{OWN}, {OWN_V6}</p>",
    ),
]


@pytest.mark.parametrize("observation", OBSERVATIONS, ids=lambda o: type(o).__name__)
def test_no_field_of_an_observation_keeps_our_address(observation: AnyObservation) -> None:
    """Every field that a peer can fill loses our address, in every layer."""
    scrubbed = scrub_observation(observation, Scrubber([OWN, OWN_V6], ["203.0.113.10"]))
    text = msgspec.json.encode(scrubbed).decode()
    for leak in (OWN, OWN_V6, "198-51-100-7", base64_of(OWN)):
        assert leak not in text
    assert type(scrubbed) is type(observation)


@pytest.mark.parametrize(
    ("own", "router"),
    [
        ("2001:db8:abcd:0:a65e:60ff:fe12:3456", "2001:db8:abcd::1"),
        ("2001:db8:abcd:1200:a65e:60ff:fe12:3456", "2001:db8:abcd:1200::1"),
        ("2001:db8:abcd:1201:1:2:3:4", "2001:db8:abcd:1200::1"),
        ("2001:db8:abcd:1201:1:2:3:4", "fe80::a65e:60ff:fe99:8877%eth0"),
    ],
    ids=["zeros", "a gap", "another network of the line", "made from the router's MAC"],
)
def test_the_router_of_our_own_network_is_nowhere(own: str, router: str) -> None:
    """Attack: the router is the resolver and hijacks a name to itself, and shows a certificate. Its
    address has our own network in it, written with fewer zeros, or its own MAC."""
    bare = router.partition("%")[0]
    scrubber = Scrubber([own], [bare, "2001:db8:113::10"])
    asked = DnsObservation(
        start=0.0,
        duration=0.1,
        name="x.com",
        rtype="AAAA",
        resolver=f"[{router}]:53",
        answers=(
            DnsAnswer(delay=0.1, rcode="NOERROR", addresses=(bare, "2001:db8:113::10", "10.0.0.1")),
        ),
    )
    scrubbed = scrub_observation(asked, scrubber)
    assert isinstance(scrubbed, DnsObservation)
    assert scrubbed.resolver == f"[{PLACEHOLDER}]:53"
    assert scrubbed.answers[0].addresses == ("::", "2001:db8:113::10", "10.0.0.1")
    dialled = TcpObservation(start=0.0, duration=0.1, address=bare, port=443)
    assert "abcd" not in str(scrub_observation(dialled, scrubber))
    assert scrubber.text(f"http://[{bare}]/login") == f"http://[{PLACEHOLDER}]/login"
    if bare.startswith("2001"):
        assert scrubber.shows_own(b"\x30\x87\x10" + packed(bare))


@pytest.mark.parametrize("other", ["[2001:db8:abce::1]:53", "[2001:db8::53]:53", "[fe80::1]:53"])
def test_the_resolver_of_another_network_stays(other: str) -> None:
    """The provider's resolver is evidence; a bare link-local one tells nothing."""
    asked = DnsObservation(start=0.0, duration=0.1, name="x.com", rtype="A", resolver=other)
    assert scrub_observation(asked, Scrubber(["2001:db8:abcd::7:1:2"])) == asked


def test_a_foreign_answer_is_kept_beside_our_own() -> None:
    """In a DNS answer only our own address is replaced, by the unspecified one."""
    scrubbed = scrub_observation(OBSERVATIONS[0], Scrubber([OWN]))
    assert isinstance(scrubbed, DnsObservation)
    assert scrubbed.answers[0].addresses == ("0.0.0.0", "203.0.113.10")


def test_an_honest_observation_comes_through_as_it_was() -> None:
    """An observation without our address is returned unchanged."""
    honest = HttpObservation(
        start=0.0,
        duration=0.1,
        url="https://x.com/",
        address="203.0.113.10",
        status=200,
        title="X. It's what's happening",
        headers=(("date", "Sat, 17 Feb 2024 12:34:56 GMT"),),
    )
    assert scrub_observation(honest, Scrubber([OWN, OWN_V6])) == honest
