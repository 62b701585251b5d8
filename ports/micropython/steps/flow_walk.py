"""Goes over one module, statement by statement and function by function, and adds what it sees."""

import ast

from . import fold
from .flow_calls import Calls
from .flow_program import FUNCTION, MODULE, NONE, OBJECT, OTHER, Function, Kinds


class Walk(Calls):
    """One module; again and again, until nothing new is seen in any."""

    def module(self) -> None:
        for node in self._program.trees[self._module].body:
            self._statement(node)

    def _statement(self, node: ast.stmt) -> None:
        special = getattr(self, "_on_" + type(node).__name__, None)
        if special is not None:
            special(node)
            return
        for item in ast.iter_child_nodes(node):
            if isinstance(item, ast.expr):
                self._value(item)
            elif isinstance(item, ast.stmt):
                self._statement(item)
            elif isinstance(item, ast.ExceptHandler):
                self._handler(item)
            elif isinstance(item, ast.withitem):
                kinds = self._value(item.context_expr)
                if item.optional_vars is not None:
                    self._bind(item.optional_vars, kinds)

    def _on_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)
        if self._scopes:
            self._program.add({"%s:%s" % (FUNCTION, self._keys[id(node)])}, *self._key(node.name))

    def _on_ClassDef(self, node: ast.ClassDef) -> None:
        key = "%s.%s" % (self._module, node.name)
        for base in node.bases:
            self._value(base)
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                self._function(item, "" if item.decorator_list else key)
            elif isinstance(item, ast.Assign):
                self._class = node
                kinds = self._value(item.value)
                self._class = None
                for target in item.targets:
                    if isinstance(target, ast.Name):
                        self._program.add(kinds, OBJECT, key, target.id)

    def _on_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            module = alias.name if alias.asname else name
            is_ours = any(other == module or other.startswith(module + ".") for other in self._program.trees)
            self._program.add({"%s:%s" % (MODULE, module) if is_ours else OTHER}, *self._key(name))

    def _on_ImportFrom(self, node: ast.ImportFrom) -> None:
        program = self._program
        source = fold.source_of(self._module, node)
        for alias in node.names:
            inner = "%s.%s" % (source, alias.name)
            if inner in program.trees:
                kinds = {"%s:%s" % (MODULE, inner)}
            elif source in program.trees:
                kinds = program.top(source, alias.name)
            else:
                # What a profile does without is never there.
                kinds = set() if source.split(".")[0] in program.packages else {OTHER}
            program.add(kinds, *self._key(alias.asname or alias.name))

    def _on_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._assign(target, node.value)

    def _on_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._assign(node.target, node.value)

    def _on_AugAssign(self, node: ast.AugAssign) -> None:
        program = self._program
        before, kinds = self._value(node.target), self._value(node.value)
        program.put(program.parts(kinds), before)
        sum_of_both = self._made(node, program.parts(before | kinds)) if before - {OTHER, NONE} else set()
        self._bind(node.target, before | sum_of_both | kinds & {OTHER})

    def _on_Return(self, node: ast.Return) -> None:
        kinds = {NONE} if node.value is None else self._value(node.value)
        self._program.add(kinds, "result", self._keys[id(self._scopes[-1])])

    def _on_For(self, node: ast.For) -> None:
        self._bind(node.target, self._program.parts(self._value(node.iter)))
        for statement in (*node.body, *node.orelse):
            self._statement(statement)

    def _handler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self._value(node.type)
        if node.name:
            self._program.add({OTHER}, *self._key(node.name))
        for statement in node.body:
            self._statement(statement)

    def _assign(self, target: ast.expr, source: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(source, ast.Tuple) and len(target.elts) == len(source.elts):
            for one, other in zip(target.elts, source.elts, strict=True):
                self._assign(one, other)
        else:
            self._bind(target, self._value(source))

    def _function(self, node: Function, owner: str = "") -> None:
        """`owner` is the class whose objects its first argument are."""
        program = self._program
        arguments = node.args
        for item, default in zip(reversed(arguments.args), reversed(arguments.defaults), strict=False):
            program.add(self._value(default), id(node), item.arg)
        for item, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if given is not None:
                program.add(self._value(given), id(node), item.arg)
        if owner and arguments.args:
            program.add({"%s:%s" % (OBJECT, owner)}, id(node), arguments.args[0].arg)
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                program.add({program.container(rest)}, id(node), rest.arg)
        self._scopes.append(node)
        if isinstance(node, ast.Lambda):
            program.add(self._value(node.body), "result", self._keys[id(node)])
        else:
            for statement in node.body:
                self._statement(statement)
            if not isinstance(node.body[-1], (ast.Return, ast.Raise)):
                program.add({NONE}, "result", self._keys[id(node)])
        self._scopes.pop()

    def _of_Lambda(self, node: ast.Lambda) -> Kinds:
        self._function(node)
        return {"%s:%s" % (FUNCTION, self._keys[id(node)])}
