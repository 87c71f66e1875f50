"""Event timeline: when each event began, spread and ended, on which networks, and how."""

from typing import Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import (
    EVIDENCE,
    TIMELINE,
    TO_THE_PAGE,
    from_row,
    from_series,
)
from dashboards.grafana.boards.overview import events as active_events
from dashboards.grafana.boards.palette import (
    CONFIRMED,
    EVENT_STATES,
    GREY,
    INTERFERING,
    PLATFORM_STATES,
    SUSPECTED,
)
from dashboards.grafana.boards.parts import as_unit, coloured, graph, linked, listing, timeline
from dashboards.grafana.boards.promql import (
    EVENT,
    PAIR,
    STATE,
    coded,
    coded_events,
    named,
    page_of,
)

METHOD = (("no", GREY), ("interfering", INTERFERING))


def events() -> list[Any]:
    """The events themselves."""
    panel = timeline(
        "Events",
        "The state of the event about each platform in each country. Green: no event, and at "
        "least one network has a decided verdict. Grey: no network has one.",
        named(coded_events()),
        EVENT_STATES,
        10,
    ).data_links([from_series("Evidence for this event", EVIDENCE, "country", "platform")])
    return [panel, active_events(), _looking_back(), _affected()]


def _looking_back() -> table.Panel:
    """All events of the time range, ended ones too."""
    state = f"shutwatch_blocking_event_state{{{EVENT}}}"
    sure = f'shutwatch_blocking_event_state{{{EVENT},confirmed="true"}}'
    active = f"shutwatch_blocking_event_active{{{EVENT}}}"
    of = f"{PAIR}, event"
    onset = f"shutwatch_blocking_event_onset_timestamp_seconds{{{EVENT}}}"
    affected = f"shutwatch_blocking_event_networks_affected{{{EVENT}}}"
    link = from_row("Evidence for this event", EVIDENCE, country="Code", platform="Platform")

    def most(by: str, series: str) -> str:
        return f"max by ({by}) (max_over_time({series}[$__range]))"

    return listing(
        "Events in the time range",
        "Events that were active at any time in the chosen range: whether they were ever "
        "confirmed, the part of the range that each was active, its latest onset, and the most "
        "networks that blocked.",
        [
            named(
                f"sum by ({of}) (count_over_time({state}[$__range]))\n"
                f"/ on ({PAIR}) group_left\n"
                f"  sum by ({PAIR}) (count_over_time({active}[$__range]))",
                in_range=True,
            ),
            f"{most(of, sure)}\nor 0 * {most(of, state)}",
            f"{most(of, onset)} * 1000",
            most(PAIR, affected),
            f"max by ({of}, page) (\n{page_of(state, in_range=True)}\n)",
        ],
        {
            "country_name": "Country",
            "country": "Code",
            "platform": "Platform",
            "Value #B": "Ever confirmed",
            "Value #A": "Part of the range",
            "Value #C": "Latest onset",
            "Value #D": "Most networks",
            "page": "Page",
        },
        {
            "Platform": [linked(link)],
            "Ever confirmed": coloured(
                {"1": CONFIRMED, "0": SUSPECTED}, {"1": "yes", "0": "suspected only"}
            ),
            "Part of the range": [as_unit(units.PercentUnit)],
            "Latest onset": [as_unit(units.DatetimeISO)],
            "Page": [linked(TO_THE_PAGE)],
        },
        hidden=("event", "Value #E"),
        width=24,
    )


def _affected() -> Any:
    dashed = DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [6, 6]})
    panel = graph(
        "Networks affected",
        "Networks that blocked at any time during an event, and, dashed, the networks tested.",
        units.Short,
        named(f"max by ({PAIR}) (shutwatch_blocking_event_networks_affected{{{EVENT}}})"),
        (
            named(f"max by ({PAIR}) (shutwatch_blocking_event_networks_seen{{{EVENT}}})"),
            "{{country_name}} ({{country}}) · {{platform}}, seen",
        ),
        width=24,
    ).decimals(0)
    return panel.override_by_query("B", [dashed])


def networks() -> list[Any]:
    """Platforms by network, with the methods."""
    links = [from_series("Evidence on this network", EVIDENCE, "country", "platform", "network")]
    names = ("{{country_name}} ({{country}})", "{{network}}", "{{platform}}")
    states = timeline(
        "Platforms by network",
        "The worst state of each platform on each network. Choose country and platform above to "
        "compare networks.",
        (
            named(coded("shutwatch_platform_state", STATE, PLATFORM_STATES, f"{PAIR}, network")),
            " · ".join(names),
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
            named(f"max by ({labels}) (shutwatch_platform_blocked_method_info{{{STATE}}})"),
            " · ".join((*names, "{{method}}.{{sub_method}}")),
        ),
        METHOD,
        8,
    ).data_links(links)
    return [states, over_time, methods()]


def methods(width: int = 24) -> table.Panel:
    """How each network interferes."""
    labels = f"{PAIR}, network, asn, method, sub_method"
    return listing(
        "Methods by network",
        "How each network that interferes with a platform does it, as of its last cycle.",
        [named(f"max by ({labels}) (shutwatch_platform_blocked_method_info{{{STATE}}})")],
        {
            "country_name": "Country",
            "country": "Code",
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
