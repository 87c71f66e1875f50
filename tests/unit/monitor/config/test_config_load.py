"""Configurations that are right: what they turn into."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from monitor.analysis.events.settings import EventSettings
from monitor.config.load import (
    CONFIG_VARIABLE,
    default_settings,
    find_config,
    load_config,
)
from monitor.config.settings import Settings
from monitor.config.toml_problem import ConfigError
from monitor.logs import LogSettings
from probes.catalog.catalog import ReferenceScope
from probes.settings import ProbeSettings
from probes.vantage import Egress, EgressKind, Resolver, VantagePoint, VantageRole

VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'

EVERYTHING = """
interval = "90s"
jitter = "2s"
database = "sqlite:////var/lib/shutwatch/data.db"
listen = "[::1]:9000"
public_url = "https://watch.example.org/shutwatch/"
runbooks_url = "https://wiki.example.org/runbooks/"

[probe]
dns_timeout = "1s"
tcp_timeout = "2s"
tls_timeout = "3s"
http_timeout = "1m30s"
rate = 5
concurrency = 6
dns_window = "250ms"
retries = 0
retry_pause = "0.5s"
max_addresses = 1
body_limit = 2048
suspicious_body_limit = 4096
trust_anchors = ["ca.pem"]
bogon_allow = ["198.18.0.0/15", "2001:db8::/32"]
open_resolvers = ["2620:FE::FE"]
user_agent = "ours/1"

[events]
false_suspected = 0.5
false_confirmed = 0.01
false_ends = 3
reopen_within = "24h"
forget_after = "7d"
fast_lane = "20s"
agreement = 2
shares.PK = { 17557 = 0.3, 45669 = 0.25 }

[log]
level = "debug"
format = "json"

[[vantage]]
id = "khi-ptcl"
country = "PK"
asn = 4294967295
network = "PTCL"
role = "field"
egress = "socks5://user:p%40ss@[2001:db8::1]:1081"
resolver = "[2001:db8::53]:5353"

[[vantage]]
id = "control"
country = "XK"
role = "control"
egress = "connect://proxy.example.net"
resolver = "192.0.2.53"

[references]
international = ["https://www.example.org/"]
domestic.PK = ["tls://news.example.pk"]

[catalog]
platforms = ["signal", "x"]
"""


def load(folder: Path, text: str, **environ: str) -> Settings:
    """The settings of a configuration with this text."""
    path = folder / "shutwatch.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ)


def field_of(folder: Path, lines: str, **environ: str) -> VantagePoint:
    """The one vantage of a configuration, with more lines in its table."""
    return load(folder, VANTAGE + lines, **environ).vantages[0]


@pytest.fixture
def everything(tmp_path: Path, authority: bytes) -> Settings:
    """A configuration that gives every setting."""
    (tmp_path / "ca.pem").write_bytes(authority)
    return load(tmp_path, EVERYTHING)


@pytest.fixture(scope="module")
def authority() -> bytes:
    """The certificate of an authority, as PEM."""
    return trustme.CA().cert_pem.bytes()


@pytest.mark.parametrize(
    ("settings", "runbooks"),
    [
        ({}, "http://127.0.0.1:10100/runbooks"),
        ({"listen_host": "::1", "listen_port": 9000}, "http://[::1]:9000/runbooks"),
        ({"listen_host": "0.0.0.0"}, "http://127.0.0.1:10100/runbooks"),
        ({"public_url": "https://watch.example.org/a"}, "https://watch.example.org/a/runbooks"),
        (
            {"public_url": "https://watch.example.org", "runbooks_url": "https://wiki.example.org"},
            "https://wiki.example.org",
        ),
    ],
)
def test_runbooks_are_where_people_reach_them(settings: dict[str, Any], runbooks: str) -> None:
    """At their own address, else at the page's, else where the process listens."""
    assert msgspec.structs.replace(default_settings(), **settings).runbooks_at == runbooks


