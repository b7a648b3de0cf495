"""Hold `ContextActor`, from which an application derives its own actors, with what marks their
commands and timers, and the proxies by which they are reached.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import copy_context
from functools import partial
from typing import (
    Any,
    ClassVar,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeAlias,
    TypeVar,
    overload,
)

from actors.chain import find_own
from actors.messages import Command, Stage
from actors.steps import Turn
from chord.api import Chord, State
from chord.clock import Timer
from chord.errors import ConfigurationError, ContextNotFound, InvalidArgument, NoTurn, WrongActor
from chord.intake import Intake
from chord.requests import check_context_id, check_prefix, check_timeout
from chord.state import StateDict

A = TypeVar("A", bound="ContextActor")
S = TypeVar("S", bound="ContextActor")
P = ParamSpec("P")
R = TypeVar("R")

Ask: TypeAlias = Callable[[str, Command, float | None], Awaitable[Any]]
"""Has a context run a command, within so many seconds."""

SHORTEST: Final = 0.001
"""The shortest interval of a timer, in seconds."""


class Runtime(Chord, Protocol):
    """The runtime that an actor lives in."""

    def actor(self, kind: type[A], context_id: str, *, timeout: float | None = None) -> A:
        """Return a proxy of the actor of this id."""


# -- what marks methods --------------------------------------------------------------------------


class CommandMethod(Generic[P, R]):
    """A command, as `command` makes it of a method; `function` is what it was made of.

    Called on a proxy, it is run in its turn. Called by another command on `self`, it is a part of
    that, in the same turn. Either way what the call returns is to be awaited.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.is_async = inspect.iscoroutinefunction(function)
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    @overload
    def __get__(self, actor: None, kind: type) -> Self: ...

    @overload
    def __get__(self, actor: ContextActor, kind: type) -> Callable[P, Coroutine[Any, Any, R]]: ...

    def __get__(self, actor: ContextActor | None, kind: type) -> Any:
        return self if actor is None else partial(self._run_within, actor)

    async def _run_within(self, actor: ContextActor, *args: Any, **kwargs: Any) -> Any:
        actor._find_turn()
        value = self.function(actor, *args, **kwargs)
        return await value if self.is_async else value


@overload
def command(
    function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]],
) -> CommandMethod[P, R]: ...


@overload
def command(function: Callable[Concatenate[S, P], R]) -> CommandMethod[P, R]: ...


def command(function: Callable[..., Any]) -> CommandMethod[..., Any]:
    """Make a method a command: what a proxy can be asked for. It may be sync or async."""
    return CommandMethod(function)


class TimedMethod(Generic[R]):
    """What `every` makes of a method: it is called when it is time, and by other methods."""

    def __init__(self, function: Callable[..., Any], seconds: float) -> None:
        self.function = function
        self.seconds = seconds
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    @overload
    def __get__(self, actor: None, kind: type) -> Self: ...

    @overload
    def __get__(self, actor: ContextActor, kind: type) -> Callable[[], R]: ...

    def __get__(self, actor: ContextActor | None, kind: type) -> Any:
        return self if actor is None else partial(self.function, actor)


def every(seconds: float) -> Callable[[Callable[[S], R]], TimedMethod[R]]:
    """Run a method as a command every so many seconds, 0.001 or more, while the context is live.

    A tick that has not been answered when the next is due has that left out, as has one that is
    due while the context is about to leave memory. What a tick raises is noted, and the next one
    comes. Only a tick that changes the state counts as a use of the context.
    """
    if type(seconds) not in (int, float) or not seconds >= SHORTEST:
        raise ConfigurationError(f"every() takes {SHORTEST} seconds or more, not {seconds!r}")
    return partial(TimedMethod, seconds=seconds)


# -- what applications derive from ---------------------------------------------------------------


