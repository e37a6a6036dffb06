"""Custom emoji, ours (domain '') and those seen on other servers."""

from collections.abc import Iterable

from fedi.model.emojis import CustomEmoji
from fedi.store.database import Tx
from fedi.store.rows import Shape

EMOJI = Shape(CustomEmoji)

PUT_EMOJI = """
INSERT INTO emoji (shortcode, domain, uri, url, static_url, category, visible, updated_at)
VALUES (:shortcode, :domain, :uri, :url, :static_url, :category, :visible, :now_ms)
ON CONFLICT (domain, shortcode) DO UPDATE SET uri = excluded.uri, url = excluded.url,
  static_url = excluded.static_url, category = COALESCE(excluded.category, emoji.category),
  visible = excluded.visible, updated_at = excluded.updated_at
 WHERE excluded.updated_at >= emoji.updated_at"""
FIND_EMOJI = f"SELECT {EMOJI.columns} FROM emoji WHERE domain = :domain AND shortcode = :shortcode"  # emoji_code
LIST_LOCAL = f"""
SELECT {EMOJI.columns} FROM emoji WHERE domain = '' AND visible >= :visible ORDER BY category, shortcode"""
LIST_EMOJIS = f"SELECT {EMOJI.columns} FROM emoji WHERE domain = :domain AND shortcode IN TEXTS(:shortcodes)"
DROP_EMOJI = "DELETE FROM emoji WHERE domain = :domain AND shortcode = :shortcode"


async def put_emoji(
    tx: Tx,
    shortcode: str,
    domain: str = "",
    *,
    url: str,
    static_url: str,
    updated_at: int,
    uri: str | None = None,
    category: str | None = None,
    visible: bool = True,
) -> None:
    """Adds it, or replaces an older one. ``updated_at`` is what its own server says, or now."""
    await tx.run(
        PUT_EMOJI,
        shortcode=shortcode,
        domain=domain,
        uri=uri,
        url=url,
        static_url=static_url,
        category=category,
        visible=int(visible),
        now_ms=updated_at,
    )


async def find_emoji(tx: Tx, shortcode: str, domain: str = "") -> CustomEmoji | None:
    return await tx.one_as(EMOJI.make, FIND_EMOJI, shortcode=shortcode, domain=domain)


async def list_local(tx: Tx, *, hidden_too: bool = False) -> list[CustomEmoji]:
    """By category, then shortcode. Hidden ones work in texts, but no picker shows them."""
    return await tx.all_as(EMOJI.make, LIST_LOCAL, visible=0 if hidden_too else 1)


async def find_many(tx: Tx, shortcodes: Iterable[str], domain: str = "") -> dict[str, CustomEmoji]:
    wanted = set(shortcodes)
    if not wanted:
        return {}
    found = await tx.all_as(EMOJI.make, LIST_EMOJIS, shortcodes=wanted, domain=domain)
    return {emoji.shortcode: emoji for emoji in found}


async def drop_emoji(tx: Tx, shortcode: str, domain: str = "") -> bool:
    return await tx.run(DROP_EMOJI, shortcode=shortcode, domain=domain) > 0
