"""Our authors' plain text as HTML, in the shape that apps look for."""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fedi.text.markup import CleanHtml, clean_html
from fedi.text.tokens import Hashtag, Token, WebLink, find_tokens

_SHOWN_CHARS = 30  # of a link; the rest is there but invisible
_PREFIX = re.compile(r"https?://(?:www\.)?", re.IGNORECASE)
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_BREAKS = re.compile(r"\n{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MentionLink:
    """Where a mention leads (the ``url`` that apps also find in ``mentions[]``, byte for byte) and what it shows."""

    url: str
    username: str


def render_text(text: str, *, mentions: Mapping[str, MentionLink], tag_url: Callable[[str], str] | None) -> CleanHtml:
    """Paragraphs with links, mentions and hashtags.

    ``mentions`` goes by :attr:`fedi.text.tokens.Mention.acct`; who is not in it stays plain text. Without
    ``tag_url`` (tag as written → URL of its page) hashtags stay plain text, too.
    """
    normal = _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if not normal:
        return CleanHtml("")
    parts: list[str] = []
    at = 0
    for token in find_tokens(normal):
        parts += (_escaped(normal[at : token.start]), _rendered(token, normal, mentions, tag_url))
        at = token.end
    parts.append(_escaped(normal[at:]))
    paragraphs = _BREAKS.split("".join(parts))
    return CleanHtml("".join(f"<p>{paragraph.replace(chr(10), '<br>')}</p>" for paragraph in paragraphs))


def text_to_html(text: str) -> CleanHtml:
    """Paragraphs and links only."""
    return render_text(text, mentions={}, tag_url=None)


def _rendered(
    token: Token, text: str, mentions: Mapping[str, MentionLink], tag_url: Callable[[str], str] | None
) -> str:
    written = text[token.start : token.end]
    if isinstance(token, WebLink):
        return _web_link(token.url)
    if isinstance(token, Hashtag):
        if tag_url is None:
            return _escaped(written)
        href = html.escape(tag_url(token.name))
        return f'<a href="{href}" class="mention hashtag" rel="tag">#<span>{_escaped(token.name)}</span></a>'
    mention = mentions.get(token.acct)
    if mention is None:
        return _escaped(written)
    return (
        f'<span class="h-card"><a href="{html.escape(mention.url)}" class="u-url mention">'
        f"@<span>{_escaped(mention.username)}</span></a></span>"
    )


def _web_link(url: str) -> str:
    prefix = _PREFIX.match(url)
    cut = prefix.end() if prefix else 0
    shown, hidden = url[cut : cut + _SHOWN_CHARS], url[cut + _SHOWN_CHARS :]
    return (
        f'<a href="{html.escape(url)}" target="_blank" rel="nofollow noopener" translate="no">'
        f'<span class="invisible">{_escaped(url[:cut])}</span>'
        f'<span class="{"ellipsis" if hidden else ""}">{_escaped(shown)}</span>'
        f'<span class="invisible">{_escaped(hidden)}</span></a>'
    )


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def clean_content(untrusted: str, media_type: str = "text/html") -> CleanHtml:
    """The content of a post: HTML is cleaned; plain text and Markdown (PeerTube) become paragraphs with links."""
    return clean_html(untrusted) if media_type == "text/html" else text_to_html(untrusted)
