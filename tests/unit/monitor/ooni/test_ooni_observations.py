"""Reading OONI's files: tolerant of every engine, exact about what is wrong, and discreet."""

import base64
import copy
import random
from typing import Any

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog
from monitor.judging.from_ooni import judge_imported
from monitor.ooni.convert import convert
from monitor.ooni.failures import failure_of, implied_layer
from monitor.ooni.ooni_format import Flag, OoniError, UnsupportedTestError, decode
from probes.failure_strings import Failure
from probes.layers.scrub import Scrubber
from probes.measurement import HttpObservation, Layer
from tests.worlds.ooni_reports import (
    PERSON,
    V4,
    V6,
    Entry,
    connect,
    control,
    handshake,
    imported,
    judged,
    query,
    report,
    request,
    web,
)

TELEGRAM = report("telegram", tcp_connect=[connect("149.154.167.51")])


def _text(entry: Any) -> bytes:
    return msgspec.json.encode(entry)


# -- what is accepted --------------------------------------------------------------------------


def test_every_wrapping_gives_the_same_measurement() -> None:
    """Bare, as the explorer wraps it, and as text inside the API's answer."""
    bare, flag = decode(_text(TELEGRAM))
    assert flag is None
    explorer, flag = decode(_text({"anomaly": True, "confirmed": False, "measurement": TELEGRAM}))
    assert flag == Flag(anomaly=True, confirmed=False)
    api, flag = decode(_text({"anomaly": False, "raw_measurement": _text(TELEGRAM).decode()}))
    assert flag == Flag(anomaly=False, confirmed=False)
    assert bare == explorer == api


def test_unknown_fields_are_ignored_and_missing_ones_empty() -> None:
    """A field of next year's engine changes nothing, an absent list is an empty one."""
    future = copy.deepcopy(TELEGRAM) | {"new_field": [1, {"x": None}]}
    future["test_keys"] |= {"x_new": {"a": 1}}
    assert imported(future) == imported(TELEGRAM)
    assert not imported(report("telegram")).measurements


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_keys": None}, "field test_keys: Expected `object`, got `null`"),
        ({"test_keys": {"queries": [{"hostname": 7}]}}, "field test_keys.queries[0].hostname: "),
        ({"measurement_start_time": "yesterday"}, "field measurement_start_time: 'yesterday'"),
        (
            {"measurement_start_time": "0001-01-01T00:00:00+05:00"},
            "field measurement_start_time: '0001-01-01T00:00:00+05:00'",
        ),
        ({"probe_asn": "somebody"}, "field probe_asn: 'somebody' is no AS number"),
        ({"probe_cc": "Kenya"}, "field probe_cc: 'KENYA'"),
        ({"probe_cc": None}, "field probe_cc: Expected `str`, got `null`"),
    ],
)
def test_what_is_wrong_is_named_by_its_field(change: Entry, message: str) -> None:
    """Whoever sees the message knows where to look."""
    with pytest.raises(OoniError) as caught:
        imported(TELEGRAM | change)
    assert str(caught.value).upper().startswith(message.upper())


@pytest.mark.parametrize(
    "url", [None, "", "x.com", "ftp://x.com/", "https://", "https://me:pw@x.com/", "dns:x.com"]
)
def test_input_that_is_no_web_address_is_named(url: str | None) -> None:
    """web_connectivity needs a URL; anything else is an error of the file's."""
    with pytest.raises(OoniError, match=r"^field input: "):
        imported(report("web_connectivity", url=url))


def test_fragment_of_a_url_is_left_out() -> None:
    """It never goes over the wire."""
    (look,) = imported(web("https://x.com/#/home", control={})).measurements
    assert look.endpoint == "https://x.com/"


def test_other_tests_are_told_from_broken_files() -> None:
    """A speed test says nothing about platforms, and is no mistake."""
    with pytest.raises(UnsupportedTestError, match="'ndt'"):
        decode(_text({"test_name": "ndt", "test_keys": "anything"}))


