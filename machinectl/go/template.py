"""The part of Go's text/template for `--format`: https://pkg.go.dev/text/template.

Fields, strings, numbers, pipelines, json, prettyjson, index, if, range, trim markers, comments. The rest is refused by
name.
"""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from machinectl.errors import UsageError
from machinectl.go.value_format import go_json, go_text, kind, pretty_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    # Name: function, minimum and maximum number of arguments.
    Functions = Mapping[str, tuple[Callable[..., Any], int, int]]

SUPPORTED = (
    "Write fields as in {{.Name}}, and json, prettyjson, index, if, else, range, end; "
    "for anything else take --json and a program that reads it"
)
UNSUPPORTED_ACTIONS = frozenset({"block", "break", "continue", "define", "template", "with"})

# Enough for any template, and below Python's recursion limit.
DEEPEST = 60
BLANKS = " \t\r\n"
# Go's int has 64 bits on the usual hosts.
LARGEST_INTEGER = 2**63 - 1

CLOSING = re.compile(rf"(?:[{BLANKS}]+-)?}}}}")
TOKEN = re.compile(
    rf"""
    (?P<blank>  [{re.escape(BLANKS)}]+)
  | (?P<quoted> "(?:[^"\\\n]|\\.)*")
  | (?P<raw>    `[^`]*`)
  | (?P<number> [+-]?(?:\d|\.\d)(?:[eE][+-]|[\w.])*)
  | (?P<path>   \$\w*(?:\.[^\W\d]\w*)* | (?:\.[^\W\d]\w*)+ | \.)
  | (?P<word>   [^\W\d]\w*)
  | (?P<mark>   :=|[|,])
    """,
    re.VERBOSE,
)
INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]{0,18})", re.ASCII)
FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
ESCAPE = re.compile(
    r"\\(?:(?P<letter>[abfnrtv\\\"])|x(?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<wrong>.))"
)
LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}

# Half a surrogate pair cannot be written; Go replaces it, too.
HALVES = re.compile("[\ud800-\udfff]")

# A missing field. Unlike null, it has fields: missing ones.
MISSING: Any = object()


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
    return Parser(split(text, escapes=escapes), fields, functions or FUNCTIONS, methods or {}).template()


class Token(NamedTuple):
    kind: str
    text: str


def split(text: str, *, escapes: bool) -> Iterator[str | list[Token]]:
    position = 0
    trim = False
    while True:
        opening = text.find("{{", position)
        plain = text[position:] if opening < 0 else text[position:opening]
        if escapes:
            plain = plain.replace(r"\t", "\t").replace(r"\n", "\n")
        if trim:
            plain = plain.lstrip(BLANKS)
        if opening < 0:
            yield plain
            return
        position = opening + len("{{")
        if text[position : position + 1] == "-" and text[position + 1 : position + 2] in {*BLANKS}:
            position += len("- ")
            plain = plain.rstrip(BLANKS)
        yield plain
        comment = text.startswith("/*", position)
        action, position = ([], comment_end(text, position)) if comment else tokens(text, position)
        closing = CLOSING.match(text, position)
        if closing is None:
            raise wrong(f"an action is not closed with }}}}: {excerpt(text[opening:])}")
        if not comment:
            yield action
        position = closing.end()
        trim = closing[0] != "}}"


def comment_end(text: str, start: int) -> int:
    end = text.find("*/", start + len("/*"))
    if end < 0:
        raise wrong(f"a comment is not closed with */}}}}: {excerpt(text[start:])}")
    return end + len("*/")


def tokens(text: str, position: int) -> tuple[list[Token], int]:
    """Return an action's tokens, and the position of its end."""
    found: list[Token] = []
    apart = True
    while position < len(text) and CLOSING.match(text, position) is None:
        match = TOKEN.match(text, position)
        if match is None:
            raise unreadable(text, position)
        group, word = match.lastgroup or "", match[0]
        if group == "blank":
            apart = True
        else:
            if group != "mark" and not apart:
                raise wrong(f"a blank is missing between {excerpt(found[-1].text)} and {excerpt(word)}")
            found.append(Token(group, word))
            apart = group == "mark"
        position = match.end()
    return found, position


