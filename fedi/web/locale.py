"""The language of an answer: the one chosen on this device, else what the browser or app asks for."""

from aiohttp import web
from aiohttp.web import Request

from fedi.i18n import Translator, negotiate, translator
from fedi.web.keys import CONFIG

COOKIE = "lang"
_TRANSLATOR = web.RequestKey("translator", Translator)


def translator_of(request: Request) -> Translator:
    """The translator for the reader of this request, chosen once."""
    found = request.get(_TRANSLATOR)
    if found is None:
        default = request.app[CONFIG].instance.languages[0]
        chosen = request.query.get("lang") or request.cookies.get(COOKIE)
        found = translator(negotiate(request.headers.get("Accept-Language", ""), chosen, default))
        request[_TRANSLATOR] = found
    return found


def set_translator(request: Request, lang: str) -> None:
    """For pages that know better, such as ``/oauth/authorize?lang=``."""
    request[_TRANSLATOR] = translator(lang)
