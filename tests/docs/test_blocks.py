"""Every fenced block of the documents is run as it stands, or is listed here with the reason."""

import asyncio
import gzip
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest
from typer.testing import CliRunner

from monitor.agent.what_orders_may_change import Orders
from monitor.analysis.events.event import EventState
from monitor.cli.main import app
from monitor.config.catalog import parse_catalog, shipped_catalog
from monitor.config.fingerprints import parse_toml
from monitor.config.load import load_config
from monitor.config.settings import ServerSettings, Settings
from monitor.keys.keys import fingerprint, grouped, load_or_make, public_text
from monitor.metrics.scrapes import create_registry
from monitor.server.access import Access
from monitor.server.app import create_app
from storage.open_store import sql_store
from tests.contract.cycles import cycle, event, log_entry
from tests.docs.command_blocks import PAGES, ROOT, blocks, commands
from tests.prometheus import world
from tests.unit.monitor.agent.test_agent_orders import AGENT, TOLD, signed
from tests.worlds.agent_collector import KEY
from tests.worlds.http_client import httpx
from tests.worlds.postgresql import Cluster
from tests.worlds.receiver import receiving

NOT_RUN = {
    "amtool alert add …": "tests/prometheus/test_alertmanager.py types it to a real Alertmanager",
    "apt …": "needs root, and changes the machine",
    "apt-get …": "needs root, and changes the machine",
    "cat >/etc/init.d/…": "writes a service on a router",
    "cd dashboards/prometheus": "tests/prometheus/test_rules.py runs both commands there",
    "cd shutwatch": "follows git clone",
    "chmod +x /etc/init.d/…": "starts a service on a router",
    "curl …": "needs a server; test_addresses_are_answered asks each address",
    "docker …": "needs a container engine; tests/image builds the image and reads the files",
    "git clone …": "needs the address of the repository",
    "install …": "needs root, and the service's user",
    "make …": "takes minutes to hours; tests/fresh runs `make run` and `make test`",
    "opkg …": "changes a router",
    "pip …": "installs what the reader downloaded",
    "pkg …": "changes a telephone",
    "promtool …": "tests/prometheus/test_rules.py runs both commands",
    "python benchmarks/…": "takes minutes to hours, on an idle machine",
    "python -m pytest …": "is the tests themselves",
    "python3 -m venv …": "installs what the reader downloaded",
    "sha256sum …": "needs a release; tests/programs/test_release.py runs it on one",
    "shutwatch agent join …": "needs a collector; tests/e2e/test_join.py joins one",
    "shutwatch catalog verify": "asks the internet; tests/scenarios/test_catalog_verify.py the lab",
    "shutwatch collector …": "serves until it is stopped; tests/e2e/test_fleet.py starts it",
    "shutwatch control serve …": "serves until stopped; tests/programs/test_control_serve.py does",
    "shutwatch demo …": "takes a minute; tests/e2e/test_demo.py waits for it",
    "shutwatch doctor …": "asks the internet; tests/unit/monitor/doctor asks servers here",
    'shutwatch init --country PK --line "socks5…': "the control's line is cut;"
    " tests/fresh/first_hour.py types it whole",
    "shutwatch init": "asks on a terminal; tests/unit/monitor/setup/test_init_command.py answers",
    "shutwatch once …": "measures the internet; tests/scenarios/story.py the lab",
    "shutwatch probe …": "measures the internet; tests/scenarios/test_applications.py the lab",
    "shutwatch replay ooni …": "asks OONI; tests/replay/test_replay_api.py asks a copy",
    "shutwatch run …": "measures until it is stopped; tests/e2e/test_make_run.py starts it",
    "ssh-keygen …": "needs a release; tests/programs/test_release.py runs it on one",
    "sudo …": "needs root",
    "systemctl …": "needs the installed service",
}
"""A command, or its beginning before …, without the program's folder → why it is not run here."""
RUN = {"cat", "chmod", "cp", "mkdir", "openssl", "pg_dump", "pg_restore", "python", "shutwatch"}
"""Programs whose other commands are run."""
PROGRAMS = RUN | {key.split()[0] for key in NOT_RUN}
HERE = "tests/docs/test_blocks.py"
BY_A_TEST_OF_ITS_OWN = {
    ("docs/archive.md", "sql"): (HERE, "test_other_engines_read_the_archive"),
    ("docs/csv.md", "python"): ("tests/docs/test_csv_shares.py", "test_x_was_unreachable"),
    ("docs/csv.md", "sql"): ("tests/docs/test_csv_shares.py", "test_x_was_unreachable"),
    ("docs/metrics.md", "promql"): (HERE, "test_prometheus_takes_the_query"),
    ("docs/page.md", "html"): (HERE, "test_addresses_are_answered"),
    ("docs/postgres.md", "console"): (HERE, "test_the_data_move_to_postgresql"),
    ("docs/postgres.md", "sql"): (HERE, "test_the_data_move_to_postgresql"),
    ("docs/storage.md", "python"): ("tests/docs/test_storage_docs.py", "test_the_python_example"),
    ("docs/storage.md", "sql"): ("tests/docs/test_storage_docs.py", "test_every_query_runs"),
    ("docs/tutorial.md", "sh"): ("tests/e2e/test_demo.py", "_tutorial"),
}
"""Page and language → file and function that runs all blocks of that language on that page."""
OUTPUT = {"", "text"}
"""Languages of what programs print, and of drawings."""
READ = {"toml", "json"}
"""Languages of which each block is read, on any page."""
EVENT = "aaaa1111bbbb2222cccc"
NOTES = re.findall(r"```\n(since,.*?)```", (ROOT / "docs/csv.md").read_text(), re.DOTALL)[0]
INPUT = {"shutwatch agent accept": "y\n", "shutwatch password": "correct horse battery staple\n"}
"""Beginning of a command → what is typed when it asks."""
VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
PARTS = {
    *("docs/alerts.md", "docs/archive.md", "docs/catalog.md", "docs/notifications.md"),
    *("docs/postgres.md", "docs/sources.md", "docs/vantage-points.md", "docs/withheld.md"),
}
"""Pages that show parts of configurations, without a vantage that may accuse. Others show whole
ones."""
WRITES_ITS_OWN = {"docs/first-week.md", "docs/cli.md"}
"""Pages that make shutwatch.toml themselves."""


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


