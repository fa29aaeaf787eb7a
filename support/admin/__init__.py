"""Support in the staff site."""

from support.admin import diagnosis

__all__ = ["diagnosis"]
