"""Bodies from strangers: a value or a fault, never anything else, and in linear time."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fedi.activitypub.json_body import MAX_BODY_BYTES, parse_json
from fedi.activitypub.parse import (
    parse_activity,
    parse_actor,
    parse_collection,
    parse_key_document,
    parse_object,
    parse_post,
)
from fedi.errors import PeerFault
from tests.support.timing import assert_linear

CASES = json.loads((Path(__file__).parents[1] / "data/hostile/hostile-json.json").read_text())["cases"]
PARSERS = [parse_activity, parse_object, parse_post, parse_actor, parse_collection, parse_key_document]
AS2 = "https://www.w3.org/ns/activitystreams"


def raw_of(case) -> bytes:
    if case["name"] == "too-many-recipients":
        people = [f"https://a.example/{n}" for n in range(1001)]
        activity = {"@context": AS2, "type": "Like", "actor": "https://b.example/u", "to": people}
        return json.dumps(activity).encode()
    if case["name"] == "too-large":
        return b'{"a":"' + b"x" * (MAX_BODY_BYTES - 7) + b'"}'
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    if "text" in case:
        return case["text"].encode()
    count = case["count"]
    return (
        case.get("before", "") + case["repeat"] * count + case.get("middle", "")
        + case.get("after_repeat", "") * count + case.get("after", "")
    ).encode()  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_hostile_body_is_refused(case):
    raw = raw_of(case)
    with pytest.raises(PeerFault) as caught:
        parse_activity(parse_json(raw))
    assert caught.value.status == (413 if case["name"] == "too-large" else 400)
    if case["name"] == "too-large":
        assert len(raw) == MAX_BODY_BYTES + 1
    if case["name"] not in {"too-large", "too-many-recipients"}:
        assert caught.value.code == "bad-json"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"1", b"[]", b"{", b'{"a":1,}', b"{'a':1}", b'{"a":\x00}', b'{"a":"\x00"}', b'{"a":"\\u0000"}',
        b'{"\\u0000":1}', b'{"a":{"b":[{"c":1,"c":2}]}}', b'{"a":"\\udc00\\ud800"}', b'{"a":-1e400}', b'{"a":"\t"}',
    ],
)  # fmt: skip
def test_what_is_not_good_json_is_refused(raw):
    with pytest.raises(PeerFault, match="bad-json"):
        parse_json(raw)


def test_good_json_is_read_as_it_stands():
    raw = '{"id":"https://a.example/ü","n":[1,-2.5,1e3,true,null],"pair":"\\ud83d\\ude00","literal":"\\\\u0000 \\\\ud800"}'
    value = parse_json(raw.encode())
    assert value == {
        "id": "https://a.example/ü",
        "n": [1, -2.5, 1000.0, True, None],
        "pair": "😀",
        "literal": "\\u0000 \\ud800",
    }


def test_sixty_four_levels_are_allowed_and_one_more_is_not():
    assert parse_json(b'{"a":' * 64 + b"1" + b"}" * 64)
    with pytest.raises(PeerFault):
        parse_json(b'{"a":' * 65 + b"1" + b"}" * 65)


def test_brackets_inside_texts_are_no_depth():
    assert parse_json(b'{"a":"' + b'[{\\"' * 1000 + b'"}')


def test_wide_is_not_deep():
    assert len(parse_json(b'{"a":[' + b"[]," * 500 + b"[]]}")["a"]) == 501


@pytest.mark.parametrize("unit", [b'"\\"', b"[1,", b'"x', b"[],", b"\\", b'{"a":', b'"\\ud800\\udc00",', b"]", b'\\"'])
def test_reading_takes_linear_time(unit):
    def read(raw):
        with pytest.raises(PeerFault):
            parse_json(raw)

    assert_linear(read, lambda size: b'{"a":[' + unit * (size // len(unit)), size=800_000)


URLS = st.sampled_from(
    ["https://a.example/1", "https://b.example/u", "https://a.example/u#k", "http://x/", "as:Public", "", "x" * 3000]
)
KEYS = st.sampled_from(
    ["@context", "id", "type", "actor", "object", "target", "to", "cc", "audience", "attributedTo", "content", "contentMap", "name", "summary", "tag", "attachment", "url", "href", "published", "updated", "inReplyTo", "oneOf", "anyOf", "replies", "totalItems", "first", "items", "orderedItems", "next", "icon", "image", "endpoints", "publicKey", "publicKeyPem", "assertionMethod", "inbox", "preferredUsername", "interactionPolicy", "canQuote", "automaticApproval", "quote", "mediaType", "focalPoint", "width", "height", "source", "language", "closed", "endTime", "votersCount", "sensitive", "alsoKnownAs", "attributionDomains", "generator", "implements", "formerType", "interactingObject", "interactionTarget", "instrument", "result", "owner", "rel"]
)  # fmt: skip
TYPES = st.sampled_from(
    ["Create", "Like", "Follow", "Note", "Question", "Video", "Page", "Person", "Group", "Collection", "OrderedCollectionPage", "Tombstone", "Link", "Mention", "Hashtag", "Emoji", "Image", "PropertyValue", "QuoteAuthorization", "Multikey", "Flag", "Unknown"]
)  # fmt: skip
CONTEXTS = st.sampled_from([AS2, [AS2, {"x": "y"}], [AS2, {"Note": None}], "https://other.example/", None])
VALUES = st.recursive(
    URLS | TYPES | CONTEXTS | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10) | st.sampled_from(["2026-03-01T12:00:00Z", "9999-12-31T23:59:59-14:00", "<b>", ":x:", "#y"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)  # fmt: skip
SHAPED = st.fixed_dictionaries(
    {"@context": CONTEXTS, "type": TYPES | VALUES},
    optional={"id": URLS, "actor": URLS, "object": VALUES, "attributedTo": URLS, "inbox": URLS, "preferredUsername": st.just("u")},
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(max_size=100).map(str.encode)
    | VALUES.map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_a_value_or_a_fault(raw):
    try:
        value = parse_json(raw)
    except PeerFault:
        return
    assert isinstance(value, dict)
    for parse in PARSERS:
        try:
            parse(value)
        except PeerFault as fault:
            assert fault.status == 400


@settings(max_examples=800, deadline=None)
@given(SHAPED, st.dictionaries(KEYS, VALUES, max_size=10))
def test_any_object_is_a_value_or_a_fault(shaped, more):
    for parse in PARSERS:
        try:
            parse(more | shaped)
        except PeerFault as fault:
            assert fault.status == 400
            assert fault.code == fault.code.lower()
