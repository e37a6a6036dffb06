"""Pages of slots, on both engines: order, paging, the waiting edge, and places that are hidden but never absent."""

import pytest

from fedi.feeds.page import Cursor, Feeds
from fedi.ids import AccountId, IdMaker
from fedi.ledger import slots
from fedi.store import relations, timelines
from fedi.store.database import Database

ANN, BOB, EVE = AccountId(1), AccountId(2), AccountId(3)
URIS = {ANN: "https://a.example/ann", BOB: "https://b.example/bob", EVE: "https://e.example/eve"}


class World:
    def __init__(self, db: Database, clock) -> None:
        self.db, self.clock, self.ids, self.feeds = db, clock, IdMaker(clock), Feeds(clock)
        self.posts = 0

    async def post(self, account, *, visibility="public", ready=True, tags=(), reply_to=None, boost_of=None) -> int:
        self.posts += 1
        self.clock.advance(ms=1000)

        async def unit(tx):
            opened = await slots.open_object(
                tx,
                uri=f"{URIS[account]}/{self.posts}",
                account=account,
                author_uri=URIS[account],
                host=URIS[account].split("/")[2],
                visibility=visibility,
                local=False,
                is_reply_to_uri=reply_to,
                tags=tags,
                boost_of=boost_of,
                delivered=True,
                published_at_ms=self.clock.ms(),
                body_hash=b"\x00" * 32,
                now_ms=self.clock.ms(),
                ids=self.ids,
            )
            if ready:
                await slots.mark_ready(tx, opened.n, self.clock.ms())
            return opened.n

        return await self.db.write("post", unit)

    async def follow(self, follower, target) -> None:
        async def unit(tx):
            await relations.put_follow(
                tx, follower=follower, target=target, state="accepted", uri=None, now_ms=self.clock.ms()
            )

        await self.db.write("follow", unit)

    async def home(self, viewer, limit=20, **cursor):
        return await self.db.read(lambda tx: self.feeds.home(tx, viewer, Cursor(**cursor), limit))

    async def surface(self, name, limit=20, **cursor):
        return await self.db.read(lambda tx: self.feeds.surface(tx, name, Cursor(**cursor), limit))

    async def account(self, account, limit=20, *, followers=False, narrow=frozenset(), tag=None, **cursor):
        return await self.db.read(
            lambda tx: self.feeds.account(
                tx, account, Cursor(**cursor), limit, followers=followers, narrow=narrow, tag=tag
            )
        )


@pytest.fixture
def world(db, clock):
    return World(db, clock)


def ids(page) -> list[int]:
    return [entry.object for entry in page.entries]


async def test_public_page_is_newest_first_and_pages_down_and_up(world):
    posts = [await world.post(ANN) for _ in range(7)]
    first = await world.surface("public", 3)
    assert ids(first) == posts[:3:-1]
    second = await world.surface("public", 3, max_id=first.older)
    assert ids(second) == posts[3:0:-1]
    last = await world.surface("public", 3, max_id=second.older)
    assert ids(last) == [posts[0]]
    assert last.older is None
    up = await world.surface("public", 3, min_id=posts[0])
    assert ids(up) == posts[3:0:-1]
    since = await world.surface("public", 3, since_id=posts[0])
    assert ids(since) == posts[:3:-1]


async def test_positions_of_a_page_are_dense(world):
    for _ in range(5):
        await world.post(ANN)
    page = await world.surface("public")
    assert [entry.pos for entry in page.entries] == [4, 3, 2, 1, 0]


async def test_home_is_the_merge_of_what_is_followed_and_ones_own(world):
    mine = await world.post(EVE)
    followed = await world.post(ANN)
    await world.post(BOB)
    whispered = await world.post(ANN, visibility="private")
    await world.post(ANN, visibility="direct")
    await world.follow(EVE, ANN)
    assert ids(await world.home(EVE)) == [whispered, followed, mine]


async def test_a_follower_who_wants_no_boosts_gets_posts_alone(world):
    await world.follow(EVE, ANN)
    kept = await world.post(ANN)
    boost = await world.post(ANN, boost_of="https://b.example/bob/9")
    assert ids(await world.home(EVE)) == [boost, kept]

    async def unit(tx):
        await tx.run("UPDATE follow SET reblogs = 0 WHERE follower = :f", f=EVE)

    await world.db.write("no boosts", unit)
    assert ids(await world.home(EVE)) == [kept]