def test_every_setting_arrives(everything: Settings, tmp_path: Path) -> None:
    """Each key of the file becomes the field of the same name, times in seconds."""
    assert (everything.interval, everything.jitter) == (90.0, 2.0)
    assert everything.database == "sqlite:////var/lib/shutwatch/data.db"
    assert (everything.listen_host, everything.listen_port) == ("::1", 9000)
    assert everything.public_url == "https://watch.example.org/shutwatch"
    assert everything.runbooks_url == "https://wiki.example.org/runbooks"
    assert everything.probe == ProbeSettings(
        dns_timeout=1.0,
        tcp_timeout=2.0,
        tls_timeout=3.0,
        http_timeout=90.0,
        rate=5,
        concurrency=6,
        dns_window=0.25,
        retries=0,
        retry_pause=0.5,
        max_addresses=1,
        body_limit=2048,
        suspicious_body_limit=4096,
        trust_anchors=(str(tmp_path / "ca.pem"),),
        bogon_allow=("198.18.0.0/15", "2001:db8::/32"),
        open_resolvers=("2620:fe::fe",),
        user_agent="ours/1",
    )
    assert everything.events == EventSettings(
        false_suspected=0.5,
        false_confirmed=0.01,
        false_ends=3.0,
        reopen_within=86400.0,
        forget_after=7 * 86400.0,
        fast_lane=20.0,
        agreement=2,
        shares={"PK": {17557: 0.3, 45669: 0.25}},
        interval=everything.interval,
    )
    assert everything.events.detector.base_interval == max(300.0, everything.interval)
    assert everything.log == LogSettings(level="debug", format="json")
    assert everything.source == str(tmp_path / "shutwatch.toml")


def test_every_part_of_a_vantage_arrives(everything: Settings) -> None:
    """Function, egress and resolver become values, defaults fill what is left out."""
    assert everything.vantages == (
        VantagePoint(
            id="khi-ptcl",
            country="PK",
            asn=2**32 - 1,
            network="PTCL",
            role=VantageRole.FIELD,
            egress=Egress(
                kind=EgressKind.SOCKS5,
                proxy_host="2001:db8::1",
                proxy_port=1081,
                username="user",
                password="p@ss",  # noqa: S106 - a made-up one
            ),
            resolver=Resolver(address="2001:db8::53", port=5353),
        ),
        VantagePoint(
            id="control",
            country="XK",
            role=VantageRole.CONTROL,
            egress=Egress(kind=EgressKind.CONNECT, proxy_host="proxy.example.net", proxy_port=3128),
            resolver=Resolver(address="192.0.2.53", port=53),
        ),
    )
    assert type(everything.vantages[0].role) is VantageRole


def test_only_the_platforms_named_are_watched(everything: Settings) -> None:
    """Naming a platform watches it even when it is not watched by default."""
    assert [platform.name for platform in everything.catalog.platforms] == ["x", "signal"]


def test_references_given_replace_those_of_their_kind(everything: Settings) -> None:
    """Scopes that are not given keep what is shipped; other countries' lists are left out."""
    by_scope: dict[str, list[str]] = {}
    for one in everything.catalog.references:
        by_scope.setdefault(f"{one.scope} {one.country}".strip(), []).append(one.endpoint.id)
    assert by_scope["international"] == ["https://www.example.org/"]
    assert by_scope["domestic PK"] == ["tls://news.example.pk:443"]
    assert len(by_scope["uplink"]) == 3
    assert set(by_scope) == {"uplink", "international", "popular", "address", "domestic PK", "udp"}


def test_a_short_file_leaves_every_default(tmp_path: Path) -> None:
    """What is left out is what the settings say it is."""
    settings = load(tmp_path, VANTAGE)
    built_in = default_settings()
    for name in ("interval", "jitter", "database", "listen_host", "listen_port"):
        assert getattr(settings, name) == getattr(built_in, name)
    assert settings.probe == ProbeSettings()
    assert settings.events == EventSettings()
    assert settings.log == LogSettings()
    assert settings.catalog.platforms == built_in.catalog.platforms


