"""Favourites, reactions, bookmarks, pins and muted threads, on both engines."""

import pytest

from fedi.model.interactions import ReactionCount, ViewerFlags
from fedi.store import interactions, statuses
from fedi.store.paging import Window
from tests.support.rows import NOW_MS, put_account, put_reblog, put_status


@pytest.fixture
async def ana(db):
    return await put_account(db, "ana")


@pytest.fixture
async def ben(db):
    return await put_account(db, "ben", "there.example")


@pytest.fixture
async def post(db, ana):
    return await put_status(db, ana)


async def favourite(db, account, status, uri=None):
    return await db.write(
        "test", lambda tx: interactions.put_favourite(tx, account.id, status.id, uri=uri, now_ms=NOW_MS)
    )


async def test_a_favourite_counts_once_and_is_taken_back_once(db, ben, post):
    uri = "https://there.example/likes/1"
    assert await favourite(db, ben, post, uri)
    assert not await favourite(db, ben, post, "https://there.example/likes/2")

    async def count():
        return (await db.read(lambda tx: statuses.find_stats(tx, post.id))).favourites

    assert await count() == 1
    found = await db.read(lambda tx: interactions.find_favourite(tx, ben.id, post.id))
    assert (found.account, found.status, found.uri) == (ben.id, post.id, uri)
    assert await db.read(lambda tx: interactions.find_favourite_by_uri(tx, uri)) == found
    assert await db.read(lambda tx: interactions.find_favourite_by_uri(tx, "https://there.example/likes/2")) is None
    assert await db.write("test", lambda tx: interactions.drop_favourite(tx, ben.id, post.id)) == found
    assert await db.write("test", lambda tx: interactions.drop_favourite(tx, ben.id, post.id)) is None
    assert await count() == 0


async def test_who_favourited_and_what_one_favourited_come_in_pages(db, ana, ben, post):
    other = await put_status(db, ben)
    await favourite(db, ben, post)
    await favourite(db, ana, post)
    await favourite(db, ana, other)
    by = await db.read(lambda tx: interactions.list_favourited_by(tx, post.id))
    assert [account.id for _, account in by] == [ana.id, ben.id]
    next_page = Window(max_id=by[0][0], limit=1)
    by = await db.read(lambda tx: interactions.list_favourited_by(tx, post.id, next_page))
    assert [account.id for _, account in by] == [ben.id]
    mine = await db.read(lambda tx: interactions.list_favourites(tx, ana.id))
    assert [status for _, status in mine] == [other, post]
    page = await db.read(lambda tx: interactions.list_favourites(tx, ana.id, Window(min_id=mine[1][0])))
    assert [status for _, status in page] == [other]


async def test_boosts_are_found_and_only_open_ones_name_their_booster(db, ana, ben, post):
    boost = await put_reblog(db, ben, post)
    hidden = await put_reblog(db, ana, post, visibility="private")
    assert await db.read(lambda tx: interactions.find_reblog(tx, ben.id, post.id)) == boost
    by = await db.read(lambda tx: interactions.list_reblogged_by(tx, post.id))
    assert [(row_id, account.id) for row_id, account in by] == [(boost.id, ben.id)]
    await db.write("test", lambda tx: statuses.mark_deleted(tx, hidden.id, NOW_MS))
    await put_reblog(db, ana, post)
    by = await db.read(lambda tx: interactions.list_reblogged_by(tx, post.id, Window(limit=1)))
    assert [account.id for _, account in by] == [ana.id]


async def test_reactions_are_counted_by_emoji_first_used_first(db, ana, ben, post):
    async def react(account, emoji, **rest):
        rest = {"uri": None, "now_ms": NOW_MS} | rest
        return await db.write("test", lambda tx: interactions.put_reaction(tx, account.id, post.id, emoji, **rest))

    url = "https://there.example/blob.png"
    assert await react(ben, ":blob:", emoji_url=url, uri="https://there.example/r/1")
    assert not await react(ben, ":blob:", emoji_url=url)
    assert await react(ben, "🎉")
    assert await react(ana, "🎉")

    async def counted(viewer=None):
        return await db.read(lambda tx: interactions.count_reactions(tx, [post.id, 1], viewer))

    assert await counted(ana.id) == {
        post.id: (
            ReactionCount(emoji=":blob:", emoji_url=url, count=1, me=False),
            ReactionCount(emoji="🎉", emoji_url=None, count=2, me=True),
        )
    }
    assert not any(one.me for one in (await counted())[post.id])
    found = await db.read(lambda tx: interactions.find_reaction_by_uri(tx, "https://there.example/r/1"))
    assert (await db.read(lambda tx: interactions.list_reactions(tx, post.id)))[0] == found
    assert await db.write("test", lambda tx: interactions.drop_reaction(tx, ben.id, post.id, ":blob:")) == found
    assert await db.write("test", lambda tx: interactions.drop_reaction(tx, ben.id, post.id, ":blob:")) is None
    assert [one.emoji for one in (await counted())[post.id]] == ["🎉"]


