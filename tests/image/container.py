"""Our image, built by buildah and run as a container engine would, without one.

Built from a base made of Debian packages, since a test may reach no registry of images; whoever
has one names another base in SHUTWATCH_IMAGE_BASE. Run means: namespaces of its own for network,
mounts and processes, the image's file system read-only, a volume where the image says so, its
user, no capability and no way to get one.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DEBIAN = "trixie"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

UNREAD = (
    *("var/cache/apt", "var/lib/apt/lists"),
    *(f"usr/share/{name}" for name in ("doc", "info", "locale", "man")),
)
"""Folders that images of Debian leave out."""

START = 60.0
"""Seconds a busy machine gets to start a process."""

RUN = """
set -e
root=$1; volume=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$volume" "$root/data"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
ip link set lo up
exec chroot "$root" "$@"
"""
"""Sets the namespaces up from inside and becomes the process; needs root."""


class Images:
    """A store of images of its own, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._options = [
            *("--root", str(folder / "store")),
            *("--runroot", str(folder / "run")),
            *("--storage-driver", "vfs"),
        ]

    def buildah(self, command: str, *arguments: str) -> str:
        """One command of buildah; CalledProcessError with its words when it fails."""
        done = subprocess.run(
            ["buildah", *self._options, command, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"buildah {command}: {done.stderr[-3000:]}")
        return done.stdout.strip()

    def base(self) -> str:
        """The base named by SHUTWATCH_IMAGE_BASE, or one of Debian's packages."""
        if given := os.environ.get("SHUTWATCH_IMAGE_BASE"):
            return given
        tree = self._folder / "base"
        packages = "--include=python3,python3-venv,ca-certificates"
        subprocess.run(
            ["debootstrap", "--variant=minbase", packages, DEBIAN, str(tree)],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for name in UNREAD:
            shutil.rmtree(tree / name, ignore_errors=True)
        (tree / "usr/local/bin/python").symlink_to("/usr/bin/python3")
        container = self.buildah("from", "scratch")
        self.buildah("add", "-q", container, str(tree), "/")
        path = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        self.buildah("config", "--env", path, container)
        self.buildah("commit", "-q", "--rm", container, "localhost/shutwatch-base")
        shutil.rmtree(tree)
        return "localhost/shutwatch-base"

    def build(self, base: str, context: Path, target: str = "") -> str:
        """Build the Dockerfile on that base, as far as a stage if one is named; gives the image's
        name."""
        name = "localhost/shutwatch" + (f"-{target}" if target else "")
        self.buildah(
            "build",
            *("--isolation", "chroot"),
            *("--format", "docker"),  # OCI's format knows no HEALTHCHECK
            *("--ulimit", "nproc=4096:4096", "--ulimit", "nofile=4096:4096"),
            *("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"),
            *("--build-arg", f"BASE={base}"),
            *(("--target", target) if target else ()),
            *("--tag", name),
            str(context),
        )
        return name

    def measured(self, image: str, measure: Callable[[Path], str]) -> str:
        """What `measure` says of the folder that holds all files of the image."""
        name = self.buildah("from", image)
        try:
            return measure(Path(self.buildah("mount", name)))
        finally:
            self.buildah("rm", name)

    def config(self, image: str) -> dict[str, Any]:
        """What the image says about how to run it."""
        described = json.loads(self.buildah("inspect", "--type", "image", image))
        config: dict[str, Any] = described["Docker"]["config"]
        return config

    @contextmanager
    def running(self, image: str, volume: Path) -> Iterator["Container"]:
        """A container of it whose volume /data is that folder, until the context ends."""
        name = self.buildah("from", image)
        try:
            root = Path(self.buildah("mount", name))
            container = Container(root, volume, self.config(image))
            try:
                yield container
            finally:
                container.stop()
        finally:
            self.buildah("rm", name)


class Container:
    """One process of the image, and others beside it in the same namespaces."""

    def __init__(self, root: Path, volume: Path, config: Mapping[str, Any]) -> None:
        self._root = root
        self._config = config
        self.log = volume.parent / "container.log"
        environment = dict(entry.split("=", 1) for entry in config["Env"])
        environment["SHUTWATCH_CONFIG"] = "/data/shutwatch.toml"
        command = [*config["Entrypoint"], *config["Cmd"]]
        with self.log.open("wb") as log:
            self._outer = subprocess.Popen(
                [
                    *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"),
                    *("sh", "-c", RUN, "sh", str(root), str(volume)),
                    *_as_user(config["User"]),
                    *("sh", "-c", 'cd "$0" && exec "$@"', config["WorkingDir"], *command),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._environment = environment

    @property
    def pid(self) -> int:
        """The process itself, as seen from outside; AssertionError with its log when it ended."""
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        end = time.monotonic() + START
        while not (found := children.read_text().split()):
            assert self._outer.poll() is None, self._said()
            assert time.monotonic() < end, "no process yet"
            time.sleep(0.05)
        return int(found[0])

    def _said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-3000:]

    def execute(self, argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Run a program of the image beside it, as its user, as a health check is."""
        return subprocess.run(
            [
                *("nsenter", "-t", str(self.pid), "--net", "--mount", "--pid"),
                *("chroot", str(self._root)),
                *_as_user(self._config["User"]),
                *argv,
            ],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def get(self, path: str) -> str:
        """The body of one answer; empty while nobody answers."""
        code = (
            "import sys, urllib.request; "
            "sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())"
        )
        return self.execute(["python", "-c", code, f"http://127.0.0.1:10100{path}"]).stdout

    def healthy(self) -> bool:
        """What the image's own health check says."""
        kind, *argv = self._config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.execute(argv).returncode == 0

    def status(self) -> dict[str, str]:
        """The kernel's view of the process: /proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def stop(self) -> int:
        """SIGTERM to the process, as an engine does first; its exit code."""
        if self._outer.poll() is None:
            os.kill(self.pid, 15)
            try:
                self._outer.wait(30)
            except subprocess.TimeoutExpired:
                self._outer.kill()
                self._outer.wait()
        return self._outer.returncode


def _as_user(user: str) -> list[str]:
    return [
        *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"),
    ]


def wait_for(container: Container, seconds: float = 120.0) -> None:
    """Return once its health check passes; AssertionError with its log when it never does."""
    end = time.monotonic() + seconds
    while not container.healthy():
        assert time.monotonic() < end, container.log.read_text("utf-8", "replace")[-3000:]
        time.sleep(1)
