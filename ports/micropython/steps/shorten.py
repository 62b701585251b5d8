"""Gives private names short ones, last of all.

MicroPython keeps one copy of every name in RAM, and a row in a table for it. A name with one leading underscore that
only one file has is nobody else's business: it becomes `_a`, `_b`, ... The names at the top of a file are one
numbering, the attributes of each class another, so that the same few names serve all. Classes that inherit from one
another share their objects' attributes, and so a numbering. Arguments that no call names take the same names again.
"""

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

_PRIVATE = re.compile(r"_[A-Za-z]\w*$")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def shorten(sources: "dict[str, str]", keep: "frozenset[str]" = frozenset()) -> "dict[str, str]":
    """Module name -> source with short private names; all modules of the chip at once. `keep` is said from outside."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    homes = defaultdict(set)
    for module, tree in trees.items():
        for name in _names(tree) | _attributes(tree) | _texts(tree):
            homes[name].add(module)
    for tree in trees.values():
        texts = _texts(tree)
        _shorten_file(tree, {n for n in homes if _PRIVATE.match(n) and len(homes[n]) == 1 and n not in texts})
    said = keep.union(*(_texts(tree) | _keywords(tree) for tree in trees.values()))
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                _shorten_arguments(node, said)
    return {name: ast.unparse(tree) for name, tree in trees.items()}


def _shorten_file(tree: ast.Module, ours: "set[str]") -> None:
    names, attributes = _names(tree), _attributes(tree)
    taken = (names | attributes) - ours
    count = Counter(getattr(node, field) for node, field, _ in _fields(tree))
    # Those of both kinds first: their new names are free in either numbering.
    both = _numbered(names & attributes & ours, taken, count)
    taken |= set(both.values())
    new_names = both | _numbered((names - attributes) & ours, taken, count)
    # What several classes use next, for the same reason.
    shared, families = _families(tree, (attributes - names) & ours)
    new_attributes = both | _numbered(shared, taken, count)
    taken |= set(new_attributes.values())
    for members in families:
        new_attributes |= _numbered(members, taken, count)
    for node, field, is_attribute in list(_fields(tree)):
        old = getattr(node, field)
        setattr(node, field, (new_attributes if is_attribute else new_names).get(old, old))


def _numbered(names: "set[str]", taken: "set[str]", count: "Counter[str]") -> "dict[str, str]":
    """Name -> short name, the same one for the most used of each numbering."""
    fresh = (name for name in _short_names() if name not in taken)
    return dict(zip(sorted(names, key=lambda name: (-count[name], name)), fresh, strict=False))


def _families(tree: ast.Module, names: "set[str]") -> "tuple[set[str], list[set[str]]]":
    """Attributes that several unrelated classes use, or code outside of classes; those of each class and its kin."""
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    kin = {node.name: {node.name} for node in classes}
    for node in classes:
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in kin:
                joined = kin[node.name] | kin[base.id]
                kin.update(dict.fromkeys(joined, joined))
    users = defaultdict(set)
    for statement in tree.body:
        for name in _attributes(statement) & names:
            users[name].add(min(kin[statement.name]) if isinstance(statement, ast.ClassDef) else "")
    families = defaultdict(set)
    for name, of in users.items():
        families[min(of) if len(of) == 1 else ""].add(name)
    return families.pop("", set()), list(families.values())


def _shorten_arguments(function: ast.FunctionDef, said: "frozenset[str]") -> None:
    """MicroPython keeps the names of arguments, as calls may say them, and of no other locals."""
    inner = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(node, _SCOPES) for node in inner):
        return
    names = [node for node in inner if isinstance(node, ast.Name)]
    bound = {getattr(node, field) for node in inner for field in ("name", "asname") if hasattr(node, field)}
    taken = {node.id for node in names} | {item.arg for item in ast.walk(function.args) if isinstance(item, ast.arg)}
    fresh = (name for name in _short_names() if name not in taken | bound)
    for item in function.args.args:
        if item.arg in said | bound:
            continue
        old, item.arg = item.arg, next(fresh)
        for node in names:
            if node.id == old:
                node.id = item.arg


def _keywords(tree: ast.AST) -> "set[str]":
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg}


def _attributes(tree: ast.AST) -> "set[str]":
    return {getattr(node, field) for node, field, is_attribute in _fields(tree) if is_attribute}


def _names(tree: ast.AST) -> "set[str]":
    return {getattr(node, field) for node, field, is_attribute in _fields(tree) if not is_attribute}


def _fields(tree: ast.AST) -> "Iterator[tuple[ast.AST, str, bool]]":
    """(node, its field with a name in it, is it an attribute's) of everything under `tree`."""
    methods = {id(item) for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for item in node.body}
    for node in ast.walk(tree):
        for field in ("id", "attr", "name", "arg", "asname"):
            if isinstance(getattr(node, field, None), str):
                yield node, field, field == "attr" or (field == "name" and id(node) in methods)


def _texts(tree: ast.AST) -> "set[str]":
    """What is said in text, or in a list of names, cannot be renamed."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts.union(*(node.names for node in ast.walk(tree) if isinstance(node, (ast.Global, ast.Nonlocal))))


def _short_names() -> "Iterator[str]":
    for first in ("", *_LETTERS):
        for letter in _LETTERS:
            yield "_" + first + letter
