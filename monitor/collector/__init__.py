"""What receives from agents, and judges what it received.

    api ── the four routes of `monitor.wire.answers`, and nothing else
     ├─ admission ── how much at once, and how fast
     ├─ keyring ── who may speak for which vantage
     ├─ unpacking ── a body as it was sent → JSON, within bounds
     ├─ checks ── JSON → cycles that say what their sender may say
     ├─ orders ── what an agent is to do
     └─ control_room ── looks of this collector's own controls, on demand
    listener ── TLS with certificates that may change, and patience that ends
    judge ── what waits is judged, by the rules that judge everything

Nothing of a request is believed before its signature was checked, and nothing is acknowledged
before it is on disk. No address of a sender is kept or logged.
"""
