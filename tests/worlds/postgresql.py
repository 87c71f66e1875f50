"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket in it, as a user who is
nobody in particular.

Its databases sort text as English does, not by the numbers of characters, as most servers out there
do: what relies on the one or the other shows.
"""

import functools
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

_USERS = ("postgres", "nobody")
_SETTINGS = (
    *("fsync=off", "full_page_writes=off"),
    *("max_connections=200", "shared_buffers=64MB", "max_wal_size=2GB", "logging_collector=off"),
)
DURABLE = ("fsync=on", "full_page_writes=on")
"""Settings of one that syncs, as it does out there."""
_WITH_STRATEGY = 150000
_WAIT = 60.0
_GONE = 1.0


def programs() -> Path | None:
    """The folder of the newest server there is, None where none is installed."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name)
    )
    folders += [Path("/usr/local/bin")]
    found = [folder for folder in folders if (folder / "postgres").exists()]
    return found[-1] if found else None


def why_refused() -> str:
    """Why an installed server cannot be started here; empty if it can."""
    if os.geteuid() == 0 and _user() is None:
        return "root may not run PostgreSQL, and there is no other user to do so"
    return ""


def _user() -> pwd.struct_passwd | None:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next((known[name] for name in _USERS if name in known), None)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


_CATALOGS = (
    *("pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_trigger", "pg_proc"),
    *("pg_type", "pg_extension", "pg_db_role_setting"),
    # Those of temporary tables are made for the first of them, and stay.
    "pg_namespace WHERE nspname !~ 'temp'",
)
_SHAPE = " UNION ALL ".join(
    [
        "SELECT count(*), 0 FROM pg_class",
        *(f"SELECT count(*), max(xmin::text::bigint) FROM {name}" for name in _CATALOGS),  # noqa: S608
    ]
)
"""Differs as soon as anything but rows has changed."""
_OTHERS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"


class Emptied:
    """Databases made from one template, whose rows and partitions were removed again: to copy and
    to drop one costs ten times as much as that."""

    def __init__(self, cluster: "Cluster", template: str) -> None:
        """The template may not change from now on."""
        self._cluster = cluster
        self._template = template
        self._free: list[str] = []
        with cluster.connect(template) as connection:
            self._tables = {name: _rows(connection, name) for name in _tables(connection)}
            self._shape = connection.execute(_SHAPE.encode()).fetchall()

    def take(self) -> str:
        """The name of a database like the template."""
        return self._free.pop() if self._free else self._cluster.new_database(self._template)

    def give_back(self, name: str) -> None:
        """Empty it for the next, or drop it where more than that has changed."""
        with self._cluster.connect(name) as connection:
            like_new = _alone(connection) and self._empty(connection)
        if like_new:
            self._free.append(name)
        else:
            self._cluster.drop_database(name)

    def _empty(self, connection: psycopg.Connection) -> bool:
        """Whether it is like the template now."""
        there = set(_tables(connection))
        if not there >= self._tables.keys():
            return False
        added = there - self._tables.keys()
        # Deletes even from tables that refuse it.
        steps = ["SET session_replication_role = replica", *(f'DROP TABLE "{n}"' for n in added)]
        steps += [f'DELETE FROM "{name}"' for name, rows in self._tables.items() if not rows]  # noqa: S608
        connection.execute(";".join(steps).encode())
        for (sequence,) in connection.execute(_SEQUENCES.encode()).fetchall():
            connection.execute("SELECT setval(%s, 1, false)", [f'public."{sequence}"'])
        return connection.execute(_SHAPE.encode()).fetchall() == self._shape and all(
            _rows(connection, name) == rows for name, rows in self._tables.items() if rows
        )


def _tables(connection: psycopg.Connection) -> list[str]:
    return [str(name) for (name,) in connection.execute(_TABLES.encode()).fetchall()]


def _alone(connection: psycopg.Connection) -> bool:
    """Whether nobody else is connected; who hung up just now is given a moment to be gone."""
    end = time.monotonic() + _GONE
    while connection.execute(_OTHERS.encode()).fetchall() != [(0,)]:
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def _rows(connection: psycopg.Connection, table: str) -> list[tuple[object, ...]]:
    return connection.execute(f'SELECT * FROM "{table}"'.encode()).fetchall()  # noqa: S608


