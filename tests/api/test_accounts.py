"""Profiles, one's own account, follows, blocks, mutes, reports."""

import io

import pytest
from PIL import Image

from fedi.model.accounts import Account
from fedi.store import interactions, notifications, reports
from tests.api.test_media import HTML, picture
from tests.support.apps import App, House, house
from tests.support.web import add_post

__all__ = ["house"]

COUNTS = ("statuses_count", "followers_count", "following_count")
STRINGS = ("id", "username", "acct", "display_name", "note", "url", "uri", "created_at")
FLAGS = ("locked", "bot", "group", "discoverable")
PICTURES = ("avatar", "avatar_static", "header", "header_static")


def check_account(house: House, one: dict) -> None:
    """Traps 1, 3, 4, 6."""
    for name in STRINGS:
        assert isinstance(one[name], str), name
    assert one["id"].isdigit()  # trap 1
    assert one["created_at"][-5:] == ".000Z" or (
        one["created_at"][-1] == "Z" and one["created_at"][-5] == "."
    )  # trap 3
    for name in FLAGS:
        assert isinstance(one[name], bool), name
    for name in COUNTS:
        assert type(one[name]) is int, name  # trap 4
    for name in ("fields", "emojis", "roles"):
        assert isinstance(one[name], list), name
    for name in PICTURES:
        assert one[name].startswith(house.config.origin + "/"), name  # trap 6


@pytest.fixture
async def alice(house: House) -> App:
    return await house.add_person("alice")


@pytest.fixture
async def bob(house: House) -> App:
    return await house.add_person("bob")


async def relationship(app: App, target: str) -> dict:
    (found,) = (await app.get("/api/v1/accounts/relationships", ("id[]", target))).json
    return found


# Reading ------------------------------------------------------------------------------------------------------


async def test_traps_1_3_4_6_an_account_is_what_clients_decode(house: House, alice: App):
    stranger = await house.add_stranger("eve", avatar="https://far.example/eve.png")
    for id_ in (alice.id, str(stranger.id)):
        one = (await house.anybody.get(f"/api/v1/accounts/{id_}")).json
        check_account(house, one)
    assert one["acct"] == "eve@far.example"
    assert "/media/proxy/" in one["avatar"]
    assert (await house.anybody.get("/api/v1/accounts/12345")).status == 404
    assert (await house.anybody.get("/api/v1/accounts/eve")).status == 404


async def test_ones_own_account_has_its_source_and_role(house: House, alice: App):
    one = (await alice.get("/api/v1/accounts/verify_credentials")).json
    check_account(house, one)
    source = one["source"]
    assert (source["privacy"], source["sensitive"], source["note"]) == ("public", False, "")
    assert source["fields"] == [] and source["attribution_domains"] == []
    assert type(source["follow_requests_count"]) is int
    assert isinstance(one["role"]["permissions"], str)
    assert (
        await (await house.app_of(alice.account, "profile")).get("/api/v1/accounts/verify_credentials")
    ).status == 200
    assert (await (await house.app_of(alice.account, "push")).get("/api/v1/accounts/verify_credentials")).status == 403
    assert (await house.anybody.get("/api/v1/accounts/verify_credentials")).status == 401


async def test_who_has_not_confirmed_their_address_is_told_so(house: House):
    carl = await house.add_person("carl", confirmed=False)
    assert (await carl.get("/api/v1/accounts/verify_credentials")).status == 403


async def test_accounts_are_looked_up_by_handle(house: House, alice: App):
    eve = await house.add_stranger("eve")
    for acct, id_ in (
        ("alice", alice.id),
        ("@Alice", alice.id),
        (f"alice@{house.config.handle_domain}", alice.id),
        ("eve@FAR.example", str(eve.id)),
    ):
        assert (await house.anybody.get("/api/v1/accounts/lookup", acct=acct)).json["id"] == id_, acct
    for acct in ("", "nobody", "eve", "eve@other.example"):
        assert (await house.anybody.get("/api/v1/accounts/lookup", acct=acct)).status == 404
    assert house.elsewhere.asked == []


