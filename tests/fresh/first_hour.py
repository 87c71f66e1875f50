"""A new user's first hour: from nothing to a message about a block, with the documents' commands.

    python -m tests.fresh.first_hour [TRANSCRIPT]

Installs shutwatch from the package index into a new folder, as an ordinary user, then plays the
rest in the lab. Writes docs/fresh/first-hour.txt, with each command, its time and what it showed.
Needs root (for the lab), git, make and python3 with venv. Exit code 1: a limit was missed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.fresh.machines import (
    HOMES,
    MONITOR,
    NETWORKS,
    NOBODY_SPECIAL,
    ROOT,
    Machine,
    World,
    way_out,
    world,
)
from tests.fresh.terminal import WIDTH, Missed, Terminal, Transcript, clock

TRANSCRIPT = ROOT / "docs/fresh/first-hour.txt"
COMMANDS, TOTAL, DEMO, HAND_IN = 12, 600, 60, 30
"""Most commands, and most seconds: of everything, to the demonstration's block, to an agent's first
results."""
PATIENCE = 900.0
"""Seconds for what has no limit of its own."""
PORT, WEBHOOK_PORT = 10100, 8099
SHUTWATCH = ".venv/bin/shutwatch"
WATCHING = ("pk-jazz", "pk-zong", "khi-ptcl")
"""The vantages in the country: two lines and an agent."""
X_NAMES = ("x.com", ".x.com", "twitter.com", ".twitter.com", ".twimg.com")
OWNERS = ("you", "server", "agent")
"""Whose home folders there are."""
Received = Callable[[], list[dict[str, Any]]]
"""What the webhook received so far."""
ASK = """
import sys, urllib.request
try:
    with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
        sys.stdout.write(answer.read().decode())
except OSError:
    pass
"""


class NewUser:
    """Types commands at machines, and keeps a transcript."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "you/shutwatch"
        self._homes = folder
        self.transcript = Transcript({str(folder / "address.git"): "<address of this repository>"})
        self.transcript.instead |= {str(folder / owner): "/home/you" for owner in OWNERS}
        self._open: list[Terminal] = []
        self.now: Terminal | None = None
        """The command whose output is not in the transcript yet."""

    def types(self, machine: Machine, command: str) -> Terminal:
        """A command; what it shows is noted by `stops` or `goes_on`."""
        self.notes(machine, command)
        return self.starts(machine, command)

    def notes(self, machine: Machine, command: str) -> None:
        """The command in the transcript."""
        where = "~/shutwatch" if self.transcript.commands[1:] else "~"
        self.transcript.typed(f"you@{machine.title}:{where}", command)

    def starts(self, machine: Machine, command: str) -> Terminal:
        """A command that is in the transcript already."""
        owner = machine.title if machine.title in OWNERS else "you"
        folder = self.folder if self.folder.exists() else self.folder.parent
        environment = {
            **_ways_to_the_index(),
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self._homes / owner),
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "COLUMNS": str(WIDTH),
        }
        self.now = Terminal(machine.argv(command, folder), environment, folder)
        self._open.append(self.now)
        return self.now

    def finishes(self, machine: Machine, command: str) -> str:
        """A command that ends with 0; what it showed."""
        terminal = self.types(machine, command)
        code = terminal.ended(PATIENCE)
        self._shown(f"exit code {code}")
        if code:
            raise Missed(f"{command} ended with {code}")
        return terminal.shown

    def stops(self, why: str) -> None:
        """Ctrl-C, and what the command showed until then."""
        assert self.now is not None
        terminal = self.now
        self._shown(f"{why}: Ctrl-C")
        terminal.press_ctrl_c()

    def goes_on(self, why: str = "it goes on") -> None:
        """What a command showed that goes on."""
        if self.now is not None:
            self._shown(why)

    def _shown(self, note: str) -> None:
        assert self.now is not None
        self.transcript.shown(self.now.shown, f"{self.now.seconds:.1f} s; {note}")
        self.now = None

    def leaves(self) -> None:
        """Ends what still runs."""
        for terminal in reversed(self._open):
            terminal.press_ctrl_c()


