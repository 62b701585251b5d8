"""Puts functions that are called at one place in the place of their call, after the files were bundled.

A function costs a chip's heap its object, its row in a table and its names, wherever its bytecode lies; the bytecode
of read-only flash costs nothing. So a private function or method that has one call, which is a statement of its own,
the value of an assignment, of a `return` or the test of an `if`, becomes part of the function that calls it: its
locals get names that are free there, its arguments are those of the call. An early `return` becomes the `break` of a
loop that runs once. What this cannot do with the same effects stays a function.
"""

import ast
import copy
from collections import Counter

from . import scopes
from .callees import Callee, bases_of, callees_of, functions_of, said_by_anyone

# A frame lies on the heap while it runs: not too many in one.
_MOST_LOCALS = 32
_LOOPS = (ast.For, ast.While)


def inline(sources: "dict[str, str]", keep: "frozenset[str]" = frozenset()) -> "dict[str, str]":
    """Module name -> source with fewer functions; all modules of the chip at once. `keep` is called from outside."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    # What is moved says what it said.
    said, bases = said_by_anyone(trees) + Counter(keep), bases_of(trees)
    for tree in trees.values():
        # Each has its turn.
        while _inlined(tree, said, bases):
            pass
    return {name: ast.unparse(ast.fix_missing_locations(tree)) for name, tree in trees.items()}


def _inlined(tree: ast.Module, said: "Counter[str]", bases: "set[str]") -> bool:
    """One round over one module; True when something moved."""
    callees = callees_of(tree, said, bases)
    placed: set[ast.FunctionDef] = set()
    for function, owner in functions_of(tree):
        if function not in placed:
            _Caller(function, callees[""] | callees.get(owner, {}), placed).rewrite()
    gone = [callee for table in callees.values() for callee in table.values() if callee.function in placed]
    for callee in gone:
        callee.home.remove(callee.function)
        if not callee.home:
            callee.home.append(ast.Pass())
    return bool(gone)


class _Caller:
    """A function that takes in what it calls, which goes into `placed`."""

    def __init__(self, function: ast.FunctionDef, callees: "dict[str, Callee]", placed: "set[ast.FunctionDef]") -> None:
        self._function = function
        # Of what was taken in, too.
        self._bound = scopes.bound_in(function)
        self._names = _names(function)
        # Locals of what was taken in before: nobody reads them after it.
        self._spare: set[str] = set()
        self._callees = callees
        self._gone = placed

    def rewrite(self) -> None:
        inner = list(ast.walk(self._function))[1:]
        if not any(isinstance(node, (ast.FunctionDef, ast.Lambda, ast.Nonlocal, ast.Yield)) for node in inner):
            self._function.body = self._block(self._function.body, True)

    def _block(self, block: "list[ast.stmt]", is_end: bool) -> "list[ast.stmt]":
        """`is_end`: after it there is nothing left to do in the function."""
        out = []
        for statement in block:
            out += self._statement(statement, is_end and statement is block[-1])
        return out

    def _statement(self, statement: ast.stmt, is_end: bool) -> "list[ast.stmt]":
        placed = self._placed(statement, is_end)
        if placed is not None:
            return placed
        goes_on = is_end and isinstance(statement, ast.If)
        for part in ("body", "orelse", "finalbody"):
            if getattr(statement, part, None):
                setattr(statement, part, self._block(getattr(statement, part), goes_on))
        for handler in getattr(statement, "handlers", ()):
            handler.body = self._block(handler.body, False)
        return [statement]

    def _placed(self, statement: ast.stmt, is_end: bool) -> "list[ast.stmt] | None":
        """What comes in the place of a statement; None: it stays."""
        if isinstance(statement, ast.If):
            return self._placed_test(statement)
        if not isinstance(statement, (ast.Expr, ast.Assign, ast.Return)) or not isinstance(statement.value, ast.Call):
            return None
        callee = self._callee(statement.value)
        if callee is None:
            return None
        body = _Body(callee, statement.value, self._bound, self._names, self._spare)
        statements = body.renamed()
        placed = None if statements is None else _ended(statements, statement, is_end)
        if placed is not None:
            self._gone.add(callee.function)
            self._spare |= set(body.new.values())
            self._bound |= set(body.new.values())
            self._names |= {node.id for part in placed for node in ast.walk(part) if isinstance(node, ast.Name)}
        return placed

    def _placed_test(self, statement: ast.If) -> "list[ast.stmt] | None":
        test = statement.test
        is_not = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        call = test.operand if isinstance(test, ast.UnaryOp) and is_not else test
        if not isinstance(call, ast.Call) or self._callee(call) is None:
            return None
        name = scopes.free("found", self._names)
        placed = self._placed(ast.Assign([ast.Name(name, ast.Store())], call), False)
        if placed is not None:
            found = ast.Name(name, ast.Load())
            statement.test = ast.UnaryOp(ast.Not(), found) if is_not else found
            placed.append(statement)
            self._bound.add(name)
        return placed

    def _callee(self, call: ast.Call) -> "Callee | None":
        what = call.func
        if isinstance(what, ast.Name):
            callee = self._callees.get(what.id)
            is_method = False
        elif isinstance(what, ast.Attribute) and isinstance(what.value, ast.Name) and what.value.id == "self":
            callee = self._callees.get(what.attr)
            is_method = True
        else:
            return None
        if callee is None or callee.is_method != is_method or callee.function is self._function:
            return None
        return callee


class _Body(scopes.Renamer):
    """The statements of a callee with the names that they have in its caller."""

    def __init__(self, callee: Callee, call: ast.Call, bound: "set[str]", names: "set[str]", spare: "set[str]") -> None:
        super().__init__({})
        self._callee = callee
        self._call = call
        self._bound = bound
        self._names = names
        self._spare = sorted(spare)
        self._values: dict[str, ast.expr] = {}

    def renamed(self) -> "list[ast.stmt] | None":
        """None when the names or the arguments of the two do not go together."""
        function = self._callee.function
        given = self._given()
        own, theirs = scopes.bound_in(function), self._bound
        if given is None or (_names(function) - own) & theirs:
            return None
        stored = _stored(function)
        taken = self._names | self._bound | _names(function) - own
        before: list[ast.stmt] = []
        for name, value in given:
            is_fixed = isinstance(value, ast.Constant) or (isinstance(value, ast.Name) and value.id in theirs)
            if is_fixed and name not in stored:
                self._values[name] = value
                continue
            self._rename(name, taken)
            before.append(ast.Assign([ast.Name(self.new[name], ast.Store())], value))
        for name in sorted(own - set(self._values) - set(self.new)):
            self._rename(name, taken)
        if len(theirs | set(self.new.values())) > _MOST_LOCALS:
            return None
        return before + [self.visit(copy.deepcopy(statement)) for statement in _without_text(function.body)]

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._values:
            return copy.deepcopy(self._values[node.id])
        return super().visit_Name(node)

    def _rename(self, name: str, taken: "set[str]") -> None:
        self.new[name] = self._spare.pop(0) if self._spare else scopes.free(name, taken)
        taken.add(self.new[name])

    def _given(self) -> "list[tuple[str, ast.expr]] | None":
        """(argument, its value) in the order of the call; those of defaults last."""
        function, call = self._callee.function, self._call
        names = [item.arg for item in function.args.args]
        values = [ast.Name("self", ast.Load()), *call.args] if self._callee.is_method else call.args
        given = list(zip(names, values, strict=False)) + [(word.arg or "", word.value) for word in call.keywords]
        defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
        missing = [name for name in names if name not in dict(given)]
        is_plain = len(values) <= len(names) and len(dict(given)) == len(given) and set(dict(given)) <= set(names)
        unfit = (ast.Starred, ast.NamedExpr, ast.Lambda, ast.GeneratorExp)
        if not is_plain or any(isinstance(node, unfit) for _, value in given for node in ast.walk(value)):
            return None
        if not all(isinstance(defaults.get(name), ast.Constant) for name in missing):
            return None
        return given + [(name, defaults[name]) for name in missing]


def _ended(body: "list[ast.stmt]", statement: ast.stmt, is_end: bool) -> "list[ast.stmt] | None":
    """The body in the place of `statement`, with its returns as they must be there; None when there is no such way."""
    last = body[-1] if body else None
    if isinstance(statement, ast.Return):
        return body if isinstance(last, (ast.Return, ast.Raise)) else [*body, ast.Return(ast.Constant(None))]
    early = _returns(body[:-1] if isinstance(last, ast.Return) else body)
    if not early:
        value = [_result(last, statement)] if isinstance(last, ast.Return) else [_result(ast.Return(None), statement)]
        return (body[:-1] if isinstance(last, ast.Return) else body) + [node for group in value for node in group]
    if is_end and isinstance(statement, ast.Expr):
        return _Returns(statement, ast.Return(None)).within(body)
    if any(_returns([node]) for node in _loops(body)):
        return None
    whole = body if isinstance(last, (ast.Return, ast.Raise)) else [*body, ast.Return(None)]
    return [ast.While(ast.Constant(True), _Returns(statement, ast.Break()).within(whole), [])]


class _Returns(ast.NodeTransformer):
    """Every `return` as what becomes of its value, and a way out."""

    def __init__(self, statement: ast.stmt, way_out: ast.stmt) -> None:
        self._statement = statement
        self._way_out = way_out

    def within(self, body: "list[ast.stmt]") -> "list[ast.stmt]":
        return ast.Module([self.visit(ast.Module(body, []))], []).body[0].body  # type: ignore[attr-defined]

    def visit_Return(self, node: ast.Return) -> "list[ast.stmt]":
        return [*_result(node, self._statement), copy.deepcopy(self._way_out)]


def _result(node: ast.Return, statement: ast.stmt) -> "list[ast.stmt]":
    """What `statement` does with what is returned."""
    value = node.value or ast.Constant(None)
    if isinstance(statement, ast.Assign):
        return [ast.Assign(copy.deepcopy(statement.targets), value)]
    return [] if isinstance(value, (ast.Constant, ast.Name)) else [ast.Expr(value)]


def _returns(body: "list[ast.stmt]") -> "list[ast.AST]":
    return [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Return)]


def _loops(body: "list[ast.stmt]") -> "list[ast.stmt]":
    return [node for statement in body for node in ast.walk(statement) if isinstance(node, _LOOPS)]


def _stored(function: ast.FunctionDef) -> "set[str]":
    """Names that the body of a function binds."""
    body = ast.Module(function.body, [])
    return scopes.bound_in(body)


def _names(function: ast.FunctionDef) -> "set[str]":
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)} | scopes.bound_in(function)


def _without_text(body: "list[ast.stmt]") -> "list[ast.stmt]":
    return [node for node in body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
