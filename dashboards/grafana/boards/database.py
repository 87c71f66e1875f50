"""Single measurements from the database, for installations with PostgreSQL.

The row is collapsed, so that readers without such a data source see no errors. The queries only
read; their database user should have no other rights (docs/postgres.md). Times are stored as UTC
text of fixed width, so they compare with Grafana's own bounds.
"""

from typing import Any

from grafana_foundation_sdk.builders import dashboard, table
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PLUGIN = "grafana-postgresql-datasource"
DATABASE = DataSourceRef(type_val=PLUGIN, uid="${database}")
ROWS = 200
"""Most rows of a table."""
LAYERS = ("egress", "dns", "tcp", "tls", "http")
CONTROL_WITHIN = "15 minutes"
"""Longest time between a failed measurement and the control measurement shown next to it."""


def _chosen(name: str, column: str) -> str:
    """A condition for a variable. For all values Grafana inserts `.*` in any format. Other values
    are escaped as a pattern, but apostrophes are not, so dollar signs quote the pattern."""
    return f"{column} ~ $re$^(${{{name}:regex}})$$re$"


def _where(table_: str) -> str:
    names = ("country", "platform", "network", "vantage")
    return "\n    AND ".join(_chosen(name, f"{table_}.{name}") for name in names)


def _during(column: str) -> str:
    return f"{column} >= $__timeFrom() AND {column} < $__timeTo()"


def _failure(of: str) -> str:
    return f"coalesce({', '.join(f'{of}.{layer}_failure' for layer in LAYERS)})"


def _layer(of: str) -> str:
    cases = (f"WHEN {of}.{layer}_failure IS NOT NULL THEN '{layer}'" for layer in LAYERS)
    return f"CASE {' '.join(cases)} ELSE 'application' END"


FAILED_MEASUREMENTS = f"""\
WITH failed AS (
  SELECT * FROM measurement AS m
  WHERE {_during("m.started_at")}
    AND m.vantage_role = 'field' AND m.look IN ('scheduled', 'retry') AND NOT m.reached
    AND {_where("m")}
  ORDER BY m.started_at DESC
  LIMIT {ROWS}
)
SELECT
  failed.started_at::timestamptz AS "Time", failed.country AS "Country",
  failed.network AS "Network", failed.vantage AS "Vantage", failed.platform AS "Platform",
  failed.function AS "Function", failed.endpoint AS "Endpoint", failed.attempt AS "Try",
  {_layer("failed")} AS "Layer", {_failure("failed")} AS "Failure",
  CASE WHEN control.id IS NULL THEN 'not measured' WHEN control.reached THEN 'reached'
       ELSE coalesce({_failure("control")}, 'failed') END AS "Control",
  control.vantage AS "Control vantage", failed.id AS "Measurement"
FROM failed
LEFT JOIN LATERAL (
  SELECT * FROM measurement AS c
  WHERE c.look = 'control' AND c.endpoint = failed.endpoint AND c.started_at >= failed.started_at
    AND c.started_at < to_char(
      failed.started_at::timestamptz AT TIME ZONE 'UTC' + interval '{CONTROL_WITHIN}',
      'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  ORDER BY c.started_at
  LIMIT 1
) AS control ON true
ORDER BY failed.started_at DESC"""  # noqa: S608 # words of our own

VERDICTS_NOW = f"""\
SELECT
  judged_at::timestamptz AS "Time", country AS "Country", network AS "Network",
  vantage AS "Vantage", platform AS "Platform", function AS "Function", endpoint AS "Endpoint",
  state AS "State", concat_ws('.', nullif(method, ''), nullif(sub_method, '')) AS "Method",
  rule_id AS "Rule", evidence AS "Evidence", failures AS "Failures", measurement AS "Measurement"
FROM latest_verdict AS v
WHERE v.vantage_role = 'field' AND v.state <> 'ok'
    AND {_where("v")}
ORDER BY judged_at DESC
LIMIT {ROWS}"""  # noqa: S608 # words of our own

RULES = f"""\
SELECT
  platform AS "Platform", network AS "Network", state AS "State", rule_id AS "Rule",
  evidence AS "Evidence", count(*) AS "Verdicts",
  min(judged_at)::timestamptz AS "First", max(judged_at)::timestamptz AS "Last"
FROM verdict AS v
WHERE {_during("v.judged_at")}
    AND v.vantage_role = 'field' AND v.state <> 'ok'
    AND {_where("v")}
GROUP BY platform, network, state, rule_id, evidence
ORDER BY count(*) DESC
LIMIT {ROWS}"""  # noqa: S608 # words of our own

HISTORY = f"""\
SELECT
  l.at::timestamptz AS "Time", e.country AS "Country", e.platform AS "Platform",
  e.kind AS "Kind", l.change AS "Change", l.detail AS "Detail", e.state AS "State now",
  e.evidence AS "Evidence", e.id AS "Event"
FROM event_log AS l JOIN event AS e ON e.country = l.country AND e.id = l.event
WHERE {_during("l.at")}
    AND {_chosen("country", "e.country")}
    AND ({_chosen("platform", "e.platform")} OR e.platform = '')
ORDER BY l.at DESC
LIMIT {ROWS}"""  # noqa: S608 # words of our own


class _Sql(Dataquery):
    """A query for the PostgreSQL data source, for which the SDK has no builder."""

    def __init__(self, sql: str) -> None:
        self._sql = sql

    def build(self) -> "_Sql":
        return self

    def to_json(self) -> dict[str, object]:
        return {
            "refId": "A",
            "datasource": DATABASE,
            "editorMode": "code",
            "format": "table",
            "rawQuery": True,
            "rawSql": self._sql,
        }


def variables() -> list[Any]:
    """The database. Without one the variable is empty, and only this row misses it."""
    return [dashboard.DatasourceVariable("database").label("Database").type(PLUGIN)]


def panels() -> list[Any]:
    """Tables from the database, filtered by the variables."""
    return [
        _table(
            "Failed measurements, each next to its control",
            "Measurements that failed, newest first, with layer and failure, and the result of a "
            "control that measured the same endpoint afterwards.",
            FAILED_MEASUREMENTS,
            12,
        ),
        _table(
            "What is not ok now, and by which rule",
            "The newest verdict on every endpoint that is not ok, with its method, its rule and "
            "how good the evidence is.",
            VERDICTS_NOW,
            10,
        ),
        _table(
            "Rules that decided",
            "How often each rule gave a verdict other than ok in the time shown.",
            RULES,
            9,
        ),
        _table(
            "History of events",
            "Every change of every event, as it was logged. Nothing is ever altered or removed.",
            HISTORY,
            9,
        ),
    ]


def _table(title: str, description: str, sql: str, height: int) -> table.Panel:
    panel = table.Panel().with_target(_Sql(sql))
    panel.title(title).description(description).datasource(DATABASE)
    return panel.unit(units.NoUnit).no_value("no data").span(24).height(height)
