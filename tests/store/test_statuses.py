"""Statuses, their history and threads, and who may see them, on both engines."""

from dataclasses import replace

import pytest

from fedi.model.emojis import EmojiRef
from fedi.model.polls import Poll, PollOption
from fedi.model.statuses import Addressed, MediaAsWas, Mention, StatusStats
from fedi.store import accounts, interactions, media, polls, relations, statuses
from fedi.store.paging import Window
from tests.support.rows import NOW_MS, a_picture, a_status, next_id, put_account, put_reblog, put_status


@pytest.fixture
async def ana(db):
    return await put_account(db, "ana")


@pytest.fixture
async def ben(db):
    return await put_account(db, "ben", "there.example")


async def find(db, status):
    return await db.read(lambda tx: statuses.find_status(tx, status.id))


async def stats(db, status):
    return await db.read(lambda tx: statuses.find_stats(tx, status.id))


async def test_a_status_comes_back_as_it_was_put(db, ana, ben):
    status = a_status(
        ben,
        kind="Article",
        title="On fields",
        spoiler="long",
        sensitive=True,
        language="ar",
        quote_uri="https://q.example/1",
        quote_state="pending",
        mentions=(Mention(id=ana.id, username="ana", acct="ana", url="https://here.example/@ana", uri=ana.uri),),
        tags=("Été", "x"),
        emojis=(EmojiRef(shortcode="a", url="u", static_url="s"),),
        edited_at=NOW_MS + 1,
    )
    assert await db.write("test", lambda tx: statuses.put_status(tx, status, [Addressed(account=ana.id, silent=True)]))
    assert await find(db, status) == status
    assert await db.read(lambda tx: statuses.find_by_uri(tx, status.uri)) == status
    assert await db.read(lambda tx: statuses.find_id_by_uri(tx, status.uri)) == status.id
    assert await db.read(lambda tx: statuses.find_many(tx, [status.id, 1])) == {status.id: status}
    assert await db.read(lambda tx: statuses.find_many_by_uri(tx, [status.uri, "x"])) == {status.uri: status}
    assert await db.read(lambda tx: statuses.find_ids_by_uri(tx, [status.uri, "x"])) == {status.uri: status.id}
    assert await db.read(lambda tx: statuses.list_versions(tx, [status.id])) == {status.id: 1}
    assert await db.read(lambda tx: statuses.list_addressed(tx, status.id)) == [Addressed(account=ana.id, silent=True)]
    assert await db.read(lambda tx: statuses.list_ids_of(tx, ben.id)) == [status.id]


async def test_what_is_unknown_is_none_or_zero(db):
    assert await db.read(lambda tx: statuses.find_status(tx, 1)) is None
    assert await db.read(lambda tx: statuses.find_by_uri(tx, "x")) is None
    assert await db.read(lambda tx: statuses.find_stats(tx, 1)) == StatusStats(status=1)
    assert await db.read(lambda tx: statuses.find_many_stats(tx, [1])) == {1: StatusStats(status=1)}
    assert await db.write("test", lambda tx: statuses.mark_deleted(tx, 1, NOW_MS)) is None


async def test_the_same_status_put_twice_counts_once(db, ben):
    parent = await put_status(db, ben)
    reply = await put_status(db, ben, to=parent)
    again = replace(reply, id=next_id(), content="other")
    assert not await db.write("test", lambda tx: statuses.put_status(tx, again))
    assert (await stats(db, parent)).replies == 1
    assert (await db.read(lambda tx: accounts.find_stats(tx, ben.id))).statuses == 2


async def test_a_second_boost_of_the_same_status_is_the_first_one(db, ana, ben):
    post = await put_status(db, ana)
    await put_reblog(db, ben, post)
    second = a_status(ben, kind="Announce", reblog_of=post.id)
    assert not await db.write("test", lambda tx: statuses.put_status(tx, second))
    assert (await stats(db, post)).reblogs == 1


async def test_replies_boosts_and_accepted_quotes_are_counted_and_taken_back(db, ana, ben):
    post = await put_status(db, ana)
    reply = await put_status(db, ben, to=post)
    await put_status(db, ben, to=post, visibility="private")
    boost = await put_reblog(db, ben, post)
    quote = await put_status(db, ben, quote_of=post.id, quote_state="accepted")
    await put_status(db, ben, quote_of=post.id, quote_state="pending")
    assert await stats(db, post) == StatusStats(status=post.id, replies=1, reblogs=1, quotes=1)
    for one in (reply, boost, quote):
        assert await db.write("test", lambda tx, one=one: statuses.mark_deleted(tx, one.id, NOW_MS)) == []
        assert await db.write("test", lambda tx, one=one: statuses.mark_deleted(tx, one.id, NOW_MS)) is None
    assert await stats(db, post) == StatusStats(status=post.id)
    assert await db.read(lambda tx: statuses.find_many_stats(tx, [post.id])) == {post.id: StatusStats(status=post.id)}
    assert (await db.read(lambda tx: accounts.find_stats(tx, ben.id))).statuses == 2


