"""The pages in a real browser without JavaScript: narrow and wide, light and dark, left to right and right to left."""

import io
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, unused_port
from PIL import Image
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from fedi.web import keys
from tests.support.town import Town, build_town
from tests.support.web import PASSWORD, make_app, make_config

pytestmark = pytest.mark.e2e

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip
# Set to look at them: one picture per page, language, width and colour scheme.
SHOTS = os.environ.get("FEDI_SHOTS")

WIDTHS = (320, 1280)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    origin: str
    town: Town

    def pages(self) -> dict[str, str]:
        return {
            "landing": "/",
            "about": "/about",
            "profile": "/@alice",
            "status": f"/@alice/{self.town.root.id}",
            "warned": f"/@alice/{self.town.warned.id}",
            "sign-in": "/auth/sign-in",
            "missing": "/@nobody",
        }


async def send_picture(_request: web.Request) -> web.Response:
    out = io.BytesIO()
    Image.radial_gradient("L").resize((1200, 800)).convert("RGB").save(out, "PNG")
    return web.Response(body=out.getvalue(), content_type="image/png")


@pytest.fixture
async def site(sqlite_db, clock, tmp_path) -> AsyncIterator[Site]:
    port = unused_port()
    config = make_config(
        tmp_path,
        domain=f"localhost:{port}",
        instance={
            "title": "Orchard Street",
            "description": "A small server for people who grow, press and draw things. Run by a club of nine.",
            "languages": ("en", "fr", "ar"),
            "contact_account": "alice",
            "contact_email": "hello@orchard.example",
            "rules": ("Speak to people, not about them.", "اذكر المصدر حين تنقل.", "Pas de publicité."),
        },
    )
    app = make_app(sqlite_db, clock, config)
    town = await build_town(sqlite_db, app[keys.URIS], clock)
    app.router.add_get("/media/press.png", send_picture)
    server = TestServer(app, port=port, host="localhost")
    await server.start_server()
    yield Site(origin=config.origin, town=town)
    await server.close()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield started
        await started.close()


async def open_context(browser: Browser, lang: str, width: int, scheme: str = "light") -> BrowserContext:
    return await browser.new_context(
        locale=lang,
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=False,
    )


async def sign_in(page: Page, site: Site) -> None:
    await page.goto(f"{site.origin}/auth/sign-in?next=/@alice")
    await page.fill("#login", "alice")
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.wait_for_url(f"{site.origin}/@alice")


async def shoot(page: Page, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=f"{SHOTS}/{name}.png", full_page=True)


async def overflow_of(page: Page) -> int:
    """How many pixels the page is wider than the window."""
    return await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("lang", ["en", "fr", "ar"])
async def test_no_page_scrolls_sideways_and_each_reads_in_its_direction(site, browser, lang):
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            context = await open_context(browser, lang, width, scheme)
            page = await context.new_page()
            for name, path in site.pages().items():
                await page.goto(site.origin + path)
                assert await overflow_of(page) <= 0, f"{path} at {width} px in {lang}"
                html = page.locator("html")
                assert await html.get_attribute("lang") == lang
                assert await html.get_attribute("dir") == ("rtl" if lang == "ar" else "ltr")
                assert await page.locator("h1").count() == 1, path
                await shoot(page, f"{name}-{lang}-{width}-{scheme}")
            await context.close()


async def test_the_keyboard_alone_signs_in_and_each_stop_is_seen(site, browser):
    context = await open_context(browser, "en", 1280)
    page = await context.new_page()
    await page.goto(f"{site.origin}/auth/sign-in?next=/@alice")
    assert await page.evaluate("document.activeElement.id") == "login"
    await page.keyboard.type("alice")
    seen = []
    for _ in range(12):
        await page.keyboard.press("Tab")
        stop = await page.evaluate(
            """() => { const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
            return [e.id || e.textContent.trim(), s.outlineStyle, parseFloat(s.outlineWidth), r.width, r.height,
                    e.closest('form')?.getAttribute('action') ?? null] }"""
        )
        seen.append(stop[0])
        assert stop[1] != "none", f"no outline on {stop[0]}"
        assert stop[2] >= 2, f"thin outline on {stop[0]}"
        assert min(stop[3], stop[4]) >= 24, f"small target {stop[0]}"
        if stop[0] == "password":
            await page.keyboard.type(PASSWORD)
        elif stop[5] == "/auth/sign-in":
            await page.keyboard.press("Enter")
            break
    await page.wait_for_url(f"{site.origin}/@alice")
    assert seen == ["password", "Sign in"]
    assert await page.get_by_role("button", name="Sign out").count() == 1
    await context.close()


