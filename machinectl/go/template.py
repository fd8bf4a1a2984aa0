"""The part of Go's text/template for `--format`: https://pkg.go.dev/text/template.

Fields, strings, numbers, pipelines, parentheses, variables, Go's functions for values and text, json, prettyjson, if,
with, range, trim markers, comments. The rest is refused by name.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.errors import UsageError
from machinectl.go.printf import printf
from machinectl.go.value_format import Duration, go_json, go_text, kind, pretty_json, wrong_kind

if TYPE_CHECKING:
    # Name: function, minimum and maximum number of arguments.
    Functions = Mapping[str, tuple[Callable[..., Any], int, int]]

# Each variable that a template declares, and each block's dot, has a number.
Scope = dict[int, Any]
Expression = Callable[[Scope], Any]
TemplateNode = Callable[[Scope], str]

SUPPORTED = (
    "Write fields as in {{.Name}}, and json, prettyjson, index, len, print, printf, println, eq, ne, lt, le, gt, ge, "
    "and, or, not, if, with, else, range, end; for anything else take --json and a program that reads it"
)
UNSUPPORTED_ACTIONS = frozenset({"block", "break", "continue", "define", "template"})
# The scope's number of the template's data, which is "$" and, outside of range and with, the dot.
ROOT = 0

# Enough for any template, and below Python's recursion limit.
DEEPEST = 60
BLANKS = " \t\r\n"
# Go's int has 64 bits on the usual hosts.
LARGEST_INTEGER = 2**63 - 1
# Characters of the template in an error.
LONGEST_EXCERPT = 40

OPENING = re.compile(rf"{{{{(?P<trim>-[{BLANKS}])?")
CLOSING = re.compile(rf"(?P<trim>[{BLANKS}]+-)?}}}}")
TOKEN = re.compile(
    rf"""
    (?P<blank>  [{re.escape(BLANKS)}]+)
  | (?P<quoted> "(?:[^"\\\n]|\\.)*")
  | (?P<raw>    `[^`]*`)
  | (?P<number> [+-]?(?:\d|\.\d)(?:[eE][+-]|[\w.])*)
  | (?P<path>   \$\w*(?:\.[^\W\d]\w*)* | (?:\.[^\W\d]\w*)+ | \.)
  | (?P<word>   [^\W\d]\w*)
  | (?P<mark>   :?=|[|,])
  | (?P<paren>  [()])
    """,
    re.VERBOSE,
)
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})", re.ASCII)
FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
ESCAPE = re.compile(r'\\(?:[abfnrtv\\"]|x[\da-fA-F]{2}|[0-7]{3}|u[\da-fA-F]{4}|U[\da-fA-F]{8}|(?P<wrong>.))', re.ASCII)
# Half a surrogate pair cannot be written; Go replaces it, too.
HALVES = re.compile("[\ud800-\udfff]")

# A missing field. Unlike null, it has fields: missing ones.
MISSING: Any = object()


class Template(NamedTuple):
    """A parsed template. `fields` are those it reads; "" is the whole root."""

    body: TemplateNode
    fields: frozenset[str]

    def render(self, data: Any) -> str:
        """Render JSON data. Raises UsageError where Go fails, too."""
        root = MISSING if data is None else data
        try:
            return HALVES.sub("\ufffd", self.body({ROOT: root}))
        except MemoryError as exc:
            raise invalid_template("its text does not fit into memory") from exc


def parse_template(
    text: str,
    *,
    fields: Collection[str] | None = None,
    escapes: bool = False,
    functions: Functions | None = None,
    methods: Mapping[str, Callable[..., Any]] | None = None,
) -> Template:
    r"""Parse a template. Raises UsageError that names the error.

    `fields` are the root's: unknown ones are refused before a host is asked. If None, missing fields become `<no
    value>`. With `escapes`, \t and \n outside of actions are tab and newline, as in `docker-machine ls --format`.
    `json` is short for {{json .}}, as in docker. `functions` replace FUNCTIONS; `methods` take the dot and an argument:
    {{.Label "rack"}}.
    """
    text = "{{json .}}" if text == "json" else text
    parser = TemplateParser(template_pieces(text, escapes=escapes), fields, functions or FUNCTIONS, methods or {})
    body, closing = parser.body(0)
    if closing:
        raise invalid_template(f"an {closing[0].text} has no if, with or range before it")
    return Template(body, frozenset(parser.used))


class Heading(str):
    """A table's heading in place of a row's value: what a template takes out of it is a heading, too."""

    __slots__ = ()

    def part(self, name: Any) -> Heading:
        return Heading(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()) if isinstance(name, str) else self


class Stringer(str):
    """A text that has Go's method for it: {{.State.String}}."""

    __slots__ = ()

    @property
    def results(self) -> dict[str, str]:
        return {"String": str(self)}


class Token(NamedTuple):
    """`inside` is what a pair of parentheses holds; `text` are the fields after it, as in (index .List 0).Name."""

    kind: str
    text: str
    inside: tuple[Token, ...] = ()


def template_pieces(text: str, *, escapes: bool) -> Iterator[str | list[Token]]:
    """Yield plain texts, and actions as tokens."""
    position = 0
    closing: re.Match[str] | None = None
    while True:
        opening = OPENING.search(text, position)
        plain = text[position : opening.start() if opening else len(text)]
        if escapes:
            plain = plain.replace(r"\t", "\t").replace(r"\n", "\n")
        if closing and closing["trim"]:
            plain = plain.lstrip(BLANKS)
        if opening is None:
            yield plain
            return
        yield plain.rstrip(BLANKS) if opening["trim"] else plain
        is_comment = text.startswith("/*", opening.end())
        action, position = ([], comment_end(text, opening.end())) if is_comment else tokenize(text, opening.end())
        closing = CLOSING.match(text, position)
        if closing is None:
            raise invalid_template(f"an action is not closed with }}}}: {excerpt(text[opening.start() :])}")
        if not is_comment:
            yield action
        position = closing.end()


def comment_end(text: str, start: int) -> int:
    end = text.find("*/", start + len("/*"))
    if end < 0:
        raise invalid_template(f"a comment is not closed with */}}}}: {excerpt(text[start:])}")
    return end + len("*/")


def tokenize(text: str, position: int) -> tuple[list[Token], int]:
    """Return an action's tokens, and the position of its end."""
    found: list[Token] = []
    apart = True
    while position < len(text) and not CLOSING.match(text, position):
        match = TOKEN.match(text, position)
        if match is None:
            character = text[position]
            if character in '"`':
                raise invalid_template(f"a string is not closed with {character}: {excerpt(text[position:])}")
            raise unsupported(excerpt(character))
        group = match.lastgroup or ""
        if group == "path" and not apart and found[-1].text == ")" and match[0].startswith("."):
            group = "field"
        if group != "blank":
            if not (apart or group in {"mark", "field"} or match[0] == ")"):
                raise invalid_template(f"a blank is missing between {excerpt(found[-1].text)} and {excerpt(match[0])}")
            found.append(Token(group, match[0]))
        apart = group in {"blank", "mark"} or match[0] == "("
        position = match.end()
    return found, position


