"""`shutwatch agent`: it measures in the field, spools, and sends to collectors.

    run_agent ── what the program is made of
     ├─ spooling ── a finished cycle goes into the spool (`storage.agent.spool`)
     ├─ batch_delivery ── batches from the spool go to a collector, as soon as one can be reached
     │   ├─ batch_body, boot_key ── a cycle becomes a batch, sealed to the collectors
     │   └─ collector_client ── one signed and sealed request to one collector, and its answer
     │       └─ signed_answer ── the answer, with its signature
     ├─ ask_controls ── asks a collector for measurements of controls
     ├─ what_orders_may_change ── and nothing else; reconfigure applies it
     │   ├─ ordered_catalog ── what is measured by an order
     │   └─ consent ── what the host accepted, and the offline keys it trusts
     ├─ pause_and_clock, collector_clock ── the host's pause, and the collectors' time
     ├─ revocation ── it ends once its key was revoked
     └─ paths, saved_state, status, upload_traffic, traces, wipe ── its files

It imports neither the server nor numpy nor a database library, and must run in 80 MB.
`monitor.cli` and `monitor.doctor` import it.
"""
