"""Dashboards and alert rules for Prometheus, Alertmanager and Grafana.

    prometheus/            alert rules, their tests, and an example configuration
    alertmanager/          routes, inhibitions and templates of alerts
    grafana/json/          the five dashboards, generated
    grafana/provisioning/  data sources, and Grafana's alert rules, generated
    grafana/generate.py    writes both
    grafana/alerting.py    rules of Prometheus → alert rules of Grafana
    grafana/boards/        the dashboards in code
    grafana/pictures/      draws the dashboards for the documentation

Product code does not import it.
"""
