"""`doctor` finds each of the faults planted here, and names the remedy.

Each fault changes one thing in a world in which nothing is wrong.
"""

import asyncio
import contextlib
import json
import socket
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.config.load import load_config
from monitor.doctor.examine import CHECKS, examine
from monitor.doctor.trial import Trial, why_silent
from monitor.measuring.probers import Probers
from monitor.wording.findings import What
from storage.open_store import sql_store
from storage.values.steady_clock import utc_now
from tests.worlds.doctor_world import PASSWORD, USER, World, hurried, target, told, world
from tests.worlds.loopback import Conversation, forever, serving, unused_port


def typed(*words: str) -> Result:
    """What a command prints and exits with."""
    return CliRunner().invoke(app, list(words))


async def test_a_world_without_a_fault_is_found_well(tmp_path: Path) -> None:
    """Nothing is accused wrongly, every check says something, and each line is tried."""
    async with world(tmp_path) as made:
        checked = await made.examined()
    assert set(told(checked)) == {What.TARGET_REACHED}
    of_agents_and_collectors = {"collector", "certificate", "pause"}
    names = {name for name, _ in CHECKS} - of_agents_and_collectors
    assert {one.check for one in checked} == names | {"clock", "control"}
    assert [one.about for one in checked if one.check in ("vantage", "control")] == [
        *("khi-ptcl", "khi-jazz", "control", "control-two"),
    ]


# -- the faults ----------------------------------------------------------------------------------

Plant = Callable[[World], Any]
FAULTS: dict[str, tuple[Plant, What | str, str, str]] = {}
"""By name: what plants it and gives a change of the configuration, what should be found, and words
of the problem and of the remedy."""


def fault(what: What | str, problem: str, remedy: str) -> Callable[[Plant], Plant]:
    """Register a fault."""

    def register(plant: Plant) -> Plant:
        FAULTS[plant.__name__] = (plant, what, problem, remedy)
        return plant

    return register


