"""A small town of posts: long names, three languages, warnings, polls, a thread, decisions. For pages to be looked at."""

from dataclasses import dataclass

from fedi.activitypub.uris import LocalUris
from fedi.ids import MediaId, StatusId
from fedi.model.accounts import Account, ProfileField
from fedi.model.media import Extent, Media, MediaMeta
from fedi.model.polls import Poll, PollOption
from fedi.model.statuses import Status
from fedi.store import deliveries, media, polls, statuses
from fedi.store.database import Database, Tx
from fedi.store.deliveries import Attempt, Destination
from tests.support.clocks import FakeClock
from tests.support.web import add_person, add_post, add_stranger

LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff‑Maria‑Theresia‑Annunziata‑Konstanze von und zu Überallundnirgends"


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    alice: Account
    noor: Account
    root: Status
    warned: Status
    private: Status
    deleted: Status


async def build_town(db: Database, uris: LocalUris, clock: FakeClock) -> Town:
    clock.advance(days=-2)
    alice = await add_person(
        db,
        uris,
        clock,
        "alice",
        display_name="Alice Meadows",
        note="<p>Gardener, slow reader, collects maps of towns that no longer exist. She writes in English and French.</p>",
        fields=(
            ProfileField(name="Site", value='<a href="https://alice.example/" rel="me nofollow">alice.example</a>'),
            ProfileField(name="الاسم", value="أليس"),
        ),
        indexable=True,
    )
    noor = await add_person(db, uris, clock, "noor", display_name="نور الدين", note="<p>أكتب عن الكتب والبحر.</p>")
    bob = await add_stranger(db, clock, "bob", "far.example", display_name=LONG_NAME)
    eve = await add_stranger(db, clock, "eve", "a-rather-long-host-name.that-goes-on.example")
    root = await add_post(
        db,
        clock,
        alice,
        "<p>The old orchard behind the mill has forty kinds of apples, and nobody remembers the names of nine of them.</p>"
        "<p>If your grandparents had a garden here before 1970: what did they call the small red one with the "
        'crooked stem? <a href="https://orchard.example/list">orchard.example/list</a></p>',
        language="en",
    )
    clock.advance(s=600)
    first = await add_post(
        db, clock, bob, "<p>Mine said “Devil’s apple”, but only when my aunt was out of the room.</p>", reply_to=root
    )
    clock.advance(s=300)
    second = await add_post(
        db,
        clock,
        noor,
        "<p>جدتي كانت تسميها تفاح الجبل، وكانت تجففها على السطح في آخر الصيف.</p>",
        reply_to=first,
        language="ar",
    )
    clock.advance(s=300)
    third = await add_post(
        db, clock, alice, "<p>@noor Thank you! « Pomme de montagne » in the lists of 1931, then.</p>", reply_to=second
    )
    await add_post(db, clock, eve, f"<p>https://example.com/{'long-path/' * 14}</p>", reply_to=third)
    deleted = await add_post(db, clock, bob, "<p>Not this.</p>", reply_to=root)
    await db.write("delete", lambda tx: statuses.mark_deleted(tx, deleted.id, clock.ms()))
    clock.advance(hours=3)
    warned = await add_post(
        db,
        clock,
        alice,
        "<p>Le loup n’a rien fait, finalement. C’est le berger qui avait perdu la clef.</p>",
        spoiler="La fin du film",
        sensitive=True,
        language="fr",
    )
    private = await add_post(db, clock, alice, "<p>For those who follow me.</p>", visibility="private")
    clock.advance(hours=2)
    asked = await add_post(db, clock, alice, "<p>What shall we press first?</p>", poll=1, has_media=True, language="en")
    clock.advance(hours=1)
    await add_post(
        db, clock, noor, "<p>صباح الخير من المرسى. البحر هادئ اليوم، والقوارب <b>كلها</b> هنا.</p>", language="ar"
    )

    async def details(tx: Tx) -> None:
        options = (
            PollOption(title="Russet", votes=7),
            PollOption(title="التفاح الأحمر", votes=3),
            PollOption(title="Quinces"),
        )
        await polls.put_poll(tx, Poll(id=asked.id, multiple=False, expires_at=clock.ms() + 86_400_000, options=options))
        await media.put_media(
            tx,
            Media(
                id=MediaId(asked.id + 1),
                account=alice.id,
                status=StatusId(asked.id),
                kind="image",
                content_type="image/png",
                state="ready",
                path="press.png",
                description="The cider press in the shed, its screw freshly greased.",
                meta=MediaMeta(original=Extent(width=1200, height=800)),
                created_at=clock.ms(),
            ),
        )
        await statuses.bump_stats(tx, root.id, reblogs=12, favourites=31)
        await deliveries.send(
            tx,
            activity_uri=f"{root.uri}/activity",
            kind="Create",
            account=alice.id,
            status=root.id,
            body=b"{}",
            destinations=[
                Destination(inbox=f"https://{host}/inbox", recipients=2)
                for host in (
                    "far.example",
                    "near.example",
                    "gone.example",
                    "a-rather-long-host-name.that-goes-on.example",
                )
            ],
            now_ms=clock.ms() - 3_600_000,
            priority=1,
        )
        report = await tx.all("SELECT id, host FROM delivery ORDER BY id")
        states = {
            "far.example": Attempt(delivery=0, state="sent", now_ms=clock.ms() - 3_500_000, code=202),
            "near.example": Attempt(
                delivery=0, state="retrying", now_ms=clock.ms() - 60_000, code=503, error="unavailable",
                next_at=clock.ms() + 300_000,
            ),
            "gone.example": Attempt(delivery=0, state="refused", now_ms=clock.ms() - 9_000, code=403, error="forbidden"),
        }  # fmt: skip
        for number, host in report:
            if host in states:
                found = states[host]
                await deliveries.put_attempts(
                    tx,
                    [
                        Attempt(
                            delivery=number, state=found.state, now_ms=found.now_ms, code=found.code, error=found.error,
                            next_at=found.next_at,
                        )
                    ],
                )  # fmt: skip

    await db.write("details", details)
    clock.advance(hours=1)
    return Town(alice=alice, noor=noor, root=root, warned=warned, private=private, deleted=deleted)
