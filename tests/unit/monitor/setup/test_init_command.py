"""`shutwatch init`: by options, and by questions on a terminal of our own."""

import os
import pty
import re
import select
import signal
import ssl
import stat
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from monitor.agent.collector_client import agents_context
from monitor.cli.main import app
from monitor.config.collector import server_context
from monitor.config.load import load_config
from probes.vantage import VantagePoint, VantageRole

ROOT = Path(__file__).parents[4]
CTRL_C = "\x03"
FULL = (
    *("--country", "PK", "--line", "direct 17557 PTCL"),
    *("--line", "socks5://user:${PROXY_PASSWORD}@10.1.2.3:1080 AS45669 Jazz Mobilink"),
    *("--control", "DE socks5://10.4.5.6 24940 Hetzner", "--control", "NL connect://10.7.8.9"),
    *("--notify", "json://10.9.9.9/hook", "--user", "asma", "--listen", "127.0.0.1:10200"),
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are typed in."""
    monkeypatch.chdir(tmp_path)
    for name in ("SHUTWATCH_CONFIG", "PROXY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def typed(*words: str, given: str = "") -> Result:
    """What `init` prints and exits with."""
    return CliRunner().invoke(app, ["init", *words], input=given)


def test_the_first_week_installs_every_file_that_it_writes(folder: Path) -> None:
    """The service reads the certificate of a collector, too."""
    done = typed(*FULL, "--collector", "127.0.0.1", given="correct horse\n")
    assert done.exit_code == 0, done.output
    page = (ROOT / "docs/first-week.md").read_text()
    (line,) = re.findall(r"^install --mode=640 .*$", page, re.MULTILINE)
    assert {file.name for file in folder.iterdir()} == set(
        line.split("/etc/shutwatch/ ")[1].split()
    )


def test_options_alone_make_a_whole_configuration(folder: Path) -> None:
    """It is valid, private, and says what is left to do and what to type next."""
    done = typed(*FULL, given="correct horse\n")
    assert done.exit_code == 0, done.output
    settings = load_config(folder / "shutwatch.toml", {"PROXY_PASSWORD": "p@ss"})
    assert [(one.id, one.country, one.asn, one.network) for one in settings.vantages] == [
        ("pk-ptcl", "PK", 17557, "PTCL"),
        ("pk-jazz-mobilink", "PK", 45669, "Jazz Mobilink"),
        ("control-de-hetzner", "DE", 24940, "Hetzner"),
        ("control-nl", "NL", 0, ""),
    ]
    assert settings.vantages[1].egress.password == "p@ss"  # noqa: S105 # of nobody
    assert [user.knows("correct horse") for user in settings.server.users] == [True]
    assert [route.urls[0].url for route in settings.notify.route] == ["json://10.9.9.9/hook"]
    assert settings.listen_port == 10200
    assert {source.countries for source in settings.sources} == {("PK",)}
    for name in ("shutwatch.toml", "shutwatch-users.txt"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert sorted(one.name for one in folder.iterdir()) == [
        "shutwatch-users.txt",
        "shutwatch.toml",
    ]
    assert "Seen only through a proxy: pk-jazz-mobilink." in done.stdout
    assert "PROXY_PASSWORD is not set here" in done.stdout
    assert done.stdout.splitlines()[-2].strip().endswith("doctor --config shutwatch.toml")
    assert "correct horse" not in done.output


@pytest.mark.parametrize(
    ("words", "given", "problem"),
    [
        ((), "", "say which country to watch"),
        (("--country", "Pakistan"), "", 'for Pakistan write "PK"'),
        (("--country", "PK", "--line", "sock5://h:1"), "", 'did you mean "socks5://"?'),
        (("--country", "PK", "--line", "socks5://u:secret@h:x"), "", "port number"),
        (("--country", "PK", "--line", "socks5://u:secret/1@h:99999"), "", "a port from 1"),
        (("--country", "PK", "--line", "socks5://u:se cr secret@h:1080 1 A"), "", "port number"),
        (("--country", "PK", "--control", "direct 1 A"), "", "the country first"),
        (("--country", "PK", "--control", "DE direct"), "", "a control alone compares nothing"),
        (("--country", "PK", "--no-follow"), "", "nothing to watch by"),
        (("--country", "PK", "--notify", "jsn://h/"), "", "whose scheme Apprise knows"),
        (("--country", "PK", "--user", "asma"), "short\n", "at least 10 characters"),
        (("--country", "PK", "--collector", "h:x"), "", "--collector 'h:x': a port number"),
        (("--country", "PK", "--collector", "0.0.0.0:8443"), "", "cannot be reached by agents"),
        (("--country", "PK", "--collector", "[::]"), "", "cannot be reached by agents"),
        (("--country", "PK", "--notify", "https://h/"), "", "write jsons:// in place of https://"),
        (("--country", "PK", "--listen", "0.0.0.0:1"), "", "can be reached from other machines"),
    ],
)
def test_a_wrong_answer_is_named_and_leaves_nothing(
    folder: Path, words: tuple[str, ...], given: str, problem: str
) -> None:
    """Exit code 2, no traceback, no password, and no file half written."""
    refused = typed(*words, given=given)
    assert refused.exit_code == 2, refused.output
    assert problem in " ".join(refused.stderr.split())
    assert "secret" not in refused.output
    assert "Traceback" not in refused.output
    assert list(folder.iterdir()) == []


def test_the_commands_that_follow_can_be_typed_as_they_stand(folder: Path) -> None:
    """A space in the name of the file would make two words of it."""
    done = typed("my watch.toml", "--country", "PK", "--collector", "127.0.0.1")
    assert done.exit_code == 0, done.output
    assert (folder / "my watch.toml").exists()
    assert done.stdout.count("--config 'my watch.toml'") == 3


def test_what_is_there_is_never_overwritten(folder: Path) -> None:
    """Neither the file nor that of the users."""
    (folder / "shutwatch-users.txt").write_text("precious")
    refused = typed(*FULL, given="correct horse\n")
    assert refused.exit_code == 2
    assert "shutwatch-users.txt exists already" in refused.stderr
    assert (folder / "shutwatch-users.txt").read_text() == "precious"
    assert not (folder / "shutwatch.toml").exists()


def _contents(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


def test_a_wrong_answer_deletes_nothing_that_was_there(folder: Path) -> None:
    """`--force` replaces files by ones that can be loaded. It once deleted everybody's file of
    users before the answers were looked at."""
    assert typed(*FULL, given="correct horse\n").exit_code == 0
    before = _contents(folder)
    refused = typed(*FULL, "--notify", "jsn://h/", "--force", given="other horses\n")
    assert refused.exit_code == 2, refused.output
    assert "whose scheme Apprise knows" in " ".join(refused.stderr.split())
    assert ".partial" not in refused.stderr
    assert _contents(folder) == before
    assert typed(*FULL, "--force", given="other horses\n").exit_code == 0
    settings = load_config(folder / "shutwatch.toml", {"PROXY_PASSWORD": "p"})
    assert [user.knows("other horses") for user in settings.server.users] == [True]
    assert _contents(folder).keys() == before.keys()


@pytest.mark.parametrize("name", ["shutwatch.toml", "shutwatch-users.txt"])
def test_a_folder_of_that_name_is_told_and_nothing_is_changed(folder: Path, name: str) -> None:
    """No half of the two files is written, whichever cannot be."""
    assert typed(*FULL, given="correct horse\n").exit_code == 0
    (folder / name).unlink()
    (folder / name).mkdir()
    before = _contents(folder)
    refused = typed(*FULL, "--force", given="other horses\n")
    assert refused.exit_code == 2, refused.output
    assert f"{name} is a folder: name a file" in refused.stderr
    assert _contents(folder) == before


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("\udcff.toml", *FULL), "the name of the file is not UTF-8: name another"),
        ((*FULL, "--line", "direct 1 \udcff"), "an answer is not UTF-8: set the terminal to UTF-8"),
    ],
)
def test_a_name_in_another_encoding_is_answered(
    folder: Path, words: tuple[str, ...], problem: str
) -> None:
    """As a terminal set to Latin-1 sends it. Nothing is written or deleted."""
    (folder / "shutwatch-users.txt").write_text("precious")
    refused = typed(*words, "--force", given="correct horse\n")
    assert refused.exit_code == 2, refused.output
    assert problem in refused.stderr
    assert _contents(folder) == {"shutwatch-users.txt": b"precious"}


@pytest.mark.parametrize(
    "more",
    [
        *(("--country", "PK"), ("--line", "direct"), ("--control", "DE direct"), ("--user", "me")),
        *(("--notify", "json://h/"), ("--listen", "127.0.0.1:1"), ("--collector", "h")),
        *(("--no-follow",), ("--mmdb", "x"), ("--echo", "https://h/"), ("--try",), ("--no-try",)),
    ],
)
def test_an_example_takes_no_answers(folder: Path, more: tuple[str, ...]) -> None:
    """They were dropped without a word."""
    refused = typed("--example", *more)
    assert refused.exit_code == 2, refused.output
    assert f"--example writes no answers: leave out {more[0]}, or --example" in refused.stderr
    assert list(folder.iterdir()) == []


COLLECTING = ("--country", "PK", "--control", "DE direct", "--no-follow", "--collector")


@pytest.mark.parametrize(
    ("given", "host", "url", "listen"),
    [
        ("10.1.2.3", "10.1.2.3", "https://10.1.2.3:8443", "0.0.0.0"),
        ("https://watch.ngo.net:4433/", "watch.ngo.net", "https://watch.ngo.net:4433", "0.0.0.0"),
        ("[fd00::7]:8443", "fd00::7", "https://[fd00::7]:8443", "::"),
    ],
)
def test_a_collector_can_take_agents_at_once(
    folder: Path, given: str, host: str, url: str, listen: str
) -> None:
    """It listens, and has a certificate for its host that an invited agent will trust: the one in
    the invitation, and no authority. What to type next is the collector and the invitation."""
    done = typed(*COLLECTING, given)
    assert done.exit_code == 0, done.output
    collector = load_config(folder / "shutwatch.toml", {}).collector
    assert (collector.urls, collector.listen[0]) == ((url,), listen)
    assert stat.S_IMODE(Path(collector.certificate).stat().st_mode) == 0o600
    assert _served_to(host, server_context(collector.certificate, collector.certificate_key))
    with pytest.raises(ssl.SSLCertVerificationError):
        _served_to("other.ngo.net", server_context(collector.certificate, collector.certificate))
    shown = [line.strip() for line in done.stdout.splitlines()]
    assert shown[-3].endswith("collector --config shutwatch.toml")
    assert "vantage invite ID --country CODE --asn NUMBER --network NAME --config" in shown[-1]


def _served_to(host: str, server: ssl.SSLContext) -> bool:
    """Whether an agent that trusts the certificate in the folder alone ends a handshake."""
    client = agents_context(["shutwatch-collector.pem"])
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        client.wrap_bio(back, there, server_hostname=host),
        server.wrap_bio(there, back, server_side=True),
    ]
    done = set[int]()
    for number in (0, 1, 0, 1):
        with suppress(ssl.SSLWantReadError):
            sides[number].do_handshake()
            done.add(number)
    return done == {0, 1}


def test_a_certificate_that_agents_trust_is_kept(folder: Path) -> None:
    """Also by --force; and never served under another name."""
    assert typed(*COLLECTING, "10.1.2.3").exit_code == 0
    certificate, config = folder / "shutwatch-collector.pem", folder / "shutwatch.toml"
    before = certificate.read_bytes()
    assert typed(*COLLECTING, "10.1.2.3:9443", "--force").exit_code == 0
    written = config.read_text()
    assert "10.1.2.3:9443" in written
    refused = typed(*COLLECTING, "10.1.2.4", "--force")
    assert refused.exit_code == 2, refused.output
    assert "is the certificate of another host than 10.1.2.4" in " ".join(refused.stderr.split())
    assert (certificate.read_bytes(), config.read_text()) == (before, written)


# -- on a terminal -------------------------------------------------------------------------------


def conversation(answers: dict[str, list[str]], *words: str) -> tuple[str, int]:
    """What `init` says on a terminal of its own, and its exit code. Each question is answered by
    the next of the answers to the pattern it fits, which must be there."""
    mine, its = pty.openpty()
    process = subprocess.Popen(
        # Whoever runs the tests in the background ignores Ctrl-C, and children inherit that.
        ["env", "--default-signal=INT", sys.executable, "-m", "monitor", "init", *words],
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        start_new_session=True,
    )
    os.close(its)
    said, since = "", 0
    pressed = 0  # how often Ctrl-C was: once is lost where it comes just before the question reads
    try:
        while True:
            while not select.select([mine], [], [], 6.0 if pressed else 60.0)[0]:
                assert 0 < pressed < 10, said
                process.send_signal(signal.SIGINT)
                pressed += 1
            try:
                said += os.read(mine, 4096).decode()
            except OSError:  # the other end is closed
                break
            question = re.search(r"[^\n]*(?:: |\]: )$", said[since:])
            if question is not None:
                pattern = next((p for p in answers if re.search(p, question[0])), None)
                assert pattern is not None, question[0]
                assert answers[pattern], question[0]
                answer = answers[pattern].pop(0)
                if answer == CTRL_C:
                    process.send_signal(signal.SIGINT)
                    pressed += 1
                else:
                    os.write(mine, f"{answer}\n".encode())
                since = len(said)
        code = process.wait(timeout=20)
    finally:
        process.kill()
        process.wait()
        os.close(mine)
    return said, code


def test_the_dialogue_makes_the_same_as_options(folder: Path) -> None:
    """With mistakes on the way, each of which is asked again."""
    answers = {
        "Which country": ["Atlantis", "pakistan"],
        "Is this machine in Pakistan": ["n"],
        "A proxy on another line": ["sock5://10.1.2.3", "socks5://10.1.2.3:1080", ""],
        "AS number": ["PTCL", "AS17557"],
        "Its name": ["PTCL"],
        "Is this machine itself outside": ["y"],
        "Its country": ["PK", "DE", "NL"],
        "Name of its network": ["Hetzner", ""],
        "A proxy outside": ["connect://10.7.8.9", ""],
        "Show what OONI": ["y"],
        "Where do messages": ["nonsense", "json://10.9.9.9/hook"],
        "Where else": [""],
        "Who else reads": ["asma"],
        "Password": ["short", "correct horse"],
        "Repeat": ["short", "correct horse"],
        "Address and port": [""],
    }
    said, code = conversation(answers, "--no-try")
    assert code == 0, said
    assert {pattern: left for pattern, left in answers.items() if left} in (
        {},
        {"Is this machine in Pakistan": ["n"]},  # where the kernel lists no line
    )
    settings = load_config(folder / "shutwatch.toml", {})
    assert [one.id for one in settings.vantages] == ["pk-ptcl", "control-de-hetzner", "control-nl"]
    assert [one.role for one in settings.vantages[1:]] == [VantageRole.CONTROL] * 2
    assert settings.vantages[0] == VantagePoint(
        id="pk-ptcl",
        country="PK",
        asn=17557,
        network="PTCL",
        egress=settings.vantages[0].egress,
    )
    assert settings.server.users[0].knows("correct horse")
    assert len(settings.sources) == 2
    assert "correct horse" not in said
    assert 'did you mean "socks5://"?' in said
    assert "another country than the one you watch" in said
    assert "Wrote shutwatch.toml." in said
    assert "doctor --config shutwatch.toml" in said
    assert tomllib.loads((folder / "shutwatch.toml").read_text())["listen"] == "127.0.0.1:10100"


def test_the_dialogue_asks_nothing_that_an_option_said(folder: Path) -> None:
    """`--no-follow`: nobody is followed, and without a line there is nothing to watch by."""
    answers = {
        "Which country": ["PK"],
        "Is this machine in Pakistan": ["n"],
        "A proxy on another line": ["socks5://10.1.2.3:1080", ""],
        "AS number": ["17557"],
        "Its name": ["PTCL"],
        "Is this machine itself outside": ["n"],
        "A proxy outside": [""],
        "Where do messages": [""],
        "Who else reads": [""],
    }
    said, code = conversation(answers, "--no-follow", "--no-try")
    assert code == 0, said
    assert load_config(folder / "shutwatch.toml", {}).sources == ()
    alone = {
        "Which country": ["PK"],
        "Is this machine in Pakistan": ["n"],
        "A proxy on another line": [""],
    }
    said, code = conversation(alone, "--no-follow", "--no-try", "other.toml")
    assert (code, "nothing to watch by: name a line, or leave out --no-follow" in said) == (2, True)
    assert not (folder / "other.toml").exists()


def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    """In the middle of a question: no file, no traceback."""
    said, code = conversation({"Which country": [CTRL_C]})
    assert code != 0
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []
