"""Accounts and their counts, on both engines."""

from dataclasses import replace

import pytest

from fedi.model.accounts import ProfileField
from fedi.model.emojis import EmojiRef
from fedi.store import accounts, relations
from fedi.store.database import UniqueViolation
from tests.support.rows import NOW_MS, an_account, put_account, put_status


async def test_an_account_comes_back_as_it_was_put(db):
    account = an_account(
        "Élodie",
        "there.example",
        display_name="Élodie :star:",
        fields=(
            ProfileField(name="site", value="<a>x</a>", source="x", verified_at=5),
            ProfileField(name="b", value=""),
        ),
        emojis=(
            EmojiRef(shortcode="star", url="https://there.example/s.png", static_url="https://there.example/s.png"),
        ),
        also_known_as=("https://old.example/e",),
        moved_to=None,
        locked=True,
        fetched_at=NOW_MS,
        gone_at=None,
    )
    stored = await db.write("test", lambda tx: accounts.put_account(tx, account))
    assert stored == account
    assert await db.read(lambda tx: accounts.find_account(tx, account.id)) == account
    assert await db.read(lambda tx: accounts.find_by_uri(tx, account.uri)) == account
    assert await db.read(lambda tx: accounts.find_id_by_uri(tx, account.uri)) == account.id
    assert await db.read(lambda tx: accounts.find_by_handle(tx, "éLODIE", "There.example")) == account
    assert await db.read(lambda tx: accounts.find_by_url(tx, account.url, account.host)) == account
    assert await db.read(lambda tx: accounts.find_many(tx, [account.id, 7])) == {account.id: account}
    assert await db.read(lambda tx: accounts.find_many_by_uri(tx, [account.uri, "x"])) == {account.uri: account}


async def test_what_is_unknown_is_none(db):
    assert await db.read(lambda tx: accounts.find_account(tx, 1)) is None
    assert await db.read(lambda tx: accounts.find_by_uri(tx, "https://x.example/")) is None
    assert await db.read(lambda tx: accounts.find_by_handle(tx, "nobody")) is None
    assert await db.read(lambda tx: accounts.find_many(tx, [])) == {}


async def test_putting_again_keeps_id_and_date_and_raises_the_version_only_for_what_shows(db):
    first = await put_account(db, "ana", "there.example")
    same = an_account("ana", "there.example", fetched_at=NOW_MS + 9, inbox="https://there.example/new", created_at=1)
    again = await db.write("test", lambda tx: accounts.put_account(tx, same))
    assert (again.id, again.created_at, again.version) == (first.id, first.created_at, 1)
    assert (await db.read(lambda tx: accounts.find_account(tx, first.id))) == again

    renamed = await db.write("test", lambda tx: accounts.put_account(tx, replace(same, display_name="Ana")))
    assert (renamed.id, renamed.version) == (first.id, 2)
    assert await db.read(lambda tx: accounts.list_versions(tx, [first.id])) == {first.id: 2}


async def test_a_handle_given_to_another_actor_leaves_the_old_one_without_it(db):
    old = await put_account(db, "ana", "there.example", uri="https://there.example/old")
    new = await put_account(db, "Ana", "there.example", uri="https://there.example/new")
    assert (await db.read(lambda tx: accounts.find_by_handle(tx, "ana", "there.example"))).id == new.id
    assert (await db.read(lambda tx: accounts.find_by_uri(tx, old.uri))).id == old.id
    back = await db.write("test", lambda tx: accounts.put_account(tx, old))
    assert (await db.read(lambda tx: accounts.find_by_handle(tx, "ana", "there.example"))).id == back.id == old.id


async def test_a_local_name_cannot_be_taken_twice(db):
    await put_account(db, "ana")
    with pytest.raises(UniqueViolation):
        await put_account(db, "ANA", uri="https://here.example/other")


async def test_nobody_elsewhere_can_become_our_account(db):
    ana = await put_account(db, "ana")
    eve = an_account("eve", "evil.example", uri=ana.uri)
    with pytest.raises(ValueError, match="is local"):
        await db.write("test", lambda tx: accounts.put_account(tx, eve))
    assert await db.read(lambda tx: accounts.find_by_uri(tx, ana.uri)) == ana


