"""Where the portal is: each provider's under its own short name."""

from django.urls import URLPattern, path

from support.pages import entry, own, stopping, tickets

urlpatterns: list[URLPattern] = [
    path("notices/stop/<str:token>", stopping.stop, name="notices-stop"),
    path("portal/<slug:slug>/", own.home, name="portal-home"),
    path("portal/<slug:slug>/log-in", entry.log_in, name="portal-login"),
    path("portal/<slug:slug>/enter/<str:secret>", entry.enter, name="portal-enter"),
    path("portal/<slug:slug>/log-out", entry.log_out, name="portal-logout"),
    path("portal/<slug:slug>/language", entry.language, name="portal-language"),
    path("portal/<slug:slug>/password", entry.password, name="portal-password"),
    path("portal/<slug:slug>/services", own.services, name="portal-services"),
    path("portal/<slug:slug>/services/<uuid:line_id>", own.service, name="portal-service"),
    path("portal/<slug:slug>/invoices", own.invoices, name="portal-invoices"),
    path(
        "portal/<slug:slug>/invoices/<uuid:invoice_id>/pdf", own.invoice_document, name="portal-invoice-pdf"
    ),
    path("portal/<slug:slug>/tickets", tickets.listed, name="portal-tickets"),
    path("portal/<slug:slug>/tickets/new", tickets.new, name="portal-ticket-new"),
    path("portal/<slug:slug>/tickets/<uuid:ticket_id>", tickets.ticket, name="portal-ticket"),
    path("portal/<slug:slug>/files/<uuid:attachment_id>", tickets.attachment, name="portal-file"),
]
