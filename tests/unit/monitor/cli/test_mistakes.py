"""Mistakes on the command line: each answer says what and where, and what to do."""

import os
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from monitor.cli.main import app
from tests.unit.monitor.agent.test_agent_orders import AGENT
from tests.unit.monitor.cli.test_no_traceback import OFFLINE
from tests.worlds.loopback import unused_port

LONGEST = 1500
"""Characters of an answer: a screen, whatever was typed."""
LONG = 100_000
LONG_NAME = "n" * 300
"""Longer than a file's name may be."""
X_IN_PK = "--country PK --platform x --since 2024-01-01"
MISTAKES = [
    # Words that are no command or option.
    (2, "frobnicate", "No such command 'frobnicate'"),
    (2, "events list", "No such command 'events'. Did you mean 'event'"),
    (2, "event lst", "No such command 'lst'. Did you mean 'list'"),
    (2, "--frob", "No such option: --frob"),
    (2, "once --jsn", "--jsn (Possible options: --json)"),
    (2, "check --json=yes", "'--json' does not take a value"),
    (2, "run -c", "Option '-c' requires an argument"),
    (2, "run -c offline.toml extra", "unexpected extra argument(s) (extra)"),
    (2, "event show -c offline.toml", "Missing argument 'ID'"),
    (2, "vantage revoke khi-ptcl", "Missing option '--reason'"),
    (2, "export csv event", "'event' is none of 'measurements', 'verdicts', 'events'"),
    (2, "vantage invite khi --asn abc", "'--asn': give a whole number, such as 5"),
    (2, "demo --port 99999", "'--port': give a number less than or equal to 65535"),
    (2, f"event {'x' * LONG}", "No such command 'xxx"),
    (2, "probe '[bold]x[/bold]y' -c offline.toml", "[bold]x[/bold]y"),
    # The configuration.
    (2, "check missing.toml", "No such file or directory → check the name, or write a new"),
    (2, "check folder", "folder: cannot be read: Is a directory → name the file inside"),
    (2, "check broken.toml", "broken.toml:1:12: cannot be understood: invalid value → put text"),
    (2, "check typo.toml", 'is not a setting shutwatch knows → did you mean "listen"?'),
    (2, "check binary", "binary:2: the file is not in the encoding UTF-8 → in the editor choose"),
    (2, "check empty", "empty: vantage is missing → add a vantage: [[vantage]]"),
    (2, f"check {LONG_NAME}", "cannot be read: File name too long → give it a shorter name"),
    (2, f"init {LONG_NAME} --country PK", "File name too long: give it a shorter name"),
    (2, "check variable.toml", "→ set the environment variable NO_SUCH_NAME before"),
    (2, "run -c collector.toml", "collector.toml serves agents: type `shutwatch collector`"),
    (2, "run -c lahore.toml", "lahore.toml is an agent's: type `shutwatch agent run`"),
    (2, "collector -c lahore.toml", "lahore.toml is an agent's: type `shutwatch agent run`"),
    (2, "collector -c offline.toml", "offline.toml has no listen under [collector], where agents"),
    (2, "collector", "the built-in configuration has no listen under [collector]"),
    (2, "once -c central.toml", "no vantage here: central.toml has no [[vantage]]; add one, or"),
    (2, "once --json -c central.toml", "no vantage here: central.toml has no [[vantage]]"),
    (2, "probe https://h/ -c central.toml", "no vantage here: central.toml has no [[vantage]]"),
    (2, "check --config offline.toml", "No such option: --config: name the file alone, as in `shu"),
    (2, "check -c offline.toml", "No such option: -c: name the file alone, as in `shutwatch check"),
    (2, "doctor offline.toml", "argument(s) (offline.toml): name a configuration as in `--config"),
    (2, "run offline.toml", "argument(s) (offline.toml): name a configuration as in `--config FI"),
    (2, "run -c missing.toml", "missing.toml: cannot be read: No such file"),
    (2, "sign catalog no.toml --key x", "→ check the name, and the folder you are in"),
    (2, "agent run -c offline.toml", "has no [agent] table: `shutwatch agent join` writes"),
    # The database.
    (2, "run -c nowhere.toml", "there is no folder {}/none: create it, or set `database`"),
    (2, "run -c other.toml", "is not an SQLite database: set `database` to another file"),
    (2, "event list -c absent.toml", "does not exist yet: `shutwatch run` makes it"),
    (2, "vantage list -c absent.toml", "does not exist yet: `shutwatch run` makes it"),
    (2, "export csv events -c absent.toml -o new", "does not exist yet: `shutwatch run` makes it"),
    (2, "event list -c foreign.toml", "belongs to another program (it has a table recipes)"),
    (1, "run -c postgresql.toml", "cannot be reached: check that PostgreSQL runs"),
    (2, "db backup -c memory.toml x", '"memory:", which is not a file: name a configuration'),
    (2, "db backup -c postgresql.toml x", "PostgreSQL, which has its own tools: use pg_dump"),
    (2, "db backup -c offline.toml empty", "exists already: name another file, or add --force"),
    (2, "db backup -c offline.toml no/x", "No such file or directory: check the name, and"),
    (2, "db restore -c offline.toml gone", "there is no file gone"),
    (2, "db restore -c offline.toml folder", "folder is no regular file: name the copy"),
    (3, "db restore -c offline.toml binary", "does not hold, nothing was changed"),
    (2, "db check folder", "folder is a folder: name the file in it"),
    (2, "db copy gone postgresql://127.0.0.1:1/x", "there is no file gone: name the SQLite file"),
    (2, "db copy binary postgresql://127.0.0.1:1/x", "binary is not an SQLite database: name"),
    (2, "db copy watch.db sqlite:///y", "must be the URL of a PostgreSQL database, such as"),
    (2, "db copy watch.db 'postgresql://x:${NOPE}@h/x'", "set the environment variable NOPE"),
    (2, "db archive -c offline.toml", "there is no archive: set [archive] in the configuration"),
    # What to list or to export.
    (2, "event list -c offline.toml --country Pakistan", "Did you mean “PK” (Pakistan)?"),
    (2, "event list -c offline.toml --country ''", "--country is empty: leave it out"),
    (2, "export csv events -c offline.toml --since ''", "--since is empty: leave it out"),
    (2, "event list -c offline.toml --platform facebok", "Did you mean “facebook”?"),
    (2, "event list -c offline.toml --since yesterday", "is not a date or time, such as 2024-02"),
    (2, "event list -c offline.toml --since 2999-01-01", "is in the future, of which nothing"),
    (2, "event list -c offline.toml --since 2024-02-02 --until 2024-02-01", "is not before"),
    (2, "audit -c offline.toml --since 2024-02-02 --until 2024-02-01", "is not before"),
    (2, "audit -c offline.toml --since 2999-01-01", "is in the future, of which nothing"),
    (2, "event show -c offline.toml ab", "give at least 4 characters of the event's id"),
    (2, "event show -c offline.toml 01234567", "`shutwatch event list` shows all"),
    (2, "event review 01234567 --confirm --reject", "either --confirm or --reject, not both"),
    (2, "event review 01234567", "give --confirm, --reject or --note TEXT"),
    (2, "export csv events -c offline.toml -o folder", "folder: Is a directory: name a file, not"),
    (2, "export csv events -c offline.toml -o no/x", "no/x: No such file or directory: check the"),
    (2, f"export csv events -c offline.toml -o {LONG_NAME}", "File name too long: give it a sh"),
    (2, "export package -c offline.toml no/x", "no/x: No such file or directory: check the"),
    (2, "export csv events -c offline.toml --period day", "--period is for availability alone: "),
    (2, "export csv events -c offline.toml --by country", "--by is for availability alone: leave"),
    (2, "export csv availability -c offline.toml --timezone Karachi", "mean “Asia/Karachi”?"),
    (2, "export csv events -c offline.toml --rejudging x", "`shutwatch rejudge` makes one"),
    (2, "export parquet events -c offline.toml --for spreadsheet", "Parquet files are for prog"),
    (2, "export package -c offline.toml empty", "empty: exists, and is no empty folder"),
    (2, "report -c offline.toml", "as in --country PK --platform x --since 2024-02-17"),
    (2, f"report {X_IN_PK} -o - -c offline.toml", "--output -: a report is a file, which is read"),
    (2, f"report {X_IN_PK} -c offline.toml", "report.zip exists already: name another with -o, or"),
    (2, f"report {X_IN_PK} --language de", "one of en, ar, es, fa, fr, pt, ru, ur"),
    (2, "rejudge -c offline.toml --platform y", "'y' is not measured: give one of x"),
    # Files that others wrote.
    (2, "annotate import -c offline.toml gone", "gone: No such file or directory: check the name"),
    (2, "annotate import -c offline.toml table.csv", "line 1: unknown column 'a'; its first line"),
    (2, "annotate import -c offline.toml binary", "line 2: not UTF-8; save the file as CSV"),
    (2, "annotate import -c offline.toml line.csv", "not CSV (field larger than field limit"),
    (2, "annotate remove -c offline.toml x", "`shutwatch annotate list` shows all"),
    (2, "verify gone", "gone: No such file or directory: check the name"),
    (3, "verify binary", "its end is damaged or missing, or it is no report"),
    (2, "verify binary --key abc", "--key: a fingerprint has 64 hexadecimal digits"),
    (2, "verify binary --time-root line.csv", "line.csv: holds no certificate in PEM"),
    (2, "verify binary --bitcoin-headers binary", "binary: is not text in UTF-8"),
    (2, "judge ooni line.csv", "line.csv: JSON is malformed"),
    (2, "replay folder", "folder: Is a directory: name a file"),
    (2, "replay db -c offline.toml --database watch.db", '--database: "sqlite:///" and the name'),
    (2, f"replay ooni {X_IN_PK} --cache binary", "--cache binary: File exists: name a new one"),
    (2, "sign offline-key folder", "folder: Is a directory"),
    # Vantages, controls and messages.
    (2, "vantage invite -c offline.toml KHI", "lower-case letters, digits and single dashes, as"),
    (2, "vantage invite -c offline.toml here", "choose another id for the agent's"),
    (2, "vantage invite -c offline.toml khi", "in the configuration: [collector] urls ="),
    (2, "vantage revoke -c offline.toml khi --reason lost", "`shutwatch vantage list` shows all"),
    (2, "vantage quarantine here --reason r --since x", "is not a date: write 2024-02-17"),
    (2, "agent join bogus", "one begins with shutwatch1_, and `shutwatch vantage invite` pr"),
    (2, "agent join bogus --proxy nowhere", '--proxy: write "http://host:port", "https://host'),
    (2, "agent join -", "add --yes: standard input is the invitation, so you cannot be asked"),
    (2, "agent run -c gone.toml", "gone.toml does not exist: `shutwatch agent join` makes this"),
    (2, "agent status -c gone.toml", "`shutwatch agent join` makes this machine an agent"),
    (2, "agent pause -c gone.toml", "`shutwatch agent join` makes this machine an agent"),
    (2, "agent join", "name the invitation; `-` reads it from standard input"),
    (2, "control serve --country DE --address 'a b' --folder c", "--address 'a b': a host name of"),
    (2, "agent wipe -c gone.toml --yes", "holds nothing of an agent: name its file with --config"),
    (2, "control serve --country XX", "the two capital letters of the country where it is"),
    (2, "control serve --country DE --listen h:70000 --folder c", "a port from 1 to 65535"),
    (2, "control serve --country DE --also 'a b' --folder c", "a host name of letters, digits"),
    (2, "notify test -c offline.toml", "no [[notify.route]]: docs/notifications.md says how"),
    (2, "ooni invite --author nobody", "--author 'nobody': an e-mail address, as in desk@example"),
    (2, "globalping ask --country PK --platform x -c offline.toml", "docs/sources.md says how"),
    (2, "atlas ask --country PK --platform x -c offline.toml", "docs/sources.md says how"),
    # The first commands of a newcomer.
    (2, "init offline.toml --example", "exists already: name another, or add --force"),
    (2, "init pipe --country PK --force", "pipe is no regular file: name another"),
    (2, "init pipe --example --force", "pipe is no regular file: name another"),
    (2, "init no/x.toml --example", "cannot write no/x.toml: No such file or directory: check"),
    (2, "init new.toml", "say which country to watch, as in --country PK"),
    (2, "init new.toml --country XX", "--country 'XX': the two capital letters"),
    (2, "init new.toml --country PK --line bogus", "--line 'bogus': \"direct\", \"source:AD"),
    (2, "init new.toml --country PK --line 'socks9://u:pass@h'", "--line 'socks9://****@h'"),
    (2, "init new.toml --country PK --line 'direct 99999999999 X'", "the number of the network, a"),
    (2, "init new.toml --country PK --echo https://h/", "--echo needs --mmdb, a file that tells"),
    (2, "init new.toml --country PK --listen 300.1.1.1:1", "has four numbers from 0 to 255"),
    (2, "probe -c offline.toml tcp://h", "cannot test 'tcp://h': add a port: tcp://h:443"),
    (2, "probe -c offline.toml --vantage nosuch https://h/", "there are: here"),
    (2, "demo --folder binary", "the folder binary: File exists: name a new one"),
    (2, "password me", "give a password of at least 10 characters"),
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which all is typed."""
    made = tmp_path_factory.mktemp("mistakes")
    (made / "folder").mkdir()
    (made / "empty").touch()
    (made / "report.zip").touch()
    os.mkfifo(made / "pipe")
    with closing(sqlite3.connect(made / "foreign.db")) as foreign:
        foreign.execute("CREATE TABLE recipes (name TEXT)")
    (made / "binary").write_bytes(bytes(range(256)) * 4)
    (made / "table.csv").write_text("a,b\n1,2\n")
    columns = "since,until,country,platform,kind,text,source\n"
    (made / "line.csv").write_text(f"{columns}{'x' * 3_000_000}\n")
    (made / "broken.toml").write_text("interval = \n")
    text = OFFLINE.format(folder=made, port=unused_port())
    configured = {
        "offline": text,
        "typo": text.replace("listen", "lisen"),
        "variable": f'{text}egress = "socks5://${{NO_SUCH_NAME}}@127.0.0.1:1"\n',
    }
    configured["collector"] = f'{text}[collector]\nlisten = "127.0.0.1:{unused_port()}"\n'
    configured["central"] = text.partition("[[vantage]]")[0] + "[collector]\n"
    configured["lahore"] = AGENT
    file = f"sqlite:///{made}/watch.db"
    databases = {
        "nowhere": f"sqlite:///{made}/none/watch.db",
        "other": f"sqlite:///{made}/binary",
        "foreign": f"sqlite:///{made}/foreign.db",
        "absent": f"sqlite:///{made}/absent.db",
        "memory": "memory:",
        "postgresql": f"postgresql://watch:pw@127.0.0.1:{unused_port()}/watch",
    }
    configured |= {name: text.replace(file, url) for name, url in databases.items()}
    for name, content in configured.items():
        (made / f"{name}.toml").write_text(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.delenv("SHUTWATCH_CONFIG", raising=False)
        patch.setenv("COLUMNS", "200")
        assert CliRunner().invoke(app, ["db", "upgrade", "-c", "offline.toml"]).exit_code == 0
        yield made


@pytest.mark.parametrize(("code", "command", "answer"), MISTAKES)
def test_a_mistake_is_answered(code: int, command: str, answer: str, folder: Path) -> None:
    """On standard error, in a few lines, with the exit code of its kind and without a traceback."""
    before = sorted(folder.iterdir())
    done = CliRunner().invoke(app, shlex.split(command), input="")
    assert isinstance(done.exception, SystemExit), done.exception
    said = done.stderr
    assert answer.replace("{}", str(folder)) in said
    assert done.exit_code == code, said
    assert not done.stdout.strip()
    assert not [word for word in ("Traceback", "Errno", "goes on", "╭", "pass@") if word in said]
    assert len(said) < LONGEST
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    "command", ["password me", "agent join - --yes", "init new.toml --country PK --user me"]
)
def test_standard_input_in_another_encoding_is_answered(command: str, folder: Path) -> None:
    """As a terminal set to Latin-1 sends a name with an accent."""
    done = CliRunner().invoke(app, shlex.split(command), input="Zoé, à bientôt".encode("latin-1"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert "standard input is not UTF-8: set the terminal, or what writes to" in done.stderr
    assert not (folder / "new.toml").exists()


def test_there_are_more_than_sixty() -> None:
    """And none twice."""
    assert len({command for _, command, _ in MISTAKES}) == len(MISTAKES) > 60


@pytest.mark.parametrize("command", ["", "event", "db", "vantage", "agent", "control"])
def test_a_group_alone_shows_its_commands(command: str) -> None:
    """Bare `shutwatch` printed nothing at all. No sentence is cut, and no bracket eaten."""
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 2
    assert "Commands:" in done.stderr
    assert "..." not in done.stderr.replace("[ARGS]...", "")
    if not command:
        assert "`[server] users`" in " ".join(done.stderr.split())
