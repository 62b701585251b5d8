"""Which functions can become part of those that call them: private, called seldom, and meaning the same there."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

# One that is called at several places is copied if it is no larger than so many expressions.
_MOST_CALLS = 3
_LARGE = 40
_UNFIT = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp, ast.Yield, ast.YieldFrom),
    *(ast.Await, ast.Global, ast.Nonlocal, ast.Delete, ast.NamedExpr),
)


class Callee(NamedTuple):
    """A function, the statements that it is one of, whether calls say `self.`, and how many calls there are."""

    function: ast.FunctionDef
    home: "list[ast.stmt]"
    is_method: bool
    uses: int


def said_by_anyone(trees: "dict[str, ast.Module]") -> "Counter[str]":
    """Names that may mean anybody's: attributes of what is not `self`, imports, texts."""
    found: Counter[str] = Counter()
    for tree in trees.values():
        own = {id(node) for function, owner in functions_of(tree) if owner for node in _of_self(function)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and id(node) not in own:
                found[node.attr] += 1
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value] += 1
    return found


def functions_of(tree: ast.Module) -> "list[tuple[ast.FunctionDef, str]]":
    """(function, name of its class or "") of the functions of the file and of its classes."""
    found = [(node, "") for node in tree.body if isinstance(node, ast.FunctionDef)]
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            found += [(node, owner.name) for node in owner.body if isinstance(node, ast.FunctionDef)]
    return found


def _of_self(function: ast.FunctionDef) -> "Iterator[ast.Attribute]":
    """What a method says with `self.`."""
    first = function.args.args[0].arg if function.args.args else ""
    for node in ast.walk(function) if first == "self" else ():
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == first:
            yield node


def bases_of(trees: "dict[str, ast.Module]") -> "set[str]":
    """Classes that others inherit from, by the names that they have where they are defined."""
    found = set()
    aliases = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found |= {part.id for base in node.bases for part in ast.walk(base) if isinstance(part, ast.Name)}
                found |= {
                    part.attr for base in node.bases for part in ast.walk(base) if isinstance(part, ast.Attribute)
                }
            elif isinstance(node, ast.ImportFrom):
                aliases.update({alias.asname: alias.name for alias in node.names if alias.asname})
    return found | {aliases[name] for name in found if name in aliases}


def callees_of(tree: ast.Module, said: "Counter[str]", bases: "set[str]") -> "dict[str, dict[str, Callee]]":
    """Class or "" -> name -> what is named once, and can be part of another function."""
    found: defaultdict[str, dict[str, Callee]] = defaultdict(dict)
    names = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not said[node.name] and _fits(node, names[node.name]):
            found[""][node.name] = Callee(node, tree.body, False, names[node.name])
    for owner in tree.body:
        # A class with kin shares its methods.
        if not isinstance(owner, ast.ClassDef) or owner.bases or owner.name in bases:
            continue
        methods = [node for node in owner.body if isinstance(node, ast.FunctionDef)]
        uses = Counter(node.attr for method in methods for node in _of_self(method))
        for node in methods:
            is_ours = not names[node.name] and not said[node.name]
            if is_ours and _fits(node, uses[node.name]) and node.args.args and node.args.args[0].arg == "self":
                found[owner.name][node.name] = Callee(node, owner.body, True, uses[node.name])
    top = found.pop("", {})
    return {owner: _one_of(table, top) for owner, table in found.items()} | {"": _one_of(top, {})}


def _one_of(table: "dict[str, Callee]", others: "dict[str, Callee]") -> "dict[str, Callee]":
    """Without those of several calls that would copy calls of others: these have their turn before."""
    called = {**others, **table}
    return {
        name: callee for name, callee in table.items() if callee.uses == 1 or not _calls(callee.function) & set(called)
    }


def _calls(function: ast.FunctionDef) -> "set[str]":
    """Names of functions and methods that a function mentions."""
    found = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
    return found | {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def _fits(function: ast.FunctionDef, uses: int) -> bool:
    """Private, called so often that it pays, and nothing in it that means something else in another function."""
    args = function.args
    size = sum(isinstance(node, ast.expr) for node in ast.walk(function))
    if not uses or (uses > 1 and (uses > _MOST_CALLS or size > _LARGE)):
        return False
    if not function.name.startswith("_") or function.name.endswith("__") or function.decorator_list:
        return False
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        return False
    inner = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id in ("super", "locals") for node in inner):
        return False
    dotted = any(isinstance(node, ast.Import) and "." in node.names[0].name for node in inner)
    return not dotted and not any(isinstance(node, _UNFIT) for node in inner)
