"""Doctor: tries everything that a configuration names, once, and says what does not work.

Each module tries one kind of thing and knows nothing of the others:

    resolvers.py      whether each resolver answers
    vantages.py       whether each vantage and control reaches its references, and the clock
    secrets.py        whether other users can read files that hold secrets
    folders.py        whether folders can be written to, and how much is free
    listeners.py      whether the addresses to listen at are free
    certificate.py    whether agents connect to a collector with its certificate
    pauses.py         whether a collector knows every vantage that it pauses
    messages.py       whether the servers of notifications and sources can be reached
    collectors.py     whether an agent's key can be used, and whether its collectors answer
    tables.py         whether the database can be used, and of which version its tables are
    prometheus.py     whether Prometheus reads the metrics

`examine` runs them at once, each within its time. Nothing is stored, changed or sent, but for test
messages where they are asked for. What is found is worded in `monitor.wording.findings`.
"""