async def test_direct_posts_are_not_counted_with_their_author(db, ana):
    direct = await put_status(db, ana, visibility="direct")
    assert (await db.read(lambda tx: accounts.find_stats(tx, ana.id))).statuses == 0
    await put_status(db, ana)
    await db.write("test", lambda tx: statuses.mark_deleted(tx, direct.id, NOW_MS))
    assert (await db.read(lambda tx: accounts.find_stats(tx, ana.id))).statuses == 1


async def test_a_deleted_status_says_nothing_and_takes_along_what_hung_on_it(db, ana, ben):
    parent = await put_status(db, ana)
    post = await put_status(db, ana, to=parent, title="t", spoiler="s", source="text", tags=("x",), addressed=(ben,))
    reply = await put_status(db, ben, to=post)
    boost = await put_reblog(db, ben, post)

    async def hang(tx):
        await interactions.put_favourite(tx, ben.id, post.id, uri=None, now_ms=NOW_MS)
        await interactions.put_bookmark(tx, ben.id, post.id, NOW_MS)
        await interactions.put_pin(tx, ana.id, post.id, NOW_MS)
        await polls.put_poll(tx, Poll(id=post.id, multiple=False, options=(PollOption(title="a"),)))
        await statuses.update_status(tx, replace(post, content="new", edited_at=NOW_MS + 5))

    await db.write("test", hang)
    assert await db.write("test", lambda tx: statuses.mark_deleted(tx, post.id, NOW_MS + 9)) == [boost.id]
    gone = await find(db, post)
    assert gone == a_status(
        ana, id=post.id, to=parent, content="", deleted_at=NOW_MS + 9, edited_at=NOW_MS + 5, version=3
    )
    assert (await find(db, boost)).deleted_at == NOW_MS + 9
    assert await db.read(lambda tx: interactions.find_reblog(tx, ben.id, post.id)) is None
    assert (await db.read(lambda tx: accounts.find_stats(tx, ben.id))).statuses == 1
    assert await stats(db, post) == StatusStats(status=post.id)
    assert await db.read(lambda tx: statuses.list_edits(tx, post.id)) == []
    assert await db.read(lambda tx: statuses.list_addressed(tx, post.id)) == []
    assert await db.read(lambda tx: interactions.list_favourited_by(tx, post.id)) == []
    assert await db.read(lambda tx: interactions.list_bookmarks(tx, ben.id)) == []
    assert await db.read(lambda tx: polls.find_poll(tx, post.id)) is None
    above = await db.read(lambda tx: statuses.list_ancestors(tx, reply.id))
    assert [one.id for one in above] == [parent.id, post.id]
    assert await db.write("test", lambda tx: statuses.update_status(tx, post)) is None
    assert await db.read(lambda tx: statuses.list_ids_of(tx, ana.id)) == [parent.id]


async def test_an_edit_keeps_the_version_before_with_its_media_and_poll(db, ana):
    post = await put_status(db, ana, spoiler="cw", sensitive=True)
    picture = a_picture(ana, description="a cat")

    async def dress(tx):
        await media.put_media(tx, picture)
        assert await media.attach(tx, post.id, ana.id, [picture.id])
        await polls.put_poll(tx, Poll(id=post.id, multiple=False, options=(PollOption(title="yes", votes=3),)))

    await db.write("test", dress)
    edited = replace(post, content="second", spoiler="", sensitive=False, edited_at=NOW_MS + 10, poll=post.id)
    stored = await db.write("test", lambda tx: statuses.update_status(tx, edited))
    assert stored == replace(edited, version=2) == await find(db, post)
    third = await db.write(
        "test", lambda tx: statuses.update_status(tx, replace(stored, content="3", edited_at=NOW_MS + 20))
    )
    one, two = await db.read(lambda tx: statuses.list_edits(tx, post.id))
    assert (one.at, one.content, one.spoiler, one.sensitive) == (NOW_MS, post.content, "cw", True)
    assert (one.media, one.poll) == ((MediaAsWas(id=picture.id, description="a cat"),), ("yes",))
    assert (two.at, two.content) == (NOW_MS + 10, "second")
    silent = await db.write("test", lambda tx: statuses.update_status(tx, replace(third, url="u"), keep_history=False))
    assert (silent.version, len(await db.read(lambda tx: statuses.list_edits(tx, post.id)))) == (4, 2)


