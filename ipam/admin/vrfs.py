from typing import Any

from django.contrib import admin
from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse

from ipam.models import Pool, Subnet, Vrf
from ipam.services import space
from ispcore.admin import links, navigation
from ispcore.admin.base import TenantModelAdmin
from ispcore.admin.formats import DASH
from ispcore.admin.site import register
from subscribers.admin.saving import answers, saved


@register(Vrf)
class VrfAdmin(TenantModelAdmin):
    """Address spaces."""

    list_display = ("name", "rd_shown", "description_shown", "subnets", "pools")
    search_fields = ("name", "rd")
    ordering = ("name",)
    sortable_by = ("name", "rd_shown")
    fieldsets = ((None, {"fields": ("name", "rd", "description")}),)
    empty_title = "No VRF yet"
    empty_help = (
        "A VRF (virtual routing and forwarding) is an address space of its own: the same address may be used once in "
        "each. Most providers need one, called default, and often a second for the management of their devices. "
        "Subnets and pools are then made in a VRF."
    )
    docs_path = "/docs"

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        rows = super().get_queryset(request)
        return rows.annotate(subnet_count=_count(Subnet), pool_count=_count(Pool))

    def save_model(self, request: HttpRequest, obj: Vrf, form: Any, change: bool) -> None:
        if change:
            saved(obj, space.change_vrf(vrf_id=obj.pk, **answers(form, changed=True)))
        else:
            saved(obj, space.create_vrf(**answers(form)))

    def delete_model(self, request: HttpRequest, obj: Vrf) -> None:
        space.remove_vrf(vrf_id=obj.pk)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Nothing goes with a VRF: one that is used is not removed, and the service says by what."""
        return [str(vrf) for vrf in objs], {"VRFs": len(objs)}, set(), []

    @admin.display(description="Route distinguisher", ordering="rd")
    def rd_shown(self, obj: Vrf) -> str:
        return obj.rd or DASH

    @admin.display(description="Description")
    def description_shown(self, obj: Vrf) -> str:
        return obj.description or DASH

    @admin.display(description="Subnets")
    def subnets(self, obj: Any) -> Any:
        return _counted(
            obj.subnet_count, f"{reverse('admin:ipam_subnet_changelist')}?vrf__id__exact={obj.pk}"
        )

    @admin.display(description="Pools")
    def pools(self, obj: Any) -> Any:
        return _counted(obj.pool_count, f"{reverse('admin:ipam_pool_changelist')}?vrf__id__exact={obj.pk}")


def _count(model: type[Model]) -> Coalesce:
    rows = model._default_manager.filter(vrf=OuterRef("pk")).order_by().values("vrf")
    return Coalesce(Subquery(rows.annotate(n=Count("pk")).values("n")), 0)


def _counted(count: int, url: str) -> Any:
    return links.link(url, str(count)) if count else 0


links.add("vrf", "admin:ipam_vrf_change")
navigation.add_list("Addresses", 10, "VRFs", Vrf, icon="hub")