def test_without_a_file_this_machine_watches_what_is_shipped() -> None:
    """One field vantage of no country, the way the machine goes, signal not watched."""
    settings = default_settings()
    assert settings.vantages == (VantagePoint(id="local", country="ZZ"),)
    assert settings.source == ""
    names = {platform.name for platform in settings.catalog.platforms}
    assert {"x", "whatsapp", "telegram"} <= names
    assert "signal" not in names
    scopes = {reference.scope for reference in settings.catalog.references}
    assert scopes == set(ReferenceScope) - {ReferenceScope.DOMESTIC}


def test_the_option_wins_over_the_environment() -> None:
    """--config, then SHUTWATCH_CONFIG, then nothing; an empty variable is nothing."""
    environ = {CONFIG_VARIABLE: "from-environment.toml"}
    assert find_config(Path("given.toml"), environ) == Path("given.toml")
    assert find_config(None, environ) == Path("from-environment.toml")
    assert find_config(None, {CONFIG_VARIABLE: ""}) is None
    assert find_config(None, {}) is None


def test_files_are_sought_from_the_folder_of_the_configuration(
    tmp_path: Path, authority: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not matter where shutwatch is started."""
    (tmp_path / "ca.pem").write_bytes(authority)
    (tmp_path / "mine.toml").write_text(
        '[platform.news.function.web]\ncore = true\nendpoints = ["https://news.example/"]\n'
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    text = f'[probe]\ntrust_anchors = ["ca.pem"]\n{VANTAGE}[catalog]\nfile = "mine.toml"\n'
    settings = load(tmp_path, text)
    assert settings.probe.trust_anchors == (str(tmp_path / "ca.pem"),)
    assert settings.catalog.platforms[-1].name == "news"


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1s", 1.0),
        ("1500ms", 1.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        ("2 m", 120.0),
        ("1d", 86400.0),
    ],
)
def test_times_have_units(written: str, seconds: float, tmp_path: Path) -> None:
    """Each unit means what it does everywhere else."""
    assert load(tmp_path, f'interval = "{written}"\n{VANTAGE}').interval == seconds


def proxy(kind: EgressKind, host: str, port: int, user: str = "", password: str = "") -> Egress:
    """A proxied egress."""
    return Egress(kind=kind, proxy_host=host, proxy_port=port, username=user, password=password)


@pytest.mark.parametrize(
    ("written", "egress"),
    [
        ("direct", Egress()),
        ("source:198.51.100.7", Egress(kind=EgressKind.SOURCE, source="198.51.100.7")),
        ("source:2001:DB8::7", Egress(kind=EgressKind.SOURCE, source="2001:db8::7")),
        ("source:[2001:db8::7]", Egress(kind=EgressKind.SOURCE, source="2001:db8::7")),
        (
            "source:198.51.100.7, 2001:DB8::7",
            Egress(kind=EgressKind.SOURCE, source="198.51.100.7,2001:db8::7"),
        ),
        ("interface:wwan0", Egress(kind=EgressKind.INTERFACE, interface="wwan0")),
        ("interface:eth0.100", Egress(kind=EgressKind.INTERFACE, interface="eth0.100")),
        ("socks5://proxy.example.net", proxy(EgressKind.SOCKS5, "proxy.example.net", 1080)),
        ("socks5://192.0.2.1:9050/", proxy(EgressKind.SOCKS5, "192.0.2.1", 9050)),
        ("socks5://[2001:db8::1]", proxy(EgressKind.SOCKS5, "2001:db8::1", 1080)),
        ("socks5://u@h.example", proxy(EgressKind.SOCKS5, "h.example", 1080, "u")),
        ("socks5://u:p:q@h.example", proxy(EgressKind.SOCKS5, "h.example", 1080, "u", "p:q")),
        ("socks5://u:a@b@h.example", proxy(EgressKind.SOCKS5, "h.example", 1080, "u", "a@b")),
        (
            "socks5://a%3Ab:%2525@h.example",
            proxy(EgressKind.SOCKS5, "h.example", 1080, "a:b", "%25"),
        ),
        ("connect://h.example", proxy(EgressKind.CONNECT, "h.example", 3128)),
        ("connect://u:p@h.example:80", proxy(EgressKind.CONNECT, "h.example", 80, "u", "p")),
        (
            "socks5+tls://u:p@192.0.2.1:443",
            msgspec.structs.replace(
                proxy(EgressKind.SOCKS5, "192.0.2.1", 443, "u", "p"), proxy_tls=True
            ),
        ),
        (
            f"connect+tls://u:p@h.example#{64 * 'a'}",
            msgspec.structs.replace(
                proxy(EgressKind.CONNECT, "h.example", 3128, "u", "p"),
                proxy_tls=True,
                proxy_pin=64 * "a",
            ),
        ),
        (
            f"socks5+tls://u:p#q@h.example#{64 * 'a'}",
            msgspec.structs.replace(
                proxy(EgressKind.SOCKS5, "h.example", 1080, "u", "p#q"),
                proxy_tls=True,
                proxy_pin=64 * "a",
            ),
        ),
        ("socks5://bücher.example", proxy(EgressKind.SOCKS5, "xn--bcher-kva.example", 1080)),
    ],
)
def test_ways_out_are_understood(written: str, egress: Egress, tmp_path: Path) -> None:
    """Kinds, default ports, IPv6 hosts and percent-encoded credentials."""
    assert field_of(tmp_path, f'egress = "{written}"\n').egress == egress


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Direct",
        "source:",
        "source:198.51.100.7,198.51.100.8",
        "source:fe80::1%eth0",
        "interface:",
        "interface:a b",
        "interface:longer-than-15-chars",
        "socks4://h.example",
        "socks5://",
        "socks5://:1080",
        "socks5://h.example:0",
        "socks5://h.example:port",
        "socks5://::1:1080",
        "socks5://h.example/path",
        f"socks5://{'u' * 256}@h.example",
    ],
)
def test_ways_out_that_lead_nowhere_are_refused(written: str, tmp_path: Path) -> None:
    """What could not be carried out is refused before anything starts."""
    with pytest.raises(ConfigError) as caught:
        field_of(tmp_path, f'egress = "{written}"\n')
    assert [problem.key for problem in caught.value.problems] == ["vantage[1].egress"]


@pytest.mark.parametrize(
    ("written", "resolver"),
    [
        ("system", Resolver()),
        ("192.0.2.53", Resolver(address="192.0.2.53")),
        ("192.0.2.53:5353", Resolver(address="192.0.2.53", port=5353)),
        ("2001:db8::53", Resolver(address="2001:db8::53")),
        ("[2001:db8::53]", Resolver(address="2001:db8::53")),
        ("[2001:db8::53]:54", Resolver(address="2001:db8::53", port=54)),
    ],
)
def test_resolvers_are_understood(written: str, resolver: Resolver, tmp_path: Path) -> None:
    """The system's, or any address, with or without a port."""
    assert field_of(tmp_path, f'resolver = "{written}"\n').resolver == resolver


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("127.0.0.1:10100", "127.0.0.1", 10100),
        ("0.0.0.0:80", "0.0.0.0", 80),
        ("localhost:10100", "localhost", 10100),
        ("[::]:10100", "::", 10100),
        ("127.0.0.1:0", "127.0.0.1", 0),
    ],
)
def test_listen_addresses_are_understood(
    written: str, host: str, port: int, tmp_path: Path
) -> None:
    """Host and port, IPv6 in brackets, port 0 for any free one."""
    settings = load(tmp_path, f'listen = "{written}"\n{VANTAGE}[server]\npublic = true\n')
    assert (settings.listen_host, settings.listen_port) == (host, port)


