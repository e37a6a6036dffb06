"""Foreign HTML: three linear passes. A scanner of our own bounds the depth and drops what is not allowed, nh3 is the
judge of what is safe, and a last pass over its well-formed output finishes links and turns pictures into links.

The scanner need not be right about hostile markup, only fast: whatever it lets through is judged after it. It stands
first because HTML parsers, nh3's among them, need quadratic time for deeply nested elements.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NewType

import nh3

CleanHtml = NewType("CleanHtml", str)
"""HTML that may be shown: the only kind of HTML that is stored or sent to browsers."""

MAX_DEPTH = 32

_ALLOWED = frozenset({
    "p", "br", "span", "a", "abbr", "del", "s", "pre", "blockquote", "code", "b", "strong", "u", "sub", "sup", "i",
    "em", "h1", "h2", "h3", "h4", "h5", "ul", "ol", "li", "ruby", "rt", "rp", "img",
})  # fmt: skip
_VOID = frozenset({"br", "img"})
_CLOSES_ITSELF = frozenset({"p", "li", "rt", "rp"})
_BLOCKS = frozenset({
    "p", "pre", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "div", "section", "article",
    "aside", "header", "footer", "main", "nav", "figure", "figcaption", "table", "tr", "dl", "dt", "dd", "center",
    "details", "summary", "fieldset", "form", "address", "hr",
})  # fmt: skip
_CELLS = frozenset({"td", "th"})
# Their content is not text for people.
_SILENT = frozenset({
    "script", "style", "title", "iframe", "noscript", "noembed", "noframes", "object", "template", "textarea",
    "select", "svg", "math",
})  # fmt: skip
_SCHEMES = {"http", "https", "dat", "dweb", "ipfs", "ipns", "ssb", "gopher", "xmpp", "magnet", "gemini", "mailto"}
_CLASSES = frozenset({"mention", "hashtag", "ellipsis", "invisible", "quote-inline"})
_CLASS = re.compile(r"(?:h|p|u|dt|e)-[A-Za-z0-9_-]{1,40}", re.ASCII)
_LANG = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,3}", re.ASCII)
_TAG_NAME = re.compile(r"(/?)([A-Za-z][A-Za-z0-9]{0,15})(?=[\s/>])", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
# Paragraphs of plain words, as most posts are: clean as they are written.
_PLAIN = re.compile(r"(?:<p>(?:[^<>&]++|<br>)*+</p>)++")
# Over the serialised tree, where every other "<" is escaped or inside the quotes of these attributes.
_LINK_OR_PICTURE = re.compile(r'<(/?)(a|img)((?: [a-z]++="[^"]*+")*+)>', re.ASCII)
_ATTRIBUTE = re.compile(r' ([a-z]++)="([^"]*+)"', re.ASCII)


@dataclass(frozen=True, slots=True)
class _Tag:
    name: str
    closing: bool
    written: str


def clean_html(untrusted: str) -> CleanHtml:
    """Keeps the allowed elements, classes and links of foreign HTML (allow-list as Mastodon's). Never raises."""
    if "<" not in untrusted and "&" not in untrusted and untrusted.isprintable():
        return CleanHtml(html.escape(untrusted, quote=False))
    if untrusted.isprintable() and _PLAIN.fullmatch(untrusted):
        return CleanHtml(untrusted)
    text = _SURROGATE.sub("\ufffd", untrusted).replace("\x00", "")
    return CleanHtml(_finish(_CLEANER.clean(_bounded(text))).strip())


def html_to_text(markup: str) -> str:
    """The words alone, paragraphs apart by an empty line. Pictures leave their description behind only where
    :func:`clean_html` has made it a link text."""
    parts: list[str] = []
    for piece in _scan(_SURROGATE.sub("\ufffd", markup)):
        if isinstance(piece, str):
            parts.append(html.unescape(piece))
        elif piece.name in {"br", "hr", "li", "tr", "dt", "dd", "div"}:
            if piece.closing or piece.name in {"br", "hr"}:
                parts.append("\n")
        elif piece.name in _BLOCKS and piece.closing:
            parts.append("\n\n")
        elif piece.name in _CELLS:
            parts.append(" ")
    return re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()


def find_links(clean: CleanHtml) -> list[str]:
    """The addresses of the links in a text, in order, without mentions and hashtags: what a preview may be made of."""
    found: dict[str, None] = {}
    for match in _LINK_OR_PICTURE.finditer(clean):
        attributes = dict(_ATTRIBUTE.findall(match[3]))
        classes = set(attributes.get("class", "").split())
        href = html.unescape(attributes.get("href", ""))
        if href.startswith(("https://", "http://")) and not classes & {"mention", "hashtag", "u-url"}:
            found[href] = None
    return list(found)


def _scan(text: str) -> Iterator[str | _Tag]:
    """Texts (still escaped) and tags; comments, declarations and the insides of silent elements are left out.

    A tag ends at the first ``>``, also inside quotes. Every character is looked at a bounded number of times.
    """
    at, end = 0, len(text)
    while at < end:
        start = text.find("<", at)
        if start < 0:
            yield text[at:]
            return
        if start > at:
            yield text[at:start]
        follower = text[start + 1 : start + 2]
        if not (follower.isalpha() or follower in {"/", "!", "?"}) or not follower:
            yield "&lt;"
            at = start + 1
            continue
        is_comment = text.startswith("<!--", start)
        stop = text.find("-->", start + 2) if is_comment else text.find(">", start)
        if stop < 0:  # as browsers do: what is never closed is not shown
            return
        at = stop + (3 if is_comment else 1)
        name = _TAG_NAME.match(text, start + 1)
        if name is None:
            continue
        tag = _Tag(name[2].lower(), bool(name[1]), text[start:at])
        if tag.name in _SILENT:
            if not tag.closing:
                closer = _SILENT_END[tag.name].search(text, at)
                if closer is None:
                    return
                at = closer.start()
            continue
        yield tag


_SILENT_END = {name: re.compile(f"</{name}", re.IGNORECASE | re.ASCII) for name in _SILENT}


def _bounded(text: str) -> str:
    """Allowed tags only, at most :data:`MAX_DEPTH` open at a time; other blocks leave a line break."""
    out: list[str] = []
    open_names: list[str] = []
    for piece in _scan(text):
        if isinstance(piece, str):
            out.append(piece)
        elif piece.name not in _ALLOWED:
            if piece.name in _BLOCKS and (piece.closing or piece.name == "hr") and out and out[-1] != "<br>":
                out.append("<br>")
            elif piece.name in _CELLS and piece.closing:
                out.append(" ")
        elif piece.name in _VOID:
            out.append(piece.written)
        elif piece.closing:
            if piece.name in open_names:
                while open_names.pop() != piece.name:
                    pass
                out.append(f"</{piece.name}>")
        else:
            if piece.name in _CLOSES_ITSELF and open_names and open_names[-1] == piece.name:
                open_names.pop()
            if len(open_names) < MAX_DEPTH:
                open_names.append(piece.name)
                out.append(piece.written)
    while out and out[-1] == "<br>":
        out.pop()
    return "".join(out)


def _filter_attribute(_: str, name: str, value: str) -> str | None:
    if name == "class":
        kept = [word for word in value.split()[:20] if word in _CLASSES or _CLASS.fullmatch(word)]
        return " ".join(kept) or None
    if name == "rel":
        return "tag" if "tag" in value.lower().split() else None
    if name == "lang":
        return value if _LANG.fullmatch(value) else None
    if name == "dir":
        return value if value in {"ltr", "rtl", "auto"} else None
    if name == "translate":
        return value if value == "no" else None
    if name in {"start", "value"}:
        return value if value.isascii() and value.isdigit() and len(value) < 6 else None
    return value


_CLEANER = nh3.Cleaner(
    tags=set(_ALLOWED),
    attributes={
        "*": {"lang", "dir"},
        "a": {"href", "class", "rel", "translate"},
        "span": {"class", "translate"},
        "p": {"class"},
        "img": {"src", "alt"},
        "abbr": {"title"},
        "ol": {"start", "reversed"},
        "li": {"value"},
    },
    attribute_filter=_filter_attribute,
    url_schemes=_SCHEMES,
    url_relative="deny",
    link_rel=None,
)


def _finish(well_formed: str) -> str:
    """Sets ``rel`` and ``target`` of links, unwraps links to nowhere, makes links of pictures."""
    if "<a" not in well_formed and "<img" not in well_formed:
        return well_formed
    inside = ""  # the link we are in: "", "kept" or "unwrapped"

    def replace(match: re.Match[str]) -> str:
        nonlocal inside
        closing, name, written = match.groups()
        attributes = dict(_ATTRIBUTE.findall(written))
        if name == "img":
            return _picture_link(attributes, is_inside_link=inside == "kept")
        if closing:
            was, inside = inside, ""
            return "</a>" if was == "kept" else ""
        inside = "kept" if attributes.get("href") else "unwrapped"
        return _link(attributes) if inside == "kept" else ""

    return _LINK_OR_PICTURE.sub(replace, well_formed)


def _link(attributes: dict[str, str]) -> str:
    rel = "tag nofollow noopener" if attributes.pop("rel", "") == "tag" else "nofollow noopener"
    shown = {name: attributes[name] for name in ("href", "class", "lang", "dir", "translate") if name in attributes}
    written = "".join(f' {name}="{value}"' for name, value in shown.items())
    return f'<a{written} rel="{rel}" target="_blank">'


def _picture_link(attributes: dict[str, str], *, is_inside_link: bool) -> str:
    source = attributes.get("src", "")
    words = _as_text(attributes.get("alt", "")).strip()
    if is_inside_link or not source.startswith(("https://", "http://")):
        return words
    return _link({"href": source}) + (words or _as_text(source)) + "</a>"


def _as_text(attribute: str) -> str:
    """The value of an attribute, escaped as text is."""
    return html.escape(html.unescape(attribute), quote=False)
