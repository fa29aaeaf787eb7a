"""What Prometheus learns of each request: how long it took and how it ended, by view.

Two series under the names that django-prometheus gives them, so that dashboards made for it work. Its own
middleware keeps eleven more, and to keep them took a seventh of what a small request took in all. A third says which
tenant the time went to.
"""

import os
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, Summary, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ispcore.measures import MeasureCollector

SECONDS = Histogram(
    "django_http_requests_latency_seconds_by_view_method",
    "Histogram of request processing time labelled by view.",
    ["view", "method"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
ANSWERS = Counter(
    "django_http_responses_total_by_status_view_method",
    "Count of responses by status, view, method.",
    ["status", "view", "method"],
)
TENANTS = Summary(
    "ispcore_tenant_request_seconds",
    "Seconds that requests of a tenant took; `other` beyond the first five hundred.",
    ["tenant_id"],
)
MOST_TENANTS = 500  # A series each, in each process.
# A caller may write anything there, and each new word would be a series for ever.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MetricsMiddleware:
    """Stand outermost: what any other middleware does or answers counts as well."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.tenants: set[str] = set()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        view = (request.resolver_match and request.resolver_match.view_name) or "none"
        took = time.perf_counter() - began
        SECONDS.labels(view, method).observe(took)
        ANSWERS.labels(str(response.status_code), view, method).inc()
        caller = getattr(request, "caller", None)
        if caller and caller.tenant_id:
            TENANTS.labels(self._label_of(str(caller.tenant_id))).observe(took)
        return response

    def _label_of(self, tenant_id: str) -> str:
        if tenant_id not in self.tenants:
            if len(self.tenants) >= MOST_TENANTS:
                return "other"
            self.tenants.add(tenant_id)
        return tenant_id


def exposition() -> bytes:
    """Return everything that is measured, in Prometheus' text format.

    Where several processes serve, each writes its requests to files in PROMETHEUS_MULTIPROC_DIR, and whichever is asked
    adds them up; without that setting it tells of itself alone.
    """
    requests = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        requests = CollectorRegistry()
        MultiProcessCollector(requests)  # type: ignore[no-untyped-call]
    installation = CollectorRegistry()
    installation.register(MeasureCollector())
    return generate_latest(requests) + generate_latest(installation)