def replacing(old: str, new: str) -> Callable[[str], str]:
    """A change of the configuration, which must change something."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


@fault(What.RESOLVER_SILENT, "does not answer: khi-ptcl, khi-jazz", "let UDP port 53 pass")
def a_silent_resolver(made: World) -> Any:
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    made.silent = silent  # type: ignore[attr-defined] # kept open
    port = silent.getsockname()[1]
    return replacing(f"127.0.0.1:{made.ports['resolver']}", f"127.0.0.1:{port}")


@fault(What.WRONG_CLOCK, "is wrong by 7200 seconds", "timedatectl set-ntp true")
def a_wrong_clock(made: World) -> Any:
    made.clock = timedelta(hours=2)
    return str


@fault(
    What.PROXY_SILENT, "(the connection was refused)", "Start the proxy, or correct host and port"
)
def a_dead_socks_port(made: World) -> Any:
    return replacing(f":{made.ports['proxy']}", f":{unused_port()}")


@fault(What.PROXY_PASSWORD, "refused user name and password", "are written %40 %3A %2F %25")
def a_wrong_password_of_a_control(_: World) -> Any:
    return replacing(f"{USER}:{PASSWORD}@", f"{USER}:wrong@")


@fault(What.PROXY_FAILS, "answer is not HTTP", "the right kind, socks5://")
def a_proxy_of_another_kind(_: World) -> Any:
    return replacing("socks5://", "connect://")


@fault(What.NO_CONTROL, "No control vantage", 'Add a vantage with role = "control"')
def no_control(_: World) -> Any:
    return lambda text: text.replace('role = "control"', "")


@fault(What.CONTROL_SAME_WAY, "control-two leaves this machine as khi-ptcl does", "elsewhere")
def a_control_on_the_line_it_is_compared_with(_: World) -> Any:
    return replacing('egress = "source:127.0.0.2"\n', "")


@fault(What.SAME_LINE, "khi-ptcl and khi-jazz leave this machine by the same way", "own egress")
def two_vantages_on_one_line(_: World) -> Any:
    return replacing('egress = "source:127.0.0.3"\n', "")


@fault(What.FEW_BYTES, "1 MB suffices for about", "Set daily_bytes to")
def a_day_that_is_used_up_at_breakfast(_: World) -> Any:
    return lambda text: f'{text}\n[probe]\ndaily_bytes = "1MB"\n'


@fault(What.NO_INTERFACE, "has no network device wwan7", "`ip link` lists")
def a_modem_that_is_not_there(_: World) -> Any:
    return replacing("source:127.0.0.3", "interface:wwan7")


@fault(What.NO_ADDRESS, "does not have the address", "`ip address` lists")
def an_address_of_another_machine(_: World) -> Any:
    return replacing("source:127.0.0.3", "source:203.0.114.9")


@fault("vantage.captive_portal", "Something else answers in place", "Sign in on that line once")
def a_login_page(made: World) -> Any:
    made.uplink = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    return replacing(f":{made.ports['reference']}/", f":{unused_port()}/")


@fault("vantage.offline", "cut off", "Check cable, modem and credit")
def a_cut_cable(made: World) -> Any:
    dead = unused_port()
    return lambda text: text.replace(f":{made.ports['reference']}/", f":{dead}/").replace(
        f":{made.ports['uplink']}/", f":{dead}/"
    )


@fault(What.CANNOT_WRITE, "Cannot write in", "Let the user that runs shutwatch own that folder")
def a_folder_that_cannot_be_written(made: World) -> Any:
    (made.folder / "file").touch()
    return replacing("/watch.db", "/file/watch.db")


@fault(What.DISK_FULL, "is full: 3 MB are free", "Free some space")
def a_full_disk(made: World) -> Any:
    made.free = 3_000_000
    return str


@fault(What.PORT_IN_USE, "Another program listens at", "End it, or set `listen` to another port")
def a_port_in_use(made: World) -> Any:
    return replacing(f":{made.ports['page']}", f":{made.ports['hook']}")


@fault(What.CANNOT_LISTEN, "this machine has no such address", "to an address of this machine")
def an_address_that_is_not_ours(made: World) -> Any:
    public = 'public_url = "https://watch.ngo.pk"\n[server]\npublic = true\n'
    listen = f'listen = "127.0.0.1:{made.ports["page"]}"\n'
    return lambda text: text.replace(listen, 'listen = "203.0.114.9:80"\n').replace(
        "[references]", f"{public}[references]", 1
    )


@fault(What.DATABASE, "cannot be reached", "Check that PostgreSQL runs, and host and port")
def an_unreachable_postgresql(made: World) -> Any:
    url = f"postgresql://watch:pw@127.0.0.1:{unused_port()}/watch"
    return replacing(f"sqlite:///{made.folder}/watch.db", url)


@fault(What.DATABASE_OLD, "are of version 0001", "type `shutwatch db upgrade`")
async def an_old_schema(made: World) -> Any:
    await _schema(made, "0001")
    return str


@fault(What.DATABASE, "made by a newer shutwatch", "Install the newer shutwatch again")
async def a_newer_schema(made: World) -> Any:
    await _schema(made, "9999")
    return str


@fault(What.DATABASE, "is not an SQLite database", "Set `database` to another file")
def a_file_of_another_kind(made: World) -> Any:
    (made.folder / "watch.db").write_bytes(b"GIF89a" * 1000)
    return str


@fault(What.PLACEHOLDER, "still has the value of an example: watch.example.org", "Write your own")
def a_name_of_the_example(_: World) -> Any:
    return replacing("[references]", 'public_url = "https://watch.example.org"\n[references]')


@fault(What.TARGET_SILENT, "1-json cannot be reached", "type `shutwatch notify test`")
def a_target_that_refuses(made: World) -> Any:
    return replacing(f":{made.ports['hook']}", f":{unused_port()}")


@fault(What.TARGET_SILENT, "(its name does not resolve)", "type `shutwatch notify test`")
def a_target_without_a_name(made: World) -> Any:
    return replacing(f"127.0.0.1:{made.ports['hook']}", "no-such-name.invalid")


@fault(What.STAMPS_SILENT, "time authority or calendar 127.0.0.1 cannot be reached", "[timestamps]")
def a_time_authority_that_is_gone(_: World) -> Any:
    return lambda text: f'{text}[timestamps]\ncalendars = ["https://127.0.0.1:{unused_port()}"]\n'


@fault(What.ARCHIVE, "its keys are missing: set AWS_ACCESS_KEY_ID", "Correct [archive]")
def a_bucket_without_its_keys(_: World) -> Any:
    bucket = 'bucket = "evidence"\nendpoint = "https://127.0.0.1:1"\n'
    return lambda text: f"{text}[archive]\n{bucket}"


@fault(What.NO_MESSAGES, "no [[notify.route]] is configured", "the alerts of Prometheus")
def nobody_to_tell(_: World) -> Any:
    return lambda text: text.partition("[[notify.route]]")[0]


@fault(What.PROMETHEUS_SILENT, "does not answer", "--prometheus http://HOST:9090")
def no_prometheus(made: World) -> Any:
    made.ports["prometheus"] = unused_port()
    return str


@fault(What.PROMETHEUS_SILENT, "(what answers there is no Prometheus)", "or name its address")
def a_page_in_place_of_prometheus(made: World) -> Any:
    made.uplink = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    made.ports["prometheus"] = made.ports["uplink"]
    return str


@fault(What.PROMETHEUS_UNAWARE, "reads no metrics from port", "scrape_configs")
def a_prometheus_that_knows_nothing(made: World) -> Any:
    made.targets = [target(9090)]
    return str


@fault(What.PROMETHEUS_FAILS, "returned HTTP status 401", "give Prometheus one")
def a_prometheus_without_a_token(made: World) -> Any:
    error = "server returned HTTP status 401 Unauthorized"
    made.targets = [target(made.ports["page"], "down", error)]
    return str


@fault(What.PROMETHEUS_FAILS, "cannot read the metrics: it has not tried yet", "Start shutwatch")
def a_prometheus_that_has_just_begun(made: World) -> Any:
    made.targets = [target(made.ports["page"], "unknown")]
    return str


async def _schema(made: World, version: str) -> None:
    """A database whose tables claim to be of this version."""
    store = sql_store(f"sqlite:///{made.folder / 'watch.db'}")
    await store.open()
    await store.close()
    with contextlib.closing(sqlite3.connect(made.folder / "watch.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (version,))


@pytest.mark.parametrize("name", FAULTS)
async def test_each_planted_fault_is_found_with_its_remedy(name: str, tmp_path: Path) -> None:
    """By its own finding, in words that name the thing and the next step."""
    plant, what, problem, remedy = FAULTS[name]
    async with world(tmp_path) as made:
        change = plant(made)
        checked = await made.examined(await change if asyncio.iscoroutine(change) else change)
        if hasattr(made, "silent"):
            made.silent.close()
    found = told(checked)
    assert what in found, found
    assert problem in found[what][0], found[what]
    assert remedy in found[what][1], found[what]
    assert What.OUR_FAULT not in found
    assert PASSWORD not in str(found)


def test_there_are_enough_faults() -> None:
    """Fifteen are promised."""
    assert len(FAULTS) >= 15


def test_a_server_of_several_addresses_is_refused_in_words() -> None:
    """asyncio has one error for all of them, whose text is a list of numbers."""
    told = OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] unreachable")
    assert why_silent(told) == "none of its addresses connects"
    assert why_silent(ConnectionRefusedError(111, "refused")) == "the connection was refused"
    assert why_silent(TimeoutError()) == "no answer in time"


async def test_a_check_that_hangs_or_breaks_hides_no_other(tmp_path: Path) -> None:
    """Each within its time: the others say what they found."""
    async with serving(forever) as port, world(tmp_path) as made:
        made.ports["prometheus"] = port
        path = tmp_path / "shutwatch.toml"
        path.write_text(made.config())
        settings = hurried(load_config(path, {}), tmp_path)

        def broken(_: Path) -> int:
            raise ZeroDivisionError("no such thing")

        async with Probers(settings, now=utc_now) as probers:
            trial = Trial(
                settings=settings,
                probers=probers,
                free_bytes=broken,
                prometheus=f"http://127.0.0.1:{port}",
            )
            checked = await examine(trial, within=2.0)
    found = told(checked)
    assert found[What.TOO_SLOW][0] == "Not finished within 2 s."
    assert "ZeroDivisionError: no such thing" in found[What.OUR_FAULT][0]
    assert [one.about for one in checked if one.check == "vantage"] == ["khi-ptcl", "khi-jazz"]


async def test_the_command_prints_a_line_for_each_and_its_exit_code_says_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 where all works; 1 with the remedy below where something does not; JSON for programs."""
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "shutwatch.toml"
    anchor = f'trust_anchors = ["{tmp_path / "anchor.pem"}"]\nbogon_allow = ["127.0.0.0/8"]\n'
    async with world(tmp_path) as made:
        path.write_text(made.config().replace("[references]", f"[probe]\n{anchor}[references]"))
        well = await asyncio.to_thread(typed, "doctor", "--config", str(path))
        path.write_text(path.read_text().replace(f":{made.ports['hook']}", f":{unused_port()}"))
        faulty = await asyncio.to_thread(typed, "doctor", "--config", str(path))
        lines = await asyncio.to_thread(typed, "doctor", "--config", str(path), "--json")
    assert well.exit_code == 0, well.output
    assert [line.split()[:3] for line in well.stdout.splitlines() if "khi" in line] == [
        ["ok", "vantage", "khi-ptcl"],
        ["ok", "vantage", "khi-jazz"],
    ]
    assert "problem" not in well.stdout
    assert faulty.exit_code == 1
    assert "→ Correct the address, or let it pass; then type `shutwatch notify test`." in (
        faulty.stdout
    )
    assert PASSWORD not in faulty.output + lines.output
    found = [json.loads(line) for line in lines.stdout.splitlines()]
    assert [one["level"] for one in found if one["check"] == "notification"] == ["problem"]
    assert all(one["level"] == "ok" for one in found if one["check"] != "notification")


