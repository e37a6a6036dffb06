"""Activities, contexts and addressing."""

import pytest

from fedi.activitypub.parse import parse_activity, parse_collection, parse_key_document, parse_object, visibility_of
from fedi.activitypub.urls import UrlRules
from fedi.activitypub.vocab import (
    AS2,
    PUBLIC,
    Activity,
    Collection,
    CollectionPage,
    Embedded,
    Post,
    QuoteAuthorization,
    Tombstone,
    id_of,
)
from fedi.errors import PeerFault

ALICE = "https://a.example/users/alice"
FOLLOWERS = f"{ALICE}/followers"


def activity(**more):
    return {
        "@context": AS2,
        "id": "https://a.example/act/1",
        "type": "Like",
        "actor": ALICE,
        "object": "https://b.example/n/1",
    } | more


def note(**more):
    return {"id": "https://a.example/n/1", "type": "Note", "attributedTo": ALICE, "content": "hi"} | more


def code_of(parse, document):
    with pytest.raises(PeerFault) as caught:
        parse(document)
    return caught.value.code


def test_a_like_is_read():
    like = parse_activity(activity(published="2026-03-01T12:00:00.5+01:00", to=[ALICE], cc="as:Public"))
    assert (like.id, like.type, like.actor, like.object) == (
        "https://a.example/act/1", "Like", ALICE, "https://b.example/n/1",
    )  # fmt: skip
    assert like.published_at == 1772362800500
    assert like.to == (ALICE,)
    assert like.cc == (PUBLIC,)
    assert like.recipients == (ALICE, PUBLIC)


def test_there_is_exactly_one_actor_and_of_an_embedded_one_only_the_id_counts():
    assert parse_activity(activity(actor=[ALICE])).actor == ALICE
    assert parse_activity(activity(actor={"id": ALICE, "publicKey": {"owner": "https://evil.example/"}})).actor == ALICE
    for actor in (None, [], [ALICE, "https://a.example/users/zoe"], "alice", {"name": "x"}, "as:Public", 5):
        assert code_of(parse_activity, activity(actor=actor)) == "bad-actor"


@pytest.mark.parametrize(
    "bad",
    [
        "https://a.example@evil.example/act/8",
        "http://a.example/1",
        "https://a.example:8443/1",
        "act/1",
        "",
        7,
        ["https://a.example/1"],
    ],
)
def test_an_id_that_nobody_may_have_is_refused(bad):
    assert code_of(parse_activity, activity(id=bad)) == "bad-id"
    assert code_of(parse_object, note(id=bad or " ") | {"@context": AS2}) == "bad-id"


def test_an_id_may_have_a_fragment_and_stays_as_written():
    uri = "https://A.example/users/alice#likes/%7e1"
    assert parse_activity(activity(id=uri)).id == uri


def test_an_id_may_be_absent():
    assert parse_activity({k: v for k, v in activity(type="Follow").items() if k != "id"}).id is None


def test_test_instances_talk_http_on_loopback():
    local = activity(id="http://b.localhost:3001/a", actor="http://b.localhost:3001/u")
    assert parse_activity(local, UrlRules(allow_http_loopback=True)).actor == "http://b.localhost:3001/u"
    assert code_of(parse_activity, local) == "bad-actor"


@pytest.mark.parametrize(
    "context",
    [
        AS2,
        f"{AS2}#",
        "http://www.w3.org/ns/activitystreams",
        ["https://unknown.example/context", AS2],
        [AS2, "https://w3id.org/security/v1", {"toot": "http://joinmastodon.org/ns#", "sensitive": "as:sensitive"}],
        [AS2, {"Hashtag": "as:Hashtag", "movedTo": {"@id": "as:movedTo", "@type": "@id"}, "@language": "fr"}],
        [AS2, {"likes": {"@id": "as:likes", "@type": "@id"}, "content": {"@container": "@language"}, "id": "@id"}],
        [AS2, {"as": "https://www.w3.org/ns/activitystreams#", "to": "https://www.w3.org/ns/activitystreams#to"}],
        [AS2, {"location": {"@id": "sc:location", "@type": "sc:Place"}}],
    ],
)
def test_a_harmless_context_is_accepted(context):
    assert parse_activity(activity(**{"@context": context})).type == "Like"


@pytest.mark.parametrize(
    "context",
    [
        None,
        "https://other.example/context",
        {"as": AS2},
        [AS2, {"actor": None}],
        [AS2, {"actor": None, "author": "as:actor"}],
        [AS2, {"object": "https://evil.example/object"}],
        [AS2, {"to": {"@id": "as:cc"}}],
        [AS2, {"Note": "as:Article"}],
        [AS2, {"type": "as:type"}],
        [AS2, {"id": None}],
        [AS2, {"as": "https://evil.example/#"}],
        [AS2, {"content": {"@id": None}}],
        [AS2, {"content": ["as:content"]}],
    ],
)
def test_a_context_that_is_missing_or_gives_terms_another_meaning_is_refused(context):
    assert code_of(parse_activity, activity(**{"@context": context})) == "bad-context"