async def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(site, browser):
    context = await open_context(browser, "en", 320)
    page = await context.new_page()
    await page.goto(site.origin + "/@alice")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    box = await page.locator(".skip").bounding_box()
    assert box is not None
    assert box["width"] > 40, "the skip link shows once it has the focus"
    await page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    await context.close()


async def test_an_author_reads_where_a_post_went(site, browser):
    for lang, width in (("en", 320), ("ar", 320), ("fr", 1280)):
        context = await open_context(browser, lang, width)
        page = await context.new_page()
        await sign_in(page, site)
        await page.goto(f"{site.origin}/@alice/{site.town.root.id}")
        await page.locator(".note a").click()
        await page.wait_for_url("**/deliveries")
        assert await overflow_of(page) <= 0
        table = await page.locator("table").inner_text()
        assert "far.example" in table
        assert "HTTP 403" in table
        assert "HTTP 503" in table
        await shoot(page, f"deliveries-{lang}-{width}-light")
        await context.close()


async def test_an_app_is_let_in_and_the_browser_follows_its_address(site, browser):
    """``form-action`` of the page's policy governs this redirect too."""
    context = await open_context(browser, "fr", 320)
    page = await context.new_page()
    registered = await context.request.post(
        f"{site.origin}/api/v1/apps",
        data={"client_name": "Pomme", "redirect_uris": [f"{site.origin}/about"], "scopes": "read write follow push"},
    )
    app = await registered.json()
    asked = (
        f"response_type=code&client_id={app['client_id']}&redirect_uri={site.origin}/about&scope=read+write:media+push"
    )
    await page.goto(f"{site.origin}/oauth/authorize?{asked}&state=s")
    assert "/auth/sign-in" in page.url
    await shoot(page, "sign-in-for-app-fr-320")
    await page.fill("#login", "alice")
    await page.fill("#password", "wrong")
    await page.press("#password", "Enter")
    assert await page.get_by_role("alert").count() == 1
    await shoot(page, "sign-in-wrong-fr-320")
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await page.wait_for_url("**/oauth/authorize?*")
    assert await overflow_of(page) <= 0
    allow = await page.locator("button[value=allow]").bounding_box()
    deny = await page.locator("button[value=deny]").bounding_box()
    assert allow is not None
    assert deny is not None
    assert (allow["width"], allow["height"]) == (deny["width"], deny["height"]), "to deny is as easy as to allow"
    await shoot(page, "authorize-fr-320")
    await page.click("button[value=allow]")
    await page.wait_for_url("**/about?code=*&state=s")
    await context.close()


async def test_the_language_is_switched_without_changing_the_address(site, browser):
    context = await open_context(browser, "en", 320)
    page = await context.new_page()
    await page.goto(f"{site.origin}/@alice")
    await page.click("button[lang=ar]")
    assert page.url == f"{site.origin}/@alice"
    assert await page.locator("html").get_attribute("dir") == "rtl"
    await page.goto(f"{site.origin}/about")
    assert await page.locator("html").get_attribute("lang") == "ar"
    await context.close()


async def test_text_and_controls_have_the_contrast_they_need(site, browser):
    """WCAG 2.2, 1.4.3: 4.5 to 1, measured on what is drawn."""
    for scheme in ("light", "dark"):
        context = await open_context(browser, "en", 1280, scheme)
        page = await context.new_page()
        for path in site.pages().values():
            await page.goto(site.origin + path)
            faults = await page.evaluate(CONTRAST)
            assert not faults, (scheme, path, faults)
        await context.close()


CONTRAST = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c } return [255, 255, 255] };
  const faults = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.getClientRects().length) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) faults.push([e.textContent.trim().slice(0, 40), (a + .05) / (b + .05)]);
  }
  return faults;
}"""
