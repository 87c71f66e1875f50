"""An installation with two detected events, for the commands people judge them with."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from typer.testing import CliRunner, Result

from monitor.analysis.events.event import EventState
from monitor.cli.main import app
from storage.open_store import sql_store
from tests.contract.cycles import cycle, event, log_entry

PK_EVENT, BR_EVENT = "aaaa1111bbbb2222cccc", "aaaa9999bbbb2222cccc"


class Installation:
    """A configuration and its database."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "shutwatch.db"
        self.config = folder / "shutwatch.toml"
        self.config.write_text(
            f'database = "sqlite:///{self.file}"\n[[vantage]]\nid = "khi-ptcl"\ncountry = "PK"\n'
        )

    def fill(self) -> None:
        """Store two events with their logs."""
        here = event(PK_EVENT)
        there = event(BR_EVENT, country="BR", platform="whatsapp", detected=900)

        async def fill() -> None:
            store = sql_store(f"sqlite:///{self.file}")
            await store.open()
            await store.save(cycle(1), [here], [log_entry(1, here)])
            await store.save(cycle(2), [there], [log_entry(1, there)])
            await store.close()

        asyncio.run(fill())

    def goes_on(self, event_id: str) -> str:
        """Store that an event goes on as another, whose id is returned."""
        gone, other = event(event_id), event("cccc" * 5)
        withdrawn = msgspec.structs.replace(gone, state=EventState.WITHDRAWN)
        lines = [
            msgspec.structs.replace(log_entry(1, other), detail=f"goes on from {gone.id}"),
            msgspec.structs.replace(
                log_entry(2, withdrawn), change="withdrawn", detail=f"goes on as {other.id}"
            ),
        ]

        async def store() -> None:
            opened = sql_store(f"sqlite:///{self.file}")
            await opened.open()
            await opened.save(cycle(3), [withdrawn, other], lines)
            await opened.close()

        asyncio.run(store())
        return other.id

    def run(self, *arguments: str) -> Result:
        """One command."""
        return CliRunner().invoke(app, [*arguments, "--config", str(self.config)])

    def lines(self, *arguments: str) -> list[Any]:
        """What one command with --json prints."""
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return [msgspec.json.decode(line) for line in done.stdout.splitlines()]

    def rows(self, *tables: str) -> dict[str, list[Any]]:
        """Everything in these tables, cell by cell."""
        with closing(sqlite3.connect(self.file)) as database:
            return {
                table: database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
                for table in tables
            }
