"""Posting, editing and deleting: rows, places, people told, and what leaves."""

import asyncio
import json

import pytest

from fedi.activitypub.addressing import PUBLIC
from fedi.config import PostsConfig
from fedi.errors import ClientFault
from fedi.ids import AccountId, MediaId
from fedi.model.media import Media
from fedi.outbox.draft import Draft, EditDraft, MediaDraft, PollDraft
from fedi.policies.base import PolicyMeta, Proposal, Snapshot, Verdict
from fedi.policies.host import PolicyHost
from fedi.policies.noop import NoopConfig
from fedi.store import emojis, media, relations, relays, statuses
from fedi.store.deliveries import FAN_OUT_ABOVE
from fedi.streaming.hub import STATUSES
from tests.support.offices import Office


@pytest.fixture
def office(db, clock):
    return Office(db, clock)


async def surfaces_of(db, number):
    rows = await db.read(
        lambda tx: tx.all(
            "SELECT h.name FROM slot s JOIN surface_head h ON h.surface = s.surface WHERE s.object = :n", n=number
        )
    )
    return {name for (name,) in rows}


async def put_media(office, account, number, **changes):
    one = Media(
        **{
            "id": MediaId(number),
            "account": account.id,
            "kind": "image",
            "content_type": "image/webp",
            "state": "ready",
            "path": f"{number}.webp",
            "created_at": office.clock.ms(),
            **changes,
        }
    )
    await office.db.write("test", lambda tx: media.put_media(tx, one))
    return one.id


