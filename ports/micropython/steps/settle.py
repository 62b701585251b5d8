"""Puts functions of the bundle that one other file alone uses into that file.

The bundle is there for good. What only the start calls goes when the start does, and what only a rare file calls comes
when that does.
"""

import ast
from collections import defaultdict

from . import fold, scopes
from .imported import forget


def settle(sources: "dict[str, str]", bundle: str) -> "dict[str, str]":
    """Module name -> source; all modules of the chip at once, before functions get their places."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    while _moved(trees, bundle):
        pass
    return {module: ast.unparse(ast.fix_missing_locations(tree)) for module, tree in trees.items()}


def _moved(trees: "dict[str, ast.Module]", bundle: str) -> bool:
    """One round; True when something moved."""
    tops = _tops(trees[bundle])
    users = _users(trees, bundle)
    moved = False
    for node in [node for node in trees[bundle].body if isinstance(node, ast.FunctionDef)]:
        homes = users[node.name]
        home = next(iter(homes)) if len(homes) == 1 else bundle
        if home == bundle or node.args.defaults or node.name in _names(trees[home]):
            continue
        trees[bundle].body.remove(node)
        imports = _imports(node, tops, bundle)
        at = _after_bundle(trees[home], home, bundle)
        if at is None:
            # Its functions load the bundle when they run, and none of them may do so before.
            node.body[:0] = imports
        else:
            trees[home].body[at:at] = imports
        trees[home].body.append(node)
        forget(trees[home], home, bundle, {node.name})
        moved = True
    return moved


def _after_bundle(tree: ast.Module, module: str, bundle: str) -> "int | None":
    """The place after the import of the bundle at the top of a file; None when there is none."""
    for n, node in enumerate(tree.body):
        if isinstance(node, ast.ImportFrom) and fold.source_of(module, node) == bundle:
            return n + 1
    return None


def _tops(tree: ast.Module) -> "dict[str, ast.stmt | None]":
    """What the top of the bundle binds: name -> the import that does, None: it is the bundle's own."""
    found: dict[str, ast.stmt | None] = dict.fromkeys(scopes.bound_in(tree))
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name: ast.Import([alias]) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: ast.ImportFrom(node.module, [alias], 0) for alias in node.names}
    return found


def _users(trees: "dict[str, ast.Module]", bundle: str) -> "dict[str, set[str]]":
    """Name in the bundle -> the modules that use it, itself included when it is not only the function itself."""
    found = defaultdict(set)
    for statement in trees[bundle].body:
        own = getattr(statement, "name", "")
        for part in ast.walk(statement):
            if isinstance(part, ast.Name) and part.id != own:
                found[part.id].add(bundle)
    for module, tree in trees.items():
        whole = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and fold.source_of(module, node) == bundle:
                for alias in node.names:
                    # Under another name it is easier left where it is.
                    found[alias.name] |= {module, bundle} if alias.asname else {module}
            elif isinstance(node, ast.Import):
                whole |= {alias.asname or alias.name for alias in node.names if alias.name == bundle}
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in whole:
                found[node.attr] |= {module, bundle}
            elif isinstance(node, ast.Name) and id(node) not in called:
                # Handed on, it would keep the file that it is in.
                found[node.id].add(bundle)
    return found


def _imports(function: ast.FunctionDef, tops: "dict[str, ast.stmt | None]", bundle: str) -> "list[ast.stmt]":
    """What a function needs of the names at the top of the bundle."""
    own = scopes.bound_in(function)
    needed = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} - own - {function.name}
    ours = sorted(name for name in needed if name in tops and tops[name] is None)
    out: list[ast.stmt] = [ast.ImportFrom(bundle, [ast.alias(name) for name in ours], 0)] if ours else []
    return out + [node for name in sorted(needed) if (node := tops.get(name)) is not None]


def _names(tree: ast.Module) -> "set[str]":
    """Every name that a file binds or reads, but for what it imports."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return found | {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
