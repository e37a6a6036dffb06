"""Mastodon.py, a library of others that is strict about types and paging, against everything around posts."""

import asyncio
import io
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.test_utils import TestClient
from mastodon import Mastodon, MastodonAPIError, MastodonNotFoundError

from fedi.app import Instance
from tests.api.test_media import picture
from tests.api.test_parity import client, instance
from tests.support.clocks import FakeClock
from tests.support.web import add_person

__all__ = ["client", "instance"]

SCOPES = frozenset({"read", "write", "follow", "push"})


@pytest.fixture
async def walk(instance: Instance, client: TestClient[Any, Any], clock: FakeClock):
    """Runs something with one logged-in library for each of two people."""
    apps = []
    for name in ("ann", "bob"):
        clock.advance(s=1)
        account = await add_person(instance.database, instance.uris, clock, name)
        token = await instance.database.write(
            "token", lambda tx, id_=account.id: instance.tokens.issue(tx, app=1, account=id_, scopes=SCOPES)
        )
        base = str(client.make_url("/")).rstrip("/")
        apps.append(await asyncio.to_thread(Mastodon, access_token=token, api_base_url=base, version_check_mode="none"))

    async def run(act: Callable[[Any, Any], None]) -> None:
        await asyncio.to_thread(act, *apps)

    yield run
    for app in apps:
        app.session.close()


async def test_it_reads_the_instance(walk):
    def act(ann, _bob):
        assert ann.instance_v1().uri == "localhost:8080"
        assert ann.instance_v2().configuration.urls.streaming == "ws://localhost:8080"
        assert ann.instance_rules() == []
        assert ann.custom_emojis() == []
        assert ann.preferences()["posting:default:visibility"] == "public"
        assert ann.instance_domain_blocks() == []
        assert ann.announcements() == []
        ann.retrieve_mastodon_version()
        assert (ann.mastodon_major, ann.mastodon_minor) == (4, 2)

    await walk(act)


async def test_it_changes_a_profile_and_uploads(walk):
    def act(ann, bob):
        changed = ann.account_update_credentials(
            display_name="Ann", note="Hello", locked=False, fields=[("Site", "https://ann.example/")],
            avatar=io.BytesIO(picture("PNG")), avatar_mime_type="image/png",
        )  # fmt: skip
        assert (changed.display_name, changed.fields[0].name) == ("Ann", "Site")
        assert "/media/files/avatars/" in changed.avatar
        assert bob.account_lookup("ann").id == ann.me().id
        one = ann.media_post(io.BytesIO(picture()), "image/jpeg", description="A view", focus=(0.1, 0.2))
        assert (one.description, one.meta.focus.x) == ("A view", 0.1)
        assert ann.media_update(one, description="A better view").description == "A better view"
        assert ann.media(one).url == one.url
        status = ann.status_post("With a picture", media_ids=[one])
        assert status.media_attachments[0].description == "A better view"
        with pytest.raises(MastodonAPIError):
            ann.media_post(io.BytesIO(b"<html>"), "image/png")

    await walk(act)


async def test_it_follows_blocks_mutes_and_notes(walk):
    def act(ann, bob):
        her, him = ann.me().id, bob.me().id
        assert ann.account_follow(him, notify=True).following
        assert ann.account_relationships([him])[0].notifying
        assert [one.id for one in bob.account_followers(him)] == [her]
        assert [one.id for one in ann.account_following(her)] == [him]
        (told,) = bob.notifications()
        assert (told.type, told.account.id) == ("follow", her)
        assert bob.notifications(types=["mention"]) == []
        bob.notifications_dismiss(told)
        assert bob.notifications() == []
        assert ann.account_note_set(him, "A friend").note == "A friend"
        assert ann.account_mute(him, duration=60).muting
        assert [one.id for one in ann.mutes()] == [him]
        assert not ann.account_unmute(him).muting
        assert ann.account_block(him).blocking
        assert [one.id for one in ann.blocks()] == [him]
        assert not ann.account_unblock(him).blocking
        assert not ann.account_unfollow(him).following
        assert ann.report(him, comment="Rude", category="other").comment == "Rude"
        bob.account_update_credentials(locked=True)
        assert ann.account_follow(him).requested
        assert [one.id for one in bob.follow_requests()] == [her]
        assert bob.follow_request_authorize(her).followed_by
        with pytest.raises(MastodonNotFoundError):
            ann.account(12345)

    await walk(act)


async def test_it_keeps_lists_and_markers_and_turns_pages(walk, clock):
    def act(ann, bob):
        him = bob.me().id
        ann.account_follow(him)
        friends = ann.list_create("Friends", replies_policy="none")
        ann.list_accounts_add(friends, [him])
        assert [one.id for one in ann.list_accounts(friends)] == [him]
        assert [one.id for one in ann.account_lists(him)] == [friends.id]
        assert ann.list_update(friends, "Best friends").title == "Best friends"
        ann.list_accounts_delete(friends, [him])
        assert ann.list_accounts(friends) == []
        ann.list_delete(friends)
        assert ann.lists() == []
        assert ann.markers_set("home", "7").home.last_read_id in {7, "7"}
        assert ann.markers_get("home").home.version == 1
        for n in range(5):
            bob.status_post(f"Post {n}")
            clock.advance(s=2)
        page = ann.account_statuses(him, limit=2)
        seen = list(page)
        while page := ann.fetch_next(page):
            seen += page
        assert [one.content for one in seen] == [f"<p>Post {n}</p>" for n in (4, 3, 2, 1, 0)]

    await walk(act)
