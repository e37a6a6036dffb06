"""From a draft to checked content: text, people, tags, media, poll, or a sentence that says what to change.

Three steps. ``check_form`` is pure. ``Composer.find_people`` finds who is named, and may ask other servers, so it runs
before the transaction. The rest needs the rows and runs inside it.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fedi.activitypub.uris import LocalUris
from fedi.config import PostsConfig
from fedi.errors import ClientFault
from fedi.ids import AccountId, MediaId
from fedi.model.accounts import Account
from fedi.model.emojis import EmojiRef
from fedi.model.media import Media
from fedi.model.statuses import Mention
from fedi.outbox.draft import Draft, EditDraft, PollDraft
from fedi.outbox.tools import PeopleFinder
from fedi.store import accounts, emojis, media
from fedi.store.database import Database, Tx
from fedi.text import CleanHtml, MentionLink, count_characters, find_hashtags, find_mentions, render_text

MAX_STRANGERS = 10  # servers asked for one post; who else is unknown stays plain text
MAX_MENTIONS = 100
MAX_TAGS = 40

_SHORTCODE = re.compile(r"(?<![\w:]):([A-Za-z0-9_]{2,64}):(?![\w:])")
_FORBIDDEN = re.compile("[\x00\ud800-\udfff]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The text of a post with what is in it. ``named`` are the accounts by the acct as typed, in lower case."""

    content: CleanHtml
    mentions: tuple[Mention, ...]
    tags: tuple[str, ...]
    emojis: tuple[EmojiRef, ...]


def check_form(draft: Draft | EditDraft, posts: PostsConfig) -> None:
    """What can be said without any row. Raises :class:`ClientFault` with the sentence a person reads."""
    for text in (draft.text, draft.spoiler, draft.title or ""):
        _check_characters(text)
    if not draft.text.strip() and not draft.media and draft.poll is None and getattr(draft, "quote", None) is None:
        raise ClientFault("empty", "Write something, or attach a picture or a poll.")
    length = count_characters(draft.text) + count_characters(draft.spoiler)
    if length > posts.max_characters:
        raise ClientFault(
            "text-too-long",
            "The text is too long: %(length)s of %(most)s characters.",
            params={"length": str(length), "most": str(posts.max_characters)},
        )
    if len(draft.media) > posts.max_media:
        raise ClientFault("too-many-media", "Attach at most %(most)s files.", params={"most": str(posts.max_media)})
    if len(set(draft.media)) != len(draft.media):
        raise ClientFault("media-twice", "The same file is attached twice.")
    if draft.language is not None and not _LANGUAGE.fullmatch(draft.language):
        raise ClientFault("bad-language", "The language must be a code such as “en”.")
    if draft.poll is not None:
        if draft.media:
            raise ClientFault("poll-with-media", "A post has either a poll or attached files.")
        _check_poll(draft.poll, posts)


def _check_characters(text: str) -> None:
    if _FORBIDDEN.search(text):
        raise ClientFault("bad-text", "The text contains characters that are not allowed.")


def _check_poll(poll: PollDraft, posts: PostsConfig) -> None:
    options = [option.strip() for option in poll.options]
    for option in options:
        _check_characters(option)
    if not 2 <= len(options) <= posts.max_poll_options:
        raise ClientFault(
            "poll-options", "A poll has 2 to %(most)s options.", params={"most": str(posts.max_poll_options)}
        )
    if not all(options):
        raise ClientFault("poll-option-empty", "An option of the poll is empty.")
    if len({unicodedata.normalize("NFC", option).casefold() for option in options}) != len(options):
        raise ClientFault("poll-option-twice", "Two options of the poll are the same.")
    if any(count_characters(option) > posts.max_poll_option_characters for option in options):
        raise ClientFault(
            "poll-option-too-long",
            "An option of the poll is longer than %(most)s characters.",
            params={"most": str(posts.max_poll_option_characters)},
        )
    if not posts.min_poll_duration_s <= poll.expires_in_s <= posts.max_poll_duration_s:
        raise ClientFault("poll-duration", "The poll ends too soon or too late.")