def unreadable(text: str, position: int) -> UsageError:
    character = text[position]
    if character in '"`':
        return wrong(f"a string is not closed with {character}: {excerpt(text[position:])}")
    if character in "()":
        return unsupported("a pipeline in parentheses")
    return unsupported(excerpt(character))


class Scope(NamedTuple):
    """The dot and the variables by name; $ is the root."""

    dot: Any
    variables: Mapping[str, Any]


class Expression(Protocol):
    def evaluate(self, scope: Scope) -> Any: ...


class Constant(NamedTuple):
    value: str | float | bool

    def evaluate(self, scope: Scope) -> Any:  # noqa: ARG002  # a constant ignores it
        return self.value


class Path(NamedTuple):
    """`.`, `.A.B`, `$`, `$.A`, `$v.A`: the start ("" is the dot) and the fields."""

    start: str
    names: tuple[str, ...]

    def evaluate(self, scope: Scope) -> Any:
        value = scope.variables[self.start] if self.start else scope.dot
        for name in self.names:
            if value is MISSING:
                break
            if not isinstance(value, dict):
                raise wrong(f"{excerpt(str(self))} asks a {kind(value)} for its field {excerpt(name)}")
            value = value.get(name, MISSING)
        return value

    def __str__(self) -> str:
        return self.start + "".join(f".{name}" for name in self.names) or "."


class Call(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Expression, ...]

    def evaluate(self, scope: Scope) -> Any:
        values = (argument.evaluate(scope) for argument in self.arguments)
        return self.function(*(None if value is MISSING else value for value in values))


class TemplateNode(Protocol):
    def render(self, scope: Scope) -> Iterator[str]: ...


class Body(NamedTuple):
    nodes: tuple[TemplateNode, ...] = ()

    def render(self, scope: Scope) -> Iterator[str]:
        for node in self.nodes:
            yield from node.render(scope)


class Text(NamedTuple):
    text: str

    def render(self, scope: Scope) -> Iterator[str]:  # noqa: ARG002  # plain text ignores it
        yield self.text


class Output(NamedTuple):
    expression: Expression

    def render(self, scope: Scope) -> Iterator[str]:
        value = self.expression.evaluate(scope)
        yield "<no value>" if value is None or value is MISSING else go_text(value)


class If(NamedTuple):
    """The branches of if and else if: the first true one is rendered, else `otherwise`."""

    branches: tuple[tuple[Expression, Body], ...]
    otherwise: Body

    def render(self, scope: Scope) -> Iterator[str]:
        chosen = (body for expression, body in self.branches if is_true(expression.evaluate(scope)))
        yield from next(chosen, self.otherwise).render(scope)


class Range(NamedTuple):
    """`key` and `element` are variable names, "" if not declared."""

    expression: Expression
    key: str
    element: str
    body: Body
    otherwise: Body

    def render(self, scope: Scope) -> Iterator[str]:
        pairs = self.pairs(self.expression.evaluate(scope))
        if not pairs:
            yield from self.otherwise.render(scope)
        for key, element in pairs:
            variables = {**scope.variables, self.key: key, self.element: element}
            yield from self.body.render(Scope(element, variables))

    def pairs(self, value: Any) -> Sequence[tuple[int | str, Any]]:
        if value is None or value is MISSING:
            return []
        if isinstance(value, dict):
            return sorted(value.items(), key=lambda item: item[0])
        if isinstance(value, list):
            return list(enumerate(value))
        raise wrong(f"range goes over lists and maps, not over a {kind(value)}")


class Template(NamedTuple):
    """A parsed template. `fields` are those it reads; "" is the whole root."""

    body: Body
    fields: frozenset[str]

    def render(self, data: Any) -> str:
        """Render JSON data. Raises UsageError where Go fails, too."""
        root = MISSING if data is None else data
        return HALVES.sub("\ufffd", "".join(self.body.render(Scope(root, {"$": root}))))


