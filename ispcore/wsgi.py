import gc
import os
import re
from itertools import count
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ispcore.settings")

from django.conf import settings
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

from ispcore import error_reports, tracing
from ispcore.tenants.checks import refuse_unsafe_role

# After so many answers everything that stays has been imported and cached.
WARM_AFTER = 100

_answers = count(1)
_CHARSET = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)

tracing.begin("ispcore-web")
error_reports.begin("ispcore-web")
_django = get_wsgi_application()
refuse_unsafe_role()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """Serve a request, which is UTF-8 whatever its content type claims.

    Django decodes the query string with the codec named there while it builds the request: `charset=hex`
    would fail before any middleware could answer.
    """
    if next(_answers) == WARM_AFTER:
        # What lives as long as the process need not be looked through by every full collection.
        gc.collect()
        gc.freeze()
    environ["CONTENT_TYPE"] = _CHARSET.sub("", environ.get("CONTENT_TYPE", ""))
    return _django(environ, start_response)


if settings.TRUSTED_PROXIES:
    # The request's sender and scheme, as a proxy that we know says them.
    application = wrap_wsgi_with_proxy_headers(application, settings.TRUSTED_PROXIES)
