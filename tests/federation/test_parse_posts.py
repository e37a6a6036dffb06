"""Posts as the software of the network really writes them."""

import pytest

from fedi.activitypub.parse import parse_object, parse_post
from fedi.activitypub.vocab import AS2, PUBLIC, HashtagTag, MentionTag, PolicyRule, PollOption
from fedi.errors import PeerFault

ALICE = "https://a.example/users/alice"


def note(**more):
    return {
        "@context": AS2,
        "id": "https://a.example/n/1",
        "type": "Note",
        "attributedTo": ALICE,
        "content": "<p>hi</p>",
        "to": [PUBLIC],
    } | more


def code_of(document):
    with pytest.raises(PeerFault) as caught:
        parse_post(document)
    return caught.value.code


def test_a_post_of_mastodon():
    post = parse_post(
        note(
            summary="careful",
            inReplyTo="https://b.example/n/2",
            published="2026-03-01T12:00:00Z",
            updated="2026-03-01T13:00:00Z",
            url="https://a.example/@alice/1",
            cc=[f"{ALICE}/followers", "https://b.example/users/bob"],
            sensitive=True,
            conversation="tag:a.example,2026:objectId=1:objectType=Conversation",
            context="https://a.example/contexts/1",
            contentMap={"fr": "<p>hi</p>"},
            tag=[
                {"type": "Mention", "href": "https://b.example/users/bob", "name": "@bob@b.example"},
                {"type": "Hashtag", "href": "https://a.example/tags/x", "name": "#Été"},
                {"type": "Emoji", "id": "https://a.example/emojis/1", "name": ":blob:", "updated": "2026-01-01T00:00:00Z",
                 "icon": {"type": "Image", "mediaType": "image/png", "url": "https://a.example/blob.png"}},
            ],
            attachment=[
                {"type": "Document", "mediaType": "image/jpeg", "url": "https://a.example/c.jpg", "name": "A cat",
                 "blurhash": "UABC", "focalPoint": [0.5, -1], "width": 640, "height": 480},
            ],
            replies={"id": "https://a.example/n/1/replies", "type": "Collection",
                     "first": {"type": "CollectionPage", "next": "https://a.example/n/1/replies?p=2", "items": ["https://a.example/n/3"]}},
            likes={"id": "https://a.example/n/1/likes", "type": "Collection", "totalItems": 7},
            shares={"id": "https://a.example/n/1/shares", "type": "Collection", "totalItems": 2},
            interactionPolicy={"canQuote": {"automaticApproval": [PUBLIC]}},
        )
    )  # fmt: skip
    assert post.content == "<p>hi</p>"
    assert post.summary == "careful"
    assert post.sensitive
    assert post.language == "fr"
    assert post.in_reply_to == "https://b.example/n/2"
    assert post.updated_at - post.published_at == 3_600_000
    assert post.url == "https://a.example/@alice/1"
    assert post.context == "https://a.example/contexts/1"
    assert post.mentions == (MentionTag(href="https://b.example/users/bob", name="@bob@b.example"),)
    assert post.hashtags == (HashtagTag(name="Été", href="https://a.example/tags/x"),)
    assert post.emojis[0].shortcode == "blob"
    (cat,) = post.attachments
    assert (cat.type, cat.description, cat.focal_point, cat.width, cat.height) == (
        "Document",
        "A cat",
        (0.5, -1.0),
        640,
        480,
    )
    assert post.replies.items == ("https://a.example/n/3",)
    assert post.replies.next == "https://a.example/n/1/replies?p=2"
    assert (post.likes.total_items, post.shares.total_items) == (7, 2)
    assert post.policy.can_quote == PolicyRule(automatic=(PUBLIC,))
    assert post.vote_name is None


def test_a_film_of_peertube():
    post = parse_post(
        note(
            type="Video",
            name="Film",
            content="*Markdown*",
            mediaType="text/markdown",
            attributedTo=[{"type": "Group", "id": "https://a.example/c/1"}, {"type": "Person", "id": ALICE}],
            language={"identifier": "fr", "name": "Français"},
            url=[
                {"type": "Link", "mediaType": "application/x-mpegURL", "href": "https://a.example/m.m3u8",
                 "tag": [{"type": "Link", "mediaType": "video/mp4", "href": "https://a.example/720.mp4", "height": 720, "width": 1280}]},
                {"type": "Link", "mediaType": "video/mp4", "href": "https://a.example/1080.mp4", "height": 1080},
                {"type": "Link", "mediaType": "application/x-bittorrent;x-scheme-handler/magnet", "href": "magnet:?xt=1"},
                {"type": "Link", "mediaType": "text/html", "href": "https://a.example/w/1"},
            ],
            icon=[{"type": "Image", "url": "https://a.example/small.jpg"}, {"type": "Image", "url": "https://a.example/big.jpg"}],
        )
    )  # fmt: skip
    assert post.attributed_to == ALICE
    assert post.groups == ("https://a.example/c/1",)
    assert post.url == "https://a.example/w/1"
    assert post.media_type == "text/markdown"
    assert post.language == "fr"
    (film,) = post.attachments
    assert (film.type, film.url, film.media_type, film.height, film.preview_url) == (
        "Video", "https://a.example/720.mp4", "video/mp4", 720, "https://a.example/small.jpg",
    )  # fmt: skip