BLOCKS = [
    (_name(page), language, body)
    for page in PAGES
    if page.parent.name not in ("adr", "fresh")
    for language, body in blocks(page)
]


def _of(language: str, page: str = "") -> list[str]:
    """The blocks of a language, of one page or of all."""
    return [body for name, spoken, body in BLOCKS if spoken == language and page in ("", name)]


def _commands(page: str) -> Iterator[tuple[str, str]]:
    """Each command of a page that a shell takes, and the answer that the page shows to it."""
    for name, language, body in BLOCKS:
        if name == page and (page, language) not in BY_A_TEST_OF_ITS_OWN:
            answer = body.partition("\n")[2] if language == "console" else ""
            yield from ((one, answer) for one in commands(language, body))


def _bare(command: str) -> str:
    """Without a folder before the program, and without a comment."""
    return re.sub(r"\s+#.*", "", re.sub(r"^[\w.~/-]*/(?=\w)", "", command))


def _program(command: str) -> str:
    return _bare(command.removeprefix("$ ")).partition(" ")[0]


def _reasons(command: str) -> list[str]:
    """The keys of NOT_RUN that the command is listed by."""
    bare = _bare(command)
    return [
        key for key in NOT_RUN if bare == key or (key.endswith("…") and bare.startswith(key[:-1]))
    ]


# -- all of them -----------------------------------------------------------------------------------


def _unknown(shown: list[tuple[str, str, str]]) -> list[str]:
    """What no test runs and no line lists: of these blocks of a page, a language and a body."""
    found = []
    for page, language, body in shown:
        typed = list(commands(language, body))
        found += [one for one in typed if not _reasons(one) and _program(one) not in RUN]
        if language in OUTPUT:
            found += [line for line in body.splitlines() if _program(line) in PROGRAMS]
        elif not typed and language not in READ and (page, language) not in BY_A_TEST_OF_ITS_OWN:
            found.append(language)
    return found


def test_every_block_is_run_or_listed_and_nothing_else_is_listed() -> None:
    """Nothing of the list has gone either, and no command has two reasons."""
    assert _unknown(BLOCKS) == []
    reasons = [_reasons(one) for _, language, body in BLOCKS for one in commands(language, body)]
    assert {key for keys in reasons for key in keys} == set(NOT_RUN)
    assert max(map(len, reasons)) == 1
    shown = {(page, language) for page, language, _ in BLOCKS}
    assert set(BY_A_TEST_OF_ITS_OWN) <= shown
    named = re.findall(r"tests/[\w./]+", " ".join(NOT_RUN.values()))
    assert [file for file in named if not (ROOT / file).exists()] == []
    for file, function in BY_A_TEST_OF_ITS_OWN.values():
        assert f"def {function}" in (ROOT / file).read_text()
    for page in PAGES:
        fences = re.findall(r"^ *(?:```|~~~)", page.read_text(), re.MULTILINE)
        assert len(fences) <= 2 * len(list(blocks(page))), page


