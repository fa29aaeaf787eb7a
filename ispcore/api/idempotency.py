"""Safe retries: the first answer to a key is stored with what it did, in one transaction.

The advisory lock ends with the transaction, so a key held by a crashed worker is free at once. A
refused request leaves no row: the corrected one may use the same key. So may a request whose job failed. Of an
answer that showed a secret once nothing is stored but that it was given: a repeat makes no second one.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from django.db import connection
from django.http import HttpRequest, HttpResponse
from rest_framework.response import Response

from ispcore.api.envelope import error_response
from ispcore.api.models import IdempotentAnswer
from ispcore.api.parsers import refuse_large_upload
from ispcore.api.request import caller_of
from ispcore.api.throttles import HouseThrottle, write_headers
from ispcore.jobs.models import Job, JobStatus
from ispcore.tenants.context import current_tenant_id

HEADERS = ("X-Idempotency-Key", "Idempotency-Key")
MAX_LENGTH = 255
KEPT_HEADERS = ("Content-Type", "Location", "ETag")
KEPT_HOURS = 24
# Refusals are not stored, so this status says of a row that its answer was not.
SHOWN_ONCE = 409
SHOWN_ONCE_MESSAGE = (
    "This request was carried out before, and its answer showed a secret that is stored nowhere. If you have lost "
    "it, make a new one with another idempotency key, and revoke or remove the first."
)


def serve(request: HttpRequest, view: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    """Run `view` once per key: replay the stored answer, or run and store it.

    Runs inside the tenant's transaction, in which the answer and its effects commit together.
    """
    key = next((request.headers[name] for name in HEADERS if name in request.headers), None)
    caller = caller_of(request)
    if request.method != "POST" or key is None or caller.principal is None:
        return view(request)
    if not 1 <= len(key) <= MAX_LENGTH or not key.isprintable():
        return _refuse(
            request, 400, "malformed_request", f"The idempotency key must be 1 to {MAX_LENGTH} characters."
        )
    if not _lock(f"{current_tenant_id()}|{caller.principal.key}|{key}"):
        return _refuse(request, 409, "idempotency_in_progress", "A request with this key is still running.")

    fingerprint = _fingerprint(request)
    stored = _find(caller.principal.key, key)
    if stored is None:
        return _run_and_store(request, view, principal=caller.principal.key, key=key, fingerprint=fingerprint)
    if stored.fingerprint == fingerprint and _came_to_nothing(stored):
        stored.delete()
        return _run_and_store(request, view, principal=caller.principal.key, key=key, fingerprint=fingerprint)
    return _answer_from(stored, request, fingerprint)


def show_once(response: Response, **secrets: str) -> Response:
    """Add secrets to an answer of which nobody on its way keeps a copy, and which no repeat gets again."""
    response.data = {**response.data, **secrets}
    response["Cache-Control"] = "no-store"
    response.shows_once = True  # type: ignore[attr-defined]
    return response


def _answer_from(stored: IdempotentAnswer, request: HttpRequest, fingerprint: str) -> HttpResponse:
    """Answer in the view's place, counted as the view would have counted it."""
    throttle = HouseThrottle()
    if not throttle.allow_request(request, None):
        response = _refuse(
            request, 429, "rate_limited", "Too many requests.", retry_after=throttle.retry_after
        )
    elif stored.fingerprint != fingerprint:
        message = "This idempotency key was used for another request."
        response = _refuse(request, 422, "idempotency_key_reused", message)
    elif stored.status == SHOWN_ONCE:
        response = _refuse(request, 409, "secret_shown_once", SHOWN_ONCE_MESSAGE)
    else:
        response = _replay(stored)
    write_headers(request, response)
    return response


def _came_to_nothing(stored: IdempotentAnswer) -> bool:
    """Tell whether the answer stands for a job that failed: repeating it for a day would help nobody."""
    ended = (JobStatus.FAILED, JobStatus.CANCELLED)
    return stored.job_id is not None and Job.objects.filter(pk=stored.job_id, status__in=ended).exists()


def _run_and_store(
    request: HttpRequest,
    view: Callable[[HttpRequest], HttpResponse],
    *,
    principal: str,
    key: str,
    fingerprint: str,
) -> HttpResponse:
    response = view(request)
    # What must not be stored by those it passes, such as a revealed password, is not stored here either.
    if getattr(response, "shows_once", False):
        told = HttpResponse(status=SHOWN_ONCE)
        _store(told, principal=principal, key=key, fingerprint=fingerprint)
    elif response.status_code < 400 and response.get("Cache-Control") != "no-store":
        _store(response, principal=principal, key=key, fingerprint=fingerprint)
    return response


def _find(principal: str, key: str) -> IdempotentAnswer | None:
    """Look for a stored answer; in SQL, because nearly every key is new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT EXISTS (SELECT FROM api_idempotentanswer WHERE tenant_id = %s AND principal = %s AND key = %s)
            """,
            [current_tenant_id(), principal, key],
        )
        (exists,) = cursor.fetchone()
    return IdempotentAnswer.objects.get(principal=principal, key=key) if exists else None


def _store(response: HttpResponse, *, principal: str, key: str, fingerprint: str) -> None:
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO api_idempotentanswer (id, tenant_id, created_at, updated_at, principal, key, fingerprint,
                                              status, headers, job_id, body)
            VALUES (uuidv7(), %s, now(), now(), %s, %s, %s, %s, %s, %s, %s)
            """,
            [
                current_tenant_id(), principal, key, fingerprint, response.status_code,
                orjson.dumps(headers).decode(), getattr(response, "job_id", None), response.content.decode(),
            ],
        )  # fmt: skip


def _replay(stored: IdempotentAnswer) -> HttpResponse:
    response = HttpResponse(stored.body, status=stored.status, headers=stored.headers)
    response["Idempotency-Replayed"] = "true"
    if stored.job_id:
        response.job_id = stored.job_id  # type: ignore[attr-defined]
    return response


def _lock(name: str) -> bool:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest, "big", signed=True)])
        (locked,) = cursor.fetchone()
    return bool(locked)


def _fingerprint(request: HttpRequest) -> str:
    parts = (request.method or "", request.get_full_path().rstrip("/"))
    digest = hashlib.sha256("\n".join(parts).encode() + b"\n")
    if request.content_type == "multipart/form-data":
        _add_form(digest, request)
    else:
        digest.update(request.body)
    return digest.hexdigest()


def _add_form(digest: Any, request: HttpRequest) -> None:
    """Add what a form holds: its bytes differ by the boundary each time it is sent."""
    refuse_large_upload(request)
    for name, values in sorted(request.POST.lists()):
        digest.update(repr((name, values)).encode())
    for name, files in sorted(request.FILES.lists()):
        for file in files:
            digest.update(repr((name, file.name, file.size)).encode())
            for piece in file.chunks():
                digest.update(piece)
            file.seek(0)


def _refuse(
    request: HttpRequest, status: int, code: str, message: str, *, retry_after: int | None = None
) -> HttpResponse:
    return error_response(request, status=status, code=code, message=message, retry_after=retry_after)
