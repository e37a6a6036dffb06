"""Lists, markers."""

import pytest

from tests.support.apps import App, House, house

__all__ = ["house"]


@pytest.fixture
async def alice(house: House) -> App:
    return await house.add_person("alice")


async def follow(house: House, one: App, other_id: str) -> None:
    await house.api.follow(one.account.id, int(other_id))


async def test_a_list_is_made_read_changed_and_dropped(house: House, alice: App):
    made = (await alice.post("/api/v1/lists", title=" Friends ", replies_policy="none", exclusive="on")).json
    assert made == {"id": made["id"], "title": "Friends", "replies_policy": "none", "exclusive": True}
    path = f"/api/v1/lists/{made['id']}"
    assert (await alice.get("/api/v1/lists")).json == [made]
    assert (await alice.get(path)).json == made
    for method in ("PUT", "PATCH"):  # trap 17
        changed = (await alice.ask(method, path, params={"title": method})).json
        assert changed == made | {"title": method}
    assert (await alice.delete(path)).json == {}
    assert (await alice.get("/api/v1/lists")).json == []
    assert (await alice.get(path)).status == 404
    assert (await alice.delete(path)).status == 404


@pytest.mark.parametrize("values", [{}, {"title": "  "}, {"title": "x" * 256}, {"title": "a", "replies_policy": "all"}])
async def test_a_list_that_cannot_be_is_refused(alice: App, values):
    assert (await alice.post("/api/v1/lists", **values)).status == 422


async def test_a_list_is_seen_by_its_owner_alone(house: House, alice: App):
    bob = await house.add_person("bob")
    path = f"/api/v1/lists/{(await alice.post('/api/v1/lists', title='Mine')).json['id']}"
    for method, where in (("GET", path), ("PUT", path), ("DELETE", path), ("GET", path + "/accounts")):
        assert (await bob.ask(method, where, json={"title": "x"})).status == 404
    assert (await bob.post(path + "/accounts", account_ids=[bob.id])).status == 404
    reader = await house.app_of(alice.account, "read:lists")
    assert (await reader.get(path)).status == 200
    assert (await reader.delete(path)).status == 403
    assert (await house.anybody.get("/api/v1/lists")).status == 401


async def test_only_whom_one_follows_can_be_on_a_list(house: House, alice: App):
    people = [await house.add_person(name) for name in ("bob", "cai", "dia")]
    for one in people[:2]:
        await follow(house, alice, one.id)
    made = (await alice.post("/api/v1/lists", title="Friends")).json
    path = f"/api/v1/lists/{made['id']}/accounts"
    assert (await alice.post(path, account_ids=[people[0].id, people[2].id])).status == 404
    assert (await alice.get(path)).json == []
    assert (await alice.post(path, account_ids=[one.id for one in people[:2]])).json == {}
    assert {one["username"] for one in (await alice.get(path)).json} == {"bob", "cai"}
    assert (await alice.get(f"/api/v1/accounts/{people[0].id}/lists")).json == [made]
    assert (await alice.get(f"/api/v1/accounts/{people[2].id}/lists")).json == []


async def test_members_leave_by_a_delete_with_a_body_or_with_a_query(house: House, alice: App):
    people = [await house.add_person(name) for name in ("bob", "cai")]
    for one in people:
        await follow(house, alice, one.id)
    path = f"/api/v1/lists/{(await alice.post('/api/v1/lists', title='F')).json['id']}/accounts"
    await alice.post(path, account_ids=[one.id for one in people])
    assert (await alice.ask("DELETE", path, data={"account_ids[]": people[0].id})).json == {}
    assert [one["username"] for one in (await alice.get(path)).json] == ["cai"]
    assert (await alice.ask("DELETE", path, params={"account_ids[]": people[1].id})).json == {}
    assert (await alice.get(path)).json == []


async def test_members_are_paged_by_link_and_zero_means_all(house: House, alice: App):
    made = (await alice.post("/api/v1/lists", title="Many")).json
    path = f"/api/v1/lists/{made['id']}/accounts"
    people = [await house.add_person(f"p{n}") for n in range(5)]
    for one in people:
        await follow(house, alice, one.id)
    await alice.post(path, account_ids=[one.id for one in people])
    seen, where = [], f"{path}?limit=2"
    while where:
        reply = await alice.ask("GET", where)
        seen += [one["id"] for one in reply.json]
        where = reply.links.get("next", "").removeprefix(house.config.origin)
    assert seen == [one.id for one in reversed(people)]
    assert len((await alice.get(path, limit=0)).json) == 5
    assert "Link" not in (await alice.get(path, max_id=1)).headers


async def test_markers_are_kept_per_timeline_with_a_version(house: House, alice: App):
    assert (await alice.get("/api/v1/markers", ("timeline[]", "home"))).json == {}
    first = (await alice.ask("POST", "/api/v1/markers", data={"home[last_read_id]": "103194548672408537"})).json
    assert first["home"]["last_read_id"] == "103194548672408537"
    assert first["home"]["updated_at"].endswith(".000Z") or first["home"]["updated_at"][-5:-1].isdigit() is False
    second = (await alice.post("/api/v1/markers", home={"last_read_id": "5"}, notifications={"last_read_id": 7})).json
    assert second["home"]["version"] == first["home"]["version"] + 1
    assert second["notifications"]["last_read_id"] == "7"  # a string, whatever was sent
    both = (await alice.get("/api/v1/markers", ("timeline[]", "home"), ("timeline[]", "notifications"))).json
    assert both == second
    assert (await alice.get("/api/v1/markers", ("timeline[]", "elsewhere"))).json == {}
    assert (await alice.post("/api/v1/markers")).json == {}
    assert (await alice.post("/api/v1/markers", home={"last_read_id": "x"})).status == 422