async def test_bookmarks_are_kept_in_the_order_they_were_set(db, ana, ben, post):
    other = await put_status(db, ben)
    for status in (other, post):
        assert await db.write(
            "test", lambda tx, status=status: interactions.put_bookmark(tx, ana.id, status.id, NOW_MS)
        )
    assert not await db.write("test", lambda tx: interactions.put_bookmark(tx, ana.id, post.id, NOW_MS))
    rows = await db.read(lambda tx: interactions.list_bookmarks(tx, ana.id))
    assert [status for _, status in rows] == [post, other]
    assert await db.write("test", lambda tx: interactions.drop_bookmark(tx, ana.id, post.id))
    assert not await db.write("test", lambda tx: interactions.drop_bookmark(tx, ana.id, post.id))
    assert [status for _, status in await db.read(lambda tx: interactions.list_bookmarks(tx, ana.id))] == [other]


async def test_five_pins_are_enough(db, ana):
    posts = [await put_status(db, ana) for _ in range(6)]

    async def pin(status):
        return await db.write("test", lambda tx: interactions.put_pin(tx, ana.id, status.id, NOW_MS))

    assert [await pin(status) for status in posts] == ["pinned"] * 5 + ["too-many"]
    assert await pin(posts[0]) == "already-pinned"
    assert await db.write("test", lambda tx: interactions.drop_pin(tx, ana.id, posts[0].id))
    assert not await db.write("test", lambda tx: interactions.drop_pin(tx, ana.id, posts[0].id))
    assert await pin(posts[5]) == "pinned"
    assert await db.read(lambda tx: interactions.list_pinned(tx, ana.id)) == posts[:0:-1]


async def test_featured_posts_of_a_remote_account_replace_what_was_known(db, ben):
    posts = [await put_status(db, ben) for _ in range(7)]

    async def replace_with(*these):
        ids = [status.id for status in these]
        await db.write("test", lambda tx: interactions.replace_pins(tx, ben.id, ids, NOW_MS))
        return await db.read(lambda tx: interactions.list_pinned(tx, ben.id))

    assert await replace_with(posts[2], posts[0], posts[2]) == [posts[2], posts[0]]
    assert await replace_with(*posts) == posts[:5]
    assert await replace_with() == []


async def test_viewer_flags_tell_what_the_viewer_did_and_nobody_else(db, ana, ben, post):
    root = await put_status(db, ben)
    reply = await put_status(db, ben, to=root)
    await favourite(db, ana, post)
    boost = await put_reblog(db, ana, root)

    async def unit(tx):
        await interactions.put_bookmark(tx, ana.id, reply.id, NOW_MS)
        await interactions.put_pin(tx, ana.id, post.id, NOW_MS)
        return (
            await interactions.mute_thread(tx, ana.id, root.id),
            await interactions.mute_thread(tx, ana.id, root.id),
        )

    assert await db.write("test", unit) == (True, False)
    ids = [post.id, root.id, reply.id, 1]
    assert await db.read(lambda tx: interactions.list_viewer_flags(tx, ana.id, ids)) == {
        post.id: ViewerFlags(favourited=True, pinned=True),
        root.id: ViewerFlags(reblogged=True, muted=True),
        reply.id: ViewerFlags(bookmarked=True, muted=True),
    }
    assert set((await db.read(lambda tx: interactions.list_viewer_flags(tx, ben.id, ids))).values()) == {ViewerFlags()}
    await db.write("test", lambda tx: statuses.mark_deleted(tx, boost.id, NOW_MS))
    assert await db.write("test", lambda tx: interactions.unmute_thread(tx, ana.id, root.id))
    flags = await db.read(lambda tx: interactions.list_viewer_flags(tx, ana.id, [root.id]))
    assert flags[root.id] == ViewerFlags()