class Composer:
    """Finds people by their handles. ``people`` may ask other servers."""

    def __init__(self, *, db: Database, uris: LocalUris, people: PeopleFinder) -> None:
        self._db = db
        self._uris = uris
        self._people = people

    async def find_people(self, text: str) -> dict[str, AccountId]:
        """Accounts by the handle as typed, in lower case. Who cannot be found is left out: it stays plain text."""
        if "@" not in text:
            return {}
        typed = {mention.acct: (mention.username, self._domain(mention.domain)) for mention in find_mentions(text)}
        if not typed:
            return {}

        async def look(tx: Tx) -> dict[str, AccountId]:
            found: dict[str, AccountId] = {}
            for acct, (username, domain) in list(typed.items())[:MAX_MENTIONS]:
                account = await accounts.find_by_handle(tx, username, domain)
                if account is not None and account.gone_at is None:
                    found[acct] = account.id
            return found

        found = await self._db.read(look)
        strangers = [acct for acct, (_, domain) in typed.items() if acct not in found and domain]
        for acct in strangers[:MAX_STRANGERS]:
            account = await self._people.find_by_handle(*typed[acct])
            if account is not None:
                found[acct] = account
        return found

    def _domain(self, typed: str) -> str:
        """'' for ours, as accounts have it."""
        folded = typed.lower()
        return "" if self._uris.is_own_domain(folded) else folded


async def read_words(tx: Tx, text: str, people: Mapping[str, AccountId], uris: LocalUris) -> Words:
    """The text as HTML, with links to the people, tags and emoji in it."""
    found = await accounts.find_many(tx, people.values()) if people else {}
    named = {acct: found[account] for acct, account in people.items() if account in found}
    links = {acct: MentionLink(url=profile_of(account), username=account.username) for acct, account in named.items()}
    mentions = {account.id: as_mention(account) for account in named.values()}
    tags = find_hashtags(text)[:MAX_TAGS] if "#" in text or "＃" in text else []
    return Words(
        content=render_text(text, mentions=links, tag_url=uris.tag_page),
        mentions=tuple(mentions.values()),
        tags=tuple(tags),
        emojis=await find_emojis(tx, text),
    )


async def find_emojis(tx: Tx, *texts: str) -> tuple[EmojiRef, ...]:
    """Our own custom emoji that the texts name."""
    codes = list(dict.fromkeys(code for text in texts if ":" in text for code in _SHORTCODE.findall(text)))
    if not codes:
        return ()
    known = await emojis.find_many(tx, codes)
    return tuple(
        EmojiRef(shortcode=code, url=known[code].url, static_url=known[code].static_url)
        for code in codes
        if code in known
    )


def as_mention(account: Account) -> Mention:
    return Mention(
        id=account.id, username=account.username, acct=account.acct, url=profile_of(account), uri=account.uri
    )


def profile_of(account: Account) -> str:
    """Where a link to somebody leads; apps compare it with ``mentions[].url`` letter by letter."""
    return account.url or account.uri


async def check_media(tx: Tx, ids: Sequence[MediaId], account: AccountId) -> tuple[Media, ...]:
    """The author's own, ready files in their order. Raises :class:`ClientFault`."""
    if not ids:
        return ()
    found = await media.find_many(tx, ids)
    for one in ids:
        if one not in found or found[one].account != account:
            raise ClientFault("no-such-media", "An attached file does not exist; upload it again.")
        if found[one].state == "processing":
            raise ClientFault("media-processing", "An attached file is still being processed; try again in a moment.")
        if found[one].state == "failed":
            raise ClientFault("media-failed", "An attached file could not be processed; remove it.")
    return tuple(found[one] for one in ids)