def _ways_to_the_index() -> Mapping[str, str]:
    """How this machine reaches the package index."""
    wanted = re.compile(r"PIP_\w+|\w+_(proxy|PROXY)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE")
    return {name: value for name, value in os.environ.items() if wanted.fullmatch(name)}


def page(machine: Machine, path: str) -> str:
    """What the page's server answers on that machine; empty where it does not."""
    url = f"http://127.0.0.1:{PORT}{path}"
    argv = ["nsenter", "-t", str(machine.pid), "-n", "--", sys.executable, "-c", ASK, url]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout


def text_of(html: str) -> str:
    """What people read of a page."""
    return " ".join(
        re.sub(
            r"<style.*?</style>|<[^>]+>", " ", html.replace("<wbr>", ""), flags=re.DOTALL
        ).split()
    )


@contextmanager
def webhook(machine: Machine, file: Path) -> Iterator[Received]:
    """A receiver of messages on that machine; what it received."""
    file.touch()
    argv = [sys.executable, "-m", "tests.worlds.receiver", str(WEBHOOK_PORT), str(file)]
    process = subprocess.Popen(["nsenter", "-t", str(machine.pid), "-n", "--", *argv], cwd=ROOT)
    try:
        yield lambda: [json.loads(one) for one in file.read_text().splitlines()]
    finally:
        process.terminate()
        process.wait(10)


