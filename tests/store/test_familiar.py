"""Familiar followers, on both engines."""

from fedi.store import familiar, relations
from tests.support.rows import NOW_MS, put_account


async def test_familiar_followers_are_those_one_follows_and_no_others(db):
    ann, bob, cai, dia, eve = [await put_account(db, name) for name in ("ann", "bob", "cai", "dia", "eve")]

    async def follow(follower, target, state="accepted"):
        await db.write(
            "follow",
            lambda tx: relations.put_follow(
                tx, follower=follower.id, target=target.id, state=state, uri=None, now_ms=NOW_MS
            ),
        )

    await follow(ann, bob)
    await follow(ann, cai)
    await follow(ann, eve, "requested")
    for fan in (bob, cai, eve, ann):
        await follow(fan, dia)
    await follow(bob, cai, "requested")
    found = await db.read(lambda tx: familiar.list_familiar(tx, ann.id, [dia.id, cai.id]))
    assert found == {dia.id: [cai.id, bob.id], cai.id: []}
    assert await db.read(lambda tx: familiar.list_familiar(tx, ann.id, [])) == {}
