"""Custom emoji, on both engines."""

from fedi.store import emojis
from tests.support.rows import NOW_MS


async def put(db, shortcode, domain="", url="https://x.example/1.png", **rest):
    values = {"url": url, "static_url": url, "updated_at": NOW_MS} | rest
    await db.write("test", lambda tx: emojis.put_emoji(tx, shortcode, domain, **values))


async def test_ours_are_listed_by_category_and_hidden_ones_only_on_demand(db):
    await put(db, "zebra", category="a")
    await put(db, "ant", category="b")
    await put(db, "ghost", category="b", visible=False)
    await put(db, "ant", "there.example")

    async def listed(**rest):
        return [emoji.shortcode for emoji in await db.read(lambda tx: emojis.list_local(tx, **rest))]

    assert await listed() == ["zebra", "ant"]
    assert await listed(hidden_too=True) == ["zebra", "ant", "ghost"]


async def test_the_newer_picture_wins_whatever_comes_last(db):
    await put(db, "blob", "there.example", url="https://there.example/2.png", uri="https://there.example/e/blob")
    await put(db, "blob", "there.example", url="https://there.example/1.png", updated_at=NOW_MS - 1)
    found = await db.read(lambda tx: emojis.find_emoji(tx, "blob", "there.example"))
    assert (found.url, found.updated_at, found.visible) == ("https://there.example/2.png", NOW_MS, True)
    await put(db, "blob", "there.example", url="https://there.example/3.png", updated_at=NOW_MS + 1)
    found = await db.read(lambda tx: emojis.find_many(tx, ["blob", "none"], "there.example"))
    assert {code: emoji.url for code, emoji in found.items()} == {"blob": "https://there.example/3.png"}


async def test_shortcodes_of_two_servers_are_two_emoji(db):
    await put(db, "blob", "a.example", url="https://a.example/1.png")
    await put(db, "blob", "b.example", url="https://b.example/1.png")
    assert await db.read(lambda tx: emojis.find_emoji(tx, "blob")) is None
    assert await db.write("test", lambda tx: emojis.drop_emoji(tx, "blob", "a.example"))
    assert not await db.write("test", lambda tx: emojis.drop_emoji(tx, "blob", "a.example"))
    assert (await db.read(lambda tx: emojis.find_emoji(tx, "blob", "b.example"))).url == "https://b.example/1.png"
    assert await db.read(lambda tx: emojis.find_many(tx, [])) == {}