class Story:
    """The hour, part by part."""

    def __init__(self, user: NewUser, around: World) -> None:
        self._user = user
        self._world = around
        self._monitor = around.monitor
        self.measured: dict[str, tuple[float, float]] = {}
        """What was measured → seconds (or how many), and the most there may be."""

    def installs(self, host: Machine) -> None:
        """Clone, `make run`. The package index is on the host's network, and what is watched is
        the lab's: so what `make run` does first is done with the one, and the rest in the other."""
        user = self._user
        user.finishes(host, f"git clone {user.folder.parents[1] / 'address.git'} shutwatch")
        user.transcript.typed("you@monitor:~", "cd shutwatch")
        user.notes(self._monitor, "make run")
        code = user.starts(host, "make -s .venv/.run").ended(PATIENCE)
        user.goes_on(f"installed, exit code {code}")
        if code:
            raise Missed(f"`make run` installs nothing: {code}")
        trust(self._world.lab.ca, user.folder)
        running = user.starts(self._monitor, "make run")
        running.until(lambda: bool(page(self._monitor, "/")), PATIENCE, "a page")
        user.stops("its page answers")

    def sees_the_demonstration(self) -> None:
        """`make demo`, until its page says that X is blocked."""
        demo = self._user.types(self._monitor, "make demo")
        says = "X is blocked in Demoland"
        self.measured["from `make demo` to a page that says blocked"] = (
            demo.until(lambda: says in text_of(page(self._monitor, "/")), PATIENCE, says),
            DEMO,
        )
        self._user.stops(f"the page says: {says}")

    def sets_up(self) -> None:
        """A control, the configuration, its trial, a test message."""
        user, instead = self._user, self._user.transcript.instead
        control = user.types(self._world.server, f"{SHUTWATCH} control serve --country NL")
        control.until(lambda: "Serving as a control" in control.shown, PATIENCE, "a control")
        pasted = re.search(r'--control "NL .*?"', control.shown.replace("\n", ""))
        secrets = re.search(r"shutwatch:([^@]+)@.*?#([0-9a-f]{64})", pasted[0]) if pasted else None
        if pasted is None or secrets is None:
            raise Missed("no option for `shutwatch init` is shown")
        instead |= {secrets[1]: "PASSWORD", secrets[2]: "CERTIFICATE-DIGEST"}
        user.goes_on()
        lines = (
            f'--line "{way_out(home)} {network.asn} {network.title}"'
            for home, network in zip(HOMES, NETWORKS[1:], strict=True)
        )
        user.finishes(
            self._monitor,
            f"{SHUTWATCH} init --country PK {' '.join(lines)} {pasted[0]} "
            f"--notify json://127.0.0.1:{WEBHOOK_PORT}/newsroom --collector {MONITOR} --no-follow",
        )
        user.finishes(self._monitor, f"{SHUTWATCH} doctor --config shutwatch.toml")

    def watches(self, received: Received) -> Terminal:
        """The collector, an agent, and what they find of X. The collector goes on."""
        user, monitor = self._user, self._monitor
        collector = user.types(monitor, f"{SHUTWATCH} collector --config shutwatch.toml")
        collector.until(lambda: "listening for agents" in collector.shown, PATIENCE, "a collector")
        user.goes_on()
        user.finishes(monitor, f"{SHUTWATCH} notify test --config shutwatch.toml")
        if len(received()) != 1:
            raise Missed("the webhook did not receive the test message")
        invited = user.finishes(
            monitor,
            f"{SHUTWATCH} vantage invite khi-ptcl --country PK --asn 17557 --network PTCL "
            "--config shutwatch.toml",
        )
        token = invited.split()[-1]
        joining = user.types(self._world.agent, f"{SHUTWATCH} agent join {token}")
        joining.until(lambda: "Do you agree" in joining.shown, PATIENCE, "what is agreed to")
        joining.type("y\n")
        first = "First results delivered"
        self.measured["from `agent join` to the first results"] = (
            joining.until(lambda: first in joining.shown, PATIENCE, first),
            HAND_IN,
        )
        user.goes_on()
        collector.until(self._decided, PATIENCE, "verdicts on X from everywhere")
        passed = user.transcript.passed
        self.measured["from nothing to watching"] = (passed, TOTAL)
        user.transcript.say("", f"{clock(passed)} The page says:", *self._rows(), "The API says:")
        states = self._verdicts().items()
        user.transcript.say(*(f"  {name}: X: {', '.join(found)}" for name, found in states))
        return collector

    def is_told(self, collector: Terminal, received: Received) -> None:
        """X is blocked, and the webhook receives a message."""
        transcript, before = self._user.transcript, len(received())
        rules = [one.block(sni=X_NAMES, how="reset") for one in self._world.lab.networks]
        transcript.say("", f"{clock(transcript.passed)} All three networks reset what names X.")
        began = collector.seconds
        told = collector.until(
            lambda: len(received()) > before, began + PATIENCE, "a message about it"
        )
        told -= began
        letter = received()[before]
        transcript.say(
            f"{clock(transcript.passed)} After {told:.0f} s the webhook receives:",
            *(f"  {line}" for line in (letter["title"], "", *letter["message"].splitlines())),
        )
        if "X is blocked in Pakistan" not in letter["title"] or not any(r.hits for r in rules):
            raise Missed("the message is about something else")
        began = collector.seconds
        collector.until(self._blocked, began + PATIENCE, "a page that says blocked everywhere")
        transcript.say("", f"{clock(transcript.passed)} The page says:", *self._rows())

    def _verdicts(self) -> dict[str, list[str]]:
        """Vantage → states of X in its verdicts."""
        answer = page(self._monitor, "/api/v1/verdicts?country=PK&platform=x&limit=1000")
        rows = json.loads(answer)["data"] if answer else []
        return {
            name: sorted({one["state"] for one in rows if one["vantage"] == name})
            for name in WATCHING
        }

    def _rows(self) -> list[str]:
        """What the country's page says of X, by network."""
        found = []
        for row in re.findall(
            r'<tr role="row">(.*?)</tr>', page(self._monitor, "/countries/PK"), re.DOTALL
        ):
            network = re.search(r'role="rowheader">(.*?)</th>', row, re.DOTALL)
            cell = re.search(r'data-platform="X">(.*?)</td>', row, re.DOTALL)
            if network and cell:
                found.append(f"  {text_of(network[1])}: X: {text_of(cell[1])}")
        return found

    def _decided(self) -> bool:
        """Whether the API and the page say of each vantage that X is not blocked there."""
        if not all("ok" in states for states in self._verdicts().values()):
            return False
        return self._all_say("ok")

    def _blocked(self) -> bool:
        """Whether the page says so of each vantage."""
        return self._all_say("blocked")

    def _all_say(self, state: str) -> bool:
        rows = self._rows()
        return len(rows) == len(WATCHING) and all(f": X: {state}" in one for one in rows)


