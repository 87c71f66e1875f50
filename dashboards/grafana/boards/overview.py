"""Overview: which platforms are blocked where, and which vantages work."""

from typing import Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import (
    OVERVIEW,
    TIMELINE,
    TO_THE_PAGE,
    VANTAGES,
    from_row,
    from_series,
)
from dashboards.grafana.boards.palette import (
    CONFIRMED,
    FAULT,
    GREEN,
    GREY,
    PLATFORM_STATES,
    RECOVERING,
    SLATE,
    SUSPECTED,
    WATCH,
)
from dashboards.grafana.boards.parts import (
    as_unit,
    coloured,
    graph,
    history,
    linked,
    listing,
    number,
)
from dashboards.grafana.boards.promql import (
    CIRCUMSTANCES,
    DECIDED,
    EVENT,
    FIELD,
    JOB,
    PAIR,
    STATE,
    VANTAGE,
    coded,
    named,
    page_of,
)
from monitor.wording.states import EVENT_STATES


def numbers() -> list[Any]:
    """Six big numbers."""
    active = f"shutwatch_blocking_event_active{{{EVENT}}}"
    state = f"shutwatch_platform_state{{{EVENT}"
    missing = f'shutwatch_platform_undecided_verdicts{{{EVENT},cause="not_measured"}}'
    return [
        number(
            "Confirmed blocks",
            "Blocks of one platform in one country that are confirmed and active now.",
            _events_that_are("true"),
            units.Short,
            (None, GREY),
            (1, CONFIRMED),
            width=3,
        ),
        number(
            "Suspected blocks",
            "Active events that are only suspected: a lead, not a finding.",
            _events_that_are("false"),
            units.Short,
            (None, GREY),
            (1, SUSPECTED),
            width=3,
        ),
        number(
            "Decided",
            "Current verdicts on the chosen platforms that say something, out of all that field "
            "vantages should give. No event means no block only as far as this reaches; the rest "
            "is undecided or not measured.",
            f"sum({state},{DECIDED}}} or 0 * {missing})\n/ sum({state}}} or {missing})",
            units.PercentUnit,
            (None, FAULT),
            (0.5, WATCH),
            (1, GREEN),
            width=5,
        ),
        number(
            "Working field vantages",
            "Field vantages whose own link is healthy and that are not in quarantine, out of all "
            "configured. Below 100%, some blocks go unseen.",
            f'sum(shutwatch_vantage_state{{{FIELD},state=~"ok|lossy"}}\n'
            "  unless on (cluster, job, instance, vantage)\n"
            f"  shutwatch_vantage_quarantined{{{JOB}}} == 1\n"
            f"  or 0 * shutwatch_vantage_info{{{FIELD}}})\n"
            f"/ count(shutwatch_vantage_info{{{FIELD}}})",
            units.PercentUnit,
            (None, FAULT),
            (0.5, WATCH),
            (1, GREEN),
            width=5,
        ),
        number(
            "Blind spots",
            "Pairs of country and platform without a decided network: a block there would go "
            "unseen.",
            f"count(\n  max by ({PAIR}) ({active})\n  unless on ({PAIR})\n"
            f"  (max by ({PAIR}) (shutwatch_platform_state{{{STATE},{DECIDED}}}) == 1)"
            f"\n) or 0 * sum({active})",
            units.Short,
            (None, GREEN),
            (1, WATCH),
            width=4,
        ),
        number(
            "Oldest report",
            "Time since the last report of the vantage that has been silent longest, of those that "
            "ever reported.",
            f"time() - min(shutwatch_vantage_last_report_timestamp_seconds{{{VANTAGE}}} > 0)",
            units.Seconds,
            (None, GREEN),
            (900, WATCH),
            (1800, FAULT),
            width=4,
        ),
    ]


def _events_that_are(confirmed: str) -> str:
    """How many active events were ever confirmed, or were not; 0 where something is watched."""
    found = f'count(shutwatch_blocking_event_state{{{EVENT},confirmed="{confirmed}"}})'
    return f"{found}\nor 0 * sum(shutwatch_blocking_event_active{{{EVENT}}})"


def blocked() -> list[Any]:
    """Platforms by country, over time and now."""
    by_country = history(
        "Platforms by country",
        "What the newest tests show, worst network of a country. An event weighs them: see below "
        "whether one is suspected or confirmed. Grey is no data or not enough to tell, never good "
        "news. A line leads to its timeline.",
        named(coded("shutwatch_platform_state", STATE, PLATFORM_STATES, PAIR)),
        PLATFORM_STATES,
        12,
    ).data_links([from_series("Timeline of this platform", TIMELINE, "country", "platform")])
    ratio = graph(
        "Networks blocking",
        "Networks of a country on which a platform is blocked, out of those with a decided "
        "verdict. No line means that there are none.",
        units.PercentUnit,
        named(f"max by ({PAIR}) (shutwatch_platform_blocked_networks_ratio{{{EVENT}}})"),
        width=24,
    ).max(1)
    return [by_country, events(), _alerts(), ratio]