async def test_a_search_asks_elsewhere_only_for_whole_unknown_handles(house: House, alice: App, bob: App):
    eve = await house.add_stranger("eve")
    found = (await alice.get("/api/v1/accounts/search", q="bo")).json
    assert [one["username"] for one in found] == ["bob"]
    await alice.get("/api/v1/accounts/search", q="eve@far.example", resolve="true")
    await alice.get("/api/v1/accounts/search", q="zoe@far.example")
    assert house.elsewhere.asked == []
    assert (await alice.get("/api/v1/accounts/search", q="zoe@far.example", resolve="true")).json == []
    assert house.elsewhere.asked == ["zoe@far.example"]
    house.elsewhere.handles["eve2", "far.example"] = eve.id
    found = (await alice.get("/api/v1/accounts/search", q="@eve2@far.example", resolve="true")).json
    assert [one["id"] for one in found] == [str(eve.id)]
    assert (await house.anybody.get("/api/v1/accounts/search", q="bob")).status == 401


async def test_several_accounts_come_at_once(house: House, alice: App, bob: App):
    found = (await house.anybody.get("/api/v1/accounts", ("id[]", bob.id), ("id[]", 99), ("id[]", alice.id))).json
    assert [one["id"] for one in found] == [bob.id, alice.id]


async def test_sign_up_is_closed_and_says_so(house: House, alice: App):
    assert (await house.anybody.post("/api/v1/accounts", username="zed")).status == 401
    reply = await alice.post("/api/v1/accounts", username="zed", email="z@z.example", password="x" * 12, agreement=True)
    assert reply.status == 403


# Posts of an account ------------------------------------------------------------------------------------------


async def test_posts_of_an_account_can_be_narrowed_and_are_paged_by_id(house: House, alice: App, bob: App):
    first = await add_post(house.db, house.clock, alice.account, "<p>one</p>")
    house.clock.advance(s=5)
    other = await add_post(house.db, house.clock, bob.account, "<p>bob</p>")
    house.clock.advance(s=5)
    reply = await add_post(house.db, house.clock, alice.account, "<p>re</p>", reply_to=other)
    house.clock.advance(s=5)
    private = await add_post(house.db, house.clock, alice.account, "<p>p</p>", visibility="private")
    house.clock.advance(s=5)
    path = f"/api/v1/accounts/{alice.id}/statuses"

    async def ids(app: App, **params) -> list[int]:
        return [int(one["id"]) for one in (await app.get(path, **params)).json]

    assert await ids(house.anybody) == [reply.id, first.id]
    assert await ids(bob) == [reply.id, first.id]
    assert await ids(alice) == [private.id, reply.id, first.id]
    await house.api.follow(bob.account.id, alice.account.id)
    assert await ids(bob) == [private.id, reply.id, first.id]
    assert await ids(house.anybody, exclude_replies="true") == [first.id]
    assert await ids(house.anybody, only_media=1) == []
    page = await alice.get(path, limit=2)
    assert page.links["next"].startswith(house.config.origin)
    assert "," not in page.links["next"]  # trap 7
    rest = await alice.ask("GET", page.links["next"].removeprefix(house.config.origin))
    assert [int(one["id"]) for one in rest.json] == [first.id]
    assert (await house.anybody.get("/api/v1/accounts/77/statuses")).status == 404


async def test_pinned_posts_are_asked_for_apart(house: House, alice: App):
    first = await add_post(house.db, house.clock, alice.account, "<p>one</p>")
    house.clock.advance(s=5)
    await add_post(house.db, house.clock, alice.account, "<p>two</p>")
    await house.db.write("pin", lambda tx: interactions.put_pin(tx, alice.account.id, first.id, house.clock.ms()))
    found = (await house.anybody.get(f"/api/v1/accounts/{alice.id}/statuses", pinned="true")).json
    assert [int(one["id"]) for one in found] == [first.id]


async def test_the_page_of_somebody_one_muted_still_shows_what_they_wrote(house: House, alice: App, bob: App):
    await add_post(house.db, house.clock, bob.account, "<p>one</p>")
    house.clock.advance(s=5)
    await alice.post(f"/api/v1/accounts/{bob.id}/mute")
    assert len((await alice.get(f"/api/v1/accounts/{bob.id}/statuses")).json) == 1


