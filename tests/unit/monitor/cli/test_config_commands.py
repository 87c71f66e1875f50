"""`shutwatch init`, `check` and `catalog`, as they are typed."""

import json
import os
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.cli.main import app
from monitor.config.catalog import shipped_catalog
from monitor.config.load import load_config
from tests.docs.test_cli_docs import COMMANDS

VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are typed in, without SHUTWATCH_CONFIG."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SHUTWATCH_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def typed(*words: str) -> Result:
    """What a command prints and exits with."""
    return CliRunner().invoke(app, list(words))


def test_only_commands_that_measure_speak_of_measuring() -> None:
    """What the others do without a configuration is another thing."""
    said = {name: " ".join(typed(*name.split(), "--help").stdout.split()) for name in COMMANDS}
    assert {name for name, text in said.items() if "else measure from this machine" in text} == {
        *("run", "once", "probe", "doctor", "catalog verify")
    }
    for name in ("event list", "db restore", "vantage revoke"):
        assert "else shipped settings, with shutwatch.db in this folder" in said[name]


@pytest.mark.usefixtures("folder")
def test_what_init_writes_passes_check() -> None:
    """The example is a valid file, of which `check` says what is made up in it."""
    written = typed("init", "--example")
    assert written.exit_code == 0
    assert "doctor --config shutwatch.toml" in written.stdout
    checked = typed("check", "shutwatch.toml")
    assert checked.exit_code == 0
    assert "no mistakes" in checked.stdout
    assert "khi-ptcl" not in checked.stdout.partition("Warnings")[2]


def test_init_never_overwrites_unless_told_to(folder: Path) -> None:
    """A configuration somebody worked on is safe."""
    path = folder / "mine.toml"
    path.write_text("precious")
    refused = typed("init", "mine.toml", "--country", "PK")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert path.read_text() == "precious"
    assert typed("init", "mine.toml", "--example", "--force").exit_code == 0
    assert path.read_text().startswith("# shutwatch")


@pytest.mark.parametrize("more", [("--example",), ("--country", "PK", "--user", "asma")])
def test_init_follows_symlinks(folder: Path, more: tuple[str, ...]) -> None:
    """As to a file that is kept in another folder. The link was replaced, and its target stayed."""
    (folder / "kept").mkdir()
    (folder / "kept/mine.toml").write_text("old")
    (folder / "mine.toml").symlink_to("kept/mine.toml")
    done = CliRunner().invoke(app, ["init", "mine.toml", "--force", *more], input="long enough\n")
    assert done.exit_code == 0, done.output
    assert (folder / "mine.toml").is_symlink()
    assert (folder / "kept/mine.toml").read_text().startswith("# shutwatch")
    assert stat.S_IMODE((folder / "kept/mine.toml").stat().st_mode) == 0o600
    assert [one.name for one in (folder / "kept").iterdir()] == ["mine.toml"]
    if "--user" in more:
        assert [user.name for user in load_config(folder / "mine.toml", {}).server.users] == [
            "asma"
        ]


@pytest.mark.parametrize("address", ["tgram://${BOT_TOKEN}/${CHAT_ID}", "${BOT_TOKEN}"])
def test_an_address_may_wait_for_its_variables(folder: Path, address: str) -> None:
    """They are named. What other addresses should be is still told."""
    done = typed("init", "--country", "PK", "--notify", address, "--notify", "json://10.0.0.1/")
    assert done.exit_code == 0, done.output
    assert "The environment variable BOT_TOKEN is not set here" in done.stdout
    assert address in (folder / "shutwatch.toml").read_text()
    wrong = typed("init", "x.toml", "--country", "PK", "--notify", address, "--notify", "jsn://h/")
    assert wrong.exit_code == 2
    assert "whose scheme Apprise knows" in " ".join(wrong.stderr.split())
    assert not (folder / "x.toml").exists()


@pytest.mark.usefixtures("folder")
def test_init_says_why_it_cannot_write() -> None:
    """A folder that is not there is a mistake of usage, not a traceback."""
    refused = typed("init", "no/such/folder.toml", "--example")
    assert refused.exit_code == 2
    assert "cannot write no/such/folder.toml: No such file or directory" in refused.stderr


def test_check_lists_every_mistake_and_exits_with_2(folder: Path) -> None:
    """Three mistakes, three lines, and a count."""
    (folder / "bad.toml").write_text(f'listen = "x"\n[probe]\nrate = 0\n{VANTAGE}asn = -1\n')
    result = typed("check", "bad.toml")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "bad.toml: 3 problems" in result.stderr
    assert 'bad.toml:1: listen = "x" → ' in result.stderr
    assert "bad.toml:3: probe.rate = 0 → " in result.stderr
    assert "bad.toml:7: vantage[1].asn = -1 → " in result.stderr


