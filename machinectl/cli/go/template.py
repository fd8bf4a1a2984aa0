"""The part of Go's text/template for `--format`: https://pkg.go.dev/text/template.

Fields, strings, numbers, pipelines, Go's functions for values and text, json, prettyjson, if, range, trim markers,
comments. The rest is refused.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.cli.go.printf import printf
from machinectl.cli.go.value_format import Duration, go_json, go_text, kind, pretty_json
from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    # Name: function, minimum and maximum number of arguments.
    Functions = Mapping[str, tuple[Callable[..., Any], int, int]]

# Arguments: the dot and the template's data.
Expression = Callable[[Any, Any], Any]
TemplateNode = Callable[[Any, Any], str]

SUPPORTED = Hint(
    "Write fields as in {{.Name}}, and json, prettyjson, index, len, print, printf, println, eq, ne, lt, le, gt, ge, "
    "and, or, not, if, else, range, end; for anything else take --json and a program that reads it"
)
UNSUPPORTED_ACTIONS = frozenset({"block", "break", "continue", "define", "template", "with"})

BLANKS = " \t\r\n"
# Characters of the template in an error.
LONGEST_EXCERPT = 40

OPENING = re.compile(rf"{{{{(?P<trim>-[{BLANKS}])?")
CLOSING = re.compile(rf"(?P<trim>[{BLANKS}]+-)?}}}}")
TOKEN = re.compile(
    rf"""
    (?P<blank>   [{re.escape(BLANKS)}]+)
  | (?P<literal> "(?:[^"\\\n]|\\.)*" | [+-]?(?:\d|\.\d)(?:[eE][+-]|[\w.])* | true\b | false\b)
  | (?P<raw>     `[^`]*`)
  | (?P<path>    \$?(?:\.[^\W\d]\w*)+ | \$(?!\w) | \.)
  | (?P<word>    [^\W\d]\w*)
  | (?P<pipe>    \|)
  | (?P<other>   \$\w+ | :?= | .)
    """,
    re.VERBOSE | re.DOTALL,
)
# Half a surrogate pair cannot be written; Go replaces it, too.
HALVES = re.compile("[\ud800-\udfff]")


class Template(NamedTuple):
    """A parsed template. `fields` are those it reads; "" is the whole root."""

    body: TemplateNode
    fields: frozenset[str]

    def render(self, data: Any) -> str:
        """Render JSON data. Raises UsageError."""
        try:
            return HALVES.sub("\ufffd", self.body(data, data))
        except MemoryError as exc:
            raise invalid_template("its text does not fit into memory") from exc
        except RecursionError as exc:
            raise nested_too_deep() from exc


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
    `json` is short for {{json .}}, as in docker. `functions` replace FUNCTIONS; `methods` take the root and an
    argument: {{.Label "rack"}}.
    """
    text = "{{json .}}" if text == "json" else text
    parser = TemplateParser(template_pieces(text, escapes=escapes), fields, functions or FUNCTIONS, methods or {})
    try:
        body, closing = parser.body()
    except RecursionError as exc:
        raise nested_too_deep() from exc
    if closing:
        raise invalid_template(f"an {closing[0].text} has no if or range before it")
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
    kind: str
    text: str


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
        if text.startswith("/*", opening.end()):
            action, position = None, text.find("*/", opening.end()) + len("*/")
        else:
            action, position = tokenize(text, opening.end())
        closing = CLOSING.match(text, position)
        if closing is None:
            raise invalid_template(f"an action is not closed with }}}}: {excerpt(text[opening.start() :])}")
        if action is not None:
            yield action
        position = closing.end()


def tokenize(text: str, position: int) -> tuple[list[Token], int]:
    """Return an action's tokens, and the position of its end."""
    tokens: list[Token] = []
    while not CLOSING.match(text, position) and (match := TOKEN.match(text, position)):
        if match.lastgroup == "other":
            raise unsupported(excerpt(match[0]))
        if match.lastgroup != "blank":
            tokens.append(Token(match.lastgroup or "", match[0]))
        position = match.end()
    return tokens, position


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
        # Outside of range, the dot is the root.
        self.ranges = 0

    def body(self) -> tuple[TemplateNode, list[Token]]:
        """Return the nodes up to an else or end, and that action; [] at the template's end."""
        nodes: list[TemplateNode] = []
        closing: list[Token] = []
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
            if keyword == "if":
                nodes.append(self.condition(piece[1:]))
            elif keyword == "range":
                nodes.append(self.loop(piece[1:]))
            else:
                nodes.append(output(self.pipeline(piece, "an action")))
        return lambda dot, root: "".join(node(dot, root) for node in nodes), closing

    def condition(self, tokens: list[Token]) -> TemplateNode:
        branches: list[tuple[Expression, TemplateNode]] = []
        while True:
            test = self.pipeline(tokens, "if")
            body, closing = self.body()
            branches.append((test, body))
            if [token.text for token in closing[:2]] != ["else", "if"]:
                break
            tokens = closing[2:]
        otherwise = self.otherwise(closing, "if")

        def render(dot: Any, root: Any) -> str:
            chosen = next((body for test, body in branches if test(dot, root)), otherwise)
            return chosen(dot, root)

        return render

    def loop(self, tokens: list[Token]) -> TemplateNode:
        values = self.pipeline(tokens, "range")
        self.ranges += 1
        body, closing = self.body()
        self.ranges -= 1
        otherwise = self.otherwise(closing, "range")

        def render(dot: Any, root: Any) -> str:
            texts = [body(element, root) for element in elements(values(dot, root))]
            return "".join(texts) if texts else otherwise(dot, root)

        return render

    def otherwise(self, closing: list[Token], of: str) -> TemplateNode:
        """Return the body after an else; `closing` ended the previous body."""
        body = constant("")
        if [token.text for token in closing] == ["else"]:
            body, closing = self.body()
        if [token.text for token in closing] != ["end"]:
            raise invalid_template(f"{{{{{of}}}}} has no {{{{end}}}}")
        return body

    def pipeline(self, tokens: list[Token], where: str) -> Expression:
        """Parse a pipeline: a result is the next function's last argument."""
        if not tokens:
            raise invalid_template(f"{where} has nothing in it")
        commands: list[list[Token]] = [[]]
        for token in tokens:
            if token.kind == "pipe":
                commands.append([])
            else:
                commands[-1].append(token)
        start, *steps = [self.command(command, piped=at > 0) for at, command in enumerate(commands)]

        def evaluate(dot: Any, root: Any) -> Any:
            value = start(dot, root)
            for step in steps:
                value = step(dot, root, value)
            return value

        return evaluate

    def command(self, command: list[Token], *, piped: bool) -> Callable[..., Any]:
        if not command:
            raise invalid_template("nothing stands before or after a |")
        first, *rest = command
        if first.kind == "word":
            return self.call(first.text, [self.operand(token) for token in rest], piped=piped)
        if first.text.removeprefix(".") in self.methods and len(rest) == 1 and not piped:
            method, key = self.methods[first.text[1:]], self.operand(rest[0])
            self.note("")
            return lambda dot, root: method(root, key(dot, root))
        if rest:
            raise invalid_template(
                f"{excerpt(first.text)} takes no arguments, and is followed by {excerpt(rest[0].text)}"
            )
        if piped:
            raise invalid_template(f"after | stands a function, not {excerpt(first.text)}")
        return self.operand(first)

    def call(self, name: str, arguments: Sequence[Expression], *, piped: bool) -> Callable[..., Any]:
        if name not in self.functions:
            raise unsupported(f"the function {excerpt(name)}")
        function, least, most = self.functions[name]
        if not least <= (count := len(arguments) + piped) <= most:
            wanted = str(least) if least == most else f"at least {least}"
            raise invalid_template(f"the function {name} takes {wanted} argument{'s' * (least > 1)}, not {count}")
        return lambda dot, root, *value: function(*(argument(dot, root) for argument in arguments), *value)

    def operand(self, token: Token) -> Expression:
        match token.kind:
            case "path":
                return self.path(token.text)
            case "raw":
                return constant(token.text[1:-1].replace("\r", ""))
            case "literal":
                return constant(literal(token.text))
        raise unsupported(f"{excerpt(token.text)} as an argument")

    def path(self, text: str) -> Expression:
        """Parse `.`, `.A.B`, `$` or `$.A`."""
        names = [*filter(None, text.removeprefix("$").split("."))]
        of_root = text.startswith("$") or not self.ranges
        if of_root:
            self.note(names[0] if names else "")
        return lambda dot, root: field_of(root if of_root else dot, names, text)

    def note(self, field: str) -> None:
        if field and self.known is not None and field not in self.known:
            raise UsageError(
                f"The template cannot be used: there is no field {excerpt(field)}",
                Hint(f"The fields are {', '.join(self.known)}"),
            )
        self.used.add(field)


def field_of(value: Any, names: Sequence[str], text: str) -> Any:
    """Return a field, None if it or what should have it is missing."""
    for name in names:
        if value is None:
            break
        if isinstance(value, Heading):
            value = value.part(name)
        elif isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, Stringer | Duration) and name in value.results:
            value = value.results[name]
        else:
            raise invalid_template(f"{excerpt(text)} asks a {kind(value)} for its field {excerpt(name)}")
    return value


def constant(value: Any) -> Callable[[Any, Any], Any]:
    return lambda _dot, _root: value


def output(expression: Expression) -> TemplateNode:
    def render(dot: Any, root: Any) -> str:
        value = expression(dot, root)
        return "<no value>" if value is None else go_text(value)

    return render


def elements(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    if isinstance(value, list):
        return value
    if value is None or isinstance(value, Heading):
        return [] if value is None else [value]
    raise invalid_template(f"range goes over lists and maps, not over a {kind(value)}")


def literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise unsupported(excerpt(text)) from exc


def go_index(value: Any, *keys: Any) -> Any:
    """Return Go's index: `index x 1 "a"` is x[1]["a"]; a missing key gives null."""
    for key in keys:
        if isinstance(value, Heading):
            value = value.part(key)
        elif isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and type(key) is int and 0 <= key < len(value):
            value = value[key]
        else:
            raise invalid_template(f"index: a {kind(value)} has no element {excerpt(go_text(key))}")
    return value


def go_equal(value: Any, *others: Any) -> bool:
    """Return whether the value equals any of the others."""
    return any(equal(value, other) for other in others)


def equal(one: Any, other: Any) -> bool:
    if one is not None and other is not None and kind(one) != kind(other):
        raise invalid_template(f"a {kind(one)} cannot be compared with a {kind(other)}")
    return bool(one == other)


def compared(one: Any, other: Any) -> int:
    """Return a number below, equal to or above 0."""
    if kind(one) != kind(other) or kind(one) not in {"number", "string"}:
        raise invalid_template(f"a {kind(one)} cannot be compared with a {kind(other)}")
    return int(one > other) - int(one < other)


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
    raise invalid_template(f"len takes a string, a list or a map, not a {kind(value)}")


# Go's own functions.
BUILT_IN: Functions = {
    "index": (go_index, 2, sys.maxsize),
    "eq": (go_equal, 2, sys.maxsize),
    "ne": (lambda one, other: not equal(one, other), 2, 2),
    "lt": (lambda one, other: compared(one, other) < 0, 2, 2),
    "le": (lambda one, other: compared(one, other) <= 0, 2, 2),
    "gt": (lambda one, other: compared(one, other) > 0, 2, 2),
    "ge": (lambda one, other: compared(one, other) >= 0, 2, 2),
    "and": (lambda *values: next((value for value in values if not value), values[-1]), 1, sys.maxsize),
    "or": (lambda *values: next((value for value in values if value), values[-1]), 1, sys.maxsize),
    "not": (lambda value: not value, 1, 1),
    "len": (go_length, 1, 1),
    "print": (go_print, 0, sys.maxsize),
    "printf": (printf, 1, sys.maxsize),
    "println": (lambda *values: " ".join(map(go_text, values)) + "\n", 0, sys.maxsize),
}
# With docker-machine's.
FUNCTIONS: Functions = {**BUILT_IN, "json": (go_json, 1, 1), "prettyjson": (pretty_json, 1, 1)}


def excerpt(text: str) -> str:
    short = text if len(text) <= LONGEST_EXCERPT else text[:LONGEST_EXCERPT] + "…"
    return f'"{short}"' if short.isprintable() and '"' not in short else repr(short)


def invalid_template(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what}")


def nested_too_deep() -> UsageError:
    return invalid_template("it or its data is nested too deep")


def unsupported(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what} is not supported", SUPPORTED)
