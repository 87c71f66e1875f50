"""Detects events from platform verdicts and the health of vantages.

detection.py             detects: a cycle's results go into the book of all events
sequential_test.py       the sequential test of one platform at one vantage
stream.py                the detector's state with the verdicts behind it
block_lifecycle.py       one platform in one country: its event from the first suspicion to the end
confirmation.py          confirms an event where what supports it suffices
support.py               which networks support it
network_status.py        what is known of it on each network
stretches.py             the times in which it lasted
pace.py                  how often a vantage reports, and when it is silent
agreement.py             vantages that contradict the others of their network
recurring_hours.py       the hours that a block keeps
vantage_reports.py       the last condition of every vantage
vantage_findings.py      what the conditions of all mean: shutdowns, cuts, silent vantages
shutdowns.py             the events of it
outage.py                platforms that are down everywhere
control_differs.py       controls that contradict each other
verdict_order.py         puts late results in their place
continuation.py          events that continue as another
event.py                 events, their log and their changes
shared_map.py            a mapping of which copies share nearly all
settings.py              the `[events]` table
"""