class Parser:
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
        # In a range the dot is an element, and variables live until its end.
        self.ranges = 0
        self.variables = ["$"]

    def template(self) -> Template:
        body, closing = self.body(0)
        if closing:
            raise wrong(f"an {closing[0].text} has no if or range before it")
        return Template(body, frozenset(self.used))

    def body(self, depth: int) -> tuple[Body, list[Token]]:
        """Return nodes up to an else or end, and that action; [] at the template's end."""
        if depth > DEEPEST:
            raise wrong(f"it is nested more than {DEEPEST} deep")
        nodes: list[TemplateNode] = []
        for piece in self.pieces:
            if isinstance(piece, str):
                nodes.append(Text(piece))
                continue
            keyword = piece[0].text if piece and piece[0].kind == "word" else ""
            if keyword in {"else", "end"}:
                return Body(tuple(nodes)), piece
            if keyword in UNSUPPORTED_ACTIONS:
                raise unsupported(f"the action {{{{{keyword}}}}}")
            if keyword == "if":
                nodes.append(self.condition(piece[1:], depth))
            elif keyword == "range":
                nodes.append(self.loop(piece[1:], depth))
            else:
                nodes.append(Output(self.pipeline(piece, "an action")))
        return Body(tuple(nodes)), []

    def condition(self, rest: list[Token], depth: int) -> If:
        branches = []
        while True:
            expression = self.pipeline(rest, "if")
            body, closing = self.body(depth + 1)
            branches.append((expression, body))
            if [token.text for token in closing[:2]] != ["else", "if"]:
                return If(tuple(branches), self.otherwise(closing, "if", depth))
            rest = closing[2:]

    def loop(self, rest: list[Token], depth: int) -> Range:
        names, rest = declared(rest)
        expression = self.pipeline(rest, "range")
        outer = self.variables
        self.variables = [*outer, *filter(None, names)]
        self.ranges += 1
        body, closing = self.body(depth + 1)
        self.ranges -= 1
        self.variables = outer
        return Range(expression, *names, body, self.otherwise(closing, "range", depth))

    def otherwise(self, closing: list[Token], of: str, depth: int) -> Body:
        """Return the body after an else; `closing` ended the previous body."""
        body = Body()
        if closing and closing[0].text == "else":
            check_alone(closing)
            body, closing = self.body(depth + 1)
        if not closing:
            raise wrong(f"{{{{{of}}}}} has no {{{{end}}}}")
        check_alone(closing)
        if closing[0].text != "end":
            raise wrong(f"{{{{{of}}}}} has a second {{{{else}}}}")
        return body

    def pipeline(self, action: list[Token], where: str) -> Expression:
        """Parse a pipeline: a result is the next function's last argument."""
        for token in action:
            if token.text == ":=":
                raise unsupported("a variable that is not declared by a range")
            if token.text == ",":
                raise unsupported(excerpt(","))
        if not action:
            raise wrong(f"{where} has nothing in it")
        first, *others = commands(action)
        value = self.command(first, None)
        for other in others:
            value = self.command(other, value)
        return value

    def command(self, command: list[Token], piped: Expression | None) -> Expression:
        if not command:
            raise wrong("nothing stands before or after a |")
        first, *rest = command
        if first.kind == "word" and first.text not in {"true", "false"}:
            arguments = [self.operand(token) for token in rest]
            return self.call(first.text, arguments if piped is None else [*arguments, piped])
        if first.kind == "path" and first.text.removeprefix(".") in self.methods and len(rest) == 1 and piped is None:
            return Call(self.methods[first.text[1:]], (Path("", ()), self.operand(rest[0])))
        if rest:
            raise wrong(f"{excerpt(first.text)} takes no arguments, and is followed by {excerpt(rest[0].text)}")
        if piped is not None:
            raise wrong(f"after | stands a function, not {excerpt(first.text)}")
        return self.operand(first)

    def call(self, name: str, arguments: list[Expression]) -> Call:
        if name not in self.functions:
            raise unsupported(f"the function {excerpt(name)}")
        function, least, most = self.functions[name]
        if not least <= len(arguments) <= most:
            wanted = "one argument" if most == 1 else f"{most} arguments"
            wanted = wanted if least == most else "a list or a map, and where to look in it"
            raise wrong(f"the function {name} takes {wanted}; arguments here: {len(arguments)}")
        return Call(function, tuple(arguments))

    def operand(self, token: Token) -> Expression:
        if token.kind == "path":
            return self.path(token.text)
        if token.kind == "quoted":
            return Constant(string_literal(token.text))
        if token.kind == "raw":
            return Constant(token.text[1:-1].replace("\r", ""))
        if token.kind == "number":
            return Constant(number_literal(token.text))
        if token.text in {"true", "false"}:
            return Constant(token.text == "true")
        raise unsupported(f"{excerpt(token.text)} as an argument")

    def path(self, text: str) -> Path:
        start, *names = text.split(".")
        names = [*filter(None, names)]
        if start and start not in self.variables:
            raise wrong(f"the variable {excerpt(start)} is not declared")
        if start == "$" or (not start and not self.ranges):
            self.note(names[0] if names else "")
        return Path(start, tuple(names))

    def note(self, field: str) -> None:
        if field and self.known is not None and field not in self.known:
            raise UsageError(
                f"The template cannot be used: there is no field {excerpt(field)}",
                f"The fields are {', '.join(self.known)}",
            )
        self.used.add(field)


