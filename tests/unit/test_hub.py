"""Events in the process."""

import asyncio

from fedi.streaming.hub import QUEUE_LENGTH, STATUSES, Event, Hub, to_account


async def test_a_listener_gets_its_topics_in_order_and_once():
    hub = Hub()
    with hub.subscribe(STATUSES, to_account(7)) as events:
        first = Event(kind="update", status=1, author=2, account=7)
        told = Event(kind="notification", account=7, notification=3, status=1)
        for event in (first, told, Event(kind="notification", account=8, notification=4)):
            hub.publish(event)
        seen = aiter(events)
        assert [await anext(seen), await anext(seen)] == [first, told]
        waiting = asyncio.create_task(anext(seen))
        await asyncio.sleep(0)
        assert not waiting.done()
        hub.close()
        assert (await asyncio.gather(waiting, return_exceptions=True))[0].__class__ is StopAsyncIteration
    assert hub.listeners == 0


async def test_a_slow_listener_loses_the_oldest_and_is_told():
    hub = Hub()
    with hub.subscribe(STATUSES) as events:
        for number in range(QUEUE_LENGTH + 3):
            hub.publish(Event(kind="update", status=number, author=1))
        assert events.missed == 3
        assert (await anext(aiter(events))).status == 3


async def test_topics_can_be_joined_and_left():
    hub = Hub()
    events = hub.subscribe()
    events.follow(to_account(1))
    hub.publish(Event(kind="notification", account=1, notification=1))
    events.leave(to_account(1))
    hub.publish(Event(kind="notification", account=1, notification=2))
    events.close()
    assert [event.notification async for event in events] == [1]
