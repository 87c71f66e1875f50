"""Reports: one signed file about one platform in one country, for people who publish.

Rooms: what the report rests on (`collect` reads the store into `findings`; `batches` finds what
vantages signed), what it says (`compose` and the parts it names, in words from `monitor.wording`),
how it looks (`document`, `html`, `pdf`, `charts`), and the archive (`build`, `archive`, `verify`).

cli and server import it. It imports export, wire, keys, wording and storage.
"""
