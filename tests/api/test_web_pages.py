"""The pages over HTTP: what they show, to whom, in which language, and what they never do."""

import gzip
import re
from pathlib import Path

import pytest

from fedi.config import LimitsConfig, Rate
from fedi.ledger import slots
from fedi.store import relations, statuses
from fedi.web import keys
from tests.support.town import build_town
from tests.support.web import PASSWORD, add_person, add_post, add_stranger, fields_of, make_app, make_config, sign_in_as

TEMPLATES = Path(__file__).parents[2] / "fedi/web/templates"
CSS = Path(__file__).parents[2] / "fedi/web/static/fedi.css"


@pytest.fixture
async def site(sqlite_db, clock, tmp_path, aiohttp_client):
    return await aiohttp_client(make_app(sqlite_db, clock, make_config(tmp_path)))


@pytest.fixture
async def town(site, sqlite_db, clock):
    return await build_town(sqlite_db, site.app[keys.URIS], clock)


async def text_of(site, path, **headers):
    answer = await site.get(path, headers=headers)
    assert answer.status == 200, (path, answer.status)
    return await answer.text()


# Language and form


@pytest.mark.parametrize(
    ("lang", "direction", "word"), [("en", "ltr", "Older posts"), ("fr", "ltr", "Messages"), ("ar", "rtl", "المنشورات")]
)
async def test_each_page_speaks_the_language_of_the_browser(site, town, sqlite_db, clock, lang, direction, word):
    for number in range(25):
        await add_post(sqlite_db, clock, town.alice, f"<p>{number}</p>")
        clock.advance(s=60)
    for path in ("/", "/about", "/@alice", f"/@alice/{town.root.id}", "/auth/sign-in"):
        text = await text_of(site, path, **{"Accept-Language": lang})
        assert f'<html lang="{lang}" dir="{direction}"' in text
    assert word in await text_of(site, "/@alice", **{"Accept-Language": lang})


async def test_the_chosen_language_beats_that_of_the_browser(site):
    answer = await site.post("/language", data={"lang": "ar", "next": "/about"}, allow_redirects=False)
    assert answer.status == 303
    assert answer.headers["Location"] == "/about"
    assert '<html lang="ar" dir="rtl"' in await text_of(site, "/about", **{"Accept-Language": "fr"})


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", "/a\r\nX: y"]
)
async def test_no_form_leads_to_another_site(site, town, elsewhere):
    answer = await site.post("/language", data={"lang": "fr", "next": elsewhere}, allow_redirects=False)
    assert answer.headers["Location"] == "/"
    signed_in = await sign_in_as(site, goto=elsewhere)
    assert signed_in.headers["Location"] == "/"


async def test_each_piece_of_peoples_text_stands_in_its_own_direction(site, town):
    text = await text_of(site, f"/@alice/{town.root.id}")
    assert re.search(r'<div class="text e-content" dir="auto" lang="ar">\s*<p>جدتي', text)
    assert "<bdi>@bob@far.example</bdi>" in text
    assert re.search(r'<bdi class="p-name">نور الدين</bdi>', text)


async def test_no_page_has_a_script_a_style_of_its_own_or_anything_from_elsewhere(site, town):
    for path in ("/", "/about", "/@alice", f"/@alice/{town.root.id}", "/auth/sign-in", "/@nobody"):
        answer = await site.get(path)
        text = await answer.text()
        assert "<script" not in text
        assert " style=" not in text
        assert not re.search(r"\son[a-z]+=", text)
        for source in re.findall(r'(?:src|<link rel="stylesheet" href)="([^"]+)"', text):
            assert source.startswith(("/static/", "http://localhost:8080/media/")), source
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_style_sheet_is_small_and_knows_no_left_or_right():
    css = CSS.read_text()
    assert len(css.encode()) <= 20_000
    physical = r"(?:^|[\s;{])(?:margin|padding|border)-(?:left|right)|(?:^|[\s;{])(?:left|right)\s*:|(?:float|text-align)\s*:\s*(?:left|right)"
    assert not re.findall(physical, css)


def test_no_template_marks_its_own_text_as_safe_or_sets_inline_styles():
    for path in TEMPLATES.glob("*.html"):
        text = path.read_text()
        assert " style=" not in text, path.name
        assert re.findall(r"\|\s*safe", text) == (["| safe"] if path.name == "profile.html" else []), path.name


async def test_a_hostile_name_is_shown_as_text(site, sqlite_db, clock):
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    uris = site.app[keys.URIS]
    person = await add_person(sqlite_db, uris, clock, "mallory", display_name=hostile)
    post = await add_post(sqlite_db, clock, person, "<p>x</p>", spoiler=hostile, title=hostile, language='"><script>')
    for path in ("/@mallory", f"/@mallory/{post.id}", "/"):
        text = await text_of(site, path)
        assert "<script" not in text
        assert "<img src=x" not in text
        assert "&lt;script&gt;" in text


