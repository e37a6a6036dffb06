"""Texts: foreign HTML made harmless, plain text taken out of it, and our authors' words made into HTML.

Everything here runs in time linear in its input, and nothing here raises on any input.
"""

from fedi.text.count import count_characters
from fedi.text.markup import CleanHtml, clean_html, find_links, html_to_text
from fedi.text.render import MentionLink, clean_content, render_text, text_to_html
from fedi.text.tokens import (
    Hashtag,
    Mention,
    Token,
    WebLink,
    find_hashtags,
    find_mentions,
    find_tokens,
    find_urls,
    normal_tag,
)

__all__ = [
    "CleanHtml",
    "Hashtag",
    "Mention",
    "MentionLink",
    "Token",
    "WebLink",
    "clean_content",
    "clean_html",
    "count_characters",
    "find_hashtags",
    "find_links",
    "find_mentions",
    "find_tokens",
    "find_urls",
    "html_to_text",
    "normal_tag",
    "render_text",
    "text_to_html",
]
