"""Keeps the catalogues in step with the sentences of the code.

    python tools/catalogues.py            adds new sentences, drops unused ones, then checks
    python tools/catalogues.py --check    only checks: complete, placeholders kept, all plural forms

Sentences come from `_("…")`, `N_`, `gettext` and `ngettext` in fedi/, from the second argument of every fault
(`ClientFault("code", "Sentence.")`), and from `{% trans %}`, `_()` and `ngettext()` in templates/.
"""

import ast
import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from fedi.i18n import LOCALES, catalogue_path

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"%\((\w+)\)s")
Sentence = str | tuple[str, str]
ARABIC_PLURALS = "(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5)"
# A fixed date: the header must not change each time the tool runs.
NO_DATE = datetime(2026, 1, 1, tzinfo=UTC)


def in_code(text: str, path: str) -> Iterator[tuple[int, Sentence]]:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in {"_", "N_", "gettext"} and node.args:
            yield from literals(node.args[0], path)
        elif name in {"ngettext", "plural_form"} and len(node.args) >= 2:
            one, many = node.args[:2]
            if isinstance(one, ast.Constant) and isinstance(many, ast.Constant):
                yield node.lineno, (str(one.value), str(many.value))
        elif name.endswith(("Fault", "Problem")):
            safe = node.args[1:2] + [keyword.value for keyword in node.keywords if keyword.arg == "safe"]
            for argument in safe:
                yield from literals(argument, path, strict=True)


def literals(node: ast.expr, path: str, *, strict: bool = False) -> Iterator[tuple[int, str]]:
    """The sentence of an argument, or those of both branches of a condition. Filled-in text cannot be translated."""
    match node:
        case ast.Constant(value=str() as text):
            if text:
                yield node.lineno, text
        case ast.IfExp(body=body, orelse=orelse):
            yield from literals(body, path, strict=strict)
            yield from literals(orelse, path, strict=strict)
        case ast.JoinedStr() | ast.BinOp() if strict:
            sys.exit(f"{path}:{node.lineno}: a safe sentence must be one literal; put values into params=")


def in_template(text: str) -> Iterator[tuple[int, Sentence]]:
    options = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
    for line, _, message, _ in babel_extract(io.BytesIO(text.encode()), ("_", "gettext", "ngettext"), [], options):
        parts = [part for part in message if part] if isinstance(message, tuple) else [message]
        yield line, (parts[0], parts[1]) if len(parts) > 1 else parts[0]


def sentences() -> Catalog:
    """Every sentence of code and templates, with the files it stands in."""
    found = Catalog(project="fedi", charset="utf-8", creation_date=NO_DATE)
    for path in sorted((ROOT / "fedi").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        for line, sentence in in_code(path.read_text(encoding="utf-8"), name):
            found.add(sentence, locations=[(name, line)])
    for path in sorted(p for p in (ROOT / "templates").rglob("*") if p.suffix in {".html", ".txt", ".xml"}):
        for line, sentence in in_template(path.read_text(encoding="utf-8")):
            found.add(sentence, locations=[(path.relative_to(ROOT).as_posix(), line)])
    return found


def read(lang: str) -> Catalog:
    path = catalogue_path(lang)
    if not path.exists():
        return Catalog(locale=lang, project="fedi", charset="utf-8", creation_date=NO_DATE, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=lang)


def update(template: Catalog) -> None:
    for lang in LOCALES:
        catalogue = read(lang)
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.fuzzy = False
        catalogue.creation_date = catalogue.revision_date = NO_DATE
        catalogue.header_comment = f"# fedi in {catalogue.locale.english_name}. AGPL-3.0-or-later."
        catalogue.last_translator = catalogue.language_team = "the fedi project"
        catalogue.msgid_bugs_address = ""
        if lang == "ar":
            # The order translators know: zero, one, two, few, many, other. Babel's own puts "other" before "many".
            catalogue._num_plurals, catalogue._plural_expr = 6, ARABIC_PLURALS  # noqa: SLF001 - no public door
        out = io.BytesIO()
        # File names tell a translator where a sentence is seen; line numbers would change with every edit.
        write_po(out, catalogue, width=118, sort_output=True, ignore_obsolete=True, include_lineno=False)
        path = catalogue_path(lang)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = re.sub(rb'"Generated-By: .*\n', b"", out.getvalue())  # the tool's version is no news
        if not path.exists() or path.read_bytes() != text:
            path.write_bytes(text)


def places(text: str) -> set[str]:
    return set(PLACE.findall(text))


def faults(template: Catalog) -> list[str]:
    """What is missing or wrong, one finding a line; empty when every catalogue is complete."""
    found = [
        f"code: only %(name)s may follow a percent sign: {text!r}"
        for message in template
        for text in ([message.id] if isinstance(message.id, str) else message.id)
        if "%" in PLACE.sub("", text)
    ]
    for lang in LOCALES:
        catalogue = read(lang)
        for message in template:
            if not message.id:
                continue
            first = message.id if isinstance(message.id, str) else message.id[0]
            known = catalogue.get(message.id)
            if known is None:
                found.append(f"{lang}: not in the catalogue (run `make catalogues`): {first!r}")
                continue
            found += [f"{lang}: {fault}: {first!r}" for fault in of_message(message.id, known, catalogue.num_plurals)]
            if lang == "en":
                continue
            forms = [known.string] if isinstance(known.string, str) else known.string
            if not all(forms):
                found.append(f"{lang}: not translated: {first!r}")
        found += [
            f"{lang}: no longer used (run `make catalogues`): {m.id!r}"
            for m in catalogue
            if m.id and m.id not in template
        ]
    return found


def of_message(msgid: Sentence | list[str], known: object, plurals: int) -> Iterator[str]:
    ids = [msgid] if isinstance(msgid, str) else list(msgid)
    string = known.string  # type: ignore[attr-defined]
    forms = [string] if isinstance(string, str) else list(string)
    if len(ids) > 1 and len(forms) != plurals:
        yield f"{len(forms)} plural forms instead of {plurals}"
    if known.fuzzy:  # type: ignore[attr-defined]
        yield "marked fuzzy"
    for form in filter(None, forms):
        # A plural form may leave the number out ("one reply"), but none may bring a place of its own.
        wanted = set().union(*map(places, ids))
        needed = wanted if len(ids) == 1 else places(ids[0]) & places(ids[1]) - {"num"}
        if not needed <= places(form) <= wanted or "%" in PLACE.sub("", form):
            yield f"places {sorted(places(form))} instead of {sorted(wanted)}"


def main() -> None:
    template = sentences()
    if "--check" not in sys.argv:
        update(template)
    found = faults(template)
    for fault in found:
        print(fault)
    print(f"{len(template)} sentences, {len(LOCALES)} languages, {len(found)} findings")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