def test_a_page_of_lemmy():
    post = parse_post(
        note(
            type="Page",
            name="Look",
            attributedTo=ALICE,
            audience="https://l.example/c/news",
            to=["https://l.example/c/news", PUBLIC],
            attachment=[{"type": "Link", "href": "https://news.example/1"}],
            image={"type": "Image", "url": "https://l.example/thumb.png"},
            language={"identifier": "en", "name": "English"},
            source={"content": "**hi**", "mediaType": "text/markdown"},
        )
    )
    assert post.name == "Look"
    assert post.audience == ("https://l.example/c/news",)
    assert post.links == ("https://news.example/1",)
    assert post.attachments[0].url == "https://l.example/thumb.png"
    assert (post.source, post.source_media_type) == ("**hi**", "text/markdown")


def test_an_old_comment_of_lemmy_answers_a_list():
    assert (
        parse_post(note(inReplyTo=["https://l.example/p/1", "https://l.example/c/2"])).in_reply_to
        == "https://l.example/p/1"
    )


def test_single_values_of_gotosocial_stand_for_lists_and_alt_text_may_be_in_the_summary():
    post = parse_post(
        note(
            to=PUBLIC,
            tag={"type": "Mention", "href": "https://b.example/u", "name": "@u"},
            attachment={
                "type": "Image",
                "mediaType": "image/png",
                "url": "https://a.example/i.png",
                "summary": "A dog",
            },
            interactionPolicy={
                "canReply": {"always": [PUBLIC], "approvalRequired": [ALICE]},
                "canLike": {"always": PUBLIC},
            },
        )
    )
    assert post.to == (PUBLIC,)
    assert len(post.mentions) == 1
    assert post.attachments[0].description == "A dog"
    assert post.policy.can_reply == PolicyRule(automatic=(PUBLIC,), manual=(ALICE,))
    assert post.policy.can_like == PolicyRule(automatic=(PUBLIC,))
    assert post.policy.can_quote is None


def test_a_vote_is_a_note_with_a_name_that_says_nothing():
    vote = note(name="red", inReplyTo="https://b.example/q/1", content=None)
    assert parse_post(vote).vote_name == "red"
    assert parse_post(vote | {"content": "well"}).vote_name is None
    assert parse_post(vote | {"inReplyTo": None}).vote_name is None


def test_a_poll_is_read():
    poll = parse_post(
        note(
            type="Question",
            anyOf=[
                {"type": "Note", "name": "red", "replies": {"type": "Collection", "totalItems": 3}},
                {"type": "Note", "name": "blue"},
            ],
            endTime="2026-03-02T00:00:00Z",
            closed="2026-03-01T00:00:00Z",
            votersCount=3,
        )
    ).poll
    assert poll.multiple
    assert poll.options == (PollOption(name="red", votes=3), PollOption(name="blue"))
    assert poll.is_closed
    assert poll.end_at - poll.closed_at == 86_400_000
    assert poll.voters == 3
    single = parse_post(note(type="Question", oneOf={"name": "only"}, closed=True)).poll
    assert not single.multiple
    assert single.is_closed
    assert parse_post(note(type="Question")).poll is None


@pytest.mark.parametrize(
    "more",
    [
        {"quote": "https://b.example/n/9"},
        {"quote": {"type": "Note", "id": "https://b.example/n/9"}},
        {"quoteUri": "https://b.example/n/9"},
        {"_misskey_quote": "https://b.example/n/9"},
        {"quoteUrl": "https://b.example/n/9"},
        {"quote": None, "quoteUrl": "https://b.example/n/9"},
        {"tag": [{"type": "Link", "mediaType": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
                  "rel": "https://misskey-hub.net/ns#_misskey_quote", "href": "https://b.example/n/9"}]},
        {"tag": {"type": "Link", "mediaType": "application/activity+json", "name": "RE: x", "href": "https://b.example/n/9"}},
    ],
)  # fmt: skip
def test_a_quote_has_many_names(more):
    assert parse_post(note(**more)).quote == "https://b.example/n/9"


def test_a_link_tag_that_is_no_quote_is_none():
    assert (
        parse_post(note(tag=[{"type": "Link", "mediaType": "text/html", "href": "https://b.example/n/9"}])).quote
        is None
    )


