"""What we publish: exact shapes, the audience table, and whether Mastodon would pass it on."""

import json
from dataclasses import replace

import pytest
from pyld import jsonld

from fedi.activitypub import render_activities as activities
from fedi.activitypub import render_collections as collections
from fedi.activitypub.addressing import PUBLIC, Audience, address
from fedi.activitypub.contexts import load_document
from fedi.activitypub.ld_signatures import check_shape
from fedi.activitypub.parse import parse_activity, parse_actor, parse_collection, parse_post, visibility_of
from fedi.activitypub.render import MAX_ACTIVITY_BYTES, finish, finish_create, render_bytes
from fedi.activitypub.render_actor import ActorView, render_actor, render_instance_actor, render_stub
from fedi.activitypub.render_context import MASTODON, is_forwardable, with_context
from fedi.activitypub.render_post import PostView, render_post, render_vote
from fedi.activitypub.uris import LocalUris
from fedi.errors import ClientFault
from fedi.model.accounts import Account, ActorKey, ProfileField
from fedi.model.emojis import EmojiRef
from fedi.model.media import Extent, Media, MediaMeta
from fedi.model.polls import Poll, PollOption
from fedi.model.statuses import Mention, Status, StatusStats

URIS = LocalUris.at("https://here.example")
NOW = 1_767_225_600_000
ANN = URIS.actor("ann")
FOLLOWERS = URIS.followers("ann")
BOB = "https://there.example/users/bob"

AUTHOR = Account(
    id=1,
    uri=ANN,
    local=True,
    kind="Person",
    username="ann",
    domain="",
    host="here.example",
    display_name="Ann",
    inbox=URIS.inbox("ann"),
    shared_inbox=URIS.shared_inbox,
    outbox=URIS.outbox("ann"),
    followers_uri=FOLLOWERS,
    following_uri=URIS.following("ann"),
    featured_uri=URIS.featured("ann"),
    created_at=NOW + 3_600_000,
)
STATUS = Status(
    id=42,
    uri=URIS.status("ann", 42),
    account=1,
    local=True,
    kind="Note",
    visibility="public",
    content="<p>Hello</p>",
    source="Hello",
    language="en",
    thread=42,
    conversation_uri=URIS.context(42),
    created_at=NOW,
)
PUBLIC_AUDIENCE = Audience(to=(PUBLIC,), cc=(FOLLOWERS,))


def view(**changes):
    rest = {
        name: changes.pop(name) for name in ("media", "poll", "stats", "own_replies", "audience") if name in changes
    }
    return PostView(
        status=replace(STATUS, **changes),
        author=AUTHOR,
        media_base="https://here.example/media/",
        **{"audience": PUBLIC_AUDIENCE, **rest},
    )


def full_view():
    mention = Mention(id=2, username="bob", acct="bob@there.example", url="https://there.example/@bob", uri=BOB)
    local = Mention(id=3, username="cat", acct="cat", url="https://here.example/@cat", uri=URIS.actor("cat"))
    media = Media(
        id=9,
        account=1,
        kind="image",
        content_type="image/webp",
        state="ready",
        path="aa/bb.webp",
        description="A cat",
        blurhash="UABC",
        focus_x=0.5,
        focus_y=-0.25,
        meta=MediaMeta(original=Extent(width=640, height=480)),
        created_at=NOW,
    )
    poll = Poll(
        id=42,
        multiple=False,
        expires_at=NOW + 60_000,
        voters=3,
        options=(PollOption(title="yes", votes=2), PollOption(title="no", votes=1)),
    )
    emoji = EmojiRef(shortcode="cat", url="/media/emoji/cat.png", static_url="/media/emoji/cat.png")
    return view(
        kind="Question",
        spoiler="cats",
        sensitive=True,
        in_reply_to_uri="https://there.example/notes/1",
        edited_at=NOW + 1000,
        mentions=(mention, local),
        tags=("Café",),
        emojis=(emoji,),
        quote_uri="https://there.example/notes/2",
        quote_authorization="https://there.example/stamps/1",
        media=(media,),
        poll=poll,
        stats=StatusStats(status=42, favourites=5, reblogs=6),
        own_replies=(URIS.status("ann", 43),),
        audience=address("public", followers=FOLLOWERS, people=[BOB, URIS.actor("cat")]),
    )


