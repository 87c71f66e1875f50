"""`shutwatch demo`: a small invented internet on loopback, watched by the real monitor.

    plan ──▶ world: name servers, origins, censor ◀── looks ── monitor.app, as `shutwatch run`
               ▲                                                    │ stores
             story ◀────────────────── watching ◀───────────────────┘

Nothing here is known to the monitor but a configuration file; nothing of what it finds is scripted.
"""
