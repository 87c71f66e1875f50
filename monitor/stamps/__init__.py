"""Proofs of time by others: `time_authority` reads RFC 3161 replies, `opentimestamps` reads proofs
of OpenTimestamps, `requests` asks for both. `monitor.recording.scheduled_stamping` has the
log's head stamped regularly.

Reading needs no network. Everything in `monitor` above `storage` may import it; it imports only
`probes.sockets.http_client`, `storage` and `monitor.logs`.
"""
