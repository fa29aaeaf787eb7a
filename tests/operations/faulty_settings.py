"""The settings, with views that crash."""

from ispcore.settings import *  # noqa: F403

ROOT_URLCONF = "tests.api.faulty"
