"""The walk of a first client, with the real Mastodon.py: in through the OAuth pages as a browser shows them, then a
post with a picture, a follow of somebody on another server, a reply, and everything an app asks for around it.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import requests
from mastodon import Mastodon, MastodonNotFoundError, MastodonUnauthorizedError, StreamListener
from PIL import Image

from tests.support.instances import PASSWORD, Instance, Person, eventually
from tests.support.web import fields_of

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

T = TypeVar("T")
SCOPES = ["read", "write", "follow", "push"]
OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``app`` is alice's, signed in through the pages; bob lives on another instance."""

    home: Instance
    away: Instance
    app: Mastodon
    bob: Person


def allow_in(origin: str, login: str, password: str) -> Mastodon:
    """What a person does in a browser without JavaScript: sign in, allow, copy the code."""
    client_id, secret = Mastodon.create_app("Walker", scopes=SCOPES, api_base_url=origin)
    app = Mastodon(client_id=client_id, client_secret=secret, api_base_url=origin)
    asked = app.auth_request_url(scopes=SCOPES, redirect_uris=OUT_OF_BAND, state="s1", allow_http=True)
    with requests.Session() as browser:
        sign_in = browser.get(asked)
        assert sign_in.status_code == 200
        assert urlsplit(sign_in.url).path == "/auth/sign-in"
        wrong = browser.post(sign_in.url, data=fields_of(sign_in.text) | {"login": login, "password": "wrong"})
        assert wrong.status_code in {401, 422}
        consent = browser.post(sign_in.url, data=fields_of(wrong.text) | {"login": login, "password": password})
        assert consent.status_code == 200, consent.text
        assert urlsplit(consent.url).path.rstrip("/") == "/oauth/authorize"
        assert "Walker" in consent.text
        shown = browser.post(consent.url, data=fields_of(consent.text) | {"decision": "allow"})
        assert shown.status_code == 200, shown.text
        assert urlsplit(shown.url).path == "/oauth/authorize/native"
        (code,) = parse_qs(urlsplit(shown.url).query)["code"]
        assert code in shown.text
    app.log_in(code=code, redirect_uri=OUT_OF_BAND, scopes=SCOPES, allow_http=True)
    return app


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    place: Path = tmp_path_factory.mktemp("app")
    home, away = await asyncio.gather(Instance.create(place / "home"), Instance.create(place / "away"))
    _, bob = await asyncio.gather(
        home.cli(
            "account", "create", "alice", "--role", "owner", "--email", "alice@mail.example", "--password-stdin",
            stdin=PASSWORD + "\n",
        ),
        away.add_person("bob", "owner"),
    )  # fmt: skip
    app = await asyncio.to_thread(allow_in, home.origin, "alice@mail.example", PASSWORD)
    yield World(home=home, away=away, app=app, bob=bob)
    await home.close()
    await away.close()