async def test_twenty_posts_are_at_most_fifteen_kilobytes_compressed(site, town, sqlite_db, clock):
    words = "The orchard behind the mill has forty kinds of apples and nobody remembers all their names. "
    for number in range(22):
        await add_post(sqlite_db, clock, town.alice, f"<p>{number} {words * 3}</p><p>{hash(number)}</p>", language="en")
        clock.advance(s=60)
    text = await text_of(site, "/@alice")
    assert text.count("<article") == 20
    assert len(gzip.compress(text.encode())) <= 15_000


# Profiles


async def test_a_profile_can_be_read_by_machines_too(site, town):
    answer = await site.get("/@alice")
    text = await answer.text()
    assert '<link rel="alternate" type="application/activity+json" href="http://localhost:8080/users/alice">' in text
    assert 'rel="alternate"; type="application/activity+json"' in answer.headers["Link"]
    assert '<meta property="og:title" content="Alice Meadows (@alice@localhost:8080)">' in text
    assert 'class="profile h-card"' in text
    assert 'class="p-name"' in text
    assert "h-entry" in text
    assert 'rel="me nofollow"' in text
    assert "noindex" not in text
    assert "noindex" in await text_of(site, "/@noor"), "who did not agree is not offered to search engines"


async def test_another_server_that_asks_for_a_page_is_sent_to_the_document(site, town):
    for path, target in (
        ("/@alice", "/users/alice"),
        (f"/@alice/{town.root.id}", f"/users/alice/statuses/{town.root.id}"),
    ):
        answer = await site.get(path, headers={"Accept": "application/activity+json"}, allow_redirects=False)
        assert answer.status == 303
        assert answer.headers["Location"] == f"http://localhost:8080{target}"


async def test_all_posts_of_a_profile_are_reached_page_by_page(site, sqlite_db, clock):
    alice = await add_person(sqlite_db, site.app[keys.URIS], clock)
    made = []
    for number in range(47):
        made.append(str((await add_post(sqlite_db, clock, alice, f"<p>{number}</p>")).id))
        clock.advance(s=60)
    seen, path, pages = [], "/@alice", 0
    while path:
        text = await text_of(site, path)
        seen += re.findall(r'<article[^>]* id="s(\d+)"', text)
        following = re.search(r'href="(/@alice\?max_id=\d+)" rel="next"', text)
        path = following[1] if following else None
        pages += 1
    assert seen == made[::-1]
    assert pages == 3


async def test_posts_for_followers_are_shown_to_followers_and_their_author(site, town, sqlite_db, clock):
    path, private = f"/@alice/{town.private.id}", "For those who follow me."
    assert private not in await text_of(site, "/@alice")
    assert (await site.get(path)).status == 404
    await sign_in_as(site, "noor")
    assert (await site.get(path)).status == 404
    await sqlite_db.write(
        "follow",
        lambda tx: relations.put_follow(
            tx, follower=town.noor.id, target=town.alice.id, state="accepted", uri=None, now_ms=clock.ms()
        ),
    )
    assert private in await text_of(site, path)
    assert private in await text_of(site, "/@alice")
    await sign_in_as(site, "alice")
    assert private in await text_of(site, path)


async def test_who_does_not_exist_is_a_page_that_says_so(site):
    answer = await site.get("/@nobody", headers={"Accept": "text/html"})
    assert answer.status == 404
    assert "Nobody here has this name." in await answer.text()
    assert (await site.get("/@nobody/12345")).status == 404
    assert (await site.get("/@alice?max_id=x")).status in {404, 422}


async def test_a_suspended_account_is_explained_and_not_absent(site, town, sqlite_db, clock):
    decisions = site.app[keys.DECISIONS]
    await sqlite_db.write(
        "suspend",
        lambda tx: decisions.decide(
            tx, effect="suspend", subject=town.alice.uri, rule="no-spam", reason="Forty adverts in one hour.",
            until_ms=clock.ms() + 86_400_000 * 30, by_role="owner", now_ms=clock.ms(),
        ),
    )  # fmt: skip
    for path in ("/@alice", f"/@alice/{town.root.id}"):
        text = await text_of(site, path)
        assert "no-spam" in text
        assert "Forty adverts in one hour." in text
        assert "January 29, 2026" in text
        assert "forty kinds of apples" not in text
    landing = await text_of(site, "/")
    assert "A decision hides this post" in landing
    assert "Forty adverts in one hour." in landing


# Posts