def test_an_embedded_object_may_not_redefine_terms_either():
    inner = note() | {"@context": [AS2, {"attributedTo": None}]}
    assert code_of(parse_activity, activity(type="Create", object=inner)) == "bad-context"


def test_an_activity_has_a_type():
    for kind in (None, [], 7, [None]):
        assert code_of(parse_activity, activity(type=kind)) == "bad-type"


def test_an_unknown_type_is_no_fault():
    assert parse_activity(activity(type="Frobnicate", object={"type": "Gizmo", "x": 1})).object == Embedded(
        id=None, type="Gizmo", raw={"type": "Gizmo", "x": 1}
    )


def test_objects_may_be_an_id_an_object_or_a_list_of_both():
    votes = parse_activity(
        activity(
            type="Create",
            object=[
                note(id="https://a.example/v/1", name="yes", inReplyTo="https://b.example/q", content=None),
                "https://a.example/v/2",
                None,
                "not a url",
            ],
        )
    )
    first, second = votes.objects
    assert isinstance(first, Post)
    assert first.vote_name == "yes"
    assert second == "https://a.example/v/2"
    assert votes.object_id == id_of(first) == "https://a.example/v/1"


def test_an_accept_holds_the_whole_follow():
    follow = activity(id="https://b.example/f/1", type="Follow", actor="https://b.example/u", object=ALICE)
    accepted = parse_activity(activity(type="Accept", object=follow)).object
    assert isinstance(accepted, Activity)
    assert (accepted.id, accepted.actor, accepted.object) == ("https://b.example/f/1", "https://b.example/u", ALICE)


def test_an_activity_inside_may_be_announced():
    like = activity(actor="https://c.example/u")
    announced = parse_activity(activity(type="Announce", object=like)).object
    assert isinstance(announced, Activity)
    assert announced.actor == "https://c.example/u"


def test_scraps_of_objects_are_good_for_their_id():
    delete = parse_activity(activity(type="Delete", object={"id": "https://a.example/n/1", "type": "Note"}))
    assert isinstance(delete.object, Embedded)
    assert delete.object_id == "https://a.example/n/1"
    undo = parse_activity(activity(type="Undo", object={"id": "https://a.example/l/1", "type": "Like"}))
    assert undo.object_id == "https://a.example/l/1"
    update = parse_activity(activity(type="Update", object={"id": ALICE, "type": "Person"}))
    assert isinstance(update.object, Embedded)


def test_a_tombstone_is_read():
    stone = {
        "id": "https://a.example/n/1",
        "type": "Tombstone",
        "formerType": "Note",
        "deleted": "2026-03-01T12:00:00Z",
    }
    assert parse_activity(activity(type="Delete", object=stone)).object == Tombstone(
        id="https://a.example/n/1", former_type="Note", deleted_at=1772366400000
    )


@pytest.mark.parametrize(
    ("more", "reaction"),
    [
        ({"type": "Like", "_misskey_reaction": "🍮", "content": "x"}, "🍮"),
        ({"type": "Like", "content": ":blob:"}, ":blob:"),
        ({"type": "EmojiReact", "content": "👍"}, "👍"),
        ({"type": "Like"}, ""),
        ({"type": "Flag", "content": "spam"}, None),
    ],
)
def test_reactions_of_misskey_and_pleroma_are_read(more, reaction):
    assert parse_activity(activity(**more)).reaction == reaction


def test_a_reaction_brings_its_emoji_also_without_id():
    tag = {
        "type": "Emoji",
        "id": None,
        "name": ":blob:",
        "icon": {"type": "Image", "mediaType": "image/png", "url": "https://a.example/b.png"},
    }
    (emoji,) = parse_activity(activity(type="EmojiReact", content=":blob:", tag=tag)).emojis
    assert (emoji.shortcode, emoji.url, emoji.id, emoji.media_type) == (
        "blob",
        "https://a.example/b.png",
        None,
        "image/png",
    )


def test_a_report_names_several_objects_and_says_why():
    report = parse_activity(
        activity(type="Flag", content="spam", object=["https://b.example/u", "https://b.example/n/1"])
    )
    assert report.objects == ("https://b.example/u", "https://b.example/n/1")
    assert report.content == "spam"


def test_a_quote_request_and_its_answer_are_read():
    request = parse_activity(activity(type="QuoteRequest", instrument=note(quote="https://b.example/n/1")))
    assert isinstance(request.instrument, Post)
    assert request.instrument.quote == "https://b.example/n/1"
    accept = parse_activity(activity(type="Accept", object="https://b.example/qr", result="https://a.example/stamp/1"))
    assert accept.result == "https://a.example/stamp/1"


