"""Structured logs: one event per line with request id, tenant, user, task and job; never a secret."""

import logging.config
from typing import Any

import structlog


def name_request(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Add whose request it was to what Django logs of an answer, after everything that knew it has been left."""
    request = getattr(event.get("_record"), "request", None)
    caller = getattr(request, "caller", None)
    known = {
        "request_id": getattr(request, "request_id", None),
        "tenant_id": caller and caller.tenant_id,
        "user_id": caller and caller.user_id,
    }
    for name, value in known.items():
        if value:
            event.setdefault(name, str(value))
    return event


def configure(options: dict[str, Any]) -> None:
    """Set up the standard library's logging through structlog; `json` for machines, else for people."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Traces as Python writes them: the library's own would print every local variable, passwords among them.
    renderers = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if options["json"]
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "house": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
                    "foreign_pre_chain": [*shared, name_request],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "house"}},
            "root": {"handlers": ["stderr"], "level": options["level"]},
        }
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