async def test_a_post_stands_between_what_it_answers_and_its_answers(site, sqlite_db, clock):
    uris = site.app[keys.URIS]
    alice, noor = await add_person(sqlite_db, uris, clock), await add_person(sqlite_db, uris, clock, "noor")
    first = await add_post(sqlite_db, clock, noor, "<p>first</p>")
    clock.advance(s=1)
    middle = await add_post(sqlite_db, clock, alice, "<p>middle</p>", reply_to=first)
    clock.advance(s=1)
    await add_post(sqlite_db, clock, noor, "<p>last</p>", reply_to=middle)
    text = await text_of(site, f"/@alice/{middle.id}")
    assert text.index("<p>first</p>") < text.index("<p>middle</p>") < text.index("<p>last</p>")
    assert "2 replies known in this conversation" in text


async def test_the_state_of_a_conversation_is_told_in_one_line(site, town, sqlite_db, clock):
    put = """INSERT INTO thread_fetch (thread, known, estimate, complete, missing, fetched_at)
             VALUES (:thread, 5, 20, 0, :missing, :at)"""
    at = clock.ms() - 180_000
    await sqlite_db.write("fetched", lambda tx: tx.run(put, thread=town.root.thread, missing='{"refused": 2}', at=at))
    text = await text_of(site, f"/@alice/{town.root.id}")
    assert "4 of about 19 replies known · looked for 3 minutes ago · 2 could not be fetched" in text
    await sqlite_db.write("complete", lambda tx: tx.run("UPDATE thread_fetch SET complete = 1, missing = '{}'"))
    assert "All of 4 replies known" in await text_of(site, f"/@alice/{town.root.id}")


async def test_a_deleted_reply_leaves_its_place(site, town):
    assert "A post stood here. Its author deleted it." in await text_of(site, f"/@alice/{town.root.id}")


async def test_a_deleted_post_is_gone(site, town, sqlite_db, clock):
    async def delete(tx):
        await statuses.mark_deleted(tx, town.root.id, clock.ms())
        await slots.mark_gone(tx, town.root.id, "author")

    await sqlite_db.write("delete", delete)
    assert (await site.get(f"/@alice/{town.root.id}")).status == 410
    assert "Its author deleted it." in await text_of(site, "/@alice")


async def test_a_reply_of_a_refused_server_keeps_its_place_with_the_reason(site, town, sqlite_db, clock):
    decisions = site.app[keys.DECISIONS]
    await sqlite_db.write(
        "refuse",
        lambda tx: decisions.decide(
            tx, effect="refuse", subject="far.example", rule="harassment", reason="Threats, unanswered for a month.",
            until_ms=clock.ms() + 86_400_000, by_role="admin", now_ms=clock.ms(),
        ),
    )  # fmt: skip
    text = await text_of(site, f"/@alice/{town.root.id}")
    assert "Devil" not in text
    assert "Threats, unanswered for a month." in text


async def test_a_boost_leads_to_what_it_brings(site, town, sqlite_db, clock):
    boost = await add_post(
        sqlite_db, clock, town.noor, "", kind="Announce", reblog_of=town.root.id, boost_of=town.root.uri
    )
    assert "Boosted by <bdi>نور الدين</bdi>" in await text_of(site, "/@noor")
    answer = await site.get(f"/@noor/{boost.id}", allow_redirects=False)
    assert answer.headers["Location"] == f"http://localhost:8080/@alice/{town.root.id}"


async def test_a_warning_covers_the_post_and_its_preview(site, town):
    page = await text_of(site, "/@alice")
    assert re.search(r"<details class=\"warned\">\s*<summary><span[^>]*>La fin du film", page)
    own = await text_of(site, f"/@alice/{town.warned.id}")
    assert '<meta property="og:description" content="La fin du film">' in own
    assert not re.search(r'content="[^"]*berger', own)


async def test_only_the_author_reads_where_a_post_went(site, town):
    path = f"/@alice/{town.root.id}/deliveries"
    stranger = await site.get(path, allow_redirects=False)
    assert stranger.status == 303
    assert stranger.headers["Location"].startswith("/auth/sign-in?next=")
    await sign_in_as(site, "noor")
    assert (await site.get(path)).status == 404
    assert "/deliveries" not in await text_of(site, f"/@alice/{town.root.id}")
    await sign_in_as(site, "alice")
    text = await text_of(site, path)
    assert "Delivered to 1 of 4 servers · 2 waiting · 1 refused" in text
    assert "HTTP 403 · forbidden" in text
    assert f"/@alice/{town.root.id}/deliveries" in await text_of(site, f"/@alice/{town.root.id}")