class ContextActor:
    """One context, and what can be done to it, while it is live.

    A subclass names the prefix of its ids, as a class keyword or attribute. Its plain attributes
    live as long as the context is in memory; what is to be kept, and shown, is in the state.
    """

    prefix: ClassVar[str | None] = None
    _commands: ClassVar[Mapping[str, CommandMethod[..., Any]]] = {}
    _timers: ClassVar[Mapping[str, TimedMethod[Any]]] = {}
    _play: Play

    def __init_subclass__(cls, *, prefix: str | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        if prefix is not None:
            cls.prefix = prefix
        if cls.prefix is not None:
            check_prefix(cls.prefix)
        if inspect.iscoroutinefunction(cls.initial):
            raise ConfigurationError(f"{cls.__name__}.initial cannot be async")
        members = {name: inspect.getattr_static(cls, name) for name in dir(cls)}
        cls._commands = {
            name: member for name, member in members.items() if isinstance(member, CommandMethod)
        }
        cls._timers = {
            name: member for name, member in members.items() if isinstance(member, TimedMethod)
        }
        for name in (*cls._commands, *cls._timers):
            if name in OURS:
                raise ConfigurationError(f"{cls.__name__}.{name} is a name of ContextActor's own")

    # -- for commands ----------------------------------------------------------------------------

    @property
    def context_id(self) -> str:
        return self._play.context_id

    @property
    def chord(self) -> Runtime:
        """The runtime, to ask others: a write to this context would wait for itself."""
        return self._play.casting.chord

    @property
    def state(self) -> StateDict:
        """The state, with what this command has changed by now. It is read-only, and stays so."""
        return self._find_turn().share()

    def update(self, changes: State) -> None:
        """Change the state in part, as `update_context` does. Raises `InvalidState`.

        All updates of a command are one version, which is shown when it has returned, and never if
        it raises.
        """
        self._find_turn().update(self._play.casting.take_in_changes(changes))

    def _find_turn(self) -> Turn:
        frame = find_own(self._play)
        if frame is None or not frame.held:
            raise NoTurn(self.context_id)
        if frame.turn is None:
            raise ContextNotFound(self.context_id)
        return frame.turn

    # -- for subclasses to say -------------------------------------------------------------------

    def initial(self) -> State:
        """Return the state to begin with where there is no context."""
        raise ContextNotFound(self.context_id)

    def on_activate(self) -> Awaitable[None] | None:
        """Run before the first command, as a command. What it raises is that one's error."""

    def on_passivate(self) -> Awaitable[None] | None:
        """Run as the last command before the context leaves memory, or when it was deleted."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.context_id!r}>"


OURS: Final = frozenset(name for name in vars(ContextActor) if not name.startswith("__"))


# -- a part in an actor --------------------------------------------------------------------------


class Play:
    """A `Part`: an instance of an application's class, on its stage."""

    def __init__(self, casting: Casting, kind: type[ContextActor], stage: Stage) -> None:
        self.casting = casting
        self.context_id = stage.context_id
        self.actor = kind.__new__(kind)
        self.actor._play = self
        kind.__init__(self.actor)
        self._beats = [Beat(self, stage, name, timed) for name, timed in kind._timers.items()]

    def opening(self) -> Command | None:
        hook = type(self.actor).on_activate
        if hook is ContextActor.on_activate:
            return None
        return self.make_command("on_activate", hook, initial=_make_initial)

    def begin(self) -> None:
        for beat in self._beats:
            beat.start()

    def closing(self) -> Command | None:
        hook = type(self.actor).on_passivate
        if hook is ContextActor.on_passivate:
            return None
        return self.make_command("on_passivate", hook, closes=True)

    def end(self) -> None:
        for beat in self._beats:
            beat.stop()

    def make_command(self, name: str, function: Callable[..., Any], **fields: Any) -> Command:
        """Make a command of what the actor wants by itself, on nobody's behalf."""
        return Command(
            name=name,
            call=lambda turn, part: _call(function, self.actor),
            is_async=inspect.iscoroutinefunction(function),
            context=self.casting.context.copy(),
            **fields,
        )


class Beat:
    """One timer of a part: at a steady pace, and never twice at once."""

    def __init__(self, play: Play, stage: Stage, name: str, timed: TimedMethod[Any]) -> None:
        self._play = play
        self._stage = stage
        self._name = name
        self._timed = timed
        self._due = 0.0
        self._timer: Timer | None = None
        self._waits = False

    def start(self) -> None:
        self._due = self._stage.now()
        self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        """See that the next tick comes when it is due; what should have been by now is left out."""
        seconds = self._timed.seconds
        missed = max(0.0, self._stage.now() - self._due) // seconds
        self._due += (missed + 1) * seconds
        self._timer = self._stage.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._arm()
        if not self._waits and not self._stage.is_leaving:
            self._waits = True
            command = self._play.make_command(self._name, self._timed.function)
            self._stage.play(self._play, command, self._be_told)

    def _be_told(self) -> None:
        self._waits = False


def _call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a method; one that says that it is not async must not turn out to be."""
    value = function(*args, **kwargs)
    if inspect.iscoroutine(value) and not inspect.iscoroutinefunction(function):
        value.close()
        raise TypeError(f"{function.__qualname__} returned a coroutine: make it an 'async def'")
    return value


def _make_initial(part: Play) -> StateDict:
    return part.casting.take_in(part.actor.initial())


# -- how it is reached ---------------------------------------------------------------------------


class Casting:
    """Makes proxies, and parts when they are called for, in one runtime. `ask` runs a command."""

    def __init__(self, chord: Runtime, intake: Intake, ask: Ask) -> None:
        self.chord = chord
        self.ask = ask
        self.context = copy_context()
        self._intake = intake

    def make_proxy(self, kind: type[A], context_id: str, timeout: float | None) -> A:
        """Make what stands for an actor, wherever it is; nothing happens before it is asked."""
        _check_kind(kind)
        check_context_id(context_id)
        check_timeout(timeout)
        assert kind.prefix is not None
        if not context_id.startswith(kind.prefix):
            wanted = f"an id that begins with {kind.prefix!r}, as {kind.__name__} says"
            raise InvalidArgument("context_id", context_id, wanted)
        return Proxy(self, kind, context_id, timeout)  # type: ignore[return-value]

    def cast(self, kind: type[ContextActor], stage: Stage) -> Play:
        return Play(self, kind, stage)

    def take_in(self, state: State) -> StateDict:
        return self._intake.set(state, None, None).state

    def take_in_changes(self, changes: State) -> StateDict:
        return self._intake.update(changes, None, None, None, False).patches[0]


def _check_kind(kind: object) -> None:
    if not isinstance(kind, type) or not issubclass(kind, ContextActor):
        raise ConfigurationError(f"{kind!r} is not a subclass of ContextActor")
    if kind.prefix is None:
        name = kind.__name__
        raise ConfigurationError(f"{name} names no prefix: class {name}(ContextActor, prefix=...)")


class Proxy:
    """Stands for an actor: its attributes are the commands of that, each to be awaited."""

    __slots__ = ("_casting", "_kind", "_timeout", "context_id")

    def __init__(
        self, casting: Casting, kind: type[ContextActor], context_id: str, timeout: float | None
    ) -> None:
        self._casting = casting
        self._kind = kind
        self._timeout = timeout
        self.context_id = context_id

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = self._kind._commands.get(name)
        if method is None:
            text = f"{name!r} is no command of {self._kind.__name__} (a method marked @command is)"
            raise AttributeError(text, name=name, obj=self)
        return partial(self._ask, name, method)

    async def _ask(
        self, name: str, method: CommandMethod[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        kind = self._kind

        def call(turn: object, part: Any) -> Any:
            if type(part.actor) is not kind:
                raise WrongActor(self.context_id, kind.__name__, type(part.actor).__name__)
            return _call(method.function, part.actor, *args, **kwargs)

        command = Command(
            name=name,
            call=call,
            is_async=method.is_async,
            initial=_make_initial,
            cast=partial(self._casting.cast, kind),
            arguments=(*args, *kwargs.values()),
        )
        return await self._casting.ask(self.context_id, command, self._timeout)

    def __repr__(self) -> str:
        return f"<proxy of {self._kind.__name__} {self.context_id!r}>"
