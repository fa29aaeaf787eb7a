from django.urls import URLPattern, URLResolver, include, path

from ispcore.api.routers import HouseRouter

router = HouseRouter()

support_patterns: list[URLPattern | URLResolver] = [
    path("", include(router.urls)),
]

urlpatterns = [path("support/", include(support_patterns))]
