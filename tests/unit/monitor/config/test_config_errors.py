"""Broken configurations: each mistake is shown with its key, line, value and remedy."""

from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.config.toml_problem import ConfigError, Problem

VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'


def problems(folder: Path, text: str, **environ: str) -> tuple[Problem, ...]:
    """Every problem of a configuration with this text."""
    path = folder / "shutwatch.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, environ)
    assert all(problem.file for problem in caught.value.problems)
    return caught.value.problems


def only(found: tuple[Problem, ...]) -> Problem:
    """The one problem there is."""
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]


BROKEN = {
    "unit missing": (
        f"interval = 300\n{VANTAGE}",
        (1, "interval", "300", '"300s" are seconds'),
    ),
    "unit unknown": (
        f'interval = "5 minutes"\n{VANTAGE}',
        (1, "interval", '"5 minutes"', 'as in "30s" or "5m"'),
    ),
    "interval too short": (
        f'interval = "10ms"\n{VANTAGE}',
        (1, "interval", '"10ms"', 'from "1s" to "7d"'),
    ),
    "jitter above interval": (
        f'jitter = "10m"\n{VANTAGE}',
        (1, "jitter", '"10m"', "jitter may be at most interval"),
    ),
    "database without scheme": (
        f'database = "shutwatch.db"\n{VANTAGE}',
        (1, "database", '"shutwatch.db"', '"sqlite:///shutwatch.db"'),
    ),
    "database with two slashes": (
        f'database = "sqlite://data.db"\n{VANTAGE}',
        (1, "database", '"sqlite://data.db"', "three slashes"),
    ),
    "database in memory": (
        f'database = "sqlite:///:memory:"\n{VANTAGE}',
        (1, "database", '"sqlite:///:memory:"', "the name of a file"),
    ),
    "database of another kind": (
        f'database = "mysql://db/shutwatch"\n{VANTAGE}',
        (1, "database", '"mysql://db', "SQLite or PostgreSQL"),
    ),
    "database of PostgreSQL without a name": (
        f'database = "postgresql://db.example/"\n{VANTAGE}',
        (1, "database", '"postgresql://db.example/"', "the name of the database at the end"),
    ),
    "database of PostgreSQL with a port that is none": (
        f'database = "postgresql://db.example:x/shutwatch"\n{VANTAGE}',
        (1, "database", '"postgresql://db.example:x/shutwatch"', "a number behind the host"),
    ),
    "listen without port": (
        f'listen = "127.0.0.1"\n{VANTAGE}',
        (1, "listen", '"127.0.0.1"', '"127.0.0.1:10100"'),
    ),
    "listen without address": (
        f'listen = ":10100"\n{VANTAGE}',
        (1, "listen", '":10100"', '"127.0.0.1:10100"'),
    ),
    "listen without brackets": (
        f'listen = "::1:10100"\n{VANTAGE}',
        (1, "listen", '"::1:10100"', "brackets"),
    ),
    "port out of range": (
        f'listen = "127.0.0.1:70000"\n{VANTAGE}',
        (1, "listen", '"127.0.0.1:70000"', "from 0 to 65535"),
    ),
    "public address without scheme": (
        f'public_url = "watch.example.org"\n{VANTAGE}',
        (1, "public_url", '"watch.example.org"', '"https://watch.example.org"'),
    ),
    "public address with a password": (
        f'public_url = "https://me:secret@watch.example.org"\n{VANTAGE}',
        (1, "public_url", '"https://****@watch.example.org"', "without a password"),
    ),
    "key misspelt": (
        f'[probe]\ndns_timout = "4s"\n{VANTAGE}',
        (2, "probe.dns_timout", '"4s"', 'did you mean "dns_timeout"?'),
    ),
    "table misspelt": (
        f"[prob]\nrate = 3\n{VANTAGE}",
        (1, "prob", "", 'did you mean "probe"?'),
    ),
    "table in the plural": (
        f"[probes]\nrate = 3\n{VANTAGE}",
        (1, "probes", "", 'did you mean "probe"? probes itself belongs under [[source]]'),
    ),
    "key in the singular": (
        f'{VANTAGE}[[notify.route]]\nname = "a"\nurl = ["json://h/"]\n',
        (6, "notify.route[1].url", "", 'did you mean "urls"? url itself belongs under [[source]]'),
    ),
    "key in the wrong table": (
        f'{VANTAGE}interval = "5m"\n',
        (4, "vantage[1].interval", '"5m"', "at the top of the file"),
    ),
    "key outside its table": (
        f"rate = 5\n{VANTAGE}",
        (1, "rate", "5", "under [probe]"),
    ),
    "rate of nothing": (
        f"[probe]\nrate = 0\n{VANTAGE}",
        (2, "probe.rate", "0", "from 1 to 10000"),
    ),
    "number in quotation marks": (
        f'[probe]\nconcurrency = "100"\n{VANTAGE}',
        (2, "probe.concurrency", '"100"', "without quotation marks"),
    ),
    "true for a number": (
        f"[probe]\nretries = true\n{VANTAGE}",
        (2, "probe.retries", "true", "a whole number from 0 to 10"),
    ),
    "timeout of nothing": (
        f'[probe]\ntcp_timeout = "0s"\n{VANTAGE}',
        (2, "probe.tcp_timeout", '"0s"', 'from "1ms" to "10m"'),
    ),
    "limits crossed": (
        f"[probe]\nbody_limit = 1048576\n{VANTAGE}",
        (2, "probe.body_limit", "1048576", "body_limit may be at most suspicious_body_limit"),
    ),
    "text for a list": (
        f'[probe]\nopen_resolvers = "9.9.9.9"\n{VANTAGE}',
        (2, "probe.open_resolvers", '"9.9.9.9"', "square brackets"),
    ),
    "resolver by name": (
        f'[probe]\nopen_resolvers = [\n  "9.9.9.9",\n  "dns.google",\n]\n{VANTAGE}',
        (4, "probe.open_resolvers[2]", '"dns.google"', "an IP address"),
    ),
    "a vantage's resolver over HTTPS without S": (
        f'{VANTAGE}resolver = "http://dns.example/dns-query"\n',
        (4, "vantage[1].resolver", '"http://dns.example/dns-query"', "an https:// address"),
    ),
    "a vantage's resolver over HTTPS with a query": (
        f'{VANTAGE}resolver = "https://dns.example/dns-query?ct"\n',
        (4, "vantage[1].resolver", '"https://dns.example/dns-query', "without ?"),
    ),
    "resolver over HTTPS by address alone": (
        f'[probe]\ndoh_resolvers = ["9.9.9.9"]\n{VANTAGE}',
        (2, "probe.doh_resolvers[1]", '"9.9.9.9"', "https://"),
    ),
    "resolver over HTTPS without S": (
        f'[probe]\ndoh_resolvers = ["http://dns.google/dns-query"]\n{VANTAGE}',
        (2, "probe.doh_resolvers[1]", '"http://dns.google/dns-query"', "an https:// address"),
    ),
    "innocuous name that is an address": (
        f'[probe]\ninnocuous = "192.0.2.7"\n{VANTAGE}',
        (2, "probe.innocuous", '"192.0.2.7"', "a name, not an address"),
    ),
    "innocuous name where it stood before": (
        f'[throttling]\ninnocuous = "www.example.com"\n{VANTAGE}',
        (2, "throttling.innocuous", '"www.example.com"', "it belongs under [probe]"),
    ),
    "share above all": (
        f"[probe]\nquic_share = 1.5\n{VANTAGE}",
        (2, "probe.quic_share", "1.5", "a number from 0 to 1, without quotation marks"),
    ),
    "share below none": (
        f"[probe]\nquic_share = -0.1\n{VANTAGE}",
        (2, "probe.quic_share", "-0.1", "a number from 0 to 1, without quotation marks"),
    ),
    "share in quotation marks": (
        f'[probe]\nquic_share = "0.1"\n{VANTAGE}',
        (2, "probe.quic_share", '"0.1"', "a number from 0 to 1, without quotation marks"),
    ),
    "true for a share": (
        f"[probe]\nquic_share = true\n{VANTAGE}",
        (2, "probe.quic_share", "true", "a number from 0 to 1, without quotation marks"),
    ),
    "share that is no number": (
        f"[probe]\nquic_share = nan\n{VANTAGE}",
        (2, "probe.quic_share", "nan", "a number from 0 to 1, without quotation marks"),
    ),
    "network with host bits": (
        f'[probe]\nbogon_allow = ["10.0.0.1/8"]\n{VANTAGE}',
        (2, "probe.bogon_allow[1]", '"10.0.0.1/8"', '"10.0.0.0/8"'),
    ),
    "entry twice": (
        f'[probe]\nopen_resolvers = ["9.9.9.9", "9.9.9.9"]\n{VANTAGE}',
        (2, "probe.open_resolvers[2]", '"9.9.9.9"', "remove one of the two"),
    ),
    "certificate file missing": (
        f'[probe]\ntrust_anchors = ["our-ca.pem"]\n{VANTAGE}',
        (2, "probe.trust_anchors[1]", '"our-ca.pem"', "a file that exists; looked for in"),
    ),
    "certificate file of another kind": (
        f'[probe]\ntrust_anchors = ["shutwatch.toml"]\n{VANTAGE}',
        (2, "probe.trust_anchors[1]", '"shutwatch.toml"', "-----BEGIN CERTIFICATE-----"),
    ),
    "more certain than suspected": (
        f"[events]\nfalse_confirmed = 0.5\n{VANTAGE}",
        (2, "events.false_confirmed", "0.5", "false_confirmed may be at most false_suspected"),
    ),
    "log level unknown": (
        f'[log]\nlevel = "verbose"\n{VANTAGE}',
        (2, "log.level", '"verbose"', '"debug", "info", "warning"'),
    ),
    "vantage without country": (
        '[[vantage]]\nid = "here"\n',
        (1, "vantage[1].country", "", 'country = "PK"'),
    ),
    "vantage without id": (
        '[[vantage]]\ncountry = "PK"\n',
        (1, "vantage[1].id", "", 'id = "khi-ptcl"'),
    ),
    "id with capitals and spaces": (
        '[[vantage]]\nid = "KHI PTCL"\ncountry = "PK"\n',
        (2, "vantage[1].id", '"KHI PTCL"', '"khi-ptcl"'),
    ),
    "id twice": (
        f"{VANTAGE}{VANTAGE}",
        (5, "vantage[2].id", '"here"', "vantage[1] has this one already"),
    ),
    "country by name": (
        '[[vantage]]\nid = "here"\ncountry = "Pakistan"\n',
        (3, "vantage[1].country", '"Pakistan"', 'for Pakistan write "PK"'),
    ),
    "country in lower case": (
        '[[vantage]]\nid = "here"\ncountry = "br"\n',
        (3, "vantage[1].country", '"br"', 'for Brazil write "BR"'),
    ),
    "country by another code": (
        '[[vantage]]\nid = "here"\ncountry = "UK"\n',
        (3, "vantage[1].country", '"UK"', 'for United Kingdom write "GB"'),
    ),
    "no such country": (
        '[[vantage]]\nid = "here"\ncountry = "QQ"\n',
        (3, "vantage[1].country", '"QQ"', "two capital letters"),
    ),
    "asn with letters": (
        f'{VANTAGE}asn = "AS17557"\n',
        (4, "vantage[1].asn", '"AS17557"', "asn = 17557"),
    ),
    "asn too large": (
        f"{VANTAGE}asn = 4294967296\n",
        (4, "vantage[1].asn", "4294967296", "from 0 to 4294967295"),
    ),
    "number beyond TOML": (
        f"{VANTAGE}asn = 0x{'f' * 5000}\n",
        (4, "vantage[1].asn", "", "at most 18 digits"),
    ),
    "role misspelt": (
        f'{VANTAGE}role = "controll"\n',
        (4, "vantage[1].role", '"controll"', '"field", "control"'),
    ),
    "egress of no kind": (
        f'{VANTAGE}egress = "wwan0"\n',
        (4, "vantage[1].egress", '"wwan0"', '"interface:NAME"'),
    ),
    "egress misspelt": (
        f'{VANTAGE}egress = "sock5://proxy.example.net"\n',
        (4, "vantage[1].egress", '"sock5://proxy.example.net"', 'did you mean "socks5://"?'),
    ),
    "proxy written as for a browser": (
        f'{VANTAGE}egress = "http://proxy.example.net:3128"\n',
        (4, "vantage[1].egress", '"http://proxy.example.net:3128"', 'did you mean "connect://"?'),
    ),
    "proxy port out of range": (
        f'{VANTAGE}egress = "socks5://proxy.example.net:99999"\n',
        (4, "vantage[1].egress", '"socks5://proxy.example.net:99999"', "a port from 1 to 65535"),
    ),
    "source by name": (
        f'{VANTAGE}egress = "source:eth0"\n',
        (4, "vantage[1].egress", '"source:eth0', "this machine's IP addresses"),
    ),
    "vantage resolver by name": (
        f'{VANTAGE}resolver = "dns.google"\n',
        (4, "vantage[1].resolver", '"dns.google"', "not its name"),
    ),
    "single brackets": (
        '[vantage]\nid = "here"\ncountry = "PK"\n',
        (1, "vantage", "", "[[vantage]], in double brackets"),
    ),
    "no vantage": (
        'interval = "5m"\n',
        (0, "vantage", "", 'id = "here" and country = "PK"'),
    ),
    "only controls": (
        f'{VANTAGE}role = "control"\n',
        (1, "vantage", "", 'role = "field"'),
    ),
    "platform unknown": (
        f'{VANTAGE}[catalog]\nplatforms = ["x", "whatsap"]\n',
        (5, "catalog.platforms[2]", '"whatsap"', 'did you mean "whatsapp"?'),
    ),
    "no platform at all": (
        f"{VANTAGE}[catalog]\nplatforms = []\n",
        (5, "catalog.platforms", "[]", "at least one platform"),
    ),
    "catalogue missing": (
        f'{VANTAGE}[catalog]\nfile = "mine.toml"\n',
        (5, "catalog.file", '"mine.toml"', "a file that exists; looked for in"),
    ),
    "reference without scheme": (
        f'{VANTAGE}[references]\ndomestic.PK = ["www.dawn.com"]\n',
        (5, "references.domestic.PK[1]", '"www.dawn.com"', "https://host/path"),
    ),
    "reference of no country": (
        f'{VANTAGE}[references]\ndomestic.Pakistan = ["https://www.dawn.com/"]\n',
        (5, "references.domestic.Pakistan", "", 'for Pakistan write "PK"'),
    ),
    "uplink over https": (
        f'{VANTAGE}[references]\nuplink = ["https://www.example.org/"]\n',
        (5, "references.uplink[1]", '"https://www.example.org/"', "an http:// address"),
    ),
    "uplink with any answer": (
        f'{VANTAGE}[references]\nuplink = ["http://www.example.org/"]\n',
        (5, "references.uplink[1]", '"http://www.example.org/"', "say what it answers"),
    ),
    "variable not set": (
        f'{VANTAGE}network = "${{NETWORK_NAME}}"\n',
        (4, "vantage[1].network", '"${NETWORK_NAME}"', "environment variable NETWORK_NAME"),
    ),
    "variable without end": (
        f'{VANTAGE}network = "${{NETWORK"\n',
        (4, "vantage[1].network", '"${NETWORK"', "write $${"),
    ),
    "table for text": (
        f"{VANTAGE}network = {{ name = 'PTCL' }}\n",
        (4, "vantage[1].network", "a table", "text in quotation marks"),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_mistake_is_shown_with_key_line_value_and_remedy(name: str, tmp_path: Path) -> None:
    """Whoever wrote it finds the place, sees what stands there and learns what would be right."""
    text, (line, key, value, remedy) = BROKEN[name]
    problem = only(problems(tmp_path, text))
    assert (problem.line, problem.key) == (line, key)
    assert problem.value.startswith(value) if value else not problem.value
    assert remedy in problem.remedy
    shown = str(problem)
    assert shown.startswith(f"{tmp_path}/shutwatch.toml:{line}: " if line else str(tmp_path))
    assert "\n" not in shown


NOT_TOML = {
    "no quotation marks": (
        'interval = "5m"\nlisten = localhost:10100\n',
        (2, "listen = localhost:10100", 'listen = "localhost:10100"'),
    ),
    "a time without quotation marks": ("interval = 5m\n", (1, "interval = 5m", '= "5m"')),
    "colon for equals": ('interval: "5m"\n', (1, 'interval: "5m"', "interval = ")),
    "quotation mark not closed": (
        '[[vantage]]\nid = "here\ncountry = "PK"\n',
        (2, 'id = "here', "end the text with a quotation mark"),
    ),
    "typographic quotation marks": (
        "interval = “5m”\n",
        (1, "interval = “5m”", "plain quotation marks"),
    ),
    "True with a capital": ("a = True\n", (1, "a = True", "write a = true")),
    "bracket not closed": ("[probe\nrate = 1\n", (1, "[probe", "with ]")),
    "list not closed": (
        '[catalog]\nplatforms = ["x",\nfile = "mine.toml"\n',
        (3, 'file = "mine.toml"', "close the list that begins above with ]"),
    ),
    "commas missing": (
        '[catalog]\nplatforms = ["x" "meta"]\n',
        (2, 'platforms = ["x" "meta"]', "commas between the entries"),
    ),
    "two single-bracket vantages": (
        '[vantage]\nid = "a"\n[vantage]\nid = "b"\n',
        (3, "[vantage]", "[[vantage]], in double brackets"),
    ),
    "set twice": (
        'interval = "5m"\ninterval = "1m"\n\n[probe]\n',
        (2, 'interval = "1m"', "set twice"),
    ),
    "backslash": (
        'database = "C:\\shutwatch.db"\n',
        (1, 'database = "C:\\shutwatch.db"', "single quotation marks"),
    ),
    "number of another kind": ("a = 1,5\n", (1, "a = 1,5", "write numbers as 20 or 0.5")),
    "no statement": ("hello\n", (1, "hello", "the name, then =, then the value")),
}


@pytest.mark.parametrize("name", NOT_TOML)
def test_what_is_not_toml_is_shown_with_line_and_hint(name: str, tmp_path: Path) -> None:
    """The place, the line itself with a mark under it, and what to try, without jargon."""
    text, (line, excerpt, hint) = NOT_TOML[name]
    problem = only(problems(tmp_path, text))
    assert problem.line == line
    assert problem.column >= 1
    written, mark = problem.excerpt.split("\n")
    assert written.strip() == excerpt
    assert mark.index("^") == 4 + problem.column - 1
    assert hint in problem.remedy


def test_of_a_very_long_line_only_the_mistake_is_shown(tmp_path: Path) -> None:
    """A file of 3 MB on one line does not fill the terminal, and the mark is under the mistake."""
    path = tmp_path / "shutwatch.toml"
    path.write_text("a = 1 " + "é" * 1_500_000 + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    (problem,) = caught.value.problems
    line, mark = problem.excerpt.split("\n")
    assert len(line) < 500
    assert line[len(mark) - 1] == "é"


def test_three_mistakes_are_all_shown_in_order(tmp_path: Path) -> None:
    """Nobody has to run the check three times."""
    text = f'listen = "localhost"\n\n[probe]\nrate = 0\n\n{VANTAGE}egress = "wifi"\n'
    found = problems(tmp_path, text)
    assert [(problem.line, problem.key) for problem in found] == [
        (1, "listen"),
        (4, "probe.rate"),
        (9, "vantage[1].egress"),
    ]


def test_mistakes_of_several_kinds_do_not_hide_each_other(tmp_path: Path) -> None:
    """Unknown keys, missing keys, bad values, references and platforms are found in one go."""
    text = (
        'intervall = "5m"\n[[vantage]]\nid = "a"\nasn = -1\n[[vantage]]\nid = "a"\ncountry = "XX"\n'
        '[references]\ninternational = ["x"]\n[catalog]\nplatforms = ["nope"]\n[nothing]\n'
    )
    assert {problem.key for problem in problems(tmp_path, text)} == {
        "intervall",
        "vantage[1].country",
        "vantage[1].asn",
        "vantage[2].id",
        "vantage[2].country",
        "references.international[1]",
        "catalog.platforms[1]",
        "nothing",
    }


def test_mistakes_in_the_catalogue_file_name_that_file(tmp_path: Path) -> None:
    """One check covers both files, each mistake under the name of its own."""
    mine = tmp_path / "mine.toml"
    mine.write_text('[platform.news.function.web]\ncore = true\nendpoints = ["news.example"]\n')
    found = problems(tmp_path, f'listen = "x"\n{VANTAGE}[catalog]\nfile = "mine.toml"\n')
    assert [(Path(problem.file).name, problem.line) for problem in found] == [
        ("shutwatch.toml", 1),
        ("mine.toml", 3),
    ]


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("missing.toml", "shutwatch init"), (".", "inside that folder"), ("\0", "name a file")],
)
def test_a_file_that_cannot_be_read_says_what_to_do(name: str, remedy: str, tmp_path: Path) -> None:
    """A wrong name, or a folder, is a problem like any other."""
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / name, {})
    assert remedy in only(caught.value.problems).remedy


