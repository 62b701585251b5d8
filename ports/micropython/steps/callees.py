"""Which functions can become part of those that call them: private, called once, and meaning the same there."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

# What makes a function one that cannot be a part of another.
UNFIT = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.GeneratorExp, ast.Yield, ast.YieldFrom),
    *(ast.Await, ast.Global, ast.Nonlocal, ast.Delete, ast.NamedExpr),
)


class Callee(NamedTuple):
    """A function, the statements that it is one of, and whether its call says `self.`."""

    function: ast.FunctionDef
    home: "list[ast.stmt]"
    is_method: bool


def said_by_anyone(trees: "dict[str, ast.Module]") -> "Counter[str]":
    """Names that may mean anybody's: attributes of what is not `self`, imports, texts."""
    found: Counter[str] = Counter()
    for tree in trees.values():
        own = {id(node) for function, owner in functions_of(tree) if owner for node in of_self(function)}
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


def of_self(function: ast.FunctionDef) -> "Iterator[ast.Attribute]":
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
        if isinstance(node, ast.FunctionDef) and not said[node.name] and names[node.name] == 1 and _fits(node):
            found[""][node.name] = Callee(node, tree.body, False)
    for owner in tree.body:
        # A class with kin shares its methods.
        if not isinstance(owner, ast.ClassDef) or owner.bases or owner.name in bases:
            continue
        methods = [node for node in owner.body if isinstance(node, ast.FunctionDef)]
        uses = Counter(node.attr for method in methods for node in of_self(method))
        for node in methods:
            is_ours = not names[node.name] and not said[node.name] and uses[node.name] == 1
            if is_ours and _fits(node) and node.args.args and node.args.args[0].arg == "self":
                found[owner.name][node.name] = Callee(node, owner.body, True)
    return found


def _fits(function: ast.FunctionDef) -> bool:
    """Private, and nothing in it that means something else in another function."""
    args = function.args
    if not function.name.startswith("_") or function.name.endswith("__") or function.decorator_list:
        return False
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        return False
    inner = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id in ("super", "locals") for node in inner):
        return False
    dotted = any(isinstance(node, ast.Import) and "." in node.names[0].name for node in inner)
    return not dotted and not any(isinstance(node, UNFIT) for node in inner)
