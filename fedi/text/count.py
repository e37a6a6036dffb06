"""Length of a post as apps count it: every link weighs the same, the domain of a mention nothing."""

import unicodedata

from fedi.text.tokens import Mention, WebLink, find_tokens

CHARACTERS_PER_URL = 23

_JOINER = "\u200d"


def count_characters(text: str) -> int:
    """User-perceived characters; a link counts as 23, ``@user@domain`` as ``@user``."""
    total = at = 0
    for token in find_tokens(text):
        if isinstance(token, WebLink):
            total += _count_graphemes(text[at : token.start]) + CHARACTERS_PER_URL
        elif isinstance(token, Mention):
            total += _count_graphemes(text[at : token.start]) + 1 + len(token.username)
        else:
            continue
        at = token.end
    return total + _count_graphemes(text[at:])


def _count_graphemes(text: str) -> int:
    """Marks, variation selectors, skin tones, joined emoji and flags do not add up (close to UAX #29)."""
    if text.isascii():
        return len(text) - text.count("\r\n")
    count = 0
    joined = False
    half_flag = False
    for character in text:
        point = ord(character)
        if character == _JOINER or 0x1F3FB <= point <= 0x1F3FF or unicodedata.category(character) in {"Mn", "Me", "Mc"}:
            joined = character == _JOINER
            continue
        is_flag_letter = 0x1F1E6 <= point <= 0x1F1FF
        completes = joined or (is_flag_letter and half_flag)
        count += not completes
        half_flag = is_flag_letter and not completes
        joined = False
    return count
