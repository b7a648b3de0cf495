"""Hold the floor plan as data, and test that each import points down it.

A module may import modules of lower floors, and of its own floor those named before it. Plug-ins
are siblings: none imports another. The roof knows the API and what that is made of, and nothing
between. All imports count: inside functions, and under `TYPE_CHECKING`, too.
"""

from __future__ import annotations

import ast
import graphlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def inside(package: str, modules: str) -> tuple[str, ...]:
    return tuple(f"{package}.{module}" for module in modules.split())


FLOORS: tuple[tuple[str, ...], ...] = (
    (  # 0: pure
        "chord.position",
        "chord.errors",
        "chord.changes",
        "chord.state",
        "chord.records",
        *inside("chord.delta", "equality difference application composition writing"),
        "chord.requests",
        "chord.transition",
        "chord.history",
        "chord.sync",
        "chord.live",
        "chord.replica",
        "chord.expiry",
    ),
    (  # 1: ports
        "chord.clock",
        "chord.telemetry",
        "chord.hooks",
        "chord.codec",
        "chord.cattrs_codec",
        "chord.formatters.base",
        "chord.backends.base",
        "chord.config",
        "chord.api",
    ),
    (  # 2: plug-ins, where all I/O is
        "chord.backends.memory",
        *inside("chord.backends.sqlite", "session worker group schema head load lease commit"),
        *inside("chord.backends.sqlite", "index check backend"),
        *inside("chord.backends.redis", "connection commit index lease backend"),
        *inside("chord.formatters", "flat json_patch merge_patch named"),
        "chord.backends.open",
    ),
    (  # 3: services
        "chord.journal",
        "chord.shelf",
        "chord.crew",
        "chord.lifetime",
        "chord.intake",
        "chord.turns",
        "chord.contention",
        "chord.fanout",
        "chord.poll",
        "chord.cleanup",
        "chord.archive",
    ),
    (  # 4: what the facades share, and the one that goes straight to the store
        "chord.opening",
        "chord.facade",
        "chord.stateless",
    ),
    (  # 5: actors
        *inside("actors", "agenda messages mailbox steps versions behavior chain durability lease"),
        *inside("actors", "known passivation desk player keeper actor inspection registry"),
        *inside("actors", "supervisor application"),
    ),
    (  # 6: their facade
        "actors.stateful",
    ),
    (  # roof
        *inside("chord.web", "limits texts leaves patches conditions wire faults sharing schema"),
        *inside("chord.web", "problems gate quota line routing bodies crowd views openapi writing"),
        *inside("chord.web", "reading desk errands events session http door serving"),
        *inside("chord.client", "backoff ages pace faults replica socket outbox link subscription"),
        *inside("chord.client", "exchange room client __init__"),
        "chord.cli",
        "chord.__main__",
        "chord.testing.*",
    ),
)
PLAN = tuple(itertools.chain.from_iterable(FLOORS))
ROOF = len(FLOORS) - 1
ROOF_KNOWS = 2  # floors, from the ground

SIBLINGS = (
    "chord.backends.memory",
    "chord.backends.sqlite",
    "chord.backends.redis",
    "chord.formatters.flat",
    "chord.formatters.json_patch",
    "chord.formatters.merge_patch",
)

DRIVERS = {
    "redis": "chord.backends.redis",
    "sqlite3": "chord.backends.sqlite",
    "starlette": "chord.web",
    "uvicorn": "chord.web",
    "websockets": "chord.client",
}

WAITING = {"anyio", "asyncio", "concurrent", "select", "selectors", "signal", "threading"}
OUTSIDE = {"io", "logging", "os", "pathlib", "shutil", "socket", "subprocess", "sys", "tempfile"}
CHANCE = {"random", "secrets", "time"}
IMPURE = WAITING | OUTSIDE | CHANCE


# -- where a module is ---------------------------------------------------------------------------


def place(module: str) -> tuple[int, int] | None:
    """The module's floor, and its place on it; None where the plan does not name it."""
    for floor, names in enumerate(FLOORS):
        for order, name in enumerate(names):
            if module == name or (name.endswith("*") and module.startswith(name[:-1])):
                return floor, order
    return None


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def sibling(module: str) -> str | None:
    return next((name for name in SIBLINGS if is_in(module, name)), None)


def is_ours(module: str) -> bool:
    return is_in(module, "chord") or is_in(module, "actors")


def is_package(module: str) -> bool:
    inside = (ROOT / module.replace(".", "/")).is_dir()
    return inside or any(name.startswith(module + ".") for name in PLAN)


# -- what a module imports -----------------------------------------------------------------------


