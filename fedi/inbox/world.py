"""What a unit of work may ask: rows of the store first, then documents that were fetched before the unit began.

A document that is not there yet is asked for by raising :class:`Need`: the unit rolls back, the pipeline fetches with
no transaction open, and the unit runs again.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from fedi.activitypub.uris import LocalUris
from fedi.activitypub.vocab import Activity, ParsedObject, Post, QuoteAuthorization
from fedi.errors import PeerFault, Unreachable
from fedi.ids import AccountId, IdMaker
from fedi.inbox.actors import put_actor
from fedi.inbox.authorize import check_id, place_of, refused
from fedi.inbox.effects import PutPost
from fedi.inbox.handlers.quote import is_stamp_for
from fedi.inbox.posts import Quote, named_uris
from fedi.ledger.decisions import Decisions
from fedi.ledger.slots import ObjectSlots, open_object
from fedi.model.accounts import Account
from fedi.model.statuses import Visibility
from fedi.remote.resolve import ResolvedActor
from fedi.store import accounts, quotes, statuses
from fedi.store import inbox as briefs
from fedi.store.database import Tx
from fedi.store.inbox import ActorBrief, Addressee, StatusBrief

_OPEN = frozenset({"public", "unlisted"})


class Need(Exception):  # noqa: N818 - a request, not an error
    """A document of another server is needed to go on."""

    def __init__(self, kind: Literal["actor", "object"], uri: str) -> None:
        super().__init__(f"{kind} {uri}")
        self.kind = kind
        self.uri = uri


@dataclass(slots=True)
class Fetched:
    """What was asked for, and what came: a value or the fault. Lives as long as one job."""

    actors: dict[str, ResolvedActor | PeerFault | Unreachable] = field(default_factory=dict)
    objects: dict[str, ParsedObject | PeerFault | Unreachable] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    """One unit's view. ``put_post`` writes a post and what hangs on it (see ``apply``)."""

    tx: Tx
    now_ms: int
    uris: LocalUris
    ids: IdMaker
    decisions: Decisions
    fetched: Fetched
    put_post: "Callable[[World, PutPost], Coroutine[Any, Any, None]]"

    def refuse(self, uri: str) -> None:
        """Raises :class:`PeerFault` for what a decision keeps out."""
        if self.decisions.refusal_of(uri, self.now_ms) is not None:
            raise refused("refused-by-decision", uri)

    # Actors -------------------------------------------------------------------------------------------------

    async def find_actor(self, uri: str) -> ActorBrief | None:
        return await briefs.find_actor(self.tx, uri)

    async def get_actor(self, uri: str) -> ActorBrief:
        """From the store, or fetched and stored. Raises :class:`Need`, :class:`PeerFault`, :class:`Unreachable`."""
        found = await briefs.find_actor(self.tx, uri)
        if found is not None:
            self.refuse(uri)
            return found
        return brief_of(await self.fetch_account(uri))

    async def fetch_account(self, uri: str) -> Account:
        """As its own server shows it now, and stored so."""
        self.refuse(uri)
        if self.uris.is_on_our_host(uri):
            raise PeerFault("not-found", internal=uri)
        known = self.fetched.actors.get(uri)
        if known is None:
            raise Need("actor", uri)
        if isinstance(known, PeerFault | Unreachable):
            raise known
        if known.document.id != uri:
            self.refuse(known.document.id)
        return await put_actor(self.tx, known, ids=self.ids, now_ms=self.now_ms)

    async def find_local_account(self, uri: str | None) -> Account | None:
        if uri is None or not self.uris.is_local(uri):
            return None
        found = await accounts.find_by_uri(self.tx, uri)
        return found if found is not None and found.local else None

    # Objects ------------------------------------------------------------------------------------------------

    def document(self, uri: str) -> ParsedObject:
        """What ``uri`` names, from its origin. Raises :class:`Need`, :class:`PeerFault`, :class:`Unreachable`."""
        self.refuse(uri)
        if self.uris.is_on_our_host(uri):
            raise PeerFault("not-found", internal=uri)
        known = self.fetched.objects.get(uri)
        if known is None:
            raise Need("object", uri)
        if isinstance(known, PeerFault | Unreachable):
            raise known
        return known

    async def find_status(self, uri: str | None) -> StatusBrief | None:
        """From the store alone, also when it is deleted."""
        return None if uri is None else await briefs.find_status(self.tx, uri)

    async def get_status(self, uri: str, *, is_post: bool = False) -> StatusBrief:
        """From the store, or fetched at its origin and stored (in no stream of news). ``is_post``: it must be the post
        itself, no longer a Create that names it.

        Raises :class:`Need`, :class:`PeerFault`, :class:`Unreachable`.
        """
        self.refuse(uri)
        found = await briefs.find_status(self.tx, uri)
        if found is None:
            post = self.document(uri)
            if isinstance(post, Activity) and post.object_id is not None and not is_post:
                return await self.get_status(post.object_id, is_post=True)  # a Create under its own address
            if not isinstance(post, Post):
                raise PeerFault("bad-type", internal=f"{uri} is no post")
            found = await self.put_fetched(post)
        self.refuse(found.author)
        return found

    async def put_fetched(self, post: Post) -> StatusBrief:
        """Stores a post from its own origin, if it may be had."""
        check_id(post.id, post.attributed_to, self.uris)
        self.refuse(post.id)
        found = await briefs.find_status(self.tx, post.id)
        if found is not None:
            return found
        author = await self.get_actor(post.attributed_to)
        if author.gone_at is not None or await self.is_deleted(post.id, post.attributed_to):
            raise PeerFault("deleted", internal=post.id)
        place = place_of(post, author.followers_uri)
        opened = await open_object(
            self.tx,
            uri=post.id,
            account=author.id,
            author_uri=post.attributed_to,
            host=author.host,
            visibility=place.visibility,
            local=False,
            is_reply_to_uri=place.in_reply_to,
            tags=place.tags,
            boost_of=None,
            delivered=False,
            published_at_ms=min(place.published_at or self.now_ms, self.now_ms),
            body_hash=bytes(32),
            now_ms=self.now_ms,
            ids=self.ids,
        )
        await self.put_post(
            self,
            PutPost(
                post=post,
                n=opened.n,
                author=author,
                parent=await self.find_parent(post, author.id),
                addressees=await self.addressees(post, author),
                quote=await self.quote_of(post, is_essential=False),
            ),
        )
        stored = await briefs.find_status(self.tx, post.id)
        assert stored is not None
        return stored

    async def open_boost(
        self,
        *,
        uri: str,
        actor: ActorBrief,
        actor_uri: str,
        boosted: StatusBrief,
        visibility: Visibility,
        body_hash: bytes,
    ) -> ObjectSlots:
        """A place for a boost that nobody knew to be one before it was unwrapped."""
        whole = await statuses.find_status(self.tx, boosted.id)
        assert whole is not None
        return await open_object(
            self.tx,
            uri=uri,
            account=actor.id,
            author_uri=actor_uri,
            host=actor.host,
            visibility=visibility,
            local=False,
            is_reply_to_uri=None,
            tags=(),
            boost_of=whole.uri,
            delivered=True,
            published_at_ms=self.now_ms,
            body_hash=body_hash,
            now_ms=self.now_ms,
            ids=self.ids,
        )

    async def is_deleted(self, uri: str, author: str) -> bool:
        """Whether its author's deletion came first."""
        found = await statuses.find_tombstone(self.tx, uri)
        return found is not None and found.actor == author

    async def find_parent(self, post: Post, author: AccountId) -> StatusBrief | None:
        """What it answers, if its author may know of it: a private post of ours looks missing to others."""
        parent = await self.find_status(post.in_reply_to) if post.in_reply_to is not None else None
        if parent is None or not parent.local or (parent.deleted_at is not None and parent.visibility in _OPEN):
            return parent
        return parent if await self.may_see(parent, author) else None

    async def addressees(self, post: Post, author: ActorBrief) -> tuple[Addressee, ...]:
        named = named_uris(post, author.followers_uri)
        return tuple(await briefs.list_addressees(self.tx, named)) if named else ()

    async def may_see(self, status: StatusBrief, actor: AccountId) -> bool:
        if status.deleted_at is not None:
            return False
        if status.visibility in {"public", "unlisted"} and not status.local:
            return True
        whole = await statuses.find_status(self.tx, status.id)
        return whole is not None and await statuses.may_see(self.tx, whole, actor)

    # Quotes -------------------------------------------------------------------------------------------------

    async def quote_of(self, post: Post, *, is_essential: bool = True) -> Quote | None:
        """What a post quotes and whether its author said yes. ``is_essential``: fetch what is missing."""
        if post.quote is None or post.quote == post.id:
            return None
        quoted = await self._quoted(post.quote, is_essential=is_essential)
        if quoted is None:
            return Quote(uri=post.quote, of=None, state="pending", authorization=None)
        if quoted.author == post.attributed_to:
            return Quote(uri=post.quote, of=quoted.id, state="accepted")
        if quoted.local:
            return await self._quote_of_ours(post, quoted)
        if post.quote_authorization is None:
            return Quote(uri=post.quote, of=quoted.id, state="pending")
        good = await self._is_good_stamp(post, quoted, is_essential=is_essential)
        state: Literal["accepted", "rejected", "pending"] = "accepted" if good else "rejected"
        if good is None:
            state = "pending"
        return Quote(
            uri=post.quote, of=quoted.id, state=state, authorization=post.quote_authorization if good else None
        )

    async def _quoted(self, uri: str, *, is_essential: bool) -> StatusBrief | None:
        try:
            found = await (self.get_status(uri) if is_essential else self.find_status(uri))
        except (PeerFault, Unreachable):
            return None
        if found is None or found.deleted_at is not None or found.visibility not in {"public", "unlisted"}:
            return None
        return found

    async def _quote_of_ours(self, post: Post, quoted: StatusBrief) -> Quote:
        stamp = await quotes.find_stamp_of(self.tx, quoted.id, post.id)
        before = await statuses.find_by_uri(self.tx, post.id)
        assert post.quote is not None
        if (before is not None and before.quote_state == "revoked") or (stamp and stamp.revoked_at is not None):
            return Quote(uri=post.quote, of=quoted.id, state="revoked")
        name = self.uris.find_username(quoted.author)
        if stamp is None or name is None:
            return Quote(uri=post.quote, of=quoted.id, state="pending")
        uri = self.uris.quote_authorization(name, stamp.id)
        return Quote(uri=post.quote, of=quoted.id, state="accepted", authorization=uri)

    async def _is_good_stamp(self, post: Post, quoted: StatusBrief, *, is_essential: bool) -> bool | None:
        """None while it cannot be had."""
        assert post.quote is not None
        assert post.quote_authorization is not None
        try:
            check_id(post.quote_authorization, quoted.author, self.uris)
        except PeerFault:
            return False
        if not is_essential and post.quote_authorization not in self.fetched.objects:
            return None
        try:
            stamp = self.document(post.quote_authorization)
        except PeerFault:
            return False
        except Unreachable:
            return None
        return (
            isinstance(stamp, QuoteAuthorization)
            and stamp.id == post.quote_authorization
            and is_stamp_for(stamp, quote=post.id, quoted=post.quote, author=quoted.author)
        )


def brief_of(account: Account) -> ActorBrief:
    return ActorBrief(
        id=account.id,
        host=account.host,
        followers_uri=account.followers_uri,
        gone_at=account.gone_at,
        kind=account.kind,
    )
