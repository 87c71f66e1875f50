"""Pictures of the dashboards for docs/dashboards, drawn without Grafana.

    draw.py        draws each dashboard as a PNG file
    recording.py   stored answers of Prometheus to the queries
    table.py       rows of a table panel
    values.py      values as text and colours

Only tests import it.
"""
