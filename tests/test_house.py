"""The house style, where no tool checks it: small files, small functions, every one explained."""

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_OURS = sorted((_ROOT / "rigctl").rglob("*.py"))
_FILES = [*_OURS, *sorted((_ROOT / "services").rglob("*.py"))]
_MAX_FILE_LINES = 300
_MAX_FUNCTION_LINES = 40

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _name(path: Path, inside: str | int = "") -> str:
    return f"{path.relative_to(_ROOT)}: {inside}"


def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _functions(path: Path) -> list[_Function]:
    return [node for node in ast.walk(_tree(path)) if isinstance(node, _Function)]


def _length(function: _Function) -> int:
    """The lines of a function's code: without its decorators and its docstring."""
    assert function.end_lineno
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno
        lines -= first.end_lineno - first.lineno + 1
    return lines


def _public(node: ast.Module | ast.ClassDef) -> Iterator[_Definition]:
    """Yield what users of a module see of its classes and functions."""
    for inner in node.body:
        if isinstance(inner, _Definition) and _is_to_be_explained(inner):
            yield inner
            if isinstance(inner, ast.ClassDef):
                yield from _public(inner)


def _is_to_be_explained(node: _Definition) -> bool:
    """Whether others see it; what sets a property is explained where it is read."""
    setters = [one for one in node.decorator_list if isinstance(one, ast.Attribute)]
    return not node.name.startswith("_") and "setter" not in [one.attr for one in setters]


def test_there_are_files() -> None:
    assert len(_FILES) > 50


def test_files_are_small() -> None:
    """One that is not holds two ideas: find the second one's name."""
    assert [_name(path, _lines(path)) for path in _FILES if _lines(path) > _MAX_FILE_LINES] == []


def test_functions_are_small() -> None:
    long = [(p, f.name) for p in _FILES for f in _functions(p) if _length(f) > _MAX_FUNCTION_LINES]
    assert [_name(*one) for one in long] == []


def test_all_that_is_public_is_explained() -> None:
    modules = [path for path in _FILES if not ast.get_docstring(_tree(path))]
    public = ((path, node) for path in _FILES for node in _public(_tree(path)))
    bare = [_name(path, node.name) for path, node in public if not ast.get_docstring(node)]
    assert [*map(_name, modules), *bare] == []


def test_modules_say_where_their_data_come_from_and_go_to() -> None:
    texts = {path: ast.get_docstring(_tree(path)) or "" for path in _FILES}
    silent = [path for path, text in texts.items() if "From:" not in text or "To:" not in text]
    others = ("__init__.py", "__main__.py", "errors.py")
    assert [_name(path) for path in silent if path.name not in others] == []


def test_only_the_command_line_prints() -> None:
    silent = [path for path in _FILES if (_ROOT / "rigctl/cli") not in path.parents]
    calls = [(p, n) for p in silent for n in ast.walk(_tree(p)) if isinstance(n, ast.Call)]
    prints = [(p, n) for p, n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"]
    assert [_name(path, node.lineno) for path, node in prints] == []


def test_nothing_inside_imports_the_root_package() -> None:
    """The root names what users need, and so imports all; a module of it is another thing."""
    found = [(path, name) for path in _OURS for name in _root_imports(_tree(path))]
    assert [_name(path, name) for path, name in found] == []


def _root_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name == "rigctl")
        elif isinstance(node, ast.ImportFrom) and (node.level or node.module == "rigctl"):
            names = sorted(alias.name for alias in node.names)
            yield from (name for name in names if node.level or not _is_module(name))


def _is_module(name: str) -> bool:
    return any((_ROOT / "rigctl" / place).exists() for place in (f"{name}.py", name))


def test_every_module_is_in_a_package() -> None:
    assert [_name(p) for p in _OURS if not (p.parent / "__init__.py").exists()] == []


def test_the_figures_that_we_are_proud_of() -> None:
    lengths = sorted(_length(function) for path in _FILES for function in _functions(path))
    assert statistics.median(map(_lines, _FILES)) <= 110
    assert statistics.median(lengths) <= 7
    assert lengths[len(lengths) * 9 // 10] <= 20
