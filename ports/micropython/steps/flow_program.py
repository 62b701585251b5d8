"""What is known of a program while its flow is followed: its definitions, and the kinds of everything that has a name.

A kind is a text: "<sort>:<module>.<name>", or a sort alone.
"""

import ast

TUPLE = "tuple"
OBJECT = "object"
CLASS = "class"
FUNCTION = "function"
METHOD = "method"
MODULE = "module"
# Anything else: numbers, texts, containers, and what code that is not here gives.
OTHER = "other"
# A container, by the place where it is made.
CONTAINER = "container"
# What may be nothing, too.
NONE = "none"

Kinds = set[str]
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Program:
    """What is known so far."""

    def __init__(self, trees: "dict[str, ast.Module]") -> None:
        self.trees = trees
        self.functions: dict[str, tuple[str, Function]] = {}
        self.classes: dict[str, tuple[str, ast.ClassDef]] = {}
        self.tuples: dict[str, list[str]] = {}
        self.bases: dict[str, str] = {}
        # Key of a variable, an attribute, a field, what a function gives, what is in a container -> its kinds.
        self._kinds: dict[tuple[object, ...], Kinds] = {}
        self._of_nodes: dict[int, Kinds] = {}
        # Tuples, as containers that stay what they are -> how many parts they have.
        self.sizes: dict[str, int] = {}
        self._is_new = True
        for module, tree in trees.items():
            self._find(module, tree)
        self.packages = {module.split(".")[0] for module in trees if "." in module}

    def has_more(self) -> bool:
        """Whether anything new was added since this was asked last."""
        is_new, self._is_new = self._is_new, False
        return is_new

    def kinds(self, expression: ast.expr) -> "frozenset[str]":
        return told(self.noted(expression))

    def may_be_none(self, expression: ast.expr) -> bool:
        return NONE in self.noted(expression)

    def parts_of(self, expression: ast.expr) -> "frozenset[str]":
        return told(self.parts(self.noted(expression)))

    def of(self, *key: object) -> Kinds:
        return self._kinds.get(key, set())

    def top(self, module: str, name: str) -> Kinds:
        """What a name at the top of a module is."""
        key = "%s.%s" % (module, name)
        if key in self.functions:
            return {"%s:%s" % (FUNCTION, key)}
        if key in self.classes or key in self.tuples:
            return {"%s:%s" % (CLASS, key)}
        return self.of(module, name)

    def add(self, kinds: Kinds, *key: object) -> None:
        known = self._kinds.setdefault(key, set())
        if not kinds <= known:
            known |= kinds
            self._is_new = True

    def note(self, node: ast.expr, kinds: Kinds) -> Kinds:
        """The value of an expression."""
        self._of_nodes.setdefault(id(node), set()).update(kinds)
        return kinds

    def noted(self, node: ast.expr) -> Kinds:
        return self._of_nodes.get(id(node), set())

    def container(self, node: ast.AST) -> str:
        """The kind of a container that is made here."""
        return "%s:%d" % (CONTAINER, id(node))

    def parts(self, kinds: Kinds) -> Kinds:
        """What is in containers, and in the fields of namedtuples."""
        found: Kinds = set()
        for kind in kinds:
            sort, _, key = kind.partition(":")
            if sort == CONTAINER:
                found |= self.of(kind)
            elif sort == TUPLE:
                for field in self.tuples[key]:
                    found |= self.of(TUPLE, key, field)
            elif sort == OTHER:
                found.add(OTHER)
        return found

    def part(self, kinds: Kinds, place: int) -> Kinds:
        """What is at one place of containers and namedtuples, as far as it is known what is where."""
        found: Kinds = set()
        for kind in kinds:
            sort, _, key = kind.partition(":")
            size = len(self.tuples[key]) if sort == TUPLE else self.sizes.get(kind)
            at = place if place >= 0 or size is None else place + size
            if size is None:
                found |= self.parts({kind})
            elif sort != TUPLE:
                found |= self.of(kind, at)
            elif 0 <= at < size:
                found |= self.of(TUPLE, key, self.tuples[key][at])
        return found

    def put(self, kinds: Kinds, into: Kinds) -> None:
        for kind in into:
            if kind.startswith(CONTAINER) and kind not in self.sizes:
                self.add(kinds, kind)

    def attribute(self, kind: str, name: str) -> "tuple[Kinds, tuple[object, ...] | None]":
        """What `name` is of a value of this kind, and where that is kept, if it can be set."""
        sort, _, key = kind.partition(":")
        if sort == TUPLE:
            return self.of(TUPLE, key, name), None
        if sort in (OBJECT, CLASS):
            owner: str | None = key
            root = key
            while owner is not None:
                function = "%s.%s" % (owner, name)
                if function in self.functions:
                    if sort == OBJECT and owner != key:
                        self._is_self(kind, function)
                    return {"%s:%s" % (METHOD if sort == OBJECT else FUNCTION, function)}, None
                root, owner = owner, self.bases.get(owner)
            return self.of(OBJECT, root, name), (OBJECT, root, name)
        if sort == MODULE:
            inner = "%s.%s" % (key, name)
            if inner in self.trees:
                return {"%s:%s" % (MODULE, inner)}, None
            return (self.top(key, name), (key, name)) if key in self.trees else (set(), None)
        return (set() if kind == NONE else {OTHER}), None

    def _is_self(self, kind: str, key: str) -> None:
        """A method of a parent is called for an object of its child."""
        function = self.functions[key][1]
        if function.args.args:
            self.add({kind}, id(function), function.args.args[0].arg)

    def _find(self, module: str, tree: ast.Module) -> None:
        named = {}
        for node in tree.body:
            fields = fields_of(node)
            if isinstance(node, ast.FunctionDef):
                named[id(node)] = "%s.%s" % (module, node.name)
            elif isinstance(node, ast.ClassDef):
                key = "%s.%s" % (module, node.name)
                self.classes[key] = (module, node)
                for base in node.bases:
                    if isinstance(base, ast.Name) and "%s.%s" % (module, base.id) in self.classes:
                        self.bases[key] = "%s.%s" % (module, base.id)
                named |= {
                    id(item): "%s.%s" % (key, item.name) for item in node.body if isinstance(item, ast.FunctionDef)
                }
            elif fields is not None:
                self.tuples["%s.%s" % (module, node.targets[0].id)] = fields  # type: ignore[attr-defined]
        for function in ast.walk(tree):
            if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                self.functions[named.get(id(function), "%s.<%d>" % (module, id(function)))] = (module, function)


def fields_of(node: ast.stmt) -> "list[str] | None":
    """The fields of the namedtuple that a statement defines, in the one form that is understood; None for all else."""
    if not (isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)):
        return None
    call = node.value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "namedtuple"):
        return None
    if len(call.args) != 2 or call.keywords or not isinstance(call.args[1], (ast.Tuple, ast.List)):
        return None
    names = [item.value for item in call.args[1].elts if isinstance(item, ast.Constant)]
    fields = [name for name in names if isinstance(name, str)]
    return fields if len(fields) == len(call.args[1].elts) else None


def told(kinds: Kinds) -> "frozenset[str]":
    """Containers are nobody else's business."""
    return frozenset(OTHER if kind.startswith(CONTAINER) else kind for kind in kinds if kind != NONE)
