"""Changing one's profile, and leaving."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from fedi.activitypub.render import finish
from fedi.activitypub.render_activities import render_delete_actor, render_update_actor
from fedi.activitypub.render_actor import ActorView, render_actor
from fedi.activitypub.urls import is_url
from fedi.errors import ClientFault
from fedi.ids import AccountId
from fedi.model.accounts import Account, ProfileField
from fedi.model.relations import FollowerInbox
from fedi.outbox.acts import HIGH
from fedi.outbox.address import list_destinations, to_destinations
from fedi.outbox.changes import ChangeActs
from fedi.outbox.compose import find_emojis, read_words
from fedi.store import accounts, keys, oauth, relations, statuses, users
from fedi.store.database import Tx
from fedi.store.paging import Window
from fedi.streaming.hub import Event
from fedi.text import count_characters, text_to_html

MAX_NAME_CHARS = 100
MAX_NOTE_CHARS = 500
MAX_FIELDS = 4
MAX_FIELD_CHARS = 255
MAX_ALIASES = 20
MAX_FOLLOWED = 5_000
DELETE_AT_ONCE = 100  # statuses in one transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileDraft:
    """What is to change; None leaves it as it is. ``avatar`` and ``header`` are paths of stored files, '' takes the
    picture away. ``fields`` are names and plain texts."""

    display_name: str | None = None
    note: str | None = None
    fields: Sequence[tuple[str, str]] | None = None
    avatar: str | None = None
    avatar_description: str | None = None
    header: str | None = None
    header_description: str | None = None
    locked: bool | None = None
    bot: bool | None = None
    discoverable: bool | None = None
    indexable: bool | None = None
    hide_collections: bool | None = None
    also_known_as: Sequence[str] | None = None
    attribution_domains: Sequence[str] | None = None


class ProfileActs(ChangeActs):
    """Acts on one's own account."""

    async def update_profile(self, account: AccountId, draft: ProfileDraft) -> Account:
        """The account as it is now; followers' servers hear of it. Raises :class:`ClientFault`."""
        _check(draft)
        people = await self.composer.find_people(draft.note or "")
        now_ms = self.now()

        async def act(tx: Tx) -> Account:
            before = await self.actor(tx, account, now_ms)
            changed = _changed(before, draft)
            if draft.note is not None:
                words = await read_words(tx, draft.note, people, self.uris)
                changed = replace(changed, note=words.content, note_source=draft.note)
            texts = (changed.display_name, changed.note_source, *(field.source for field in changed.fields))
            changed = replace(changed, emojis=await find_emojis(tx, *texts))
            after = await accounts.update_profile(tx, changed)
            if after.version != before.version:
                await self.send_profile(tx, after, now_ms)
            return after

        return await self.db.write("update a profile", act)

    async def send_profile(self, tx: Tx, account: Account, now_ms: int) -> None:
        """Tells followers' servers how an account is now; also after its keys have changed."""
        self.publish(tx, Event(kind="actor", author=account.id))
        view = ActorView(account=account, keys=await keys.list_keys(tx, account.id), media_base=self.tools.media_base)
        document = render_update_actor(
            uri=self.new_uri(account), actor=render_actor(view, self.uris), followers=account.followers_uri or ""
        )
        to = await list_destinations(
            tx,
            author=account.id,
            visibility="public",
            refusals=self.tools.refusals,
            now_ms=now_ms,
            with_relays=False,
        )
        await self.send(tx, document, by=account, to=to, now_ms=now_ms)

    async def delete_account(self, account: AccountId) -> None:
        """Takes an account and everything it wrote away, in steps that may be repeated. With the first one nobody can
        use it any more, and its e-mail address and password are gone. Its name stays taken; its keys stay, so that the
        message can be delivered and checked."""
        now_ms = self.now()
        author = await self.db.write("say that an account goes", partial(self._say_gone, account, now_ms))
        if author is not None:
            while await self.db.write("delete its posts", partial(self._remove_some, author, now_ms)):
                pass
            await self.db.write("forget an account", partial(self._forget, account, now_ms))

    async def _say_gone(self, account: AccountId, now_ms: int, tx: Tx) -> Account | None:
        author = await accounts.find_account(tx, account)
        if author is None or not author.local:
            return None
        if author.gone_at is not None:
            return author  # a step after this one was interrupted
        followed = await relations.list_following(tx, account, Window(limit=MAX_FOLLOWED))
        to = await list_destinations(
            tx, author=account, visibility="public", refusals=self.tools.refusals, now_ms=now_ms
        )
        known = {one.inbox for one in to}
        others = [
            FollowerInbox(inbox=other.shared_inbox or other.inbox, host=other.host, recipients=1)
            for _, other in followed
            if not other.local and (other.shared_inbox or other.inbox) not in known
        ]
        to += to_destinations(others, self.tools.refusals, now_ms)
        document = render_delete_actor(uri=f"{author.uri}#delete", actor=author.uri)
        body = finish(document, for_signature=True)
        await self.send(tx, document, body=body, by=author, to=to, now_ms=now_ms, priority=HIGH, forwardable=True)
        await accounts.mark_gone(tx, account, now_ms)
        await oauth.drop_access_of_account(tx, account)
        await users.drop_user(tx, account)
        tx.after_commit(self.tools.forget_tokens)
        self.publish(tx, Event(kind="actor", author=account))
        await statuses.put_tombstone(tx, author.uri, author.uri, now_ms)
        return author

    async def _remove_some(self, author: Account, now_ms: int, tx: Tx) -> int:
        ids = await statuses.list_ids_of(tx, author.id, limit=DELETE_AT_ONCE)
        for status in (await statuses.find_many(tx, ids)).values():
            await self.remove(tx, status, author, now_ms, tell=False)
        return len(ids)

    async def _forget(self, account: AccountId, now_ms: int, tx: Tx) -> None:
        await relations.drop_relations(tx, account)
        await users.drop_private(tx, account)
        gone = await accounts.find_account(tx, account)
        assert gone is not None
        await accounts.update_profile(
            tx,
            replace(
                gone,
                display_name="",
                note="",
                note_source="",
                avatar=None,
                avatar_description="",
                header=None,
                header_description="",
                fields=(),
                emojis=(),
                also_known_as=(),
                attribution_domains=(),
                gone_at=gone.gone_at or now_ms,
            ),
        )


