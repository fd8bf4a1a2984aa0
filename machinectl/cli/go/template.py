"""The part of Go's text/template that `--format` needs: https://pkg.go.dev/text/template.

Fields, strings, numbers, pipelines, functions, if and range. The rest is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.cli.go.functions import FUNCTIONS, REFUSALS, Heading, go_text, invalid_template, kind, quote_excerpt
from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from machinectl.cli.go.functions import Functions

# Arguments: the dot and the template's data.
Expression = Callable[[Any, Any], Any]

SUPPORTED = Hint("Write fields as in {{.Name}}, json, table, printf, if, range and comparisons; or take --json")
ACTION = re.compile(r'{{((?:"(?:\\.|[^"\\\n])*"|[^"}]|}(?!}))*)}}')
TOKEN = re.compile(
    r"""
    (?P<literal> "(?:[^"\\\n]|\\.)*" | [+-]?(?:\d|\.\d)(?:[eE][+-]|[\w.])* | true\b | false\b)
  | (?P<path>    \$?(?:\.[^\W\d]\w*)+ | \$(?!\w) | \.)
  | (?P<word>    [^\W\d]\w*)
  | (?P<pipe>    \|)
  | (?P<other>   \$\w+ | :?= | \S)
    """,
    re.VERBOSE,
)
# Of the values in an error.
MOST_KINDS = 5
# Half a surrogate pair cannot be written; Go replaces it, too.
HALVES = re.compile("[\ud800-\udfff]")


Token = re.Match[str]


class Template(NamedTuple):
    """A parsed template. `fields` are those it reads; "" is the whole root."""

    body: Expression
    fields: frozenset[str]

    def render(self, data: Any) -> str:
        """Render JSON data. Raises UsageError."""
        try:
            return HALVES.sub("\ufffd", self.body(data, data))
        except RecursionError as exc:
            raise nested_too_deep() from exc


def parse_template(
    text: str,
    *,
    fields: Collection[str] | None = None,
    escapes: bool = False,
    functions: Functions = FUNCTIONS,
    methods: Mapping[str, Callable[..., Any]] | None = None,
) -> Template:
    r"""Parse a template. Raises UsageError that names the error.

    `fields` are the root's: unknown ones are refused before a host is asked. If None, missing fields become `<no
    value>`. With `escapes`, \t and \n outside of actions are tab and newline, as in `docker-machine ls --format`.
    `json` is short for {{json .}}, as in docker. `methods` take the root and an argument: {{.Label "rack"}}.
    """
    text = "{{json .}}" if text == "json" else text
    parser = TemplateParser(template_pieces(text, escapes=escapes), fields, functions, methods or {})
    try:
        body, closing = parser.body()
    except RecursionError as exc:
        raise nested_too_deep() from exc
    if closing:
        raise invalid_template(f"an {closing[0][0]} has no if or range before it")
    return Template(body, frozenset(parser.used))


def template_pieces(text: str, *, escapes: bool) -> Iterator[str | list[Token]]:
    """Yield plain texts, and actions as tokens."""
    for at, piece in enumerate(ACTION.split(text)):
        if at % 2:
            yield list(TOKEN.finditer(piece))
        elif "{{" in piece:
            raise invalid_template(f"an action is not closed with }}}}: {quote_excerpt(piece[piece.index('{{') :])}")
        else:
            yield piece.replace(r"\t", "\t").replace(r"\n", "\n") if escapes else piece


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

    def body(self) -> tuple[Expression, list[Token]]:
        """Return the nodes up to an else or end, and that action; [] at the template's end."""
        nodes: list[Expression] = []
        closing: list[Token] = []
        for piece in self.pieces:
            if isinstance(piece, str):
                nodes.append(constant(piece))
                continue
            keyword = piece[0][0] if piece else ""
            if keyword in {"else", "end"}:
                closing = piece
                break
            if keyword == "if":
                nodes.append(self.condition(piece[1:]))
            elif keyword == "range":
                nodes.append(self.loop(piece[1:]))
            else:
                nodes.append(output(self.pipeline(piece)))
        return lambda dot, root: "".join(node(dot, root) for node in nodes), closing

    def condition(self, tokens: list[Token]) -> Expression:
        test = self.pipeline(tokens)
        body, otherwise = self.branches()
        return lambda dot, root: (body if test(dot, root) else otherwise)(dot, root)

    def loop(self, tokens: list[Token]) -> Expression:
        values = self.pipeline(tokens)
        self.ranges += 1
        body, otherwise = self.branches()
        self.ranges -= 1

        def render(dot: Any, root: Any) -> str:
            value = values(dot, root)
            if isinstance(value, dict):
                value = [value[key] for key in sorted(value)]
            elif isinstance(value, Heading):
                value = [value]
            if not isinstance(value, list | None):
                raise invalid_template(f"range goes over lists and maps, not over a {kind(value)}")
            texts = [body(element, root) for element in value or ()]
            return "".join(texts) if texts else str(otherwise(dot, root))

        return render

    def branches(self) -> tuple[Expression, Expression]:
        """Return the body up to its end, and the one after an else."""
        body, closing = self.body()
        otherwise = constant("")
        if [token[0] for token in closing[:2]] == ["else", "if"]:
            return body, self.condition(closing[2:])
        if [token[0] for token in closing] == ["else"]:
            otherwise, closing = self.body()
        if [token[0] for token in closing] != ["end"]:
            raise invalid_template("an if or range has no {{end}}")
        return body, otherwise

    def pipeline(self, tokens: list[Token]) -> Expression:
        """Parse a pipeline: a result is the next function's last argument."""
        commands: list[list[Token]] = [[]]
        for token in tokens:
            if token.lastgroup == "pipe":
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
            raise invalid_template("an action, or a side of a |, has nothing in it")
        first, *rest = command
        if first.lastgroup == "word":
            return self.call(first[0], [self.operand(token) for token in rest], piped=piped)
        if first[0].removeprefix(".") in self.methods and len(rest) == 1 and not piped:
            method, key = self.methods[first[0][1:]], self.operand(rest[0])
            self.note("")
            return lambda dot, root: method(root, key(dot, root))
        operand = self.operand(first)
        if rest or piped:
            raise invalid_template(f"{quote_excerpt(first[0])} is no function, and takes no arguments")
        return operand

    def call(self, name: str, arguments: Sequence[Expression], *, piped: bool) -> Callable[..., Any]:
        if name not in self.functions:
            raise unsupported(name)
        function, least, most = self.functions[name]
        if not least <= (count := len(arguments) + piped) <= most:
            wanted = str(least) if least == most else f"at least {least}"
            raise invalid_template(f"the function {name} takes {wanted} argument{'s' * (least > 1)}, not {count}")

        def run(dot: Any, root: Any, *piped: Any) -> Any:
            values = [*(argument(dot, root) for argument in arguments), *piped]
            try:
                return function(*values)
            except REFUSALS as exc:
                given = ", ".join(f"a {kind(value)}" for value in values[:MOST_KINDS])
                raise invalid_template(f"the function {name} does not take {given}") from exc

        return run

    def operand(self, token: Token) -> Expression:
        """Parse a literal, or a path: `.`, `.A.B`, `$` or `$.A`."""
        if token.lastgroup == "literal":
            try:
                return constant(json.loads(token[0]))
            except ValueError as exc:
                raise unsupported(token[0]) from exc
        if token.lastgroup != "path":
            raise unsupported(token[0])
        names = [*filter(None, token[0].removeprefix("$").split("."))]
        of_root = token[0].startswith("$") or not self.ranges
        if of_root:
            self.note(names[0] if names else "")
        return lambda dot, root: field_of(root if of_root else dot, names, token[0])

    def note(self, field: str) -> None:
        if field and self.known is not None and field not in self.known:
            error = invalid_template(f"there is no field {quote_excerpt(field)}")
            error.hint = Hint(f"The fields are {', '.join(self.known)}")
            raise error
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
        else:
            raise invalid_template(f"{quote_excerpt(text)} asks a {kind(value)} for its field {quote_excerpt(name)}")
    return value


def constant(value: Any) -> Expression:
    return lambda _dot, _root: value


def output(expression: Expression) -> Expression:
    def render(dot: Any, root: Any) -> str:
        value = expression(dot, root)
        return "<no value>" if value is None else go_text(value)

    return render


def nested_too_deep() -> UsageError:
    return invalid_template("it or its data is nested too deep")


def unsupported(what: str) -> UsageError:
    error = invalid_template(f"{quote_excerpt(what)} is not supported")
    error.hint = SUPPORTED
    return error