async def test_a_sparse_home_finds_old_posts_behind_many_others(world, monkeypatch):
    monkeypatch.setattr(timelines, "WINDOW", 5)
    await world.follow(EVE, ANN)
    old = [await world.post(ANN) for _ in range(2)]
    for _ in range(12):
        await world.post(BOB)
    page = await world.home(EVE)
    assert ids(page) == old[::-1]


async def test_a_home_that_gives_up_searching_can_be_paged_on(world, monkeypatch):
    monkeypatch.setattr(timelines, "WINDOW", 2)
    await world.follow(EVE, ANN)
    old = await world.post(ANN)
    for _ in range(12):
        await world.post(BOB)
    page = await world.home(EVE)
    assert ids(page) == []
    assert page.older is not None
    assert ids(await world.home(EVE, max_id=page.older)) == [old]


async def test_the_newest_end_waits_for_what_is_being_processed(world):
    before = await world.post(ANN)
    pending = await world.post(ANN, ready=False)
    after = await world.post(ANN)
    assert ids(await world.surface("public")) == [before]
    world.clock.advance(s=11)
    page = await world.surface("public")
    assert ids(page) == [after, pending, before]
    assert [entry.state for entry in page.entries] == ["shown", "pending", "shown"]


async def test_a_profile_shows_followers_posts_to_followers_only(world):
    public = await world.post(ANN)
    private = await world.post(ANN, visibility="private")
    assert ids(await world.account(ANN)) == [public]
    assert ids(await world.account(ANN, followers=True)) == [private, public]


async def test_a_profile_can_be_narrowed_by_its_reader(world):
    post = await world.post(ANN, tags=("Fedi",))
    await world.post(ANN, boost_of="https://b.example/bob/9")
    assert ids(await world.account(ANN, narrow=frozenset({"no_reblogs"}))) == [post]
    assert ids(await world.account(ANN, tag="fedi")) == [post]
    assert ids(await world.account(ANN, tag="other")) == []


async def put_decision(world, subject, *, surface="*", until, ended_at=None, effect="suspend"):
    async def unit(tx):
        await tx.run(
            """INSERT INTO decision (id, scope, subject, effect, surfaces, rule, reason, by_role, start_at, until,
               ended_at) VALUES (:id, 'account', :subject, :effect, '[]', 'rules/1', 'x', 'admin', 0, :until, :ended)""",
            id=f"d-{subject}-{surface}",
            subject=subject,
            effect=effect,
            until=until,
            ended=ended_at,
        )
        await tx.run(
            "INSERT INTO restriction (subject, surface, decision) VALUES (:s, :f, :d)",
            s=subject,
            f=surface,
            d=f"d-{subject}-{surface}",
        )

    await world.db.write("decide", unit)


async def test_a_decision_turns_places_into_placeholders_and_ends_by_itself(world):
    other = await world.post(BOB)
    hidden = await world.post(ANN)
    until = world.clock.ms() // 1000 + 60
    await put_decision(world, URIS[ANN], until=until)
    page = await world.surface("public")
    assert [(entry.object, entry.state) for entry in page.entries] == [(hidden, "hidden"), (other, "shown")]
    assert page.entries[0].decisions == (f"d-{URIS[ANN]}-*",)
    assert page.entries[0].until == until
    world.clock.advance(s=61)
    assert [entry.state for entry in (await world.surface("public")).entries] == ["shown", "shown"]


async def test_a_decision_on_a_host_or_one_kind_of_surface_reaches_no_further(world):
    await world.post(ANN, tags=("x",))
    until = world.clock.ms() // 1000 + 60
    await put_decision(world, "host:a.example", surface="tag", until=until)
    assert [entry.state for entry in (await world.surface("tag:x")).entries] == ["hidden"]
    assert [entry.state for entry in (await world.surface("public")).entries] == ["shown"]


async def test_hidden_places_do_not_fill_a_page(world):
    shown = [await world.post(BOB) for _ in range(3)]
    hidden = [await world.post(ANN) for _ in range(30)]
    await put_decision(world, URIS[ANN], until=world.clock.ms() // 1000 + 600)
    page = await world.surface("public", 2)
    assert ids(page) == [*hidden[::-1], shown[2], shown[1]]
    assert ids(await world.surface("public", 2, max_id=page.older)) == [shown[0]]
