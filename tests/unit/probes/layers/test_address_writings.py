"""How many ways of writing the vantage's address come through the scrubber."""

import ipaddress
import re
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probes.layers import address_search
from probes.layers.address_search import Writing
from probes.layers.scrub import PLACEHOLDER, Scrubber
from probes.layers.shown_text import shown
from tests.worlds.address_writings import BEYOND, ENCODINGS, Encoding

BEHIND_NAT = "10.0.0.5"
"""All that the sockets of a vantage behind NAT know."""
EXITS = {4: "198.51.100.77", 6: "2001:db8:7:41:21a:2bff:fe3c:4d5e"}


def comes_through(encoding: Encoding, address: str, scrubber: Scrubber) -> bool:
    """Whether enough of the address is left to recognise it."""
    written = encoding.write(address)
    scrubbed = scrubber.text(f"<p>x {written} y</p>")
    rest = re.sub(r"[^0-9]", "", shown(scrubbed).text)
    # A port, a mask or the 32 of its name tells nothing.
    return PLACEHOLDER not in scrubbed or written in scrubbed or len(rest) > 6


def test_the_table_is_long_enough_to_mean_something() -> None:
    """The table has at least 131 ways, of both families, most of them natural."""
    assert len({encoding.name for encoding in ENCODINGS}) == len(ENCODINGS) >= 131
    assert {encoding.version for encoding in ENCODINGS} == {4, 6}
    assert sum(encoding.natural for encoding in ENCODINGS) >= 100


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda one: one.name)
def test_no_natural_way_comes_through_behind_nat(encoding: Encoding) -> None:
    """Attack: a block page, a provider's name for the line or a token writes the public address in
    another script, in tags, in an array, in base64 twice. 134 of 189 ways came through whole while
    the address was not known, 109 of them when it was."""
    address = EXITS[encoding.version]
    if encoding.natural:
        assert not comes_through(encoding, address, Scrubber([BEHIND_NAT]))
    assert comes_through(encoding, address, Scrubber([address])) == (encoding.name in BEYOND)


lines = st.tuples(st.integers(100, 223), *[st.integers(16, 255)] * 3).map(
    lambda octets: ".".join(map(str, octets))
)


@given(lines, st.sampled_from([e for e in ENCODINGS if e.natural and e.version == 4]))
def test_no_natural_way_of_any_ipv4_address_comes_through(address: str, way: Encoding) -> None:
    """The ways hold for every address of a line, not for that of the table alone."""
    if ipaddress.ip_address(address).packed.hex().isalpha():
        return  # a word to whoever does not know better
    assert not comes_through(way, address, Scrubber([BEHIND_NAT]))


def _examples(writing: Writing) -> st.SearchStrategy[tuple[Writing, str]]:
    texts = st.from_regex(writing.whole, alphabet=st.characters(codec="ascii"))
    return st.tuples(st.just(writing), texts)


WRITINGS = [one for one in vars(address_search).values() if isinstance(one, Writing)]


@given(st.one_of(*map(_examples, WRITINGS)))
def test_where_an_address_is_its_sign_is(writing_and_text: tuple[Writing, str]) -> None:
    """A pattern is tried only where its sign is found: no address may be without."""
    writing, text = writing_and_text
    assert writing.whole.search(text) is not None
    assert writing.sign.search(text) is not None


STAYING = ("plain", "octets in tags", "groups in tags", "JSON array", "hexadecimal name")


@pytest.mark.parametrize(
    "encoding",
    [one for one in ENCODINGS if one.name.partition(" ")[2] in STAYING],
    ids=lambda one: one.name,
)
def test_a_tested_address_may_stay(encoding: Encoding) -> None:
    """The address of a block page's server is evidence, in every view of the page."""
    address = EXITS[encoding.version]
    written = encoding.write(address)
    assert Scrubber([BEHIND_NAT], [address]).text(written) == written


