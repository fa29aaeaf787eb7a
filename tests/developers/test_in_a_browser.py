"""The developers' pages in a browser: nothing runs over the edge, everything is reached by keyboard and readable."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser import browsing

PAGES = (
    "/developers",
    "/developers/errors",
    "/developers/events",
    "/developers/compat",
    "/developers/workflows/bill",
    "/developers/search?q=invoice",
    "/developers/endpoints/subscribers_create",
    "/developers/endpoints/billing_invoices_list",
    "/developers/endpoints/hardware_onu_authorize",
    "/developers/endpoints/imports_create",
)
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"
# What stands over the right edge and is not within something that scrolls by itself.
OVER_THE_EDGE = """() => [...document.querySelectorAll('main *')].filter(part =>
    part.getBoundingClientRect().right > innerWidth && !part.closest('pre')).map(part => part.outerHTML.slice(0, 80))"""
# WCAG 2.2, 1.4.3: the contrast of each text with the nearest background that is painted behind it.
PALE = """() => {
    const light = text => {
        const [r, g, b] = text.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = part => {
        for (; part; part = part.parentElement) {
            const colour = getComputedStyle(part).backgroundColor;
            if (!/, 0\\)$/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const pale = [];
    for (const part of document.querySelectorAll('body *')) {
        if (![...part.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(part).color), light(behind(part))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) pale.push(part.tagName + ' ' + part.textContent.slice(0, 40));
    }
    return pale;
}"""
OUTLINE = "() => getComputedStyle(document.activeElement).outlineWidth"


@pytest.fixture
def troubles() -> list[str]:
    """What the browser complains of."""
    return []


@pytest.fixture
def page(request: Any, live_server: Any, monkeypatch: Any, troubles: list[str]) -> Iterator[Page]:
    width, scheme = request.param
    with browsing(
        monkeypatch, viewport={"width": width, "height": 844}, color_scheme=scheme, base_url=live_server.url
    ) as page:
        page.on("console", lambda message: troubles.append(message.text))
        yield page


BOTH = pytest.mark.parametrize(
    "page", [(390, "light"), (390, "dark"), (1440, "light"), (1440, "dark")], indirect=True
)


@BOTH
@pytest.mark.django_db(transaction=True)
def test_nothing_runs_over_the_edge_and_all_is_readable(page: Page, troubles: list[str]) -> None:
    assert page.viewport_size is not None
    width = page.viewport_size["width"]
    widths, over, pale = {}, {}, {}
    for path in PAGES:
        page.goto(path)
        page.evaluate(OPEN_ALL)
        widths[path] = page.evaluate("document.documentElement.scrollWidth")
        over[path] = page.evaluate(OVER_THE_EDGE)
        pale[path] = page.evaluate(PALE)

    assert widths == dict.fromkeys(PAGES, width)
    assert [found for found in over.items() if found[1]] == []
    assert [found for found in pale.items() if found[1]] == []
    assert troubles == []


@BOTH
@pytest.mark.django_db(transaction=True)
def test_are_searched_by_keyboard(page: Page, troubles: list[str]) -> None:
    page.goto("/developers")
    outlines = []
    for _ in range(3):  # Skip link, name, search field.
        page.keyboard.press("Tab")
        outlines.append(page.evaluate(OUTLINE))
    page.keyboard.type("duplicate_payment")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="duplicate_payment").wait_for()

    assert outlines == ["3px"] * 3
    assert page.locator("a.line").count() >= 2
    assert troubles == []


@BOTH
@pytest.mark.django_db(transaction=True)
def test_long_calls_scroll_inside_by_keyboard(page: Page, troubles: list[str]) -> None:
    page.goto("/developers/endpoints/subscribers_create")
    assert page.viewport_size is not None
    call = page.locator("#request pre").first
    call.focus()
    is_wider = call.evaluate("part => part.scrollWidth > part.clientWidth")
    page.keyboard.press("ArrowRight")
    if is_wider:  # The browser scrolls when it has time to draw.
        page.wait_for_function("part => part.scrollLeft > 0", arg=call.element_handle(), timeout=60_000)

    assert is_wider or page.viewport_size["width"] > 390
    assert page.evaluate("scrollX") == 0
    assert troubles == []
