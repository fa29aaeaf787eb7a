"""Answers of the API are held against its document here too."""

from tests.api.conftest import anonymous, api, api_as

__all__ = ["anonymous", "api", "api_as"]