# Follows ------------------------------------------------------------------------------------------------------


async def test_following_and_its_options(house: House, alice: App, bob: App):
    path = f"/api/v1/accounts/{bob.id}"
    one = (await alice.post(f"{path}/follow")).json
    assert (one["id"], one["following"], one["requested"], one["showing_reblogs"]) == (bob.id, True, False, True)
    one = (await alice.ask("POST", f"{path}/follow", params={"reblogs": "false", "notify": "1"})).json  # trap 17
    assert (one["showing_reblogs"], one["notifying"]) == (False, True)
    one = (await alice.ask("POST", f"{path}/follow", data=[("languages[]", "fr"), ("languages[]", "ar")])).json
    assert (one["languages"], one["showing_reblogs"], one["notifying"]) == (["fr", "ar"], False, True)
    assert (await relationship(bob, alice.id))["followed_by"] is True
    assert (await house.anybody.get(path)).json["followers_count"] == 1
    one = (await alice.post(f"{path}/unfollow")).json
    assert (one["following"], one["notifying"]) == (False, False)
    assert (await house.anybody.get(path)).json["followers_count"] == 0


async def test_every_flag_of_a_relationship_is_a_boolean(house: House, alice: App, bob: App):
    one = await relationship(alice, bob.id)
    flags = (
        "following", "showing_reblogs", "notifying", "followed_by", "blocking", "blocked_by", "muting",
        "muting_notifications", "requested", "requested_by", "domain_blocking", "endorsed",
    )  # fmt: skip
    assert {name: one[name] for name in flags} == dict.fromkeys(flags, False)
    assert (one["note"], one["languages"], one["muting_expires_at"]) == ("", None, None)
    many = (await alice.get("/api/v1/accounts/relationships", ("id[]", alice.id), ("id[]", bob.id), ("id[]", 5))).json
    assert [found["id"] for found in many] == [alice.id, bob.id]
    assert (await alice.get("/api/v1/accounts/relationships")).json == []


async def test_what_cannot_be_followed_says_why(house: House, alice: App, bob: App):
    assert (await alice.post(f"/api/v1/accounts/{alice.id}/follow")).status == 403
    assert (await alice.post("/api/v1/accounts/77/follow")).status == 404
    await bob.post(f"/api/v1/accounts/{alice.id}/block")
    assert (await alice.post(f"/api/v1/accounts/{bob.id}/follow")).status == 403
    reader = await house.app_of(alice.account, "read")
    assert (await reader.post(f"/api/v1/accounts/{bob.id}/follow")).status == 403
    old = await house.app_of(alice.account, "follow")  # the scope of old apps
    assert (await old.post(f"/api/v1/accounts/{bob.id}/unfollow")).status == 200


async def test_a_locked_account_is_asked_and_answers(house: House, alice: App, bob: App):
    await bob.patch("/api/v1/accounts/update_credentials", locked=True)
    one = (await alice.post(f"/api/v1/accounts/{bob.id}/follow")).json
    assert (one["following"], one["requested"]) == (False, True)
    assert [one["id"] for one in (await bob.get("/api/v1/follow_requests")).json] == [alice.id]
    assert (await bob.get("/api/v1/accounts/verify_credentials")).json["source"]["follow_requests_count"] == 1
    one = (await bob.post(f"/api/v1/follow_requests/{alice.id}/authorize")).json
    assert (one["id"], one["followed_by"]) == (alice.id, True)
    assert (await bob.get("/api/v1/follow_requests")).json == []
    assert (await bob.post(f"/api/v1/follow_requests/{alice.id + '1'}/reject")).status == 404
    one = (await bob.post(f"/api/v1/accounts/{alice.id}/remove_from_followers")).json
    assert one["followed_by"] is False
    await alice.post(f"/api/v1/accounts/{bob.id}/follow")
    assert (await bob.post(f"/api/v1/follow_requests/{alice.id}/reject")).json["followed_by"] is False
    assert (await relationship(alice, bob.id))["requested"] is False