class Cluster:
    """One server; `start` it, and `stop` it at the end."""

    def __init__(
        self,
        *,
        tcp: bool = False,
        settings: tuple[str, ...] = (),
        run_by: Callable[[Sequence[str]], Sequence[str]] = lambda argv: argv,
        disk: Callable[[Path, int], Sequence[str]] = lambda *_: (),
    ) -> None:
        """Without `tcp` it is reached by its socket alone, else by `port` of 127.0.0.1 as well.
        `settings` come last, as in `shared_buffers=1GB`. `run_by` makes the command that runs the
        server of the one that would. `disk` puts a disk under the folder for its data, for a user
        of that id, and gives what has to stand before a command that is to see it."""
        self.port = _free_port() if tcp else 5432
        # Short, since its path is part of a socket's.
        self.folder = Path(tempfile.mkdtemp(prefix="shutwatch-pg-", dir="/tmp"))
        listen = "listen_addresses=127.0.0.1" if tcp else "listen_addresses="
        self._settings = (*_SETTINGS, f"port={self.port}", listen, *settings)
        self._run_by = run_by
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count()
        user = _user() if os.geteuid() == 0 else None
        (self.folder / "data").mkdir(0o700)
        ids: Sequence[str] = ()
        if user is not None:
            ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups")
            for folder in (self.folder, self.folder / "data"):
                os.chown(folder, user.pw_uid, user.pw_gid)
        uid = os.geteuid() if user is None else user.pw_uid
        see = disk(self.folder / "data", uid)
        self._as = [*see, "setpriv", *ids, "--pdeathsig", "KILL"]
        self._make()

    def _program(self, name: str) -> str:
        folder = programs()
        assert folder is not None
        return str(folder / name)

    def _make(self) -> None:
        locale = ("--locale=C.UTF-8", "--encoding=UTF8")
        made = [self._program("initdb"), "-D", str(self.folder / "data"), "-U", "shutwatch"]
        made += ["-A", "trust", "--no-sync", *locale]
        icu = ["--locale-provider=icu", "--icu-locale=en-US"]
        for also in (icu, []):  # before PostgreSQL 15 there was no such choice
            done = subprocess.run(
                [*self._as, *made, *also], capture_output=True, cwd="/", check=False
            )
            if done.returncode == 0:
                return
        raise AssertionError(done.stderr.decode())

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [f"--{setting}" for setting in self._settings]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._run_by(
                    [
                        *(*self._as, self._program("postgres"), "-D", str(self.folder / "data")),
                        *("-k", str(self.folder), *settings),
                    ]
                ),
                stdout=log,
                stderr=log,
                cwd="/",
            )
        end = time.monotonic() + _WAIT
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError((self.folder / "log").read_text()) from None
                time.sleep(0.05)
            else:
                return

    def stop(self, sent: int = signal.SIGINT) -> None:
        """Stop it: at once but in order, or as `sent` does."""
        assert self._process is not None
        self._process.send_signal(sent)
        self._process.wait(_WAIT)
        self._process = None

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        if self._process is not None:
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def conninfo(self, database: str) -> str:
        """For psycopg."""
        return f"host={self.folder} port={self.port} user=shutwatch dbname={database}"

    def url(self, database: str) -> str:
        """As in the setting `database`."""
        return f"postgresql://shutwatch@/{database}?host={self.folder}&port={self.port}"

    def connect(self, database: str) -> psycopg.Connection:
        """A connection that commits each statement by itself."""
        return psycopg.connect(self.conninfo(database), autocommit=True)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """What a statement gives, run by itself."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self, template: str = "template1") -> str:
        """The name of a database made now."""
        name = f"test_{next(self._names)}"
        # By default each page of it is written to the log besides, for thrice the work.
        strategy = "STRATEGY file_copy" if self._version >= _WITH_STRATEGY else ""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {strategy}')
        return name

    @functools.cached_property
    def _version(self) -> int:
        with psycopg.connect(self.conninfo("postgres")) as connection:
            return connection.info.server_version

    def drop_database(self, name: str) -> None:
        """Drop it, whoever still uses it."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
