"""Uploads, what is served of them, and copies of remote media. CVE rows: type by bytes, bounded decoder, no foreign
names, no proxy loops."""

import asyncio
import base64
import io
import json
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from fedi.config import ByteSize, MediaConfig
from fedi.ids import MediaId
from fedi.media import uploads
from fedi.media.files import Files
from fedi.media.types import find_type
from fedi.store import media
from fedi.store.jobs import Job
from fedi.web import keys
from tests.support.apps import App, House, house, serving
from tests.support.peers import FakePeer

__all__ = ["house"]


def picture(kind: str = "JPEG", size: tuple[int, int] = (120, 80), **save) -> bytes:
    image = Image.new("RGB", size)
    image.putdata([(x % 256, (x // 7) % 256, 90) for x in range(size[0] * size[1])])
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()


def with_place() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[2] = (48.0, 12.0, 30.0)  # latitude
    return picture(exif=exif.tobytes(), comment=b"a comment")


def a_gif() -> bytes:
    frames = [Image.new("RGB", (20, 10), (shade, 0, 0)) for shade in (0, 120, 240)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=100, loop=0)
    return out.getvalue()


@pytest.fixture
async def alice(house: House) -> App:
    return await house.add_person("alice")


async def test_trap_18_the_first_media_endpoint_answers_with_a_url_at_once(house: House, alice: App):
    reply = await alice.send_file("/api/v1/media", picture(size=(2400, 1600)), description="A view", focus="0.5,-0.25")
    assert reply.status == 200
    one = reply.json
    assert one["type"] == "image"
    assert one["url"].startswith(house.config.origin + "/media/files/")
    assert one["preview_url"].startswith(house.config.origin + "/media/files/")
    assert one["description"] == "A view"
    assert one["meta"]["focus"] == {"x": 0.5, "y": -0.25}
    assert isinstance(one["id"], str) and one["id"].isdigit()
    assert len(one["blurhash"]) > 10
    for name in ("original", "small"):
        extent = one["meta"][name]
        assert isinstance(extent["width"], int) and isinstance(extent["height"], int)
        assert None not in extent.values()
    assert (one["meta"]["original"]["width"], one["meta"]["original"]["height"]) == (2400, 1600)
    assert one["meta"]["small"]["width"] * one["meta"]["small"]["height"] <= 230_400


async def test_a_picture_loses_where_and_with_what_it_was_taken_but_stays_upright(house: House, alice: App):
    one = (await alice.send_file("/api/v1/media", with_place())).json
    assert (one["meta"]["original"]["width"], one["meta"]["original"]["height"]) == (80, 120)
    served = await house.anybody.ask("GET", one["url"].removeprefix(house.config.origin))
    image = Image.open(io.BytesIO(served.body))
    assert not image.getexif()
    assert b"A camera" not in served.body and b"a comment" not in served.body


async def test_a_file_is_served_under_its_own_type_for_ever_and_may_run_nothing(house: House, alice: App):
    one = (await alice.send_file("/api/v1/media", picture("PNG"), name="../../../etc/passwd.html")).json
    path = one["url"].removeprefix(house.config.origin)
    assert "passwd" not in path and ".." not in path
    served = await house.anybody.ask("GET", path)
    assert served.headers["Content-Type"] == "image/png"
    assert served.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in served.headers["Content-Security-Policy"]
    assert "immutable" in served.headers["Cache-Control"]
    part = await house.anybody.ask("GET", path, headers={"Range": "bytes=0-7"})
    assert (part.status, part.body) == (206, served.body[:8])
    as_activity = await house.anybody.ask("GET", path, headers={"Accept": "application/activity+json"})
    assert as_activity.headers["Content-Type"] == "image/png"


async def test_only_names_we_made_are_looked_up(house: House):
    house.config.media_dir.mkdir(exist_ok=True)
    (house.config.media_dir / "secret.png").write_bytes(b"no")
    for path in (
        "/media/files/../secret.png",
        "/media/files/%2e%2e/secret.png",
        "/media/files/attachments/ab/../../../secret.png",
        "/media/secret.png",
        "/media/files/attachments/ab/" + "a" * 32 + ".html",
        "/media/files/attachments/ab/" + "a" * 32 + ".jpg",
        "/media/incoming/" + "a" * 32,
    ):
        assert (await house.anybody.ask("GET", path)).status == 404, path


def polyglot() -> bytes:
    return picture("GIF") + b"<script>alert(1)</script>PK\x03\x04 and a jar"


async def test_what_hides_behind_a_picture_does_not_survive_it(house: House, alice: App):
    one = (await alice.send_file("/api/v1/media", polyglot())).json
    served = await house.anybody.ask("GET", one["url"].removeprefix(house.config.origin))
    assert b"script" not in served.body and b"PK\x03\x04" not in served.body


HTML = b"<!DOCTYPE html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
MP4 = b"\0\0\0\x18ftypisom\0\0\0\0isomiso2" + b"\0" * 100


@pytest.mark.parametrize(
    "data", [HTML, SVG, b"", b"%PDF-1.7", b"\xff\xd8\xff broken", MP4, b"ID3" + b"\0" * 60],
    ids=["html", "svg", "empty", "pdf", "broken", "film", "sound"],
)  # fmt: skip
async def test_what_is_no_picture_is_refused_with_a_sentence(alice: App, data: bytes):
    for path in ("/api/v1/media", "/api/v2/media"):
        reply = await alice.send_file(path, data)
        assert reply.status == 422
        assert len(reply.json["error"]) > 20


def bomb(width: int = 40_000, height: int = 40_000) -> bytes:
    """A PNG of 1.6 billion pixels in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


async def test_a_picture_that_would_fill_the_memory_is_refused(alice: App):
    reply = await alice.send_file("/api/v1/media", bomb())
    assert reply.status == 422
    assert "pixels" in reply.json["error"]


async def test_sizes_are_bounded_by_the_settings(sqlite_db, clock, tmp_path):
    limits = MediaConfig(max_image_size=ByteSize(20_000))
    async with serving(sqlite_db, clock, tmp_path, media=limits) as house:
        alice = await house.add_person("alice")
        assert (await alice.send_file("/api/v1/media", picture("PNG", (60, 40)))).status == 200
        noise = Image.frombytes("RGB", (100, 100), os.urandom(30_000))
        out = io.BytesIO()
        noise.save(out, "PNG")
        assert (await alice.send_file("/api/v1/media", out.getvalue())).status == 422
        assert (await alice.send_file("/api/v1/media", b"\xff" * 2_000_000)).status == 413


def _drawn(mode: str, kind: str, **save) -> bytes:
    image = Image.linear_gradient("L").resize((60, 40))
    if mode == "I;16":
        image = Image.frombytes("I;16", (60, 40), bytes(range(240)) * 20)
    elif mode == "P":
        image = image.convert("P")
        save |= {"transparency": 3}
    else:
        image = image.convert(mode)
        if mode.endswith("A"):
            image.putalpha(100)
    out = io.BytesIO()
    image.save(out, kind, **save)
    return out.getvalue()


PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize(
    ("data", "served"),
    [
        (_drawn("CMYK", "JPEG"), "image/jpeg"),
        (_drawn("L", "JPEG", icc_profile=b"not a profile"), "image/jpeg"),
        (_drawn("RGB", "JPEG", icc_profile=PROFILE), "image/jpeg"),
        (_drawn("I;16", "PNG"), "image/png"),
        (_drawn("1", "PNG"), "image/png"),
        (_drawn("P", "PNG"), "image/png"),
        (_drawn("LA", "PNG"), "image/png"),
        (_drawn("P", "GIF"), "image/png"),
        (_drawn("RGBA", "WEBP"), "image/webp"),
        (_drawn("RGB", "AVIF"), "image/jpeg"),
        (_drawn("RGBA", "AVIF"), "image/webp"),
    ],
    ids=["cmyk", "bad profile", "profile", "16 bits", "1 bit", "palette", "grey alpha", "gif", "webp", "avif", "avif a"],
)  # fmt: skip
async def test_every_kind_of_picture_is_served_as_one_that_others_can_read(house: House, alice: App, data, served):
    reply = await alice.send_file("/api/v1/media", data)
    assert reply.status == 200, reply.body
    file = await house.anybody.ask("GET", reply.json["url"].removeprefix(house.config.origin))
    assert file.headers["Content-Type"] == served
    assert Image.open(io.BytesIO(file.body)).size == (60, 40)
    assert b"ICC_PROFILE" not in file.body


async def test_an_animation_stays_one(house: House, alice: App):
    one = (await alice.send_file("/api/v1/media", a_gif())).json
    assert one["type"] == "image"
    served = await house.anybody.ask("GET", one["url"].removeprefix(house.config.origin))
    assert served.headers["Content-Type"] == "image/gif"
    assert Image.open(io.BytesIO(served.body)).n_frames == 3


async def test_a_large_upload_is_drawn_by_a_job_and_tells_so(house: House, alice: App, monkeypatch):
    monkeypatch.setattr(uploads, "AT_ONCE_BYTES", 100)
    reply = await alice.send_file("/api/v2/media", picture("PNG"))
    assert (reply.status, reply.json["url"]) == (202, None)
    path = f"/api/v1/media/{reply.json['id']}"
    assert (await alice.get(path)).status == 206
    described = await alice.put(path, description="Said while it was drawn")
    assert (described.status, described.json["description"]) == (206, "Said while it was drawn")

    row = (await house.db.read(lambda tx: tx.all("SELECT id, kind, payload FROM job")))[0]
    job = Job(id=row[0], kind=row[1], payload=row[2], lane="", ordering=None, priority=1, attempts=1, created_at=0)
    assert await house.app[keys.UPLOADS].handle_job(job) == "done"
    done = await alice.get(path)
    assert done.status == 200
    assert done.json["url"] and done.json["description"] == "Said while it was drawn"
    assert not list((house.config.media_dir / "incoming").iterdir())
    assert await house.app[keys.UPLOADS].handle_job(job) == "done"  # a second run finds nothing to do
    assert (await alice.get(path)).json == done.json


async def test_a_file_too_large_for_memory_is_read_from_its_beginning(house: House, alice: App):
    noise = Image.frombytes("RGB", (1300, 1300), os.urandom(1300 * 1300 * 3))
    out = io.BytesIO()
    noise.save(out, "PNG")
    assert len(out.getvalue()) > uploads.AT_ONCE_BYTES
    reply = await alice.send_file("/api/v1/media", out.getvalue())
    assert (reply.status, reply.json["meta"]["original"]["size"]) == (200, "1300x1300")
    assert (await alice.send_file("/api/v2/media", out.getvalue())).status == 202


async def test_a_large_upload_that_cannot_be_read_ends_as_failed(house: House, alice: App, monkeypatch):
    monkeypatch.setattr(uploads, "AT_ONCE_BYTES", 10)
    reply = await alice.send_file("/api/v2/media", b"\xff\xd8\xff" + b"x" * 1000)
    assert reply.status == 202
    payload = await house.db.read(lambda tx: tx.value("SELECT payload FROM job"))
    job = Job(id=1, kind="media", payload=payload, lane="", ordering=None, priority=1, attempts=1, created_at=0)
    await house.app[keys.UPLOADS].handle_job(job)
    failed = await alice.get(f"/api/v1/media/{reply.json['id']}")
    assert failed.status == 422
    assert json.loads(payload)["incoming"].startswith("incoming/")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_trap_17_a_description_changes_by_either_verb_and_in_the_query(alice: App, method: str):
    one = (await alice.send_file("/api/v1/media", picture())).json
    path = f"/api/v1/media/{one['id']}"
    reply = await alice.ask(method, path, params={"description": "By query", "focus": "-2,0"})
    assert reply.json["description"] == "By query"
    assert reply.json["meta"]["focus"] == {"x": -1.0, "y": 0.0}
    reply = await alice.ask(method, path, data={"description": "By form"})
    assert (reply.json["description"], reply.json["meta"]["focus"]["x"]) == ("By form", -1.0)
    assert (await alice.ask(method, path, json={"description": "x" * 1501})).status == 422
    assert (await alice.ask(method, path, json={"focus": "left"})).status == 422


async def test_media_are_their_owners_business(house: House, alice: App):
    bob = await house.add_person("bob")
    one = (await alice.send_file("/api/v1/media", picture())).json
    path = f"/api/v1/media/{one['id']}"
    assert (await bob.get(path)).status == 404
    assert (await bob.put(path, description="mine")).status == 404
    assert (await bob.delete(path)).status == 404
    assert (await house.anybody.get(path)).status == 401
    reader = await house.app_of(alice.account, "read")
    assert (await reader.get(path)).status == 403
    assert (await alice.get("/api/v1/media/abc")).status == 404


async def test_deleting_takes_the_files_along_unless_a_post_has_them(house: House, alice: App):
    one = (await alice.send_file("/api/v1/media", picture())).json
    row = await house.db.read(lambda tx: media.find_media(tx, MediaId(int(one["id"]))))
    assert (house.config.media_dir / row.path).is_file()
    reply = await alice.delete(f"/api/v1/media/{one['id']}")
    assert (reply.status, reply.json) == (200, {})
    assert not (house.config.media_dir / row.path).exists()
    assert not (house.config.media_dir / row.preview_path).exists()

    kept = (await alice.send_file("/api/v1/media", picture())).json
    await house.db.write("t", lambda tx: media.attach(tx, 7, alice.account.id, [MediaId(int(kept["id"]))]))
    assert (await alice.delete(f"/api/v1/media/{kept['id']}")).status == 422
    assert (await alice.get(f"/api/v1/media/{kept['id']}")).status == 404  # only what is in no post yet


async def test_uploads_that_reach_no_post_are_swept_away(house: House, alice: App):
    await alice.send_file("/api/v1/media", picture())
    kept = (await alice.send_file("/api/v1/media", picture())).json
    await house.db.write("t", lambda tx: media.attach(tx, 7, alice.account.id, [MediaId(int(kept["id"]))]))
    for hours, left in ((23, 4), (2, 2)):  # each has a preview; one is in a post
        house.clock.advance(hours=hours)
        await house.app[keys.UPLOADS].sweep()
        assert len([path for path in house.config.media_dir.rglob("*") if path.is_file()]) == left


async def test_a_deleted_post_leaves_its_pictures_to_a_new_draft_for_a_day(house: House, alice: App):
    one = (await alice.send_file("/api/v1/media", picture())).json
    post = (await alice.post("/api/v1/statuses", status="", media_ids=[one["id"]])).json
    house.clock.advance(days=30)
    await alice.delete(f"/api/v1/statuses/{post['id']}")
    house.clock.advance(hours=2)
    await house.app[keys.UPLOADS].sweep()
    again = (await alice.post("/api/v1/statuses", status="", media_ids=[one["id"]])).json
    assert again["media_attachments"][0]["url"] == one["url"]
    await alice.delete(f"/api/v1/statuses/{again['id']}")
    house.clock.advance(hours=25)
    await house.app[keys.UPLOADS].sweep()
    assert (await house.anybody.ask("GET", one["url"].removeprefix(house.config.origin))).status == 404


def test_a_name_is_removed_only_if_it_is_ours(tmp_path: Path):
    (tmp_path / "store").mkdir()
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"x")
    Files(tmp_path / "store").remove(
        ["../outside.jpg", None, "/etc/hostname", "files/attachments/../../../outside.jpg"]
    )
    assert outside.exists()


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"\0\0\0\x1cftypavif", "image/avif"),
        (b"OggS" + b"\0" * 30, "audio/ogg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"BM", None),
        (b"<?xml version", None),
        (b"\xff\xff\xff\xff", None),
        (b"", None),
    ],
)
def test_a_type_is_read_from_the_bytes(head: bytes, found: str | None):
    assert find_type(head) == found


# The proxy ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def peer():
    found = await FakePeer.start("remote")
    yield found
    await found.stop()


def proxied(house: House, url: str) -> str:
    return house.app[keys.MEDIA_URLS].remote(url).removeprefix(house.config.origin)


async def test_a_remote_picture_is_fetched_once_and_kept(house: House, peer: FakePeer):
    data = picture("PNG")
    peer.answer("/cat.html", body=data, headers={"Content-Type": "text/html"})
    path = proxied(house, f"{peer.origin}/cat.html")
    for _ in range(2):
        reply = await house.anybody.ask("GET", path)
        assert (reply.status, reply.body) == (200, data)
        assert reply.headers["Content-Type"] == "image/png"  # by its bytes, not as its server called it
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert len(peer.fetched) == 1
    part = await house.anybody.ask("GET", path, headers={"Range": "bytes=2-5"})
    assert (part.status, part.body) == (206, data[2:6])


async def test_readers_of_one_url_wait_for_one_download(house: House, peer: FakePeer):
    gate = asyncio.Event()
    peer.answer("/a.png", body=picture("PNG"), hold=gate)
    path = proxied(house, f"{peer.origin}/a.png")
    asked = [asyncio.create_task(house.anybody.ask("GET", path)) for _ in range(5)]
    async with asyncio.timeout(5):
        while not peer.fetched:
            await asyncio.sleep(0.01)
    gate.set()
    assert {(await one).status for one in asked} == {200}
    assert len(peer.fetched) == 1


async def test_a_slow_origin_keeps_nobody_from_the_others(house: House, peer: FakePeer):
    slow = await FakePeer.start("slow")
    waiting = asyncio.Event()
    slow.answer("*", hold=waiting)
    peer.answer("/a.png", body=picture("PNG"))
    many = [asyncio.create_task(house.anybody.ask("GET", proxied(house, f"{slow.origin}/{n}.png"))) for n in range(40)]
    async with asyncio.timeout(5):
        while len(slow.fetched) < 4:
            await asyncio.sleep(0.01)
    answer = await house.anybody.ask("GET", proxied(house, f"{peer.origin}/a.png"))
    assert answer.status == 200
    assert len(slow.fetched) == 4
    waiting.set()
    await asyncio.gather(*many)
    await slow.stop()


async def test_only_urls_we_signed_are_fetched(house: House, peer: FakePeer):
    peer.answer("/a.png", body=picture("PNG"))
    path = proxied(house, f"{peer.origin}/a.png")
    prefix, mac, _ = path.rsplit("/", 2)
    other = base64.urlsafe_b64encode(f"{peer.origin}/b.png".encode()).rstrip(b"=").decode()
    assert (await house.anybody.ask("GET", f"{prefix}/{mac}/{other}")).status == 404
    assert (await house.anybody.ask("GET", f"{prefix}/{'A' * 24}/{other}")).status == 404
    assert (await house.anybody.ask("GET", f"{prefix}/x/{other}")).status == 404
    assert peer.fetched == []


@pytest.mark.parametrize("data", [HTML, SVG, b"{}", b"GI"], ids=["html", "svg", "json", "short"])
async def test_the_proxy_hands_on_nothing_that_a_browser_would_run(house: House, peer: FakePeer, data: bytes):
    peer.answer("/a", body=data, headers={"Content-Type": "image/png"})
    reply = await house.anybody.ask("GET", proxied(house, f"{peer.origin}/a"))
    assert reply.status == 404
    assert HTML not in reply.body
    assert not list((house.config.media_dir / "cache").rglob("*.*"))


async def test_a_proxy_asks_no_proxy_neither_its_own_nor_anothers(house: House, peer: FakePeer):
    own = f"{house.config.origin}/media/proxy/{'a' * 24}/abc"
    assert (await house.anybody.ask("GET", proxied(house, own))).status == 404
    path = proxied(house, f"{peer.origin}/a.png")
    reply = await house.anybody.ask("GET", path, headers={"User-Agent": "fedi/0.1.0; +https://other.example/"})
    assert reply.status == 403
    assert peer.fetched == []
    # Led back to us by a redirect, our own request is recognised and refused: no circle, however long the way.
    here = f"http://localhost:{house.client.port}"
    peer.answer("/circle.png", status=302, headers={"Location": here + proxied(house, f"{peer.origin}/circle.png")})
    assert (await house.anybody.ask("GET", proxied(house, f"{peer.origin}/circle.png"))).status == 404
    assert len(peer.fetched) == 1


async def test_what_failed_is_left_alone_for_a_while(house: House, peer: FakePeer):
    peer.answer("/gone.png", status=404)
    peer.answer("/busy.png", status=503)
    gone, busy = (proxied(house, f"{peer.origin}/{name}.png") for name in ("gone", "busy"))
    for _ in range(3):
        assert (await house.anybody.ask("GET", gone)).status == 404
        assert (await house.anybody.ask("GET", busy)).status == 503
    assert len(peer.fetched) == 2
    peer.answer("/busy.png", body=picture("PNG"))
    house.clock.advance(s=301)
    assert (await house.anybody.ask("GET", busy)).status == 200
    assert (await house.anybody.ask("GET", gone)).status == 404
    assert len(peer.fetched) == 3


async def test_too_much_is_cut_off_and_the_oldest_copies_make_room(sqlite_db, clock, tmp_path, peer: FakePeer):
    data = picture("PNG", (60, 40))
    limits = MediaConfig(max_remote_size=ByteSize(100_000), remote_cache_max=ByteSize(2 * len(data) + 10))
    async with serving(sqlite_db, clock, tmp_path, media=limits) as house:
        peer.answer("/huge.png", body=data + b"\0" * 200_000)
        assert (await house.anybody.ask("GET", proxied(house, f"{peer.origin}/huge.png"))).status == 404
        for name in "abc":
            peer.answer(f"/{name}.png", body=data)
        for name in "abac":  # b is the one not asked for longest
            assert (await house.anybody.ask("GET", proxied(house, f"{peer.origin}/{name}.png"))).status == 200
        assert house.app[keys.REMOTE_COPIES].kept_bytes == 2 * len(data)
        before = len(peer.fetched)
        await house.anybody.ask("GET", proxied(house, f"{peer.origin}/a.png"))
        assert len(peer.fetched) == before
        await house.anybody.ask("GET", proxied(house, f"{peer.origin}/b.png"))
        assert len(peer.fetched) == before + 1
    async with serving(sqlite_db, clock, tmp_path, media=limits) as again:  # after a restart
        before = len(peer.fetched)
        await again.anybody.ask("GET", proxied(again, f"{peer.origin}/b.png"))
        assert len(peer.fetched) == before