async def test_followers_are_paged_by_rows_that_only_the_link_knows(house: House, alice: App):
    people = [await house.add_person(f"p{n}") for n in range(5)]
    for one in reversed(people):
        await house.api.follow(one.account.id, alice.account.id)
    seen, where = [], f"/api/v1/accounts/{alice.id}/followers?limit=2"
    while where:
        reply = await house.anybody.ask("GET", where)
        seen += [one["username"] for one in reply.json]
        where = reply.links.get("next", "").removeprefix(house.config.origin)
    assert seen == [f"p{n}" for n in range(5)]
    following = await house.anybody.get(f"/api/v1/accounts/{people[0].id}/following")
    assert [one["id"] for one in following.json] == [alice.id]
    assert "next" not in following.links


async def test_hidden_follows_are_seen_by_their_owner_alone(house: House, alice: App, bob: App):
    await house.api.follow(bob.account.id, alice.account.id)
    await alice.patch("/api/v1/accounts/update_credentials", hide_collections=True)
    path = f"/api/v1/accounts/{alice.id}/followers"
    for app in (house.anybody, bob):
        reply = await app.get(path)
        assert (reply.status, reply.json) == (200, [])
        assert "Link" not in reply.headers
    assert len((await alice.get(path)).json) == 1


async def test_familiar_followers_are_whom_one_follows_oneself(house: House, alice: App, bob: App):
    cai, dia = await house.add_person("cai"), await house.add_person("dia")
    await house.api.follow(alice.account.id, bob.account.id)
    for fan in (bob, cai):
        await house.api.follow(fan.account.id, dia.account.id)
    (found,) = (await alice.get("/api/v1/accounts/familiar_followers", ("id[]", dia.id))).json
    assert (found["id"], [one["id"] for one in found["accounts"]]) == (dia.id, [bob.id])
    await dia.patch("/api/v1/accounts/update_credentials", hide_collections=True)
    assert (await alice.get("/api/v1/accounts/familiar_followers", ("id[]", dia.id))).json[0]["accounts"] == []


# Blocks, mutes, notes -----------------------------------------------------------------------------------------


async def test_blocking_ends_follows_both_ways(house: House, alice: App, bob: App):
    for one, other in ((alice, bob), (bob, alice)):
        await house.api.follow(one.account.id, other.account.id)
    one = (await alice.post(f"/api/v1/accounts/{bob.id}/block")).json
    assert (one["blocking"], one["following"], one["followed_by"]) == (True, False, False)
    assert (await relationship(bob, alice.id))["blocked_by"] is True
    assert [one["id"] for one in (await alice.get("/api/v1/blocks")).json] == [bob.id]
    assert (await bob.get(f"/api/v1/accounts/{alice.id}/followers")).json == []
    assert (await alice.post(f"/api/v1/accounts/{bob.id}/unblock")).json["blocking"] is False
    assert (await alice.get("/api/v1/blocks")).json == []


async def test_a_mute_ends_when_it_was_to_end(house: House, alice: App, bob: App):
    one = (await alice.post(f"/api/v1/accounts/{bob.id}/mute", duration=3600, notifications=False)).json
    assert (one["muting"], one["muting_notifications"]) == (True, False)
    assert one["muting_expires_at"].endswith("Z")
    (listed,) = (await alice.get("/api/v1/mutes")).json
    assert (listed["id"], listed["mute_expires_at"]) == (bob.id, one["muting_expires_at"])
    house.clock.advance(s=3601)
    assert (await relationship(alice, bob.id))["muting"] is False
    assert (await alice.get("/api/v1/mutes")).json == []
    one = (await alice.post(f"/api/v1/accounts/{bob.id}/mute")).json
    assert (one["muting_notifications"], one["muting_expires_at"]) == (True, None)
    assert (await alice.get("/api/v1/mutes")).json[0]["mute_expires_at"] is None
    assert (await alice.post(f"/api/v1/accounts/{bob.id}/unmute")).json["muting"] is False
    assert (await alice.post(f"/api/v1/accounts/{bob.id}/mute", duration=-1)).status == 422


