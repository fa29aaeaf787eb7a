"""Bind the tenant around the whole request: one transaction, from before the view to after its rendering."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID

import structlog
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import APIException

from ispcore import audit
from ispcore.api import idempotency
from ispcore.api.dialects import dialect_of
from ispcore.api.envelope import error_response
from ispcore.api.errors import ApiError, integrity_refusal
from ispcore.api.request import Caller, client_ip, is_api, request_id_of
from ispcore.api.seats import NoSeat, seat
from ispcore.auth.guard import authenticate_carefully
from ispcore.auth.principal import Principal
from ispcore.tenants.context import REQUEST, tenant_context
from ispcore.tenants.models import User
from ispcore.tenants.roles import STAFF_ROLES, Role
from ispcore.tenants.selectors import find_tenant, grants_of

SESSION_KEY = "tenant_id"
# They read no credential but the one in their body, and what they remember of a refused one must stay.
TOKEN_PATHS = frozenset({"/api/v1/auth/token", "/api/v1/auth/revoke"})


class TenantMiddleware:
    """Learn who calls and for whom, then run the rest inside that tenant's context.

    Anything answered with 400 or more is rolled back: a refusal changes nothing. A view that nobody
    bound a tenant for sees no tenant data at all.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if is_api(request):
            return self._serve_api(request, api_caller(request))
        if request.path_info.startswith(reverse("admin:index")):
            caller = staff_caller(request)
            if caller.principal and caller.principal.every_tenant and not caller.tenant_id:
                return self._send_to_picker(request, caller)
        else:
            caller = Caller()
        return self._serve(request, caller)

    def _serve_api(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """Programs send as many requests at once as they like, people one after the other."""
        if caller.tenant_id is None:
            return self._serve(request, caller)
        try:
            with seat(caller.tenant_id):
                return self._serve(request, caller)
        except NoSeat as refusal:
            return self._serve(request, Caller(refusal=refusal))

    def _serve(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        request.caller = caller  # type: ignore[attr-defined]
        if caller.tenant_id is None:
            return self.get_response(request)
        who = {"user_id": str(caller.user_id)} if caller.user_id else {}
        structlog.contextvars.bind_contextvars(tenant_id=str(caller.tenant_id), **who)
        try:
            with tenant_context(caller.tenant_id, limits=REQUEST), _stamped(request, caller):
                serve = idempotency.serve if is_api(request) else _run
                response = serve(request, self.get_response)
                if response.status_code >= 400:
                    transaction.set_rollback(True)
        except IntegrityError as error:  # Deferred constraints speak at COMMIT, after the view.
            return _conflict(request, error)
        finally:
            structlog.contextvars.unbind_contextvars("tenant_id", "user_id")
        return response

    def _send_to_picker(self, request: HttpRequest, caller: Caller) -> HttpResponse:
        """Platform staff choose a tenant before they see any data."""
        open_paths = {reverse("admin:switch_tenant"), reverse("admin:logout"), reverse("admin:login")}
        if request.path_info in open_paths:
            return self._serve(request, caller)
        return HttpResponseRedirect(reverse("admin:switch_tenant"))


def api_caller(request: HttpRequest) -> Caller:
    """Check the credential and choose the tenant; a refusal is kept for the view to raise."""
    dialect = dialect_of(request)
    if dialect:
        header, wanted = dialect.authorization(request), dialect.tenant(request)
        is_open = dialect.is_open(request)
    else:
        header, wanted = request.headers.get("Authorization", ""), request.headers.get("X-Tenant-ID", "")
        is_open = request.path_info.rstrip("/") in TOKEN_PATHS
    if not header or is_open:
        return Caller()
    try:
        principal = authenticate_carefully(header, ip=client_ip(request))
        tenant_id = choose_tenant(principal, wanted)
    except APIException as refusal:
        return Caller(refusal=refusal)
    role = principal.grants.get(tenant_id, Role.ADMINISTRATOR if principal.every_tenant else None)
    if principal.user:
        principal.user.acting_role = role
    return Caller(principal, tenant_id, role)


def choose_tenant(principal: Principal, wanted: str) -> UUID:
    """Return the tenant a call is for; one that does not exist and one that is not the caller's look alike.

    Raises ApiError `tenant_required` (400) or `tenant_forbidden` (403).
    """
    if not wanted:
        if len(principal.grants) == 1 and not principal.every_tenant:
            return next(iter(principal.grants))
        message = "This credential belongs to several tenants: name one in the X-Tenant-ID header."
        if not principal.grants and not principal.every_tenant:
            raise ApiError(403, "tenant_forbidden", "This credential belongs to no active tenant.")
        raise ApiError(400, "tenant_required", message, field="X-Tenant-ID")
    tenant = find_tenant(wanted) if wanted.isprintable() else None
    if tenant is None or not (principal.every_tenant or tenant.pk in principal.grants):
        message = "X-Tenant-ID names no tenant this credential belongs to."
        raise ApiError(403, "tenant_forbidden", message, field="X-Tenant-ID")
    return tenant.pk


def staff_caller(request: HttpRequest) -> Caller:
    """Find the logged-in person's acting tenant: the one of the session, else their only or first one."""
    user = request.user
    if not isinstance(user, User):
        return Caller()
    staff_grants = {pk: role for pk, role in grants_of(user).items() if role in STAFF_ROLES}
    principal = Principal(f"user:{user.pk}", user, staff_grants, every_tenant=user.is_platform_staff)
    tenant_id = _session_tenant(request, principal)
    if tenant_id is None:
        return Caller(principal)
    role = staff_grants.get(tenant_id, Role.ADMINISTRATOR)
    user.acting_role = role
    return Caller(principal, tenant_id, role)


def _session_tenant(request: HttpRequest, principal: Principal) -> UUID | None:
    chosen = request.session.get(SESSION_KEY)
    tenant = find_tenant(chosen) if chosen else None
    if tenant and (principal.every_tenant or tenant.pk in principal.grants):
        return tenant.pk
    return next(iter(principal.grants), None)


def _run(request: HttpRequest, view: Callable[[HttpRequest], HttpResponse]) -> HttpResponse:
    return view(request)


def _stamped(request: HttpRequest, caller: Caller) -> AbstractContextManager[object]:
    return audit.acting(
        user_id=caller.user_id,
        ip=client_ip(request),
        request_id=request_id_of(request),
        by=caller.principal.key if caller.principal else "",
    )


def _conflict(request: HttpRequest, error: IntegrityError) -> HttpResponse:
    refusal = integrity_refusal(error)
    if is_api(request):
        code, message = str(refusal.get_codes()), str(refusal.detail)
        return error_response(request, status=409, code=code, message=message, field=refusal.field)
    return HttpResponse("This conflicts with what is stored; nothing was changed.", status=409)