HEADING = """\
A new user's first hour. Written by `python -m tests.fresh.first_hour`; docs/first-week.md and the
README give the commands.

{system}, {python}, {commit}

Times are minutes and seconds since the first command. Everything is typed by an ordinary user. The
installation uses the package index. Everything after it is in a lab of network namespaces, which is
the Internet here: its hosts answer in the platforms' place, and shutwatch was made to trust their
certificates. The control's server and the agent's machine use the same installation: as machines of
their own they need one each, which is not counted here. Passwords, the certificate's digest and the
invitation are replaced by words."""


def heading() -> Sequence[str]:
    """What this is, and on what system."""
    (system,) = re.findall(r'^PRETTY_NAME="(.*)"$', Path("/etc/os-release").read_text(), re.M)
    words = (["/usr/bin/python3", "--version"], ["git", "log", "-1", "--format=commit %h of %cs"])
    python, commit = (
        subprocess.run(one, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
        for one in words
    )
    return HEADING.format(system=system, python=python, commit=commit).splitlines()


def trust(authority: Path, folder: Path) -> None:
    """Have the installation believe the authority of the lab's certificates, as it believes those
    of the Internet's."""
    (roots,) = folder.glob(".venv/lib/python3*/site-packages/certifi/cacert.pem")
    roots.write_text(roots.read_text("utf-8") + authority.read_text("utf-8"), "utf-8")


def prepared(folder: Path) -> None:
    """Homes, and the repository's address: a copy of this checkout."""
    for owner in OWNERS:
        (folder / owner).mkdir()
    copied = ["git", "clone", "-q", "--bare", "--no-hardlinks", str(ROOT)]
    subprocess.run([*copied, str(folder / "address.git")], check=True)
    folder.chmod(0o755)
    for one in (folder, *folder.rglob("*")):
        os.chown(one, NOBODY_SPECIAL, NOBODY_SPECIAL, follow_symlinks=False)


def judged(story: Story, transcript: Transcript) -> bool:
    """Whether every limit was kept; says so."""
    measured = {"commands": (float(len(transcript.commands)), float(COMMANDS)), **story.measured}
    transcript.say("", "Result")
    for what, (found, most) in measured.items():
        verdict = "kept" if found <= most else "MISSED"
        transcript.say(f"  {what}: {found:.0f} (at most {most:.0f}): {verdict}")
    return all(found <= most for found, most in measured.values())


def main(file: Path) -> int:
    """Play it, and write the transcript. The exit code."""
    if os.geteuid() != 0:
        sys.stderr.write("the lab needs root here\n")
        return 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="first-hour-")))
        prepared(folder)
        around = stack.enter_context(world())
        user = NewUser(folder)
        stack.callback(user.leaves)
        received = stack.enter_context(webhook(around.monitor, folder / "letters"))
        user.transcript.say(*heading())
        story = Story(user, around)
        try:
            story.installs(Machine(title="monitor", pid=0))
            story.sees_the_demonstration()
            story.sets_up()
            collector = story.watches(received)
            good = judged(story, user.transcript)
            story.is_told(collector, received)
        except Missed as missed:
            user.goes_on()
            user.transcript.say("", f"MISSED: {missed}")
            good = False
        user.transcript.write(file)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else TRANSCRIPT))
