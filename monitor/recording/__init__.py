"""From a judged cycle to stored, published events.

recorder ── detects, stores in one transaction, publishes: the only one who does
 ├─ backlog ── cycles that a failing store could not take yet
 └─ checkpoints ── the state of the detectors, stored every few minutes with a cycle
scheduled_retention ── deletes what is older than the configuration keeps
scheduled_stamping ─── adds to the append-only log, and has its head stamped
annotations_poll ── has the publisher show new annotations
continuations ── reviews of events that continue as another one
"""
