"""Our own URIs: what is built is found again, and nobody else's is taken for ours."""

import pytest

from fedi.activitypub.uris import (
    LocalActivity,
    LocalActor,
    LocalContext,
    LocalInstanceActor,
    LocalQuoteAuthorization,
    LocalStatus,
    LocalUris,
)
from fedi.activitypub.urls import is_url, same_origin, wire_url

URIS = LocalUris.at("https://us.example")


def test_the_shapes_are_public_promises():
    assert URIS.actor("lena") == "https://us.example/users/lena"
    assert URIS.inbox("lena") == "https://us.example/users/lena/inbox"
    assert URIS.outbox("lena") == "https://us.example/users/lena/outbox"
    assert URIS.followers("lena") == "https://us.example/users/lena/followers"
    assert URIS.following("lena") == "https://us.example/users/lena/following"
    assert URIS.featured("lena") == "https://us.example/users/lena/collections/featured"
    assert URIS.featured_tags("lena") == "https://us.example/users/lena/collections/tags"
    assert URIS.followers_synchronization("lena") == "https://us.example/users/lena/followers_synchronization"
    assert URIS.rsa_key("lena") == "https://us.example/users/lena#main-key"
    assert URIS.ed25519_key("lena") == "https://us.example/users/lena#ed25519-key"
    assert URIS.shared_inbox == "https://us.example/inbox"
    assert URIS.instance_actor == "https://us.example/actor"
    assert URIS.instance_rsa_key == "https://us.example/actor#main-key"
    assert URIS.status("lena", 42) == "https://us.example/users/lena/statuses/42"
    assert URIS.status_activity("lena", 42) == "https://us.example/users/lena/statuses/42/activity"
    assert URIS.replies("lena", 42) == "https://us.example/users/lena/statuses/42/replies"
    assert URIS.likes("lena", 42) == "https://us.example/users/lena/statuses/42/likes"
    assert URIS.shares("lena", 42) == "https://us.example/users/lena/statuses/42/shares"
    assert URIS.quote_authorization("lena", 7) == "https://us.example/users/lena/quote_authorizations/7"
    assert URIS.activity("lena", "x_-9") == "https://us.example/users/lena/activities/x_-9"
    assert URIS.context(9) == "https://us.example/contexts/9"
    assert URIS.profile_page("lena") == "https://us.example/@lena"
    assert URIS.status_page("lena", 42) == "https://us.example/@lena/42"
    assert URIS.tag_page("Été") == "https://us.example/tags/%C3%89t%C3%A9"
    assert URIS.handle("lena") == "lena@us.example"


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        (URIS.actor("lena"), LocalActor(name="lena")),
        (URIS.rsa_key("lena"), LocalActor(name="lena")),
        (URIS.inbox("lena"), LocalActor(name="lena", part="inbox")),
        (URIS.followers("l.e-n_a"), LocalActor(name="l.e-n_a", part="followers")),
        (URIS.featured("lena") + "?page=1", LocalActor(name="lena", part="collections/featured")),
        (URIS.status("lena", 42), LocalStatus(name="lena", status_id=42)),
        (URIS.status_activity("lena", 42), LocalStatus(name="lena", status_id=42, part="activity")),
        (URIS.replies("lena", 42), LocalStatus(name="lena", status_id=42, part="replies")),
        (URIS.activity("lena", "tok_-1"), LocalActivity(name="lena", activity_id="tok_-1")),
        (URIS.quote_authorization("lena", 7), LocalQuoteAuthorization(name="lena", stamp_id="7")),
        (URIS.context(9), LocalContext(context_id="9")),
        (URIS.instance_actor, LocalInstanceActor()),
        (URIS.instance_rsa_key, LocalInstanceActor()),
        (URIS.instance_actor_part("inbox"), LocalInstanceActor(part="inbox")),
    ],
)
def test_what_is_built_is_found_again(uri, target):
    assert URIS.find_local(uri) == target
    assert is_url(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://us.example.evil.example/users/lena",
        "https://us.exampleusers/lena",
        "http://us.example/users/lena",
        "https://us.example/users/lena/",
        "https://us.example/users/",
        "https://us.example/users/../actor",
        "https://us.example/users/le%6ea",
        "https://us.example/users/lena/statuses/x",
        "https://us.example/users/lena/statuses/9999999999999999999",
        "https://us.example/users/lena/statuses/٤٢",
        "https://us.example/users/lena\n",
        "https://us.example/elsewhere",
        "",
    ],
)
def test_nothing_else_is_taken_for_ours(uri):
    assert URIS.find_local(uri) is None
    assert URIS.find_username(uri) is None
    assert URIS.find_status(uri) is None


def test_only_the_bare_uri_names_the_thing_itself():
    assert URIS.find_username(URIS.actor("lena")) == "lena"
    assert URIS.find_username(URIS.rsa_key("lena")) is None
    assert URIS.find_username(URIS.followers("lena")) is None
    assert URIS.find_status(URIS.status("lena", 42)) == ("lena", 42)
    assert URIS.find_status(URIS.likes("lena", 42)) is None
    assert URIS.find_followers_owner(URIS.followers("lena")) == "lena"
    assert URIS.find_followers_owner(URIS.following("lena")) is None


def test_pages_that_people_paste_are_understood():
    assert URIS.find_page("https://us.example/@lena") == LocalActor(name="lena")
    assert URIS.find_page("https://us.example/@lena/42?x=1#y") == LocalStatus(name="lena", status_id=42)
    assert URIS.find_page("https://other.example/@lena") is None
    assert URIS.find_tag(URIS.tag_page("Été")) == "Été"


@pytest.mark.parametrize("uri", ["https://US.example./users/lena", "http://us.example/x", "https://us.example:444/"])
def test_our_host_is_known_in_every_spelling(uri):
    assert URIS.is_on_our_host(uri)
    assert not URIS.is_local(uri)
    assert not URIS.is_on_our_host("https://notus.example/")
    assert not URIS.is_on_our_host("nonsense")


def test_on_loopback_the_port_tells_test_instances_apart():
    uris = LocalUris.at("http://localhost:8080")
    assert uris.is_on_our_host("http://localhost:8080/users/lena")
    assert uris.is_on_our_host("https://LOCALHOST.:8080/users/lena")
    assert not uris.is_on_our_host("http://localhost:8081/users/lena")


def test_a_test_instance_and_a_separate_handle_domain():
    local = LocalUris.at("http://a.localhost:3000")
    assert local.host == "a.localhost:3000"
    assert local.find_username("http://a.localhost:3000/users/lena") == "lena"
    split = LocalUris.at("https://social.us.example", handle_domain="us.example")
    assert split.handle("lena") == "lena@us.example"
    assert split.is_own_domain("us.example")
    assert split.is_own_domain("social.us.example")
    assert not split.is_own_domain("example")


def test_origins_compare_folded_and_requests_go_out_in_ascii():
    assert same_origin("https://A.example./x", "https://a.example:443/y")
    assert not same_origin("https://a.example/", "http://a.example/")
    assert not same_origin("https://a.example/", "https://b.a.example/")
    assert wire_url("https://Bücher.example/ä%7e?q=é#f") == "https://xn--bcher-kva.example/%C3%A4%7e?q=%C3%A9"
    assert wire_url("https://a.example?q") == "https://a.example/?q"
