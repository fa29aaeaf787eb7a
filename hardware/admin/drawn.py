from typing import Any

from django.http import HttpRequest


class DrawnPage:
    """A record's page that its template draws whole: no list of fields stands below."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return []