@pytest.mark.parametrize("text", [b"", b"nonsense", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_measurement_is_an_error_in_words(text: bytes) -> None:
    """Nothing but OoniError, whatever the bytes."""
    with pytest.raises(OoniError):
        decode(text)


# -- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", list(Failure))
def test_todays_words_stay_as_they_are(failure: Failure) -> None:
    """OONI's vocabulary is ours."""
    assert failure_of(str(failure), Scrubber(())) == failure


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (None, None),
        (False, None),
        ("", None),
        ("response_never_received", "eof_error"),
        ("connection_refused_error", "connection_refused"),
        ("deferred_timeout_error", "generic_timeout_error"),
        ("dns_lookup_error", "dns_non_recoverable_failure"),
        ("android_dns_cache_no_data", "dns_non_recoverable_failure"),
        ("unknown_error", "unknown_failure: unknown_error"),
        ("unknown_failure: invalid_socket", "unknown_failure: invalid_socket"),
        (True, "unknown_failure: no words given"),
    ],
)
def test_old_words_claim_no_more_than_they_did(text: str | bool | None, meant: str | None) -> None:
    """Each becomes the one that says as much; the rest is unknown, with its words."""
    assert failure_of(text, Scrubber(())) == meant


def test_unknown_failure_keeps_no_address() -> None:
    """Go's errors name both ends of a connection."""
    text = f"unknown_failure: read tcp {PERSON}:40312->198.51.100.9:443: splice"
    failure = failure_of(text, Scrubber(()))
    assert failure is not None
    assert PERSON not in failure
    assert failure.startswith("unknown_failure: read tcp ")


@pytest.mark.parametrize(
    ("failure", "layer"),
    [
        ("dns_servfail_error", Layer.DNS),
        ("connection_refused", Layer.TCP),
        ("host_unreachable", Layer.TCP),
        ("ssl_failed_handshake", Layer.TLS),
        ("connection_reset", Layer.HTTP),
        ("generic_timeout_error", Layer.HTTP),
        ("unknown_failure: ssl", Layer.HTTP),
    ],
)
def test_layer_is_named_only_where_the_failure_tells(failure: str, layer: Layer) -> None:
    """A reset or a timeout happens on any layer, so it stays with the request."""
    assert implied_layer(failure) is layer


# -- nobody's address --------------------------------------------------------------------------


def _telling(probe_ip: str = "127.0.0.1") -> Entry:
    page = f"<title>Blocked for {PERSON}</title>Your address {PERSON} has been noted."
    return web(
        "http://example.com/",
        queries=[query("example.com", V4)],
        tcp_connect=[connect(V4, 80)],
        requests=[
            request(
                "http://example.com/",
                body=page,
                headers=[
                    ["X-Client-IP", PERSON],
                    ["Set-Cookie", "id=secret"],
                    ["Location", f"http://{V4}/?from={PERSON}"],
                ],
            )
        ],
        control=control(V4, title=f"Hello {PERSON}"),
    ) | {"probe_ip": probe_ip}


@pytest.mark.parametrize("probe_ip", ["127.0.0.1", PERSON, "", "nonsense"])
def test_address_of_the_person_is_nowhere(probe_ip: str) -> None:
    """Whether OONI wrote it down or only a page, a header or a redirect said it."""
    stored = msgspec.json.encode(judged(_telling(probe_ip))).decode()
    assert PERSON not in stored
    assert "secret" not in stored
    assert "203.99.163.240" not in stored, "the resolver may be the person's own"


def test_address_of_the_person_in_binary_bodies_is_nowhere() -> None:
    """A page that is no UTF-8 comes in base64."""
    entry = _telling()
    body = b"\xe9 your address: " + PERSON.encode()
    entry["test_keys"]["requests"][0]["response"]["body"] = {
        "format": "base64",
        "data": base64.b64encode(body).decode(),
    }
    (look,) = imported(entry).measurements
    (page,) = (o for o in look.observations if isinstance(o, HttpObservation))
    assert (page.body_length, PERSON in page.body) == (len(body), False)
    assert "your address" in page.body


