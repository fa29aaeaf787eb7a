"""A dialect as its product's client calls it."""

from typing import Any

from tests.client import Api


class Foreign(Api):
    """Calls `/compat/<dialect>/<path>`; `response.json()` is what the seed's client would read."""

    def __init__(self, dialect: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.base = f"/compat/{dialect}/"
