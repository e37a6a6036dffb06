"""From an actor document to the rows of an account and its keys."""

from dataclasses import replace

from fedi.activitypub.keys import parse_public_multikey, parse_public_pem
from fedi.activitypub.urls import host as host_of
from fedi.activitypub.urls import same_origin
from fedi.activitypub.vocab import ActorDocument, EmojiTag
from fedi.errors import PeerFault
from fedi.ids import AccountId, IdMaker
from fedi.model.accounts import Account, ActorKey, KeyKind, ProfileField
from fedi.model.emojis import EmojiRef
from fedi.remote.resolve import ResolvedActor
from fedi.store import accounts, keys
from fedi.store.database import Tx
from fedi.text import clean_html, html_to_text


def account_of(resolved: ResolvedActor, *, id: AccountId, now_ms: int) -> Account:  # noqa: A002 - the column's name
    """The row as the document has it, with clean HTML; ``id`` and ``created_at`` yield to those stored before."""
    actor = resolved.document
    return Account(
        id=id,
        uri=actor.id,
        local=False,
        kind=actor.type,
        username=actor.username or resolved.domain,
        domain=resolved.domain,
        host=host_of(actor.id),
        display_name=html_to_text(actor.name) if "<" in actor.name else actor.name,
        note=clean_html(actor.summary),
        url=actor.url or actor.id,
        inbox=actor.inbox,
        shared_inbox=actor.shared_inbox,
        outbox=actor.outbox,
        followers_uri=actor.followers,
        following_uri=actor.following,
        featured_uri=actor.featured,
        avatar=actor.icon,
        avatar_description=actor.icon_description,
        header=actor.image,
        header_description=actor.image_description,
        fields=tuple(ProfileField(name=field.name, value=clean_html(field.value)) for field in actor.fields),
        emojis=emoji_refs(actor.emojis),
        also_known_as=tuple(actor.also_known_as),
        moved_to=actor.moved_to,
        attribution_domains=actor.attribution_domains,
        locked=actor.manually_approves_followers,
        bot=actor.type in {"Service", "Application"},
        discoverable=actor.discoverable,
        indexable=actor.indexable,
        memorial=actor.memorial,
        suspended_by_origin=actor.suspended,
        created_at=min(actor.published_at or now_ms, now_ms),
        fetched_at=now_ms,
    )


def emoji_refs(tags: tuple[EmojiTag, ...]) -> tuple[EmojiRef, ...]:
    return tuple(EmojiRef(shortcode=tag.shortcode, url=tag.url, static_url=tag.url) for tag in tags)


def keys_of(actor: ActorDocument, account: AccountId, now_ms: int) -> list[ActorKey]:
    """The keys that can be used; others are left out. Ids of another origin are not its own to give: whoever has them
    would lose them."""
    found: dict[str, ActorKey] = {}
    for key in actor.keys:
        if key.owner != actor.id or not same_origin(key.id, actor.id):
            continue
        kind = _kind_of(key.pem, key.multibase, key.id)
        if kind is not None:
            text = key.multibase if key.multibase is not None else key.pem
            assert text is not None
            found[key.id] = ActorKey(id=key.id, account=account, kind=kind, public_key=text, created_at=now_ms)
    return list(found.values())


def _kind_of(pem: str | None, multibase: str | None, key_id: str) -> KeyKind | None:
    try:
        if multibase is not None:
            return parse_public_multikey(multibase, id=key_id, owner="").kind
        return parse_public_pem(pem or "", id=key_id, owner="").kind
    except PeerFault:
        return None


async def put_actor(tx: Tx, resolved: ResolvedActor, *, ids: IdMaker, now_ms: int) -> Account:
    """Inserts or updates a remote account and its keys.

    Raises :class:`PeerFault` ``handle-taken`` when an unverified handle is another account's.
    """
    document = resolved.document
    before = await accounts.find_by_uri(tx, document.id)
    if before is not None and before.local:
        raise PeerFault("foreign-actor", status=403, internal=document.id)
    wanted = account_of(resolved, id=before.id if before else AccountId(ids.next()), now_ms=now_ms)
    if before is not None:
        wanted = _keeping(before, wanted, verified=resolved.verified)
    if not resolved.verified and (before is None or before.acct != wanted.acct):
        holder = await accounts.find_by_handle(tx, wanted.username, wanted.domain)
        if holder is not None and holder.uri != wanted.uri:
            raise PeerFault("handle-taken", status=403, internal=wanted.acct)
    stored = await accounts.put_account(tx, wanted)
    await keys.replace_keys(tx, stored.id, keys_of(document, stored.id, now_ms))
    return stored


def _keeping(before: Account, wanted: Account, *, verified: bool) -> Account:
    """What a document does not say, or may not change: a move is made by Move, a handle by WebFinger."""
    kept = replace(wanted, moved_to=before.moved_to, moved_at=before.moved_at, gone_at=None)
    return kept if verified or kept.username != before.username else replace(kept, domain=before.domain)
