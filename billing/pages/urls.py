"""Where the pages without a log-in are: their addresses are signed, or known to the payer alone."""

from django.urls import URLPattern, path

from billing.pages import demo_bank, pay

urlpatterns: list[URLPattern] = [
    path("pay/<str:token>", pay.page, name="pay"),
    path("pay/<str:token>/pdf", pay.document, name="pay-pdf"),
    path("pay/<str:token>/begin", pay.begin, name="pay-begin"),
    path("demo-bank/<str:name>/<uuid:checkout_id>", demo_bank.page, name="demo-bank"),
]
