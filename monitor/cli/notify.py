"""`shutwatch notify`: test messages, and the notifications and their delivery."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from monitor.cli.bars import progress
from monitor.cli.exits import bad_usage
from monitor.cli.lazy_group import command_group
from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import escape, listing_console, print_json, table
from monitor.cli.store_options import with_store
from monitor.notify.apprise_service import AppriseService
from monitor.notify.message_value import LONG_MESSAGE
from monitor.notify.places import Places
from monitor.notify.settings import NotifySettings, Route
from monitor.notify.timing import ready_at
from monitor.notify.trial import try_all
from monitor.wording.local_time import utc_text
from storage.store import Store
from storage.values.outbox import Notice, NoticeState
from storage.values.steady_clock import utc_now

NOT_TAKEN = 3
"""Exit code when a service did not take a test message."""


app = command_group("Send test messages, and list notifications and their delivery.")


@app.command("test")
def send_test(
    route: Annotated[
        str, typer.Option(metavar="NAME", help="Only this route. Default: every route.")
    ] = "",
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a test message to every address; exit code 3 when one fails."""
    settings = load_settings(config, sends=True).notify
    routes = _chosen(settings, route)
    service = AppriseService()
    with progress("sending"):
        answers = asyncio.run(try_all(service, routes, settings.timeout, utc_now()))
    takes = {
        (one.name, target.name): service.limits(target).body
        for one in routes
        for target in one.urls
    }
    for name, target, reason in answers:
        most = takes[name, target]
        short = most if most < LONG_MESSAGE else None
        if json:
            print_json([{"route": name, "target": target, "reason": reason, "most": short}])
            continue
        less = f"; it takes {short} characters: longer messages arrive in a short form"
        typer.echo(f"{name} {target}: {reason or 'taken'}{less if short else ''}")
    if any(reason for _, _, reason in answers):
        raise typer.Exit(NOT_TAKEN)


@app.command("list")
def show(
    state: Annotated[
        NoticeState | None, typer.Option(help="Only those in this state. Default: all.")
    ] = None,
    json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List notifications, oldest first, and their delivery."""
    settings = load_settings(config)
    routes = {one.name: one for one in settings.notify.route}
    notices = with_store(settings, lambda store: _named(store, settings.notify, state))
    together: dict[tuple[str, str, str], list[Notice]] = {}
    for notice in notices:
        if notice.state is NoticeState.PENDING:
            together.setdefault((notice.route, notice.target, notice.event), []).append(notice)
    rows = [
        _row(one, routes.get(one.route), together.get((one.route, one.target, one.event), ()))
        for one in notices
    ]
    if json:
        print_json(rows)
    else:
        _print(rows)


async def _named(
    store: Store, settings: NotifySettings, state: NoticeState | None
) -> Sequence[Notice]:
    """Notices with the names that `test` has for their targets; one that is no longer configured
    has that of the outbox."""
    known = Places(settings.route, store.target_key).known
    names = {place: target.name for place, (_, target) in known.items()}
    notices = await store.outbox(state)
    return [replace(one, target=names.get(one.place, one.target)) for one in notices]


def _row(notice: Notice, route: Route | None, together: Sequence[Notice]) -> dict[str, Any]:
    """One notification, as it is shown. `together` are those that wait for the same target about
    the same event. It has a next attempt unless its route was removed."""
    waits = notice.state is NoticeState.PENDING
    return {
        "created_at": notice.created_at,
        "route": notice.route,
        "target": notice.target,
        "event_id": notice.event,
        "country": notice.country,
        "occasion": notice.occasion,
        "state": notice.state.value,
        "attempts": notice.attempts,
        "next_at": ready_at(together, route) if waits and route is not None else None,
        "settled_at": notice.settled_at,
        "reason": notice.reason,
    }


def _chosen(settings: NotifySettings, name: str) -> Sequence[Route]:
    if not settings.route:
        raise bad_usage(
            "the configuration has no [[notify.route]]: docs/notifications.md says how to add one"
        )
    routes = [route for route in settings.route if name in ("", route.name)]
    if not routes:
        known = ", ".join(route.name for route in settings.route)
        raise bad_usage(f"--route {name!r}: there is no such route; there are {known}")
    return routes


def _print(rows: Sequence[dict[str, Any]]) -> None:
    # Few columns, so that words are whole on 80; the start of an id is enough to name the event.
    console = listing_console()
    shown = table("created", "to", "event", "occasion", "attempts", "settled or next", "state")
    shown.columns[4].justify = "right"
    for row in rows:
        then = row["settled_at"] or row["next_at"]
        shown.add_row(
            utc_text(row["created_at"]),
            escape(f"{row['route']} {row['target']}"),
            escape(row["event_id"][:12] if console.is_terminal else row["event_id"]),
            row["occasion"],
            str(row["attempts"]),
            utc_text(then) if then is not None else "",
            escape(": ".join(filter(None, (row["state"], row["reason"])))),
        )
    console.print(shown)