async def test_a_note_is_for_ones_own_eyes(house: House, alice: App, bob: App):
    path = f"/api/v1/accounts/{bob.id}/note"
    assert (await alice.post(path, comment=" met in Oslo ")).json["note"] == "met in Oslo"
    assert (await relationship(bob, alice.id))["note"] == ""
    assert (await alice.post(path, comment="")).json["note"] == ""
    assert (await alice.post(path, comment="x" * 2001)).status == 422
    assert (await alice.post("/api/v1/accounts/77/note", comment="x")).status == 404


# Profile ------------------------------------------------------------------------------------------------------

UPDATE = "/api/v1/accounts/update_credentials"


async def test_a_profile_changes_by_form_with_pictures(house: House, alice: App):
    before = (await alice.get("/api/v1/accounts/verify_credentials")).json
    reply = await alice.send_file(
        UPDATE,
        picture("PNG", (900, 500)),
        field="avatar",
        method="PATCH",
        display_name="Alice Æ",
        note="Reads #books",
        locked="true",
        bot="0",
        discoverable="on",
        **{
            "fields_attributes[0][name]": "Site",
            "fields_attributes[0][value]": "https://alice.example/",
            "fields_attributes[1][name]": "Pronouns",
            "fields_attributes[1][value]": "<she>",
            "source[privacy]": "unlisted",
            "source[sensitive]": "true",
            "source[language]": "fr",
        },
    )
    assert reply.status == 200, reply.body
    one = reply.json
    check_account(house, one)
    assert (one["display_name"], one["locked"], one["bot"], one["discoverable"]) == ("Alice Æ", True, False, True)
    assert "books" in one["note"] and one["source"]["note"] == "Reads #books"
    assert [field["name"] for field in one["fields"]] == ["Site", "Pronouns"]
    assert 'href="https://alice.example/"' in one["fields"][0]["value"]
    assert one["fields"][1]["value"] == "&lt;she&gt;"
    assert one["source"]["fields"][1]["value"] == "<she>"
    assert (one["source"]["privacy"], one["source"]["sensitive"], one["source"]["language"]) == ("unlisted", True, "fr")
    assert one["avatar"] != before["avatar"] and one["header"] == before["header"]
    drawn = await house.anybody.ask("GET", one["avatar"].removeprefix(house.config.origin))
    assert Image.open(io.BytesIO(drawn.body)).size == (400, 400)
    assert (await alice.get("/api/v1/preferences")).json["posting:default:visibility"] == "unlisted"


async def test_what_is_not_sent_stays(house: House, alice: App):
    await alice.patch(UPDATE, display_name="A", note="B", fields_attributes=[{"name": "x", "value": "y"}])
    for method in ("PATCH", "PUT"):  # trap 17
        one = (await alice.ask(method, UPDATE, params={"bot": "true"})).json
        assert (one["display_name"], one["source"]["note"], one["bot"]) == ("A", "B", True)
        assert one["source"]["fields"] == [{"name": "x", "value": "y", "verified_at": None}]
    one = (
        await alice.patch(UPDATE, fields_attributes={"0": {"name": "", "value": ""}}, attribution_domains=["a.example"])
    ).json
    assert one["fields"] == []
    assert one["source"]["attribution_domains"] == ["a.example"]


async def test_a_replaced_picture_takes_its_file_along(house: House, alice: App):
    for size in ((50, 50), (60, 60)):
        one = (await alice.send_file(UPDATE, picture("PNG", size), field="avatar", method="PATCH")).json
    files = [path for path in (house.config.media_dir / "files" / "avatars").rglob("*") if path.is_file()]
    assert len(files) == 1
    assert one["avatar"].endswith(files[0].name)
    one = (await alice.delete("/api/v1/profile/avatar")).json
    assert one["avatar"].endswith("/original/missing.png")
    assert not files[0].exists()


@pytest.mark.parametrize(
    "values",
    [
        {"display_name": "x" * 101},
        {"note": "x" * 5000},
        {"fields_attributes": [{"name": "n", "value": "v"}] * 9},
        {"source": {"privacy": "secret"}},
        {"source": {"language": "not a language!"}},
        {"locked": "perhaps"},
        {"attribution_domains": ["https://a.example/x"]},
    ],
)
async def test_a_profile_that_cannot_be_is_refused_whole(house: House, alice: App, values):
    before = (await alice.get("/api/v1/accounts/verify_credentials")).json
    assert (await alice.patch(UPDATE, **values)).status == 422
    assert (await alice.get("/api/v1/accounts/verify_credentials")).json == before


