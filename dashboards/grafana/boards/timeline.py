"""Event timeline: when each event began, spread and ended, on which networks, and how."""

from typing import Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import EVIDENCE, TIMELINE, from_row, from_series
from dashboards.grafana.boards.overview import events as active_events
from dashboards.grafana.boards.palette import EVENT_STATES, GREY, PLATFORM_STATES, RED
from dashboards.grafana.boards.parts import as_unit, graph, linked, listing, timeline
from dashboards.grafana.boards.promql import EVENT, PAIR, STATE, coded, coded_events

INTERFERING = (("no", GREY), ("interfering", RED))


def events() -> list[Any]:
    """The events themselves."""
    panel = timeline(
        "Events",
        "The state of the event about each platform in each country. Green: no event, and at "
        "least one network has a decided verdict. Grey: no network has one.",
        coded_events(),
        EVENT_STATES,
        10,
    ).data_links([from_series("Evidence for this event", EVIDENCE, "country", "platform")])
    return [panel, active_events(), _looking_back(), _affected()]


def _looking_back() -> table.Panel:
    """All events of the time range, ended ones too."""
    active = f"shutwatch_blocking_event_active{{{EVENT}}}"
    link = from_row("Evidence for this event", EVIDENCE, country="Country", platform="Platform")
    return listing(
        "Events in the time range",
        "Pairs with an event at any time in the chosen range: the part of the range it was "
        "active, the latest onset, and the most networks that blocked.",
        [
            (
                f"max by ({PAIR}) (\n  sum_over_time({active}[$__range])\n"
                f"  / count_over_time({active}[$__range])\n) > 0"
            ),
            *(
                f"max by ({PAIR}) (max_over_time({family}{{{EVENT}}}[$__range])){end}"
                for family, end in (
                    ("shutwatch_blocking_event_stretch_onset_timestamp_seconds", " * 1000"),
                    ("shutwatch_blocking_event_networks_affected", ""),
                )
            ),
        ],
        {
            "country": "Country",
            "platform": "Platform",
            "Value #A": "Part of the range",
            "Value #B": "Latest onset",
            "Value #C": "Most networks",
        },
        {
            "Platform": [linked(link)],
            "Part of the range": [as_unit(units.PercentUnit)],
            "Latest onset": [as_unit(units.DatetimeISO)],
        },
    )


def _affected() -> Any:
    dashed = DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [6, 6]})
    panel = graph(
        "Networks affected",
        "Networks that blocked at any time during an event, and, dashed, the networks tested.",
        units.Short,
        f"max by ({PAIR}) (shutwatch_blocking_event_networks_affected{{{EVENT}}})",
        (
            f"max by ({PAIR}) (shutwatch_blocking_event_networks_seen{{{EVENT}}})",
            "{{country}} · {{platform}}, seen",
        ),
        width=24,
    ).decimals(0)
    return panel.override_by_query("B", [dashed])


def networks() -> list[Any]:
    """Platforms by network, with the methods."""
    links = [from_series("Evidence on this network", EVIDENCE, "country", "platform", "network")]
    states = timeline(
        "Platforms by network",
        "The worst state of each platform on each network. Choose country and platform above to "
        "compare networks.",
        (
            coded("shutwatch_platform_state", STATE, PLATFORM_STATES, f"{PAIR}, network"),
            "{{country}} · {{network}} · {{platform}}",
        ),
        PLATFORM_STATES,
        14,
    ).data_links(links)
    labels = f"{PAIR}, network, method, sub_method"
    over_time = timeline(
        "Methods over time",
        "When each network interfered with a platform, and how. Where nothing is drawn, it did "
        "not interfere, or there was no decided verdict.",
        (
            f"max by ({labels}) (shutwatch_platform_blocked_method_info{{{STATE}}})",
            "{{country}} · {{network}} · {{platform}} · {{method}}.{{sub_method}}",
        ),
        INTERFERING,
        8,
    ).data_links(links)
    return [states, over_time, methods()]


def methods(width: int = 24) -> table.Panel:
    """How each network interferes."""
    labels = f"{PAIR}, network, asn, method, sub_method"
    return listing(
        "Methods by network",
        "How each network that interferes with a platform does it, as of its last cycle.",
        [f"max by ({labels}) (shutwatch_platform_blocked_method_info{{{STATE}}})"],
        {
            "country": "Country",
            "platform": "Platform",
            "network": "Network",
            "asn": "AS",
            "method": "Method",
            "sub_method": "Sub-method",
        },
        hidden=("Value",),
        width=width,
    )


BOARD = Board(
    TIMELINE,
    "shutwatch 2: event timeline",
    "When each event began, spread and ended, on which networks, and how they interfered.",
    (("When", events), ("Networks", networks)),
)
