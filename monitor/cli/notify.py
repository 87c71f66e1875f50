"""`shutwatch notify`: whether messages arrive, and what became of those that were to be sent."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from monitor.app.clock import utc_now
from monitor.cli.console import plain_console
from monitor.cli.options import BAD_USAGE, ConfigOption, fail, load_settings
from monitor.cli.store_options import with_store
from monitor.notify.apprise_service import AppriseService
from monitor.notify.delivery import ready_at
from monitor.notify.message import trial_message
from monitor.notify.message_words import message_words
from monitor.notify.settings import NotifySettings, Route, Target
from monitor.wording.local_time import utc_text
from storage.store import Store
from storage.values.outbox import Notice, NoticeState

DID_NOT_HOLD = 3


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Test messages, and see what became of them.")
    app.add_typer(group, name="notify", no_args_is_help=True)

    @group.command()
    def test(
        route: Annotated[
            str, typer.Option(metavar="NAME", help="Only this route; else every one.")
        ] = "",
        config: ConfigOption = None,
    ) -> None:
        """Send a message that says it is a test to every address; 3 when one did not take it."""
        settings = load_settings(config).notify
        routes = _chosen(settings, route)
        answers = asyncio.run(_try_all(routes, settings.timeout))
        for name, target, reason in answers:
            typer.echo(f"{name} {target}: {reason or 'taken'}")
        if any(reason for _, _, reason in answers):
            raise typer.Exit(DID_NOT_HOLD)

    @group.command("list")
    def show(
        state: Annotated[
            NoticeState | None, typer.Option(help="Only those in this state; else all.")
        ] = None,
        json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
        config: ConfigOption = None,
    ) -> None:
        """List what was to be told to whom, oldest first, and what became of it."""
        settings = load_settings(config)

        async def read(store: Store) -> list[Notice]:
            return await store.outbox(state)

        routes = {one.name: one for one in settings.notify.route}
        rows = [_row(notice, routes.get(notice.route)) for notice in with_store(settings, read)]
        if json:
            for row in rows:
                sys.stdout.write(f"{msgspec.json.encode(row).decode()}\n")
        else:
            _print(rows)


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One notice, as it is shown."""

    created_at: datetime
    route: str
    target: str
    event_id: str
    country: str
    occasion: str
    state: str
    attempts: int
    next_at: datetime | None
    """When it is tried next; None when it is settled, or its route is gone."""
    settled_at: datetime | None
    reason: str


def _row(notice: Notice, route: Route | None) -> _Row:
    waits = notice.state is NoticeState.PENDING and route is not None
    return _Row(
        created_at=notice.created_at,
        route=notice.route,
        target=notice.target,
        event_id=notice.event,
        country=notice.country,
        occasion=notice.occasion,
        state=notice.state.value,
        attempts=notice.attempts,
        next_at=ready_at(notice, route) if waits and route is not None else None,
        settled_at=notice.settled_at,
        reason=notice.reason,
    )


def _chosen(settings: NotifySettings, name: str) -> Sequence[Route]:
    if not settings.route:
        raise fail("nobody is to be told: the configuration has no [[notify.route]]", BAD_USAGE)
    routes = [route for route in settings.route if name in ("", route.name)]
    if not routes:
        known = ", ".join(route.name for route in settings.route)
        raise fail(f"--route {name!r}: there is no such route; there are {known}", BAD_USAGE)
    return routes


async def _try_all(routes: Sequence[Route], within: float) -> list[tuple[str, str, str]]:
    """Route, target, and why it did not take the message, empty when it did."""
    carrier = AppriseService()

    async def one(route: Route, target: Target) -> tuple[str, str, str]:
        message = trial_message(message_words(route.language), route.name, utc_now())
        return route.name, target.name, await carrier.deliver(target, message, within)

    return await asyncio.gather(*(one(route, target) for route in routes for target in route.urls))


def _print(rows: Sequence[_Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("made", "route", "target", "event", "occasion", "state", "tries", "then", "why"):
        table.add_column(name, justify="right" if name == "tries" else "left")
    for row in rows:
        then = row.settled_at or row.next_at
        table.add_row(
            utc_text(row.created_at),
            *map(escape, (row.route, row.target, row.event_id, row.occasion, row.state)),
            str(row.attempts),
            utc_text(then) if then is not None else "",
            escape(row.reason),
        )
    plain_console().print(table)