def _check(draft: ProfileDraft) -> None:
    if draft.display_name is not None and count_characters(draft.display_name) > MAX_NAME_CHARS:
        raise ClientFault("name-too-long", "The display name is too long; 100 characters at most.")
    if draft.note is not None and count_characters(draft.note) > MAX_NOTE_CHARS:
        raise ClientFault("note-too-long", "The text about you is too long; 500 characters at most.")
    if draft.fields is not None:
        if len(draft.fields) > MAX_FIELDS:
            raise ClientFault("too-many-fields", "A profile has at most four fields.")
        if any(len(name) > MAX_FIELD_CHARS or len(value) > MAX_FIELD_CHARS for name, value in draft.fields):
            raise ClientFault("field-too-long", "A field of the profile is longer than 255 characters.")
    if draft.also_known_as is not None and len(draft.also_known_as) > MAX_ALIASES:
        raise ClientFault("too-many-aliases", "An account has at most 20 aliases.")
    for text in (draft.display_name, draft.note, *(part for field in draft.fields or () for part in field)):
        if text and ("\x00" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text)):
            raise ClientFault("bad-text", "The text contains characters that are not allowed.")


_PLAIN = (
    "display_name", "avatar", "avatar_description", "header", "header_description", "locked", "bot", "discoverable",
    "indexable", "hide_collections", "also_known_as", "attribution_domains",
)  # fmt: skip


def _changed(before: Account, draft: ProfileDraft) -> Account:
    changes: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(draft, name)) is not None}
    for name in ("display_name", "avatar_description", "header_description"):
        if name in changes:
            changes[name] = changes[name].strip()
    for name in ("avatar", "header"):
        if name in changes:
            changes[name] = changes[name] or None
    for name in ("also_known_as", "attribution_domains"):
        if name in changes:
            changes[name] = tuple(changes[name])
    if draft.fields is not None:
        changes["fields"] = tuple(_field(before, *field) for field in draft.fields if any(field))
    return replace(before, **changes)


def _field(before: Account, name: str, text: str) -> ProfileField:
    """A link that was verified stays so while it does not change."""
    same = next((old for old in before.fields if (old.name, old.source) == (name, text)), None)
    if same is not None:
        return same
    value = text_to_html(text)
    if is_url(text.strip()):
        value = type(value)(value.replace('rel="nofollow noopener"', 'rel="me nofollow noopener"'))
    return ProfileField(name=name, value=value.removeprefix("<p>").removesuffix("</p>"), source=text)
