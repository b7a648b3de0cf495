"""Test that servers start, die, come back and leave nothing behind."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from chord.testing.servers import Server, ServerMissing, find_redis, find_valkey
from tests.servers import find_program

pytestmark = pytest.mark.server


def ask(server: Server, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as connection:
        connection.sendall(request)
        return connection.recv(1000)


@pytest.mark.parametrize("find", [find_redis, find_valkey])
def test_a_started_server_answers(find: Callable[[], str]) -> None:
    with Server(find_program(find)) as server:
        assert ask(server, b"PING\r\n") == b"+PONG\r\n"


def test_a_killed_server_comes_back_on_its_port_with_nothing_in_it() -> None:
    with Server(find_program(find_redis)) as server:
        ask(server, b"SET a 1\r\n")
        first = server.pid
        server.kill()
        with pytest.raises(OSError, match="refused"):
            ask(server, b"PING\r\n")
        server.start()
        assert server.pid != first
        assert ask(server, b"GET a\r\n") == b"$-1\r\n"


def test_a_server_with_a_password_asks_for_it() -> None:
    with Server(find_program(find_redis), password="secret") as server:
        assert ask(server, b"GET a\r\n").startswith(b"-NOAUTH")
        assert ":secret@" in server.url


def test_a_server_does_not_end_by_the_interrupt_of_those_who_use_it() -> None:
    with Server(find_program(find_redis)) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_a_stopped_server_leaves_no_files() -> None:
    with Server(find_program(find_redis)) as server:
        folder = Path(server.socket_path).parent
        assert folder.exists()
    assert not folder.exists()
    with pytest.raises(RuntimeError, match="not running"):
        server.kill()


def test_a_server_that_cannot_start_says_why() -> None:
    server = Server(find_program(find_redis), "--no-such-option", "1")
    with pytest.raises(RuntimeError, match="no-such-option"):
        server.start()
    server.stop()


def test_a_missing_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerMissing, match="redis-server"):
        find_redis()


def test_without_a_program_tests_are_skipped_but_fail_under_ci(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="redis-server"):
        find_program(find_redis)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="redis-server"):
        find_program(find_redis)