async def test_an_edit_cannot_move_a_status(db, ana, ben):
    post = await put_status(db, ana)
    await db.write(
        "test",
        lambda tx: statuses.update_status(
            tx, replace(post, account=ben.id, visibility="direct", thread=1, content="x")
        ),
    )
    now = await find(db, post)
    assert (now.account, now.visibility, now.thread, now.content) == (ana.id, "public", post.id, "x")


async def test_who_is_named_no_more_stays_addressed_silently(db, ana, ben):
    post = await put_status(db, ana, visibility="direct", addressed=(ben,))
    other = await put_account(db, "other", "other.example")
    await db.write("test", lambda tx: statuses.put_addressed(tx, post.id, [Addressed(account=other.id)]))
    assert await db.read(lambda tx: statuses.list_addressed(tx, post.id)) == [
        Addressed(account=ben.id, silent=True),
        Addressed(account=other.id),
    ]
    await db.write("test", lambda tx: statuses.put_addressed(tx, post.id, []))
    assert all(to.silent for to in await db.read(lambda tx: statuses.list_addressed(tx, post.id)))


async def test_a_quote_counts_while_it_is_accepted(db, ana, ben):
    post = await put_status(db, ana)
    quote = await put_status(db, ben, quote_of=post.id, quote_uri=post.uri, quote_state="pending")

    async def answer(state, authorization=None):
        now = await find(db, quote)
        return await db.write("test", lambda tx: statuses.set_quote_state(tx, now, state, authorization))

    assert await answer("accepted", "https://here.example/qa/1")
    assert not await answer("accepted", "https://here.example/qa/1")
    assert (await stats(db, post)).quotes == 1
    assert [one.id for one in await db.read(lambda tx: statuses.list_quotes(tx, post.id, Window(limit=5)))] == [
        quote.id
    ]
    assert await answer("revoked")
    assert (await stats(db, post)).quotes == 0
    assert (await find(db, quote)).quote_authorization is None
    assert await db.read(lambda tx: statuses.list_quotes(tx, post.id)) == []


async def test_a_quoted_status_that_comes_later_is_joined(db, ana, ben):
    quote = await put_status(db, ben, quote_uri="https://here.example/p", quote_state="accepted")
    post = await put_status(db, ana, uri="https://here.example/p")
    await db.write("test", lambda tx: statuses.set_quote_of(tx, quote, post.id))
    await db.write("test", lambda tx: statuses.set_quote_of(tx, quote, post.id))
    assert ((await find(db, quote)).quote_of, (await stats(db, post)).quotes) == (post.id, 1)
    await db.write(
        "test",
        lambda tx: statuses.update_status(
            tx, replace(quote, quote_of=None, quote_uri=None, quote_state=None), keep_history=False
        ),
    )
    assert (await stats(db, post)).quotes == 0


async def test_totals_of_the_origin_replace_counts_and_bumps_go_on_from_them(db, ben):
    post = await put_status(db, ben)
    await db.write("test", lambda tx: statuses.set_totals(tx, post.id, favourites=10, replies=5_000_000_000))
    await db.write("test", lambda tx: statuses.bump_stats(tx, post.id, favourites=-1, reblogs=-3, quotes=2))
    await db.write("test", lambda tx: statuses.set_totals(tx, post.id, reblogs=4))
    assert await stats(db, post) == StatusStats(
        status=post.id, replies=5_000_000_000, reblogs=4, favourites=9, quotes=2
    )


async def test_tombstones_stay_with_their_first_witness(db):
    assert await db.write("test", lambda tx: statuses.put_tombstone(tx, "u", "ana", NOW_MS))
    assert not await db.write("test", lambda tx: statuses.put_tombstone(tx, "u", "eve", NOW_MS + 1))
    stone = await db.read(lambda tx: statuses.find_tombstone(tx, "u"))
    assert (stone.actor, stone.at) == ("ana", NOW_MS)
    assert await db.read(lambda tx: statuses.find_tombstone(tx, "v")) is None
    assert await db.read(lambda tx: statuses.list_tombstoned(tx, ["u", "v"])) == {"u"}