def test_a_plain_note_has_exactly_these_members_in_this_order():
    assert render_post(view(), URIS, NOW) == {
        "id": "https://here.example/users/ann/statuses/42",
        "type": "Note",
        "summary": None,
        "inReplyTo": None,
        "published": "2026-01-01T00:00:00Z",
        "url": "https://here.example/@ann/42",
        "attributedTo": ANN,
        "to": [PUBLIC],
        "cc": [FOLLOWERS],
        "sensitive": False,
        "conversation": "https://here.example/contexts/42",
        "context": "https://here.example/contexts/42",
        "content": "<p>Hello</p>",
        "contentMap": {"en": "<p>Hello</p>"},
        "source": {"content": "Hello", "mediaType": "text/plain"},
        "attachment": [],
        "tag": [],
        "replies": {
            "id": "https://here.example/users/ann/statuses/42/replies",
            "type": "Collection",
            "first": {
                "type": "CollectionPage",
                "next": "https://here.example/users/ann/statuses/42/replies?only_other_accounts=true&page=true",
                "partOf": "https://here.example/users/ann/statuses/42/replies",
                "items": [],
            },
        },
        "likes": {"id": "https://here.example/users/ann/statuses/42/likes", "type": "Collection", "totalItems": 0},
        "shares": {"id": "https://here.example/users/ann/statuses/42/shares", "type": "Collection", "totalItems": 0},
        "interactionPolicy": {"canQuote": {"automaticApproval": [PUBLIC]}},
    }


def test_every_part_of_a_post_comes_out_in_the_form_that_others_read():
    document = render_post(full_view(), URIS, NOW)
    assert document["attachment"] == [
        {
            "type": "Image",
            "mediaType": "image/webp",
            "url": "https://here.example/media/aa/bb.webp",
            "name": "A cat",
            "summary": "A cat",
            "blurhash": "UABC",
            "focalPoint": [0.5, -0.25],
            "width": 640,
            "height": 480,
        }
    ]
    assert document["tag"] == [
        {"type": "Mention", "href": BOB, "name": "@bob@there.example"},
        {"type": "Mention", "href": URIS.actor("cat"), "name": "@cat@here.example"},
        {"type": "Hashtag", "href": "https://here.example/tags/Caf%C3%A9", "name": "#Café"},
        {
            "id": "https://here.example/emojis/cat",
            "type": "Emoji",
            "name": ":cat:",
            "icon": {"type": "Image", "mediaType": "image/png", "url": "https://here.example/media/emoji/cat.png"},
        },
    ]
    assert document["oneOf"][0] == {"type": "Note", "name": "yes", "replies": {"type": "Collection", "totalItems": 2}}
    assert document["endTime"] == "2026-01-01T00:01:00Z"
    assert "closed" not in document
    assert document["votersCount"] == 3
    assert document["updated"] == "2026-01-01T00:00:01Z"
    assert document["quote"] == document["quoteUri"] == document["_misskey_quote"] == "https://there.example/notes/2"
    assert document["content"].startswith('<p class="quote-inline">RE: <a href="https://there.example/notes/2">')
    assert document["likes"]["totalItems"] == 5
    assert document["replies"]["first"]["items"] == [URIS.status("ann", 43)]
    assert render_post(full_view(), URIS, NOW + 60_000)["closed"] == "2026-01-01T00:01:00Z"


