"""The monitor itself: does it keep up, does it store, what does it cost."""

from typing import Any

from grafana_foundation_sdk.models import units

from dashboards.grafana.boards.board import Board
from dashboards.grafana.boards.links import MONITOR
from dashboards.grafana.boards.palette import AMBER, GREEN, GREY, RED
from dashboards.grafana.boards.parts import graph, instant, listing, number, query, steps
from dashboards.grafana.boards.promql import JOB, RATE, VANTAGE


def numbers() -> list[Any]:
    """Is it there, since when, and does it store."""
    up = number(
        "Monitors that answer",
        "Processes of shutwatch that Prometheus can scrape, out of all it should.",
        f"sum(up{{{JOB}}}) / count(up{{{JOB}}})",
        units.PercentUnit,
    ).thresholds(steps((None, RED), (1, GREEN)))
    stored = number(
        "Oldest stored cycle",
        "Time since the last stored cycle of the vantage that has gone longest without one, of "
        "those that ever had one.",
        f"time() - min(\n  shutwatch_cycle_last_success_timestamp_seconds{{{VANTAGE}}} > 0\n)",
        units.Seconds,
    ).thresholds(steps((None, GREEN), (900, AMBER), (1800, RED)))
    since = number(
        "Running for",
        "Time since the process started that started last. Counters began anew then.",
        f"time() - max(process_start_time_seconds{{{JOB}}})",
        units.Seconds,
    ).thresholds(steps((None, GREY)))
    version = listing(
        "Version",
        "Version of shutwatch, and of the Python it runs on.",
        [instant(f"count by (version, python, instance) (shutwatch_build_info{{{JOB}}})")],
        {"instance": "Instance", "version": "shutwatch", "python": "Python"},
        hidden=("Value",),
        width=6,
        height=4,
    )
    return [up, stored, since, version]


def work() -> list[Any]:
    """Whether it keeps up."""
    cycle = graph(
        "Cycle duration",
        "How long the last cycle of each vantage took, against the configured interval.",
        [
            query(
                f"max by (vantage) (shutwatch_cycle_duration_seconds{{{VANTAGE}}})", "{{vantage}}"
            ),
            query(f"max(shutwatch_cycle_interval_seconds{{{JOB}}})", "interval", "B"),
        ],
        units.Seconds,
    )
    trouble = graph(
        "Missed cycles and storage errors",
        "Scheduled cycles that did not run, and operations the store failed at. Either means lost "
        "evidence.",
        [
            query(
                f"sum(increase(shutwatch_schedule_missed_total{{{VANTAGE}}}[{RATE}]))",
                "missed cycles",
            ),
            query(
                f"sum by (operation) (increase(shutwatch_storage_errors_total{{{JOB}}}[{RATE}]))",
                "storage: {{operation}}",
                "B",
            ),
        ],
        units.Short,
        interval="5m",
    )
    looks = graph(
        "Looks per second",
        "Looks made, by country. Repeats after a failure and looks at references are in it.",
        [
            query(
                f"sum by (country) (rate(shutwatch_probes_total{{{VANTAGE}}}[{RATE}]))",
                "{{country}}",
            )
        ],
        units.CountsPerSecond,
        interval="5m",
    )
    scrape = graph(
        "Scrapes",
        "How long Prometheus waited for the metrics.",
        [query(f"max by (instance) (scrape_duration_seconds{{{JOB}}})", "{{instance}}")],
        units.Seconds,
    )
    return [cycle, trouble, looks, scrape]


def cost() -> list[Any]:
    """What the process takes."""
    memory = graph(
        "Memory",
        "Memory of each process.",
        [query(f"max by (instance) (process_resident_memory_bytes{{{JOB}}})", "{{instance}}")],
        units.BytesIEC,
    )
    cpu = graph(
        "CPU",
        "Cores used by each process, user and system.",
        [
            query(
                f"sum by (instance) (rate(process_cpu_seconds_total{{{JOB}}}[{RATE}]))",
                "{{instance}}",
            )
        ],
        units.Short,
        interval="5m",
    )
    descriptors = graph(
        "Open files and sockets",
        "Descriptors each process has open, out of those it may.",
        [
            query(
                f"max by (instance) (process_open_fds{{{JOB}}} / process_max_fds{{{JOB}}})",
                "{{instance}}",
            )
        ],
        units.PercentUnit,
    )
    samples = graph(
        "Samples per scrape",
        "Series that one scrape of the metrics brings.",
        [query(f"max by (instance) (scrape_samples_scraped{{{JOB}}})", "{{instance}}")],
        units.Short,
    )
    return [memory, cpu, descriptors, samples]


BOARD = Board(
    MONITOR,
    "shutwatch 5: the monitor",
    "Whether the monitor keeps up, stores what it sees, and what it costs.",
    (("Now", numbers), ("Work", work), ("Cost", cost)),
)
