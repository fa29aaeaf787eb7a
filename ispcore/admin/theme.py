"""How the staff site looks: the theme's settings, read by its templates."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static

PRODUCT = "ISPCore"


def stylesheet(request: HttpRequest) -> str:
    return static("ispcore/admin.css")


def icon(request: HttpRequest) -> str:
    return static("ispcore/icon.svg")


# Hues of a calm blue; Unfold's own default is purple. The steps keep its contrast ratios.
UNFOLD: dict[str, Any] = {
    "SITE_TITLE": PRODUCT,
    "SITE_HEADER": PRODUCT,
    "SITE_SUBHEADER": "ispcore.admin.switcher.current_tenant_name",
    "SITE_SYMBOL": "hub",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": icon}],
    "SHOW_BACK_BUTTON": True,
    "STYLES": [stylesheet],
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "navigation": "ispcore.admin.navigation.sidebar",
    },
    "TABS": "ispcore.admin.navigation.tabs",
    "ACCOUNT": {"navigation": "ispcore.admin.account.links"},
    "COMMAND": {"search_models": True},
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
}
