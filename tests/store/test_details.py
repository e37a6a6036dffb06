"""What a page needs beside its texts, and tags by their beginning, on both engines."""

from fedi.ids import IdMaker
from fedi.ledger import slots
from fedi.store import details, interactions, relations, search, statuses
from tests.support.rows import NOW_MS, put_account, put_status


async def read(db, status, viewer=None, now_ms=NOW_MS):
    return (await db.read(lambda tx: details.list_details(tx, [status.id], viewer, now_ms)))[status.id]


async def test_counts_and_versions_come_with_each_status(db):
    ann = await put_account(db, "ann")
    status = await put_status(db, ann)

    async def unit(tx):
        await statuses.bump_stats(tx, status.id, replies=1, reblogs=2, favourites=3, quotes=4)
        await statuses.bump_version(tx, status.id)

    await db.write("count", unit)
    found = await read(db, status)
    assert (found.replies, found.reblogs, found.favourites, found.quotes) == (1, 2, 3, 4)
    assert (found.version, found.account_version, found.account_statuses) == (status.version + 1, 1, 1)
    assert (found.may_read, found.flags, found.kept_out, found.blocked_by, found.deleted) == (1, 0, 0, 0, 0)
    assert await db.read(lambda tx: details.list_details(tx, [], None, NOW_MS)) == {}


async def test_each_act_of_the_viewer_is_a_bit(db):
    ann, bob = await put_account(db, "ann"), await put_account(db, "bob")
    status = await put_status(db, ann)

    async def unit(tx):
        await interactions.put_favourite(tx, bob.id, status.id, uri=None, now_ms=NOW_MS)
        await interactions.put_bookmark(tx, bob.id, status.id, NOW_MS)
        await interactions.mute_thread(tx, bob.id, status.thread)
        await interactions.put_pin(tx, ann.id, status.id, NOW_MS)

    await db.write("act", unit)
    assert (await read(db, status, bob.id)).flags == details.FAVOURITED | details.BOOKMARKED | details.MUTED
    assert (await read(db, status, ann.id)).flags == details.PINNED
    await put_status(db, bob, kind="Announce", reblog_of=status.id)
    assert (await read(db, status, bob.id)).flags & details.REBLOGGED


async def test_who_may_read_and_whom_the_viewer_keeps_out(db):
    ann, bob, eve = await put_account(db, "ann"), await put_account(db, "bob"), await put_account(db, "eve")
    private = await put_status(db, ann, visibility="private", quote_policy="followers")
    direct = await put_status(db, ann, visibility="direct")

    async def unit(tx):
        await relations.put_follow(tx, follower=bob.id, target=ann.id, state="accepted", uri=None, now_ms=NOW_MS)
        await relations.put_mute(tx, bob.id, ann.id, now_ms=NOW_MS, expires_at=NOW_MS + 1000)
        await relations.put_block(tx, eve.id, ann.id, uri=None, now_ms=NOW_MS)
        await relations.put_block(tx, ann.id, eve.id, uri=None, now_ms=NOW_MS)

    await db.write("relate", unit)
    assert [(await read(db, private, viewer)).may_read for viewer in (None, ann.id, bob.id, eve.id)] == [0, 1, 1, 0]
    assert [(await read(db, direct, viewer)).may_read for viewer in (None, ann.id, bob.id, eve.id)] == [0, 1, 0, 0]
    assert (await read(db, private, bob.id)).follows == 1
    assert [(await read(db, private, bob.id, NOW_MS + late)).kept_out for late in (0, 1000)] == [1, 0]
    eves = await read(db, private, eve.id)
    assert (eves.kept_out, eves.blocked_by, eves.follows) == (2, 1, 0)


async def test_marks_to_narrow_by(db):
    ann, far = await put_account(db, "ann"), await put_account(db, "far", "far.example")
    mine = await put_status(db, ann, tags=("Cats",), has_media=True)
    theirs = await put_status(db, far)
    found = await db.read(lambda tx: details.list_marks(tx, [mine.id, theirs.id]))
    assert found[mine.id] == (mine.id, 1, 1, '["Cats"]')
    assert found[theirs.id] == (theirs.id, 0, 0, "[]")


async def test_tags_by_their_beginning_newest_first_after_the_exact_one(db, clock):
    ids = IdMaker(clock)

    async def unit(tx):
        for n, tag in enumerate(["cat", "cats", "catnip", "dog", "été"]):
            clock.advance(s=1)
            await slots.open_object(
                tx, uri=f"https://a.example/{n}", account=1, author_uri="https://a.example/ann", host="a.example",
                visibility="public", local=True, is_reply_to_uri=None, tags=(tag,), boost_of=None, delivered=True,
                published_at_ms=clock.ms(), body_hash=b"0" * 32, now_ms=clock.ms(), ids=ids,
            )  # fmt: skip

    await db.write("tags", unit)

    async def names(prefix, **more):
        return [tag.name for tag in await db.read(lambda tx: search.list_tags(tx, prefix, **{"limit": 10} | more))]

    assert await names("tag:cat") == ["cat", "catnip", "cats"]
    assert await names("tag:cat", limit=1, offset=1) == ["catnip"]
    assert await names("tag:%C3%A9") == ["été"]
    assert await names("tag:x") == []