class TemplateParser:
    def __init__(
        self,
        pieces: Iterator[str | list[Token]],
        fields: Collection[str] | None,
        functions: Functions,
        methods: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.pieces = pieces
        self.known = fields
        self.functions = functions
        self.methods = methods
        self.used: set[str] = set()
        # Numbers in the scope. A variable lives until the end of its block.
        self.variables: Mapping[str, int] = {"$": ROOT}
        self.dot = self.last = ROOT

    def body(self, depth: int) -> tuple[TemplateNode, list[Token]]:
        """Return the nodes up to an else or end, and that action; [] at the template's end."""
        if depth > DEEPEST:
            raise invalid_template(f"it is nested more than {DEEPEST} deep")
        nodes: list[TemplateNode] = []
        closing: list[Token] = []
        outer = self.variables
        for piece in self.pieces:
            if isinstance(piece, str):
                nodes.append(constant(piece))
                continue
            keyword = piece[0].text if piece and piece[0].kind == "word" else ""
            if keyword in {"else", "end"}:
                closing = piece
                break
            if keyword in UNSUPPORTED_ACTIONS:
                raise unsupported(f"the action {{{{{keyword}}}}}")
            if keyword in {"if", "with"}:
                nodes.append(self.condition(keyword, piece[1:], depth))
            elif keyword == "range":
                nodes.append(self.loop(piece[1:], depth))
            else:
                changed, expression = self.assignment(piece, "an action")
                nodes.append(stored(changed, expression) if changed else output(expression))
        self.variables = outer
        return lambda scope: "".join(node(scope) for node in nodes), closing

    def condition(self, keyword: str, rest: list[Token], depth: int) -> TemplateNode:
        branches: list[tuple[list[int], Expression, TemplateNode]] = []
        outer, dot = self.variables, self.dot
        while True:
            changed, expression = self.assignment(rest, keyword)
            if keyword == "with":
                self.dot = self.number()
                changed.append(self.dot)
            body, closing = self.body(depth + 1)
            self.dot = dot
            branches.append((changed, expression, body))
            if [token.text for token in closing[:2]] != ["else", keyword]:
                break
            rest = closing[2:]
        otherwise = self.otherwise(closing, keyword, depth)
        self.variables = outer

        def render(scope: Scope) -> str:
            for changed, expression, body in branches:
                value = expression(scope)
                scope.update(dict.fromkeys(changed, value))
                if is_true(value):
                    return body(scope)
            return otherwise(scope)

        return render

    def loop(self, rest: list[Token], depth: int) -> TemplateNode:
        outer, dot = self.variables, self.dot
        changed, expression = self.assignment(rest, "range", most=2)
        self.dot = self.number()
        keys, elements = changed[:-1], [*changed[-1:], self.dot]
        body, closing = self.body(depth + 1)
        self.dot = dot
        otherwise = self.otherwise(closing, "range", depth)
        self.variables = outer

        def render(scope: Scope) -> str:
            value = expression(scope)
            scope.update(dict.fromkeys(changed, value))
            texts = []
            for key, element in pairs(value):
                scope.update({**dict.fromkeys(keys, key), **dict.fromkeys(elements, element)})
                texts.append(body(scope))
            return "".join(texts) if texts else otherwise(scope)

        return render

    def otherwise(self, closing: list[Token], of: str, depth: int) -> TemplateNode:
        """Return the body after an else; `closing` ended the previous body."""
        body = constant("")
        if closing and closing[0].text == "else":
            check_alone(closing)
            body, closing = self.body(depth + 1)
        if not closing:
            raise invalid_template(f"{{{{{of}}}}} has no {{{{end}}}}")
        check_alone(closing)
        if closing[0].text != "end":
            raise invalid_template(f"{{{{{of}}}}} has a second {{{{else}}}}")
        return body

    def assignment(self, action: list[Token], where: str, most: int = 1) -> tuple[list[int], Expression]:
        """Return the numbers of the variables before := or =, at most `most`, and the pipeline that they are set to."""
        names, sign, rest = assigned(action)
        if len(names) > most:
            raise invalid_template(f"{where} sets one variable, not {len(names)}")
        expression = self.pipeline(rest, where)
        if sign == ":=":
            self.variables = {**self.variables, **{name: self.number() for name in names}}
        return [self.variable(name) for name in names], expression

    def number(self) -> int:
        self.last += 1
        return self.last

    def variable(self, name: str) -> int:
        if name not in self.variables:
            raise invalid_template(f"the variable {excerpt(name)} is not declared")
        return self.variables[name]

    def pipeline(self, action: list[Token], where: str) -> Expression:
        """Parse a pipeline: a result is the next function's last argument."""
        commands: list[list[Token]] = [[]]
        for token in grouped(action):
            if token.kind != "mark":
                commands[-1].append(token)
            elif token.text == "|":
                commands.append([])
            else:
                raise unsupported(f"{excerpt(token.text)} here")
        if not action:
            raise invalid_template(f"{where} has nothing in it")
        start = self.command(commands[0], None)
        steps: list[tuple[int, Expression]] = []
        for command in commands[1:]:
            number = self.number()
            steps.append((number, self.command(command, partial(value_of, number))))

        def evaluate(scope: Scope) -> Any:
            value = start(scope)
            # One after the other: a long pipeline is not a deep one.
            for number, step in steps:
                scope[number] = value
                value = step(scope)
            # Go takes a null out of its interface here: the result has fields, missing ones.
            return MISSING if value is None else value

        return evaluate

    def command(self, command: list[Token], piped: Expression | None) -> Expression:
        if not command:
            raise invalid_template("nothing stands before or after a |")
        first, *rest = command
        if first.kind == "word" and first.text not in {"true", "false"}:
            arguments = [self.operand(token) for token in rest]
            return self.call(first.text, arguments if piped is None else [*arguments, piped])
        is_method = self.dot == ROOT and first.kind == "path" and first.text.removeprefix(".") in self.methods
        if is_method and len(rest) == 1 and piped is None:
            return called(self.methods[first.text[1:]], [self.path("."), self.operand(rest[0])])
        if rest:
            raise invalid_template(
                f"{excerpt(first.text)} takes no arguments, and is followed by {excerpt(rest[0].text)}"
            )
        if piped is not None:
            raise invalid_template(f"after | stands a function, not {excerpt(first.text)}")
        return self.operand(first)

    def call(self, name: str, arguments: list[Expression]) -> Expression:
        if name not in self.functions:
            raise unsupported(f"the function {excerpt(name)}")
        function, least, most = self.functions[name]
        if not least <= len(arguments) <= most:
            wanted = "one argument" if most == 1 else f"{most} arguments"
            wanted = wanted if least == most else OPEN_ENDED[name]
            raise invalid_template(f"the function {name} takes {wanted}; arguments here: {len(arguments)}")
        return called(function, arguments)

    def operand(self, token: Token) -> Expression:
        match token.kind:
            case "group":
                value = self.pipeline([*token.inside], "a pair of parentheses")
                names = [*filter(None, token.text.split("."))]
                return lambda scope: field_of(value(scope), names, token.text)
            case "path":
                return self.path(token.text)
            case "quoted":
                return constant(string_literal(token.text))
            case "raw":
                return constant(token.text[1:-1].replace("\r", ""))
            case "number":
                return constant(number_literal(token.text))
        if token.text in {"true", "false"}:
            return constant(token.text == "true")
        raise unsupported(f"{excerpt(token.text)} as an argument")

    def path(self, text: str) -> Expression:
        """Parse `.`, `.A.B`, `$`, `$.A` or `$v.A`."""
        start, *rest = text.split(".")
        names = [*filter(None, rest)]
        number = self.variable(start) if start else self.dot
        if number == ROOT:
            self.note(names[0] if names else "")

        return lambda scope: field_of(scope[number], names, text)

    def note(self, field: str) -> None:
        if field and self.known is not None and field not in self.known:
            raise UsageError(
                f"The template cannot be used: there is no field {excerpt(field)}",
                f"The fields are {', '.join(self.known)}",
            )
        self.used.add(field)


def field_of(value: Any, names: Sequence[str], text: str) -> Any:
    for name in names:
        if value is MISSING:
            break
        if isinstance(value, Heading):
            value = value.part(name)
        elif isinstance(value, dict):
            value = value.get(name, MISSING)
        elif isinstance(value, Stringer | Duration) and name in value.results:
            value = value.results[name]
        else:
            raise wrong_kind(f"{excerpt(text)} asks a {kind(value)} for its field {excerpt(name)}", value)
    return value


def value_of(number: int, scope: Scope) -> Any:
    return scope[number]


def constant(value: Any) -> Callable[[Scope], Any]:
    return lambda _: value


def output(expression: Expression) -> TemplateNode:
    def render(scope: Scope) -> str:
        value = expression(scope)
        return "<no value>" if value is MISSING else go_text(value)

    return render


def stored(numbers: Sequence[int], expression: Expression) -> TemplateNode:
    def render(scope: Scope) -> str:
        scope.update(dict.fromkeys(numbers, expression(scope)))
        return ""

    return render


def called(function: Callable[..., Any], arguments: Sequence[Expression]) -> Expression:
    def evaluate(scope: Scope) -> Any:
        values = (argument(scope) for argument in arguments)
        known = (None if value is MISSING else value for value in values)
        # Go evaluates the arguments of these only until one decides.
        return function(known) if function in {first_false, first_true} else function(*known)

    return evaluate


def grouped(tokens: Iterable[Token]) -> list[Token]:
    """Return tokens with each pair of parentheses as one."""
    levels: list[list[Token]] = [[]]
    for token in tokens:
        if token.kind == "field":
            levels[-1][-1] = levels[-1][-1]._replace(text=token.text)
        elif token.kind != "paren":
            levels[-1].append(token)
        elif token.text == "(":
            if len(levels) > DEEPEST:
                raise invalid_template(f"it is nested more than {DEEPEST} deep")
            levels.append([])
        elif len(levels) > 1:
            inside = tuple(levels.pop())
            levels[-1].append(Token("group", "", inside))
        else:
            raise invalid_template("a ) has no ( before it")
    if len(levels) > 1:
        raise invalid_template("a ( is not closed with )")
    return levels[0]


def pairs(value: Any) -> list[tuple[Any, Any]]:
    if value is MISSING:
        return []
    if isinstance(value, dict):
        return sorted(value.items(), key=lambda item: item[0])
    if isinstance(value, list):
        return list(enumerate(value))
    if isinstance(value, Heading):
        return [(value, value)]
    raise wrong_kind(f"range goes over lists and maps, not over a {kind(value)}", value)


def assigned(action: list[Token]) -> tuple[list[str], str, list[Token]]:
    """Return the variables and the sign of `$e := …`, `$e = …` and `$k, $e := …`, and the rest."""
    texts = [token.text for token in action[:4]]
    for at in (1, 3):
        if texts[at : at + 1] in ([":="], ["="]) and texts[1:at:2] in ([], [","]):
            return [variable_name(text) for text in texts[:at:2]], texts[at], action[at + 1 :]
    return [], "", action


def variable_name(text: str) -> str:
    if not re.fullmatch(r"\$\w+", text):
        raise invalid_template(f"{excerpt(text)} is not a variable that can be declared")
    return text


def check_alone(action: list[Token]) -> None:
    if len(action) > 1:
        raise unsupported(f"{excerpt(action[1].text)} after {action[0].text}")


def string_literal(literal: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        letter = "" if match["wrong"] else match[0].encode().decode("unicode_escape", "ignore")
        # \x and octal write bytes: only ASCII ones are characters. Half a surrogate pair is none.
        if not letter or HALVES.match(letter) or not (letter.isascii() or match[0][1] in "uU"):
            raise unsupported(f"{excerpt(match[0])} in a string")
        return letter

    return ESCAPE.sub(replacement, literal[1:-1])


def number_literal(text: str) -> float:
    if INTEGER.fullmatch(text) and abs(int(text)) <= LARGEST_INTEGER:
        return int(text)
    if FLOAT.fullmatch(text) and any(mark in text for mark in ".eE") and math.isfinite(float(text)):
        return float(text)
    raise unsupported(f"the number {excerpt(text)}")


def go_index(value: Any, *keys: Any) -> Any:
    """Return Go's index: `index x 1 "a"` is x[1]["a"]; a missing key gives null."""
    for key in keys:
        if isinstance(value, Heading):
            value = value.part(key)
        elif isinstance(value, list):
            if type(key) is not int:
                raise invalid_template(f"index wants a whole number for a list, not {excerpt(go_text(key))}")
            if not 0 <= key < len(value):
                raise invalid_template(f"index {key} is out of range, the list has {len(value)}")
            value = value[key]
        elif isinstance(value, dict):
            if not isinstance(key, str):
                raise invalid_template(f"index wants a string for a map, not {excerpt(go_text(key))}")
            value = value.get(key)
        else:
            raise wrong_kind(f"index looks into lists and maps, not into a {kind(value)}", value)
    return value


def is_true(value: Any) -> bool:
    return value is not MISSING and bool(value)


def go_equal(value: Any, *others: Any) -> bool:
    """Return whether the value equals any of the others."""
    return any(equal(value, other) for other in others)


def equal(one: Any, other: Any) -> bool:
    if one is not None and other is not None and kind(one) != kind(other):
        raise wrong_kind(f"a {kind(one)} cannot be compared with a {kind(other)}", one, other)
    return bool(one == other)


def compared(one: Any, other: Any) -> int:
    """Return a number below, equal to or above 0."""
    if isinstance(one, str) and isinstance(other, str):
        one, other = one.encode(errors="surrogatepass"), other.encode(errors="surrogatepass")
    elif kind(one) != kind(other):
        raise wrong_kind(f"a {kind(one)} cannot be compared with a {kind(other)}", one, other)
    elif kind(one) != "number":
        raise wrong_kind(f"a {kind(one)} is not less or greater than another", one)
    return int(one > other) - int(one < other)


def first_false(values: Iterator[Any]) -> Any:
    """Return Go's `and`: the first value that is not true, else the last."""
    return first(values, lambda value: not is_true(value))


def first_true(values: Iterator[Any]) -> Any:
    """Return Go's `or`: the first value that is true, else the last."""
    return first(values, is_true)


def first(values: Iterator[Any], decides: Callable[[Any], bool]) -> Any:
    found = None
    for found in values:
        if decides(found):
            break
    return found


def go_print(*values: Any) -> str:
    """Return Go's `print`: a blank between two values of which neither is a string."""
    text = ""
    for at, value in enumerate(values):
        is_apart = at > 0 and not isinstance(value, str) and not isinstance(values[at - 1], str)
        text += " " * is_apart + go_text(value)
    return text


def go_length(value: Any) -> int:
    """Return the length of a list or a map, or a string's in bytes."""
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, list | dict):
        return len(value)
    raise wrong_kind(f"len takes a string, a list or a map, not a {kind(value)}", value)


# Go's own functions.
BUILT_IN: Functions = {
    "index": (go_index, 2, sys.maxsize),
    "eq": (go_equal, 2, sys.maxsize),
    "ne": (lambda one, other: not equal(one, other), 2, 2),
    "lt": (lambda one, other: compared(one, other) < 0, 2, 2),
    "le": (lambda one, other: compared(one, other) <= 0, 2, 2),
    "gt": (lambda one, other: compared(one, other) > 0, 2, 2),
    "ge": (lambda one, other: compared(one, other) >= 0, 2, 2),
    "and": (first_false, 1, sys.maxsize),
    "or": (first_true, 1, sys.maxsize),
    "not": (lambda value: not is_true(value), 1, 1),
    "len": (go_length, 1, 1),
    "print": (go_print, 0, sys.maxsize),
    "printf": (printf, 1, sys.maxsize),
    "println": (lambda *values: " ".join(map(go_text, values)) + "\n", 0, sys.maxsize),
}
# The arguments of functions that take any number of them, for errors.
OPEN_ENDED = {
    "index": "a list or a map, and where to look in it",
    "eq": "a value, and those to compare it with",
    "and": "at least one value",
    "or": "at least one value",
    "printf": "a format, and the values for it",
}
# With docker-machine's.
FUNCTIONS: Functions = {**BUILT_IN, "json": (go_json, 1, 1), "prettyjson": (pretty_json, 1, 1)}


def excerpt(text: str) -> str:
    short = text if len(text) <= LONGEST_EXCERPT else text[:LONGEST_EXCERPT] + "…"
    return f'"{short}"' if short.isprintable() and '"' not in short else repr(short)


def invalid_template(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what}")


def unsupported(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what} is not supported", SUPPORTED)
