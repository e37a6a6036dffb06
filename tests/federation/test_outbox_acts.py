"""Boosts, likes, reactions, votes, pins, quotes, follows, blocks, reports, profiles, leaving: what changes here, who is
told, and what leaves."""

import pytest

from fedi.activitypub.addressing import PUBLIC
from fedi.errors import ClientFault
from fedi.jobs.periodic import Every, Maintenance
from fedi.jobs.runner import JobRunner
from fedi.model.polls import Poll, PollOption
from fedi.outbox.draft import Draft, PollDraft
from fedi.outbox.interactions import is_one_emoji
from fedi.outbox.profile import ProfileDraft
from fedi.outbox.quotes import quote_answered
from fedi.outbox.upkeep import Upkeep
from fedi.store import accounts, deliveries, interactions, polls, relations, relays, reports, statuses
from tests.support.offices import Office


@pytest.fixture
def office(db, clock):
    return Office(db, clock)


@pytest.fixture
async def ann(office):
    return await office.person("ann")


@pytest.fixture
async def bob(office):
    return await office.stranger("bob", "there.example")


async def refused(act, code):
    with pytest.raises(ClientFault) as fault:
        await act
    assert fault.value.code == code


# Boosts ---------------------------------------------------------------------------------------------------------


async def test_a_boost_has_an_id_of_its_own_goes_to_followers_and_author_and_is_made_once(office, ann, bob, db):
    await office.follows(await office.stranger("fay", "f.example"), ann)
    post = await office.remote_status(bob)
    number = await office.outbox.reblog(ann.id, post.id)
    assert number != post.id
    assert await office.outbox.reblog(ann.id, post.id) == number
    (announce,) = await office.sent()
    assert announce["inboxes"] == ["https://f.example/inbox", "https://there.example/inbox"]
    assert (announce["object"], announce["actor"]) == (post.uri, ann.uri)
    assert (announce["to"], announce["cc"]) == ([PUBLIC], [ann.followers_uri, bob.uri])
    boost = await office.status(number)
    assert (boost.kind, boost.reblog_of, boost.uri) == ("Announce", post.id, announce["id"])
    assert (await db.read(lambda tx: statuses.find_stats(tx, post.id))).reblogs == 1
    surfaces = await db.read(
        lambda tx: tx.all(
            "SELECT h.name FROM slot s JOIN surface_head h ON h.surface = s.surface WHERE s.object = :n", n=number
        )
    )
    assert surfaces == [(f"author:{ann.uri}",)]


async def test_a_boost_is_taken_back_by_either_id_and_may_be_made_again(office, ann, bob):
    post = await office.remote_status(bob)
    for by_boost in (True, False):
        number = await office.outbox.reblog(ann.id, post.id)
        await office.outbox.unreblog(ann.id, number if by_boost else post.id)
        assert (await office.status(number)).deleted_at is not None
    await office.outbox.unreblog(ann.id, post.id)  # nothing there: fine
    announces, undos = await office.sent("Announce"), await office.sent("Undo")
    assert len(announces) == len(undos) == 2
    assert {undo["object"]["id"] for undo in undos} == {announce["id"] for announce in announces}
    inner = undos[0]["object"]
    assert inner == {key: value for key, value in announces[0].items() if key in inner}


@pytest.mark.parametrize(
    ("visibility", "wanted", "shown"),
    [
        ("public", None, "public"),
        ("public", "unlisted", "unlisted"),
        ("unlisted", "public", "unlisted"),
        ("public", "direct", "public"),
        ("private", None, None),
        ("direct", None, None),
    ],
)
async def test_a_boost_is_never_wider_than_its_post(office, ann, bob, visibility, wanted, shown):
    await office.follows(ann, bob)
    post = await office.remote_status(bob, visibility=visibility)
    if shown is None:
        with pytest.raises(ClientFault):
            await office.outbox.reblog(ann.id, post.id, wanted)
        return
    number = await office.outbox.reblog(ann.id, post.id, wanted)
    assert (await office.status(number)).visibility == shown


