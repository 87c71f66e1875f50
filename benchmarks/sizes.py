"""What an installation takes on disk, and what a command takes to start, of one or more revisions.

    .venv/bin/python benchmarks/sizes.py [--images] [REVISION …]

Installs each revision (HEAD, unless told) from its own lock files into a temporary folder: what
`make run` installs, what an agent gets, and the wheel with its documents. Then runs each command
eight times, the first to compile and fill caches, the revisions by turns so that other programs
disturb all alike, and prints the median of user and system time: that of the other seven. With
`--images` it also builds the Dockerfile as tests/image does, which needs root, buildah and
debootstrap. Sizes are apparent sizes in MiB (`du -sm --apparent-size`). It takes half an hour.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.image.container import Images

ROOT = Path(__file__).parents[1]
ROUNDS = 7
CONFIG = """
database = "sqlite:///watch.db"

[[vantage]]
id = "here"
country = "PK"
"""
COMMANDS = (
    *("--version", "--help", "run --help", "event --help", "export --help", "report --help"),
    *("agent status --help", "check shutwatch.toml", "catalog --config shutwatch.toml"),
    *("event list --config shutwatch.toml", "annotate list --config shutwatch.toml"),
    *("notify list --config shutwatch.toml", "db check --config shutwatch.toml"),
)


def main() -> None:
    """Install, measure, print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", action="store_true")
    parser.add_argument("revisions", nargs="*", default=["HEAD"])
    asked = parser.parse_args()
    # Bytecode is part of what is installed and of how fast it starts.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory() as temporary:
        folders = {revision: Path(temporary, revision) for revision in asked.revisions}
        sizes = {revision: install(revision, folder) for revision, folder in folders.items()}
        if asked.images:
            images = Images(Path(temporary, "images"))
            base = images.base()
            for revision, folder in folders.items():
                sizes[revision] |= image_sizes(images, base, folder / "source")
        show("MiB", asked.revisions, sizes)
        show("CPU seconds", asked.revisions, start_up(folders))


def install(revision: str, folder: Path) -> dict[str, str]:
    """Install it in the folder's `run` and `agent`; gives the sizes."""
    source, run, wheels = folder / "source", folder / "run", folder / "wheels"
    source.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", revision], cwd=ROOT, check=True, capture_output=True
    ).stdout
    subprocess.run(["tar", "x", "-C", str(source)], input=archive, check=True)
    _do("make", "-C", str(source), f"VENV={run}", str(run / ".run"))
    locks = source / "requirements"
    tools = _venv(folder / "tools")
    release = locks / "release.lock"
    _do(
        tools,
        "install",
        "--require-hashes",
        "-r",
        release if release.exists() else locks / "build.lock",
    )
    if release.exists():
        _do(folder / "tools/bin/zensical", "build", cwd=source)
    _do(tools, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, ".", cwd=source)
    (wheel,) = wheels.iterdir()
    sizes = {"`make run`": size(run), "wheel, as a file": size(wheel)}
    if (lock := locks / "agent.lock").exists():
        _do(sys.executable, "-m", "venv", "--without-pip", folder / "agent")
        into = (tools, "--python", folder / "agent", "install", "--no-deps")
        _do(*into, "--require-hashes", "-r", lock)
        _do(*into, wheel)
        sizes["agent's environment"] = size(folder / "agent")
    return sizes


def image_sizes(images: Images, base: str, source: Path) -> dict[str, str]:
    """Build the images of a checkout; gives the size of each one's files, and of the base's."""
    agent = " AS agent\n" in (source / "Dockerfile").read_text("utf-8")
    built = {"base of the images": base, "image": images.build(base, source)}
    if agent:
        built["agent's image"] = images.build(base, source, target="agent")
    return {what: images.measured(image, size) for what, image in built.items()}


def size(path: Path) -> str:
    """MiB of a file or folder, counted as `du` counts it."""
    done = subprocess.run(
        ["du", "-sm", "--apparent-size", str(path)], check=True, capture_output=True, text=True
    )
    return done.stdout.split()[0]


def start_up(folders: dict[str, Path]) -> dict[str, dict[str, str]]:
    """Revision → command → CPU seconds; none of a command that fails."""
    taken: dict[str, dict[str, list[float]]] = {}
    for folder in folders.values():
        (folder / "shutwatch.toml").write_text(CONFIG, "utf-8")
        program = str(folder / "run/bin/shutwatch")
        _do(program, "db", "upgrade", "--config", "shutwatch.toml", cwd=folder)
    for command in COMMANDS:
        for turn in range(ROUNDS + 1):
            for revision, folder in folders.items():
                seconds = cpu([str(folder / "run/bin/shutwatch"), *command.split()], folder)
                if turn and seconds is not None:
                    taken.setdefault(revision, {}).setdefault(command, []).append(seconds)
    return {
        revision: {
            f"`{command}`": f"{statistics.median(all_):.2f}" for command, all_ in one.items()
        }
        for revision, one in taken.items()
    }


def cpu(argv: list[str], folder: Path) -> float | None:
    """User and system time of one run; None when it failed."""
    null = subprocess.DEVNULL
    process = subprocess.Popen(argv, cwd=folder, stdin=null, stdout=null, stderr=null)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if process.returncode else used.ru_utime + used.ru_stime


def show(unit: str, revisions: list[str], values: dict[str, dict[str, str]]) -> None:
    """A Markdown table: a row for each thing measured, a column for each revision."""
    print(f"\n| {unit} | {' | '.join(revisions)} |\n|{'---|' * (1 + len(revisions))}")
    for row in dict.fromkeys(row for one in values.values() for row in one):
        print(f"| {row} | {' | '.join(values[one].get(row, '—') for one in revisions)} |")


def _venv(folder: Path) -> Path:
    _do(sys.executable, "-m", "venv", folder)
    return folder / "bin/pip"


def _do(*argv: str | Path, cwd: Path | None = None) -> None:
    subprocess.run([*map(str, argv)], cwd=cwd, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
