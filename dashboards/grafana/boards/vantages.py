"""Vantage health: state, links, clocks, exits and traffic of every vantage."""

from typing import Any

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import EVIDENCE, VANTAGES, from_series
from dashboards.grafana.boards.palette import FAULT, GREEN, VANTAGE_STATES
from dashboards.grafana.boards.parts import as_unit, coloured, graph, history, listing
from dashboards.grafana.boards.promql import JOB, RATE, VANTAGE, coded
from monitor.wording.vantage_health import VANTAGE_STATES as WORDS

EXIT = (("elsewhere", FAULT), ("as configured", GREEN))


def health() -> list[Any]:
    """State and network of each vantage."""
    states = history(
        "Vantage health",
        "The health of each vantage, by its references. While it does not work, its measurements "
        "are not judged, unless it is lossy or cut off from abroad.",
        coded("shutwatch_vantage_state", VANTAGE, VANTAGE_STATES, "vantage"),
        VANTAGE_STATES,
        8,
    ).data_links([from_series("Evidence of this vantage", EVIDENCE, "vantage")])
    exits = history(
        "Exits",
        "Whether a vantage's packets leave from the configured country and network. If not, a VPN "
        "may be on, or a phone may be roaming. Without [vantage_check] this is not checked.",
        f"min by (vantage) (shutwatch_vantage_exit_as_configured{{{VANTAGE}}})",
        EXIT,
        8,
    )
    return [_list(), states, exits]


def _list() -> table.Panel:
    by, facts = "country, network, asn, vantage", "vantage_role, egress, country_name"
    reported = f"shutwatch_vantage_last_report_timestamp_seconds{{{VANTAGE}}}"
    return listing(
        "Vantages",
        "Each configured vantage: where it is, how packets leave, its state, its last report, and "
        "the bytes used today. A vantage that never reported has no last report.",
        [
            f"max by ({by}, {facts}) (shutwatch_vantage_info{{{VANTAGE}}})",
            f"max by ({by}, state) (shutwatch_vantage_state{{{VANTAGE}}} == 1)",
            f"max by ({by}) ({reported} > 0) * 1000",
            f"max by ({by}) (shutwatch_vantage_daily_bytes{{{VANTAGE}}})",
        ],
        {
            "vantage": "Vantage",
            "vantage_role": "Role",
            "country_name": "Country",
            "country": "Code",
            "network": "Network",
            "asn": "AS",
            "egress": "Way out",
            "state": "State",
            "Value #C": "Last report",
            "Value #D": "Bytes today",
        },
        {
            "Last report": [as_unit(units.DatetimeISO)],
            "Bytes today": [as_unit(units.BytesSI)],
            "State": coloured(dict(VANTAGE_STATES), WORDS),
        },
        hidden=("Value #A", "Value #B"),
        width=24,
    )


def reports() -> list[Any]:
    """Reports, and results of the references."""
    age = graph(
        "Time since last report",
        "How long ago each vantage finished its last cycle. A vantage that never reported has no "
        "line, but an alert.",
        units.Seconds,
        "time() - max by (vantage) "
        f"(shutwatch_vantage_last_report_timestamp_seconds{{{VANTAGE}}} > 0)",
    )
    references = graph(
        "References that answered",
        "References that worked in the last cycle of each vantage, out of all measured.",
        units.PercentUnit,
        f"min by (vantage) (shutwatch_vantage_reference_success_ratio{{{VANTAGE}}})",
    ).max(1)
    skew = graph(
        "Clock against servers",
        "Seconds by which each vantage's clock is off, ahead or behind, by what servers say. "
        "From a day on certificates accuse nobody there.",
        units.Seconds,
        f"max by (vantage) (abs(shutwatch_vantage_clock_skew_seconds{{{VANTAGE}}}))",
    )
    missed = graph(
        "Missed cycles",
        "Scheduled cycles that did not run, by vantage: another one still waited for the last to "
        "end.",
        units.Short,
        f"sum by (vantage) (increase(shutwatch_schedule_missed_total{{{VANTAGE}}}[{RATE}]))",
        interval="5m",
    )
    return [age, references, skew, missed]


def traffic() -> list[Any]:
    """Traffic and its limits."""
    used = graph(
        "Bytes of the day",
        "Bytes each vantage has used today (UTC), both ways, out of what it may use at most. "
        "Near 100%, cycles measure less, then fewer cycles run.",
        units.PercentUnit,
        f"max by (vantage, cluster, job) (shutwatch_vantage_daily_bytes{{{VANTAGE}}})\n"
        f"/ on (cluster, job) group_left\n"
        f"  max by (cluster, job) (shutwatch_vantage_daily_limit_bytes{{{JOB}}})",
    )
    rate = graph(
        "Traffic",
        "Bytes per second of each vantage, both ways: an estimate on the high side.",
        units.BytesPerSecondSI,
        f"sum by (vantage) (rate(shutwatch_vantage_bytes_total{{{VANTAGE}}}[{RATE}]))",
        interval="5m",
    )
    turns = graph(
        "Cycles by effort",
        "Cycles of all chosen vantages: whole, modest or none to save bytes, hurried where "
        "something is suspicious.",
        units.Short,
        f"sum by (effort) (increase(shutwatch_cycles_total{{{VANTAGE}}}[{RATE}]))",
        width=24,
        interval="5m",
    )
    return [used, rate, turns]


BOARD = Board(
    VANTAGES,
    "shutwatch 4: vantage health",
    "Whether the vantages work: their links, references, clocks, exits and traffic.",
    (("Health", health), ("Reports", reports), ("Bytes", traffic)),
)
