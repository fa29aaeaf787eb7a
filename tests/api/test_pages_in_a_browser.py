"""The documentation pages as a browser sees them: they draw the API, and call nobody else."""

from urllib.parse import urlsplit

import pytest

from tests.browser import browsing


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("path", "shown"), [("/docs", "/api/v1/aaa/accounts"), ("/redoc", "Register an OLT")]
)
def test_draws_the_api_and_calls_no_other_host(path, shown, live_server, monkeypatch):
    asked: set[str] = set()
    kept_in: set[str] = set()  # What the page's policy did not let out.
    with browsing(monkeypatch) as page:
        page.on("request", lambda request: asked.add(request.url))
        page.on(
            "requestfailed", lambda request: kept_in.update({request.url} if request.failure == "csp" else ())
        )
        page.goto(live_server.url + path)
        page.get_by_text(shown).first.wait_for(state="attached")

    hosts = {urlsplit(url).netloc for url in asked - kept_in if urlsplit(url).scheme in ("http", "https")}
    assert hosts == {urlsplit(live_server.url).netloc}