async def test_ones_own_private_post_may_be_boosted_to_the_same_followers(office, ann):
    number = await office.outbox.post(ann.id, Draft(text="x", visibility="private"))
    boost = await office.outbox.reblog(ann.id, number, "public")
    assert (await office.status(boost)).visibility == "private"


async def test_local_authors_are_told_of_boosts_and_likes_and_no_longer_when_taken_back(office, ann):
    cat = await office.person("cat")
    number = await office.outbox.post(ann.id, Draft(text="x"))
    await office.outbox.reblog(cat.id, number)
    await office.outbox.favourite(cat.id, number)
    await office.outbox.react(cat.id, number, "🐈")
    assert await office.told(ann) == [
        ("reblog", cat.id, number),
        ("favourite", cat.id, number),
        ("reaction", cat.id, number),
    ]
    await office.outbox.unreblog(cat.id, number)
    await office.outbox.unfavourite(cat.id, number)
    await office.outbox.unreact(cat.id, number, "🐈")
    assert await office.told(ann) == []
    assert await office.sent() == []


# Likes, reactions ---------------------------------------------------------------------------------------------------


async def test_a_like_goes_to_the_author_once_and_its_undo_names_it(office, ann, bob, db):
    await office.follows(await office.stranger("fay", "f.example"), ann)
    post = await office.remote_status(bob)
    await office.outbox.favourite(ann.id, post.id)
    await office.outbox.favourite(ann.id, post.id)
    (like,) = await office.sent("Like")
    assert (like["object"], like["to"], like["inboxes"]) == (post.uri, [bob.uri], ["https://there.example/inbox"])
    stored = await db.read(lambda tx: interactions.find_favourite(tx, ann.id, post.id))
    assert stored.uri == like["id"]
    await office.outbox.unfavourite(ann.id, post.id)
    await office.outbox.unfavourite(ann.id, post.id)
    (undo,) = await office.sent("Undo")
    assert undo["object"]["id"] == like["id"]
    assert (await db.read(lambda tx: statuses.find_stats(tx, post.id))).favourites == 0


async def test_what_one_may_not_see_one_may_not_act_on(office, ann, bob):
    post = await office.remote_status(bob, visibility="private")
    for act in (office.outbox.favourite, office.outbox.reblog):
        await refused(act(ann.id, post.id), "not-found")
    await refused(office.outbox.react(ann.id, post.id, "🐈"), "not-found")
    await refused(office.outbox.favourite(ann.id, 12345), "not-found")


async def test_a_reaction_is_one_emoji_or_one_of_ours(office, ann, bob):
    post = await office.remote_status(bob)
    await office.outbox.react(ann.id, post.id, "👩‍🚀")
    (react,) = await office.sent()
    assert (react["type"], react["content"], react["tag"]) == ("EmojiReact", "👩‍🚀", [])
    await refused(office.outbox.react(ann.id, post.id, "nice"), "not-an-emoji")
    await refused(office.outbox.react(ann.id, post.id, ":none:"), "no-such-emoji")


@pytest.mark.parametrize("emoji", ["🐈", "❤️", "👍🏽", "👩‍👩‍👧", "🇫🇷", "☕"])
def test_one_emoji_is_one(emoji):
    assert is_one_emoji(emoji)


@pytest.mark.parametrize("text", ["", "a", "é", "漢", "🐈🐈", "🇫", "1", "!", "🐈 ", "x" * 50, "<"])
def test_everything_else_is_not(text):
    assert not is_one_emoji(text)


# Polls --------------------------------------------------------------------------------------------------------------


async def test_a_vote_elsewhere_is_one_create_for_each_choice(office, ann, bob, db):
    post = await office.remote_status(bob, kind="Question", poll=1)
    poll = Poll(id=post.id, multiple=True, voters=0, options=tuple(PollOption(title=name) for name in "abc"))
    await db.write("test", lambda tx: polls.put_poll(tx, poll))
    await office.outbox.vote(ann.id, post.id, [2, 0])
    creates = await office.sent("Create")
    assert [create["object"]["name"] for create in creates] == ["a", "c"]
    assert all(create["to"] == [bob.uri] and "content" not in create["object"] for create in creates)
    assert {create["object"]["inReplyTo"] for create in creates} == {post.uri}
    await refused(office.outbox.vote(ann.id, post.id, [1]), "vote-already-voted")
    await refused(office.outbox.vote(ann.id, post.id, [9]), "vote-no-such-option")


