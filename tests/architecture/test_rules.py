"""The rules of the house that a machine can check; docs/architecture.md says what each is for."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.apps import apps
from django.db import models
from django.db.migrations.loader import MigrationLoader

from ispcore.celery import app as celery
from ispcore.jobs.results import _presenters as presenters
from ispcore.schedule import SCHEDULE
from ispcore.tenants.rls import IsolateTenantTable
from ispcore.wiring import HANDLERS
from tests.api.routes import api_routes

PROJECT = Path(__file__).resolve().parents[2]

# From the floor up. Each may know those below it and not those above; billing and aaa stand side by side.
LAYERS = [
    {"ispcore"},
    {"subscribers"},
    {"ipam"},
    {"hardware"},
    {"billing", "aaa"},
    {"support"},
    {"compat", "demo"},
]
DOMAIN_APPS = [
    name for layer in LAYERS[1:] for name in sorted(layer - {"compat", "demo"}) if (PROJECT / name).is_dir()
]
HOUSE = ["ispcore", *DOMAIN_APPS, *(name for name in ("compat", "demo") if (PROJECT / name).is_dir())]

# What a domain app may hold, as a file or as a package of the same name.
APP_FILES = {
    "__init__", "models", "services", "selectors", "api", "admin", "tasks", "urls", "exports", "apps", "migrations",
    "management", "measures", "data_changes",
}  # fmt: skip
# What one app holds besides: how it speaks to the world outside.
OWN_FILES = {
    "subscribers": {"normal"},
    "hardware": {"drivers", "snmp", "cli"},
    "aaa": {"online", "radius", "rendering", "sql"},
    "billing": {"gateways", "pages"},  # Pages are the payer's: no log-in, no staff, no key.
    "support": {
        "diagnosis",
        "calendar",
        "pages",
    },  # Pages are the customers' own, with a log-in of their own.
}
MOST_LINES = 450


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            if "migrations" not in path.parts and "__pycache__" not in path.parts:
                yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def package_of(model: type[models.Model]) -> str:
    return model.__module__.partition(".")[0]


def layer_of(package: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if package in layer)


def house_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models() if any(package_of(model) in layer for layer in LAYERS)]


def may_point_at(package: str, target: str) -> bool:
    return target == package or layer_of(target) < layer_of(package)


def test_foreign_keys_point_down_the_layers():
    house = house_models()
    upward = [
        f"{model._meta.label}.{field.name} -> {field.related_model._meta.label}"
        for model in house
        for field in model._meta.local_fields
        if field.is_relation and field.related_model in house
        and not may_point_at(package_of(model), package_of(field.related_model))
    ]  # fmt: skip

    assert upward == []


@pytest.mark.parametrize(
    ("package", "target", "allowed"),
    [
        ("hardware", "ispcore", True),
        ("hardware", "hardware", True),
        ("ispcore", "hardware", False),
        ("aaa", "billing", False),
    ],
)
def test_the_rule_itself(package, target, allowed):
    assert may_point_at(package, target) is allowed


def test_every_layer_is_a_package_or_not_yet_written():
    strangers = {
        config.name.partition(".")[0]
        for config in apps.get_app_configs()
        if Path(config.path).is_relative_to(PROJECT) and ".venv" not in Path(config.path).parts
    } - {name for layer in LAYERS for name in layer}

    assert strangers == set()


class TestNames:
    """What is named by text must exist: nothing but a test would notice a misspelling before production."""

    @pytest.fixture(autouse=True)
    def _all_tasks(self):
        celery.loader.import_default_modules()

    def test_every_handler_in_the_wiring_is_a_task(self):
        named = {name for handlers in HANDLERS.values() for name in handlers}

        assert named - set(celery.tasks) == set()

    def test_every_entry_of_the_schedule_is_a_task(self):
        assert {entry["task"] for entry in SCHEDULE.values()} - set(celery.tasks) == set()

    def test_every_task_is_named_after_its_module(self):
        house = {name: task for name, task in celery.tasks.items() if not name.startswith("celery.")}
        wrong = [name for name, task in house.items() if name != f"{task.__module__}.{task.__name__}"]

        assert len(house) >= 5
        assert wrong == []

    def test_every_kind_of_job_that_has_a_presenter_is_a_task(self):
        kinds = {re.sub(r"\.(?=\w+$)", ".tasks.", kind) for kind in presenters}

        assert kinds - set(celery.tasks) == set()

    def test_every_event_that_is_published_is_in_the_wiring(self):
        published = {
            match
            for path in python_files(*HOUSE)
            for match in re.findall(r"\bpublish\(\s*\"([\w.]+)\"", path.read_text())
        }

        assert published
        assert published - set(HANDLERS) == set()

    def test_there_is_one_celery_application(self):
        assert current_app.main == "ispcore"


class TestFiles:
    @pytest.mark.parametrize("app", DOMAIN_APPS)
    def test_an_app_holds_the_files_of_every_app(self, app):
        found = {
            path.stem
            for path in (PROJECT / app).iterdir()
            if path.suffix in ("", ".py") and path.name != "__pycache__"
        }

        assert found - APP_FILES - OWN_FILES.get(app, set()) == set()

    def test_none_is_called_utils(self):
        junk = {"utils", "util", "helpers", "common", "misc"}

        assert [name_of(path) for path in python_files(*HOUSE) if path.stem in junk] == []

    def test_none_is_too_long_to_read(self):
        long = {
            name_of(path): lines
            for path in python_files(*HOUSE, "tests")
            if (lines := len(path.read_text().splitlines())) > MOST_LINES
        }

        assert long == {}


class TestCode:
    def test_django_signals_are_not_used(self):
        """What happens after what stands in ispcore/wiring.py. Celery's own signals start and stop processes."""
        pattern = re.compile(r"django\.(?:db\.models|core|dispatch|contrib\.auth)[\w.]* import .*(?:signals|receiver)\b"
                             r"|from django\.[\w.]*signals import|from django\.dispatch")  # fmt: skip

        assert [name_of(p) for p in python_files(*HOUSE) if pattern.search(p.read_text())] == []

    def test_nothing_is_printed(self):
        allowed = PROJECT / "ispcore" / "embedded"  # Speaks with who typed `make run`.
        printing = [
            f"{name_of(path)}:{node.lineno}"
            for path in python_files("ispcore", *DOMAIN_APPS)
            if not path.is_relative_to(allowed)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
        ]

        assert printing == []

    def test_services_take_the_time_from_their_caller(self):
        """`now()` in a service cannot be tested, and gives two rows of one deed two times."""
        reading = [
            name_of(path)
            for path in python_files(*DOMAIN_APPS)
            if "services" in path.relative_to(PROJECT).parts[1]
            and re.search(r"(?:timezone|datetime)\.now\(", path.read_text())
        ]

        assert reading == []

    def test_no_module_of_ours_knows_the_tests(self):
        assert [
            name_of(p)
            for p in python_files(*HOUSE)
            if re.search(r"^\s*(?:from|import) tests\b", p.read_text(), re.M)
        ] == []


