"""Judges measurements and detects events, from values alone: no clock, socket, file or database.

    judge/          one case (measurements of one endpoint) → verdict → platform verdict
    throttling/     transfers of one object → verdict on its speed
    vantage/        references → health of the vantage; its exit and clock
    events/         platform verdicts and vantage health → events
    measurement_summary.py  what one measurement came to: how far it got, what stopped it
    seen.py         what one cycle of one vantage showed, as the judge takes it
    transfer_verdict.py  the verdict on one object's speed, with its numbers
    verdict.py      states, evidence grades, verdicts, vantage health
    rules_docs.py   writes docs/rules.md from the tables of rules

Imports inside: events, throttling → judge → measurement_summary → verdict, and vantage →
measurement_summary. Outside it imports only `probes`. Every package of `monitor` and `storage` may
import it; `probes` may not.
"""
