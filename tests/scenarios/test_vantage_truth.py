"""The truth about vantage and control: wrong clocks, one family only, refusals, a CONNECT proxy."""

import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.config.catalog import shipped_catalog
from probes.catalog.catalog import ReferenceScope
from tests.lab import hosts
from tests.lab.addresses import OPEN_RESOLVERS
from tests.lab.hosts import DOMESTIC, LabHost, Page
from tests.lab.lab import Lab
from tests.lab.network import LabNetwork
from tests.scenarios.story import once, seen, write_config
from tests.worlds.mmdb import asn, country, write_mmdb

pytestmark = pytest.mark.lab

UPLINK = ("captive.apple.com", "detectportal.firefox.com", "connectivitycheck.gstatic.com")
POPULAR = tuple(
    one.endpoint.host for one in shipped_catalog().references if one.scope is ReferenceScope.POPULAR
)
OVER_TLS = ("www.cloudflare.com", "www.gstatic.com", *POPULAR, *DOMESTIC["PK"])
PLATFORM = tuple(
    sorted(
        {
            endpoint.host
            for platform in shipped_catalog().platforms
            if platform.name == "x"
            for function in platform.functions
            for endpoint in function.endpoints
        }
    )
)
ECHO = "echo.example.org"
VPN_EXIT = "203.0.113.1"
"""The client's address on the link that no censor stands on."""
YEAR = 365 * 86400.0
LAB = Path(__file__).parents[1] / "lab"
PROXY = LAB / "connect_proxy.py"
STUB = LAB / "stub_resolver.py"


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    """Two networks of one country and a control."""
    networks = [LabNetwork("ptcl", 17557, "PK"), LabNetwork("jazz", 45669, "PK")]
    with Lab(networks, controls=1, more_hosts=[LabHost(name=ECHO)]) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """As new for each story."""
    yield running
    running.reset()


def test_a_wrong_clock_accuses_nobody(lab: Lab) -> None:
    """A year off, every certificate looks expired and every server says another date."""
    for host in (*OVER_TLS, *PLATFORM):
        lab.internet.certificate(host, "expired")
    for host in UPLINK:
        lab.internet.clock(host, YEAR)
    story = once(lab, platforms=["x"])
    for network in ("ptcl", "jazz"):
        vantage = story.vantage(network)
        assert (vantage["state"], vantage["rule_id"]) == ("unknown", "vantage.clock_skew")
        assert story.endpoint(network, "https://x.com/")["rule_id"] == "vantage.clock_skew"
    assert not story.accusations()


def test_expired_references_and_a_right_clock_are_no_clock_skew(lab: Lab) -> None:
    """The same failures, while servers agree with our clock: then it is not the clock."""
    for host in OVER_TLS:
        lab.internet.certificate(host, "expired")
    story = once(lab, platforms=["x"])
    assert story.vantage("ptcl")["rule_id"] == "vantage.no_tls"
    assert not story.accusations()


def test_an_ipv6_only_vantage_judges_what_has_ipv6(lab: Lab) -> None:
    """Without IPv4 it is well; what has IPv4 addresses alone cannot be judged from there."""
    network = lab.network("ptcl")
    network.unroute(4)
    told: set[str] = set()
    # Of the data centres two are drawn, and now and then both have IPv6.
    for _ in range(8):
        story = once(lab, platforms=["x", "telegram"], resolver=network.plan.resolver6)
        assert story.vantage("ptcl")["state"] == "ok"
        assert story.platform("ptcl", "x")["state"] == "ok"
        assert not story.accusations()
        lines = [
            line for line in story.lines if line["kind"] == "endpoint" and line["vantage"] == "ptcl"
        ]
        told |= {line["rule_id"] for line in lines if line["endpoint"].startswith("tcp://149.154.")}
        if told:
            break
    assert told == {"vantage.family_missing"}


