"""Is it alive, is it ready, and what does it measure."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from ispcore import metrics as measured
from ispcore import readiness


def health(request: HttpRequest) -> JsonResponse:
    """Liveness: this process answers."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Readiness: everything a request may need answers; 503 says what does not, and what to do.

    Where it stands is told to who may read the metrics: this page is open to everybody.
    """
    results = readiness.check_all(with_addresses=_refusal(request) is None)
    fine = all(result == "ok" for result in results.values())
    return JsonResponse({"status": "ok" if fine else "unavailable", **results}, status=200 if fine else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for the local host or for who holds METRICS_TOKEN."""
    refusal = _refusal(request)
    return refusal or HttpResponse(measured.exposition(), content_type=CONTENT_TYPE_LATEST)


def _refusal(request: HttpRequest) -> HttpResponse | None:
    token = settings.METRICS_TOKEN
    if token and request.headers.get("Authorization") != f"Bearer {token}":
        return HttpResponse("A bearer token is needed.", status=401)
    if not token and request.META.get("REMOTE_ADDR") not in ("127.0.0.1", "::1"):
        return HttpResponse("Set METRICS_TOKEN to read metrics from another host.", status=403)
    return None
