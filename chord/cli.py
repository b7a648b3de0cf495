"""Run Chord from a shell: ``chord serve`` opens a runtime and puts a door before it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import attrs
import msgspec

from chord.api import Chord
from chord.errors import ChordError, ConfigurationError, NotStored

if TYPE_CHECKING:
    from chord.web.door import Door
    from chord.web.gate import Hooks

GROUP: Final = "chord.runtimes"
"""The entry-point group of runtimes, by which this finds what it may not import."""

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 if all that was acknowledged is stored, 1 if not, 2 if nothing was served."""
    options = _parse(arguments)
    try:
        asyncio.run(serve(options))
    except NotStored as error:
        return _complain(error, 1)
    except (ChordError, OSError) as error:
        return _complain(error, 2)
    return 0


def _complain(error: Exception, status: int) -> int:
    print(f"chord: {error}", file=sys.stderr)
    return status


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="chord", description="Keep and sync contexts of state.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="serve contexts by WebSocket, SSE and HTTP")
    add = serve.add_argument
    add("url", nargs="?", default="memory://", help="the store, such as sqlite:///rooms.db")
    add("--mode", default="stateful", help="the runtime: stateful (default), or stateless")
    add("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    add("--port", type=int, default=8000, help="0: any that is free (default: %(default)s)")
    add("--hooks", metavar="MODULE:NAME", help="who may do what: Hooks, or what makes them")
    add("--origin", action="append", metavar="URL", help="a site whose pages are welcome")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of Settings")
    add("--open", action="store_true", help="let anyone on this machine do anything")
    add("--open-to-network", action="store_true", help="let anyone anywhere do anything")
    return parser.parse_args(arguments)


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGINT or SIGTERM; then end the connections, and store what is not stored yet.

    Raises `ConfigurationError` where the options make no sense, `OSError` where the address is not
    free, and what opening a runtime and closing it raise.
    """
    serving = _import_serving()
    is_nearby = serving.is_loopback(options.host)
    check_openness(options, is_nearby=is_nearby)
    settings = dict(map(_read_setting, options.set))
    runtime = find_runtime(options.mode)
    _make_importable()
    with serving.listen(options.host, options.port) as listener, end_by_signal() as ended:
        async with runtime.open(options.url, **settings) as chord:
            door = make_door(chord, options)
            print(f"chord: {options.mode}, {options.url} at {serving.name(listener)}", flush=True)
            await serving.run_door(door, listener, ended, nearby=options.open and is_nearby)


def make_door(chord: Chord, options: argparse.Namespace) -> Door:
    """Return a door with the hooks that the options name."""
    from chord.web.door import Door

    hooks = attrs.asdict(load_hooks(options.hooks, chord), recurse=False) if options.hooks else {}
    open_to_all = options.open or options.open_to_network
    return Door(chord, origins=options.origin, open_to_all=open_to_all, **hooks)


@contextlib.contextmanager
def end_by_signal() -> Iterator[asyncio.Event]:
    """Set an event by SIGINT or SIGTERM, which do nothing else until this is left."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in SIGNALS:
        loop.add_signal_handler(each, ended.set)
    try:
        yield ended
    finally:
        for each in SIGNALS:
            loop.remove_signal_handler(each)


def check_openness(options: argparse.Namespace, *, is_nearby: bool) -> None:
    """Raise `ConfigurationError` where nobody would be let in, or by mistake everybody.

    `is_nearby`: the host is one that only this machine can reach.
    """
    is_open = options.open or options.open_to_network
    if bool(options.hooks) == is_open:
        raise ConfigurationError("give --hooks to say who may do what, or --open to develop")
    if is_open and not options.open_to_network and not is_nearby:
        raise ConfigurationError(
            f"--open is for this machine only, and {options.host} is not; or --open-to-network"
        )


def find_runtime(mode: str) -> Any:
    """Return the runtime's class; raise `ConfigurationError` where none has this name."""
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if mode not in found:
        raise ConfigurationError(f"no mode {mode!r}; there are {', '.join(sorted(found))}")
    try:
        return found[mode].load()
    except (ImportError, AttributeError) as error:
        module = found[mode].value
        raise ConfigurationError(
            f"{module} cannot be loaded; does a module of yours hide it? {error}"
        ) from error


def load_hooks(name: str, chord: Chord) -> Hooks:
    """Return the hooks that ``package.module:name`` are, or makes when it is given the runtime."""
    from chord.web.gate import Hooks

    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute or "hooks")
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"no hooks {name!r}: {error}") from error
    hooks = found if isinstance(found, Hooks) else found(chord) if callable(found) else found
    if not isinstance(hooks, Hooks):
        raise ConfigurationError(f"{name} has to be, or to make, Hooks, not {type(hooks).__name__}")
    return hooks


def _read_setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigurationError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _make_importable() -> None:
    """Let hooks be found in the folder that the command runs in, as ``python -m`` does."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())


def _import_serving() -> ModuleType:
    try:
        from chord.web import serving
    except ModuleNotFoundError as error:
        if error.name in ("starlette", "uvicorn"):
            advice = "chord serve needs the extra web: pip install 'chord-sync[web]'"
            raise ConfigurationError(advice) from error
        raise
    return serving
