"""Who may import whom. Arrows point inwards: core <- store, gateway, simulated <- fullscan <- runtime <- api."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import scanner

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "scanner"
MODULES = sorted(PACKAGE.rglob("*.py"))
STANDARD = sys.stdlib_module_names

# room: the rooms its modules may import; the plain modules beside the rooms are everybody's
ROOMS = {
    "core": {"core"},
    "gateway": {"core", "gateway"},
    "store": {"core", "store"},
    "simulated": {"core", "simulated"},
    "fullscan": {"core", "gateway", "fullscan"},
    "runtime": {"core", "gateway", "store", "simulated", "fullscan", "runtime"},
    "api": {"core", "gateway", "store", "simulated", "fullscan", "runtime", "api"},
    "terminal": {"core", "gateway", "store", "simulated", "fullscan", "runtime", "terminal"},
}
# the core's world: no clock, no log, no file, no lock, no hidden randomness
CORE_MAY_USE = {"config", "errors", "records", "timeframes", "markets"}
CORE_MAY_NOT_USE = {
    *("time", "datetime", "logging", "threading", "queue", "asyncio", "concurrent", "multiprocessing", "subprocess"),
    *("os", "sys", "io", "pathlib", "shutil", "tempfile", "socket", "random", "secrets", "uuid", "pandas", "pyarrow"),
}
# library: the only room, and the files at the top, that import it
OWNERS = {
    "ccxt": ("gateway", set()),
    "ta": ("fullscan", set()),
    "plotly": ("fullscan", set()),
    "matplotlib": ("fullscan", set()),
    "apscheduler": ("runtime", set()),
    "flask": ("api", {"scanner_api.py"}),
    "flask_cors": ("api", {"scanner_api.py"}),
}
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
EXAMPLES_MAY_USE = {"numpy", "pandas", "sklearn", "threadpoolctl", "gymnasium", "examples"}


def imports_of(path: Path) -> set[str]:
    """Dotted names of everything a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are written in full, not from '{'.' * node.level}'"
            module = node.module or ""
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def room_of(path: Path) -> str:
    """The room a file of the package is in, '' for the plain modules beside the rooms."""
    inside = path.relative_to(PACKAGE).parts
    return inside[0] if len(inside) > 1 else ""


def rooms_in(names: set[str]) -> set[str]:
    parts = [name.split(".") for name in names if name.startswith("scanner.")]
    return {part[1] for part in parts} & ROOMS.keys()


def id_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_room_is_in_the_table():
    found = {room_of(path) for path in MODULES} - {""}
    assert found <= ROOMS.keys()


@pytest.mark.parametrize("path", MODULES, ids=id_of)
def test_rooms_import_inwards_only(path):
    room = room_of(path)
    if room:
        assert rooms_in(imports_of(path)) <= ROOMS[room]


@pytest.mark.parametrize("path", [path for path in MODULES if not room_of(path)], ids=id_of)
def test_plain_modules_import_no_room(path):
    if path.name != "__init__.py":  # re-exports lazily
        assert rooms_in(imports_of(path)) <= {"core"}


@pytest.mark.parametrize("path", [path for path in MODULES if room_of(path) == "core"], ids=id_of)
def test_the_core_knows_numbers_only(path):
    names = imports_of(path)
    libraries = {name.partition(".")[0] for name in names} - {"scanner"}
    assert libraries & CORE_MAY_NOT_USE == set()
    assert {library for library in libraries if library not in STANDARD} <= {"numpy"}
    assert not any(name.startswith("numpy.random") for name in names)
    assert {name.split(".")[1] for name in names if name.startswith("scanner.")} <= CORE_MAY_USE | {"core"}


@pytest.mark.parametrize("library", OWNERS)
@pytest.mark.parametrize("path", [*MODULES, *sorted(ROOT.glob("*.py"))], ids=id_of)
def test_each_foreign_world_has_one_door(path, library):
    owner, doors = OWNERS[library]
    if library in {name.partition(".")[0] for name in imports_of(path)}:
        inside = path.is_relative_to(PACKAGE) and room_of(path) == owner
        assert inside or path.name in doors


@pytest.mark.parametrize("path", EXAMPLES, ids=id_of)
def test_examples_use_what_any_program_may(path):
    names = imports_of(path)
    ours = {name for name in names if name.partition(".")[0] == "scanner"}
    assert ours <= {f"scanner.{name}" for name in scanner._HOMES}
    others = {name.partition(".")[0] for name in names - ours}
    assert others - STANDARD <= EXAMPLES_MAY_USE


@pytest.mark.parametrize("path", [*MODULES, *sorted(ROOT.glob("*.py"))], ids=id_of)
def test_nothing_needs_the_examples(path):
    assert not {name for name in imports_of(path) if name.partition(".")[0] in {"examples", "sklearn", "gymnasium"}}
