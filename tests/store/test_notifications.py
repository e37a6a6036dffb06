"""Who is told what, on both engines."""

import pytest

from fedi.store import interactions, notifications, relations
from fedi.store.paging import Window
from tests.support.rows import NOW_MS, put_account, put_status


@pytest.fixture
async def ana(db):
    return await put_account(db, "ana")


@pytest.fixture
async def ben(db):
    return await put_account(db, "ben", "there.example")


async def tell(db, account, kind, actor, status=None, now_ms=NOW_MS):
    return await db.write(
        "test",
        lambda tx: notifications.put_notification(
            tx, account=account.id, kind=kind, actor=actor.id, status=status and status.id, now_ms=now_ms
        ),
    )


async def listed(db, account, *args, **rest):
    return await db.read(lambda tx: notifications.list_notifications(tx, account.id, *args, **rest))


async def test_a_person_is_told_once(db, ana, ben):
    post = await put_status(db, ana)
    told = await tell(db, ana, "favourite", ben, post)
    assert (told.account, told.kind, told.actor, told.status, told.created_at) == (
        ana.id, "favourite", ben.id, post.id, NOW_MS,
    )  # fmt: skip
    assert await tell(db, ana, "favourite", ben, post) is None
    assert await tell(db, ana, "reblog", ben, post) is not None
    follow = await tell(db, ana, "follow", ben)
    assert follow.status is None
    assert await tell(db, ana, "follow", ben) is None
    assert len(await listed(db, ana)) == 3


async def test_nobody_is_told_of_their_own_acts_but_of_their_polls_end(db, ana):
    post = await put_status(db, ana)
    assert await tell(db, ana, "favourite", ana, post) is None
    assert await tell(db, ana, "poll", ana, post) is not None


async def test_accounts_elsewhere_are_told_by_their_own_servers(db, ana, ben):
    assert await tell(db, ben, "follow", ana) is None


async def test_a_block_or_a_mute_is_the_persons_own_choice(db, ana, ben):
    quiet = await put_account(db, "quiet", "there.example")
    short = await put_account(db, "short", "there.example")
    shown = await put_account(db, "shown", "there.example")

    async def choose(tx):
        await relations.put_block(tx, ana.id, ben.id, uri=None, now_ms=NOW_MS)
        await relations.put_mute(tx, ana.id, quiet.id, now_ms=NOW_MS)
        await relations.put_mute(tx, ana.id, short.id, now_ms=NOW_MS, expires_at=NOW_MS + 5)
        await relations.put_mute(tx, ana.id, shown.id, now_ms=NOW_MS, notifications=False)

    await db.write("test", choose)
    assert await tell(db, ana, "follow", ben) is None
    assert await tell(db, ana, "follow", quiet) is None
    assert await tell(db, ana, "follow", short) is None
    assert await tell(db, ana, "follow", short, now_ms=NOW_MS + 5) is not None
    assert await tell(db, ana, "follow", shown) is not None


async def test_a_muted_thread_is_silent_and_others_are_not(db, ana, ben):
    root = await put_status(db, ana)
    reply = await put_status(db, ben, to=root)
    other = await put_status(db, ben)
    await db.write("test", lambda tx: interactions.mute_thread(tx, ana.id, root.thread))
    assert await tell(db, ana, "mention", ben, reply) is None
    assert await tell(db, ana, "mention", ben, other) is not None


async def test_a_page_holds_the_kinds_asked_for(db, ana, ben):
    cat = await put_account(db, "cat", "there.example")
    post = await put_status(db, ana)
    follow = await tell(db, ana, "follow", ben)
    like = await tell(db, ana, "favourite", cat, post)
    boost = await tell(db, ana, "reblog", ben, post)
    assert await listed(db, ana) == [boost, like, follow]
    assert await listed(db, ana, kinds=["follow", "reblog"]) == [boost, follow]
    assert await listed(db, ana, excluded=["reblog"]) == [like, follow]
    assert await listed(db, ana, kinds=["follow"], excluded=["follow"]) == []
    assert await listed(db, ana, kinds=["no-such-kind"]) == []
    assert await listed(db, ana, actor=ben.id) == [boost, follow]
    assert await listed(db, ana, Window(max_id=boost.id, limit=1)) == [like]
    assert await listed(db, ana, Window(min_id=follow.id, limit=1)) == [like]
    assert await db.read(lambda tx: notifications.count_above(tx, ana.id, follow.id)) == 2
    assert await db.read(lambda tx: notifications.count_above(tx, ana.id, 0, limit=1)) == 1


async def test_only_the_owner_sees_and_drops_a_notification(db, ana, ben):
    other = await put_account(db, "other")
    told = await tell(db, ana, "follow", ben)
    assert await db.read(lambda tx: notifications.find_notification(tx, ana.id, told.id)) == told
    assert await db.read(lambda tx: notifications.find_notification(tx, other.id, told.id)) is None
    assert not await db.write("test", lambda tx: notifications.drop_notification(tx, other.id, told.id))
    assert await db.write("test", lambda tx: notifications.drop_notification(tx, ana.id, told.id))
    assert await listed(db, ana) == []


async def test_what_is_undone_deleted_or_blocked_is_told_no_more(db, ana, ben):
    cat = await put_account(db, "cat", "there.example")
    post, other = await put_status(db, ana), await put_status(db, ana)
    await tell(db, ana, "follow", ben)
    await tell(db, ana, "favourite", ben, post)
    await tell(db, ana, "favourite", ben, other)
    await tell(db, ana, "favourite", cat, other)

    async def drop(**act):
        return await db.write("test", lambda tx: notifications.drop_act(tx, account=ana.id, **act))

    assert await drop(kind="follow", actor=ben.id)
    assert not await drop(kind="follow", actor=ben.id)
    await db.write("test", lambda tx: notifications.drop_of_status(tx, post.id))
    assert [(one.actor, one.status) for one in await listed(db, ana)] == [(cat.id, other.id), (ben.id, other.id)]
    await db.write("test", lambda tx: notifications.drop_from(tx, ana.id, ben.id))
    assert [one.actor for one in await listed(db, ana)] == [cat.id]
    await db.write("test", lambda tx: notifications.drop_all(tx, ana.id))
    assert await listed(db, ana) == []
