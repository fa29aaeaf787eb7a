from django.urls import URLPattern, URLResolver

app_name = "compat-ispchamp"
urlpatterns: list[URLPattern | URLResolver] = []
