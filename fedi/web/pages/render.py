"""Pages from templates: one environment for all languages, and the headers that keep a page safe."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from aiohttp.web import Request, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fedi import i18n
from fedi.web.forms import SESSION, form_token, keep_form_secret
from fedi.web.keys import CLOCK, CONFIG
from fedi.web.locale import translator_of

_WEB = files("fedi.web")

# No script at all, nothing from elsewhere. ``form-action`` also governs where a form's answer redirects to, so the
# authorize page names its app there.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; media-src 'self'; font-src 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action %s"
)


@cache
def environment() -> Environment:
    """Compiled once; every template escapes what it is given."""
    made = Environment(
        loader=FileSystemLoader(str(_WEB / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    i18n.install(made)
    made.globals["stylesheet"] = f"/static/fedi.css?v={stylesheet()[1]}"
    return made


@cache
def stylesheet() -> tuple[bytes, str]:
    """The bytes of the style sheet and their short hash, which names this version in URLs."""
    data = (_WEB / "static" / "fedi.css").read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:12]


def render_page(
    request: Request, template: str, *, status: int = 200, form_action: str = "'self'", **values: Any
) -> Response:
    """An HTML answer. ``values`` join what every page has: language, instance, viewer, path."""
    t = translator_of(request)
    config = request.app[CONFIG]
    context = i18n.template_context(t.lang, t.digits) | {
        "locales": [i18n.translator(lang) for lang in i18n.LOCALES],
        "instance": config.instance,
        "origin": config.origin,
        "handle_domain": config.handle_domain,
        "path": request.path_qs if request.method == "GET" else "/",
        "now_ms": request.app[CLOCK].ms(),
        "viewer": request.get(SESSION),
        "form_token": form_token(request),
    }
    text = environment().get_template(template).render(context | values)
    headers = {
        "Content-Security-Policy": _POLICY % form_action,
        "Content-Language": t.lang,
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Vary": "Accept, Accept-Language, Cookie",
        "Cache-Control": "private, no-cache",
    }
    response = Response(text=text, status=status, headers=headers, content_type="text/html")
    keep_form_secret(request, response)
    return response