@pytest.mark.parametrize(
    "text",
    [
        "<tr><td>1</td><td>2</td><td>3</td><td>4</td></tr>",
        "rgba(255, 128, 64, 1) rgb(255, 0, 0)",
        "[1, 2, 3]",
        "[255, 0, 0, 255, 17]",
        "main.0a1b2c3d.js chunk-1a2b3c4d.min.css",
        "2024-02-17--2024-02-20",
        "session=deadbeef01&zip=12345678",
        "d41d8cd98f00b204e9800998ecf8427e.cloudfront.example",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "۱۴۰۳/۱۱/۲۸ ساعت ۱۰:۲۰",
        "می‌خواهم این صفحه را ببینم، شماره ۱۲",
        "1. Open the page. 2. Read it. 3. Close it. 4. Go home.",
        "x = a[0] + b[1]; if (x &lt; 3 &amp;&amp; y &gt; 4) { z = '\\u00e9'; }",
        "50% of 100%, i.e. 3 of 6 (dot) by dot",
        "TWFueSBoYW5kcyBtYWtlIGxpZ2h0IHdvcmsgYW5kIG1vcmU=",
    ],
)
def test_what_only_resembles_such_a_way_stays(text: str) -> None:
    """Tables, colours, file names, dates and prose of other scripts are not changed."""
    assert Scrubber(["198.51.100.7", "2001:db8:7::7"], ["203.0.113.10"]).text(text) == text


DEVICE_WRITINGS: dict[str, Callable[[str], str]] = {
    "colons": str,
    "upper case": str.upper,
    "colons percent": lambda mac: quote(mac, safe=""),
    "dashes": lambda mac: mac.replace(":", "-"),
    "underscores": lambda mac: mac.replace(":", "_"),
    "client id of DHCP": lambda mac: f"01:{mac}",
    "access point's, with the network's name": lambda mac: f"{mac.replace(':', '-')}:Khan-Home",
    "fours and dots": lambda mac: ".".join(re.findall("....", mac.replace(":", ""))),
}
PORTALS = {
    "chillispot": "http://portal.example:3990/prelogin?called={dashes}&mac={dashes}&sessionid=5f",
    "mikrotik": "http://login.example/login?mac={percent}&username=x",
    "mikrotik's form": '<input type="hidden" name="mac" value="{colons}">',
    "unifi": "http://portal.example/guest/s/default/?ap={colons}&id={colons}&t=1500000000",
    "cisco": "switch_url=http://portal.example/login.html&ap_mac={colons}&client_mac={colons}",
    "aruba": "cmd=login&mac={run}&essid=Home",
    "aruba's form": '<input name="mac" value="{run}">',
    "cisco's dots": "client {dots}",
    "huawei": "http://portal.example/?umac={fours}&apmac={fours}",
    "wifidog": "http://portal.example/login/?gw_id={run}&mac={colons}",
    "radius": "Calling-Station-Id: {run}, Called-Station-Id={run}",
    "JSON": '{{"client_mac":"{run}","bssid": "{run}"}}',
    "a name": "http://{dashed}.guest.isp.example/",
}


@example("3a:00:00:00:00:00", "upper case", "id={}&t=1")  # its start reads like an escape
@given(
    st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":")),
    st.sampled_from(sorted(DEVICE_WRITINGS)),
    st.sampled_from(["{}", "id={}&t=1", "client {}, hello", "mac:{}", "<b>{}</b>", "{}."]),
)
def test_no_address_of_a_device_stays(mac: str, writing: str, text: str) -> None:
    """Attack: a captive portal names the machine or the access point, whose place can be looked
    up."""
    written = DEVICE_WRITINGS[writing](mac)
    scrubbed = Scrubber([]).text(text.format(written))
    assert written not in scrubbed
    assert PLACEHOLDER in scrubbed