def declared(action: list[Token]) -> tuple[tuple[str, str], list[Token]]:
    """Return key and element of `$e := …` and `$k, $e := …`, and the rest."""
    texts = [token.text for token in action[:4]]
    if texts[1:2] == [":="]:
        return ("", variable(texts[0])), action[2:]
    if texts[1:2] == [","] and texts[3:4] == [":="]:
        return (variable(texts[0]), variable(texts[2])), action[4:]
    return ("", ""), action


def variable(text: str) -> str:
    if not re.fullmatch(r"\$\w+", text):
        raise wrong(f"{excerpt(text)} is not a variable that can be declared")
    return text


def check_alone(action: list[Token]) -> None:
    if len(action) > 1:
        raise unsupported(f"{excerpt(action[1].text)} after {action[0].text}")


def commands(action: list[Token]) -> list[list[Token]]:
    found: list[list[Token]] = [[]]
    for token in action:
        if token == ("mark", "|"):
            found.append([])
        else:
            found[-1].append(token)
    return found


def string_literal(literal: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match["letter"]:
            return LETTERS[match["letter"]]
        code = int(match["octal"], 8) if match["octal"] else hexadecimal(match)
        # \x and octal write bytes: only ASCII ones are characters. Surrogates are none.
        highest = 0x10FFFF if match["short"] or match["long"] else 0x7F
        if not 0 <= code <= highest or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004  # Unicode's surrogates
            raise unsupported(f"{excerpt(match[0])} in a string")
        return chr(code)

    return ESCAPE.sub(replacement, literal[1:-1])


def hexadecimal(match: re.Match[str]) -> int:
    digits = match["hex"] or match["short"] or match["long"]
    return int(digits, 16) if digits else -1


def number_literal(text: str) -> float:
    if INTEGER.fullmatch(text) and abs(int(text)) <= LARGEST_INTEGER:
        return int(text)
    if FLOAT.fullmatch(text) and any(mark in text for mark in ".eE") and math.isfinite(float(text)):
        return float(text)
    raise unsupported(f"the number {excerpt(text)}")


def go_index(value: Any, *keys: Any) -> Any:
    """Return Go's index: `index x 1 "a"` is x[1]["a"]; a missing key gives null."""
    for key in keys:
        value = index_once(value, key)
    return value


def index_once(value: Any, key: Any) -> Any:
    if isinstance(value, list):
        if type(key) is not int:
            raise wrong(f"index wants a whole number for a list, not {excerpt(go_text(key))}")
        if not 0 <= key < len(value):
            raise wrong(f"index {key} is out of range, the list has {len(value)}")
        return value[key]
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise wrong(f"index wants a string for a map, not {excerpt(go_text(key))}")
        return value.get(key)
    raise wrong(f"index looks into lists and maps, not into a {kind(value)}")


def is_true(value: Any) -> bool:
    return value is not MISSING and bool(value)


# docker-machine's functions.
FUNCTIONS: Functions = {
    "json": (go_json, 1, 1),
    "prettyjson": (pretty_json, 1, 1),
    "index": (go_index, 2, sys.maxsize),
}


def excerpt(text: str) -> str:
    longest = 40
    short = text if len(text) <= longest else text[:longest] + "…"
    return f'"{short}"' if short.isprintable() and '"' not in short else repr(short)


def wrong(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what}")


def unsupported(what: str) -> UsageError:
    return UsageError(f"The template cannot be used: {what} is not supported", SUPPORTED)
