"""Actors of all kinds and the keys they publish."""

import pytest

from fedi.activitypub.parse import parse_actor
from fedi.activitypub.vocab import AS2, PUBLIC, ActorField, PolicyRule, PublishedKey
from fedi.errors import PeerFault

ALICE = "https://a.example/users/alice"


def actor(**more):
    return {
        "@context": [AS2, "https://w3id.org/security/v1"],
        "id": ALICE,
        "type": "Person",
        "preferredUsername": "alice",
        "inbox": f"{ALICE}/inbox",
    } | more


def code_of(document):
    with pytest.raises(PeerFault) as caught:
        parse_actor(document)
    return caught.value.code


def test_an_actor_of_mastodon():
    found = parse_actor(
        actor(
            name="Alice",
            summary="<p>bio</p>",
            url="https://a.example/@alice",
            outbox=f"{ALICE}/outbox",
            followers=f"{ALICE}/followers",
            following=f"{ALICE}/following",
            featured=f"{ALICE}/collections/featured",
            featuredTags=f"{ALICE}/collections/tags",
            endpoints={"sharedInbox": "https://a.example/inbox"},
            publicKey={"id": f"{ALICE}#main-key", "owner": ALICE, "publicKeyPem": "PEM"},
            assertionMethod=[
                {"id": f"{ALICE}#ed25519-key", "type": "Multikey", "controller": ALICE, "publicKeyMultibase": "z6Mk"}
            ],
            manuallyApprovesFollowers=True,
            discoverable=True,
            indexable=False,
            published="2026-03-01T00:00:00Z",
            memorial=True,
            suspended=True,
            alsoKnownAs=["https://old.example/u"],
            movedTo="https://new.example/u",
            attributionDomains=["Example.COM.", "bücher.example", "not a host"],
            webfinger="acct:alice@a.example",
            attachment=[
                {"type": "PropertyValue", "name": "site", "value": "<a>x</a>"},
                {"type": "IdentityProof", "name": "no"},
            ],
            icon={"type": "Image", "mediaType": "image/png", "url": "https://a.example/i.png", "summary": "a face"},
            image={"type": "Image", "url": "https://a.example/h.png"},
            interactionPolicy={"canFeature": {"automaticApproval": [PUBLIC]}},
            generator={
                "type": "Application",
                "implements": [
                    {"href": "https://datatracker.ietf.org/doc/html/rfc9421", "name": "x"},
                    "https://w3id.org/fep/8fcf",
                ],
            },
        )
    )
    assert (found.id, found.type, found.username, found.name) == (ALICE, "Person", "alice", "Alice")
    assert found.shared_inbox == "https://a.example/inbox"
    assert found.keys == (
        PublishedKey(id=f"{ALICE}#main-key", owner=ALICE, pem="PEM"),
        PublishedKey(id=f"{ALICE}#ed25519-key", owner=ALICE, multibase="z6Mk"),
    )
    assert found.key_ids == (f"{ALICE}#main-key", f"{ALICE}#ed25519-key")
    assert found.manually_approves_followers
    assert found.discoverable
    assert not found.indexable
    assert found.memorial
    assert found.suspended
    assert found.also_known_as == ("https://old.example/u",)
    assert found.moved_to == "https://new.example/u"
    assert found.attribution_domains == ("example.com", "xn--bcher-kva.example")
    assert found.webfinger == "alice@a.example"
    assert found.fields == (ActorField(name="site", value="<a>x</a>"),)
    assert (found.icon, found.icon_description, found.image) == (
        "https://a.example/i.png",
        "a face",
        "https://a.example/h.png",
    )
    assert found.policy.can_feature == PolicyRule(automatic=(PUBLIC,))
    assert found.implements == ("https://datatracker.ietf.org/doc/html/rfc9421", "https://w3id.org/fep/8fcf")


@pytest.mark.parametrize(
    ("key", "ids"),
    [
        (f"{ALICE}#main-key", (f"{ALICE}#main-key",)),
        ([{"id": f"{ALICE}#a", "owner": ALICE, "publicKeyPem": "P"}, f"{ALICE}#b"], (f"{ALICE}#a", f"{ALICE}#b")),
        ({"id": f"{ALICE}#a", "publicKeyPem": "P"}, (f"{ALICE}#a",)),
        (None, ()),
        ("nonsense", ()),
    ],
)
def test_keys_may_be_an_object_an_id_or_a_list(key, ids):
    assert parse_actor(actor(publicKey=key)).key_ids == ids


def test_a_key_claims_its_owner_itself():
    (key,) = parse_actor(
        actor(publicKey={"id": f"{ALICE}#k", "owner": "https://evil.example/u", "publicKeyPem": "P"})
    ).keys
    assert key.owner == "https://evil.example/u"


@pytest.mark.parametrize("icon", ["https://a.example/i.png", [{"url": "https://a.example/i.png"}, {"url": "https://a.example/2.png"}],
                                  {"type": "Image", "url": [{"type": "Link", "href": "https://a.example/i.png"}]}])  # fmt: skip
def test_a_picture_may_be_written_in_many_ways(icon):
    assert parse_actor(actor(icon=icon)).icon == "https://a.example/i.png"


@pytest.mark.parametrize("kind", ["Service", "Group", "Organization", "Application"])
def test_groups_and_bots_are_actors(kind):
    assert parse_actor(actor(type=kind)).type == kind
    assert parse_actor(actor(type=[kind, "https://x.example/Other"])).type == kind


@pytest.mark.parametrize("name", [None, "", "a b", "a@b", "a/b", "\u0000", "x" * 2_049, 5, "a\n"])
def test_a_person_without_a_usable_name_is_refused(name):
    assert code_of(actor(preferredUsername=name)) == "bad-actor"


def test_a_server_needs_no_name():
    assert parse_actor(actor(type="Application", preferredUsername=None)).username == ""
    assert parse_actor(actor(preferredUsername="a.b-c_é~")).username == "a.b-c_é~"


def test_an_actor_needs_an_inbox():
    assert code_of(actor(inbox=None)) == "bad-type"
    assert code_of(actor(inbox="nowhere")) == "bad-actor"


def test_everything_is_capped():
    found = parse_actor(
        actor(
            name="n" * 1_000_000,
            summary="s" * 1_000_000,
            attachment=[{"type": "PropertyValue", "name": "f" * 5_000, "value": "v"} for _ in range(200)],
            alsoKnownAs=[f"https://a.example/{n}" for n in range(1_000)],
            attributionDomains=[f"d{n}.example" for n in range(1_000)],
            publicKey=[{"id": f"{ALICE}#{n}", "owner": ALICE, "publicKeyPem": "P"} for n in range(100)],
        )
    )
    assert len(found.name) == 2_048
    assert len(found.summary) == 20_000
    assert len(found.fields) == 50
    assert len(found.fields[0].name) == 2_047
    assert len(found.also_known_as) == 256
    assert len(found.attribution_domains) == 256
    assert len(found.keys) == len(found.key_ids) == 10
