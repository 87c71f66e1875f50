"""Pictures of the dashboards for review, drawn by this project and not by Grafana."""