async def test_votes_here_are_counted_told_a_little_later_and_the_end_is_told_to_all(office, ann, db, clock):
    cat, dan = await office.person("cat"), await office.person("dan")
    await office.follows(await office.stranger("fay", "f.example"), ann)
    poll = PollDraft(options=("yes", "no"), expires_in_s=600)
    number = await office.outbox.post(ann.id, Draft(text="?", poll=poll))
    await refused(office.outbox.vote(ann.id, number, [0]), "not-votable")
    await office.outbox.vote(cat.id, number, [0])

    upkeep = Upkeep(office.tools)
    maintenance = Maintenance(db=db, clock=clock, tasks=upkeep.tasks(), chores=upkeep.chores())
    runner = JobRunner(db=db, clock=clock, handlers={"maintenance": maintenance.handle})
    await runner.run_to_rest()
    assert await office.sent("Update") == []
    clock.advance(s=61)
    await runner.run_to_rest()
    (update,) = await office.sent("Update")
    assert update["object"]["oneOf"][0]["replies"]["totalItems"] == 1
    assert update["object"]["votersCount"] == 1
    assert "updated" not in update["object"], "a tally is no edit"
    clock.advance(s=600)
    await refused(office.outbox.vote(dan.id, number, [0]), "vote-closed")
    await runner.run_to_rest()
    assert ("poll", ann.id, number) in await office.told(ann)
    assert ("poll", ann.id, number) in await office.told(cat)
    assert "closed" in (await office.sent("Update"))[-1]["object"]


async def test_periodic_tasks_have_one_turn_in_each_period_however_many_processes(db, clock):
    turns = []

    async def chore():
        turns.append(clock.ms())

    def process():
        chores = {"sweep": Every(period_ms=60_000, run=chore)}
        return Maintenance(db=db, clock=clock, tasks={}, chores=chores)

    first, second = process(), process()
    runner = JobRunner(db=db, clock=clock, handlers={"maintenance": first.handle})
    await first.start()
    await second.start()
    await runner.run_to_rest()
    assert len(turns) == 1
    clock.advance(s=60)
    await second.start()
    await runner.run_to_rest()
    assert len(turns) == 2


# Pins ---------------------------------------------------------------------------------------------------------------


async def test_pins_are_told_with_the_collection_they_stand_in(office, ann):
    await office.follows(await office.stranger("fay", "f.example"), ann)
    numbers = [await office.outbox.post(ann.id, Draft(text=str(n))) for n in range(6)]
    for number in numbers[:5]:
        await office.outbox.pin(ann.id, number)
    await refused(office.outbox.pin(ann.id, numbers[5]), "too-many-pins")
    await office.outbox.pin(ann.id, numbers[0])
    await office.outbox.unpin(ann.id, numbers[0])
    await office.outbox.unpin(ann.id, numbers[0])
    adds, (remove,) = await office.sent("Add"), await office.sent("Remove")
    assert len(adds) == 5
    assert remove["target"] == ann.featured_uri
    assert remove["object"] == (await office.status(numbers[0])).uri


# Quotes -------------------------------------------------------------------------------------------------------------


async def test_a_quote_of_somebody_elsewhere_is_asked_for_and_told_once_answered(office, ann, bob, db):
    post = await office.remote_status(bob)
    number = await office.outbox.post(ann.id, Draft(text="Look", quote=post.id))
    status = await office.status(number)
    assert (status.quote_of, status.quote_state, status.quote_authorization) == (post.id, "pending", None)
    (request,) = await office.sent()
    assert (request["type"], request["object"], request["to"]) == ("QuoteRequest", post.uri, [bob.uri])
    assert request["instrument"]["quote"] == post.uri
    stamp = "https://there.example/stamps/1"

    async def answered(tx):
        await statuses.set_quote_state(tx, await statuses.find_status(tx, number), "accepted", stamp)
        await quote_answered(office.outbox, tx, await statuses.find_status(tx, number), office.clock.ms())

    await db.write("test", answered)
    (update,) = await office.sent("Update")
    assert update["object"]["quoteAuthorization"] == stamp


