"""Bare Django on the house's settings, as granian serves it: see `api_ceiling_views`."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")

from django.conf import settings
from django.core.wsgi import get_wsgi_application

# The one that says how long an answer is; without it a connection is not kept.
settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
settings.ROOT_URLCONF = "bench.api_ceiling_views"

application = get_wsgi_application()