def test_a_control_refused_by_the_platform_itself_still_reached_it(lab: Lab) -> None:
    """A datacentre is turned away over verified TLS: that is an answer, and the block is one."""
    statuses = {"x.com": 403, "t.co": 429}
    for host, status in statuses.items():
        page = Page(status=status, headers={"server": "cloudflare"}, body="Just a moment...")
        lab.internet.page(host, page, to="controls")
    with lab.network("ptcl").block(sni=list(statuses), how="reset"):
        story = once(lab, platforms=["x"])
    for host in statuses:
        verdict = story.endpoint("ptcl", f"https://{host}/")
        assert (verdict["state"], verdict["rule_id"]) == ("blocked", "tls.reset")
        assert verdict["evidence"] in ("strong", "conclusive")
    assert story.states("jazz") == {"x": "ok"}


def test_a_control_that_is_led_astray_itself_calls_nothing_down(lab: Lab) -> None:
    """It asks a resolver that denies the platform, as in an office or in another country that does
    so: what is blocked here was called down."""
    names = ["x.com", "t.co"]
    for name in names:
        lab.internet.lie(name, "nxdomain", resolver=OPEN_RESOLVERS[1])
    with lab.network("ptcl").block(dns=names, how="nxdomain"):
        story = once(lab, platforms=["x"], control_resolver=OPEN_RESOLVERS[1])
    for name in names:
        verdict = story.endpoint("ptcl", f"https://{name}/")
        assert (verdict["state"], verdict["rule_id"]) == ("insufficient", "control.dead")
    assert story.states("jazz") == {"x": "ok"}