def test_what_we_render_our_own_parser_reads_back():
    create = json.loads(finish_create(full_view(), URIS, NOW, uri=URIS.status_activity("ann", 42)))
    activity = parse_activity(create)
    assert (activity.type, activity.actor, activity.id) == ("Create", ANN, URIS.status_activity("ann", 42))
    post = parse_post(with_context(create["object"]))
    assert (post.id, post.type, post.attributed_to) == (STATUS.uri, "Question", ANN)
    assert (post.summary, post.sensitive, post.language) == ("cats", True, "en")
    assert [tag.href for tag in post.mentions] == [BOB, URIS.actor("cat")]
    assert [tag.name.removeprefix("#") for tag in post.hashtags] == ["Café"]
    assert [option.name for option in post.poll.options] == ["yes", "no"]
    assert post.quote == "https://there.example/notes/2"
    assert post.quote_authorization == "https://there.example/stamps/1"
    assert visibility_of(post.to, post.cc, FOLLOWERS) == "public"
    assert (post.published_at, post.updated_at) == (NOW, NOW + 1000)


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private", "direct"])
def test_the_audience_says_the_visibility_and_nothing_wider(visibility):
    audience = address(visibility, followers=FOLLOWERS, people=[BOB, BOB])
    assert visibility_of(audience.to, audience.cc, FOLLOWERS) == visibility
    everybody = {*audience.to, *audience.cc}
    expected = {
        "public": {PUBLIC, FOLLOWERS, BOB},
        "unlisted": {PUBLIC, FOLLOWERS, BOB},
        "private": {FOLLOWERS, BOB},
        "direct": {BOB},
    }
    assert everybody == expected[visibility]
    assert audience.is_distributed == (visibility in {"public", "unlisted"})


@pytest.mark.parametrize(
    ("visibility", "policy", "allowed"),
    [
        ("public", "public", PUBLIC),
        ("unlisted", "followers", FOLLOWERS),
        ("public", "nobody", ANN),
        ("private", "public", ANN),
        ("direct", "public", ANN),
    ],
)
def test_a_quote_policy_is_always_stated(visibility, policy, allowed):
    document = render_post(view(visibility=visibility, quote_policy=policy), URIS, NOW)
    assert document["interactionPolicy"] == {"canQuote": {"automaticApproval": [allowed]}}


def test_private_posts_tell_no_counts_and_direct_ones_say_what_they_are():
    assert "likes" not in render_post(view(visibility="private"), URIS, NOW)
    direct = with_context(render_post(view(visibility="direct"), URIS, NOW))
    assert direct["directMessage"] is True
    assert direct["@context"][1]["directMessage"] == "litepub:directMessage"


def mastodon_context():
    terms = {}
    for needed in MASTODON.values():
        terms |= needed
    return ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1", terms]


@pytest.mark.parametrize("wrap", ["Create", "Update", "Delete", "DeleteActor", "Announce"])
def test_mastodon_would_pass_on_what_we_sign_for_forwarding(wrap):
    """It compacts the document to its own context and passes it on only when that changes nothing."""
    post = render_post(full_view(), URIS, NOW)
    uri = URIS.activity("ann", 7)
    audience = Audience(to=tuple(post["to"]), cc=tuple(post["cc"]))
    document = {
        "Create": lambda: activities.render_create(uri=uri, post=post),
        "Update": lambda: activities.render_update(uri=uri, post=post, at_ms=NOW),
        "Delete": lambda: activities.render_delete(uri=uri, actor=ANN, object_uri=STATUS.uri, audience=audience),
        "DeleteActor": lambda: activities.render_delete_actor(uri=uri, actor=ANN),
        "Announce": lambda: activities.render_announce(
            uri=uri, actor=ANN, object_uri=BOB, audience=audience, published_ms=NOW
        ),
    }[wrap]()
    assert is_forwardable(document)
    sent = json.loads(finish(document, for_signature=True))
    check_shape(sent)
    assert sent["@context"][:2] == mastodon_context()[:2]
    options = {"documentLoader": load_document}
    compacted = jsonld.compact(sent, mastodon_context(), options)
    assert _loose({key: value for key, value in compacted.items() if key != "@context"}) == _loose(document)


def _loose(value):
    """Mastodon ignores whether a list of one is a list, empty lists, nulls, and how public is spelled."""
    if isinstance(value, dict):
        return {key: _loose(inner) for key, inner in value.items() if inner not in (None, [])}
    if isinstance(value, list):
        items = [_loose(inner) for inner in value]
        return items[0] if len(items) == 1 else items
    return "as:Public" if value == PUBLIC else value


def test_words_that_mastodon_does_not_know_are_told_apart():
    assert not is_forwardable(render_post(view(visibility="direct"), URIS, NOW))
    react = activities.render_emoji_react(uri=ANN, actor=ANN, object_uri=BOB, to=BOB, emoji="🐈")
    assert not is_forwardable(react)