async def test_a_remote_person_is_linked_to_at_home(site, sqlite_db, clock):
    uris = site.app[keys.URIS]
    alice = await add_person(sqlite_db, uris, clock)
    post = await add_post(sqlite_db, clock, alice, "<p>x</p>")
    bob = await add_stranger(sqlite_db, clock, "bob", "far.example", avatar="https://far.example/a.png")
    await add_post(sqlite_db, clock, bob, "<p>y</p>", reply_to=post)
    text = await text_of(site, f"/@alice/{post.id}")
    assert 'href="https://far.example/@bob"' in text
    assert 'src="https://far.example' not in text
    assert re.search(r'<img class="avatar u-photo" src="http://localhost:8080/media/proxy/', text)


# Signing in and out


async def test_signing_in_by_name_in_any_case_or_by_address(site, town):
    for login in ("alice", "ALICE", "alice@mail.example", " alice "):
        answer = await sign_in_as(site, login, goto="/@alice")
        assert answer.status == 303, login
        assert answer.headers["Location"] == "/@alice"


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(site, town):
    answers = [await sign_in_as(site, "alice", "wrong"), await sign_in_as(site, "nobody", "wrong")]
    texts = [re.sub(r'(value|content)="[^"]*"', "", await answer.text()) for answer in answers]
    assert [answer.status for answer in answers] == [422, 422]
    assert texts[0] == texts[1]
    assert "session" not in answers[0].cookies


async def test_the_session_cookie_is_closed_to_scripts_other_sites_and_plain_http(
    sqlite_db, clock, tmp_path, aiohttp_client
):
    site = await aiohttp_client(make_app(sqlite_db, clock, make_config(tmp_path, http=False, domain="social.example")))
    await add_person(sqlite_db, site.app[keys.URIS], clock)
    page = await site.get("/auth/sign-in")
    form = page.cookies["__Host-form"]
    answer = await site.post(
        "/auth/sign-in",
        data=fields_of(await page.text()) | {"login": "alice", "password": PASSWORD},
        headers={"Cookie": f"__Host-form={form.value}"},
        allow_redirects=False,
    )
    cookie = answer.cookies["__Host-session"]
    assert cookie["secure"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == "/"
    assert not cookie["domain"]


async def test_signing_out_ends_the_session_here_and_in_the_database(site, town, sqlite_db):
    await sign_in_as(site, "alice")
    page = await text_of(site, "/auth/sign-out")
    kept = site.session.cookie_jar.filter_cookies(site.make_url("/"))["session"].value
    assert (await site.post("/auth/sign-out", data={"form_token": "0"}, allow_redirects=False)).status == 403
    answer = await site.post("/auth/sign-out", data=fields_of(page), allow_redirects=False)
    assert answer.status == 303
    assert "Sign in" in await text_of(site, "/")
    assert await site.app[keys.SESSIONS].find(kept) is None


async def test_a_session_ends_after_thirty_days(site, town, clock):
    await sign_in_as(site, "alice")
    clock.advance(days=29)
    assert "Sign out" in await text_of(site, "/")
    clock.advance(days=2)
    assert "Sign out" not in await text_of(site, "/")


async def test_signing_in_gives_a_new_session_and_ends_the_old(site, town, sqlite_db):
    await sign_in_as(site, "alice")
    await sign_in_as(site, "noor")
    assert await sqlite_db.read(lambda tx: tx.value("SELECT COUNT(*) FROM web_session")) == 1


async def test_guessing_is_slowed_for_a_name_without_locking_others_out(sqlite_db, clock, tmp_path, aiohttp_client):
    limits = LimitsConfig(sign_ins=Rate(3, 300))
    config = make_config(tmp_path, http=False, domain="social.example", limits=limits)
    site = await aiohttp_client(make_app(sqlite_db, clock, config))
    await add_person(sqlite_db, site.app[keys.URIS], clock)
    await add_person(sqlite_db, site.app[keys.URIS], clock, "noor")

    async def guess(login, password, address):
        page = await site.get("/auth/sign-in")
        cookie = f"__Host-form={page.cookies['__Host-form'].value}"
        return await site.post(
            "/auth/sign-in",
            data=fields_of(await page.text()) | {"login": login, "password": password},
            headers={"Cookie": cookie, "X-Forwarded-For": address},
            allow_redirects=False,
        )

    codes = [(await guess("alice", "wrong", "203.0.113.1")).status for _ in range(4)]
    assert codes == [422, 422, 422, 429]
    refused = await guess("Alice", PASSWORD, "203.0.113.1")
    assert refused.status == 429, "even the right password, and in any case"
    assert int(refused.headers["Retry-After"]) > 0
    assert (await guess("alice", PASSWORD, "203.0.113.2")).status == 303, "she herself, elsewhere, still gets in"
    assert (await guess("noor", PASSWORD, "203.0.113.1")).status == 303
    clock.advance(s=300)
    assert (await guess("alice", PASSWORD, "203.0.113.1")).status == 303