def test_variables_are_replaced_anywhere_in_a_text(tmp_path: Path) -> None:
    """In any setting, more than once, beside other text."""
    settings = load(
        tmp_path,
        'interval = "${N}m"\n[references]\ninternational = ["https://${HOST}/${N}"]\n'
        '[[vantage]]\nid = "a-${N}"\ncountry = "PK"\nnetwork = "${HOST} $${N} $5"\n',
        N="7",
        HOST="www.example.org",
    )
    assert settings.interval == 420.0
    assert settings.vantages[0].id == "a-7"
    assert settings.vantages[0].network == "www.example.org ${N} $5"
    urls = [one.endpoint.id for one in settings.catalog.references]
    assert "https://www.example.org/7" in urls


@pytest.mark.parametrize("password", ["simple", "p@ss:/w#?%41", "ünï", "${X}", " "])
def test_a_password_from_the_environment_needs_no_encoding(password: str, tmp_path: Path) -> None:
    """Whatever the secret is, it arrives as it is."""
    egress = field_of(
        tmp_path, 'egress = "socks5://u:${SECRET}@h.example:1"\n', SECRET=password
    ).egress
    assert (egress.username, egress.password) == ("u", password)
    assert egress.proxy_host == "h.example"


def test_a_whole_proxy_from_the_environment_is_a_url(tmp_path: Path) -> None:
    """A variable with a whole URL is read like one in the file."""
    egress = field_of(tmp_path, 'egress = "${PROXY}"\n', PROXY="socks5://u:p%40@h.example:1").egress
    assert egress == proxy(EgressKind.SOCKS5, "h.example", 1, "u", "p@")


