"""Entities as apps decode them: every required key, nothing null that may not be, no word outside the closed sets."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fedi.ids import AccountId, IdMaker, MediaId, StatusId
from fedi.model.accounts import ProfileField
from fedi.model.emojis import EmojiRef
from fedi.model.media import Extent, Media, MediaMeta
from fedi.model.polls import Poll, PollOption
from fedi.model.statuses import Mention
from fedi.store import accounts, media, polls
from fedi.web.entities.cache import ByteCache, Rendered
from fedi.web.entities.media import MediaUrls
from tests.support import shapes


async def attach(api, status: StatusId, author: AccountId, **fields) -> None:
    one = Media(
        id=MediaId(IdMaker(api.clock).next()),
        account=author,
        status=status,
        **({"kind": "image", "state": "remote", "remote_url": "https://far.example/a.png"} | fields),
        created_at=api.clock.ms(),
    )
    await api.db.write("attach", lambda tx: media.put_media(tx, one))


async def test_a_status_has_every_key_for_people_and_for_anybody(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="Hello #Fedi", spoiler_text="careful", language="en")
    shapes.status(status, viewer=True)
    shapes.status(await ann.get(f"/api/v1/statuses/{status['id']}"), viewer=True)
    shapes.status(await api.anybody.get(f"/api/v1/statuses/{status['id']}"), viewer=False)
    assert status["sensitive"] is True
    assert status["spoiler_text"] == "careful"
    assert status["language"] == "en"
    assert status["application"] == {"name": "An App", "website": "https://app.example"}
    assert status["tags"] == [{"name": "Fedi", "url": "http://localhost:8080/tags/Fedi"}]


async def test_trap_1_ids_are_decimal_and_a_boost_has_its_own(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    status = await ann.post("/api/v1/statuses", status="Hello")
    boost = await bob.post(f"/api/v1/statuses/{status['id']}/reblog")
    shapes.ident(boost["id"])
    assert boost["id"] != status["id"]
    assert int(boost["id"]) > int(status["id"])
    assert boost["reblog"]["id"] == status["id"]
    shapes.status(boost, viewer=True)
    assert boost["account"]["acct"] == "bob"
    assert boost["reblogged"] is boost["reblog"]["reblogged"] is True
    assert boost["reblog"]["reblogs_count"] == 1


async def test_trap_3_dates_have_three_decimals_and_a_z(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="Hello")
    assert status["created_at"] == "2026-01-01T00:00:00.010Z"
    shapes.instant(status["account"]["created_at"])
    assert status["account"]["last_status_at"] == "2026-01-01"


async def test_trap_4_nothing_is_null_that_apps_read_as_a_list_a_boolean_or_a_number(api):
    bare = await api.stranger("bare")
    status = await api.remote_post(bare, "")
    await attach(api, status, bare.id, kind="unknown", description="", blurhash=None)
    found = await api.anybody.get(f"/api/v1/statuses/{status}")
    shapes.status(found, viewer=False)
    assert found["content"] == found["spoiler_text"] == found["account"]["display_name"] == ""
    assert found["account"]["statuses_count"] == 1
    assert found["account"]["followers_count"] == 0


async def test_trap_6_avatars_are_absolute_and_never_null(api):
    ann = await api.person("ann")
    found = (await ann.post("/api/v1/statuses", status="Hello"))["account"]
    assert found["avatar"] == found["avatar_static"] == "http://localhost:8080/avatars/original/missing.png"
    assert found["header"] == "http://localhost:8080/headers/original/missing.png"
    for address in (found["avatar"], found["header"]):
        reply = await api.anybody.ask("GET", address.removeprefix("http://localhost:8080"))
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "image/png"
        assert reply.body.startswith(b"\x89PNG")


async def test_trap_27_the_link_of_a_mention_is_its_url_byte_for_byte(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    status = await ann.post("/api/v1/statuses", status="Hello @far@far.example and @ann")
    for mention in status["mentions"]:
        assert f'href="{mention["url"]}"' in status["content"]
    assert {mention["acct"] for mention in status["mentions"]} == {"ann", "far@far.example"}
    # Some servers link the URI instead of the page: then the mention carries it too.
    named = Mention(id=ann.id, username="ann", acct="ann", url=ann.account.url, uri=ann.account.uri)
    reply = await api.remote_post(far, f'<p><a href="{ann.account.uri}" class="u-url">@ann</a></p>', mentions=(named,))
    found = await ann.get(f"/api/v1/statuses/{reply}")
    assert found["mentions"][0]["url"] == ann.account.uri


async def test_trap_28_there_is_no_half_empty_card(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="See https://example.org/")
    assert status["card"] is None


async def test_a_remote_account_with_everything_keeps_the_rules(api):
    target = await api.stranger("newplace", "new.example")
    far = await api.stranger(
        "far",
        display_name="Far :blob:",
        note="<p>hi</p>",
        avatar="https://far.example/a.png",
        header="https://far.example/h.png",
        fields=(ProfileField(name="site", value="<a>x</a>", verified_at=1_700_000_000_123),),
        emojis=(EmojiRef(shortcode="blob", url="https://far.example/blob.png", static_url=""),),
        locked=True,
        bot=True,
        memorial=True,
        moved_to=target.uri,
    )
    found = (await api.anybody.get(f"/api/v1/statuses/{await api.remote_post(far)}"))["account"]
    shapes.account(found)
    assert found["acct"] == "far@far.example"
    assert found["moved"]["acct"] == "newplace@new.example"
    assert found["fields"] == [{"name": "site", "value": "<a>x</a>", "verified_at": "2023-11-14T22:13:20.123Z"}]
    for address in (found["avatar"], found["header"], found["emojis"][0]["url"], found["emojis"][0]["static_url"]):
        assert address.startswith("http://localhost:8080/media/proxy/")


async def test_remote_files_are_named_through_our_proxy_and_only_our_own_names_are_read():
    urls = MediaUrls(origin="https://here.example", key=b"k" * 32)
    named = urls.remote("https://far.example/ä.png?x=1")
    assert named.startswith("https://here.example/media/proxy/")
    mac, encoded = named.rsplit("/", 2)[1:]
    assert urls.read_proxied(mac, encoded) == "https://far.example/ä.png?x=1"
    assert urls.read_proxied(mac, encoded[:-1]) is None
    assert urls.read_proxied("", encoded) is None
    assert MediaUrls(origin="https://here.example", key=b"j" * 32).read_proxied(mac, encoded) is None


@pytest.mark.parametrize(
    "hostile", ["https://far.example/\ud800", "javascript:alert(1)", "https://far.example/a,b\"'<>"]
)
async def test_any_address_of_a_file_gives_a_clean_url(hostile):
    named = MediaUrls(origin="https://here.example", key=b"k").remote(hostile)
    assert named.isascii()
    assert not set(named) & set("\"'<>, ")


async def test_media_of_a_status_carry_sizes_focus_and_no_null_inside_meta(api):
    far = await api.stranger("far")
    status = await api.remote_post(far, has_media=True)
    meta = MediaMeta(original=Extent(width=640, height=480), small=Extent(width=None, height=None, duration_s=1.5))
    await attach(api, status, far.id, meta=meta, focus_x=0.5, focus_y=-0.5, description="A cat", blurhash="UBL_")
    (found,) = (await api.anybody.get(f"/api/v1/statuses/{status}"))["media_attachments"]
    shapes.media(found)
    assert found["meta"] == {
        "original": {"width": 640, "height": 480, "size": "640x480", "aspect": 1.333333},
        "small": {"duration": 1.5},
        "focus": {"x": 0.5, "y": -0.5},
    }
    assert found["remote_url"] == "https://far.example/a.png"
    assert found["preview_url"] == found["url"]


async def test_a_poll_tells_the_viewer_what_they_chose_and_strangers_nothing(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    poll = {"options": ["yes", "no"], "expires_in": 600}
    status = await ann.post("/api/v1/statuses", status="Well?", poll=poll)
    shapes.poll(status["poll"])
    assert status["poll"]["voted"] is True  # nobody votes on a poll of their own
    await bob.post(f"/api/v1/polls/{status['poll']['id']}/votes", choices=[1])
    seen = (await bob.get(f"/api/v1/statuses/{status['id']}"))["poll"]
    assert (seen["voted"], seen["own_votes"], seen["votes_count"]) == (True, [1], 1)
    assert seen["options"] == [{"title": "yes", "votes_count": 0}, {"title": "no", "votes_count": 1}]
    anonymous = (await api.anybody.get(f"/api/v1/statuses/{status['id']}"))["poll"]
    shapes.poll(anonymous)
    assert "voted" not in anonymous
    api.clock.advance(s=601)
    assert (await bob.get(f"/api/v1/polls/{status['poll']['id']}"))["expired"] is True


async def test_a_poll_of_a_server_that_counts_no_voters(api):
    far = await api.stranger("far")
    status = await api.remote_post(far)
    options = (PollOption(title="a", votes=2), PollOption(title="b", votes=3))

    async def unit(tx):
        await polls.put_poll(tx, Poll(id=status, multiple=True, voters=None, options=options))
        await tx.run("UPDATE status SET poll = id, version = version + 1 WHERE id = :id", id=status)

    await api.db.write("a poll", unit)
    found = (await api.anybody.get(f"/api/v1/statuses/{status}"))["poll"]
    shapes.poll(found)
    assert found["voters_count"] is None
    assert found["votes_count"] == 5
    assert found["expires_at"] is None


async def test_titles_and_quotes_show_in_apps_that_know_neither(api):
    far = await api.stranger("far")
    article = await api.remote_post(far, "<p>Text</p>", kind="Article", title="A <Title>")
    found = await api.anybody.get(f"/api/v1/statuses/{article}")
    assert found["content"] == "<p><strong>A &lt;Title&gt;</strong></p><p>Text</p>"
    quoted = await api.remote_post(far, "<p>Quoted</p>")
    quoting = await api.remote_post(
        far, "<p>See</p>", quote_uri="https://far.example/q", quote_of=quoted, quote_state="accepted"
    )
    shown = await api.anybody.get(f"/api/v1/statuses/{quoting}")
    shapes.status(shown, viewer=False)
    assert shown["content"].startswith('<p class="quote-inline">RE: <a href="https://far.example/q">')
    assert shown["quote"]["state"] == "accepted"
    assert shown["quote"]["quoted_status"]["id"] == str(quoted)


async def test_a_quote_is_shown_only_while_its_post_may_be_read(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    quoted = await ann.post("/api/v1/statuses", status="Original")
    quoting = await bob.post("/api/v1/statuses", status="Look", quoted_status_id=quoted["id"])
    assert quoting["quote"]["state"] == "accepted"
    shapes.status(quoting, viewer=True)
    assert (await ann.get(f"/api/v1/statuses/{quoted['id']}"))["quotes_count"] == 1
    (listed,) = await ann.get(f"/api/v1/statuses/{quoted['id']}/quotes")
    assert listed["id"] == quoting["id"]
    await ann.ask("DELETE", f"/api/v1/statuses/{quoted['id']}")
    gone = await bob.get(f"/api/v1/statuses/{quoting['id']}")
    assert gone["quote"] == {"state": "deleted", "quoted_status": None}


async def test_a_changed_profile_shows_at_once_on_statuses_rendered_before(api):
    ann = await api.person("ann")
    status = await ann.post("/api/v1/statuses", status="Hello")
    changed = replace(ann.account, display_name="Ann B.", version=1)
    await api.db.write("rename", lambda tx: accounts.put_account(tx, changed))
    assert (await ann.get(f"/api/v1/statuses/{status['id']}"))["account"]["display_name"] == "Ann B."


def test_the_cache_is_bounded_by_bytes_and_forgets_what_was_not_asked_for():
    cache: ByteCache[int] = ByteCache(max_bytes=1000)
    for key in range(3):
        cache.put(key, Rendered(1, b"x" * 100))
    assert cache.find(0, 1) is not None
    cache.put(3, Rendered(1, b"x" * 100))
    assert cache.find(1, 1) is None  # the one longest unused
    assert cache.find(0, 1) is not None
    assert cache.find(0, 2) is None  # another version
    cache.put(0, Rendered(2, b"y" * 100))
    assert cache.find(0, 2) == Rendered(2, b"y" * 100)
    assert cache.size_bytes <= 1000


def test_the_cache_serves_two_threads_at_once():
    cache: ByteCache[int] = ByteCache(max_bytes=5_000)

    def work(seed: int) -> None:
        for n in range(20_000):
            key = (n * seed) % 37
            found = cache.find(key, 1)
            assert found is None or found.body == b"%d" % key
            cache.put(key, Rendered(1, b"%d" % key))

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, seed) for seed in (5, 7)]:
            done.result()
    assert cache.size_bytes == sum(len(b"%d" % key) + 200 for key in range(37) if cache.find(key, 1))
    assert cache.size_bytes <= 5_000
