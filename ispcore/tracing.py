"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector; else nothing of it is even imported.

Spans leave with what stands in the list below and nothing else: no address that was asked for with its query, no value
of a statement, no message of an error. OpenTelemetry's own variables (OTEL_*) say the rest, such as how many are kept.
"""

import os
from collections.abc import Sequence
from typing import Any

# Names of both generations of OpenTelemetry's conventions; statements come with places for their values (%s).
ATTRIBUTES = frozenset(
    {
        "http.method", "http.request.method", "http.route", "http.status_code", "http.response.status_code",
        "db.system", "db.system.name", "db.name", "db.namespace", "db.statement", "db.query.text", "db.user",
        "net.peer.name", "net.peer.port", "server.address", "server.port",
        "celery.action", "celery.state", "celery.task_name", "messaging.destination", "messaging.message.id",
        "ispcore.request_id", "ispcore.tenant_id",
    }
)  # fmt: skip


def begin(service: str) -> None:
    """Trace this process; call it before Django is set up, since its middleware is put in front of ours."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult

    class DiscreetExporter(OTLPSpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return super().export([discreet(span) for span in spans])

    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(DiscreetExporter()))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(response_hook=name_request, excluded_urls="^health,^ready,^metrics")
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    PsycopgInstrumentor().instrument()
    RedisInstrumentor().instrument()


def name_request(span: Any, request: Any, response: Any) -> None:
    """Write on a request's span what its log lines have."""
    caller = getattr(request, "caller", None)
    if not span.is_recording():
        return
    span.set_attribute("ispcore.request_id", getattr(request, "request_id", ""))
    if caller and caller.tenant_id:
        span.set_attribute("ispcore.tenant_id", str(caller.tenant_id))


def discreet(span: Any) -> Any:
    """Return the span with the attributes that may leave; of an error only its class."""
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.trace import Status

    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes={name: value for name, value in span.attributes.items() if name in ATTRIBUTES},
        events=[
            Event(
                each.name,
                {k: v for k, v in (each.attributes or {}).items() if k == "exception.type"},
                each.timestamp,
            )
            for each in span.events
        ],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
