from django.urls import include, path

from ispcore.api.routers import HouseRouter

router = HouseRouter()

urlpatterns = [
    path("", include(router.urls)),
]
