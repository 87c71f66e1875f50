"""Notify: messages to people about events, retried until each arrives.

Rooms: what is due to whom (`notice_kinds`, `queued_notices`, `places`, `timing`, `still_due`,
`related_events`), what a message says (`titles`, `body`, `due_content`, `message`, in words from
`monitor.wording`), and how it gets there (`delivery`, `ports`, `apprise_service`, `message_value`).
`settings` is the `[notify]` table.

app, cli, config, demo, doctor and server import it; it imports wording and storage.
"""