def test_the_same_document_always_gives_the_same_bytes():
    assert render_bytes(with_context(render_post(full_view(), URIS, NOW))) == render_bytes(
        with_context(render_post(full_view(), URIS, NOW))
    )


def test_a_text_too_long_goes_out_as_an_excerpt_with_a_link():
    long = " ".join(["жаба"] * 5000)
    body = finish_create(
        view(content=f"<p>{long}</p>", source=long, url="https://here.example/@ann/42"),
        URIS,
        NOW,
        uri=URIS.status_activity("ann", 42),
    )
    assert len(body) < MAX_ACTIVITY_BYTES
    content = json.loads(body)["object"]["content"]
    assert content.startswith("<p>жаба жаба")
    assert content.endswith('<a href="https://here.example/@ann/42">https://here.example/@ann/42</a></p>')
    with pytest.raises(ClientFault):
        finish({"id": ANN, "type": "Flag", "content": "x" * MAX_ACTIVITY_BYTES})


def test_an_article_brings_a_preview():
    document = render_post(view(kind="Article", title="On cats", content="<p>They &amp; us</p>"), URIS, NOW)
    assert document["name"] == "On cats"
    assert document["preview"] == {"type": "Note", "content": "<p>They &amp; us</p>"}


def test_a_vote_has_a_name_and_no_content():
    vote = render_vote(
        uri=f"{ANN}#votes/1", voter=ANN, poll_uri="https://there.example/q/1", poll_author=BOB, choice="yes"
    )
    create = activities.render_create(uri=f"{ANN}#votes/1/activity", post=vote)
    assert parse_post(with_context(create["object"])).vote_name == "yes"
    assert (create["to"], create["cc"]) == ([BOB], [])


KEYS = (
    ActorKey(id=f"{ANN}#old-key", account=1, kind="rsa", public_key="OLD", created_at=1),
    ActorKey(id=f"{ANN}#main-key", account=1, kind="rsa", public_key="PEM", private_key="SECRET", created_at=2),
    ActorKey(id=f"{ANN}#ed25519-key", account=1, kind="ed25519", public_key="z6Mk", private_key="SECRET", created_at=2),
)


def test_an_actor_document_is_complete_and_keeps_its_secrets():
    account = replace(
        AUTHOR,
        note="<p>Cats</p>",
        avatar="avatars/1.webp",
        avatar_description="Ann smiles",
        fields=(ProfileField(name="Site", value="<a>x</a>"),),
        also_known_as=("https://old.example/users/ann",),
        moved_to="https://new.example/users/ann",
        attribution_domains=("blog.example",),
        discoverable=True,
    )
    document = render_actor(ActorView(account=account, keys=KEYS, media_base="https://here.example/media/"), URIS)
    assert list(document)[:8] == ["id", "type", "preferredUsername", "name", "summary", "url", "inbox", "outbox"]
    assert document["publicKey"] == {"id": f"{ANN}#main-key", "owner": ANN, "publicKeyPem": "PEM"}
    assert document["assertionMethod"] == [
        {"id": f"{ANN}#ed25519-key", "type": "Multikey", "controller": ANN, "publicKeyMultibase": "z6Mk"}
    ]
    assert document["published"] == "2026-01-01T00:00:00Z"
    assert document["icon"] == {
        "type": "Image",
        "mediaType": "image/webp",
        "url": "https://here.example/media/avatars/1.webp",
        "name": "Ann smiles",
        "summary": "Ann smiles",
    }
    assert document["webfinger"] == "ann@here.example"
    assert document["manuallyApprovesFollowers"] is False
    assert document["generator"]["implements"][0]["href"].endswith("rfc9421")
    assert b"SECRET" not in render_bytes(document)
    read = parse_actor(with_context(document))
    assert (read.id, read.inbox, read.moved_to) == (ANN, URIS.inbox("ann"), "https://new.example/users/ann")
    # Every word is defined: nothing is lost when the document is read as JSON-LD.
    (expanded,) = jsonld.expand(with_context(document), {"documentLoader": load_document})
    assert not [name for name in expanded if name.startswith("_:")]


