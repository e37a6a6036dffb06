"""Like, EmojiReact and Misskey's dialect, Dislike."""

import re
import unicodedata
from dataclasses import dataclass

from fedi.activitypub.vocab import Activity
from fedi.inbox.effects import Decided, Effect, Notify, PutFavourite, PutReaction
from fedi.inbox.outcome import Ignored
from fedi.store.inbox import ActorBrief, StatusBrief
from fedi.text import count_characters

_CODE = re.compile(r":([A-Za-z0-9_+-]{1,2048})(?:@[^:\s]*)?:")
HEARTS = frozenset({"\u2764", "\u2764\ufe0f", "\u2665", "\u2665\ufe0f"})  # Misskey's own word for a plain like


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``status`` is None if there is none that the actor may see: private and missing look alike."""

    actor: ActorBrief
    status: StatusBrief | None


def decide(activity: Activity, facts: Facts) -> Decided:
    status = facts.status
    if status is None:
        return Ignored("unknown-object")
    if activity.type == "Dislike":
        return Ignored("dislike")  # we count no votes against anybody
    emoji = reaction_of(activity)
    told = (Notify(account=status.account, kind="favourite", actor=facts.actor.id, status=status.id),)
    if emoji is None:
        if activity.type == "EmojiReact":
            return Ignored("no-emoji")
        put: Effect = PutFavourite(account=facts.actor.id, status=status.id, uri=activity.id)
        return (put, *(told if status.local else ()))
    put = PutReaction(
        account=facts.actor.id,
        status=status.id,
        emoji=emoji,
        emoji_url=_picture(activity, emoji),
        uri=activity.id,
    )
    if not status.local:
        return (put,)
    return put, Notify(account=status.account, kind="reaction", actor=facts.actor.id, status=status.id)


def reaction_of(activity: Activity) -> str | None:
    """One grapheme, or ``:shortcode:`` with its Emoji tag; None: a plain like."""
    text = (activity.reaction or "").strip()
    if not text or (activity.type == "Like" and text in HEARTS):
        return None
    code = _CODE.fullmatch(text)
    if code is not None:
        return f":{code[1]}:" if any(tag.shortcode == code[1] for tag in activity.emojis) else None
    return text if len(text) <= 64 and count_characters(text) == 1 and _is_symbol(text) else None


def _is_symbol(text: str) -> bool:
    """No letter and no digit alone: those are words, not emoji."""
    return any(unicodedata.category(letter) in {"So", "Sk", "Sm", "Po"} or ord(letter) > 0x2000 for letter in text)


def _picture(activity: Activity, emoji: str) -> str | None:
    return next((tag.url for tag in activity.emojis if f":{tag.shortcode}:" == emoji), None)