def test_a_new_block_would_be_noticed() -> None:
    """A language, a program, a query on another page, and commands in a block without language."""
    for language, body in (
        ("ruby", "puts 1\n"),
        ("sh", "shutwatch check a.toml\nkubectl apply\n"),
        ("console", "$ kubectl apply\n"),
        ("sql", "SELECT 1\n"),
        ("", "$ make run\n"),
        ("text", "shutwatch check a.toml\n"),
    ):
        assert _unknown([("docs/faq.md", language, body)]), language
    assert not _unknown([("docs/faq.md", "sh", "shutwatch check a.toml\nmake run\n")])


@pytest.mark.parametrize("page", sorted({page for page, _, _ in BLOCKS}))
def test_a_shell_reads_every_command(page: str) -> None:
    """Also those that are not run."""
    shown = [(language, body) for name, language, body in BLOCKS if name == page]
    typed = [command for language, body in shown for command in commands(language, body)]
    done = subprocess.run(
        ["sh", "-n"], input="\n".join(typed), text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_not_run_names_what_is_there() -> None:
    """Targets of the Makefile, files of the repository, and options of benchmarks."""
    makefile = (ROOT / "Makefile").read_text()
    for page, language, body in BLOCKS:
        for command in map(_bare, commands(language, body)):
            _, *words = shlex.split(command)
            assert not [word for word in words if word.startswith("[")], (page, command)
            if command.startswith("make "):
                assert f"\n{words[0]}:" in makefile, (page, command)
            for file in re.findall(r"\b(?:benchmarks|tests|dashboards)/[\w./-]+", command):
                assert (ROOT / file).exists(), (page, command)
            if command.startswith("python benchmarks/"):
                options = re.findall(r"--[a-z-]+", command)
                source = (ROOT / words[0]).read_text()
                assert [one for one in options if f'"{one}"' not in source] == [], (page, command)


# -- shell -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that a reader has by the time: configurations, a database with one block in
    it, keys, and files to import."""
    folder = tmp_path_factory.mktemp("reader")
    with receiving() as inbox:
        (folder / "route.toml").write_text(
            f'[[notify.route]]\nname = "newsroom"\nurls = ["{inbox.url("phone")}"]\n'
        )
        _configure(folder)
        asyncio.run(_fill(folder / "shutwatch.db"))
        for other in ("kept", "whole"):
            (folder / other).mkdir()
            shutil.copy(folder / "shutwatch.db", folder / other)
            shutil.copy(folder / "named.toml", folder / other / "shutwatch.toml")
        yield folder


def _configure(folder: Path) -> None:
    for name in ("backup", "docs"):
        (folder / name).mkdir()
    for name in ("monitor", "probes", "storage", "tests"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    for name in ("compose", "dashboards"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "named.toml").write_text(
        'signing_key = "keys.pem"\n[[vantage]]\nid = "here"\ncountry = "PK"\n'
        '[collector]\nlisten = "127.0.0.1:8443"\nbehind_proxy = true\n'
        'urls = ["https://collector.example.org"]\n'
    )
    load_or_make(folder / "keys.pem")
    (folder / "agent.toml").write_text(AGENT)
    Orders(folder / "spool.db.settings", public_text(KEY)).keep(signed(TOLD))
    (folder / "my-platforms.toml").write_text(TOLD.catalog)
    (folder / "notes.csv").write_text(NOTES)
    (folder / "rows.csv").write_text(_rows("PK", 17557))
    (folder / "rows.csv.gz").write_bytes(gzip.compress(_rows("KE", 33771).encode()))
    for name in ("fullchain.pem", "privkey.pem", "compose/secrets/page_users"):
        (folder / name).write_text("made up\n")


def _rows(country: str, asn: int) -> str:
    """OONI's analysis of X on one network, open for ten days, then blocked for two."""
    header = (
        "domain,probe_cc,probe_asn,probe_as_org_name,measurement_start_time,dns_blocked,dns_down,"
        "dns_ok,tcp_blocked,tcp_down,tcp_ok,tls_blocked,tls_down,tls_ok,top_tls_failure"
    )
    lines = [header]
    for hour in range(24 * 12):
        at = datetime(2024, 2, 7, tzinfo=UTC) + timedelta(hours=hour)
        tls = "0,0,1," if hour < 240 else "0.8,0.2,0,connection_reset"
        lines.append(f"twitter.com,{country},{asn},N,{at:%Y-%m-%d %H:%M:%S}.000,0,0,1,0,0,1,{tls}")
    return "\n".join([*lines, ""])


async def _fill(file: Path) -> None:
    # Of a monitor of its own lines.
    opened, confirmed = (
        msgspec.structs.replace(one, weight=None, weight_needed=0, doubts=(), passing=())
        for one in (event(EVENT), event(EVENT, state=EventState.CONFIRMED, updated=720))
    )
    store = sql_store(f"sqlite:///{file}")
    await store.open()
    await store.save(cycle(1), [opened], [log_entry(1, opened)])
    await store.save(cycle(2), [confirmed], [log_entry(2, confirmed, "confirmed")])
    await store.close()


@pytest.fixture
def reader(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that folder, where the commands of one page are typed."""
    folder = tmp_path / "reader"
    shutil.copytree(made, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("SHUTWATCH_CONFIG", str(folder / "named.toml"))
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin", prepend=":")
    return folder


def _run(folder: Path, command: str) -> str:
    """What a command prints: of shutwatch in this process, unless it needs a shell."""
    typed = next((text for start, text in INPUT.items() if command.startswith(start)), "")
    words = shlex.split(command, comments=True)
    if Path(words[0]).name != "shutwatch" or "$(" in command or words[-1] == "-":
        ended = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            input=typed,
            text=True,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 0, (command, ended.stderr)
        return ended.stdout + ended.stderr
    written = Path(words.pop()).expanduser() if words[-2] in (">", ">>") else None
    # A host types them where the agent is; others where the monitor is.
    at_host = {"SHUTWATCH_CONFIG": str(folder / "agent.toml")} if words[1] == "agent" else {}
    done = CliRunner().invoke(app, words[1 : -1 if written else None], input=typed, env=at_host)
    assert done.exit_code == 0, (command, done.output)
    if written:
        with written.open("a") as file:
            file.write(done.stdout)
    return done.stdout + done.stderr


def _plain(text: str) -> list[str]:
    """Lines without what differs each time: numbers and spaces."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]
    return [re.sub(r"\d[\d,.]*", "#", line) for line in lines]


TYPED = sorted(
    {page for page, _, _ in BLOCKS if any(not _reasons(one) for one, _ in _commands(page))}
)


@pytest.mark.parametrize("page", TYPED)
def test_commands_do_what_the_page_says(page: str, reader: Path) -> None:
    """Each command that is not listed is run, in the order of the page. Where the page shows an
    answer, it is just that, but for numbers; a line of … stands for any that follow."""
    if page not in WRITES_ITS_OWN:
        shutil.copy(reader / "named.toml", reader / "shutwatch.toml")
    backup = f"{reader}/backup/"
    key = grouped(fingerprint(public_text(load_or_make(reader / "keys.pem"))))
    for command, answer in _commands(page):
        if _reasons(command):
            continue
        if _bare(command).startswith("shutwatch notify test"):
            with (reader / "shutwatch.toml").open("a") as file:
                file.write((reader / "route.toml").read_text())
        placed = command.replace("/backup/", backup).replace("/etc/shutwatch/", f"{reader}/")
        printed = _plain(
            _run(reader, placed.replace("1f5e 5a55 11e9 …", key)).replace(backup, "/backup/")
        )
        for written in re.findall(r" -o (\S\S+)", placed):
            assert (reader / written).stat().st_size, command
        if expected := _plain(answer):
            if "…" in expected:
                expected = expected[: expected.index("…")]
                printed = printed[: len(expected)]
            assert printed == expected, command


# -- configuration ---------------------------------------------------------------------------------


def _load(folder: Path, text: str) -> Settings:
    (folder / "my-platforms.toml").write_text(TOLD.catalog)
    file = folder / "shutwatch.toml"
    file.write_text(text.replace("CERTIFICATE-DIGEST", "ab" * 32))
    return load_config(file, dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "made-up"))


FILES = [(page, body) for page, language, body in BLOCKS if language == "toml"]


@pytest.mark.parametrize(("page", "text"), FILES, ids=[page for page, _ in FILES])
def test_every_file_is_read(page: str, text: str, tmp_path: Path) -> None:
    """As a catalogue, as fingerprints, or as a configuration, and it changes something."""
    if re.search(r"^\[(platform\.|references\])", text, re.MULTILINE):
        assert parse_catalog(text, "mine.toml", shipped_catalog()) != shipped_catalog()
    elif "[[fingerprint]]" in text:
        assert parse_toml(text, "mine.toml")
    elif text != VANTAGE:
        added = VANTAGE if page in PARTS else ""
        assert _load(tmp_path, f"{text}{added}") != _load(tmp_path, VANTAGE)


def test_json_can_be_read() -> None:
    """Each object that a page shows."""
    for text in _of("json"):
        assert json.loads(text)


# -- queries ---------------------------------------------------------------------------------------


async def test_other_engines_read_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB, and ClickHouse's engine where it is installed, find rows in the archive's tree."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "shutwatch.toml"
    config.write_text('[archive]\nfolder = "."\n[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n')
    await _fill(tmp_path / "shutwatch.db")
    moved = await asyncio.to_thread(
        CliRunner().invoke, app, ["db", "archive", "--older-than", "30d", "-c", str(config)]
    )
    assert moved.exit_code == 0, moved.output
    in_duckdb, in_clickhouse = _of("sql", "docs/archive.md")
    with duckdb.connect() as connection:
        (day,) = connection.execute(in_duckdb).fetchall()
    assert day[1] > 0
    chdb = pytest.importorskip("chdb")
    assert str(chdb.query(in_clickhouse)).count("\n") == 1


@pytest.mark.prometheus
def test_prometheus_takes_the_query() -> None:
    """It is PromQL, and the metrics in it are documented."""
    (query,) = _of("promql")
    rules = {"groups": [{"name": "page", "rules": [{"record": "a:b:c", "expr": query}]}]}
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint=none", "/dev/stdin"],
        input=json.dumps(rules),
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    families = set(
        re.findall(r"^### `(\w+)`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
    )
    assert set(re.findall(r"shutwatch_\w+", query)) <= families


def _address(shown: str) -> str:
    """The path and query of the one address in it."""
    (found,) = re.findall(r'"https?://[^/"]+(/[^"]+)"', shown)
    return str(found)


async def test_addresses_are_answered(made: Path) -> None:
    """Those of the API, as `curl` asks them, and those to embed."""
    store = sql_store(f"sqlite:///{made / 'shutwatch.db'}")
    await store.open()
    publisher = world.x_blocked_on_two_of_three()
    access = Access(ServerSettings(public=True))
    server = create_app(publisher, create_registry(publisher), access=access, store=store)
    asked = [one for _, language, body in BLOCKS for one in commands(language, body)]
    asked = [one.replace("5f2b7c9d1e3a4b6c", EVENT) for one in asked if one.startswith("curl ")]
    addresses = [
        _address(one) for one in [*asked, *re.findall(r'src="[^"]+"', "".join(_of("html")))]
    ]
    transport = httpx.ASGITransport(app=server)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for address in addresses:
            assert (await client.get(address)).status_code == 200, address
    await store.close()


@pytest.fixture
def empty(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A server with an empty database of the page's name, which libpq's programs reach."""
    monkeypatch.setenv("PGHOST", str(cluster.folder))
    monkeypatch.setenv("PGPORT", str(cluster.port))
    monkeypatch.setenv("PGUSER", "shutwatch")
    cluster.execute("CREATE DATABASE shutwatch")
    yield cluster
    cluster.drop_database("shutwatch")
    cluster.execute("DROP ROLE IF EXISTS reader")


@pytest.mark.postgres
def test_the_data_move_to_postgresql_and_are_backed_up_there(empty: Cluster, reader: Path) -> None:
    """Each command and each statement of the page, in its order, on a server of the tests' own."""
    for page, language, body in BLOCKS:
        if (page, language) == ("docs/postgres.md", "sql"):
            empty.execute(body, "shutwatch")
        elif (page, language) == ("docs/postgres.md", "console"):
            for command in commands(language, body):
                if command.startswith("pg_restore"):
                    empty.drop_database("shutwatch")
                if not _reasons(command):
                    url = f"'{empty.url('shutwatch')}'"
                    _run(reader, re.sub(r"'postgresql:\S+'", url, command))
    assert empty.execute("SELECT id FROM event", "shutwatch") == [(EVENT,)]
    readers = "SELECT has_table_privilege('reader', 'event', 'SELECT')"
    assert empty.execute(readers, "shutwatch") == [(True,)]