def test_a_vantage_behind_a_connect_proxy(lab: Lab) -> None:
    """TLS is seen end to end through HTTP CONNECT, TCP and DNS are not; a block shows as one, and
    what is not blocked is reached."""
    proxy = lab.popen(["python", str(PROXY)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert proxy.stdout is not None
    port = int(proxy.stdout.readline())
    config = write_config(lab, platforms=["x"])
    text = config.read_text()
    extra = f'[[vantage]]\nid = "behind"\ncountry = "PK"\negress = "connect://127.0.0.1:{port}"\n\n'
    config.write_text(text.replace("[references]", f"{extra}[references]"))
    lab.network("ptcl").block(sni=["x.com"], how="reset")
    done = lab.run(["shutwatch", "once", "--config", str(config), "--json"])
    proxy.kill()
    asked = set(proxy.stdout.read().split())
    story = seen(done)
    assert story.vantage("behind")["state"] == "ok"
    assert "x.com:443" in asked
    assert len(asked & {f"{host}:443" for host in OVER_TLS}) >= 3
    verdict = story.endpoint("behind", "https://t.co/")
    assert (verdict["state"], verdict["rule_id"]) == ("ok", "endpoint.reached")
    verdict = story.endpoint("behind", "https://x.com/")
    # A proxy hands a reset on as the end of the stream.
    assert (verdict["state"], verdict["rule_id"]) == ("blocked", "tls.eof")
    assert verdict["failures"] == {"tls": "eof_error"}


def test_a_stub_resolver_is_said_to_hide_forged_answers(lab: Lab) -> None:
    """The forged answer comes first and the stub passes on that alone: no injection can be seen,
    which the vantage's line and a note for people say."""
    network = lab.network("ptcl")
    stub = lab.popen(
        ["python", str(STUB), "127.0.0.53", network.resolver],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert stub.stdout is not None
    assert stub.stdout.readline() == "ready\n"
    with network.block(dns=["x.com"], how="inject") as rule:
        story = once(lab, platforms=["x"], resolver="127.0.0.53")
        assert rule.hits
    stub.kill()
    assert story.vantage("ptcl")["stub_resolver"] is True
    assert story.vantage("control-1")["stub_resolver"] is False
    assert "ptcl: its resolver is a forwarder on its own machine" in story.errors
    assert story.endpoint("ptcl", "https://x.com/")["rule_id"] != "dns.injection"


def test_the_clock_and_the_resolver_are_in_the_line_of_a_healthy_vantage(lab: Lab) -> None:
    """What was seen is told even where nothing is wrong; then there is no note."""
    story = once(lab, platforms=["x"])
    line = story.vantage("ptcl")
    assert abs(line["clock_skew"]) < 3
    assert (line["stub_resolver"], line["nat64"]) == (False, [])
    assert (line["exit_country"], line["exit_asn"]) == ("", 0)
    assert "ptcl:" not in story.errors


def exit_check(lab: Lab, *, echo: bool = True) -> str:
    """`[vantage_check]` with a file that knows the lab: its networks, controls, and a VPN's end."""
    places: dict[str, dict[str, Any]] = {"203.0.113.0/24": {**country("DE"), **asn(64496)}}
    for name in ("ptcl", "jazz"):
        network = lab.network(name)
        here = {**country("PK"), **asn(network.spec.asn)}
        places |= {f"{network.source}/32": here, f"{network.source6}/128": here}
        page = Page(body=f"{network.source}\n")
        lab.internet.page(ECHO, page, to=[network.source])
        lab.internet.page(ECHO, Page(body=f"{network.source6}\n"), to=[network.source6])
    for control in (VPN_EXIT, "203.0.113.11"):
        lab.internet.page(ECHO, Page(body=f'{{"ip": "{control}"}}\n'), to=[control])
    file = write_mmdb(lab.directory / "places.mmdb", places)
    url = f'echo = ["https://{ECHO}/"]\n' if echo else ""
    return f'[vantage_check]\nmmdb = ["{file}"]\n{url}'


def vpn(lab: Lab) -> None:
    """Switch on a VPN: the default route leaves by a way that no censor stands on."""
    lab.network("ptcl").unroute(6)
    way = "default via 203.0.113.254 dev mgmt0 src 203.0.113.1"
    lab.run(["ip", "route", "replace", *way.split()], check=True)


def direct_vantage(config: Path) -> None:
    """A third vantage that leaves as the machine's routes say, as one on a laptop does."""
    extra = '[[vantage]]\nid = "laptop"\ncountry = "PK"\nasn = 17557\nresolver = "192.0.2.53"\n'
    config.write_text(config.read_text().replace("[references]", f"{extra}\n[references]"))


@pytest.mark.parametrize("echo", [True, False])
def test_a_vpn_left_on_neither_accuses_nor_clears(lab: Lab, echo: bool) -> None:
    """Past the censor x.com works, which says nothing about Pakistan; the same file finds nothing
    wrong with those whose exit is at home, nor with controls. Without an echo server, the one for
    calls tells as well. Nothing that is printed shows the address."""
    platforms = ["x", "messenger"]
    config = write_config(lab, platforms=platforms, extra=exit_check(lab, echo=echo))
    direct_vantage(config)
    vpn(lab)
    with lab.network("ptcl").block(sni=["x.com"], how="reset"):
        done = lab.run(["shutwatch", "once", "--config", str(config), "--json"])
    story = seen(done)
    line = story.vantage("laptop")
    assert (line["state"], line["rule_id"]) == ("unknown", "vantage.elsewhere")
    assert (line["exit_country"], line["exit_asn"]) == ("DE", 64496)
    assert set(story.states("laptop").values()) == {"insufficient"}
    assert story.endpoint("laptop", "https://x.com/")["rule_id"] == "vantage.elsewhere"
    assert "laptop: its packets leave from Germany, not from Pakistan" in story.errors
    for name in ("ptcl", "jazz", "control-1"):
        assert (story.vantage(name)["state"], story.vantage(name)["exit_country"]) == ("ok", "")
    assert story.endpoint("ptcl", "https://x.com/")["state"] == "blocked"
    assert VPN_EXIT not in done.stdout + done.stderr
    assert lab.network("ptcl").source not in done.stdout + done.stderr


DOH = "https://dns.google/dns-query"


def test_a_resolver_over_https_sees_past_a_lying_network(lab: Lab) -> None:
    """The network's resolver says that x.com does not exist. Who asks a server of his own, by a
    proxy of either kind or directly, reaches it, and the answers carry that server's name."""
    proxy = lab.popen(["python", str(PROXY)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert proxy.stdout is not None
    port = int(proxy.stdout.readline())
    network = lab.network("ptcl")
    egresses = {
        "socks": lab.controls[0].url,
        "connect": f"connect://127.0.0.1:{port}",
        "direct": f"source:{network.source},{network.source6}",
    }
    config = write_config(lab, platforms=["x"], probe={"dns_timeout": "4s"})
    extra = "".join(
        f'[[vantage]]\nid = "{way}"\ncountry = "PK"\nresolver = "{DOH}"\negress = "{egress}"\n\n'
        for way, egress in egresses.items()
    )
    config.write_text(config.read_text().replace("[references]", f"{extra}[references]"))
    with network.block(dns=["x.com"], how="nxdomain"):
        story = seen(lab.run(["shutwatch", "once", "--config", str(config), "--json"]))
        command = ["shutwatch", "probe", "https://x.com/", "--config", str(config), "--json"]
        probes = {way: lab.run([*command, "--vantage", way]) for way in egresses}
    proxy.kill()
    assert story.endpoint("ptcl", "https://x.com/")["rule_id"] == "dns.nxdomain"
    for way, done in probes.items():
        assert story.endpoint(way, "https://x.com/")["rule_id"] == "endpoint.reached"
        assert story.vantage(way)["rule_id"] == "vantage.ok"
        (measurement,) = [msgspec.json.decode(line) for line in done.stdout.splitlines()]
        names = [one for one in measurement["observations"] if one["layer"] == "dns"]
        label = DOH if way == "direct" else f"{DOH} through proxy"
        assert {(one["name"], one["resolver"], one["transport"]) for one in names} == {
            ("x.com", label, "doh")
        }


def test_a_network_that_blocks_the_resolver_over_https_is_not_called_a_censor_of_platforms(
    lab: Lab,
) -> None:
    """No name resolves then, so nothing can be said about any platform."""
    config = write_config(lab, platforms=["x"], resolver=DOH, probe={"dns_timeout": "4s"})
    with lab.network("ptcl").block(sni=["dns.google"], how="reset") as rule:
        story = seen(lab.run(["shutwatch", "once", "--config", str(config), "--json"]))
        assert rule.hits
    assert set(story.states("ptcl").values()) == {"insufficient"}
    assert story.states("jazz") == {"x": "ok"}
    assert not story.accusations()


LOCAL_NAT64 = "64:ff9b:1:fffe::"
"""A prefix for local use (RFC 8215), which cannot be known but by asking."""


def made_up(address: str) -> str:
    """What DNS64 makes of an IPv4 address, written another way than the monitor does."""
    return str(ip_address(f"{LOCAL_NAT64}{address}"))


@pytest.mark.parametrize("lying", [False, True])
def test_an_ipv6_only_network_with_nat64_is_no_liar(lying: bool) -> None:
    """What has IPv4 alone is reached behind the network's prefix, by name and by address; nothing
    is called a bogon for the prefix's sake, and a private address in it still is one."""
    x4 = "198.18.200.1"
    site = next(host for host in hosts.ALL if host.name == "x.com")
    by_address = [host for host in hosts.ALL if host.name.startswith("telegram-")]
    translated = [
        msgspec.structs.replace(site, literal=(x4, made_up(x4))),
        *(
            msgspec.structs.replace(
                host,
                literal=(
                    *host.literal,
                    *(made_up(one) for one in host.literal if ":" not in one),
                ),
            )
            for host in by_address
        ),
        LabHost(name="ipv4only.arpa", literal=("192.0.0.170", made_up("192.0.0.170")), ports=()),
    ]
    networks = [LabNetwork("ptcl", 17557, "PK"), LabNetwork("jazz", 45669, "PK")]
    with Lab(networks, controls=1, more_hosts=translated) as lab:
        network = lab.network("ptcl")
        network.unroute(4)
        if lying:
            lies = ["10.10.34.36", made_up("10.10.34.36")]
            network.block(dns=["x.com"], how="bogon", answer=lies, resolver="any")
        story = once(lab, platforms=["x", "telegram"], resolver=network.plan.resolver6)
    line = story.vantage("ptcl")
    assert (line["state"], line["nat64"]) == ("ok", [f"{LOCAL_NAT64}/96"])
    assert "ptcl: its network has IPv6 only and translates it to IPv4 (NAT64)" in story.errors
    reached = [one for one in story.lines if one["kind"] == "endpoint" and one["vantage"] == "ptcl"]
    literal = [one for one in reached if one["endpoint"].startswith("tcp://")]
    assert literal
    assert {one["rule_id"] for one in literal} == {"endpoint.reached"}
    verdict = story.endpoint("ptcl", "https://x.com/")
    assert verdict["rule_id"] == ("dns.bogon" if lying else "endpoint.reached")
    if not lying:
        assert not story.accusations()