async def test_a_monitor_that_runs_already_is_no_fault(tmp_path: Path) -> None:
    """Whoever asks what is wrong does so while it runs."""

    async def healthy(one: Conversation) -> None:
        await one.request()
        await one.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhealthy\n")

    async with serving(healthy) as port, world(tmp_path) as made:
        made.ports["page"] = port
        made.targets = [target(port)]
        checked = await made.examined()
    assert set(told(checked)) == {What.TARGET_REACHED}
    (listener,) = [one for one in checked if one.check == "port"]
    assert listener.about == f"127.0.0.1:{port}, where shutwatch runs already"


async def test_a_collector_that_runs_already_is_no_fault(tmp_path: Path) -> None:
    """Agents' port says nothing to anybody but agents; the page of the same program tells whose it
    is. "End it" was said of the collector itself. Without that page it is another program's."""

    async def healthy(one: Conversation) -> None:
        await one.request()
        await one.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhealthy\n")

    with socket.create_server(("127.0.0.1", 0)) as agents:
        where = f"127.0.0.1:{agents.getsockname()[1]}"
        more = f'[collector]\nlisten = "{where}"\n'
        async with serving(healthy) as port, world(tmp_path) as made:
            free = made.ports["page"]
            made.ports["page"] = port
            checked = await made.examined(lambda text: text + more)
            made.ports["page"] = free
            alone = await made.examined(lambda text: text + more)
    page, listener = [one for one in checked if one.check == "port"]
    assert page.about == f"127.0.0.1:{port}, where shutwatch runs already"
    assert listener.about == f"{where}, where shutwatch runs already"
    (taken,) = [one.finding for one in alone if one.check == "port" and one.finding]
    assert taken.what is What.PORT_IN_USE
    assert taken.values["key"] == "collector.listen"


AGENT = """
[agent]
collectors = ["https://collector.example.org"]
collector_key = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
sealing_key = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
"""


async def test_an_agent_is_tried_by_what_it_has(tmp_path: Path) -> None:
    """Its one line, the folder of its spool, and its key, which is not there: without it no
    collector can be asked. It has neither database, page nor messages."""

    def agent(text: str) -> str:
        lines = text.partition("[references]")[2].partition('[[vantage]]\nid = "khi-jazz"')[0]
        return f"{AGENT}[references]{lines}"

    async with world(tmp_path) as made:
        checked = await made.examined(agent)
    assert set(told(checked)) == {
        *(What.PLACEHOLDER, What.PROMETHEUS_UNAWARE, What.AGENT_KEY),
    }
    assert {one.check for one in checked} == {
        *("settings", "secrets", "folder", "resolver", "clock", "vantage", "key", "prometheus"),
    }