async def test_a_thread_reads_from_its_root_and_branch_by_branch(db, ana):
    root = await put_status(db, ana)
    first = await put_status(db, ana, to=root)
    second = await put_status(db, ana, to=root)
    under = await put_status(db, ana, to=first)
    deep = await put_status(db, ana, to=under)

    async def below(status, **rest):
        return [one.id for one in await db.read(lambda tx: statuses.list_descendants(tx, status.id, **rest))]

    async def above(status, **rest):
        return [one.id for one in await db.read(lambda tx: statuses.list_ancestors(tx, status.id, **rest))]

    assert await below(root) == [first.id, under.id, deep.id, second.id]
    assert await below(root, depth=1) == [first.id, second.id]
    assert await below(root, limit=2) == [first.id, second.id]
    assert await below(deep) == []
    assert await above(deep) == [root.id, first.id, under.id]
    assert await above(deep, limit=2) == [first.id, under.id]
    assert await above(root) == []
    assert await db.read(lambda tx: statuses.count_thread(tx, root.thread)) == 5
    await put_status(db, ana, to=root, visibility="private")
    uris = await db.read(lambda tx: statuses.list_reply_uris(tx, root.id))
    assert uris == [(first.id, first.uri), (second.id, second.uri)]
    assert await db.read(lambda tx: statuses.list_reply_uris(tx, root.id, after=first.id)) == [(second.id, second.uri)]


async def test_replies_that_came_first_join_their_parent_and_its_thread(db, ana, ben):
    root = await put_status(db, ben)
    orphan = await put_status(db, ben, in_reply_to_uri="https://there.example/late")
    child = await put_status(db, ben, to=orphan)
    hidden = await put_status(db, ben, in_reply_to_uri="https://there.example/late", visibility="private")
    await db.write("test", lambda tx: interactions.mute_thread(tx, ana.id, orphan.thread))

    late = await put_status(db, ben, uri="https://there.example/late", to=root)
    now = await find(db, orphan)
    assert (now.in_reply_to, now.in_reply_to_account, now.thread, now.version) == (late.id, ben.id, root.id, 2)
    assert (await find(db, child)).thread == (await find(db, hidden)).thread == root.id
    assert (await stats(db, late)).replies == 1
    flags = await db.read(lambda tx: interactions.list_viewer_flags(tx, ana.id, [child.id]))
    assert flags[child.id].muted
    below = await db.read(lambda tx: statuses.list_descendants(tx, root.id))
    assert [one.id for one in below] == [late.id, orphan.id, child.id, hidden.id]


async def test_a_ring_of_replies_is_never_closed(db, ben):
    first = await put_status(db, ben, uri="https://there.example/1", in_reply_to_uri="https://there.example/3")
    second = await put_status(db, ben, uri="https://there.example/2", to=first)
    third = await put_status(db, ben, uri="https://there.example/3", to=second)
    assert (await find(db, first)).in_reply_to is None
    above = await db.read(lambda tx: statuses.list_ancestors(tx, third.id))
    assert [one.id for one in above] == [first.id, second.id]
    narcissus = await put_status(db, ben, uri="https://there.example/4", in_reply_to_uri="https://there.example/4")
    assert (await find(db, narcissus)).in_reply_to is None


async def test_each_visibility_is_seen_by_those_it_is_for(db, ana):
    names = ("follower", "asker", "addressed", "blocked", "stranger")
    follower, asker, addressed, blocked, stranger = [await put_account(db, name) for name in names]

    async def relate(tx):
        for one, state in ((follower, "accepted"), (asker, "requested"), (blocked, "accepted")):
            await relations.put_follow(tx, follower=one.id, target=ana.id, state=state, uri=None, now_ms=NOW_MS)
        await relations.put_block(tx, ana.id, blocked.id, uri=None, now_ms=NOW_MS)

    await db.write("test", relate)
    posts = {
        word: await put_status(db, ana, visibility=word, addressed=(addressed, blocked) if word in closed else ())
        for closed in [("private", "direct")]
        for word in ("public", "unlisted", "private", "direct")
    }
    deleted = await put_status(db, ana)
    await db.write("test", lambda tx: statuses.mark_deleted(tx, deleted.id, NOW_MS))
    deleted = await find(db, deleted)

    async def seen(viewer):
        viewer_id = viewer and viewer.id
        together = await db.read(lambda tx: statuses.list_visible(tx, [*posts.values(), deleted], viewer_id))
        for one in (*posts.values(), deleted):
            assert await db.read(lambda tx, one=one: statuses.may_see(tx, one, viewer_id)) == (one.id in together)
        return [word for word, one in posts.items() if one.id in together]

    assert await seen(ana) == ["public", "unlisted", "private", "direct"]
    assert await seen(follower) == ["public", "unlisted", "private"]
    assert await seen(addressed) == ["public", "unlisted", "private", "direct"]
    assert await seen(asker) == await seen(stranger) == await seen(None) == ["public", "unlisted"]
    assert await seen(blocked) == []
