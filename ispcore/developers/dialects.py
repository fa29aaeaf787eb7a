"""Other products' operations and what they are natively, read from the guide: docs/guides/compat.md."""

import re
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.utils.safestring import SafeString

from ispcore.developers.prose import inline
from ispcore.developers.reference import Endpoint, reference

GUIDE = settings.BASE_DIR / "docs" / "guides" / "compat.md"
PRODUCT = re.compile(r"^\| ([^|]+) \| `(/compat/(\w+))` \| (.+) \|$", re.MULTILINE)
OPERATION = re.compile(r"^\| `(\w+) (/\S*)` \| `(\w+) ([^`]+)` \|", re.MULTILINE)


@dataclass(frozen=True)
class Operation:
    verb: str
    path: str
    native: str
    endpoint: Endpoint | None


@dataclass(frozen=True)
class Product:
    slug: str
    title: str
    base: str
    credential: SafeString
    operations: list[Operation]
    notes: list[SafeString]


@cache
def products() -> list[Product]:
    """Return the products of the guide; none where the installation came without its guides."""
    if not GUIDE.is_file():
        return []
    _, *sections = re.split(r"^## ", GUIDE.read_text(), flags=re.MULTILINE)
    by_name = {section.partition("\n")[0].strip().lower(): section for section in sections}
    return [
        Product(
            slug, title.strip(), base, inline(credential), _operations(by_name[slug]), _notes(by_name[slug])
        )
        for title, base, slug, credential in PRODUCT.findall(GUIDE.read_text())
    ]


def _operations(section: str) -> list[Operation]:
    return [
        Operation(verb, path, f"{native_verb} {native}", _endpoint(native_verb, native.partition("?")[0]))
        for verb, path, native_verb, native in OPERATION.findall(section)
    ]


def _endpoint(verb: str, path: str) -> Endpoint | None:
    return reference().at(verb, f"/api/v1/{path}")


def _notes(section: str) -> list[SafeString]:
    items = re.findall(r"^- (.+?)(?=^- |\Z)", section, flags=re.MULTILINE | re.DOTALL)
    return [inline(" ".join(re.sub(r"<(https?://[^>]+)>", r"\1", item).split())) for item in items]