def test_check_says_what_will_be_watched_from_where(folder: Path) -> None:
    """Vantages with network and way out, platforms, references, and warnings."""
    (folder / "good.toml").write_text(
        f'{VANTAGE}asn = 17557\nnetwork = "PTCL [1]"\negress = "interface:wwan0"\n'
        '[catalog]\nplatforms = ["x", "signal"]\n'
    )
    result = typed("check", "good.toml")
    assert result.exit_code == 0
    for part in (
        "here",
        "AS17557 PTCL [1]",
        "through wwan0",
        "x, signal",
        "domestic PK: 2",
        "every 5m",
        "http://127.0.0.1:10100/",
        "No control vantage: failures alone are not enough to tell.",
    ):
        assert part in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_check_breaks_no_id_and_no_address_in_two(folder: Path) -> None:
    """On 80 columns, with what `init` writes of a control."""
    control = '[[vantage]]\nid = "control-de-hetzner"\ncountry = "DE"\nrole = "control"\n'
    control += 'asn = 24940\nnetwork = "Hetzner"\negress = "socks5://control-fra.ngo.net:1080"\n'
    (folder / "good.toml").write_text(VANTAGE + control)
    words = typed("check", "good.toml").stdout.split()
    assert {"control-de-hetzner", "control-fra.ngo.net:1080", "AS24940"} <= set(words)


def test_check_never_prints_credentials(folder: Path) -> None:
    """What is right is shown without the password too."""
    (folder / "good.toml").write_text(VANTAGE + 'egress = "socks5://user:hunter2@h.example:1"\n')
    result = typed("check", "good.toml")
    assert "socks5 h.example:1" in result.stdout
    assert "hunter2" not in result.output
    assert "user" not in result.output


@pytest.mark.usefixtures("folder")
def test_check_without_a_file_shows_what_runs_without_one() -> None:
    """The built-in settings are a configuration like any other."""
    result = typed("check")
    assert result.exit_code == 0
    assert "shutwatch init" in result.stdout
    assert "local" in result.stdout


