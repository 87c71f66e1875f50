"""Links from one dashboard to the next. They keep the reader's choice of variables."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

OVERVIEW, TIMELINE, EVIDENCE, VANTAGES, MONITOR = (
    f"shutwatch-{name}" for name in ("overview", "timeline", "evidence", "vantages", "monitor")
)
"""Fixed uids, since every link contains one."""

TAG = "shutwatch"

VARIABLES = ("datasource", "cluster", "job", "country", "platform", "network", "vantage")


def from_series(title: str, uid: str, *labels: str) -> dashboard.DashboardLink:
    """A link on a series, filtered by these labels of it."""
    return _link(title, uid, {label: f"${{__field.labels.{label}}}" for label in labels})


def from_row(title: str, uid: str, **names: str) -> dashboard.DashboardLink:
    """A link in a table, filtered by cells of its row: variable → name of the column."""
    return _link(title, uid, {key: f'${{__data.fields["{name}"]}}' for key, name in names.items()})


TO_THE_PAGE = (
    dashboard.DashboardLink("The event on shutwatch's page")
    .type(DashboardLinkType.LINK)
    .url("${__value.raw}")
    .target_blank(True)
)
"""A link on a cell that holds the address of an event's page."""


def _link(title: str, uid: str, filters: dict[str, str]) -> dashboard.DashboardLink:
    chosen = [
        f"var-{name}={filters[name]}" if name in filters else f"${{{name}:queryparam}}"
        for name in VARIABLES
    ]
    url = f"/d/{uid}?{'&'.join(chosen)}&${{__url_time_range}}"
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url)


def to_the_others() -> dashboard.DashboardLink:
    """The row of links at the top, with variables and time."""
    return (
        dashboard.DashboardLink("shutwatch")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .icon("external link")
        .include_vars(True)
        .keep_time(True)
    )