def test_a_file_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    """Editors that save in Latin-1 or UTF-16 are told which encoding to choose."""
    path = tmp_path / "shutwatch.toml"
    path.write_bytes('interval = "5m"\n# café\n'.encode("latin-1"))
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    problem = only(caught.value.problems)
    assert problem.line == 2
    assert "UTF-8" in problem.remedy


def test_the_mark_that_windows_editors_put_first_is_no_mistake(tmp_path: Path) -> None:
    """A byte order mark and Windows line ends are read as if they were not there."""
    path = tmp_path / "shutwatch.toml"
    path.write_bytes(b"\xef\xbb\xbf" + VANTAGE.replace("\n", "\r\n").encode())
    assert load_config(path, {}).vantages[0].id == "here"


SECRET = "hunter2"  # noqa: S105 - a made-up one, to look for
LEAKS = [
    f'egress = "socks5://user:{SECRET}@proxy.example.net:99999"',
    f'egress = "socks5://{SECRET}@proxy.example.net:99999"',
    f'egress = "socks5://user:{SECRET}@proxy.example.net:1080:1"',
    f'egress = "socks5:user:{SECRET}@proxy.example.net"',
    f'egress = "socks5://proxy.example.net:1080:user:{SECRET}"',
    f'egress = "proxy.example.net:1080:user:{SECRET}"',
    f'egress = "socks5://proxy.example.net/{SECRET}"',
    f'egress = "socks5+tls://user:{SECRET}@proxy.example.net:99999"',
    f'egress = "socks5+tls://user:{SECRET}@proxy.example.net#12"',
    f'egress = "https://user:{SECRET}@proxy.example.net"',
    f'egress = "http://user:p@ss{SECRET}@proxy.example.net"',
    f'egress = ["socks5://user:{SECRET}@proxy.example.net"]',
    f'egress = {{ password = "{SECRET}" }}',
    f'egres = "proxy.example.net:1080:user:{SECRET}"',
    f'proxy = "socks5://user:{SECRET}@proxy.example.net"',
    f'proxy_password = "{SECRET}"',
    f'PASSWORD = "{SECRET}"',
    f'api_token = "sk:{SECRET}"',
    f'resolver = "user:{SECRET}@192.0.2.1"',
    f"egress = socks5://user:{SECRET}@proxy.example.net",
    f'egress = "socks5://user:{SECRET}@proxy.example.net',
    f"egress = proxy.example.net:1080:user:{SECRET}",
    f"password = {SECRET}",
    f'"socks5://user:{SECRET}@proxy.example.net"',
    f'[[notify.route]]\nname = "a"\nurls = [\n  "https://hooks.example.net/{SECRET}" 1\n]',
    f'[[notify.route]]\nname = "a"\nurls = [\n  "https://hooks.example.net/?key={SECRET}" 1\n]',
    'egress = "socks5://user:${SECRET}@proxy.example.net:99999"',
    'egress = "${URL}:99999"',
    'egress = "${SECRET}"',
    'resolver = "${SECRET}"',
    'country = "${SECRET}"',
    'id = "${SECRET} !"',
]