async def test_search_puts_the_exact_handle_first_then_the_followed(db):
    viewer = await put_account(db, "viewer")
    anabel = await put_account(db, "anabel", "a.example")
    ana = await put_account(db, "ana", "a.example")
    anatol = await put_account(db, "anatol", "b.example")
    await put_account(db, "bob", "a.example", display_name="Bob 100% an_a")
    gone = await put_account(db, "anagone", "a.example")
    await db.write("test", lambda tx: accounts.mark_gone(tx, gone.id, NOW_MS))
    await db.write(
        "test",
        lambda tx: relations.put_follow(
            tx, follower=viewer.id, target=anatol.id, state="accepted", uri=None, now_ms=NOW_MS
        ),
    )

    async def found(query, **rest):
        rows = await db.read(lambda tx: accounts.search(tx, query, viewer=viewer.id, **rest))
        return [row.username for row in rows]

    assert await found("ANA") == ["ana", "anatol", "anabel"]
    assert await found("@ana@a.ex") == ["ana", "anabel"]
    assert await found("ana", following_only=True) == ["anatol"]
    assert await found("100% an_") == ["bob"]
    assert await found("%") == ["bob"]
    assert await found("__") == []
    assert await found("  ") == []
    assert await found("ana", limit=1, offset=1) == ["anatol"]
    assert [ana.id, anabel.id] == [
        row.id for row in await db.read(lambda tx: accounts.search(tx, "ana@a.example", viewer=None))
    ]


async def test_local_accounts_and_those_of_a_host_are_listed_in_pages(db):
    one, two = await put_account(db, "one"), await put_account(db, "two")
    far = await put_account(db, "far", "there.example")
    assert [a.id for a in await db.read(lambda tx: accounts.list_local(tx, limit=1))] == [one.id]
    assert [a.id for a in await db.read(lambda tx: accounts.list_local(tx, after=one.id))] == [two.id]
    assert [a.id for a in await db.read(lambda tx: accounts.list_on_host(tx, "there.example"))] == [far.id]
    assert await db.read(accounts.count_hosts) == 1


async def test_moving_going_and_suspension_show(db):
    ana = await put_account(db, "ana", "there.example")
    await db.write("test", lambda tx: accounts.mark_moved(tx, ana.id, "https://new.example/a", NOW_MS))
    await db.write("test", lambda tx: accounts.mark_suspended_by_origin(tx, ana.id, suspended=True))
    assert await db.write("test", lambda tx: accounts.mark_gone(tx, ana.id, NOW_MS))
    assert not await db.write("test", lambda tx: accounts.mark_gone(tx, ana.id, NOW_MS + 1))
    now = await db.read(lambda tx: accounts.find_account(tx, ana.id))
    assert (now.moved_to, now.moved_at, now.suspended_by_origin, now.gone_at, now.version) == (
        "https://new.example/a", NOW_MS, True, NOW_MS, 4,
    )  # fmt: skip
    await db.write("test", lambda tx: accounts.mark_moved(tx, ana.id, None, NOW_MS))
    now = await db.read(lambda tx: accounts.find_account(tx, ana.id))
    assert (now.moved_to, now.moved_at) == (None, None)


async def test_counts_begin_at_zero_never_fall_below_and_keep_the_newest_date(db):
    ana = await put_account(db, "ana", "there.example")
    zero = await db.read(lambda tx: accounts.find_stats(tx, ana.id))
    assert (zero.statuses, zero.followers, zero.last_status_at) == (0, 0, None)

    async def unit(tx):
        await accounts.bump_statuses(tx, ana.id, -1, None)
        await accounts.bump_statuses(tx, ana.id, +1, NOW_MS)
        await accounts.bump_statuses(tx, ana.id, +1, NOW_MS - 5)
        await accounts.bump_statuses(tx, ana.id, -1, None)
        await accounts.bump_followers(tx, ana.id, -1)
        await accounts.set_totals(tx, ana.id, followers=5_000_000_000)
        await accounts.bump_followers(tx, ana.id, +1)

    await db.write("test", unit)
    stats = (await db.read(lambda tx: accounts.find_many_stats(tx, [ana.id, 5])))[ana.id]
    assert (stats.statuses, stats.followers, stats.following, stats.last_status_at) == (1, 5_000_000_001, 0, NOW_MS)


async def test_local_totals_count_people_and_what_they_wrote(db):
    ana = await put_account(db, "ana")
    await put_account(db, "ben")
    await put_status(db, ana)
    await put_status(db, ana)
    await put_status(db, await put_account(db, "far", "there.example"))
    assert await db.read(accounts.count_local) == (2, 2)
    assert await db.read(lambda tx: accounts.count_active(tx, NOW_MS)) == 1
    assert await db.read(lambda tx: accounts.count_active(tx, NOW_MS + 1)) == 0
