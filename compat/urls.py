"""Each dialect below its own name, with its product's paths behind it."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("ispchamp/", include("compat.ispchamp.urls")),
    path("wisphub/", include("compat.wisphub.urls")),
    path("aex/", include("compat.aex.urls")),
    path("interstellio/", include("compat.interstellio.urls")),
]
