"""`shutwatch demo`: a small invented internet on loopback, watched by the real monitor.

    plan ──▶ world: name servers, origins, censor ◀── measures ── monitor.app, as `shutwatch run`
               ▲                                                      │ stores
         chapters, narrator ◀──────── stored_events ◀─────────────────┘

The monitor knows only its configuration file, and none of its results are scripted. `plan` has the
networks, hosts and addresses, `censor` the blocking rules, `chapters` the story; `name_server`,
`origin`, `certificates` and `message_receiver` are the servers that `world` opens; `config_files`
writes the configuration, `screen` prints, `run_demo` runs everything. Only `cli` may import `demo`.
"""