@pytest.mark.parametrize(
    ("policy", "follows", "allowed"),
    [("public", False, True), ("followers", True, True), ("followers", False, False), ("nobody", True, False)],
)
async def test_a_quote_here_follows_the_policy_of_the_quoted_author(office, ann, policy, follows, allowed):
    cat = await office.person("cat")
    quoted = await office.outbox.post(ann.id, Draft(text="Mine", quote_policy=policy))
    if follows:
        await office.follows(cat, ann)
    if not allowed:
        await refused(office.outbox.post(cat.id, Draft(text="Hm", quote=quoted)), "not-quotable")
        return
    number = await office.outbox.post(cat.id, Draft(text="Hm", quote=quoted))
    status = await office.status(number)
    assert status.quote_state == "accepted"
    assert status.quote_authorization == f"https://here.example/users/ann/quote_authorizations/{number}"
    assert await office.told(ann) == [("quote", cat.id, number)]
    await office.outbox.revoke_quote(ann.id, quoted, number)
    assert (await office.status(number)).quote_state == "revoked"
    await refused(office.outbox.revoke_quote(cat.id, number, quoted), "not-found")


async def test_ones_own_post_is_quoted_without_asking_but_not_more_widely(office, ann):
    mine = await office.outbox.post(ann.id, Draft(text="For you", visibility="private", quote_policy="nobody"))
    await refused(office.outbox.post(ann.id, Draft(text="!", quote=mine)), "quote-too-wide")
    number = await office.outbox.post(ann.id, Draft(text="!", quote=mine, visibility="private"))
    assert (await office.status(number)).quote_state == "accepted"
    assert (await office.status(number)).quote_authorization is None


async def test_revoking_the_quote_of_a_stranger_deletes_its_stamp(office, ann, bob):
    mine = await office.outbox.post(ann.id, Draft(text="x"))
    stamp = office.uris.quote_authorization("ann", 5)
    quoting = await office.remote_status(bob, quote_of=mine, quote_state="accepted", quote_authorization=stamp)
    await office.outbox.revoke_quote(ann.id, mine, quoting.id)
    (delete,) = await office.sent("Delete")
    assert (delete["object"], delete["to"], delete["inboxes"]) == (stamp, [bob.uri], ["https://there.example/inbox"])


# Follows ------------------------------------------------------------------------------------------------------------


async def test_a_follow_elsewhere_is_asked_once_and_its_options_can_change(office, ann, bob, db):
    assert await office.outbox.follow(ann.id, bob.id) == "requested"
    assert await office.outbox.follow(ann.id, bob.id, reblogs=False) == "requested"
    (follow,) = await office.sent()
    assert (follow["type"], follow["object"], follow["inboxes"]) == ("Follow", bob.uri, ["https://there.example/inbox"])
    stored = await db.read(lambda tx: relations.find_follow(tx, ann.id, bob.id))
    assert (stored.uri, stored.reblogs) == (follow["id"], False)
    await db.write("test", lambda tx: relations.accept_follow(tx, ann.id, bob.id))
    assert await office.outbox.follow(ann.id, bob.id, notify=True) == "accepted"
    await office.outbox.unfollow(ann.id, bob.id)
    await office.outbox.unfollow(ann.id, bob.id)
    (undo,) = await office.sent("Undo")
    assert undo["object"] == {key: value for key, value in follow.items() if key in undo["object"]}


async def test_following_again_is_undone_under_another_id(office, ann, bob):
    for _ in range(2):
        await office.outbox.follow(ann.id, bob.id)
        await office.outbox.unfollow(ann.id, bob.id)
    assert len({undo["id"] for undo in await office.sent("Undo")}) == 2


