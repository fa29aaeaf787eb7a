"""A data change of the tests' own, and the Celery application of a worker that knows it."""

from ispcore.celery import app

app.loader.import_default_modules()  # There are no models before, where a worker is started with this module.

from typing import Any  # noqa: E402

from django.db.models import QuerySet, Value  # noqa: E402
from django.db.models.functions import Replace  # noqa: E402

from ispcore import data_changes  # noqa: E402
from subscribers.models import Zone  # noqa: E402

NAME = "subscribers.name_zones"
SIZE = 2


def unnamed() -> QuerySet[Zone]:
    zones: QuerySet[Zone] = Zone.objects.filter(name__startswith="raw ")
    return zones


def name_zones(zones: QuerySet[Any]) -> None:
    zones.update(name=Replace("name", Value("raw "), Value("")))


data_changes.add(data_changes.DataChange(NAME, left=unnamed, change=name_zones, size=SIZE))