async def test_a_portrait_is_a_picture_too(house: House, alice: App):
    assert (await alice.send_file(UPDATE, HTML, field="header", method="PATCH")).status == 422
    reader = await house.app_of(alice.account, "read")
    assert (await reader.send_file(UPDATE, picture(), field="avatar", method="PATCH")).status == 403


# Reports ------------------------------------------------------------------------------------------------------


async def test_a_report_names_only_posts_of_the_reported_account(house: House, alice: App, bob: App):
    eve: Account = await house.add_stranger("eve")
    bad = await add_post(house.db, house.clock, eve, "<p>bad</p>")
    house.clock.advance(s=5)
    other = await add_post(house.db, house.clock, bob.account, "<p>fine</p>")
    reply = await alice.post(
        "/api/v1/reports",
        account_id=str(eve.id),
        status_ids=[str(bad.id), str(other.id)],
        comment="Rude",
        category="spam",
        forward=True,
    )
    one = reply.json
    assert (one["status_ids"], one["comment"], one["category"], one["forwarded"]) == (
        [str(bad.id)],
        "Rude",
        "spam",
        True,
    )
    assert (one["action_taken"], one["action_taken_at"], one["rule_ids"]) == (False, None, [])
    assert one["target_account"]["id"] == str(eve.id)
    (stored,) = await house.db.read(reports.list_reports)
    assert stored.due_at > house.clock.ms()
    sent = await house.db.read(lambda tx: tx.all("SELECT kind FROM outgoing"))
    assert sent == [("Flag",)]


async def test_a_report_needs_an_account_and_a_legal_category(house: House, alice: App, bob: App):
    assert (await alice.post("/api/v1/reports")).status == 422
    assert (await alice.post("/api/v1/reports", account_id="77")).status == 404
    assert (await alice.post("/api/v1/reports", account_id=bob.id, category="mood")).status == 422
    assert (await alice.post("/api/v1/reports", account_id=bob.id, rule_ids=["4"])).status == 422
    assert (await house.anybody.post("/api/v1/reports", account_id=bob.id)).status == 401


# Notifications ------------------------------------------------------------------------------------------------


async def tell(house: House, whom: App, kind: str, actor, status=None) -> None:
    house.clock.advance(s=1)
    await house.db.write(
        "tell",
        lambda tx: notifications.put_notification(
            tx, account=whom.account.id, kind=kind, actor=actor.id, status=status, now_ms=house.clock.ms()
        ),
    )


async def test_traps_2_3_and_26_notifications_are_small_numbers_with_an_account(house: House, alice: App, bob: App):
    post = await add_post(house.db, house.clock, alice.account, "<p>mine</p>")
    await tell(house, alice, "follow", bob.account)
    await tell(house, alice, "favourite", bob.account, post.id)
    await tell(house, alice, "reaction", await house.add_stranger("eve"), post.id)
    found = (await alice.get("/api/v1/notifications")).json
    assert [one["type"] for one in found] == ["favourite", "favourite", "follow"]
    for one in found:
        assert isinstance(one["id"], str) and int(one["id"]) < 2**53  # trap 2
        assert one["created_at"][-1] == "Z" and one["created_at"][-5] == "."  # trap 3
        check_account(house, one["account"])  # trap 26
    assert found[0]["status"]["id"] == str(post.id)
    assert "status" not in found[2]
    assert (await alice.get(f"/api/v1/notifications/{found[2]['id']}")).json == found[2]
    assert (await bob.get(f"/api/v1/notifications/{found[2]['id']}")).status == 404


