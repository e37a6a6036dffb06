"""Keys of actors, on both engines."""

from fedi.model.accounts import ActorKey
from fedi.store import keys
from tests.support.rows import NOW_MS, put_account


def a_key(account, name="main-key", **rest):
    values = {"kind": "rsa", "public_key": f"PEM {name}", "created_at": NOW_MS} | rest
    return ActorKey(id=f"{account.uri}#{name}", account=account.id, **values)


async def put(db, *these):
    await db.write("test", lambda tx: keys.put_keys(tx, these))


async def test_private_halves_come_out_by_one_door_only(db):
    ana = await put_account(db, "ana")
    key = a_key(ana, private_key="SECRET")
    await put(db, key)
    assert await db.read(lambda tx: keys.own_keys(tx, ana.id)) == [key]
    assert await db.read(keys.list_all_own_keys) == [key]
    public = await db.read(lambda tx: keys.find_key(tx, key.id))
    assert (public.public_key, public.private_key) == ("PEM main-key", None)
    assert await db.read(lambda tx: keys.list_keys(tx, ana.id)) == [public]
    assert "SECRET" not in repr(key)


async def test_a_remote_document_cannot_replace_our_key(db):
    ana, eve = await put_account(db, "ana"), await put_account(db, "eve", "evil.example")
    ours = a_key(ana, private_key="SECRET")
    await put(db, ours)
    await put(db, ActorKey(id=ours.id, account=eve.id, kind="rsa", public_key="EVIL", created_at=NOW_MS))
    assert await db.read(lambda tx: keys.own_keys(tx, ana.id)) == [ours]
    assert (await db.read(lambda tx: keys.find_owner(tx, ours.id))).id == ana.id


async def test_rotation_leaves_only_the_new_keys(db):
    ana, ben = await put_account(db, "ana", "there.example"), await put_account(db, "ben", "there.example")
    await put(db, a_key(ana, "old"), a_key(ana, "kept"), a_key(ben))
    new = a_key(ana, "new", kind="ed25519", created_at=NOW_MS + 1)
    kept = a_key(ana, "kept", public_key="PEM changed")
    await db.write("test", lambda tx: keys.replace_keys(tx, ana.id, [kept, new]))
    assert await db.read(lambda tx: keys.list_keys(tx, ana.id)) == [kept, new]
    assert await db.read(lambda tx: keys.list_keys(tx, ben.id)) == [a_key(ben)]
    assert await db.read(lambda tx: keys.find_key(tx, f"{ana.uri}#old")) is None
    await db.write("test", lambda tx: keys.drop_keys(tx, ana.id))
    assert await db.read(lambda tx: keys.list_keys(tx, ana.id)) == []
