"""What a page shows of posts and people: plain values made inside one read unit, handed to the templates."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from markupsafe import Markup

from fedi.activitypub.uris import LocalUris
from fedi.clock import api_time
from fedi.ids import AccountId, StatusId
from fedi.ledger.decisions import Decision
from fedi.ledger.pages import Entry
from fedi.model.accounts import Account
from fedi.model.media import Media
from fedi.model.polls import Poll
from fedi.model.statuses import Status, StatusStats
from fedi.store import accounts, polls, statuses
from fedi.store import media as media_store
from fedi.store.database import Tx
from fedi.text.markup import html_to_text
from fedi.web.entities.media import MediaUrls, media_value

MAX_DEPTH = 3  # of indentation: a phone has no room for more
EXCERPT_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    name: str
    acct: str
    username: str
    url: str
    uri: str
    avatar: str | None
    header: str | None
    header_description: str
    note: Markup
    created_at: int

    @property
    def initial(self) -> str:
        """What stands where a picture would be."""
        return next((letter for letter in self.name if letter.isalnum()), "@").upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    kind: str
    url: str | None
    preview: str | None
    description: str
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    title: str
    percent: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    options: tuple[Option, ...]
    votes: int
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One post as it is shown. ``boosted_by`` names who brought it here."""

    is_place: ClassVar[bool] = False

    id: StatusId
    author: Person
    title: str | None
    content: Markup
    excerpt: str
    spoiler: str
    sensitive: bool
    language: str | None
    visibility: str
    local: bool
    uri: str
    url: str
    origin: str
    host: str
    published: str
    created_at: int
    edited_at: int | None
    reply_to: str | None
    boosted_by: str | None
    quote: str | None
    replies: int
    boosts: int
    favourites: int
    media: tuple[File, ...]
    poll: Question | None
    depth: int = 0
    open: bool = False  # whether what a content warning covers is shown at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What stands where a post is not shown: ``state`` gone, hidden, private or pending."""

    is_place: ClassVar[bool] = True

    id: StatusId
    state: str
    until_ms: int = 0
    reasons: tuple[Reason, ...] = ()
    depth: int = 0