async def test_a_post_has_its_row_its_places_and_goes_to_each_followers_server_once(office, db):
    ann = await office.person("ann")
    for name in ("bob", "bea"):
        await office.follows(await office.stranger(name, "there.example"), ann)
    await office.follows(await office.stranger("gus", "gts.example", shared=False), ann)
    number = await office.outbox.post(ann.id, Draft(text="Hello #Café\n\nbye", language="en"))

    status = await office.status(number)
    assert status.uri == f"https://here.example/users/ann/statuses/{number}"
    assert status.content.startswith("<p>Hello <a href=")
    assert (status.tags, status.source, status.thread) == (("Café",), "Hello #Café\n\nbye", number)
    assert status.conversation_uri == f"https://here.example/contexts/{number}"
    assert await surfaces_of(db, number) == {"public", "local", "tag:caf%C3%A9", f"author:{ann.uri}"}
    (create,) = await office.sent()
    assert create["type"] == "Create"
    assert create["inboxes"] == ["https://gts.example/users/gus/inbox", "https://there.example/inbox"]
    assert (create["to"], create["cc"]) == ([PUBLIC], [ann.followers_uri])
    assert create["object"]["id"] == status.uri
    assert create["seal"] == "proof"
    row = await db.read(lambda tx: tx.one("SELECT ready_at, class, host FROM object WHERE n = :n", n=number))
    assert row == (office.clock.ms() // 1000, "public", "host:here.example")


async def test_nothing_leaves_when_nobody_is_elsewhere(office):
    ann = await office.person("ann")
    await office.follows(await office.person("cat"), ann)
    await office.outbox.post(ann.id, Draft(text="Hello"))
    assert await office.sent() == []


@pytest.mark.parametrize(
    ("visibility", "inboxes", "surfaces"),
    [
        ("public", {"https://f.example/inbox", "https://m.example/inbox"}, 3),
        ("unlisted", {"https://f.example/inbox", "https://m.example/inbox"}, 1),
        ("private", {"https://f.example/inbox", "https://m.example/inbox"}, 1),
        ("direct", {"https://m.example/inbox"}, 0),
    ],
)
async def test_a_post_reaches_whom_its_visibility_names_and_nobody_else(office, db, visibility, inboxes, surfaces):
    ann = await office.person("ann")
    await office.follows(await office.stranger("fay", "f.example"), ann)
    mia = await office.stranger("mia", "m.example")
    await db.write(
        "test",
        lambda tx: relays.put_relay(
            tx, inbox="https://relay.example/inbox", actor=None, follow_uri="https://here.example/f", now_ms=1
        ),
    )
    await db.write("test", lambda tx: relays.set_state(tx, "https://here.example/f", "accepted"))
    number = await office.outbox.post(ann.id, Draft(text="Hi @mia@m.example", visibility=visibility))
    (create,) = await office.sent()
    expected = inboxes | ({"https://relay.example/inbox"} if visibility == "public" else set())
    assert set(create["inboxes"]) == expected
    assert create["seal"] == ("ld" if visibility == "public" else "proof")
    everybody = {*create["to"], *create["cc"]}
    assert (PUBLIC in everybody) == (visibility in {"public", "unlisted"})
    assert (ann.followers_uri in everybody) == (visibility != "direct")
    assert mia.uri in everybody
    assert len(await surfaces_of(db, number)) == surfaces
    assert create["object"]["tag"] == [{"type": "Mention", "href": mia.uri, "name": "@mia@m.example"}]
    addressed = await db.read(lambda tx: statuses.list_addressed(tx, number))
    assert [one.account for one in addressed] == [mia.id]


async def test_a_reply_joins_its_thread_tells_whom_it_answers_and_may_be_passed_on(office):
    ann = await office.person("ann")
    bob = await office.stranger("bob", "there.example")
    parent = await office.remote_status(bob)
    number = await office.outbox.post(ann.id, Draft(text="Yes", in_reply_to=parent.id))
    status = await office.status(number)
    assert (status.in_reply_to, status.in_reply_to_uri, status.thread) == (parent.id, parent.uri, parent.id)
    assert status.conversation_uri == parent.conversation_uri
    (create,) = await office.sent()
    assert create["inboxes"] == ["https://there.example/inbox"]
    assert create["object"]["inReplyTo"] == parent.uri
    assert create["seal"] == "ld"
    assert bob.uri not in create["cc"], "who is not named is not addressed"


async def test_a_reply_to_a_private_post_does_not_go_to_its_author_unless_named(office):
    ann = await office.person("ann")
    bob = await office.stranger("bob", "there.example")
    await office.follows(ann, bob)
    parent = await office.remote_status(bob, visibility="private")
    await office.outbox.post(ann.id, Draft(text="Psst", in_reply_to=parent.id, visibility="private"))
    assert await office.sent() == []


async def test_local_people_are_told_and_listeners_hear_after_the_commit(office, db):
    ann, cat = await office.person("ann"), await office.person("cat")
    dan = await office.person("dan")
    await office.follows(dan, ann, notify=True)
    with office.hub.subscribe(STATUSES) as events:
        number = await office.outbox.post(ann.id, Draft(text="Hi @cat and @nobody"))
        event = await anext(aiter(events))
    assert (event.kind, event.status, event.author) == ("update", number, ann.id)
    assert await office.told(cat) == [("mention", ann.id, number)]
    assert await office.told(dan) == [("status", ann.id, number)]
    status = await office.status(number)
    assert [mention.acct for mention in status.mentions] == ["cat"]
    assert "@nobody" in status.content


async def test_somebody_on_another_server_is_looked_up_before_the_transaction(db, clock):
    asked = []

    class People:
        async def find_by_handle(self, username, domain):
            asked.append((username, domain))
            return zoe.id if username == "Zoe" else None

    office = Office(db, clock, people=People())
    ann = await office.person("ann")
    zoe = await office.stranger("zoe", "new.example")
    number = await office.outbox.post(ann.id, Draft(text="@Zoe@split.example @gone@away.example", visibility="direct"))
    assert asked == [("Zoe", "split.example"), ("gone", "away.example")]
    assert [mention.id for mention in (await office.status(number)).mentions] == [zoe.id]


BAD_DRAFTS = [
    (Draft(text="  "), "empty"),
    (Draft(text="x" * 5001), "text-too-long"),
    (Draft(text="a\x00b"), "bad-text"),
    (Draft(text="\ud800"), "bad-text"),
    (Draft(text="x", language="klingon language"), "bad-language"),
    (Draft(text="x", media=tuple(MediaId(n) for n in range(5))), "too-many-media"),
    (Draft(text="x", media=(MediaId(1), MediaId(1))), "media-twice"),
    (Draft(text="x", media=(MediaId(1),)), "no-such-media"),
    (Draft(text="x", in_reply_to=99), "no-parent"),
    (Draft(text="x", quote=99), "not-found"),
    (Draft(text="x", poll=PollDraft(options=("a",), expires_in_s=600)), "poll-options"),
    (Draft(text="x", poll=PollDraft(options=("a", " "), expires_in_s=600)), "poll-option-empty"),
    (Draft(text="x", poll=PollDraft(options=("a", "A "), expires_in_s=600)), "poll-option-twice"),
    (Draft(text="x", poll=PollDraft(options=("a", "b" * 101), expires_in_s=600)), "poll-option-too-long"),
    (Draft(text="x", poll=PollDraft(options=("a", "b"), expires_in_s=5)), "poll-duration"),
    (Draft(text="x", media=(MediaId(1),), poll=PollDraft(options=("a", "b"), expires_in_s=600)), "poll-with-media"),
]


@pytest.mark.parametrize(("draft", "code"), BAD_DRAFTS, ids=[code for _, code in BAD_DRAFTS])
async def test_a_bad_draft_is_refused_with_a_sentence_and_changes_nothing(sqlite_db, clock, draft, code):
    office = Office(sqlite_db, clock)
    ann = await office.person("ann")
    with pytest.raises(ClientFault) as fault:
        await office.outbox.post(ann.id, draft)
    assert fault.value.code == code
    assert " " in fault.value.safe
    assert await sqlite_db.read(lambda tx: tx.value("SELECT count(*) FROM object")) == 0
    assert await sqlite_db.read(lambda tx: tx.value("SELECT count(*) FROM status")) == 0


async def test_the_length_counts_links_and_handles_as_apps_do(sqlite_db, clock):
    office = Office(sqlite_db, clock, posts=PostsConfig(max_characters=30))
    ann = await office.person("ann")
    await office.outbox.post(ann.id, Draft(text="see https://example.com/" + "x" * 500))
    with pytest.raises(ClientFault):
        await office.outbox.post(ann.id, Draft(text="x" * 31))


async def test_files_are_the_authors_own_ready_and_used_once(office):
    ann, cat = await office.person("ann"), await office.person("cat")
    mine = await put_media(office, ann, 1, description="A cat")
    for number, owner, state, code in ((2, cat, "ready", "no-such-media"), (3, ann, "processing", "media-processing")):
        other = await put_media(office, owner, number, state=state)
        with pytest.raises(ClientFault) as fault:
            await office.outbox.post(ann.id, Draft(text="x", media=(other,)))
        assert fault.value.code == code
    bob = await office.stranger("bob", "there.example")
    await office.follows(bob, ann)
    number = await office.outbox.post(ann.id, Draft(media=(mine,), sensitive=True))
    (create,) = await office.sent()
    assert create["object"]["attachment"][0]["url"] == "https://here.example/media/1.webp"
    assert create["object"]["attachment"][0]["name"] == "A cat"
    assert (await office.status(number)).has_media
    with pytest.raises(ClientFault) as fault:
        await office.outbox.post(ann.id, Draft(text="again", media=(mine,)))
    assert fault.value.code == "media-in-use"


async def test_the_same_idempotency_key_gives_the_same_post_even_at_the_same_time(office, db):
    ann, cat = await office.person("ann"), await office.person("cat")
    draft = Draft(text="Once", idempotency_key="k")
    numbers = await asyncio.gather(*(office.outbox.post(ann.id, draft) for _ in range(5)))
    assert len(set(numbers)) == 1
    assert await office.outbox.post(cat.id, draft) not in numbers
    office.clock.advance(hours=1, s=1)
    assert await office.outbox.post(ann.id, draft) not in numbers
    assert await db.read(lambda tx: tx.value("SELECT count(*) FROM status")) == 3


async def test_an_error_is_never_remembered_under_its_key(office):
    ann = await office.person("ann")
    with pytest.raises(ClientFault):
        await office.outbox.post(ann.id, Draft(text="x", in_reply_to=99, idempotency_key="k"))
    assert await office.outbox.post(ann.id, Draft(text="x", idempotency_key="k"))


async def test_a_poll_is_a_question_and_its_end_is_planned(office):
    ann = await office.person("ann")
    await office.follows(await office.stranger("bob", "there.example"), ann)
    poll = PollDraft(options=("Yes ", "No"), expires_in_s=600, multiple=True)
    number = await office.outbox.post(ann.id, Draft(text="Well?", poll=poll))
    (create,) = await office.sent()
    assert create["object"]["type"] == "Question"
    assert [option["name"] for option in create["object"]["anyOf"]] == ["Yes", "No"]
    (job,) = await office.waiting("maintenance")
    assert json.loads(job.payload) == {"task": "poll-end", "poll": number}
    assert job.run_at == office.clock.ms() + 600_000


async def test_custom_emoji_of_ours_go_with_the_post(office, db):
    ann = await office.person("ann")
    await office.follows(await office.stranger("bob", "there.example"), ann)
    await db.write(
        "test",
        lambda tx: emojis.put_emoji(
            tx, shortcode="cat", url="emoji/cat.png", static_url="emoji/cat.png", updated_at=office.clock.ms()
        ),
    )
    number = await office.outbox.post(ann.id, Draft(text="a :cat: and :dog: at 10:cat:11", spoiler=""))
    assert [emoji.shortcode for emoji in (await office.status(number)).emojis] == ["cat"]
    (create,) = await office.sent()
    assert create["object"]["tag"][0]["icon"]["url"] == "https://here.example/media/emoji/cat.png"


async def test_a_surface_ahead_of_the_clock_gives_a_higher_number_and_its_uri_with_it(office, db):
    ann = await office.person("ann")
    first = await office.outbox.post(ann.id, Draft(text="one"))
    ahead = first + (1 << 40)
    await db.write("test", lambda tx: tx.run("UPDATE surface_head SET last_id = :ahead", ahead=ahead))
    second = await office.outbox.post(ann.id, Draft(text="two"))
    assert second > ahead
    assert (await office.status(second)).uri.endswith(f"/{second}")
    slots = await db.read(
        lambda tx: tx.all(
            "SELECT object FROM slot WHERE object = :a OR object = :b ORDER BY surface, pos", a=first, b=second
        )
    )
    assert [n for (n,) in slots] == [first, second] * 3


async def test_very_many_servers_are_written_by_one_job(office, db):
    ann = await office.person("ann")

    async def followers(tx):
        for n in range(FAN_OUT_ABOVE + 1):
            account = AccountId(10**15 + n)
            await tx.run(
                "INSERT INTO account (id, uri, local, kind, username, username_folded, domain, host, inbox, created_at)"
                " VALUES (:id, :uri, 0, 'Person', 'f', 'f', :host, :host, :inbox, 1)",
                id=account,
                uri=f"https://h{n}.example/f",
                host=f"h{n}.example",
                inbox=f"https://h{n}.example/inbox",
            )
            await relations.put_follow(tx, follower=account, target=ann.id, state="accepted", uri=None, now_ms=1)

    await db.write("test", followers)
    await office.outbox.post(ann.id, Draft(text="Hello all"))
    assert [job.kind for job in await office.waiting("fan_out")] == ["fan_out"]
    assert await office.waiting("deliver") == []


async def test_a_refused_server_gets_nothing_and_the_author_sees_why(office, db):
    ann = await office.person("ann")
    await office.follows(await office.stranger("bob", "bad.example"), ann)
    decision = await db.write(
        "test",
        lambda tx: office.decisions.decide(
            tx,
            effect="refuse",
            subject="bad.example",
            rule="1",
            reason="Spam",
            until_ms=office.clock.ms() + 3_600_000,
            by_role="admin",
            now_ms=office.clock.ms(),
        ),
    )
    await office.outbox.post(ann.id, Draft(text="Hello"))
    assert await office.waiting("deliver") == []
    row = await db.read(lambda tx: tx.one("SELECT state, last_error FROM delivery"))
    assert row == ("refused", f"refused-by-us {decision.id}")


async def test_a_suspended_account_cannot_act_and_is_told_why(office, db):
    ann = await office.person("ann")
    await db.write(
        "test",
        lambda tx: office.decisions.decide(
            tx,
            effect="suspend",
            subject=ann.uri,
            rule="1",
            reason="Spam waves",
            until_ms=office.clock.ms() + 3_600_000,
            by_role="admin",
            now_ms=office.clock.ms(),
        ),
    )
    with pytest.raises(ClientFault) as fault:
        await office.outbox.post(ann.id, Draft(text="Hello"))
    assert (fault.value.code, fault.value.status) == ("suspended", 403)
    assert fault.value.params == {"reason": "Spam waves"}


async def test_policies_are_asked_about_what_they_declared_and_restrict_nothing_by_themselves(db, clock):
    seen: list[Snapshot] = []

    class Curious:
        meta = PolicyMeta(
            id="curious",
            version="1",
            hooks=frozenset({"outgoing"}),
            capabilities=frozenset({"text"}),
            describe={"en": "x", "fr": "x", "ar": "x"},
        )
        Config = NoopConfig

        def decide(self, snapshot, config):
            seen.append(snapshot)
            lines = dict.fromkeys(("en", "fr", "ar"), "Think again?")
            return Proposal(verdict=Verdict.NUDGE, reason="tone", explain=lines)

    office = Office(db, clock, policies=PolicyHost([Curious()]))
    ann = await office.person("ann")
    number = await office.outbox.post(ann.id, Draft(text="Grr"))
    assert (await office.status(number)).source == "Grr"
    assert [(one.hook, one.activity, dict(one.capabilities)) for one in seen] == [
        ("outgoing", "Create", {"text": "Grr"})
    ]


async def test_an_edit_keeps_history_goes_to_whoever_has_the_post_and_tells_boosters(office, db):
    ann, cat = await office.person("ann"), await office.person("cat")
    bob = await office.stranger("bob", "there.example")
    await office.follows(bob, ann)
    picture = await put_media(office, ann, 1)
    number = await office.outbox.post(ann.id, Draft(text="Helo @bob@there.example", media=(picture,)))
    await office.outbox.reblog(cat.id, number)
    await db.write("test", lambda tx: relations.drop_follow(tx, bob.id, ann.id))
    change = EditDraft(
        text="Hello", media=(picture,), media_changes=(MediaDraft(id=picture, description="A cat"),), spoiler="cw"
    )
    await office.outbox.edit(ann.id, number, change)

    status = await office.status(number)
    assert (status.source, status.spoiler, status.sensitive) == ("Hello", "cw", True)
    assert status.edited_at == office.clock.ms() + 1000, "later than the first version, also in whole seconds"
    edits = await db.read(lambda tx: statuses.list_edits(tx, number))
    assert len(edits) == 1
    assert edits[0].content.startswith("<p>Helo ")
    (update,) = await office.sent("Update")
    assert update["inboxes"] == ["https://there.example/inbox"], "who had it hears of the change"
    assert update["object"]["updated"] > update["object"]["published"]
    assert update["object"]["attachment"][0]["name"] == "A cat"
    assert bob.uri in update["cc"], "who was named once stays addressed"
    assert (update["to"], update["cc"]) == (update["object"]["to"], update["object"]["cc"])
    assert ("update", ann.id, number) in await office.told(cat)


async def test_only_the_author_may_edit_or_delete(office):
    ann, cat = await office.person("ann"), await office.person("cat")
    number = await office.outbox.post(ann.id, Draft(text="Mine"))
    boost = await office.outbox.reblog(cat.id, number)
    for act in (
        office.outbox.edit(cat.id, number, EditDraft(text="x")),
        office.outbox.delete(cat.id, number),
        office.outbox.edit(cat.id, boost, EditDraft(text="x")),
        office.outbox.delete(cat.id, boost),
        office.outbox.pin(cat.id, number),
    ):
        with pytest.raises(ClientFault):
            await act
    assert (await office.status(number)).source == "Mine"


async def test_votes_stay_while_the_question_stays(office, db):
    ann, cat = await office.person("ann"), await office.person("cat")
    poll = PollDraft(options=("a", "b"), expires_in_s=600)
    number = await office.outbox.post(ann.id, Draft(text="?", poll=poll))
    await office.outbox.vote(cat.id, number, [0])
    await office.outbox.edit(ann.id, number, EditDraft(text="??", poll=poll))
    options = await db.read(lambda tx: tx.value("SELECT options FROM poll"))
    assert [option["votes"] for option in json.loads(options)] == [1, 0]
    changed = PollDraft(options=("a", "c"), expires_in_s=600)
    await office.outbox.edit(ann.id, number, EditDraft(text="??", poll=changed))
    options = await db.read(lambda tx: tx.value("SELECT options FROM poll"))
    assert [option["votes"] for option in json.loads(options)] == [0, 0]
    await office.outbox.edit(ann.id, number, EditDraft(text="no question"))
    assert (await office.status(number)).kind == "Note"
    assert await db.read(lambda tx: tx.value("SELECT count(*) FROM poll")) == 0


async def test_a_deleted_post_keeps_its_places_frees_its_files_and_is_deleted_elsewhere(office, db):
    ann, cat = await office.person("ann"), await office.person("cat")
    await office.follows(await office.stranger("bob", "there.example"), ann)
    picture = await put_media(office, ann, 1)
    number = await office.outbox.post(ann.id, Draft(text="Oops @cat", media=(picture,)))
    boost = await office.outbox.reblog(cat.id, number)
    before = await surfaces_of(db, number)
    await office.outbox.delete(ann.id, number)

    status = await office.status(number)
    assert (status.deleted_at, status.content, status.source) == (office.clock.ms(), "", None)
    assert await surfaces_of(db, number) == before
    gone = await db.read(lambda tx: tx.all("SELECT n FROM object WHERE gone = 'author' ORDER BY n"))
    assert [n for (n,) in gone] == [number, boost]
    assert await office.told(cat) == []
    (delete,) = await office.sent("Delete")
    assert delete["object"] == {"id": status.uri, "type": "Tombstone"}
    assert (delete["to"], delete["inboxes"]) == ([PUBLIC], ["https://there.example/inbox"])
    assert await db.read(lambda tx: statuses.find_tombstone(tx, status.uri)) is not None
    again = await office.outbox.post(ann.id, Draft(text="Better", media=(picture,)))
    assert (await office.status(again)).has_media
    with pytest.raises(ClientFault):
        await office.outbox.delete(ann.id, number)


async def test_the_delete_of_a_direct_post_goes_to_its_addressees_only(office):
    ann = await office.person("ann")
    await office.follows(await office.stranger("fay", "f.example"), ann)
    mia = await office.stranger("mia", "m.example")
    number = await office.outbox.post(ann.id, Draft(text="@mia@m.example hush", visibility="direct"))
    await office.outbox.delete(ann.id, number)
    (delete,) = await office.sent("Delete")
    assert (delete["to"], delete["cc"], delete["inboxes"]) == ([mia.uri], [], ["https://m.example/inbox"])
