"""What goes into a call and what comes out: functions and classes of ours, builtins, foreign code."""

import ast

from .flow_program import CLASS, CONTAINER, FUNCTION, METHOD, NONE, OBJECT, OTHER, TUPLE, Function, Kinds
from .flow_values import Values

# Methods of containers: what puts its last argument in, what takes a part out, what gives a container of the same.
_PUT = {"append", "insert", "add", "setdefault", "appendleft"}
_TAKE = {"pop", "popleft", "get", "setdefault"}
_WHOLE = {"values", "keys", "copy"}
# Builtins that give a container of the same parts, and those that give one of them.
_SAME = {"list", "tuple", "sorted", "reversed", "set", "iter", "dict", "filter"}
_PAIRS = {"enumerate", "zip"}
_PART = {"min", "max", "next"}


class Calls(Values):
    """Follows the calls of one module."""

    def _of_Call(self, node: ast.Call) -> Kinds:
        what = self._value(node.func)
        named = {word.arg: self._value(word.value) for word in node.keywords}
        result: Kinds = set()
        given_lists = self._given(node)
        if self._scopes and node in handing_on(self._scopes[-1]) and not self._has_unknown_rest(self._scopes[-1]):
            # What arrives there was said by who calls this function.
            given_lists = [([], 0)]
        for given, starred in given_lists:
            result |= self._called(node, what, given, starred, named)
        return result

    def _has_unknown_rest(self, function: Function) -> bool:
        return bool(self._program.of(self._program.container(function.args.vararg)))  # type: ignore[arg-type]

    def _given(self, node: ast.Call) -> "list[tuple[list[Kinds], int]]":
        """The arguments, and the number of the first of which nothing is told but that there may be some like it.

        There are several lists of them where one of several tuples is spread at the end.
        """
        program = self._program
        given = [self._value(item) for item in node.args]
        starred = next((n for n, item in enumerate(node.args) if isinstance(item, ast.Starred)), len(given))
        last = node.args[-1] if node.args else None
        if not isinstance(last, ast.Starred) or starred < len(given) - 1:
            return [(given, starred)]
        kinds = self._value(last.value) - {NONE}
        known = sorted(kind for kind in kinds if kind in program.sizes)
        found = [[*given[:-1], *(program.of(kind, n) for n in range(program.sizes[kind]))] for kind in known]
        out = [(spread, len(spread)) for spread in found]
        rest = kinds - set(known)
        return [*out, ([*given[:-1], program.parts(rest)], starred)] if rest else out

    def _called(
        self, node: ast.Call, what: Kinds, given: "list[Kinds]", starred: int, named: "dict[str | None, Kinds]"
    ) -> Kinds:
        """What a call gives of what is called."""
        program = self._program
        result: Kinds = set()
        for kind in what:
            sort, _, key = kind.partition(":")
            if sort == CLASS and key in program.tuples:
                result.add("%s:%s" % (TUPLE, key))
                for field, kinds in [*zip(program.tuples[key], given, strict=False), *named.items()]:
                    program.add(kinds, TUPLE, key, field)
            elif sort == CLASS:
                result.add("%s:%s" % (OBJECT, key))
                for start in program.attribute("%s:%s" % (OBJECT, key), "__init__")[0]:
                    self._pass(start, given, starred, named)
            elif sort in (FUNCTION, METHOD):
                self._pass(kind, given, starred, named)
                result |= program.of("result", key)
            elif sort in (OTHER, CONTAINER):
                result |= self._foreign(node, given, named)
        return result

    def _pass(self, kind: str, given: "list[Kinds]", starred: int, named: "dict[str | None, Kinds]") -> None:
        """Arguments to a function, or to a method, whose first is its object."""
        program = self._program
        sort, _, key = kind.partition(":")
        function = program.functions[key][1]
        names = [item.arg for item in function.args.args][int(sort == METHOD) :]
        rest = function.args.vararg
        calls = handing_on(function)
        for n, kinds in enumerate(given):
            targets = names[n : n + 1] if n < starred else names[starred:]
            for name in targets:
                program.add(kinds, id(function), name)
            if rest is not None and (n >= starred or not targets) and not (calls and starred == len(given)):
                program.add(kinds, program.container(rest))
        for word, kinds in named.items():
            if word is not None:
                program.add(kinds, id(function), word)
        for call in calls if starred == len(given) else []:
            what = program.of(id(function), call.func.id)  # type: ignore[attr-defined]
            for name, kinds in zip(names, given, strict=False):
                what = kinds if name == call.func.id else what  # type: ignore[attr-defined]
            beyond = [
                [program.noted(item)] if not isinstance(item, ast.Starred) else given[len(names) :]
                for item in call.args
            ]
            handed = [kinds for group in beyond for kinds in group]
            self._called(call, what, handed, len(handed), {})

    def _foreign(self, node: ast.Call, given: "list[Kinds]", named: "dict[str | None, Kinds]") -> Kinds:
        """A call of a builtin, of a container's method, or of code that is not here."""
        program = self._program
        everything = set().union(*given, *named.values())
        for kind in everything:
            sort, _, key = kind.partition(":")
            if sort in (FUNCTION, METHOD):
                for item in program.functions[key][1].args.args[int(sort == METHOD) :]:
                    program.add({OTHER}, id(program.functions[key][1]), item.arg)
        if isinstance(node.func, ast.Attribute):
            holder, name = self._value(node.func.value), node.func.attr
            if name in _PUT and given:
                program.put(given[-1], holder)
            elif name in ("extend", "update") and given:
                program.put(program.parts(given[0]), holder)
            if name == "items":
                return self._pairs(node, [{OTHER}, program.parts(holder)])
            if name in _WHOLE:
                return self._made(node, program.parts(holder))
            if name in _TAKE:
                nothing = {NONE} if name == "get" and len(given) == 1 else set()
                return program.parts(holder).union(nothing, *given[1:])
            return {OTHER}
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in _PAIRS:
            columns = [program.parts(kinds) for kinds in given]
            return self._pairs(node, [{OTHER}, *columns[:1]] if name == "enumerate" else columns)
        if name in _SAME:
            parts: Kinds = set().union(*(program.parts(kinds) for kinds in given))
            # A dict has parts of the pairs that it is made of.
            return self._made(node, parts | program.parts(parts) if name == "dict" else parts)
        if name in _PART:
            return {OTHER} | (everything if len(given) > 1 else program.parts(everything))
        return {OTHER}


def handing_on(function: Function) -> "list[ast.Call]":
    """`what(*rest, more)` in `def function(what, *rest)`: calls of an argument with all that there is beyond them.

    None of them when anything else is done with the rest, or with the argument.
    """
    rest = function.args.vararg
    if rest is None:
        return []
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    arguments = {item.arg for item in function.args.args}
    calls = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in arguments
        and not node.keywords
        and [ast.unparse(item) for item in node.args if isinstance(item, ast.Starred)] == ["*" + rest.arg]
    ]
    used = [node for node in names if node.id in {rest.arg, *(call.func.id for call in calls)}]  # type: ignore[attr-defined]
    return calls if len(used) == 2 * len(calls) else []
