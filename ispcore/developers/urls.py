from django.urls import re_path

from ispcore.developers import views

app_name = "developers"

urlpatterns = [
    re_path(r"^/?$", views.hub, name="hub"),
    re_path(r"^/search/?$", views.find, name="search"),
    re_path(r"^/errors/?$", views.errors, name="errors"),
    re_path(r"^/events/?$", views.happenings, name="events"),
    re_path(r"^/compat/?$", views.compat, name="compat"),
    re_path(r"^/workflows/(?P<slug>[a-z-]+)/?$", views.workflow, name="workflow"),
    re_path(r"^/endpoints/(?P<operation>\w+)/?$", views.endpoint, name="endpoint"),
    re_path(r"^/", views.nothing),
]
