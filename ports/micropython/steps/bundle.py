"""Puts the modules that are always loaded together into one, after the constants were folded and the unused left out.

Each module costs a chip about a hundred bytes for itself, four names of its own and a row for everything that it
imports. In one module there is nothing to import: what a name means is settled here. Modules that are loaded when first
needed stay files of their own, and import from the bundle.
"""

import ast
import builtins
from collections.abc import Iterable, Iterator

from . import fold, scopes


def bundle(sources: "dict[str, str]", modules: "Iterable[str]", name: str) -> "dict[str, str]":
    """Module name -> source, with `modules` gone and in their place one named `name`."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    whole = _used_as_objects(trees)
    table = _Table(trees, [module for module in modules if module in trees and module not in whole], name)
    out = {}
    body: list[ast.stmt] = []
    for module in table.order:
        body += _Rewriter(table, module).rewritten(trees[module]).body
    out[name] = ast.unparse(ast.Module(_without_repetition(body), []))
    for module, tree in trees.items():
        if module not in table.order:
            out[module] = ast.unparse(_Rewriter(table, module).rewritten(tree))
    return out


class _Table:
    """What the names at the top of the bundled modules are called in the bundle."""

    def __init__(self, trees: "dict[str, ast.Module]", modules: "list[str]", name: str) -> None:
        self.name = name
        self.trees = trees
        self.order: list[str] = []
        self._visited: set[str] = set()
        self._visit(modules, set(modules))
        # What bundled modules have from one another, before it is rewritten.
        self._passed_on = {
            (module, alias.asname or alias.name): (source, alias.name)
            for module in self.order
            for node in trees[module].body
            if isinstance(node, ast.ImportFrom) and (source := fold.source_of(module, node)) in self.order
            for alias in node.names
        }
        self.own = {module: scopes.bound_at_top(trees[module]) for module in self.order}
        self._final: dict[tuple[str, str], str] = {}
        wanted = {
            name for module, tree in trees.items() if module not in self.order for name in self._asked_for(module, tree)
        }
        # A name of the bundle must be none of those inside its functions, nor of Python's.
        taken = set(dir(builtins)) | {name for module in self.order for name in scopes.bound_inside(trees[module])}
        taken |= {alias for module in self.order for alias in _outside_names(trees[module], self)}
        for module in self.order:
            for own in sorted(self.own[module]):
                public = (module, own) in wanted
                final = scopes.free(own if public else "_" + own.lstrip("_"), taken)
                taken.add(final)
                self._final[module, own] = final

    def meaning(self, module: str, name: str) -> "str | None":
        """What `name` of a bundled module is called in the bundle, wherever the module has it from; None: not ours."""
        return self._final.get(self._home(module, name))

    def _visit(self, modules: "Iterable[str]", wanted: "set[str]") -> None:
        """Into `order`, what is imported before what imports it."""
        for module in modules:
            if module in self._visited or module not in self.trees:
                continue
            self._visited.add(module)
            before = []
            for node in self.trees[module].body:
                if isinstance(node, ast.ImportFrom):
                    source = fold.source_of(module, node)
                    before += [source, *["%s.%s" % (source, alias.name) for alias in node.names]]
            self._visit(before, wanted)
            if module in wanted:
                self.order.append(module)

    def _asked_for(self, module: str, tree: ast.Module) -> "Iterator[tuple[str, str]]":
        """(module, name) of everything that a module outside takes from the bundle."""
        aliases = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                source = fold.source_of(module, node)
                for alias in node.names:
                    if source in self.order:
                        yield self._home(source, alias.name)
                    elif "%s.%s" % (source, alias.name) in self.order:
                        aliases[alias.asname or alias.name] = "%s.%s" % (source, alias.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
                yield self._home(aliases[node.value.id], node.attr)

    def _home(self, module: str, name: str) -> "tuple[str, str]":
        """The bundled module that defines what `module` calls `name`."""
        while (module, name) in self._passed_on:
            module, name = self._passed_on[module, name]
        return module, name


class _Rewriter(ast.NodeTransformer):
    """One module with the names of the bundle; `_scopes` are the functions and classes around, outermost first.

    A scope is (is it a class, names bound in it, names it imported from the bundle, modules it imported from there).
    """

    def __init__(self, table: _Table, module: str) -> None:
        self._table = table
        self._module = module
        self._is_inside = module in table.order
        self._scopes: list[tuple[bool, set[str], dict[str, str], dict[str, str]]] = []

    def rewritten(self, tree: ast.Module) -> ast.Module:
        names, modules = self._imports(scopes.nodes_of(tree))
        self._scopes = [(False, set(), names, modules)]
        return ast.fix_missing_locations(self.visit(tree))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> "list[ast.stmt]":
        source = fold.source_of(self._module, node)
        table = self._table
        if source in table.own:
            return [] if self._is_inside else [self._from_bundle(source, node.names)]
        whole = [alias for alias in node.names if "%s.%s" % (source, alias.name) in table.own]
        node.names = [alias for alias in node.names if alias not in whole]
        node.module, node.level = source, 0
        out: list[ast.stmt] = [node] if node.names else []
        if whole and not self._is_inside:
            out += [ast.Import([ast.alias(table.name, alias.asname or alias.name)]) for alias in whole]
        return out

    def visit_Name(self, node: ast.Name) -> ast.expr:
        node.id = self._resolved(node.id)
        return node

    def visit_Global(self, node: ast.Global) -> ast.Global:
        node.names = [self._table.meaning(self._module, name) or name for name in node.names]
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        module = self._module_named(node.value.id) if isinstance(node.value, ast.Name) else None
        if module is None:
            self.generic_visit(node)
            return node
        final = self._table.meaning(module, node.attr)
        if final is None:
            raise ValueError("%s: %s.%s is not of the bundle" % (self._module, module, node.attr))
        if self._is_inside:
            return ast.Name(final, node.ctx)
        node.attr = final
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.ExceptHandler:
        if node.name and len(self._scopes) == 1:
            node.name = self._resolved(node.name)
        self.generic_visit(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.bases = [self.visit(base) for base in node.bases]
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        if len(self._scopes) == 1:
            node.name = self._resolved(node.name)
        self._enter(node, node.body)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        self._scopes.append((False, scopes.bound_in(node), {}, {}))
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def _function(self, node):
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        arguments = node.args
        arguments.defaults = [self.visit(item) for item in arguments.defaults]
        arguments.kw_defaults = [item and self.visit(item) for item in arguments.kw_defaults]
        # MicroPython does not look at annotations.
        node.returns = None
        for item in (*arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
            if item is not None:
                item.annotation = None
        if len(self._scopes) == 1:
            node.name = self._resolved(node.name)
        self._enter(node, node.body)
        return node

    def _enter(self, node, body):
        names, modules = self._imports(scopes.nodes_of(node))
        if not self._is_inside:
            names, modules = {}, modules
        self._scopes.append(
            (isinstance(node, ast.ClassDef), scopes.bound_in(node) - set(names) - set(modules), names, modules)
        )
        found = []
        for statement in body:
            result = self.visit(statement)
            found += result if isinstance(result, list) else [result]
        node.body = found or [ast.Pass()]
        self._scopes.pop()

    def _imports(self, nodes: "Iterable[ast.AST]") -> "tuple[dict[str, str], dict[str, str]]":
        """What these statements import from the bundle: name -> name there, name -> bundled module."""
        names: dict[str, str] = {}
        modules: dict[str, str] = {}
        for node in nodes:
            if not isinstance(node, ast.ImportFrom):
                continue
            source = fold.source_of(self._module, node)
            for alias in node.names:
                bound = alias.asname or alias.name
                if source in self._table.own:
                    names[bound] = (self._is_inside and self._table.meaning(source, alias.name)) or bound
                elif "%s.%s" % (source, alias.name) in self._table.own:
                    modules[bound] = "%s.%s" % (source, alias.name)
        return names, modules

    def _resolved(self, name: str) -> str:
        """What `name` is called here."""
        for number, (is_class, bound, names, _) in enumerate(reversed(self._scopes)):
            if name in names:
                return names[name]
            if name in bound and (not is_class or number == 0):
                return name
        return (self._is_inside and self._table.meaning(self._module, name)) or name

    def _module_named(self, name: str) -> "str | None":
        for number, (is_class, bound, _, modules) in enumerate(reversed(self._scopes)):
            if name in modules:
                return modules[name]
            if name in bound and (not is_class or number == 0):
                return None
        return None

    def _from_bundle(self, source: str, names: "list[ast.alias]") -> ast.ImportFrom:
        out = []
        for alias in names:
            final = self._table.meaning(source, alias.name)
            if final is None:
                raise ValueError("%s: %s.%s is not of the bundle" % (self._module, source, alias.name))
            bound = alias.asname or alias.name
            out.append(ast.alias(final, None if bound == final else bound))
        return ast.ImportFrom(self._table.name, out, 0)


def _used_as_objects(trees: "dict[str, ast.Module]") -> "set[str]":
    """Modules that someone hands around: they have to stay modules."""
    found = set()
    for module, tree in trees.items():
        aliases = {
            alias.asname or alias.name: "%s.%s" % (fold.source_of(module, node), alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        looked_into = {
            id(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and id(node) not in looked_into and aliases.get(node.id, "") in trees:
                found.add(aliases[node.id])
    return found


def _outside_names(tree: ast.Module, table: _Table) -> "set[str]":
    """Names of what a module imports from elsewhere."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in scopes.nodes_of(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def _without_repetition(body: "list[ast.stmt]") -> "list[ast.stmt]":
    """Each import once, and no remarks."""
    seen = set()
    out = []
    for node in body:
        text = ast.unparse(node)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if text in seen:
                continue
            seen.add(text)
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            out.append(node)
    return out