def test_representations_hold_no_credentials(everything: Settings) -> None:
    """Settings end up in logs and tracebacks."""
    assert "p@ss" not in repr(everything)


def test_the_same_file_gives_equal_settings(tmp_path: Path) -> None:
    """Settings are values: they compare, and survive the wire."""
    first, second = load(tmp_path, VANTAGE), load(tmp_path, VANTAGE)
    assert first == second
    # Not JSON, which has no word for "for ever".
    wire: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(first), type=Settings)
    assert wire == first


@pytest.mark.parametrize(
    ("tables", "agreement"),
    [
        ("", 1),
        ("[collector]\n", 2),
        ("[collector]\n[events]\nreopen_within = '24h'\n", 2),
        ("[collector]\n[events]\nagreement = 1\n", 1),
        ("[events]\nagreement = 3\n", 3),
    ],
)
def test_where_agents_hand_in_two_must_agree(tables: str, agreement: int, tmp_path: Path) -> None:
    """One agent alone confirms no event, unless the operator says that it may."""
    vantage = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
    assert load(tmp_path, tables + vantage).events.agreement == agreement


@pytest.mark.parametrize("before", ["", "\ufeff"], ids=["plain", "byte order mark"])
def test_a_secret_may_come_from_a_file(before: str, tmp_path: Path) -> None:
    """Without a variable NAME, the one line in the file that NAME_FILE names stands for it."""
    secret = tmp_path / "secret"
    secret.write_text(f"{before}net@work:/w#?\n")
    line = 'network = "${NAME}"\n'
    assert field_of(tmp_path, line, NAME_FILE=str(secret)).network == "net@work:/w#?"
    both = field_of(tmp_path, line, NAME_FILE=str(secret), NAME="nearer")
    assert both.network == "nearer"


@pytest.mark.parametrize("content", [None, b"", b"two\nlines\n", b"\xff"])
def test_a_secret_that_cannot_be_read_is_named(content: bytes | None, tmp_path: Path) -> None:
    """The mistake names the variable, not what was in the file."""
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(ConfigError, match="SECRET_FILE") as caught:
        load(tmp_path, 'database = "${SECRET}"\n' + VANTAGE, SECRET_FILE=str(secret))
    assert "lines" not in str(caught.value)