async def test_people_here_follow_at_once_or_ask_who_is_locked(office, ann):
    cat = await office.person("cat")
    dan = await office.person("dan", locked=True)
    assert await office.outbox.follow(ann.id, cat.id) == "accepted"
    assert await office.told(cat) == [("follow", ann.id, None)]
    assert await office.outbox.follow(ann.id, dan.id) == "requested"
    assert await office.told(dan) == [("follow_request", ann.id, None)]
    await office.outbox.accept_follow(dan.id, ann.id)
    assert await office.told(dan) == [("follow", ann.id, None)]
    await refused(office.outbox.follow(ann.id, ann.id), "follow-self")
    await refused(office.outbox.accept_follow(dan.id, cat.id), "no-such-request")
    await refused(office.outbox.reject_follow(dan.id, cat.id), "no-such-request")
    await office.outbox.remove_follower(dan.id, ann.id)
    assert await office.sent() == []


@pytest.mark.parametrize("answer", ["accept", "reject", "remove"])
async def test_an_answer_brings_the_whole_follow(office, ann, bob, db, answer):
    await db.write(
        "test",
        lambda tx: relations.put_follow(
            tx, follower=bob.id, target=ann.id, state="requested", uri=f"{bob.uri}/f/1", now_ms=1
        ),
    )
    acts = {
        "accept": office.outbox.accept_follow,
        "reject": office.outbox.reject_follow,
        "remove": office.outbox.remove_follower,
    }
    await acts[answer](ann.id, bob.id)
    (document,) = await office.sent()
    assert document["type"] == ("Accept" if answer == "accept" else "Reject")
    assert document["object"] == {"id": f"{bob.uri}/f/1", "type": "Follow", "actor": bob.uri, "object": ann.uri}
    assert (await db.read(lambda tx: relations.is_following(tx, bob.id, ann.id))) == (answer == "accept")


async def test_a_block_ends_follows_both_ways_and_can_be_undone(office, ann, bob, db):
    await office.follows(ann, bob)
    await office.follows(bob, ann)
    await office.outbox.block(ann.id, bob.id)
    await office.outbox.block(ann.id, bob.id)
    assert [document["type"] for document in await office.sent()] == ["Undo", "Reject", "Block"]
    assert await db.read(lambda tx: relations.list_follower_inboxes(tx, ann.id)) == []
    await refused(office.outbox.follow(ann.id, bob.id), "blocked")
    post = await office.remote_status(bob)
    with pytest.raises(ClientFault):
        await office.outbox.favourite(ann.id, post.id)
    await office.outbox.unblock(ann.id, bob.id)
    undo = (await office.sent("Undo"))[-1]
    assert undo["object"]["type"] == "Block"
    await refused(office.outbox.block(ann.id, ann.id), "block-self")


async def test_a_mute_is_private_and_ends(office, ann, bob, db, clock):
    await office.outbox.mute(ann.id, bob.id, for_s=60)
    assert await db.read(lambda tx: relations.find_mute(tx, ann.id, bob.id, clock.ms())) is not None
    assert await db.read(lambda tx: relations.find_mute(tx, ann.id, bob.id, clock.ms() + 61_000)) is None
    await office.outbox.unmute(ann.id, bob.id)
    assert await office.sent() == []


async def test_a_forwarded_report_is_the_servers_and_names_no_reporter(db, clock):
    office = Office(db, clock)
    ann, bob = await office.person("ann"), await office.stranger("bob", "there.example")
    server = await office.person("here.example", uri=office.uris.instance_actor, kind="Application")
    post = await office.remote_status(bob)
    quiet = await office.outbox.report(ann.id, bob.id, statuses_of=[post.id], comment="Spam", forward=True)
    assert await office.sent() == [], "without a server actor nothing can be forwarded"
    assert not (await db.read(lambda tx: reports.find_report(tx, quiet))).forwarded
    object.__setattr__(office.tools, "instance_account", server.id)
    number = await office.outbox.report(ann.id, bob.id, statuses_of=[post.id, 99], comment="Spam", forward=True)
    (flag,) = await office.sent()
    assert (flag["actor"], flag["object"], flag["content"]) == (server.uri, [bob.uri, post.uri], "Spam")
    assert ann.uri not in str(flag)
    assert (await db.read(lambda tx: reports.find_report(tx, number))).forwarded


