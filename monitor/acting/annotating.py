"""Annotations: dated facts about the world, of a file or of a form."""

import csv
import io
from collections.abc import Collection, Mapping
from datetime import datetime

from monitor.acting.acts import ActError, act_of
from monitor.config.annotations_csv import COLUMNS, AnnotationsError, read_annotations
from monitor.config.catalog import shipped_catalog
from monitor.config.settings import Settings
from storage.store import Store
from storage.values.acts import ActKind


def platforms_of(settings: Settings) -> frozenset[str]:
    """Names that annotations may use: of the settings' catalogue, and of the shipped one."""
    catalogs = (settings.catalog, shipped_catalog())
    return frozenset(platform.name for catalog in catalogs for platform in catalog.platforms)


async def annotate(
    store: Store,
    fields: Mapping[str, str],
    platforms: Collection[str],
    *,
    who: str,
    now: datetime,
) -> None:
    """Add one annotation, with the fields and by the rules of a file. Raises ActError and
    StorageError."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    rows.writerow(" ".join(fields.get(name, "").split()) for name in COLUMNS)
    try:
        made = read_annotations(text.getvalue().encode(), platforms, now)
    except AnnotationsError as error:
        raise ActError("; ".join(one.partition(": ")[2] for one in error.problems)) from error
    except UnicodeEncodeError as error:
        raise ActError("text has characters that cannot be stored") from error
    if not made:
        raise ActError("say what happened, when, and where it can be read")
    target = f"annotation {made[0].id}"
    if not await store.add_annotations(made, act_of(who, now, ActKind.ANNOTATE, target)):
        raise ActError("this annotation is there already")
