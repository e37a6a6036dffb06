"""Languages: negotiation, plural forms, direction, numbers, dates, and catalogues without holes."""

import importlib.util
from pathlib import Path

import jinja2
import pytest
from babel.messages.catalog import Catalog
from hypothesis import given
from hypothesis import strategies as st

from fedi import i18n
from fedi.errors import ClientFault
from fedi.i18n import LOCALES, Translator, install, negotiate, template_context, translator

ROOT = Path(__file__).parents[2]
NOON_MS = 1_767_268_800_000  # 2026-01-01T12:00:00Z


@pytest.fixture(scope="module")
def catalogues():
    spec = importlib.util.spec_from_file_location("catalogues", ROOT / "tools/catalogues.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PO = """
msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5)\\n"

msgid "Hello, %(name)s"
msgstr "مرحبًا %(name)s"

msgid "%(num)s reply"
msgid_plural "%(num)s replies"
msgstr[0] "لا ردود"
msgstr[1] "رد واحد"
msgstr[2] "ردان"
msgstr[3] "%(num)s ردود"
msgstr[4] "%(num)s ردًا"
msgstr[5] "%(num)s رد"
"""


@pytest.fixture
def arabic(tmp_path, monkeypatch):
    """The Arabic translator over a small catalogue of its own."""
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    path = i18n.catalogue_path("ar")
    path.parent.mkdir(parents=True)
    path.write_text(PO, encoding="utf-8")
    i18n._load.cache_clear()
    yield Translator("ar")
    i18n._load.cache_clear()


def test_the_best_language_of_the_header_wins():
    assert negotiate("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5") == "fr"
    assert negotiate("de, en;q=0.2, ar;q=0.9") == "ar"
    assert negotiate("de, ja") == "en"
    assert negotiate("de, ja", default="fr") == "fr"
    assert negotiate("", default="ar") == "ar"
    assert negotiate("en;q=0, ar;q=0.1") == "ar"
    assert negotiate("*", default="fr") == "fr"


def test_a_choice_beats_the_header_if_we_have_the_language():
    assert negotiate("en", "ar") == "ar"
    assert negotiate("fr", "tlh") == "fr"


@given(st.text(), st.none() | st.text())
def test_any_header_and_any_choice_give_a_language(header, chosen):
    assert negotiate(header, chosen) in LOCALES


def test_an_unknown_language_speaks_english_and_a_region_its_language():
    assert translator("tlh").lang == "en"
    assert translator("fr-CA") is translator("fr")


def test_direction_and_names():
    assert [translator(lang).direction for lang in LOCALES] == ["ltr", "ltr", "rtl"]
    assert [translator(lang).name for lang in LOCALES] == ["English", "français", "العربية"]


def test_sentences_are_filled_and_untranslated_ones_stay_english(arabic):
    assert arabic.gettext("Hello, %(name)s", name="سارة") == "مرحبًا سارة"
    assert arabic.gettext("Not in the catalogue") == "Not in the catalogue"
    assert arabic.gettext("100% as it is") == "100% as it is"


def test_arabic_has_six_plural_forms(arabic):
    said = [arabic.ngettext("%(num)s reply", "%(num)s replies", n) for n in (0, 1, 2, 3, 11, 100)]
    assert said == ["لا ردود", "رد واحد", "ردان", "3 ردود", "11 ردًا", "100 رد"]


def test_a_fault_is_told_in_the_readers_language(arabic):
    assert arabic.problem(ClientFault("greeting", "Hello, %(name)s", params={"name": "x"})) == "مرحبًا x"


def test_numbers_follow_the_language_and_the_choice_of_digits():
    assert translator("en").number(1234567) == "1,234,567"
    assert translator("fr").number(1234567) == "1\u202f234\u202f567"
    assert translator("ar").number(1234567) == "1,234,567"
    assert translator("ar", "native").number(1234567) == "١٬٢٣٤٬٥٦٧"
    assert translator("en").compact(1234) == "1.2K"
    assert translator("en").compact(999) == "999"


def test_dates_follow_the_language_and_the_choice_of_digits():
    assert translator("en").date(NOON_MS, "long") == "January 1, 2026"
    assert translator("fr").date(NOON_MS, "long") == "1 janvier 2026"
    assert translator("ar", "native").date(NOON_MS, "long") == "١ يناير ٢٠٢٦"
    assert "13:00" in translator("fr").time(NOON_MS, "short", zone="Europe/Paris")
    assert translator("en").ago(NOON_MS - 180_000, now_ms=NOON_MS) == "3 minutes ago"
    assert translator("fr").ago(NOON_MS - 180_000, now_ms=NOON_MS) == "il y a 3 minutes"


def test_one_template_speaks_every_language_and_escapes_what_it_is_given(arabic):
    environment = jinja2.Environment(autoescape=True)
    install(environment)
    page = environment.from_string(
        '<p lang="{{ lang }}" dir="{{ dir }}">{% trans name=who %}Hello, {{ name }}{% endtrans %} {{ _("100") }}'
        "{% trans num=n %}{{ num }} reply{% pluralize %}{{ num }} replies{% endtrans %}</p>"
    )
    in_english = page.render(**template_context("en"), who="<b>", n=2)
    assert in_english == '<p lang="en" dir="ltr">Hello, &lt;b&gt; 1002 replies</p>'
    assert page.render(lang="ar", dir="rtl", t=arabic, who="<b>", n=2) == (
        '<p lang="ar" dir="rtl">مرحبًا &lt;b&gt; 100ردان</p>'
    )
    with pytest.raises(TypeError):
        page.render(who="", n=1)


def test_the_sentences_of_code_and_templates_are_found(catalogues):
    code = (
        '_("a")\nself.t.gettext("b %(x)s", x=1)\nngettext("one", "many", n)\n'
        'raise ClientFault("code", "c" if x else "d")\nPeerFault("code", safe="e")\nClientFault("code")\n'
        'other("code", "not this")\n'
    )
    assert [text for _, text in catalogues.in_code(code, "x.py")] == ["a", "b %(x)s", ("one", "many"), "c", "d", "e"]
    page = '{% trans name=x %}\n  Hello,\n  {{ name }}\n{% endtrans %}{{ _("f") }}{{ ngettext("g", "h", 2) }}'
    assert [text for _, text in catalogues.in_template(page)] == ["Hello, %(name)s", "f", ("g", "h")]


def test_a_fault_with_a_built_sentence_is_refused(catalogues):
    with pytest.raises(SystemExit, match=r"x\.py:1"):
        list(catalogues.in_code('ClientFault("code", f"no {x}")', "x.py"))


@pytest.mark.parametrize(
    ("msgid", "string", "plurals", "fault"),
    [
        ("Hello, %(name)s", "Bonjour %(name)s", 2, None),
        ("Hello, %(name)s", "Bonjour", 2, "places"),
        ("Hello, %(name)s", "Bonjour %(nom)s", 2, "places"),
        ("Hello", "Bonjour 100 %", 2, "places"),
        (("%(num)s of %(who)s", "%(num)s of %(who)s"), ("un de %(who)s", "%(num)s de %(who)s"), 2, None),
        (("%(num)s of %(who)s", "%(num)s of %(who)s"), ("un", "%(num)s de %(who)s"), 2, "places"),
        (("%(num)s reply", "%(num)s replies"), ("a", "b"), 6, "2 plural forms instead of 6"),
    ],
)
def test_a_translation_with_other_places_or_forms_is_a_fault(catalogues, msgid, string, plurals, fault):
    message = Catalog().add(msgid, string)
    found = list(catalogues.of_message(msgid, message, plurals))
    assert (not found) if fault is None else found[0].startswith(fault)


def test_every_sentence_is_translated(catalogues):
    template = catalogues.sentences()
    assert len(template) > 0
    findings = catalogues.faults(template)
    assert not findings, "\n".join(findings)


def test_arabic_catalogue_declares_six_forms(catalogues):
    assert catalogues.read("ar").num_plurals == 6
    assert catalogues.read("fr").num_plurals == 2
