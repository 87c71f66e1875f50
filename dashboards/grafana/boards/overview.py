"""Overview: which platforms are blocked where, and which vantages work."""

from typing import Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import OVERVIEW, TIMELINE, VANTAGES, from_row, from_series
from dashboards.grafana.boards.palette import (
    AMBER,
    GREEN,
    GREY,
    ORANGE,
    PLATFORM_STATES,
    PURPLE,
    RED,
    SLATE,
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
    EVENT,
    FIELD,
    PAIR,
    STATE,
    VANTAGE,
    coded,
)
from monitor.wording.states import EVENT_STATES


def numbers() -> list[Any]:
    """Five big numbers."""
    active = f"shutwatch_blocking_event_active{{{EVENT}}}"
    state = f"shutwatch_platform_state{{{EVENT}"
    missing = f'shutwatch_platform_undecided_verdicts{{{EVENT},cause="not_measured"}}'
    return [
        number(
            "Events now",
            "Blocks of one platform in one country that are active now, suspected or confirmed.",
            f"sum(max by ({PAIR}) ({active}))",
            units.Short,
            (None, GREY),
            (1, RED),
            width=4,
        ),
        number(
            "Decided",
            "Current verdicts on the chosen platforms that say something, out of all that field "
            "vantages should give. No event means no block only as far as this reaches; the rest "
            "is undecided or not measured.",
            f'sum({state},state!="insufficient"}} or 0 * {missing})\n/ sum({state}}} or {missing})',
            units.PercentUnit,
            (None, RED),
            (0.5, AMBER),
            (1, GREEN),
        ),
        number(
            "Working field vantages",
            "Field vantages whose own link is healthy, out of all configured. Below 100%, some "
            "blocks go unseen.",
            f'sum(shutwatch_vantage_state{{{FIELD},state=~"ok|lossy"}})\n'
            f"/ count(shutwatch_vantage_info{{{FIELD}}})",
            units.PercentUnit,
            (None, RED),
            (0.5, AMBER),
            (1, GREEN),
        ),
        number(
            "Blind spots",
            "Pairs of country and platform without a decided network: a block there would go "
            "unseen.",
            f"count(\n  max by ({PAIR}) ({active})\n  unless on ({PAIR})\n"
            f'  (max by ({PAIR}) (shutwatch_platform_state{{{STATE},state!="insufficient"}}) == 1)'
            f"\n) or 0 * sum({active})",
            units.Short,
            (None, GREEN),
            (1, AMBER),
            width=4,
        ),
        number(
            "Oldest report",
            "Time since the last report of the vantage that has been silent longest, of those that "
            "ever reported.",
            f"time() - min(shutwatch_vantage_last_report_timestamp_seconds{{{VANTAGE}}} > 0)",
            units.Seconds,
            (None, GREEN),
            (900, AMBER),
            (1800, RED),
            width=4,
        ),
    ]


def blocked() -> list[Any]:
    """Platforms by country, over time and now."""
    by_country = history(
        "Platforms by country",
        "The worst state of each platform on any network of a country. Grey is no data or not "
        "enough to tell, never good news. A line leads to its timeline.",
        coded("shutwatch_platform_state", STATE, PLATFORM_STATES, PAIR),
        PLATFORM_STATES,
        12,
    ).data_links([from_series("Timeline of this platform", TIMELINE, "country", "platform")])
    ratio = graph(
        "Networks blocking",
        "Networks of a country on which a platform is blocked, out of those with a decided "
        "verdict. No line means that there are none.",
        units.PercentUnit,
        f"max by ({PAIR}) (shutwatch_platform_blocked_networks_ratio{{{EVENT}}})",
        width=24,
    ).max(1)
    return [by_country, events(), _alerts(), ratio]


def events() -> table.Panel:
    """The active events as a table."""
    link = from_row("Timeline of this event", TIMELINE, country="Country", platform="Platform")
    states = {"suspected": AMBER, "confirmed": RED, "recovering": PURPLE, "unobserved": SLATE}
    return listing(
        "Active events",
        "Every active event: when its present stretch began, when it was first "
        "blocked, and on how many of the networks tested. The times are the first moments known "
        "to be blocked.",
        [
            f"max by ({PAIR}, state) (shutwatch_blocking_event_state{{{EVENT}}})",
            *(
                f"max by ({PAIR}) ({family}{{{EVENT}}}){factor}"
                for family, factor in (
                    ("shutwatch_blocking_event_onset_timestamp_seconds", " * 1000"),
                    ("shutwatch_blocking_event_first_onset_timestamp_seconds", " * 1000"),
                    ("shutwatch_blocking_event_networks_affected", ""),
                    ("shutwatch_blocking_event_networks_seen", ""),
                )
            ),
        ],
        {
            "country": "Country",
            "platform": "Platform",
            "state": "State",
            "Value #B": "Blocked since",
            "Value #C": "First blocked",
            "Value #D": "Networks affected",
            "Value #E": "Networks seen",
        },
        {
            "Platform": [linked(link)],
            "Blocked since": [as_unit(units.DatetimeISO)],
            "First blocked": [as_unit(units.DatetimeISO)],
            "State": coloured(states, EVENT_STATES),
        },
        hidden=("Value #A",),
    )


def _alerts() -> table.Panel:
    return listing(
        "Firing alerts",
        "Alerts of shutwatch's rules that fire now, ShutwatchWatchdog always among them. Without "
        "the rules in Prometheus there are none here.",
        [
            (
                "count by (alertname, severity, country, platform, vantage) (\n"
                '  ALERTS{alertname=~"Shutwatch.+",alertstate="firing",'
                'country=~"$country|",platform=~"$platform|"}\n)'
            )
        ],
        {
            "severity": "Severity",
            "alertname": "Alert",
            "country": "Country",
            "platform": "Platform",
            "vantage": "Vantage",
        },
        {
            "Vantage": [linked(from_row("This vantage", VANTAGES, vantage="Vantage"))],
            "Severity": coloured({"critical": RED, "warning": ORANGE, "info": SLATE}),
        },
        hidden=("Value",),
    )


def circumstances() -> list[Any]:
    """Events of other kinds, which may explain failures."""
    panel = listing(
        "Outages, shutdowns and silent vantages",
        "Events that are no block of a platform and explain failures: an outage of the platform "
        "everywhere, a shutdown of a country, a silent vantage.",
        [f"max by (kind, country, platform, vantage, state) ({CIRCUMSTANCES})"],
        {
            "kind": "What",
            "country": "Country",
            "platform": "Platform",
            "vantage": "Vantage",
            "state": "State",
        },
        {"Vantage": [linked(from_row("This vantage", VANTAGES, vantage="Vantage"))]},
        hidden=("Value",),
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