def test_check_takes_the_file_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SHUTWATCH_CONFIG names the file when no argument does."""
    (folder / "env.toml").write_text("interval = 5\n")
    monkeypatch.setenv("SHUTWATCH_CONFIG", "env.toml")
    result = typed("check")
    assert result.exit_code == 2
    assert "env.toml:1: interval = 5 → " in result.stderr


@pytest.mark.usefixtures("folder")
def test_the_catalogue_is_readable_at_80_columns() -> None:
    """Every platform, function and endpoint, no line longer, no endpoint broken in two."""
    result = typed("catalog")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for platform in shipped_catalog().platforms:
        assert f"{platform.title}  {platform.name}, {platform.owner}" in result.stdout
        for function in platform.functions:
            for endpoint in function.endpoints:
                shown = endpoint.id.rpartition(":")[0] if endpoint.kind == "tcp" else endpoint.id
                assert shown in result.stdout
    for reference in shipped_catalog().references:
        assert reference.endpoint.id in result.stdout


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "row",
    [
        "web           core any of 2  https://x.com/  must work",
        "video              all of 2  tls://v16-webapp-prime.tiktok.com:443",
        "chat          core any of each dc1",
        "                               tcp://149.154.175.50 :443 :80 :5222",
        "                               1 of each group each cycle, all once one fails",
        "                             2 of them each cycle, all once one fails",
        "                     answers 200 with “Success”",
        "Signal  signal, Signal, measured only when named",
        "signal.org  certificates of its own authority are accepted, too",
        "domestic      PK   https://www.pta.gov.pk/",
    ],
)
def test_the_catalogue_tells_all_there_is_to_know(row: str) -> None:
    """Core functions, needs, canonical hosts, samples, expectations and countries are marked."""
    lines = [line.rstrip() for line in typed("catalog").stdout.splitlines()]
    assert row in lines


def test_the_catalogue_of_a_configuration_is_what_it_watches(folder: Path) -> None:
    """With --config only what that file watches is shown."""
    (folder / "good.toml").write_text(f'{VANTAGE}[catalog]\nplatforms = ["signal"]\n')
    document = json.loads(typed("catalog", "--config", "good.toml", "--json").stdout)
    assert [platform["name"] for platform in document["platforms"]] == ["signal"]
    assert {one["country"] for one in document["references"]} == {"", "PK"}


@pytest.mark.usefixtures("folder")
def test_the_catalogue_as_json_holds_everything() -> None:
    """Programs get every platform, function, endpoint and expectation that people do."""
    document = json.loads(typed("catalog", "--json").stdout)
    shipped = shipped_catalog()
    assert [one["name"] for one in document["platforms"]] == [p.name for p in shipped.platforms]
    web = document["platforms"][0]["functions"][0]
    assert (web["function"], web["core"], web["need"], web["canonical"]) == (
        "web",
        True,
        "any",
        True,
    )
    assert web["endpoints"][0]["endpoint"] == "https://x.com/"
    uplink = document["references"][0]
    assert (uplink["scope"], uplink["expect_status"]) == ("uplink", [200])


@pytest.mark.usefixtures("folder")
def test_a_bad_configuration_stops_the_catalogue() -> None:
    """Exit 2 with the mistakes, as everywhere."""
    result = typed("catalog", "--config", "missing.toml")
    assert result.exit_code == 2
    assert "shutwatch init" in result.stderr


def in_ascii(*words: str) -> subprocess.CompletedProcess[bytes]:
    """What a command does where output can hold nothing but ASCII."""
    return subprocess.run(
        [sys.executable, "-m", "monitor", *words],
        capture_output=True,
        check=False,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[4]),
            "PYTHONIOENCODING": "ascii",
        },
    )


def test_a_terminal_without_unicode_still_gets_every_mistake(folder: Path) -> None:
    """Arrows and quotation marks that cannot be shown are replaced, not fatal."""
    (folder / "bad.toml").write_text('interval = 5\n[[vantage]]\nid = "é"\n', encoding="utf-8")
    result = in_ascii("check", "bad.toml")
    assert result.returncode == 2
    assert b"bad.toml:1: interval = 5" in result.stderr
    assert b"bad.toml:3: vantage[1].id" in result.stderr


def test_a_terminal_without_unicode_still_gets_tables(folder: Path) -> None:
    """A network named in another script is no reason for a traceback."""
    (folder / "good.toml").write_text(f'{VANTAGE}network = "شبكة"\n', encoding="utf-8")
    checked = in_ascii("check", "good.toml")
    assert checked.returncode == 0
    assert b"no mistakes" in checked.stdout
    assert in_ascii("catalog").returncode == 0


def test_check_says_what_fits_the_interval(folder: Path) -> None:
    """Twenty vantages at five minutes finished no cycle while all was dropped, and nobody knew."""
    (folder / "good.toml").write_text(VANTAGE, encoding="utf-8")
    fits = in_ascii("check", "good.toml").stdout.decode()
    assert "When every platform is met with silence" in fits
    assert "That fits the interval of 5m" in " ".join(fits.split())
    (folder / "short.toml").write_text(f'interval = "1m"\n{VANTAGE}', encoding="utf-8")
    short = " ".join(in_ascii("check", "short.toml").stdout.decode().split())
    assert "That does not fit the interval of 1m: cycles would be missed. Set interval to" in short


def test_warnings_fail_only_where_they_are_asked_to(folder: Path) -> None:
    """A file that works passes; a script may ask for more. Each warning is a line of --json."""
    (folder / "good.toml").write_text(VANTAGE + 'egress = "socks5://control.example.net"\n')
    assert typed("check", "good.toml").exit_code == 0
    assert typed("check", "good.toml", "--strict").exit_code == 1
    found = [json.loads(line) for line in typed("check", "good.toml", "--json").stdout.splitlines()]
    assert [one["finding"] for one in found] == [
        *("placeholder", "no_control", "one_vantage", "no_asn", "only_proxied"),
    ]
    assert found[0] == {
        "check": "settings",
        "about": "",
        "level": "problem",
        "finding": "placeholder",
        "problem": "egress of here still has the value of an example: control.example.net.",
        "remedy": "Write your own, or delete that part.",
    }


@pytest.mark.usefixtures("folder")
def test_an_unedited_example_is_not_called_good() -> None:
    """An agent's file with the keys of the example, too."""
    agent = files("monitor.agent").joinpath("example_agent.toml").read_text("utf-8")
    Path("agent.toml").write_text(agent, "utf-8")
    assert typed("init", "example.toml", "--example").exit_code == 0
    for name, words in (
        ("example.toml", "control-fra.example.net"),
        ("agent.toml", "agent.collector_key still has the value of an example"),
    ):
        checked = typed("check", name, "--strict")
        assert checked.exit_code == 1
        assert words in " ".join(checked.stdout.split())
