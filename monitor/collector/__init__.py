"""`shutwatch collector`: it receives what agents send, judges it and shows it.

    run_collector ── what the program is made of
    agents_api ── the five routes of `monitor.wire.answers`, and nothing else
     ├─ admission, connection_limits ── how much at once, and how fast
     ├─ enrolments ── which key may speak for which vantage
     ├─ requests ── the sender, age and body of a request
     ├─ batch_checks ── JSON → cycles that say only what their sender may say
     ├─ agent_settings ── the settings that an agent gets
     └─ answer_controls ── measurements of this collector's own controls, on request
    certificate ── TLS with certificates that may change
    local_cycles ── cycles of the collector's own vantages
    leader ── the one collector that judges and records
     └─ judging_queue ── received cycles, in order
         └─ received_cycles ── one of them: with its controls, then judged

No signature, no belief: a request is read only after its signature was checked, and acknowledged
only once it is on disk. No address of a sender is kept or logged.
"""
