from typing import Any

from django.contrib import admin


class OltFilter(admin.RelatedFieldListFilter):
    """By OLT, under the trade's own name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = "OLT"
