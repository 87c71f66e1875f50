"""What collectors bring, and which measurements of it each table of current facts is made of."""

import msgspec

from probes.measurement import Measurement, Purpose
from storage.values.fleet import ReceivedBatch, SeenCycle, WaitingCycle

AT_ENDPOINTS = (Purpose.SCHEDULED, Purpose.RETRY, Purpose.CONTROL)
OF_LATEST = (*AT_ENDPOINTS, Purpose.REFERENCE)
"""Purposes that `latest_look` is made of: the others test something else than whether it works."""
BY_CONTROLS = (Purpose.CONTROL, Purpose.REFERENCE)
"""Purposes that `FleetStore.control_measurements` lists."""


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller brings: a batch with its cycles, or control measurements alone."""

    batch: ReceivedBatch | None = None
    cycles: tuple[SeenCycle, ...] = ()
    measurements: tuple[Measurement, ...] = ()

    @property
    def weight(self) -> int:
        """How many measurements are in it, plus one."""
        return 1 + len(self.measurements) + sum(len(cycle.measurements) for cycle in self.cycles)


def waiting_cycle(batch: ReceivedBatch, cycle: SeenCycle) -> WaitingCycle:
    """The cycle as it waits to be judged."""
    return WaitingCycle(
        country=cycle.country,
        id=cycle.id,
        vantage=cycle.vantage,
        started_at=cycle.started_at,
        finished_at=cycle.finished_at,
        received_at=batch.received_at,
        health=cycle.health,
        hurried=cycle.hurried,
        backfilled=cycle.backfilled,
    )


def counts(measurement: Measurement) -> tuple[int, int, int]:
    """What a scheduled measurement adds to `looks`, `reached` and `failed` of its hour. An endpoint
    that answered in an unexpected way was not reached, and did not fail."""
    failed = not measurement.reached and any(
        observation.failure and not observation.reason for observation in measurement.observations
    )
    return (1, int(measurement.reached), int(failed))
