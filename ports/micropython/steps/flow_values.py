"""What an expression may be: names, attributes, containers and what is taken out of them."""

import ast
import builtins

from . import scopes
from .flow_program import FUNCTION, NONE, OTHER, Function, Kinds, Program


class Values:
    """Follows the expressions of one module; what calls give and what functions do is the business of its children."""

    def __init__(self, program: Program, module: str) -> None:
        self._program = program
        self._module = module
        self._bound: dict[int, set[str]] = {}
        self._keys = {id(node): key for key, (of, node) in program.functions.items() if of == module}
        # Functions around, outermost first, and the class whose body runs.
        self._scopes: list[Function] = []
        self._class: ast.ClassDef | None = None

    def _key(self, name: str) -> "tuple[object, ...]":
        """Where the values of a name are kept."""
        for scope in reversed(self._scopes):
            if id(scope) not in self._bound:
                self._bound[id(scope)] = scopes.bound_in(scope)
            if name in self._bound[id(scope)]:
                return id(scope), name
        return self._module, name

    def _name(self, name: str) -> Kinds:
        method = self._class and "%s.%s.%s" % (self._module, self._class.name, name)
        if method in self._program.functions:
            return {"%s:%s" % (FUNCTION, method)}
        key = self._key(name)
        if key[0] != self._module:
            return self._program.of(*key)
        found = self._program.top(self._module, name)
        return {OTHER} if not found and hasattr(builtins, name) else found

    def _bind(self, target: ast.expr, kinds: Kinds) -> None:
        program = self._program
        if isinstance(target, (ast.Tuple, ast.List)):
            program.note(target, kinds)
            is_known = not any(isinstance(item, ast.Starred) for item in target.elts)
            for place, item in enumerate(target.elts):
                self._bind(item, program.part(kinds, place) if is_known else program.parts(kinds))
        elif isinstance(target, ast.Starred):
            self._bind(target.value, self._made(target, kinds))
        elif isinstance(target, ast.Name):
            program.note(target, kinds)
            program.add(kinds, *self._key(target.id))
        elif isinstance(target, ast.Attribute):
            for kind in self._value(target.value):
                key = program.attribute(kind, target.attr)[1]
                if key is not None:
                    program.add(kinds, *key)
        elif isinstance(target, ast.Subscript):
            self._value(target.slice)
            program.put(kinds, self._value(target.value))

    def _value(self, node: ast.expr) -> Kinds:
        """What an expression may be; everything in it is followed."""
        special = getattr(self, "_of_" + type(node).__name__, None)
        if special is not None:
            return self._program.note(node, special(node))
        for item in ast.iter_child_nodes(node):
            if isinstance(item, ast.expr):
                self._value(item)
        return self._program.note(node, {OTHER})

    def _of_Constant(self, node: ast.Constant) -> Kinds:
        return {NONE} if node.value is None else {OTHER}

    def _of_Name(self, node: ast.Name) -> Kinds:
        return set(self._name(node.id))

    def _of_Attribute(self, node: ast.Attribute) -> Kinds:
        found: Kinds = set()
        for kind in self._value(node.value):
            found |= self._program.attribute(kind, node.attr)[0]
        return found

    def _of_Subscript(self, node: ast.Subscript) -> Kinds:
        program = self._program
        whole = self._value(node.value)
        self._value(node.slice)
        if isinstance(node.slice, ast.Slice):
            return self._made(node, program.parts(whole))
        place = number_in(node.slice)
        return program.parts(whole) if place is None else program.part(whole, place)

    def _of_IfExp(self, node: ast.IfExp) -> Kinds:
        self._value(node.test)
        return self._value(node.body) | self._value(node.orelse)

    def _of_BoolOp(self, node: ast.BoolOp) -> Kinds:
        return set().union(*(self._value(item) for item in node.values))

    def _of_NamedExpr(self, node: ast.NamedExpr) -> Kinds:
        kinds = self._value(node.value)
        self._bind(node.target, kinds)
        return kinds

    def _of_BinOp(self, node: ast.BinOp) -> Kinds:
        parts = self._program.parts(self._value(node.left) | self._value(node.right))
        return self._made(node, parts) if isinstance(node.op, (ast.Add, ast.Mult)) else {OTHER}

    def _of_Starred(self, node: ast.Starred) -> Kinds:
        return self._program.parts(self._value(node.value))

    def _of_Tuple(self, node: ast.Tuple) -> Kinds:
        made = self._of_List(node)
        if not any(isinstance(item, ast.Starred) for item in node.elts):
            self._program.sizes.update(dict.fromkeys(made, len(node.elts)))
            for place, item in enumerate(node.elts):
                self._program.add(self._value(item), *made, place)
        return made

    def _of_List(self, node: "ast.List | ast.Set | ast.Tuple") -> Kinds:
        return self._made(node, set().union(*(self._value(item) for item in node.elts)))

    _of_Set = _of_List

    def _of_Dict(self, node: ast.Dict) -> Kinds:
        for key in node.keys:
            if key is not None:
                self._value(key)
        return self._made(node, set().union(*(self._value(item) for item in node.values)))

    def _of_ListComp(self, node: "ast.ListComp | ast.SetComp | ast.GeneratorExp") -> Kinds:
        self._clauses(node.generators)
        return self._made(node, self._value(node.elt))

    _of_SetComp = _of_GeneratorExp = _of_ListComp

    def _of_DictComp(self, node: ast.DictComp) -> Kinds:
        self._clauses(node.generators)
        self._value(node.key)
        return self._made(node, self._value(node.value))

    def _clauses(self, clauses: "list[ast.comprehension]") -> None:
        """The names of a comprehension are taken for those of the function: one function, one meaning each."""
        for clause in clauses:
            self._bind(clause.target, self._program.parts(self._value(clause.iter)))
            for test in clause.ifs:
                self._value(test)

    def _of_Yield(self, node: ast.Yield) -> Kinds:
        return self._yielded(node, self._value(node.value) if node.value is not None else set())

    def _of_YieldFrom(self, node: ast.YieldFrom) -> Kinds:
        return self._yielded(node, self._program.parts(self._value(node.value)))

    def _yielded(self, node: ast.expr, kinds: Kinds) -> Kinds:
        self._program.add(self._made(node, kinds), "result", self._keys[id(self._scopes[-1])])
        return {OTHER}

    def _made(self, node: ast.AST, parts: Kinds) -> Kinds:
        """A container of its own for every place that makes one."""
        kind = self._program.container(node)
        self._program.add(parts, kind)
        return {kind}

    def _pairs(self, node: ast.Call, columns: "list[Kinds]") -> Kinds:
        """A container of tuples with a part of each column."""
        program = self._program
        pair = program.container(node) + " pair"
        program.add(set().union(*columns), pair)
        if not any(isinstance(item, ast.Starred) for item in node.args):
            program.sizes[pair] = len(columns)
            for place, kinds in enumerate(columns):
                program.add(kinds, pair, place)
        return self._made(node, {pair})


def number_in(node: ast.expr) -> "int | None":
    """The number that is written there."""
    is_negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    node = node.operand if isinstance(node, ast.UnaryOp) and is_negative else node
    if not isinstance(node, ast.Constant) or type(node.value) is not int:
        return None
    return -node.value if is_negative else node.value
