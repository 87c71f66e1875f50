"""The composition root of `shutwatch run`, and what `monitor.collector` and `monitor.agent` take of
it for theirs.

    run_monitor ── `shutwatch run`
    service_setup ── what `shutwatch collector` needs too: store, page, metrics, configuration
     ├─ measuring_setup ── schedule, runner and ledger, from one configuration to the next
     └─ notify_setup, heartbeat ── delivery of notices, and a ping while all is well
    run_until_stopped ── runs the tasks of a program until a signal stops it
    schedule ── when each vantage measures: the only module that knows APScheduler
     ├─ clock_watch, withheld_job ── beside the cycles: the machine's clock; withheld pages
     └─ cycle_job ── one cycle: measured, judged, recorded, paid for
         └─ cycle_runners ── what measures, for the settings in use

`run_until_stopped`, `schedule`, `cycle_job` and `cycle_runners` need neither the server nor numpy
nor a database: agents are made of them too. `monitor.agent`, `monitor.cli`, `monitor.collector`,
`monitor.demo` and `monitor.doctor` import it.
"""