def test_an_unsigned_stranger_gets_a_stub_and_the_instance_actor_always_shows_itself():
    stub = render_stub(ActorView(account=AUTHOR, keys=KEYS), URIS)
    assert set(stub) == {"id", "type", "preferredUsername", "inbox", "endpoints", "publicKey", "assertionMethod"}
    instance = render_instance_actor(KEYS, URIS, name="Here")
    assert (instance["type"], instance["preferredUsername"]) == ("Application", "here.example")
    assert parse_actor(with_context(instance)).id == URIS.instance_actor


def test_bots_are_services():
    assert render_actor(ActorView(account=replace(AUTHOR, bot=True), keys=KEYS), URIS)["type"] == "Service"


def test_accept_and_undo_bring_the_whole_inner_activity():
    accept = activities.render_answer(kind="Accept", uri=f"{ANN}#a", actor=ANN, follow_uri=f"{BOB}/f/1", follower=BOB)
    assert accept["object"] == {"id": f"{BOB}/f/1", "type": "Follow", "actor": BOB, "object": ANN}
    nameless = activities.render_answer(kind="Reject", uri=f"{ANN}#a", actor=ANN, follow_uri=None, follower=BOB)
    assert nameless["object"] == {"type": "Follow", "actor": BOB, "object": ANN}
    like = activities.render_like(uri=f"{ANN}#l", actor=ANN, object_uri="https://there.example/1", to=BOB)
    undo = activities.render_undo(uri=f"{ANN}#u", activity=with_context(like))
    assert undo["object"] == like
    assert (undo["actor"], undo["to"]) == (ANN, [BOB])


def test_actors_and_single_objects_are_bare_ids():
    for document in (
        activities.render_follow(uri=ANN, actor=ANN, target=BOB),
        activities.render_like(uri=ANN, actor=ANN, object_uri=BOB, to=BOB),
        activities.render_block(uri=ANN, actor=ANN, target=BOB),
        activities.render_move(uri=ANN, actor=ANN, target=BOB, followers=FOLLOWERS),
    ):
        assert isinstance(document["object"], str)
        assert document["actor"] == ANN
        assert isinstance(document["to"], list)


def test_a_deleted_post_leaves_a_tombstone_for_whoever_had_it():
    audience = address("direct", followers=FOLLOWERS, people=[BOB])
    document = activities.render_delete(uri=f"{ANN}#d", actor=ANN, object_uri=STATUS.uri, audience=audience)
    assert (document["to"], document["cc"]) == ([BOB], [])
    assert document["object"] == {"id": STATUS.uri, "type": "Tombstone"}


def test_a_stamp_names_both_posts_and_embeds_none():
    stamp = activities.render_quote_authorization(
        uri=URIS.quote_authorization("ann", 1), author=ANN, quote_uri=f"{BOB}/2", quoted_uri=STATUS.uri
    )
    (expanded,) = jsonld.expand(with_context(stamp), {"documentLoader": load_document})
    assert expanded["@type"] == ["https://w3id.org/fep/044f#QuoteAuthorization"]
    assert expanded["https://gotosocial.org/ns#interactingObject"] == [{"@id": f"{BOB}/2"}]
    accept = activities.render_quote_answer(
        kind="Accept",
        uri=f"{ANN}#q",
        actor=ANN,
        request={
            "id": f"{BOB}/q",
            "actor": BOB,
            "object": STATUS.uri,
            "instrument": {"id": f"{BOB}/2", "content": "x"},
        },
        to=BOB,
        stamp_uri=stamp["id"],
    )
    assert accept["result"] == stamp["id"]
    assert accept["object"]["instrument"] == f"{BOB}/2"


def test_collections_are_read_page_by_page_or_only_counted():
    hidden = collections.render_collection(FOLLOWERS, 7, first=None)
    assert hidden == {"id": FOLLOWERS, "type": "OrderedCollection", "totalItems": 7}
    page = collections.render_page(
        f"{FOLLOWERS}?page=1", part_of=FOLLOWERS, items=[BOB], next_page=f"{FOLLOWERS}?page=2"
    )
    read = parse_collection(with_context(page))
    assert read.items == (BOB,)
    featured = collections.render_featured_posts(URIS.featured("ann"), [render_post(view(), URIS, NOW)])
    assert featured["orderedItems"][0]["content"] == "<p>Hello</p>"