class TestApi:
    def test_every_list_has_filters(self):
        bare = [
            route.path
            for route in api_routes()
            if "{pk}" not in route.path and hasattr(route.view, "list") and route.view.filterset_class is None
        ]

        assert bare == []

    def test_every_list_says_what_it_orders_by(self):
        unset = [
            route.path
            for route in api_routes()
            if hasattr(route.view, "list") and route.view.ordering_fields == "__all__"
        ]

        assert unset == []


def test_migrations_isolate_every_table_of_a_tenant():
    tables = {
        (model._meta.app_label, model._meta.model_name)
        for model in house_models()
        if any(field.name == "tenant" for field in model._meta.local_fields)
    }
    # Its policy also shows a row to the person it is about, so its migration writes it out.
    by_hand = {("tenants", "membership"), ("ispauth", "apikey")}

    isolated = {
        (app, operation.model_name.lower())
        for (app, _), migration in MigrationLoader(None).disk_migrations.items()
        for operation in migration.operations
        if isinstance(operation, IsolateTenantTable)
    }

    assert tables - isolated - by_hand == set()


def test_import_contracts_hold():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("extra", [{}, {"DEBUG": "1"}, {"LOG_FORMAT": "json"}])
def test_settings_need_nothing_of_the_environment(extra):
    code = (
        "import django; django.setup(); from django.conf import settings as s; "
        "print(s.DEBUG, s.CORS_ALLOWED_ORIGINS)"
    )
    environment = {"PATH": os.defpath, "DJANGO_SETTINGS_MODULE": "ispcore.settings", **extra}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True
    )

    assert (done.stdout.strip(), done.stderr) == (f"{'DEBUG' in extra} []", "")


def test_a_server_without_a_secret_does_not_start():
    environment = {"PATH": os.defpath, "DJANGO_SETTINGS_MODULE": "ispcore.settings"}

    done = subprocess.run(
        [sys.executable, "-c", "import ispcore.wsgi"],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert "Set SECRET_KEY" in done.stderr
