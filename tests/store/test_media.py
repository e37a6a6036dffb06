"""Attachments, on both engines."""

from dataclasses import replace

from fedi.model.media import Extent, MediaMeta
from fedi.store import media
from tests.support.rows import NOW_MS, a_picture, put_account, put_status


async def put(db, *these):
    await db.write("test", lambda tx: media.put_media(tx, *these))


async def test_media_come_back_as_they_were_put(db):
    ana = await put_account(db, "ana")
    film = a_picture(
        ana,
        kind="video",
        focus_x=-0.5,
        focus_y=1.0,
        meta=MediaMeta(
            original=Extent(width=640, height=480, duration_s=1.5, frame_rate="30/1"), small=Extent(width=4)
        ),
    )
    await put(db, film)
    assert await db.read(lambda tx: media.find_media(tx, film.id)) == film
    done = replace(film, state="failed", path=None, size_bytes=5, account=1, created_at=1)
    assert await db.write("test", lambda tx: media.update_media(tx, done))
    stored = await db.read(lambda tx: media.find_media(tx, film.id))
    assert stored == replace(done, account=ana.id, created_at=NOW_MS)
    assert await db.write("test", lambda tx: media.describe(tx, film.id, "waves", focus_x=0.25, focus_y=0.0))
    stored = (await db.read(lambda tx: media.find_many(tx, [film.id, 1])))[film.id]
    assert (stored.description, stored.focus_x, stored.focus_y) == ("waves", 0.25, 0.0)
    assert not await db.write("test", lambda tx: media.describe(tx, 1, "x"))


async def test_a_status_has_its_media_in_the_order_given_and_lets_others_go(db):
    ana = await put_account(db, "ana")
    post = await put_status(db, ana)
    one, two, three = a_picture(ana), a_picture(ana), a_picture(ana)
    await put(db, one, two, three)

    async def attached(*these):
        assert await db.write("test", lambda tx: media.attach(tx, post.id, ana.id, [this.id for this in these]))
        found = await db.read(lambda tx: media.list_of_statuses(tx, [post.id, 1]))
        return [this.id for this in found.get(post.id, ())]

    assert await attached(two, one) == [two.id, one.id]
    assert await attached(three, two) == [three.id, two.id]
    loose = await db.read(lambda tx: media.list_loose(tx, NOW_MS + 1))
    assert [this.id for this in loose] == [one.id]
    assert await db.read(lambda tx: media.list_loose(tx, NOW_MS)) == []
    assert [this.id for this in await db.write("test", lambda tx: media.drop_media(tx, [one.id]))] == [one.id]
    dropped = await db.write("test", lambda tx: media.drop_of_status(tx, post.id))
    assert {this.id for this in dropped} == {two.id, three.id}
    assert await db.read(lambda tx: media.find_many(tx, [one.id, two.id, three.id])) == {}


async def test_nobody_attaches_what_is_anothers_or_in_use(db):
    ana, ben = await put_account(db, "ana"), await put_account(db, "ben")
    post, other = await put_status(db, ana), await put_status(db, ana)
    foreign, used = a_picture(ben), a_picture(ana)
    await put(db, foreign, used)
    assert await db.write("test", lambda tx: media.attach(tx, other.id, ana.id, [used.id]))
    for wrong in (foreign.id, used.id, 1):
        assert not await db.write("test", lambda tx, wrong=wrong: media.attach(tx, post.id, ana.id, [wrong]))
    assert await db.read(lambda tx: media.list_of_statuses(tx, [post.id])) == {}