def imports(module: str, tree: ast.Module, *, package: bool = False) -> Iterator[str]:
    """The modules that are imported anywhere in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = resolve(module, node, package=package)
            yield from (_defining(source, alias.name) for alias in node.names)


def resolve(module: str, node: ast.ImportFrom, *, package: bool) -> str:
    """The absolute name of what a `from` names."""
    if not node.level:
        return node.module or ""
    steps = module.split(".") + ["__init__"] * package
    return ".".join([*steps[: -node.level], *([node.module] if node.module else [])])


def _defining(source: str, name: str) -> str:
    """`from chord import delta` names a module; `from chord.delta import diff` names `diff`."""
    inner = f"{source}.{name}"
    exists = place(inner) or is_package(inner) or (ROOT / f"{inner.replace('.', '/')}.py").exists()
    return inner if is_ours(source) and is_package(source) and exists else source


# -- the rules -----------------------------------------------------------------------------------


def problems(module: str, source: str) -> list[str]:
    """What the plan has against a module's imports, in words."""
    if place(module) is None:
        return [f"{module} is not in the floor plan: give it a place in {Path(__file__).name}"]
    found = sorted(set(imports(module, ast.parse(source))))
    return [problem for name in found if (problem := find_problem(module, name))]


def find_problem(module: str, imported: str) -> str | None:
    if not is_ours(imported):
        return find_problem_outside(module, imported.partition(".")[0])
    if is_in(module, "chord") and is_in(imported, "actors"):
        return f"{module} imports {imported}: chord finds a runtime by its name only"
    if is_package(imported):
        return f"{module} imports the package {imported}: import from the defining module"
    here, there = place(module), place(imported)
    if here is None or there is None:
        return f"{module} imports {imported}, which is not in the floor plan"
    if here[0] == ROOF and ROOF_KNOWS <= there[0] < ROOF:
        return f"{module} is of the roof, which knows chord.api only, and imports {imported}"
    if sibling(module) and sibling(imported) and sibling(module) != sibling(imported):
        return f"{module} imports its sibling {imported}"
    if there < here or (there == here and module != imported):  # one line of the plan, for many
        return None
    return f"{module} imports {imported}, which is above"


def find_problem_outside(module: str, package: str) -> str | None:
    here = place(module)
    assert here is not None
    owner = DRIVERS.get(package)
    if owner and not is_in(module, owner) and not is_in(module, "chord.testing"):
        return f"{module} imports the driver {package}, which is {owner}'s alone"
    if here[0] == 0 and package in IMPURE:
        return f"{module} is pure, and imports {package}"
    return None


def definitions(source: str) -> list[str]:
    """What an `__init__` holds beside its docstring, imports and `__all__`, as code."""
    body = ast.parse(source).body
    if body and is_docstring(body[0]):
        body = body[1:]
    return [ast.unparse(node) for node in body if not hands_on(node)]


def is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def hands_on(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets] == ["__all__"]
    return isinstance(node, (ast.Import, ast.ImportFrom))


# -- the code ------------------------------------------------------------------------------------


def find_sources() -> dict[str, Path]:
    paths = [path for top in ("chord", "actors") for path in sorted((ROOT / top).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


SOURCES = find_sources()
PACKAGES = {name.removesuffix(".__init__") for name in SOURCES if name.endswith(".__init__")}
MODULES = [name for name in SOURCES if not name.endswith("__init__")]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_is_below_it(module: str) -> None:
    assert problems(module, SOURCES[module].read_text()) == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_an_init_only_hands_names_on(package: str) -> None:
    assert definitions(SOURCES[f"{package}.__init__"].read_text()) == []


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_an_init_hands_on_what_is_in_its_package_or_below(package: str) -> None:
    tree = ast.parse(SOURCES[f"{package}.__init__"].read_text())
    named = set(imports(package, tree, package=True)) - {"__future__"}
    assert [name for name in sorted(named) if not may_hand_on(package, name)] == []


def may_hand_on(package: str, name: str) -> bool:
    """A package with a line of its own in the plan may hand on what it may import."""
    inside = f"{package}.__init__"
    below = place(inside) is not None and find_problem(inside, name) is None
    return name.startswith(package + ".") or below


def test_each_folder_of_modules_is_a_package() -> None:
    assert {module.rpartition(".")[0] for module in MODULES} - PACKAGES == set()


def test_importing_chord_loads_no_driver() -> None:
    loaded = f"import chord, sys; print(*sys.modules.keys() & {set(DRIVERS)})"
    ran = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, check=True)
    assert ran.stdout.split() == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    imported = {
        module: set(imports(module, ast.parse(SOURCES[module].read_text()))) & set(MODULES)
        for module in MODULES
    }
    graphlib.TopologicalSorter(imported).prepare()


# -- the rules themselves ------------------------------------------------------------------------


def test_a_module_has_one_place() -> None:
    assert len(PLAN) == len(set(PLAN))


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("chord.requests", "from chord.state import thaw"),
        ("chord.requests", "from chord import state"),
        ("chord.requests", "import chord.state"),
        ("chord.requests", "from . import state"),
        ("chord.delta.writing", "from chord.state import thaw"),
        ("chord.delta.writing", "from .difference import diff"),
        ("chord.transition", "from chord.delta.difference import diff"),
        ("chord.backends.sqlite.load", "from ...records import Stored"),
        ("chord.backends.sqlite.session", "import sqlite3"),
        ("chord.backends.redis.commit", "from chord.backends.redis.connection import connect"),
        ("chord.backends.redis.connection", "import redis.asyncio"),
        ("chord.backends.open", "from chord.backends.redis.lease import Lease"),
        ("chord.stateless", "from chord.backends.open import open_backend"),
        ("chord.cli", "from chord.web.door import Door"),
        ("chord.testing.contract", "from chord.testing.faults import Fault"),
        ("chord.stateless", "from chord.facade import Facade"),
        ("actors.stateful", "from chord.facade import Facade"),
        ("actors.stateful", "from chord.stateless import StatelessChord"),
        ("chord.clock", "import asyncio"),
    ],
)
def test_an_import_down_the_plan_is_allowed(module: str, line: str) -> None:
    assert problems(module, line) == []


