"""The dashboards in code.

    overview.py, timeline.py, evidence.py, vantages.py, monitor.py   one dashboard each
    database.py   panels that read PostgreSQL
    board.py      a dashboard from its panels, with variables, annotations and links
    importable.py the same dashboards for import by hand, and in Grafana's newer schema
    parts.py      panels, columns and queries
    promql.py     selectors, and PromQL that several panels use
    links.py      links between dashboards
    palette.py    states, their numbers and colours

Only `dashboards.grafana` and tests import it.
"""
