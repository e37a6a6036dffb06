"""An app written by others, Mastodon.py, is let in through the real pages, and out again."""

import asyncio
import io
import re
from html import unescape
from typing import Any

import pytest
import requests
from mastodon import Mastodon, MastodonUnauthorizedError
from PIL import Image

from tests.support.instances import PASSWORD, Instance
from tests.support.web import fields_of

pytestmark = pytest.mark.e2e

SCOPES = ["read", "write", "follow", "push"]
OOB = "urn:ietf:wg:oauth:2.0:oob"


def log_in(origin: str) -> Any:
    """What a person with a terminal app and a browser does."""
    client_id, client_secret = Mastodon.create_app(
        "Walker", scopes=SCOPES, redirect_uris=OOB, website="https://walker.example", api_base_url=origin
    )
    app = Mastodon(client_id=client_id, client_secret=client_secret, api_base_url=origin, version_check_mode="none")
    with requests.Session() as browser:
        browser.headers["Accept"] = "text/html"
        asked = app.auth_request_url(redirect_uris=OOB, scopes=SCOPES, state="s1", force_login=True, allow_http=True)
        sign_in = browser.get(asked)
        assert "/auth/sign-in" in sign_in.url
        consent = browser.post(
            f"{origin}/auth/sign-in", data=fields_of(sign_in.text) | {"login": "ann", "password": PASSWORD}
        )
        assert "Walker" in consent.text
        shown = browser.post(f"{origin}/oauth/authorize", data=fields_of(consent.text) | {"decision": "allow"})
        code = re.search(r'<input id="code"[^>]* value="([^"]+)"', shown.text)
        assert code, shown.text
    token = app.log_in(code=unescape(code[1]), redirect_uri=OOB, scopes=SCOPES, allow_http=True)
    assert token == app.access_token
    return app


@pytest.fixture
async def origin(tmp_path):
    instance = await Instance.create(tmp_path / "one", "localhost")
    await instance.add_person("ann")
    yield instance.origin
    await instance.close()


async def test_mastodon_py_logs_in_reads_who_it_is_and_logs_out(origin):
    def walk() -> None:
        app = log_in(origin)
        try:
            assert app.me().username == "ann"
            assert app.app_verify_credentials().name == "Walker"
            secret = app.access_token
            app.revoke_access_token(allow_http=True)
            stale = Mastodon(access_token=secret, api_base_url=origin, version_check_mode="none")
            with pytest.raises(MastodonUnauthorizedError):
                stale.me()
        finally:
            app.session.close()

    await asyncio.to_thread(walk)


async def test_what_an_app_posts_stands_on_the_page_with_its_picture(origin):
    def walk() -> None:
        app = log_in(origin)
        out = io.BytesIO()
        Image.radial_gradient("L").convert("RGB").save(out, "PNG")
        try:
            picture = app.media_post(io.BytesIO(out.getvalue()), mime_type="image/png", description="A grey sun")
            status = app.status_post("Hello & <welcome>", media_ids=[picture.id], language="en")
            with requests.Session() as browser:
                page = browser.get(status.url, headers={"Accept": "text/html"})
                assert page.status_code == 200
                assert "Hello &amp; &lt;welcome&gt;" in page.text
                assert 'alt="A grey sun"' in page.text
                shown = re.search(r'<img class="u-photo" src="([^"]+)"', page.text)
                assert shown
                assert browser.get(shown[1]).headers["Content-Type"].startswith("image/")
                assert "Hello &amp; &lt;welcome&gt;" in browser.get(f"{origin}/").text
                profile = browser.get(f"{origin}/users/ann", headers={"Accept": "text/html"})
                assert profile.url == f"{origin}/@ann"
                assert "Hello &amp; &lt;welcome&gt;" in profile.text
        finally:
            app.session.close()

    await asyncio.to_thread(walk)