@pytest.mark.parametrize(
    ("module", "source", "problem"),
    [
        ("chord.state", "from chord.requests import Set", "above"),
        ("chord.state", "from chord import requests", "above"),
        ("chord.state", "import chord.requests as asked", "above"),
        ("chord.state", "from . import requests", "above"),
        ("chord.state", "from .requests import Set", "above"),
        ("chord.state", "def f():\n    from chord.requests import Set", "above"),
        ("chord.state", "if TYPE_CHECKING:\n    from chord.requests import Set", "above"),
        ("chord.delta.difference", "from chord.delta.composition import merge", "above"),
        ("chord.delta.difference", "from . import composition", "above"),
        ("chord.transition", "from chord.delta import diff", "defining module"),
        ("chord.transition", "from chord import delta", "defining module"),
        ("chord.state", "from chord.state import thaw", "above"),
        ("chord.state", "from chord.clock import Clock", "above"),
        ("chord.state", "from chord import StatelessChord", "defining module"),
        ("chord.facade", "from chord.stateless import StatelessChord", "above"),
        ("chord.stateless", "import chord.backends.redis", "defining module"),
        ("chord.state", "from chord.nowhere import thing", "not in the floor plan"),
        ("chord.nowhere", "", "is not in the floor plan"),
        ("chord.stateless", "from actors import StatefulChord", "by its name"),
        ("chord.cli", "from actors.stateful import StatefulChord", "by its name"),
        ("chord.backends.redis.index", "from ..memory import MemoryBackend", "sibling"),
        ("chord.backends.redis.index", "from ..sqlite.load import load", "sibling"),
        ("chord.backends.redis.index", "import chord.backends.sqlite", "defining module"),
        ("chord.backends.redis.commit", "from chord.backends.redis import lease", "above"),
        ("chord.backends.redis.newcomer", "", "is not in the floor plan"),
        ("chord.formatters.flat", "from chord.backends.memory import MemoryBackend", "sibling"),
        ("chord.formatters.merge_patch", "from chord.formatters import flat", "sibling"),
        ("chord.cli", "from chord.stateless import StatelessChord", "roof"),
        ("chord.cli", "from chord.facade import Facade", "roof"),
        ("chord.web.wire", "from chord.client.client import connect", "above"),
        ("chord.stateless", "from redis.asyncio import Redis", "driver"),
        ("chord.sync", "import time", "pure"),
        ("chord.history", "from random import random", "pure"),
    ],
)
def test_any_other_import_is_refused(module: str, source: str, problem: str) -> None:
    (found,) = problems(module, source)
    assert problem in found


@pytest.mark.parametrize(
    "source",
    ["VERSION = 1", "def f(): ...", "class C: ...", "try:\n    import a\nexcept E: ...", "f()"],
)
def test_an_init_that_does_more_is_refused(source: str) -> None:
    assert definitions(f'"""Docs."""\n{source}') == [ast.unparse(ast.parse(source))]


@pytest.mark.parametrize(
    ("package", "name", "allowed"),
    [
        ("chord.delta", "chord.delta.writing", True),
        ("chord.delta", "chord.state", False),
        ("chord.backends", "chord.records", False),
        ("chord.testing", "chord.testing.contract", True),
        ("chord.testing", "chord.clock", True),
        ("chord.testing", "chord.stateless", False),
        ("chord.testing", "chord.backends.memory", False),
    ],
)
def test_an_init_hands_on_no_more(package: str, name: str, allowed: bool) -> None:
    assert may_hand_on(package, name) is allowed


def test_an_init_of_imports_and_all_is_allowed() -> None:
    source = '"""Docs."""\nfrom __future__ import annotations\nfrom a import b\n__all__ = ["b"]\n'
    assert definitions(source) == []


def test_the_impure_modules_are_of_the_standard_library_or_our_loop() -> None:
    assert sys.stdlib_module_names >= IMPURE - {"anyio"}
