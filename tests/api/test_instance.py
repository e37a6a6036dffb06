"""What clients read before they log in. Trap 11: what is missing here stops them."""

import pytest

from fedi.config import PostsConfig
from fedi.store import emojis
from tests.support.apps import House, house, serving

__all__ = ["house"]

V1_STRINGS = ("uri", "title", "short_description", "description", "email", "version", "thumbnail")


async def test_trap_11_the_second_document_has_every_key_that_stops_a_client(house: House):
    one = (await house.anybody.get("/api/v2/instance")).json
    for name in ("title", "domain", "version", "description", "source_url"):
        assert isinstance(one[name], str)
    assert one["domain"] == house.config.public_host
    configuration = one["configuration"]
    assert configuration["urls"]["streaming"] == f"ws://{house.config.public_host}"
    assert isinstance(configuration["vapid"]["public_key"], str)
    for name in ("max_characters", "max_media_attachments", "characters_reserved_per_url"):
        assert isinstance(configuration["statuses"][name], int)
    for name in ("max_options", "max_characters_per_option", "min_expiration", "max_expiration"):
        assert isinstance(configuration["polls"][name], int)
    for name in ("image_size_limit", "image_matrix_limit", "video_size_limit", "description_limit"):
        assert isinstance(configuration["media_attachments"][name], int)
    assert configuration["media_attachments"]["supported_mime_types"]
    assert isinstance(configuration["accounts"]["max_featured_tags"], int)
    assert configuration["translation"] == {"enabled": False}
    assert set(one["registrations"]) == {
        "enabled", "approval_required", "reason_required", "message", "min_age", "url",
    }  # fmt: skip
    assert one["thumbnail"]["url"].startswith(house.config.origin)
    assert set(one["contact"]) == {"email", "account"}
    assert isinstance(one["api_versions"]["mastodon"], int)
    assert isinstance(one["usage"]["users"]["active_month"], int)
    assert "pleroma" not in one


async def test_trap_11_the_first_document_has_its_own_shapes(house: House):
    one = (await house.anybody.get("/api/v1/instance")).json
    for name in V1_STRINGS:
        assert isinstance(one[name], str)
    assert one["uri"] == house.config.public_host  # bare: no scheme
    assert one["registrations"] is False
    assert one["invites_enabled"] is False
    assert one["urls"]["streaming_api"] == f"ws://{house.config.public_host}"
    assert {name: type(value) for name, value in one["stats"].items()} == {
        "user_count": int,
        "status_count": int,
        "domain_count": int,
    }
    assert one["contact_account"] is None
    assert one["configuration"]["statuses"]["max_characters"] == 5000
    assert "pleroma" not in one


async def test_trap_13_the_version_is_three_numbers_and_promises_no_more_than_is_there(house: House):
    for path in ("/api/v1/instance", "/api/v2/instance"):
        version = (await house.anybody.get(path)).json["version"]
        numbers, _, rest = version.partition(" ")
        assert numbers.count(".") == 2 and all(part.isdigit() for part in numbers.split("."))
        assert float(version[:3]) < 4.3, "from 4.3 on clients use grouped notifications"
        assert rest.startswith("(compatible; fedi ")
        for word in ("Pleroma ", "Akkoma ", "pixelfed", "Iceshrimp.NET/", "gotosocial", "+glitch", "+hometown"):
            assert word not in version
    assert (await house.anybody.get("/api/v2/instance")).json["api_versions"] == {"mastodon": 0, "fedi": 1}


@pytest.mark.parametrize("path", ["/api/v1/instance", "/api/v2/instance"])
async def test_trap_30_the_instance_documents_also_answer_with_a_slash_at_the_end(house: House, path: str):
    bare, slashed = await house.anybody.get(path), await house.anybody.get(path + "/")
    assert (bare.status, slashed.status) == (200, 200)
    assert bare.body == slashed.body
    assert bare.headers["Access-Control-Allow-Origin"] == "*"


async def test_the_documents_are_made_once_a_minute(house: House):
    before = (await house.anybody.get("/api/v1/instance")).json["stats"]["user_count"]
    await house.add_person("alice")
    assert (await house.anybody.get("/api/v1/instance")).json["stats"]["user_count"] == before
    house.clock.advance(s=61)
    assert (await house.anybody.get("/api/v1/instance")).json["stats"]["user_count"] == before + 1


