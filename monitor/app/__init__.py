"""Where everything is wired together and scheduled: the composition root of what runs for long.

    run ── what `shutwatch run` is made of, from its start to its end
     ├─ schedule ── when each vantage looks: the only place that knows APScheduler
     │   └─ turns ── one cycle of one vantage, looked and handed on to be kept
     ├─ runners ── what looks, for the settings in use
     └─ change ── from one configuration to the next, while everything runs

`schedule`, `turns` and `runners` need neither the server nor numpy, so that whatever looks in the
field can be made of them as well.
"""
