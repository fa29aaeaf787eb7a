"""Reports of errors to Sentry or what speaks its protocol, where SENTRY_DSN names it; else nothing is imported.

A report has the error's class, the first line of its message, where it was raised, and the request id, tenant, user's
id, task and job it happened in. It has no local variable, and no body, header, cookie or query of the request.
"""

import os
from typing import Any

import structlog

TAGS = ("request_id", "tenant_id", "user_id", "task", "task_id", "job_id")


def begin(service: str) -> None:
    """Report what goes wrong in this process."""
    dsn = os.environ.get("SENTRY_DSN")
    if not dsn:
        return
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.integrations.django import DjangoIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=os.environ.get("SENTRY_ENVIRONMENT") or "production",
        server_name=service,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        auto_enabling_integrations=False,
        integrations=[
            DjangoIntegration(middleware_spans=False, signals_spans=False),
            CeleryIntegration(),
            LoggingIntegration(),
        ],
        before_send=discreet,
    )


def discreet(event: Any, hint: Any) -> Any:
    """Keep what finds the error and drop what may be somebody's."""
    for part in ("user", "extra", "breadcrumbs", "modules"):
        event.pop(part, None)
    request = event.pop("request", None) or {}
    event["request"] = {"method": request.get("method", ""), "url": request.get("url", "").partition("?")[0]}
    for error in (event.get("exception") or {}).get("values", []):
        # PostgreSQL writes the values of the row it refused below its first line.
        error["value"] = (error.get("value") or "").partition("\n")[0][:200]
    said = event.pop("logentry", None) or {}
    if not event.get("exception"):
        event["message"] = _event_name(hint, said)
    event.setdefault("tags", {}).update(
        {name: value for name, value in structlog.contextvars.get_contextvars().items() if name in TAGS}
    )
    return event


def _event_name(hint: Any, said: Any) -> str:
    """Return what was logged without its values: ours name an event, others have a text with places in it."""
    message = getattr(hint.get("log_record"), "msg", said.get("message", ""))
    return str(message.get("event", "") if isinstance(message, dict) else message).partition("\n")[0][:200]
