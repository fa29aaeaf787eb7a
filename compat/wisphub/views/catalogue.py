"""Internet plans."""

from rest_framework.request import Request
from rest_framework.response import Response

from compat.wisphub.numbers import key_of, number_of
from compat.wisphub.shapes import Action, amount, informed, speed, succeeded
from compat.wisphub.views.base import WispHubView, number_in, said
from subscribers.models import Plan

# The product's word for a line that logs in and gets its speed by RADIUS, as all of ours do.
TYPE = "PPPOE"


class PlansView(WispHubView):
    app_label = "subscribers"

    def get(self, request: Request) -> Response:
        """List all plans by name."""
        rows = Plan.objects.order_by("name", "id").values_list("pk", "name")
        plans = [{"plan_id": number_of(pk), "name": name, "type": TYPE} for pk, name in rows]
        if not plans:
            return said(informed(Action.INTERNET_PLAN_NOT_FOUND))
        return said(succeeded(Action.INTERNET_PLANS_LISTED, plans))


class PlanView(WispHubView):
    app_label = "subscribers"

    def get(self, request: Request, plan_id: str) -> Response:
        """Show a plan's price and speeds."""
        key = key_of(Plan.objects.all(), number_in("plan_id", plan_id))
        if key is None:
            return said(informed(Action.INTERNET_PLAN_NOT_FOUND))
        plan = Plan.objects.get(pk=key)
        data = {
            "name": plan.name,
            "price": amount(plan.price),
            "download_speed": speed(plan.down_kbps),
            "upload_speed": speed(plan.up_kbps),
        }
        return said(succeeded(Action.INTERNET_PLAN_FOUND, data))
