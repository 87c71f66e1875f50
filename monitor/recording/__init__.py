"""From a judged cycle to stored, published events.

recorder ── detects, stores in one transaction, publishes: the only one who does
 ├─ backlog ── cycles that a failing store could not take yet
 └─ checkpoints ── the state of the detectors, stored every few minutes with a cycle
scheduled_retention ── deletes what is older than the configuration keeps
scheduled_stamping ─── adds to the append-only log, and has its head stamped
annotations_poll ── has the publisher show new annotations
database_size_poll ─── how large the database is, for the metrics
recent_events ── events that the metrics still show for a day after their end
withheld ─────── what platforms withhold in a country
"""