@pytest.mark.parametrize(
    ("url", "media_type"),
    [
        ("https://a.example/cow.PNG?size=3", "image/png"),
        ("https://a.example/moo.mp3", "audio/mpeg"),
        ("https://a.example/png", None),
        ("https://a.example/cow.txt", None),
    ],
)
def test_a_file_of_which_nobody_says_what_it_is_goes_by_its_name(url, media_type):
    (attached,) = parse_post(note(attachment={"type": "Document", "url": url})).attachments
    assert attached.media_type == media_type


def test_types_may_carry_the_prefix_of_their_vocabulary():
    post = parse_post(note(type="as:Note", tag={"type": "as:Hashtag", "name": "#test"}))
    assert (post.type, [tag.name for tag in post.hashtags]) == ("Note", ["test"])


def test_display_urls_may_be_on_another_host():
    assert parse_post(note(url="https://www.a.example/post")).url == "https://www.a.example/post"
    assert parse_post(note(url="javascript:alert(1)")).url is None


@pytest.mark.parametrize(
    ("more", "language"),
    [
        ({"contentMap": {"en": "x", "ar": "<p>hi</p>"}}, "ar"),
        ({"contentMap": {"EN-us": "x"}}, "en-us"),
        ({"contentMap": {"und": "x"}}, None),
        ({"contentMap": {"no such tag": "x"}}, None),
        ({"language": "de"}, "de"),
        ({"contentMap": ["x"]}, None),
        ({}, None),
    ],
)
def test_the_language_is_the_one_whose_text_is_the_content(more, language):
    assert (parse_post(note(**more)).language or "").lower() == (language or "")


def test_a_text_may_be_in_its_map_only():
    assert parse_post(note(content=None, contentMap={"fr": "salut"})).content == "salut"


def test_long_things_are_cut_and_too_long_a_text_is_refused():
    post = parse_post(
        note(
            name="n" * 1_000_000,
            tag=[{"type": "Hashtag", "name": f"#t{n}"} for n in range(10_000)],
            attachment=[{"type": "Image", "url": f"https://a.example/{n}", "name": "d" * 20_000} for n in range(100)],
        )
    )
    assert len(post.name) == 2_048
    assert len(post.hashtags) == 100
    assert len(post.attachments) == 32
    assert len(post.attachments[0].description) == 10_000
    assert parse_post(note(content="x" * 150_000)).content
    assert code_of(note(content="x" * 150_001)) == "content-too-long"
    assert code_of(note(content="é" * 75_001)) == "content-too-long"
    question = note(type="Question", oneOf=[{"name": str(n)} for n in range(1000)])
    assert len(parse_post(question).poll.options) == 500


def test_an_overlong_emoji_is_dropped_not_cut():
    icon = {"url": "https://a.example/e.png"}
    tags = [{"type": "Emoji", "name": f":{'e' * length}:", "icon": icon} for length in (2_048, 2_049)]
    assert [len(emoji.shortcode) for emoji in parse_post(note(tag=tags)).emojis] == [2_048]


@pytest.mark.parametrize("point", [[0, 2], [0], "0,0", [None, 1], [float("1e308"), 0], [True, 0], [0, 10**400]])
def test_a_focal_point_outside_the_picture_is_none(point):
    picture = {"type": "Image", "url": "https://a.example/i.png", "focalPoint": point, "width": -1, "height": 10**9}
    (read,) = parse_post(note(attachment=[picture])).attachments
    assert (read.focal_point, read.width, read.height) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-01T12:00:00Z", 1772366400000),
        ("2026-03-01T12:00:00.123456789Z", 1772366400123),
        ("2026-03-01T12:00:00", 1772366400000),
        ("2026-03-01T13:00:00+01:00", 1772366400000),
        ("2026-03-01T25:00:00Z", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("1969-12-31T23:59:59Z", None),
        ("yesterday", None),
        ("2026-03-01", None),
        (1772366400, None),
    ],
)
def test_an_instant_is_read_or_absent(written, read):
    assert parse_post(note(published=written)).published_at == read


def test_the_author_is_the_first_owner():
    assert parse_post(note(attributedTo=[ALICE, "https://a.example/users/zoe"])).attributed_to == ALICE
    assert code_of(note(attributedTo="no url")) == "bad-object"


def test_what_is_fetched_as_a_post_must_be_one():
    assert code_of(note(attributedTo=None)) == "bad-type"
    assert code_of(note(id=None)) == "bad-type"
    assert code_of(note(type="Person")) == "bad-type"
    assert code_of({k: v for k, v in note().items() if k != "@context"}) == "bad-context"


def test_a_chat_message_is_private():
    assert parse_post(note(type="ChatMessage", attributedTo=None, actor=ALICE)).is_direct_message
    assert parse_object(note(directMessage=True)).is_direct_message
