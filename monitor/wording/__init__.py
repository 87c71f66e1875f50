"""Wording: every phrase that people read, in every language, and nothing that decides.

Rooms: one module for each kind of phrase (`states`, `failures_and_methods`, `grades`, `changes`,
`durations`, `vantage_health`, `countries`, `networks`, `functions`, `observations`, `reviews`,
`rules`, `times`, `listening`), the sentences about an event (`events`), the languages (`languages`,
`words`, `cldr`, `html`, `solar_hijri`), their translations (`locale/`, kept up to date by
`catalogs`), and who reviewed them (`reviewed`).

Every surface (server, report, notify, metrics, cli, demo, dashboards) imports it. It imports
analysis, probes and the values of storage, and no surface.
"""
