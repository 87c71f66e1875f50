"""`shutwatch audit`: what people did, on the page and by commands."""

import typer

from monitor.cli.options import ConfigOption, JsonOption, load_settings
from monitor.cli.output import escape, listing_console, minute, print_json, table
from monitor.cli.selection import Since, Until, selection_of
from monitor.cli.store_options import with_store
from monitor.config.filters import Filters
from monitor.wording.acts import COMMAND_LINE


def audit(
    since: Since = "", until: Until = "", json: JsonOption = False, config: ConfigOption = None
) -> None:
    """List what people did, oldest first: who, when (UTC), what and on what."""
    settings = load_settings(config)
    wanted = selection_of(settings, Filters(since=since, until=until))
    acts = with_store(settings, lambda store: store.acts(wanted.since, wanted.until))
    if json:
        print_json(acts)
        return
    if not acts:
        typer.echo("Nobody did anything in that time.", err=True)
        return
    shown = table("when (UTC)", "who", "what", "on what", "detail")
    for one in acts:
        who = one.who or COMMAND_LINE
        cells = (who, one.what.value, one.target, one.detail)
        shown.add_row(minute(one.at), *(escape(cell) for cell in cells))
    listing_console().print(shown)