async def test_contact_rules_and_limits_come_from_the_settings(sqlite_db, clock, tmp_path):
    settings = {
        "instance": {
            "description": "A house of <tests> & friends",
            "rules": ("Be kind.", "No spam."),
            "contact_account": "@alice",
            "contact_email": "hello@mail.example",
            "languages": ("ar", "fr"),
        },
        "posts": PostsConfig(max_characters=777, max_media=9),
    }
    async with serving(sqlite_db, clock, tmp_path, **settings) as house:
        alice = await house.add_person("alice")
        one, two = [(await house.anybody.get(f"/api/v{n}/instance")).json for n in (1, 2)]
        assert one["contact_account"]["id"] == two["contact"]["account"]["id"] == alice.id
        assert (one["email"], two["contact"]["email"]) == ("hello@mail.example",) * 2
        assert one["languages"] == ["ar", "fr"]
        assert two["configuration"]["statuses"]["max_characters"] == 777
        assert two["configuration"]["statuses"]["max_media_attachments"] == 9
        rules = (await house.anybody.get("/api/v1/instance/rules")).json
        assert rules == one["rules"] == two["rules"]
        assert rules[1] == {"id": "2", "text": "No spam.", "hint": "", "translations": {}}
        about = (await house.anybody.get("/api/v1/instance/extended_description")).json
        assert about["content"] == "<p>A house of &lt;tests&gt; &amp; friends</p>"


async def test_a_public_server_streams_over_tls(sqlite_db, clock, tmp_path):
    async with serving(sqlite_db, clock, tmp_path, http=False, domain="social.example") as house:
        two = (await house.anybody.get("/api/v2/instance")).json
        assert two["configuration"]["urls"]["streaming"] == "wss://social.example"


async def test_refused_servers_are_told_with_the_reason(house: House):
    decisions = house.api.decisions
    await house.db.write(
        "decide",
        lambda tx: decisions.decide(
            tx,
            effect="refuse",
            subject="spam.example",
            rule="rules/2",
            reason="Sends spam",
            until_ms=house.clock.ms() + 86_400_000,
            by_role="admin",
            now_ms=house.clock.ms(),
        ),
    )
    (one,) = (await house.anybody.get("/api/v1/instance/domain_blocks")).json
    assert (one["domain"], one["severity"], one["comment"]) == ("spam.example", "suspend", "Sends spam")
    assert len(one["digest"]) == 64
    house.clock.advance(days=2)  # it ends by itself
    assert (await house.anybody.get("/api/v1/instance/domain_blocks")).json == []


async def test_emojis_are_listed_for_the_picker(house: House):
    for shortcode, visible in (("blobcat", True), ("hidden", False)):
        await house.db.write(
            "t",
            lambda tx, code=shortcode, seen=visible: emojis.put_emoji(
                tx, code, url="files/e.png", static_url="", updated_at=1, visible=seen, category="cats"
            ),
        )
    (one,) = (await house.anybody.get("/api/v1/custom_emojis")).json
    assert (one["shortcode"], one["category"], one["visible_in_picker"]) == ("blobcat", "cats", True)
    assert one["url"].startswith(house.config.origin) and one["static_url"].startswith(house.config.origin)


async def test_trap_10_unknown_endpoints_and_verbs_are_404_in_json(house: House):
    alice = await house.add_person("alice")
    for method, path in (
        ("GET", "/api/v3/instance"),
        ("GET", "/api/v1/does_not_exist"),
        ("POST", "/api/v2/filters"),
        ("DELETE", "/api/v1/preferences"),
        ("GET", "/api/v2/instance/nothing"),
        ("GET", "/api/v1/accounts/1/featured_tags"),
    ):
        reply = await alice.ask(method, path)
        assert reply.status == 404, path
        assert isinstance(reply.json["error"], str)


async def test_preferences_have_names_with_colons(house: House):
    alice = await house.add_person("alice")
    assert (await alice.get("/api/v1/preferences")).json == {
        "posting:default:visibility": "public",
        "posting:default:sensitive": False,
        "posting:default:language": None,
        "posting:default:quote_policy": "public",
        "reading:expand:media": "default",
        "reading:expand:spoilers": False,
        "reading:autoplay:gifs": False,
    }
    assert (await house.anybody.get("/api/v1/preferences")).status == 401


async def test_what_is_empty_is_an_empty_list_and_needs_a_token(house: House):
    alice = await house.add_person("alice")
    for path in ("/api/v1/announcements", "/api/v1/filters", "/api/v2/filters"):
        assert (await alice.get(path)).json == []
        assert (await house.anybody.get(path)).status == 401
