"""Positions are dense on both engines, whatever happens at the same time or is rolled back."""

import asyncio
import random

import pytest

from fedi.clock import SystemClock
from fedi.ids import IdMaker, ms_of_id
from fedi.ledger.slots import find_object, mark_gone, mark_ready, open_object
from tests.support.clocks import FakeClock

DAY_MS = 24 * 3600 * 1000
NOW = FakeClock().ms()
POSITIONS = """SELECT h.name, s.pos, s.object, h.next FROM slot s JOIN surface_head h ON h.surface = s.surface
                ORDER BY h.name, s.pos"""


class GaveUp(Exception):
    pass


def an_object(tx, ids, number, *, author="ann", **changes):
    facts = {
        "uri": f"https://a.example/notes/{number}",
        "account": 7,
        "author_uri": f"https://a.example/users/{author}",
        "host": "a.example",
        "visibility": "public",
        "local": False,
        "is_reply_to_uri": None,
        "tags": (),
        "boost_of": None,
        "delivered": True,
        "published_at_ms": NOW,
        "body_hash": b"\x00" * 32,
        "now_ms": NOW,
        "ids": ids,
    }
    return open_object(tx, **(facts | changes))


async def surfaces(db):
    found = {}
    for name, pos, n, following in await db.read(lambda tx: tx.all(POSITIONS)):
        found.setdefault(name, []).append((pos, n))
        assert pos < following
    return found


@pytest.fixture
def ids():
    return IdMaker(FakeClock())


async def test_positions_are_dense_and_ids_rise_with_them_under_concurrency_and_rollbacks(db):
    dice = random.Random(7)
    ids = IdMaker(SystemClock())
    fates = [dice.random() < 0.25 for _ in range(120)]

    def job(number, fails):
        async def unit(tx):
            tags = ("cats",) if number % 3 == 0 else ("cats", f"t{number % 5}")
            opened = await an_object(tx, ids, number, author=f"u{number % 4}", tags=tags, local=number % 2 == 0)
            if fails:
                raise GaveUp
            return opened.n

        return db.write("test", unit)

    outcomes = await asyncio.gather(*(job(n, fails) for n, fails in enumerate(fates)), return_exceptions=True)
    assert [isinstance(outcome, GaveUp) for outcome in outcomes] == fates
    found = await surfaces(db)
    assert len(found["public"]) == fates.count(False)
    assert {"public", "local", "tag:cats", "tag:t0", "author:https://a.example/users/u3"} <= set(found)
    for slots in found.values():
        assert [pos for pos, _ in slots] == list(range(len(slots)))
        numbers = [n for _, n in slots]
        assert numbers == sorted(set(numbers))


async def test_the_same_post_is_opened_once(db, ids):
    first = await db.write("test", lambda tx: an_object(tx, ids, 1))
    again = await db.write("test", lambda tx: an_object(tx, ids, 1))
    assert (again.n, again.existed, again.surfaces) == (first.n, True, ())
    assert {name: len(slots) for name, slots in (await surfaces(db)).items()} == {
        "public": 1,
        "author:https://a.example/users/ann": 1,
    }


async def test_a_second_boost_of_the_same_post_gets_the_number_of_the_first(db, ids):
    boost = {"boost_of": "https://b.example/notes/1"}
    first = await db.write("test", lambda tx: an_object(tx, ids, 1, **boost))
    again = await db.write("test", lambda tx: an_object(tx, ids, 2, **boost))
    other = await db.write("test", lambda tx: an_object(tx, ids, 3, account=8, **boost))
    assert again.n == first.n and again.existed
    assert other.n != first.n
    await db.write("test", lambda tx: mark_gone(tx, first.n, "author"))
    anew = await db.write("test", lambda tx: an_object(tx, ids, 4, **boost))
    assert not anew.existed


async def test_ids_rise_with_positions_even_when_the_clock_goes_back(db):
    clock = FakeClock()
    late = await db.write("test", lambda tx: an_object(tx, IdMaker(clock), 1))
    clock.advance(days=-1)
    early = await db.write("test", lambda tx: an_object(tx, IdMaker(clock), 2, author="bea"))
    assert early.n == late.n + 1
    clock.advance(hours=1)
    by_bea = await db.write("test", lambda tx: an_object(tx, IdMaker(clock), 3, author="bea", visibility="unlisted"))
    assert by_bea.n > early.n


async def test_a_fetched_post_gets_an_id_of_its_time_and_stands_in_no_news(db, ids):
    old = {"delivered": False, "published_at_ms": NOW - 400 * DAY_MS}
    opened = await db.write("test", lambda tx: an_object(tx, ids, 1, tags=("cats",), **old))
    assert ms_of_id(opened.n) == NOW - 400 * DAY_MS
    assert opened.surfaces == ("archive:https://a.example/users/ann",)
    fresh = await db.write("test", lambda tx: an_object(tx, ids, 2))
    assert fresh.n > opened.n


async def test_two_fetched_posts_of_one_instant_get_two_ids(db, ids):
    async def both(tx):
        return [(await an_object(tx, ids, n, delivered=False)).n for n in range(50)]

    assert len(set(await db.write("test", both))) == 50


async def test_ready_and_gone_are_set_once(db, ids):
    opened = await db.write("test", lambda tx: an_object(tx, ids, 1))

    async def settle(tx):
        await mark_ready(tx, opened.n, NOW)
        await mark_ready(tx, opened.n, NOW + 5000)
        await mark_gone(tx, opened.n, "author")
        await mark_gone(tx, opened.n, "void")

    await db.write("test", settle)
    assert await db.read(lambda tx: tx.one("SELECT ready_at, gone FROM object")) == (NOW // 1000, "author")
    assert await db.read(lambda tx: find_object(tx, "https://a.example/notes/1")) == opened.n
    assert len((await surfaces(db))["public"]) == 1
