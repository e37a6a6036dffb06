"""Lists of accounts, on both engines."""

from dataclasses import replace

from fedi.model.lists import AccountList
from fedi.store import lists
from fedi.store.paging import Window
from tests.support.rows import next_id, put_account


async def put(db, owner, title="friends", **rest):
    one = AccountList(id=next_id(), account=owner.id, title=title, **rest)
    await db.write("test", lambda tx: lists.put_list(tx, one))
    return one


async def test_a_list_belongs_to_its_owner(db):
    ana, ben = await put_account(db, "ana"), await put_account(db, "ben")
    one = await put(db, ana, exclusive=True, replies_policy="none")
    two = await put(db, ana, "work")
    assert await db.read(lambda tx: lists.list_lists(tx, ana.id)) == [one, two]
    assert await db.read(lambda tx: lists.find_list(tx, ana.id, one.id)) == one
    assert await db.read(lambda tx: lists.find_list(tx, ben.id, one.id)) is None
    changed = replace(one, title="kin", exclusive=False, replies_policy="followed")
    assert await db.write("test", lambda tx: lists.update_list(tx, changed))
    assert not await db.write("test", lambda tx: lists.update_list(tx, replace(changed, account=ben.id, title="x")))
    assert await db.read(lambda tx: lists.find_list(tx, ana.id, one.id)) == changed
    assert not await db.write("test", lambda tx: lists.drop_list(tx, ben.id, one.id))
    assert await db.write("test", lambda tx: lists.drop_list(tx, ana.id, one.id))
    assert await db.read(lambda tx: lists.list_lists(tx, ana.id)) == [two]


async def test_members_come_and_go(db):
    ana = await put_account(db, "ana")
    people = [await put_account(db, name, "there.example") for name in ("a", "b", "c")]
    one, two = await put(db, ana), await put(db, ana, "work")
    ids = [person.id for person in people]

    async def members(window=None):
        found = await db.read(lambda tx: lists.list_members(tx, one.id, window or Window()))
        return [person.username for person in found]

    await db.write("test", lambda tx: lists.put_members(tx, one.id, [*ids, ids[0]]))
    await db.write("test", lambda tx: lists.put_members(tx, two.id, ids[:1]))
    await db.write("test", lambda tx: lists.put_members(tx, two.id, []))
    assert await members() == ["c", "b", "a"]
    assert await members(Window(max_id=ids[2], limit=1)) == ["b"]
    assert await db.read(lambda tx: lists.list_member_ids(tx, one.id)) == ids
    assert await db.read(lambda tx: lists.list_lists_with(tx, ana.id, ids[0])) == [one, two]
    await db.write("test", lambda tx: lists.drop_members(tx, one.id, [ids[1]]))
    assert await members() == ["c", "a"]
    await db.write("test", lambda tx: lists.drop_member_everywhere(tx, ana.id, ids[0]))
    assert await db.read(lambda tx: lists.list_lists_with(tx, ana.id, ids[0])) == []
    assert await members() == ["c"]
    await db.write("test", lambda tx: lists.drop_list(tx, ana.id, one.id))
    assert await members() == []
