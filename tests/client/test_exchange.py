"""Test what is said over a connection, without one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chord.client.backoff import Backoff
from chord.client.exchange import Exchange
from chord.client.outbox import ALWAYS, Waiting
from chord.clock import ManualClock
from chord.web.limits import TokenBucket
from chord.web.wire import Done, Encoding, Hello, Ping, Pong, Sync, decode_request, encode

pytestmark = pytest.mark.anyio

RATE, BURST = 100.0, 200.0


def greeted(clock: ManualClock, **limits: Any) -> Exchange:
    """An exchange that has a connection."""
    exchange = Exchange(
        Encoding.JSON,
        lambda: None,
        clock=clock,
        backoff=Backoff(),
        chance=lambda: 1.0,
        limit=1000,
    )
    exchange.hear(encode(Hello(heartbeat=20.0, limits=limits), Encoding.JSON))
    return exchange


def ask(exchange: Exchange) -> None:
    ref = exchange.next_ref()
    exchange.request(
        Waiting(
            ref=ref,
            context_id="room:1",
            message=Sync(ref=ref, context="room:1"),
            answer=asyncio.get_running_loop().create_future(),
            again_for=ALWAYS,
        )
    )


async def test_of_a_burst_of_700_requests_the_server_refuses_none() -> None:
    clock = ManualClock()
    exchange = greeted(clock, rate=RATE, burst=BURST)
    bucket = TokenBucket(rate=RATE, burst=BURST, now=clock.monotonic())
    for _ in range(700):
        ask(exchange)
    said = 0
    while said < 700:
        while exchange.speak() is not None:
            assert bucket.take(clock.monotonic()) == 0.0
            said += 1
        clock.advance(0.1)
    assert clock.monotonic() < 10.0


async def test_a_pong_waits_for_nothing() -> None:
    exchange = greeted(ManualClock(), rate=1, burst=1)
    for _ in range(2):
        ask(exchange)
    assert exchange.speak() is not None
    assert exchange.speak() is None
    exchange.hear(encode(Ping(), Encoding.JSON))
    said = exchange.speak()
    assert said is not None
    assert isinstance(decode_request(said, Encoding.JSON), Pong)


async def test_what_is_not_watched_any_more_leaves_no_question_behind() -> None:
    exchange = greeted(ManualClock())
    subscription = exchange.subscribe("room:1", 0.0)
    assert len(exchange._questions) == 1
    exchange.unsubscribe(subscription)
    assert exchange._questions == {}


async def test_an_answer_that_nobody_waits_for_is_passed_over() -> None:
    exchange = greeted(ManualClock())
    exchange.hear(encode(Done(ref=77, position="k:1", changed=True), Encoding.JSON))
    assert exchange.speak() is None