def test_probe_led_back_to_itself_keeps_the_fact_and_not_the_address() -> None:
    """A resolver that answers with the asker's own address is seen to, without naming it."""
    entry = web(
        "https://x.com/", queries=[query("x.com", PERSON)], tcp_connect=[connect(PERSON)]
    ) | {"probe_ip": PERSON}
    stored = msgspec.json.encode(judged(entry)).decode()
    assert PERSON not in stored
    assert "0.0.0.0" in stored


def test_addresses_the_test_dealt_with_stay() -> None:
    """They are the evidence: where the name led, where the redirect went."""
    (look,) = imported(_telling()).measurements
    (page,) = (o for o in look.observations if isinstance(o, HttpObservation))
    assert page.location.startswith(f"http://{V4}/?from=")


# -- ids ---------------------------------------------------------------------------------------


def test_ids_are_version_7_of_the_moment_and_differ() -> None:
    """They sort by time as live ones do, and two measurements never share one."""
    one, other = imported(TELEGRAM), imported(TELEGRAM | {"report_id": "another"})
    milliseconds = int(one.started_at.timestamp() * 1000)
    assert one.id.replace("-", "")[:12] == f"{milliseconds:012x}"
    assert one.id[14] == "7"
    assert one.id[19] in "89ab"
    assert one.id != other.id


def test_ids_are_the_same_wherever_the_file_came_from() -> None:
    """Only some sources add `measurement_uid`, and engines do not vary `id`."""
    explorer = imported(TELEGRAM | {"measurement_uid": "20240217120000.1_PK_telegram_0", "id": "x"})
    assert explorer.id == imported(TELEGRAM).id
    assert explorer.uid == "20240217120000.1_PK_telegram_0"


def test_inputs_of_one_report_differ() -> None:
    """web_connectivity tests a whole list of sites within one report."""
    one, other = (imported(web(f"https://{host}/", control={})) for host in ("x.com", "t.me"))
    assert one.id != other.id
    assert one.measurements[0].id != other.measurements[0].id


# -- any file ----------------------------------------------------------------------------------


def _full() -> Entry:
    return web(
        "https://x.com/",
        queries=[query("x.com", V4), query("x.com", V6, kind="AAAA")],
        tcp_connect=[connect(V4), connect(V6, failure="connection_reset")],
        tls_handshakes=[handshake("x.com", V4)],
        requests=[
            request("https://x.com/home", ip=V4),
            request("https://x.com/", 301, headers=[["Location", "/home"]], ip=V4),
        ],
        control=control(V4, V6),
    )


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found: list[tuple[Any, Any]] = []
    for key, inner in list(pairs):
        found.append((value, key))
        if isinstance(inner, dict | list):
            found += _places(inner)
    return found


_STRANGE: tuple[Any, ...] = (
    None,
    "",
    "::",
    "http://[",
    "[::]:x",
    -1,
    2**70,
    1e300,
    True,
    [],
    {},
    [[]],
    "\udc80é",
)


@pytest.mark.parametrize("seed", range(400))
def test_no_file_makes_it_fail_without_words(seed: int) -> None:
    """Whatever stands in a field, there is a verdict or an error that says what is wrong."""
    rng = random.Random(seed)
    entry = _full()
    if rng.random() < 0.5:
        entry["test_name"] = rng.choice(["telegram", "whatsapp", "facebook_messenger", "signal"])
    for _ in range(rng.randint(1, 4)):
        container, key = rng.choice(_places(entry))
        if isinstance(container, list) and rng.random() < 0.3:
            container.insert(0, copy.deepcopy(container[key]))
        elif isinstance(container, dict) and rng.random() < 0.3:
            del container[key]
        else:
            container[key] = rng.choice(_STRANGE)
    try:
        text = msgspec.json.encode(entry)
    except (OverflowError, UnicodeEncodeError):
        text = repr(entry).encode("utf-8", "replace")
    assert _outcome(text)


def _outcome(text: bytes) -> str:
    """The cycle as it would be stored, or the words of the error; anything else is raised."""
    try:
        wire, flag = decode(text)
        cycle = judge_imported(convert(wire, flag, shipped_catalog()))
    except OoniError as error:
        return str(error)
    assert all(look.duration < 100_000 for look in cycle.measurements)
    return msgspec.json.encode(cycle).decode()
