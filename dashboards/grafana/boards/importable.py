"""A dashboard in two more shapes: for import by hand, and in the schema of Grafana 12 and newer.

Both hold the same panels, queries and variables as the classic file, so each is made from it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

INPUT = "DS_PROMETHEUS"
OLDEST = "11.0.0"
"""The oldest Grafana that the classic files are for."""
VERSION = "11.6.0"
"""The Grafana whose panels the options and field settings are those of."""
NAMES = {
    "prometheus": "Prometheus",
    "grafana-postgresql-datasource": "PostgreSQL",
    "stat": "Stat",
    "state-timeline": "State timeline",
    "status-history": "Status history",
    "table": "Table",
    "timeseries": "Time series",
}
"""Names of plugins by id."""
API = "dashboard.grafana.app/v2"
HIDDEN = ("dontHide", "hideLabel", "hideVariable")
REFRESH = ("never", "onDashboardLoad", "onTimeRangeChanged")
SORT = ("disabled", "alphabeticalAsc", "alphabeticalDesc")
SYNC = ("Off", "Crosshair", "Tooltip")


def panels_of(document: Mapping[str, Any]) -> Iterator[Json]:
    """Every panel, those of collapsed rows included, without the rows."""
    for panel in document["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def for_import(document: Mapping[str, Any]) -> Json:
    """The dashboard as *Export → for sharing externally* would write it: Grafana asks for the data
    source, and says which plugins are missing."""
    variables = [dict(one) for one in document["templating"]["list"]]
    variables[0]["current"] = {"selected": True, "text": f"${{{INPUT}}}", "value": f"${{{INPUT}}}"}
    return {
        **document,
        "__inputs": [
            {
                "name": INPUT,
                "label": "Prometheus that scrapes shutwatch",
                "description": "",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": NAMES["prometheus"],
            }
        ],
        "__elements": {},
        "__requires": [
            {"type": "grafana", "id": "grafana", "name": "Grafana", "version": OLDEST},
            {
                "type": "datasource",
                "id": "prometheus",
                "name": NAMES["prometheus"],
                "version": "1.0.0",
            },
            *(
                {"type": "panel", "id": kind, "name": NAMES[kind], "version": ""}
                for kind in sorted({panel["type"] for panel in panels_of(document)})
            ),
        ],
        "id": None,
        "templating": {"list": variables},
    }


def in_v2(document: Mapping[str, Any]) -> Json:
    """The dashboard as a resource of Grafana's API, for Git Sync, `grafanactl` and import."""
    return {
        "apiVersion": API,
        "kind": "Dashboard",
        "metadata": {"name": document["uid"]},
        "spec": {
            "annotations": [_annotation(one) for one in document["annotations"]["list"]],
            "cursorSync": SYNC[document["graphTooltip"]],
            "description": document["description"],
            "editable": document["editable"],
            "elements": {_element(panel): _panel(panel) for panel in panels_of(document)},
            "layout": {"kind": "RowsLayout", "spec": {"rows": list(_rows(document))}},
            "links": document["links"],
            "preload": False,
            "tags": document["tags"],
            "timeSettings": {
                "timezone": document["timezone"],
                **document["time"],
                "autoRefresh": document["refresh"],
                "autoRefreshIntervals": ["30s", "1m", "5m", "15m", "1h"],
                "hideTimepicker": False,
                "fiscalYearStartMonth": document["fiscalYearStartMonth"],
            },
            "title": document["title"],
            "variables": [_variable(one) for one in document["templating"]["list"]],
        },
    }


def _query(source: Mapping[str, Any], spec: Mapping[str, Any]) -> Json:
    return {
        "kind": "DataQuery",
        "group": source["type"],
        "version": "v0",
        "datasource": {"name": source["uid"]},
        "spec": dict(spec),
    }


_OF_ANNOTATIONS = ("expr", "step", "titleFormat", "useValueForTime")
"""What the data source reads of an annotation."""