async def test_notifications_are_narrowed_by_the_type_clients_see(house: House, alice: App, bob: App):
    post = await add_post(house.db, house.clock, alice.account, "<p>mine</p>")
    eve = await house.add_stranger("eve")
    await tell(house, alice, "follow", bob.account)
    await tell(house, alice, "reaction", eve, post.id)
    await tell(house, alice, "reblog", bob.account, post.id)
    path = "/api/v1/notifications"

    async def types(*pairs, **params) -> list[str]:
        return [one["type"] for one in (await alice.get(path, *pairs, **params)).json]

    assert await types(("types[]", "favourite")) == ["favourite"]
    assert await types(("exclude_types[]", "favourite"), ("exclude_types[]", "follow")) == ["reblog"]
    assert await types(("types[]", "nonsense")) == []
    assert await types(account_id=bob.id) == ["reblog", "follow"]
    page = await alice.get(path, ("types[]", "follow"), ("types[]", "reblog"), limit=1)
    assert "types%5B%5D=follow" in page.links["next"] and "types%5B%5D=reblog" in page.links["next"]
    rest = await alice.ask("GET", page.links["next"].removeprefix(house.config.origin))
    assert [one["type"] for one in rest.json] == ["follow"]
    assert "next" not in rest.links


async def test_notifications_are_dismissed_one_by_one_or_all(house: House, alice: App, bob: App):
    eve = await house.add_stranger("eve")
    for actor in (bob.account, eve):
        await tell(house, alice, "follow", actor)
    first = (await alice.get("/api/v1/notifications")).json[0]
    assert (await alice.get("/api/v1/notifications/unread_count")).json == {"count": 2}
    await alice.post("/api/v1/markers", notifications={"last_read_id": first["id"]})
    assert (await alice.get("/api/v1/notifications/unread_count")).json == {"count": 0}
    assert (await bob.post(f"/api/v1/notifications/{first['id']}/dismiss")).status == 404
    assert (await alice.post(f"/api/v1/notifications/{first['id']}/dismiss")).json == {}
    assert len((await alice.get("/api/v1/notifications")).json) == 1
    assert (await alice.post("/api/v1/notifications/clear")).json == {}
    reply = await alice.get("/api/v1/notifications")
    assert reply.json == [] and "Link" not in reply.headers


async def test_trap_2_grouped_notifications_carry_each_thing_once_and_numbers_as_numbers(
    house: House, alice: App, bob: App
):
    post = await add_post(house.db, house.clock, alice.account, "<p>mine</p>")
    await tell(house, alice, "follow", bob.account)
    await tell(house, alice, "favourite", bob.account, post.id)
    await tell(house, alice, "reblog", bob.account, post.id)
    reply = await alice.get("/api/v2/notifications", limit=2)
    one = reply.json
    assert [len(one["accounts"]), len(one["statuses"]), len(one["notification_groups"])] == [1, 1, 2]
    check_account(house, one["accounts"][0])
    for group in one["notification_groups"]:
        assert type(group["most_recent_notification_id"]) is int
        assert group["page_min_id"] == group["page_max_id"] == str(group["most_recent_notification_id"])
        assert group["sample_account_ids"] == [bob.id]  # trap 26
        assert group["status_id"] == str(post.id)
        assert (group["group_key"], group["notifications_count"]) == (f"ungrouped-{group['page_min_id']}", 1)
        assert group["latest_page_notification_at"].endswith("Z")
    rest = (await alice.ask("GET", reply.links["next"].removeprefix(house.config.origin))).json
    (last,) = rest["notification_groups"]
    assert last["type"] == "follow" and "status_id" not in last and rest["statuses"] == []
    path = f"/api/v2/notifications/{last['group_key']}"
    assert (await alice.get(path)).json["notification_groups"] == [last]
    assert [one["id"] for one in (await alice.get(path + "/accounts")).json] == [bob.id]
    assert (await alice.get("/api/v2/notifications/unread_count")).json == {"count": 3}
    assert (await bob.get(path)).status == 404
    assert (await alice.get("/api/v2/notifications/favourite-1")).status == 404
    assert (await alice.post(path + "/dismiss")).json == {}
    assert (await alice.post("/api/v2/notifications/clear")).json == {}
    empty = {"accounts": [], "statuses": [], "notification_groups": []}
    assert (await alice.get("/api/v2/notifications")).json == empty