@dataclass(slots=True)
class Shelf:
    """Everything the posts of one page need, read in a handful of statements."""

    uris: LocalUris
    media_urls: MediaUrls
    now_ms: int
    statuses: dict[StatusId, Status] = field(default_factory=dict)
    accounts: dict[AccountId, Account] = field(default_factory=dict)
    stats: dict[StatusId, StatusStats] = field(default_factory=dict)
    media: dict[StatusId, tuple[Media, ...]] = field(default_factory=dict)
    polls: dict[StatusId, Poll] = field(default_factory=dict)

    async def fetch(self, tx: Tx, ids: Iterable[StatusId]) -> None:
        """Adds these statuses, what they boost, their authors, pictures and polls."""
        found = await statuses.find_many(tx, ids)
        boosted = {status.reblog_of for status in found.values() if status.reblog_of is not None}
        found |= await statuses.find_many(tx, boosted - found.keys())
        await self.add(tx, found.values())

    async def add(self, tx: Tx, found: Iterable[Status]) -> None:
        rows = {status.id: status for status in found}
        self.statuses |= rows
        people = {status.account for status in rows.values()}
        people |= {s.in_reply_to_account for s in rows.values() if s.in_reply_to_account is not None}
        self.accounts |= await accounts.find_many(tx, people - self.accounts.keys())
        self.stats |= await statuses.find_many_stats(tx, rows)
        self.media |= await media_store.list_of_statuses(tx, [s.id for s in rows.values() if s.has_media])
        self.polls |= await polls.find_many(tx, [s.id for s in rows.values() if s.poll is not None])

    def person(self, account: Account) -> Person:
        return Person(
            name=account.display_name or account.username,
            acct=account.acct,
            username=account.username,
            url=self.uris.profile_page(account.username) if account.local else account.url or account.uri,
            uri=account.uri,
            avatar=self.media_urls.any(account.avatar) if account.avatar else None,
            header=self.media_urls.any(account.header) if account.header else None,
            header_description=account.header_description,
            note=Markup(account.note),  # noqa: S704 - cleaned when it was stored
            created_at=account.created_at,
        )

    def card(self, status: Status, *, depth: int = 0) -> Card | Place:
        """The post, or for a boost the post it brings; a place where one of them is gone."""
        boosted_by = None
        if status.reblog_of is not None:
            original = self.statuses.get(status.reblog_of)
            if original is None:
                return Place(id=status.id, state="gone", depth=depth)
            booster = self.accounts.get(status.account)
            boosted_by = (booster.display_name or booster.username) if booster else None
            status = original
        author = self.accounts.get(status.account)
        if status.deleted_at is not None or author is None or author.gone_at is not None:
            return Place(id=status.id, state="gone", depth=depth)
        stats = self.stats.get(status.id, StatusStats(status=status.id))
        answered = self.accounts.get(status.in_reply_to_account) if status.in_reply_to_account is not None else None
        person = self.person(author)
        origin = status.url or status.uri
        return Card(
            id=status.id,
            author=person,
            title=status.title,
            content=Markup(status.content),  # noqa: S704 - cleaned when it was stored
            excerpt=excerpt_of(status),
            spoiler=status.spoiler,
            sensitive=status.sensitive,
            language=status.language,
            visibility=status.visibility,
            local=status.local,
            uri=status.uri,
            url=self.uris.status_page(author.username, status.id) if author.local else origin,
            origin=origin,
            host=author.domain or author.host,
            published=api_time(status.created_at),
            created_at=status.created_at,
            edited_at=status.edited_at,
            reply_to=f"@{answered.acct}" if answered is not None else None,
            boosted_by=boosted_by,
            quote=status.quote_uri if status.quote_state == "accepted" else None,
            replies=stats.replies,
            boosts=stats.reblogs,
            favourites=stats.favourites,
            media=tuple(self._file(file) for file in self.media.get(status.id, ())),
            poll=self._question(self.polls.get(status.id)),
            depth=depth,
        )

    def _file(self, media: Media) -> File:
        extent = media.meta.small or media.meta.original
        found = media_value(media, self.media_urls)
        return File(
            kind=media.kind,
            url=found["url"],
            preview=found["preview_url"],
            description=media.description,
            width=extent.width if extent else None,
            height=extent.height if extent else None,
        )

    def _question(self, poll: Poll | None) -> Question | None:
        if poll is None:
            return None
        whole = poll.voters or poll.votes
        return Question(
            options=tuple(
                Option(title=option.title, percent=round(100 * option.votes / whole) if whole else None)
                for option in poll.options
            ),
            votes=poll.votes,
            closed=poll.is_closed(self.now_ms),
        )

    def entries(self, page: Sequence[Entry], decisions: dict[str, Decision]) -> list[Card | Place]:
        """A page of slots: each shown or explained, none left out."""
        shown: list[Card | Place] = []
        for entry in page:
            number = StatusId(entry.object)
            status = self.statuses.get(number)
            if entry.state == "shown" and status is not None:
                shown.append(self.card(status))
            else:
                shown.append(_place(number, entry, decisions))
        return shown


def _place(number: StatusId, entry: Entry, decisions: dict[str, Decision]) -> Place:
    named = [decisions[key] for key in entry.decisions if key in decisions]
    if entry.state == "hidden":
        return Place(id=number, state="hidden", until_ms=(entry.until or 0) * 1000, reasons=reasons_of(named))
    return Place(id=number, state="gone" if entry.state in {"gone", "missing"} else "pending")


def reasons_of(decisions: Iterable[Decision]) -> tuple[Reason, ...]:
    return tuple(Reason(rule=decision.rule, text=decision.reason) for decision in decisions)


def excerpt_of(status: Status) -> str:
    """The beginning of a post as one line of text: its warning, if it has one, and nothing below it."""
    text = status.spoiler or " ".join(html_to_text(status.content).split()) or status.title or ""
    return text if len(text) <= EXCERPT_CHARACTERS else f"{text[: EXCERPT_CHARACTERS - 1].rstrip()}…"


def opened(card: Card | Place) -> Card | Place:
    """With its content warning open."""
    return replace(card, open=True) if isinstance(card, Card) else card
