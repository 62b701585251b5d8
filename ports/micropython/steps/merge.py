"""Puts the functions of a file into few, each of which is told by a number what to do, after calls were inlined.

A function costs a chip's heap an object and a row in the file's table, wherever its bytecode lies. Of functions that
are only ever called, by their name, one can do the work of many: `_f(a, b)` becomes `_menu(3, a, b)`, and the bodies
lie in a tree of `if`s on that number, which costs nothing but flash. Their locals share their places, so that a call's
frame is as large as the largest of them needs; small ones go with small ones, as MicroPython keeps small frames off the
heap. Private methods that only their class calls, on itself, come along. What is handed around stays a function.
"""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from . import frames, scopes
from .callees import UNFIT, bases_of, of_self, said_by_anyone
from .here import remark
from .imported import Imported

# Words of a frame: the first is what MicroPython keeps off the heap; no other is much larger than what it is for.
_FRAMES = (11, 15, 20, 26, 33, 41)
# How many arguments a menu takes; who has fewer gives None for the rest.
_ARGUMENTS = (2, 4, 6, 8)
_MENU = "_menu"
_NUMBER = "_number"
_SLOT = "_slot"
# What has a place of its own in the function around it: this would be shared, too.
_INNER = (ast.ListComp, ast.SetComp, ast.DictComp)
# Who asks whether a name is bound would get another answer.
_NEVER = ("super", "locals", "NameError", "UnboundLocalError")


class _Member(NamedTuple):
    """A function that may be a branch of a menu, the statements that it is one of, and its calls."""

    function: ast.FunctionDef
    home: "list[ast.stmt]"
    calls: "list[ast.Call]"
    is_method: bool


def merge(sources: "dict[str, str]", bundle: str = "", keep: "frozenset[str]" = frozenset()) -> "dict[str, str]":
    """Module name -> source with few functions; all modules of the chip at once. `keep` is called from outside.

    What others import from the module `bundle` and call is told its number there, too.
    """
    trees = {name: ast.parse(text) for name, text in sources.items()}
    said, bases = said_by_anyone(trees) + Counter(keep), bases_of(trees)
    imported = Imported(trees, bundle)
    unfit = {name for tree in trees.values() for name in _importing(tree, bundle)} | keep
    taken = {name for tree in trees.values() for name in _names(tree)}
    for module, tree in trees.items():
        callers = trees.values() if module == bundle else [tree]
        called = {id(call.func): call for caller in callers for call in _calls(caller)}
        members = _methods(tree, called, said, bases)
        if module == bundle:
            members += _functions(tree, called, imported.uses, imported.unclear | unfit)
        else:
            members += _functions(tree, called, {}, said.keys() | unfit | _public(tree))
        for group, arguments in _groups(members):
            menu = _Menu(group, arguments, taken)
            menu.put_into(tree)
            imported.replace({member.function.name for member in group if not member.is_method}, menu.name)
    return {name: ast.unparse(ast.fix_missing_locations(tree)) for name, tree in trees.items()}


def _methods(
    tree: ast.Module, called: "dict[int, ast.Call]", said: "Counter[str]", bases: "set[str]"
) -> "list[_Member]":
    """Methods that have no other use than calls on `self`."""
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    defined = Counter(node.name for node in classes)
    found = []
    for owner in classes:
        # A class with kin shares its methods.
        if owner.bases or owner.name in bases or defined[owner.name] > 1:
            continue
        methods = [node for node in owner.body if isinstance(node, ast.FunctionDef)]
        if any("self" in _inner_names(method) for method in methods):
            continue
        uses = defaultdict(list)
        for method in methods:
            for attribute in of_self(method):
                uses[attribute.attr].append(attribute)
        for method in methods:
            is_ours = method.name.startswith("_") and not said[method.name] and method.name not in named
            if is_ours and method.args.args and method.args.args[0].arg == "self":
                found += _member(method, owner.body, uses[method.name], called, True)
    return found


def _functions(
    tree: ast.Module, called: "dict[int, ast.Call]", others: "dict[str, list[ast.expr]]", unfit: "set[str]"
) -> "list[_Member]":
    """Functions that have no other use than calls by their names, here and by `others`."""
    uses = defaultdict(list)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            uses[node.id].append(node)
    unfit = unfit | scopes.bound_inside(tree)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    defined = Counter(node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef)))
    found = []
    for function in functions:
        name = function.name
        if name not in unfit and defined[name] == 1:
            found += _member(function, tree.body, uses[name] + others.get(name, []), called, False)
    return found


def _member(
    function: ast.FunctionDef,
    home: "list[ast.stmt]",
    uses: "Iterable[ast.expr]",
    called: "dict[int, ast.Call]",
    is_method: bool,
) -> "list[_Member]":
    """One, or none."""
    uses = list(uses)
    calls = [called[id(node)] for node in uses if id(node) in called]
    is_only_called = 0 < len(calls) == len(uses)
    if not is_only_called or not _fits(function) or any(_values(c, function, is_method) is None for c in calls):
        return []
    return [_Member(function, home, calls, is_method)]


def _fits(function: ast.FunctionDef) -> bool:
    """With plain arguments, and with nothing in it that means something else as a part of another."""
    args = function.args
    if function.name.endswith("__") or function.decorator_list:
        return False
    if args.vararg or args.kwarg or args.kwonlyargs or args.posonlyargs:
        return False
    if not all(isinstance(value, ast.Constant) for value in args.defaults):
        return False
    inner = [node for statement in function.body for node in ast.walk(statement)]
    if any(isinstance(node, ast.Name) and node.id in _NEVER for node in inner):
        return False
    dotted = any(isinstance(node, ast.Import) and "." in node.names[0].name for node in inner)
    return not dotted and not any(isinstance(node, (*UNFIT, *_INNER)) for node in inner)