async def ask(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Mastodon.py waits for its answers."""
    return await asyncio.to_thread(partial(call, *arguments, **options))


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (320, 200), "seagreen").save(out, "JPEG")
    return out.getvalue()


async def follow_bob(world: World) -> Any:
    (account,) = await ask(world.app.account_search, f"@{world.bob.handle}", resolve=True, limit=1)
    await ask(world.app.account_follow, account.id)

    async def is_following() -> bool:
        return (await ask(world.app.account_relationships, account.id))[0].following

    await eventually(is_following)
    return account


async def from_bob(world: World, text: str, **options: Any) -> Any:
    """A post of bob's, as alice's app sees it at home."""
    await follow_bob(world)
    posted = await world.bob.post("/api/v1/statuses", status=text, **options)

    async def arrived() -> Any:
        home = await ask(world.app.timeline_home)
        return next((status for status in home if status.uri == posted["uri"]), None)

    return await eventually(arrived)


async def test_the_app_knows_whose_it_is_and_where(world):
    me = await ask(world.app.account_verify_credentials)
    assert (me.username, me.acct, me.source.privacy) == ("alice", "alice", "public")
    assert (await ask(world.app.app_verify_credentials)).name == "Walker"
    v2 = await ask(world.app.instance_v2)
    assert v2.domain == world.home.domain
    assert v2.version.startswith("4.2.0")
    v1 = await ask(world.app.instance_v1)
    assert v1.configuration.statuses.max_characters == v2.configuration.statuses.max_characters == 5000


async def test_a_post_with_a_picture_keeps_its_words_and_its_description(world):
    media = await ask(
        world.app.media_post,
        io.BytesIO(picture()),
        mime_type="image/jpeg",
        description="A green field",
        focus=(0.5, -0.5),
    )
    posted = await ask(
        world.app.status_post,
        "A green day #green",
        media_ids=[media],
        sensitive=True,
        spoiler_text="Colours",
        language="en",
        idempotency_key="once",
    )
    again = await ask(world.app.status_post, "A green day #green", media_ids=[media], idempotency_key="once")

    assert again.id == posted.id
    read = await ask(world.app.status, posted.id)
    assert (read.spoiler_text, read.sensitive, read.language) == ("Colours", True, "en")
    (attached,) = read.media_attachments
    assert (attached.type, attached.description, attached.meta.original.width) == ("image", "A green field", 320)
    assert attached.meta.focus.x == 0.5
    assert attached.blurhash
    shown = await ask(requests.get, attached.url)
    assert Image.open(io.BytesIO(shown.content)).size == (320, 200)
    assert [status.id for status in await ask(world.app.timeline_hashtag, "green")] == [posted.id]


async def test_somebody_elsewhere_is_found_followed_read_and_answered(world):
    seen = await from_bob(world, "Good morning from elsewhere")
    assert seen.account.acct == world.bob.handle
    written = await ask(world.app.account_statuses, seen.account.id)
    assert seen.uri in {status.uri for status in written}

    reply = await ask(world.app.status_reply, seen, "Good morning!")

    assert reply.in_reply_to_id == seen.id
    assert f"@{world.bob.handle}" in reply.content or reply.mentions[0].acct == world.bob.handle
    told = await eventually(lambda: world.bob.find_notification("mention"))
    assert told["status"]["uri"] == reply.uri
    await world.bob.post(
        "/api/v1/statuses",
        status=f"@alice@{world.home.domain} and good night",
        in_reply_to_id=told["status"]["id"],
    )

    async def notified() -> Any:
        found = await ask(world.app.notifications, types=["mention"])
        return found[0] if found else None

    mention = await eventually(notified)
    assert (mention.account.acct, mention.status.in_reply_to_id) == (world.bob.handle, reply.id)
    context = await ask(world.app.status_context, reply.id)
    assert [status.id for status in context.ancestors] == [seen.id]
    assert [status.id for status in context.descendants] == [mention.status.id]
    await ask(world.app.notifications_dismiss, mention.id)
    assert mention.id not in {one.id for one in await ask(world.app.notifications)}


async def test_a_poll_is_made_and_one_elsewhere_is_voted_in(world):
    poll = world.app.make_poll(["Tea", "Coffee"], expires_in=3600, multiple=True)
    posted = await ask(world.app.status_post, "What?", poll=poll)
    assert [option.title for option in posted.poll.options] == ["Tea", "Coffee"]
    assert posted.poll.multiple

    seen = await from_bob(world, "Which?", poll={"options": ["North", "South"], "expires_in": 3600})
    voted = await ask(world.app.poll_vote, seen.poll.id, [1])
    assert (voted.voted, voted.own_votes) == (True, [1])
    assert [option.votes_count for option in (await ask(world.app.poll, seen.poll.id)).options] == [0, 1]


async def test_posts_are_edited_boosted_favourited_bookmarked_pinned_and_deleted(world):
    posted = await ask(world.app.status_post, "Frist", visibility="unlisted")
    edited = await ask(world.app.status_update, posted.id, "First")
    assert edited.edited_at is not None
    assert (await ask(world.app.status_source, posted.id)).text == "First"
    assert len(await ask(world.app.status_history, posted.id)) == 2

    assert (await ask(world.app.status_reblog, posted.id)).reblog.id == posted.id
    assert (await ask(world.app.status_favourite, posted.id)).favourited
    assert (await ask(world.app.status_bookmark, posted.id)).bookmarked
    assert (await ask(world.app.status_pin, posted.id)).pinned
    me = await ask(world.app.me)
    assert [status.id for status in await ask(world.app.bookmarks)] == [posted.id]
    assert [status.id for status in await ask(world.app.favourites)] == [posted.id]
    assert [status.id for status in await ask(world.app.account_statuses, me.id, pinned=True)] == [posted.id]
    assert [one.id for one in await ask(world.app.status_reblogged_by, posted.id)] == [me.id]

    deleted = await ask(world.app.status_delete, posted.id)
    assert deleted.text == "First"
    with pytest.raises(MastodonNotFoundError):
        await ask(world.app.status, posted.id)


async def test_lists_hold_who_was_put_into_them(world):
    bob = await follow_bob(world)
    made = await ask(world.app.list_create, "Far away")
    await ask(world.app.list_accounts_add, made.id, [bob.id])
    seen = await from_bob(world, "For the list")

    assert [one.acct for one in await ask(world.app.list_accounts, made.id)] == [world.bob.handle]
    assert seen.id in {status.id for status in await ask(world.app.timeline_list, made.id)}
    await ask(world.app.list_update, made.id, "Farther away")
    assert [one.title for one in await ask(world.app.account_lists, bob.id)] == ["Farther away"]
    await ask(world.app.list_accounts_delete, made.id, [bob.id])
    assert await ask(world.app.list_accounts, made.id) == []
    await ask(world.app.list_delete, made.id)
    assert await ask(world.app.lists) == []


async def test_pages_lead_through_everything_once(world):
    for number in range(7):
        await ask(world.app.status_post, f"Page {number}", visibility="private")
    me = await ask(world.app.me)

    pages = [await ask(world.app.account_statuses, me.id, limit=3)]
    while page := await ask(world.app.fetch_next, pages[-1]):
        pages.append(page)

    read = [status.id for page in pages for status in page]
    assert len(read) == len(set(read)) >= 7
    assert read == sorted(read, key=int, reverse=True)
    assert all(len(page) <= 3 for page in pages)
    back = await ask(world.app.fetch_previous, pages[1])
    assert [status.id for status in back] == [status.id for status in pages[0]]
    whole = await ask(world.app.fetch_remaining, await ask(world.app.timeline_home, limit=3))
    assert {f"<p>Page {number}</p>" for number in range(7)} <= {status.content for status in whole}


async def test_search_markers_and_preferences_answer(world):
    await from_bob(world, "Findable #findable")
    found = await ask(world.app.search_v2, "https://nowhere.example/@nobody", resolve=False)
    assert (found.accounts, found.statuses) == ([], [])
    found = await ask(world.app.search_v2, "findable", result_type="hashtags")
    assert [tag.name for tag in found.hashtags] == ["findable"]
    found = await ask(world.app.search_v2, world.bob.handle)
    assert [one.acct for one in found.accounts] == [world.bob.handle]

    newest = (await ask(world.app.timeline_home, limit=1))[0]
    await ask(world.app.markers_set, ["home"], [newest.id])
    assert (await ask(world.app.markers_get, ["home"]))["home"].last_read_id == newest.id
    preferences = await ask(world.app.preferences)
    assert preferences["posting:default:visibility"] == "public"
    await ask(
        world.app.account_update_credentials, display_name="Alice", note="Walks", fields=[("Site", "alice.example")]
    )
    me = await ask(world.app.me)
    assert (me.display_name, me.source.note, me.fields[0].name) == ("Alice", "Walks", "Site")
    assert await ask(world.app.custom_emojis) == []


class Heard(StreamListener):
    """Mastodon.py calls it from a thread of its own."""

    def __init__(self) -> None:
        self.updates: list[Any] = []
        self.notifications: list[Any] = []
        self.deleted: list[Any] = []
        self.edited: list[Any] = []

    def on_update(self, status: Any) -> None:
        self.updates.append(status)

    def on_notification(self, notification: Any) -> None:
        self.notifications.append(notification)

    def on_delete(self, status_id: Any) -> None:
        self.deleted.append(status_id)

    def on_status_update(self, status: Any) -> None:
        self.edited.append(status)


async def test_the_user_stream_tells_at_once(world):
    await follow_bob(world)
    assert await ask(world.app.stream_healthy)
    heard = Heard()
    stream = await ask(world.app.stream_user, heard, run_async=True, timeout=30)
    try:
        posted = await world.bob.post("/api/v1/statuses", status="Live")
        await eventually(lambda: [status for status in heard.updates if status.uri == posted["uri"]])
        await world.bob.put(f"/api/v1/statuses/{posted['id']}", status="Live, changed")
        await eventually(lambda: [status for status in heard.edited if status.uri == posted["uri"]])
        mine = await ask(world.app.status_post, "Mine")
        there = await world.bob.resolve(mine.uri, "statuses")
        await world.bob.post(f"/api/v1/statuses/{there['id']}/favourite")
        await eventually(lambda: [one for one in heard.notifications if one.type == "favourite"])
        await world.bob.delete(f"/api/v1/statuses/{posted['id']}")
        (seen,) = [status for status in heard.updates if status.uri == posted["uri"]]
        await eventually(lambda: str(seen.id) in {str(one) for one in heard.deleted})
    finally:
        closing = asyncio.create_task(ask(stream.close))  # ends when its reading thread has something to read
        await world.bob.post("/api/v1/statuses", status="Good night")
        await closing


async def test_a_revoked_token_opens_nothing(world):
    other = await asyncio.to_thread(allow_in, world.home.origin, "alice", PASSWORD)
    await ask(other.me)
    token = other.access_token
    await ask(other.revoke_access_token, allow_http=True)
    late = Mastodon(access_token=token, api_base_url=world.home.origin)
    with pytest.raises(MastodonUnauthorizedError):
        await ask(late.me)
    await ask(world.app.me)
