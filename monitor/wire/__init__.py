"""What agents and collectors send each other: signed batches, answers and refusals.

`batch` and `answers` are the messages, `signing` signs and checks them, `envelope` seals them,
`unpacking` unpacks bodies, `refusal` refuses them, and `proof` verifies stored batches. `openapi`
writes API documents.

agent, cli, collector, config, doctor, measuring, metrics, report and server import it; it imports
keys, storage, analysis and probes. An agent loads it, so it needs neither a server nor a database
library.
"""
