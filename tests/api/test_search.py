"""Search over HTTP: what is here for anybody, what lies elsewhere for people who ask for it."""

import pytest

from fedi.store import relations, statuses
from fedi.web.lookups import Found
from tests.support import shapes


def check(found) -> None:
    assert found.keys() == {"accounts", "statuses", "hashtags"}
    for account in found["accounts"]:
        shapes.account(account)
    for status in found["statuses"]:
        shapes.status(status)
    for tag in found["hashtags"]:
        shapes.tag(tag)


async def search(reader, q, version="v2", **params):
    found = await reader.get(f"/api/{version}/search", q=q, **params)
    check(found)
    return found


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_accounts_by_name_handle_and_display_name(api, version):
    ann = await api.person("ann", display_name="Annette")
    far = await api.stranger("far")
    for q, acct in [
        ("ann", "ann"),
        ("@ANN", "ann"),
        ("annet", "ann"),
        ("far@far.example", far.acct),
        ("@fa", far.acct),
    ]:
        assert [account["acct"] for account in (await search(ann, q, version))["accounts"]] == [acct], q
    assert (await search(api.anybody, "ann", version))["accounts"][0]["acct"] == "ann"
    assert await search(ann, "nobody") == {"accounts": [], "statuses": [], "hashtags": []}
    assert await search(ann, "") == {"accounts": [], "statuses": [], "hashtags": []}


async def test_an_account_elsewhere_is_asked_for_only_when_a_person_wants_it(api):
    ann = await api.person("ann")
    await search(api.anybody, "@new@new.example", resolve="true")
    await search(ann, "@new@new.example")
    assert api.lookup.asked == []
    new = await api.stranger("new", "new.example")
    api.lookup.handles["other", "new.example"] = new.id
    await search(ann, "@Other@New.Example", resolve="true")
    assert api.lookup.asked == ["Other@new.example"]
    assert (await search(ann, "@new@new.example", resolve="true"))["accounts"][0]["acct"] == "new@new.example"
    assert len(api.lookup.asked) == 1  # known by now
    await search(ann, "@ann@localhost:8080", resolve="true")
    assert len(api.lookup.asked) == 1  # ours


async def test_statuses_and_accounts_by_their_addresses(api):
    ann = await api.person("ann")
    far = await api.stranger("far")
    status = await ann.post("/api/v1/statuses", status="Hello")
    for address in (status["uri"], status["url"]):
        assert [one["id"] for one in (await search(ann, address))["statuses"]] == [status["id"]]
    for address in (ann.account.uri, ann.account.url, far.uri):
        assert len((await search(ann, address))["accounts"]) == 1, address
    elsewhere = "https://far.example/@far/1"
    assert (await search(ann, elsewhere))["statuses"] == []
    api.lookup.urls[elsewhere] = Found(status=await api.remote_post(far))
    assert (await search(api.anybody, elsewhere, resolve="true"))["statuses"] == []
    assert len((await search(ann, elsewhere, resolve="true"))["statuses"]) == 1
    api.lookup.urls["https://far.example/@far"] = Found(account=far.id)
    found = await search(ann, "https://far.example/@far", resolve="true", type="accounts")
    assert [account["acct"] for account in found["accounts"]] == [far.acct]


async def test_the_page_of_a_known_post_finds_it_without_asking_anybody(api):
    ann, far = await api.person("ann"), await api.stranger("far")
    page = "https://far.example/@far/1"
    status = await api.remote_post(far, url=page)
    for reader, more in ((ann, {}), (ann, {"resolve": "true"}), (api.anybody, {})):
        assert [one["id"] for one in (await search(reader, page, **more))["statuses"]] == [str(status)]
    assert api.lookup.asked == []
    for other in (page + "0", page.replace("https", "http"), page.upper(), "https://far.example:99999/", "http://["):
        assert (await search(ann, other))["statuses"] == []


async def test_a_page_belongs_to_its_own_server_and_to_one_post(api):
    ann, far, evil = await api.person("ann"), await api.stranger("far"), await api.stranger("evil", "evil.example")
    page = "https://far.example/@far/1"
    await api.remote_post(evil, url=page)
    assert (await search(ann, page))["statuses"] == []
    true = await api.remote_post(far, url=page)
    assert [one["id"] for one in (await search(ann, page))["statuses"]] == [str(true)]
    await api.remote_post(far, url=page)
    assert (await search(ann, page))["statuses"] == []
    own = await ann.post("/api/v1/statuses", status="Mine")
    await api.remote_post(evil, url=own["url"])
    assert [one["id"] for one in (await search(ann, own["url"]))["statuses"]] == [own["id"]]


async def test_the_page_of_a_post_that_may_not_be_read_finds_nothing(api):
    ann, far = await api.person("ann"), await api.stranger("far")
    pages = [f"https://far.example/@far/{number}" for number in range(2)]
    await api.remote_post(far, url=pages[0], visibility="private")
    gone = await api.remote_post(far, url=pages[1])
    await api.db.write("delete", lambda tx: statuses.mark_deleted(tx, gone, api.clock.ms()))
    for page in pages:
        assert (await search(ann, page))["statuses"] == []


async def test_an_address_opens_nothing_that_may_not_be_read(api):
    ann, bob = await api.person("ann"), await api.person("bob")
    secret = await ann.post("/api/v1/statuses", status="Secret", visibility="private")
    assert (await search(bob, secret["uri"]))["statuses"] == []
    assert len((await search(ann, secret["uri"]))["statuses"]) == 1


async def test_hashtags_by_their_beginning_the_exact_one_first(api):
    ann = await api.person("ann")
    for text in ("#cats", "#catnip", "#CATS #cat", "#Été"):
        await ann.post("/api/v1/statuses", status=text)
    names = [tag["name"] for tag in (await search(api.anybody, "#cat", type="hashtags"))["hashtags"]]
    assert names[0] == "cat"
    assert sorted(names) == ["cat", "catnip", "cats"]
    (tag,) = (await search(ann, "été"))["hashtags"]
    assert tag["url"] == "http://localhost:8080/tags/%C3%A9t%C3%A9"
    assert tag["history"] == []
    assert tag["following"] is False


async def test_the_kind_narrows_and_limits_hold(api):
    ann = await api.person("ann")
    for name in ("cara", "carl", "carlo"):
        await api.person(name)
    await ann.post("/api/v1/statuses", status="#car")
    found = await search(ann, "car", type="accounts", limit=2)
    assert len(found["accounts"]) == 2
    assert found["hashtags"] == []
    rest = await search(ann, "car", type="accounts", limit=2, offset=2)
    assert len(rest["accounts"]) == 1
    assert await search(ann, "car", type="nonsense") == {"accounts": [], "statuses": [], "hashtags": []}


async def test_following_finds_the_followed_and_blockers_stay_hidden(api):
    ann, bob, _ben = await api.person("ann"), await api.person("bob"), await api.person("ben")
    await api.follow(ann.id, bob.id)
    found = await search(ann, "b", following="true")
    assert [account["acct"] for account in found["accounts"]] == ["bob"]
    await api.db.write("block", lambda tx: relations.put_block(tx, bob.id, ann.id, uri=None, now_ms=api.clock.ms()))
    assert [account["acct"] for account in (await search(ann, "b"))["accounts"]] == ["ben"]


@pytest.mark.parametrize("q", ["%", "_", "!", "'", '"', "\\", "@", "@@", "a@b@c", "http://", "https://[", "x" * 3000])
async def test_any_query_is_answered(api, q):
    ann = await api.person("ann")
    await search(ann, q, resolve="true")