def events() -> table.Panel:
    """The active events as a table."""
    link = from_row("Timeline of this event", TIMELINE, country="Code", platform="Platform")
    states = {
        "suspected": SUSPECTED,
        "confirmed": CONFIRMED,
        "recovering": RECOVERING,
        "unobserved": SLATE,
    }
    state = f"shutwatch_blocking_event_state{{{EVENT}}}"
    of = f"{PAIR}, event"

    def onset(name: str) -> str:
        return f"shutwatch_blocking_event_{name}_timestamp_seconds{{{EVENT}}}"

    return listing(
        "Active events",
        "Every active event: whether it was ever confirmed, when its present stretch began, when "
        "it was first blocked, and on how many of the networks tested. The times are the first "
        "moments known to be blocked.",
        [
            named(f"max by ({of}, state, confirmed) ({state})"),
            f"max by ({of}) ({onset('onset')}) * 1000",
            f"max by ({of}) ({onset('first_onset')}) * 1000",
            f"max by ({PAIR}) (shutwatch_blocking_event_networks_affected{{{EVENT}}})",
            f"max by ({PAIR}) (shutwatch_blocking_event_networks_seen{{{EVENT}}})",
            f"max by ({of}, page) (\n{page_of(state)}\n)",
        ],
        {
            "country_name": "Country",
            "country": "Code",
            "platform": "Platform",
            "state": "State",
            "confirmed": "Ever confirmed",
            "Value #B": "Blocked since",
            "Value #C": "First blocked",
            "Value #D": "Networks affected",
            "Value #E": "Networks seen",
            "page": "Page",
        },
        {
            "Platform": [linked(link)],
            "Blocked since": [as_unit(units.DatetimeISO)],
            "First blocked": [as_unit(units.DatetimeISO)],
            "State": coloured(states, EVENT_STATES),
            "Ever confirmed": coloured(EVER_CONFIRMED, {"true": "yes", "false": "suspected only"}),
            "Page": [linked(TO_THE_PAGE)],
        },
        hidden=("event", "Value #A", "Value #F"),
        width=24,
    )


EVER_CONFIRMED = {"true": CONFIRMED, "false": SUSPECTED}


def _alerts() -> table.Panel:
    alerts = (
        "count by (alertname, severity, country, platform, vantage) (\n"
        '  ALERTS{alertname=~"Shutwatch.+",alertstate="firing",'
        'country=~"$country|",platform=~"$platform|"}\n)'
    )
    return listing(
        "Firing alerts",
        "Alerts of shutwatch's rules that fire now, ShutwatchWatchdog always among them. Without "
        "the rules in Prometheus there are none here.",
        [named(alerts, some=True)],
        {
            "severity": "Severity",
            "alertname": "Alert",
            "country_name": "Country",
            "country": "Code",
            "platform": "Platform",
            "vantage": "Vantage",
        },
        {"Vantage": [linked(from_row("This vantage", VANTAGES, vantage="Vantage"))]},
        hidden=("Value",),
        width=24,
    )


def circumstances() -> list[Any]:
    """Events of other kinds, which may explain failures."""
    panel = listing(
        "Outages, shutdowns and silent vantages",
        "Events that are no block of a platform and explain failures: an outage of the platform "
        "everywhere, a shutdown of a country, a silent vantage.",
        [
            named(
                f"max by (kind, country, platform, vantage, event, state) ({CIRCUMSTANCES})",
                some=True,
            ),
            f"max by (event, page) (\n{page_of(CIRCUMSTANCES)}\n)",
        ],
        {
            "kind": "What",
            "country_name": "Country",
            "country": "Code",
            "platform": "Platform",
            "vantage": "Vantage",
            "state": "State",
            "page": "Page",
        },
        {
            "Vantage": [linked(from_row("This vantage", VANTAGES, vantage="Vantage"))],
            "Page": [linked(TO_THE_PAGE)],
        },
        hidden=("event", "Value #A", "Value #B"),
        width=24,
        height=6,
    )
    return [panel]


BOARD = Board(
    OVERVIEW,
    "shutwatch 1: overview",
    "Which platforms are blocked where, and whether the vantages work.",
    (("Now", numbers), ("Blocking", blocked), ("Other events", circumstances)),
)
