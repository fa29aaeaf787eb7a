"""Act for another tenant: chosen by a person, recorded in the tenant that is entered."""

from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from ispcore import audit
from ispcore.api.request import caller_of, client_ip, request_id_of
from ispcore.tenants.context import tenant_context
from ispcore.tenants.middleware import SESSION_KEY
from ispcore.tenants.models import Tenant

LIST_LIMIT = 200


def current_tenant_name(request: HttpRequest) -> str:
    tenant = getattr(request, "tenant", None)
    return tenant.name if tenant else ""


def find_current_tenant(request: HttpRequest) -> Tenant | None:
    """Return the tenant the middleware bound to this request."""
    tenant_id = caller_of(request).tenant_id
    return Tenant.objects.get(pk=tenant_id) if tenant_id else None


def may_switch(request: HttpRequest) -> bool:
    principal = caller_of(request).principal
    return bool(principal and (principal.every_tenant or len(principal.grants) > 1))


def switch_tenant_view(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """GET lists the tenants one may act for; POST enters one of them."""
    if request.method == "POST":
        return _enter(request, request.POST.get("tenant", ""))
    term = request.GET.get("q", "").strip()
    tenants = _open_to(request)
    total = tenants.count()
    if term:
        tenants = tenants.filter(name__icontains=term) | tenants.filter(slug__icontains=term)
    context = {
        **site.each_context(request),
        "title": "Choose a provider",
        "tenants": tenants.order_by("name")[:LIST_LIMIT],
        "total": total,
        "term": term,
        "grants": dict(principal.grants) if (principal := caller_of(request).principal) else {},
    }
    return TemplateResponse(request, "admin/switch_tenant.html", context)


def _open_to(request: HttpRequest):
    principal = caller_of(request).principal
    if principal is None:
        return Tenant.objects.none()
    active = Tenant.objects.filter(is_active=True)
    return active if principal.every_tenant else active.filter(pk__in=principal.grants)


def _enter(request: HttpRequest, wanted: str) -> HttpResponse:
    """Switch; a tenant that does not exist and one that is not this person's are refused alike."""
    try:
        tenant = _open_to(request).filter(pk=UUID(wanted)).first()
    except ValueError:
        tenant = None
    if tenant is None:
        raise PermissionDenied("You cannot act for this provider.")
    came_from = current_tenant_name(request)
    with tenant_context(tenant.pk):
        audit.record(
            action="switched tenant",
            detail=f"came from {came_from}"[:200] if came_from else "",
            user_id=request.user.pk,
            ip=client_ip(request),
            request_id=request_id_of(request),
        )
    request.session[SESSION_KEY] = str(tenant.pk)
    messages.success(request, f"You now act for {tenant.name}.")
    return redirect("admin:index")
