from django.urls import URLPattern, URLResolver, include, path

from ispcore.api.routers import HouseRouter

router = HouseRouter()

billing_patterns: list[URLPattern | URLResolver] = [
    path("", include(router.urls)),
]

urlpatterns = [
    path("billing/", include(billing_patterns)),
]