# Profile ------------------------------------------------------------------------------------------------------------


async def test_a_changed_profile_is_told_to_followers_and_an_unchanged_one_is_not(office, ann):
    await office.follows(await office.stranger("fay", "f.example"), ann)
    draft = ProfileDraft(
        display_name=" Ann ",
        note="Cats & @ann",
        fields=[("Site", "https://ann.example"), ("", "")],
        locked=True,
        avatar="avatars/1.webp",
    )
    after = await office.outbox.update_profile(ann.id, draft)
    assert (after.display_name, after.locked, after.note_source) == ("Ann", True, "Cats & @ann")
    assert after.note.startswith("<p>Cats &amp; <span")
    assert after.fields[0].value.startswith('<a href="https://ann.example"')
    assert 'rel="me nofollow noopener"' in after.fields[0].value
    await office.outbox.update_profile(ann.id, draft)
    (update,) = await office.sent()
    assert (update["type"], update["object"]["id"]) == ("Update", ann.uri)
    assert update["object"]["icon"]["url"] == "https://here.example/media/avatars/1.webp"
    assert update["object"]["publicKey"]["id"] == f"{ann.uri}#main-key"
    assert update["inboxes"] == ["https://f.example/inbox"]
    taken_away = await office.outbox.update_profile(ann.id, ProfileDraft(avatar="", fields=[]))
    assert (taken_away.avatar, taken_away.fields) == (None, ())
    await refused(office.outbox.update_profile(ann.id, ProfileDraft(display_name="x" * 101)), "name-too-long")
    await refused(office.outbox.update_profile(ann.id, ProfileDraft(fields=[("a", "b")] * 5)), "too-many-fields")


async def test_who_leaves_takes_everything_along_and_says_so_once(office, ann, bob, db):
    fay = await office.stranger("fay", "f.example")
    await office.follows(fay, ann)
    await office.follows(ann, bob)
    numbers = [await office.outbox.post(ann.id, Draft(text=str(n))) for n in range(3)]
    await office.outbox.delete_account(ann.id)
    await office.outbox.delete_account(ann.id)  # a step may be repeated
    (delete,) = await office.sent("Delete")
    assert (delete["object"], delete["to"], delete["seal"]) == (ann.uri, [PUBLIC], "ld")
    assert delete["inboxes"] == ["https://f.example/inbox", "https://there.example/inbox"]
    for number in numbers:
        assert (await office.status(number)).deleted_at is not None
    gone = await db.read(lambda tx: accounts.find_account(tx, ann.id))
    assert gone.gone_at is not None
    assert await db.read(lambda tx: relations.list_follower_inboxes(tx, ann.id)) == []
    with pytest.raises(ClientFault):
        await office.outbox.post(ann.id, Draft(text="x"))
    assert await db.read(deliveries.count_by_state) != {}


async def test_relays_are_joined_once_and_left_when_they_are_off_the_list(office, ann, db):
    server = await office.person("here.example", uri=office.uris.instance_actor, kind="Application")
    object.__setattr__(office.tools, "instance_account", server.id)
    inbox = "https://relay.example/inbox"
    for _ in range(2):
        await office.outbox.set_relays([inbox])
    (follow,) = await office.sent()
    assert (follow["type"], follow["object"], follow["actor"]) == ("Follow", PUBLIC, server.uri)
    assert follow["inboxes"] == [inbox]
    await db.write("test", lambda tx: relays.set_state(tx, follow["id"], "accepted"))
    await office.outbox.post(ann.id, Draft(text="For all"))
    await office.outbox.post(ann.id, Draft(text="Less so", visibility="unlisted"))
    (create,) = await office.sent("Create")
    assert (create["inboxes"], create["seal"]) == ([inbox], "ld")
    await office.outbox.set_relays([])
    (undo,) = await office.sent("Undo")
    assert undo["object"]["id"] == follow["id"]
    assert await db.read(relays.list_relays) == []