def test_a_stamp_is_read():
    stamp = {
        "@context": AS2,
        "id": "https://a.example/s/1",
        "type": "QuoteAuthorization",
        "attributedTo": ALICE,
        "interactingObject": "https://b.example/q",
        "interactionTarget": "https://a.example/n/1",
    }
    assert parse_object(stamp) == QuoteAuthorization(
        id="https://a.example/s/1",
        attributed_to=ALICE,
        interacting_object="https://b.example/q",
        interaction_target="https://a.example/n/1",
    )
    assert code_of(parse_object, stamp | {"interactionTarget": None}) == "bad-interactiontarget"


def test_recipients_are_counted_before_they_are_read():
    assert len(parse_activity(activity(to=[f"https://a.example/{n}" for n in range(1000)])).to) == 1000
    crowd = [f"https://a.example/{n}" for n in range(600)]
    assert code_of(parse_activity, activity(to=crowd, cc=crowd)) == "too-many-recipients"


@pytest.mark.parametrize("public", ["as:Public", "Public", PUBLIC, "http://www.w3.org/ns/activitystreams#Public"])
def test_the_public_has_several_names(public):
    assert parse_activity(activity(to=public, cc=[FOLLOWERS, public])).recipients == (PUBLIC, FOLLOWERS)


@pytest.mark.parametrize(
    ("to", "cc", "visibility"),
    [
        ((PUBLIC,), (FOLLOWERS,), "public"),
        ((PUBLIC,), (), "public"),
        ((FOLLOWERS,), (PUBLIC,), "unlisted"),
        ((), (PUBLIC,), "unlisted"),
        ((FOLLOWERS,), ("https://b.example/u",), "private"),
        (("https://b.example/u",), (FOLLOWERS,), "private"),
        (("https://b.example/u",), (), "direct"),
        (("https://b.example/users/bob/followers",), (), "direct"),
        ((), (), "direct"),
    ],
)
def test_visibility_comes_from_the_addressing_alone(to, cc, visibility):
    assert visibility_of(to, cc, FOLLOWERS) == visibility


def test_nobody_follows_an_author_without_followers():
    assert visibility_of((FOLLOWERS,), (), None) == "direct"


def test_a_collection_and_its_page_are_read():
    found = parse_collection(
        {
            "@context": AS2,
            "id": f"{ALICE}/outbox",
            "type": "OrderedCollection",
            "totalItems": 3,
            "first": {"type": "OrderedCollectionPage", "partOf": f"{ALICE}/outbox", "next": f"{ALICE}/outbox?page=2",
                      "orderedItems": ["https://a.example/n/1", note(id="https://a.example/n/2"), {"id": "no"}, 5]},
        }
    )  # fmt: skip
    assert isinstance(found, Collection)
    assert found.total_items == 3
    assert isinstance(found.first, CollectionPage)
    assert [id_of(item) for item in found.first.items] == ["https://a.example/n/1", "https://a.example/n/2"]
    assert found.first.next == f"{ALICE}/outbox?page=2"
    page = parse_collection(
        {"@context": AS2, "id": f"{ALICE}/f?page=1", "type": "CollectionPage", "items": "https://b.example/u"}
    )
    assert page.items == ("https://b.example/u",)
    assert code_of(parse_collection, note() | {"@context": AS2}) == "bad-type"


def test_a_collection_is_capped():
    page = {"@context": AS2, "type": "Collection", "items": [f"https://a.example/{n}" for n in range(5000)]}
    assert len(parse_collection(page).items) == 1000


@pytest.mark.parametrize(
    ("count", "read"), [(3, 3), (0, 0), (-1, None), (2.0, 2), (10**30, None), ("3", None), (True, None), (None, None)]
)
def test_a_count_is_a_whole_number_or_nothing(count, read):
    assert parse_collection({"@context": AS2, "type": "Collection", "totalItems": count}).total_items == read


def test_a_key_document_is_a_key_or_an_actor_stub():
    key = {"id": f"{ALICE}/main-key", "type": "CryptographicKey", "owner": ALICE, "publicKeyPem": "PEM"}
    alone = parse_key_document(key)
    assert (alone.id, alone.owner, alone.keys[0].pem) == (f"{ALICE}/main-key", ALICE, "PEM")
    stub = parse_key_document(
        {"@context": AS2, "id": ALICE, "type": "Person", "preferredUsername": "alice", "publicKey": key}
    )
    assert (stub.id, stub.owner, stub.keys[0].id) == (ALICE, ALICE, f"{ALICE}/main-key")
    multikey = {"id": f"{ALICE}#ed", "type": "Multikey", "controller": ALICE, "publicKeyMultibase": "z6Mk"}
    assert parse_key_document(multikey).keys[0].multibase == "z6Mk"
    assert code_of(parse_key_document, {"id": ALICE, "type": "Person"}) == "bad-key"
    assert code_of(parse_key_document, {"id": f"{ALICE}#k", "publicKeyPem": "PEM"}) == "bad-key"
