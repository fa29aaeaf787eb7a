import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")

from ispcore.tenants.checks import refuse_unsafe_role

application = get_wsgi_application()
refuse_unsafe_role()
