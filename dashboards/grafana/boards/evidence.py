"""Evidence: failures of field vantages, next to those of controls at the same time.

Prometheus counts failures by vantage and layer, not by platform. Single measurements are in the
database, for the last row.
"""

from typing import Any

from grafana_foundation_sdk.models import units

from dashboards.grafana.boards import database
from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import EVIDENCE, VANTAGES, from_series
from dashboards.grafana.boards.palette import PLATFORM_STATES
from dashboards.grafana.boards.parts import graph, history
from dashboards.grafana.boards.promql import (
    CONTROL,
    FIELD,
    JOB,
    PAIR,
    RATE,
    STATE,
    coded,
    failures_of,
    layers_of,
    named,
    role_of,
    slowest_tenth_of,
)
from dashboards.grafana.boards.timeline import methods

BY = "vantage_role, layer"


def parts() -> list[Any]:
    """Which functions of the platforms fail, and the methods."""
    functions = history(
        "Functions of platforms",
        "The worst state of each function of a platform on any chosen network: web, api, media, "
        "chat and so on. Which functions fail tells a block from a broken measurement.",
        named(coded("shutwatch_function_state", STATE, PLATFORM_STATES, f"{PAIR}, function")),
        PLATFORM_STATES,
        14,
    )
    return [methods(), functions]


def comparison() -> list[Any]:
    """Field and control compared, layer by layer."""
    layers = graph(
        "Failures by layer, field and control",
        "Failed layers of measurements out of all measured layers, of all platforms together. A "
        "failure at the control too is no block.",
        units.PercentUnit,
        *(
            f"{failures_of(selector, BY)}\n/\n({layers_of(selector, BY)} > 0)"
            for selector in (FIELD, CONTROL)
        ),
        interval="5m",
    )
    duration = graph(
        "Time per layer, 90th percentile, field and control",
        "Nine in ten measurements passed a layer faster than this. Timeouts are included.",
        units.Seconds,
        *(
            (slowest_tenth_of(selector), "{{vantage_role}} · {{layer}}")
            for selector in (FIELD, CONTROL)
        ),
        interval="5m",
    )
    references = graph(
        "References that answered, field and control",
        "The share of references that worked at the worst vantage of each kind. While references "
        "fail at a vantage, what fails there says little about platforms.",
        units.PercentUnit,
        *(
            f"min by (vantage_role) (\n  shutwatch_vantage_reference_success_ratio{{{selector}}}\n)"
            for selector in (FIELD, CONTROL)
        ),
    ).max(1)
    looks = graph(
        "Measurements of the platform, field and control",
        "Measurements per second. Controls measure when something failed in the field.",
        units.CountsPerSecond,
        *(
            "sum by (vantage_role, platform) (\n"
            f'  rate(shutwatch_probes_total{{{JOB},platform=~"$platform"}}[{RATE}])\n'
            f"  {role_of(selector)}\n)"
            for selector in (FIELD, CONTROL)
        ),
        interval="5m",
    )
    return [layers, duration, references, looks]


def reasons() -> list[Any]:
    """Failures by kind."""
    kinds = [
        graph(
            f"Reasons of failures, {kind}",
            f"Failed layers per second {where}, by layer and kind of failure, of those that "
            "happened at all.",
            units.CountsPerSecond,
            f"{failures_of(selector, 'layer, failure')} > 0",
            interval="5m",
        ).data_links([from_series("The vantages", VANTAGES)])
        for kind, where, selector in (
            ("field", "at the chosen field vantages", FIELD),
            ("control", "at all control vantages", CONTROL),
        )
    ]
    ratio = f"shutwatch_platform_transfer_ratio{{{STATE}}}"
    speed = graph(
        "Speed of the platform",
        "How fast an object of the platform came, divided by how fast something else did. Far "
        "below one is throttling; above one is possible.",
        units.PercentUnit,
        (
            f"min by (platform, network, against) (\n  {ratio}\n)",
            "{{platform}} · {{network}} · against {{against}}",
        ),
        width=24,
    ).max(2)
    return [*kinds, speed]


BOARD = Board(
    EVIDENCE,
    "shutwatch 3: evidence",
    "What failed and why, layer by layer, next to what the controls saw.",
    (("How", parts), ("Field against control", comparison), ("Reasons", reasons)),
    (("Single measurements, from the database (PostgreSQL)", database.panels),),
    database.variables,
)
