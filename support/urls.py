from django.urls import URLPattern, URLResolver, include, path, re_path

from ispcore.api.routers import HouseRouter
from support.api.bulk import TicketBulkView
from support.api.desk import CannedAnswerViewSet, SubjectsView, SubjectViewSet, TeamViewSet, ZoneBlockedView
from support.api.diagnosis import DiagnosisView
from support.api.me import (
    MyBalanceView,
    MyInvoiceViewSet,
    MyServiceViewSet,
    MySubjectsView,
    MyTicketViewSet,
)
from support.api.notices import ConsentViewSet, MassMessageViewSet, NoticeTemplateViewSet, NoticeViewSet
from support.api.settings import SupportSettingsView
from support.api.tickets import TicketViewSet

router = HouseRouter()
router.register("tickets", TicketViewSet, basename="ticket")
router.register("subjects", SubjectViewSet, basename="subject")
router.register("teams", TeamViewSet, basename="team")
router.register("canned-answers", CannedAnswerViewSet, basename="canned-answer")
router.register("notices", NoticeViewSet, basename="notice")
router.register("notice-templates", NoticeTemplateViewSet, basename="notice-template")
router.register("consents", ConsentViewSet, basename="consent")
router.register("mass-messages", MassMessageViewSet, basename="mass-message")

support_patterns: list[URLPattern | URLResolver] = [
    re_path(r"^diagnosis/(?P<pk>[^/]+)/?$", DiagnosisView.as_view(), name="diagnosis"),
    re_path(r"^tickets/bulk/?$", TicketBulkView.as_view(), name="ticket-bulk"),
    re_path(r"^subjects/?$", SubjectsView.as_view(), name="subjects"),
    re_path(r"^settings/?$", SupportSettingsView.as_view(), name="support-settings"),
    re_path(r"^zones/(?P<pk>[^/]+)/blocked/?$", ZoneBlockedView.as_view(), name="zone-blocked"),
    path("", include(router.urls)),
]

own = HouseRouter()
own.register("me/services", MyServiceViewSet, basename="my-service")
own.register("me/invoices", MyInvoiceViewSet, basename="my-invoice")
own.register("me/tickets", MyTicketViewSet, basename="my-ticket")

urlpatterns = [
    path("support/", include(support_patterns)),
    re_path(r"^me/balance/?$", MyBalanceView.as_view(), name="my-balance"),
    re_path(r"^me/subjects/?$", MySubjectsView.as_view(), name="my-subjects"),
    path("", include(own.urls)),
]
