"""Text for people: which language, which words, which direction, how dates and numbers are written.

Messages are English sentences with named places, ``%(name)s``; the sentence is the key of its translations.
Catalogues are the ``.po`` files in ``fedi/locale``, read at first use: there is no build step to forget.
"""

import gettext
import io
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import babel.dates
import babel.numbers
from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from fedi.clock import to_datetime
from fedi.errors import Problem

LOCALES = ("en", "fr", "ar")
FALLBACK = "en"
FOLDER = Path(__file__).with_name("locale")

Digits = Literal["latn", "native"]


def _(text: str) -> str:
    """Marks a sentence for translation where it is written; it is translated where it is shown."""
    return text


def catalogue_path(lang: str) -> Path:
    return FOLDER / lang / "LC_MESSAGES" / "fedi.po"


class Translator:
    """Everything that differs from language to language, for one of :data:`LOCALES`."""

    def __init__(self, lang: str, digits: Digits = "latn") -> None:
        self.lang = lang
        self.digits = digits
        # CLDR gives "ar" Western digits; its Egyptian variant has the Arabic-Indic ones by default.
        self._locale = Locale.parse("ar_EG" if (lang, digits) == ("ar", "native") else lang)
        self._numbers: Literal["default", "latn"] = "default" if digits == "native" else "latn"
        self._messages = _load(lang)

    @property
    def direction(self) -> Literal["ltr", "rtl"]:
        return "rtl" if self._locale.text_direction == "rtl" else "ltr"

    @property
    def name(self) -> str:
        """The language's name in itself, for the switcher."""
        return Locale.parse(self.lang).get_display_name(self.lang) or self.lang

    def gettext(self, sentence: str, **params: object) -> str:
        text = self._messages.gettext(sentence)
        return text % params if params else text

    def ngettext(self, singular: str, plural: str, n: int, **params: object) -> str:
        """The form for ``n`` things; ``%(num)s`` is the number as this language writes it."""
        return self.plural_form(singular, plural, n) % ({"num": self.number(n)} | params)

    def plural_form(self, singular: str, plural: str, n: int) -> str:
        """The sentence for ``n`` things with its places still open."""
        return self._messages.ngettext(singular, plural, n)

    def problem(self, problem: Problem) -> str:
        """The safe sentence of a fault, in this language."""
        return self.gettext(problem.safe, **problem.params)

    def number(self, value: float) -> str:
        return self._digits(babel.numbers.format_decimal(value, locale=self._locale, numbering_system=self._numbers))

    def compact(self, value: int) -> str:
        """1,234,567 as ``1.2M``, for counters."""
        digits = 1 if value >= 1000 else 0
        return self._digits(
            babel.numbers.format_compact_decimal(
                value, locale=self._locale, fraction_digits=digits, numbering_system=self._numbers
            )
        )

    def date(self, at_ms: int, style: Literal["short", "medium", "long", "full"] = "medium") -> str:
        return self._digits(babel.dates.format_date(to_datetime(at_ms), style, locale=self._locale))

    def time(self, at_ms: int, style: Literal["short", "medium", "long", "full"] = "medium", zone: str = "UTC") -> str:
        """Date and time of an instant, in the given zone."""
        at = to_datetime(at_ms)
        return self._digits(
            babel.dates.format_datetime(at, style, tzinfo=babel.dates.get_timezone(zone), locale=self._locale)
        )

    def ago(self, at_ms: int, *, now_ms: int) -> str:
        """``3 minutes ago``, or ``in 3 minutes``."""
        delta = timedelta(milliseconds=at_ms - now_ms)
        return self._digits(babel.dates.format_timedelta(delta, locale=self._locale, add_direction=True))

    def _digits(self, text: str) -> str:
        # Babel takes separators and month names from the numbering system, but writes every digit as 0 to 9.
        return text.translate(_ARABIC_INDIC) if (self.lang, self.digits) == ("ar", "native") else text


_ARABIC_INDIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


def translator(lang: str, digits: Digits = "latn") -> Translator:
    """The translator of a language; of English for one we do not have. ``fr-CA`` means ``fr``."""
    base = lang.replace("_", "-").partition("-")[0].lower()
    return _translator(base if base in LOCALES else FALLBACK, digits)


@lru_cache(maxsize=len(LOCALES) * 2)
def _translator(lang: str, digits: Digits) -> Translator:
    return Translator(lang, digits)


@lru_cache(maxsize=len(LOCALES))
def _load(lang: str) -> gettext.NullTranslations:
    path = catalogue_path(lang)
    if not path.exists():
        return gettext.NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=lang)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=256)  # browsers and apps send the same few headers
def negotiate(accept_language: str, chosen: str | None = None, default: str = FALLBACK) -> str:
    """The language to answer in: the one chosen (query or cookie), else the best of the header (RFC 9110 §12.5.4).

    Any text is fine as a header; what cannot be read in it is skipped.
    """
    if chosen is not None and (base := chosen.partition("-")[0].lower()) in LOCALES:
        return base
    wishes: list[tuple[float, str]] = []
    for part in accept_language[:1000].split(","):
        tag, _, rest = part.partition(";")
        name, _, value = rest.strip().partition("=")
        try:
            quality = float(value) if name.strip().lower() == "q" else 1.0
        except ValueError:
            continue
        wishes.append((quality, tag.strip().partition("-")[0].lower()))
    for quality, base in sorted(wishes, key=lambda wish: -wish[0]):  # stable: equal wishes keep their order
        if 0 < quality <= 1 and (base in LOCALES or base == "*"):
            return default if base == "*" else base
    return default


def template_context(lang: str, digits: Digits = "latn") -> dict[str, Any]:
    """What each rendering is handed: ``lang`` and ``dir`` for the html element, the translator as ``t``."""
    t = translator(lang, digits)
    return {"lang": t.lang, "dir": t.direction, "t": t}


def install(environment: Environment) -> None:
    """Gives an environment ``{% trans %}``, ``_()`` and ``ngettext()``.

    The language is that of the ``t`` in the context of each rendering (:func:`template_context`), so that one
    environment with its compiled templates serves all languages. Macros need ``import ... with context``.
    """
    environment.policies["ext.i18n.trimmed"] = True
    environment.add_extension("jinja2.ext.i18n")
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension adds it
    environment.globals.update(gettext=_template_gettext, ngettext=_template_ngettext)


@pass_context
def _template_gettext(context: Context, sentence: str, /, **params: object) -> str:
    text = _of(context).gettext(sentence)
    return (Markup(text) if context.eval_ctx.autoescape else text) % params  # noqa: S704 - catalogues are ours


@pass_context
def _template_ngettext(context: Context, singular: str, plural: str, n: int, /, **params: object) -> str:
    t = _of(context)
    text = t.plural_form(singular, plural, n)
    params.setdefault("num", t.number(n))
    return (Markup(text) if context.eval_ctx.autoescape else text) % params  # noqa: S704 - catalogues are ours


def _of(context: Context) -> Translator:
    found = context.get("t")
    if not isinstance(found, Translator):
        raise TypeError("a template was rendered without template_context()")
    return found
