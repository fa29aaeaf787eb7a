from django.urls import URLPattern, URLResolver

app_name = "compat-wisphub"
urlpatterns: list[URLPattern | URLResolver] = []
