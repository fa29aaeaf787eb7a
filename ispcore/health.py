"""Is it alive, is it ready, and what does it measure."""

from collections.abc import Callable
from functools import cache

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView

from ispcore.redis import client


def health(request: HttpRequest) -> JsonResponse:
    """Liveness: this process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Readiness: everything a request may need answers; 503 names what does not."""
    checks: dict[str, Callable[[], None]] = {
        "database": _database,
        "migrations": _migrations,
        "redis": _redis,
        "broker": _redis,
    }
    results = {name: _outcome(check) for name, check in checks.items()}
    fine = all(result == "ok" for result in results.values())
    return JsonResponse({"status": "ok" if fine else "unavailable", **results}, status=200 if fine else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for the local host or for who holds METRICS_TOKEN."""
    token = settings.METRICS_TOKEN
    if token and request.headers.get("Authorization") != f"Bearer {token}":
        return HttpResponse("A bearer token is needed.", status=401)
    if not token and request.META.get("REMOTE_ADDR") not in ("127.0.0.1", "::1"):
        return HttpResponse("Set METRICS_TOKEN to read metrics from another host.", status=403)
    response: HttpResponse = ExportToDjangoView(request)
    return response


def _outcome(check: Callable[[], None]) -> str:
    try:
        check()
    except Exception as error:  # Whatever it is, the caller must learn that this part is not ready.
        return f"failed: {type(error).__name__}"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@cache
def _migrations() -> None:
    """Raise while migrations are pending. Once it found none it looks no more: this code brings no others."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise RuntimeError("migrations are pending")


def _redis() -> None:
    client().ping()
