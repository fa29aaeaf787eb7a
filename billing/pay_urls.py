"""Addresses that need no log-in: they are signed."""

from django.urls import URLPattern, path

from billing import pay

urlpatterns: list[URLPattern] = [
    path("<str:token>", pay.page, name="pay"),
    path("<str:token>/pdf", pay.document, name="pay-pdf"),
    path("<str:token>/begin", pay.begin, name="pay-begin"),
]
