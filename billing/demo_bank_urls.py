"""The bank of the demo; no log-in, the address is known to the payer alone."""

from django.urls import URLPattern, path

from billing import demo_bank

urlpatterns: list[URLPattern] = [path("<str:name>/<uuid:checkout_id>", demo_bank.page, name="demo-bank")]
