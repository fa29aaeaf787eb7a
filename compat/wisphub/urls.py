from django.urls import URLPattern, URLResolver, include, path, re_path

from compat.wisphub.document import TITLE
from compat.wisphub.views import catalogue, clients, desk, network, system
from ispcore.api.docs import RedocView, SwaggerView

app_name = "wisphub"

api: list[URLPattern | URLResolver] = [
    re_path(r"^auth/token/?$", system.TokenView.as_view(), name="token"),
    re_path(r"^clients/?$", clients.ListView.as_view(), name="clients"),
    re_path(r"^clients/search/?$", clients.SearchView.as_view(), name="client-search"),
    re_path(
        r"^clients/by-document/(?P<document>[^/]+)/?$",
        clients.ByDocumentView.as_view(),
        name="client-by-document",
    ),
    re_path(r"^clients/by-phone/(?P<phone>[^/]+)/?$", clients.ByPhoneView.as_view(), name="client-by-phone"),
    re_path(
        r"^clients/by-service-id/(?P<service_id>[^/]+)/?$",
        clients.ByServiceView.as_view(),
        name="client-by-service",
    ),
    re_path(r"^clients/resolve/?$", clients.ResolveView.as_view(), name="client-resolve"),
    re_path(r"^clients/(?P<service_id>[^/]+)/verify/?$", clients.VerifyView.as_view(), name="client-verify"),
    re_path(r"^clients/(?P<service_id>[^/]+)/?$", clients.ProfileView.as_view(), name="client"),
    re_path(r"^tickets/?$", desk.TicketsView.as_view(), name="tickets"),
    re_path(r"^tickets/subjects/?$", desk.SubjectsView.as_view(), name="ticket-subjects"),
    re_path(
        r"^tickets/zone-blocked/(?P<zone_id>[^/]+)/?$", desk.ZoneBlockedView.as_view(), name="zone-blocked"
    ),
    re_path(r"^tickets/(?P<ticket_id>[^/]+)/?$", desk.TicketView.as_view(), name="ticket"),
    re_path(r"^internet-plans/?$", catalogue.PlansView.as_view(), name="plans"),
    re_path(r"^internet-plans/(?P<plan_id>[^/]+)/?$", catalogue.PlanView.as_view(), name="plan"),
    re_path(r"^ping/(?P<task_id>[^/]+)/?$", network.PingView.as_view(), name="ping"),
    re_path(r"^(?P<service_id>[^/]+)/ping/?$", network.PingLineView.as_view(), name="client-ping"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^health/?$", system.HealthView.as_view(), name="health"),
    re_path(r"^openapi\.json/?$", system.DocumentView.as_view(), name="openapi"),
    re_path(r"^docs/?$", SwaggerView.as_view(url_name="wisphub:openapi", title=TITLE), name="docs"),
    re_path(r"^redoc/?$", RedocView.as_view(url_name="wisphub:openapi", title=TITLE), name="redoc"),
    path("api/v1/", include(api)),
]