@pytest.mark.parametrize("text", PORTALS.values(), ids=PORTALS)
def test_no_portal_names_a_device(text: str) -> None:
    """In a redirect, a header or a form, as the usual portals write it."""
    mac = "a4:5e:60:c2:34:f6"
    run = mac.replace(":", "")
    dots = ".".join(re.findall("....", run))
    written = text.format(
        colons=mac,
        percent=quote(mac.upper(), safe=""),
        dashes=mac.upper().replace(":", "-"),
        dashed=mac.replace(":", "-"),
        run=run,
        dots=dots,
        fours=dots.replace(".", "-"),
    )
    scrubbed = Scrubber(["10.0.0.5"]).text(written)
    assert scrubbed.count(PLACEHOLDER) == text.count("{") - 2 * text.count("{{")
    assert "34" not in shown(scrubbed).text
    assert Scrubber([]).finds(written)
    for beside in ("1", "[.]", "dot 7", "%2E", "&#4", "=", "a" * 60, "<b", "٣", "\n9f"):
        assert Scrubber([]).finds(beside, written, beside)


@pytest.mark.parametrize(
    "text",
    [
        "12:34:56 and 2024-02-17T12:34:56Z",
        "2024-02-17-10-20-30-40",
        "AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01",
        ":".join(["a4"] * 32),
        "-".join(["a4"] * 20),
        "serial 01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef",
        "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "id=a45e60c234f6",
        "sitemap=a45e60c234f60123",
        "main.js?v=a45e60c234f6",
        "call 0300-1234-5678",
        "face.feed.deaf",
        "1.2345.6789.0123.4567",
    ],
)
def test_what_is_no_address_of_a_device_stays(text: str) -> None:
    """Times, digests, serial numbers of certificates, UUIDs and numbers of telephones."""
    assert Scrubber([]).text(text) == text


@pytest.mark.parametrize(
    "address", ["2001:db8:a4:5e:60:c2:34:f6", "2001:db8::a4:5e:60:c2:34", "2001::a4:5e:60:c2:34:f6"]
)
def test_an_address_like_that_of_a_device_is_whole(address: str) -> None:
    """A tested IPv6 address stays, though its groups look like the pairs of a device's."""
    assert Scrubber([], [address]).text(f"at {address}, there") == f"at {address}, there"


HOSTILE = {
    "pairs": "a4:" * 160_000,
    "fours": "a45e." * 100_000,
    "keys of a device": "mac=a45e60c234f6a" * 30_000,
    "tags": "1<b>" * 120_000,
    "open tags": "1<b" * 160_000,
    "comments": "1<!--" * 100_000,
    "backslashes": "\\" * 500_000,
    "percent of percent": "%25" * 160_000,
    "zero-width": "1\u200b" * 250_000,
    "arrays": "[1,2," * 100_000,
    "digits": "1" * 500_000,
    "hexadecimal names": "0a1b2c3d." * 50_000,
    "ampersands": "&amp;" * 100_000,
    "spaces and dots": "1 . " * 120_000,
    "parameters": "ip=" * 160_000,
    "letters before a parameter": "a" * 500_000,
    "octets of ours, near each other": "1." * 250_000,
    "base64 that decodes to base64": "TVRr" * 120_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_page_keeps_the_scrubber_busy(text: str) -> None:
    """Attack: a page made to slow down the search. Its cost grows with its length alone."""
    scrubber = Scrubber(["198.51.100.7", "1.1.1.2", "2001:db8:7::7"], ["203.0.113.10"])
    started = time.process_time()
    scrubber.text(text)
    assert time.process_time() - started < 6.0


@given(
    st.lists(st.sampled_from(["12", "1", "0", "100"]), min_size=4, max_size=4),
    st.lists(st.sampled_from(["", "0", "00", "000"]), min_size=4, max_size=4),
    st.lists(st.text('ab "=<>;,0112', max_size=18), min_size=3, max_size=3),
    st.text("12 0", max_size=20),
)
def test_octets_that_members_hold_one_by_one_go(
    octets: list[str], zeros: list[str], between: list[str], before: str
) -> None:
    """Whatever else stands there, such as numbers that could be octets as well."""
    numbers = [padding + octet for padding, octet in zip(zeros, octets, strict=True)]
    gaps = [f" {words} " for words in between]
    written = "".join(number + gap for number, gap in zip(numbers, [*gaps, ""], strict=True))
    scrubbed = Scrubber([".".join(octets)]).text(f"{before} {written}.")
    assert scrubbed.endswith(f"{PLACEHOLDER}.")