def _values(call: ast.Call, function: ast.FunctionDef, is_method: bool) -> "list[ast.expr] | None":
    """One for each argument, in their order; None when they would be evaluated in another."""
    names = [item.arg for item in function.args.args]
    # `self` may have another name by now, where the call is part of a menu itself.
    given = [call.func.value, *call.args] if is_method else call.args  # type: ignore[attr-defined]
    if any(isinstance(value, ast.Starred) for value in given) or len(given) > len(names):
        return None
    words = {word.arg or "": word.value for word in call.keywords}
    defaults = dict(zip(reversed(names), reversed(function.args.defaults), strict=False))
    left = names[len(given) :]
    if len(words) != len(call.keywords) or not set(words) <= set(left):
        return None
    if [name for name in left if name in words] != list(words) or not set(left) <= set(words) | set(defaults):
        return None
    others = {**defaults, **words}
    return [*given, *(others[name] for name in left)]


def _size(function: ast.FunctionDef) -> "tuple[int, int] | None":
    """(words of its frame, arguments), rounded up; None when it is too large to be called for something else."""
    arguments = next((most for most in _ARGUMENTS if len(function.args.args) <= most), None)
    if arguments is None:
        return None
    words = 1 + max(arguments, len(scopes.bound_in(function))) + frames.stack_of(function.body)
    size = next((most for most in _FRAMES if words <= most), None)
    return None if size is None else (size, arguments)


def _groups(members: "list[_Member]") -> "list[tuple[list[_Member], int]]":
    """(members, number of arguments) of each menu: those of one size; who is alone with so many goes with others."""
    sizes: defaultdict[int, defaultdict[int, list[_Member]]] = defaultdict(lambda: defaultdict(list))
    for member in members:
        size = _size(member.function)
        if size is not None:
            sizes[size[0]][size[1]].append(member)
    found = []
    for _, groups in sorted(sizes.items()):
        of_size: list[tuple[list[_Member], int]] = []
        for arguments, group in sorted(groups.items()):
            if of_size and (len(group) == 1 or len(of_size[-1][0]) == 1):
                group = of_size.pop()[0] + group
            of_size.append((group, arguments))
        found += [row for row in of_size if len(row[0]) > 1]
    return found


class _Menu:
    """One function that does the work of `group`."""

    def __init__(self, group: "list[_Member]", arguments: int, taken: "set[str]") -> None:
        self._group = group
        self._arguments = arguments
        self.name = scopes.free(_MENU, taken)
        self._number = scopes.free(_NUMBER, taken)
        most = max(arguments, *(len(scopes.bound_in(member.function)) for member in group))
        self._slots = [scopes.free("%s%d" % (_SLOT, number), taken) for number in range(most)]
        taken.add(self.name)

    def put_into(self, tree: ast.Module) -> None:
        # Before the first that the file's own statements could call.
        first = min(self._position(tree, member) for member in self._group)
        for number, member in enumerate(self._group):
            self._call(member, number)
            member.home.remove(member.function)
            if not member.home:
                member.home.append(ast.Pass())
        names = [self._number, *self._slots[: self._arguments]]
        arguments = ast.arguments([], [ast.arg(name) for name in names], None, [], [], None, [])
        tree.body.insert(first, ast.FunctionDef(self.name, arguments, self._tree(0, len(self._group)), []))

    def _call(self, member: _Member, number: int) -> None:
        """Let the calls of a member say the menu and its number."""
        for call in member.calls:
            values = _values(call, member.function, member.is_method)
            assert values is not None
            nothing = [ast.Constant(None)] * (self._arguments - len(values))
            is_of_module = isinstance(call.func, ast.Attribute) and not member.is_method
            what = call.func.value if is_of_module else None  # type: ignore[attr-defined]
            call.func = ast.Attribute(what, self.name, ast.Load()) if what else ast.Name(self.name, ast.Load())
            call.args, call.keywords = [ast.Constant(number), *values, *nothing], []

    def _tree(self, first: int, end: int) -> "list[ast.stmt]":
        """What the numbers from `first` to `end` do."""
        if end - first == 1:
            return self._body(self._group[first].function)
        middle = (first + end) // 2
        test = ast.Compare(ast.Name(self._number, ast.Load()), [ast.Lt()], [ast.Constant(middle)])
        return [ast.If(test, self._tree(first, middle), self._tree(middle, end))]

    def _body(self, function: ast.FunctionDef) -> "list[ast.stmt]":
        arguments = [item.arg for item in function.args.args]
        others = sorted(scopes.bound_in(function) - set(arguments))
        renamer = scopes.Renamer(dict(zip(arguments + others, self._slots, strict=False)))
        return [remark(function.name), *(renamer.visit(statement) for statement in function.body)]

    def _position(self, tree: ast.Module, member: _Member) -> int:
        """Where in the file a function or the class of a method stands."""
        return next(
            number
            for number, node in enumerate(tree.body)
            if node is member.function or (isinstance(node, ast.ClassDef) and node.body is member.home)
        )


def _calls(tree: ast.Module) -> "list[ast.Call]":
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _names(tree: ast.Module) -> "set[str]":
    """All that are bound or read."""
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return read | scopes.bound_in(tree) | scopes.bound_inside(tree)


def _inner_names(function: ast.FunctionDef) -> "set[str]":
    """All that its statements bind, and functions in it."""
    body = ast.Module(function.body, [])
    return scopes.bound_in(body) | scopes.bound_inside(body)


def _importing(tree: ast.Module, bundle: str) -> "set[str]":
    """Functions that import from the bundle when they run: these names are the file's elsewhere."""
    return {
        function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and node.module == bundle
    }


def _public(tree: ast.Module) -> "set[str]":
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