def _annotation(one: Mapping[str, Any]) -> Json:
    asked = {key: one[key] for key in _OF_ANNOTATIONS if key in one}
    return {
        "kind": "AnnotationQuery",
        "spec": {
            "query": _query(one["datasource"], asked),
            "enable": one["enable"],
            "hide": one["hide"],
            "iconColor": one["iconColor"],
            "name": one["name"],
            "builtIn": False,
            "legacyOptions": asked,
        },
    }


def _element(panel: Mapping[str, Any]) -> str:
    return f"panel-{panel['id']}"


def _panel(panel: Mapping[str, Any]) -> Json:
    limits = {key: panel[key] for key in ("interval", "maxDataPoints") if key in panel}
    return {
        "kind": "Panel",
        "spec": {
            "id": panel["id"],
            "title": panel["title"],
            "description": panel["description"],
            "links": [],
            "data": {
                "kind": "QueryGroup",
                "spec": {
                    "queries": [_target(one) for one in panel["targets"]],
                    "transformations": [
                        {
                            "kind": "Transformation",
                            "group": one["id"],
                            "spec": {"options": one["options"]},
                        }
                        for one in panel.get("transformations", [])
                    ],
                    "queryOptions": limits,
                },
            },
            "vizConfig": {
                "kind": "VizConfig",
                "group": panel["type"],
                "version": VERSION,
                "spec": {
                    "options": panel.get("options", {}),
                    "fieldConfig": panel["fieldConfig"],
                },
            },
        },
    }


def _target(target: Mapping[str, Any]) -> Json:
    spec = {key: value for key, value in target.items() if key not in ("refId", "datasource")}
    query = _query(target["datasource"], spec)
    shown = {"query": query, "refId": target["refId"], "hidden": False}
    return {"kind": "PanelQuery", "spec": shown}


def _rows(document: Mapping[str, Any]) -> Iterator[Json]:
    """Rows, with places that count from the top of each."""
    row: Json = {}
    items: list[Json] = []
    for panel in document["panels"]:
        if panel["type"] == "row":
            if row:
                yield _row(row, items)
            row, items = panel, [*panel["panels"]]
        else:
            items.append(panel)
    yield _row(row, items)


def _row(row: Mapping[str, Any], panels: list[Json]) -> Json:
    top = row["gridPos"]["y"] + row["gridPos"]["h"]
    items = [
        {
            "kind": "GridLayoutItem",
            "spec": {
                "x": panel["gridPos"]["x"],
                "y": panel["gridPos"]["y"] - top,
                "width": panel["gridPos"]["w"],
                "height": panel["gridPos"]["h"],
                "element": {"kind": "ElementReference", "name": _element(panel)},
            },
        }
        for panel in panels
    ]
    return {
        "kind": "RowsLayoutRow",
        "spec": {
            "title": row["title"],
            "collapse": row["collapsed"],
            "layout": {"kind": "GridLayout", "spec": {"items": items}},
        },
    }


def _variable(one: Mapping[str, Any]) -> Json:
    shared = {
        "name": one["name"],
        "label": one["label"],
        "hide": HIDDEN[one.get("hide", 0)],
        "skipUrlSync": False,
        "multi": one.get("multi", False),
        "includeAll": one.get("includeAll", False),
        "allowCustomValue": True,
        "options": [],
        "regex": one.get("regex", ""),
    }
    if one["type"] == "datasource":
        return {
            "kind": "DatasourceVariable",
            "spec": {
                **shared,
                "pluginId": one["query"],
                "refresh": REFRESH[1],
                "current": {"text": "", "value": ""},
            },
        }
    return {
        "kind": "QueryVariable",
        "spec": {
            **shared,
            "query": _query(one["datasource"], one["query"]),
            "definition": one["query"]["query"],
            "refresh": REFRESH[one["refresh"]],
            "sort": SORT[one["sort"]],
            "current": {"text": "All", "value": "$__all"},
            "allValue": one["allValue"],
        },
    }