@pytest.mark.parametrize("line", LEAKS)
def test_no_mistake_ever_shows_a_secret(line: str, tmp_path: Path) -> None:
    """Mistakes are pasted into chats and tickets; credentials must not go with them."""
    name = line.partition(" ")[0]
    vantage = "".join(f"{row}\n" for row in VANTAGE.splitlines() if not row.startswith(name))
    environ = {"SECRET": SECRET, "URL": f"socks5://user:{SECRET}@proxy.example.net"}
    found = problems(tmp_path, f"{vantage}{line}\n", **environ)
    assert SECRET not in "\n".join(map(str, found))


def test_where_the_mistake_is_stays_visible_beside_a_hidden_secret(tmp_path: Path) -> None:
    """Hiding the credentials leaves the kind, the host and the port to recognise."""
    line = f'egress = "socks5://user:{SECRET}@proxy.example.net:99999"\n'
    problem = only(problems(tmp_path, VANTAGE + line))
    assert problem.value == '"socks5://****@proxy.example.net:99999"'


def test_a_line_break_in_a_variable_is_refused_without_showing_it(tmp_path: Path) -> None:
    """A secret read from a file with its last line break would break the proxy dialogue."""
    line = 'egress = "socks5://user:${SECRET}@proxy.example.net"\n'
    problem = only(problems(tmp_path, VANTAGE + line, SECRET=f"{SECRET}\n"))
    assert "SECRET must hold text on one line" in problem.remedy
    assert SECRET not in str(problem)
