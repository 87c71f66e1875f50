"""What runs in the field: looks as a monitor does, concludes nothing, and hands in what it saw.

    run ── what `shutwatch agent run` is made of
     ├─ keeping ── a finished cycle goes into the spool (`storage.agent.spool`)
     ├─ courier ── what waits in the spool goes to a collector, as soon as one can be reached
     │   ├─ packing ── some cycles become the body of a batch
     │   ├─ line ── one request to one collector, signed, and its answer, believed or not
     │   └─ pace ── how long to wait after failures
     ├─ desk ── asks a collector for looks of controls
     ├─ orders ── what collectors may tell the agent to do, within what its own file allows
     ├─ clock ── what time it is by the collectors' clock
     └─ files ── what lies where beside the spool, and who runs

It imports neither the server nor numpy nor a database library, and has to live in 80 MB.
"""
