"""The part of Go's text/template for `--format`: https://pkg.go.dev/text/template.

Fields, strings, numbers, pipelines, functions, if, range, trim markers and comments. The rest is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from machinectl.cli.go.functions import FUNCTIONS, Heading, invalid_template, quote_excerpt
from machinectl.cli.go.value_format import Duration, go_text, kind
from machinectl.errors import Hint, UsageError

if TYPE_CHECKING:
    from machinectl.cli.go.functions import Functions

# Arguments: the dot and the template's data.
Expression = Callable[[Any, Any], Any]
TemplateNode = Callable[[Any, Any], str]

SUPPORTED = Hint(
    "Write fields as in {{.Name}}, and json, prettyjson, index, len, print, printf, println, eq, ne, lt, le, gt, ge, "
    "and, or, not, if, else, range, end; for anything else take --json and a program that reads it"
)
UNSUPPORTED_ACTIONS = frozenset({"block", "break", "continue", "define", "template", "with"})

BLANKS = " \t\r\n"
ACTION = re.compile(
    r"""{{(?P<trim_before>-(?=[ \t\r\n]))?
    (?P<body>[ \t\r\n]*/\*.*?\*/[ \t\r\n]* | (?:"(?:\\.|[^"\\\n])*" | `[^`]*` | [^"`}] | }(?!}))*?)
    (?P<trim_after>(?<=[ \t\r\n])-)?}}""",
    re.VERBOSE | re.DOTALL,
)
TOKEN = re.compile(
    r"""
    (?P<blank>   [ \t\r\n]+)
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
        raise invalid_template(f"an {closing[0].text} has no if or range before it")
    return Template(body, frozenset(parser.used))


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

    def plain(part: str) -> str:
        return part.replace(r"\t", "\t").replace(r"\n", "\n") if escapes else part

    position, trims = 0, False
    while (start := text.find("{{", position)) >= 0:
        action = ACTION.match(text, start)
        if action is None:
            raise invalid_template(f"an action is not closed with }}}}: {quote_excerpt(text[start:])}")
        before = plain(text[position:start])
        before = before.lstrip(BLANKS) if trims else before
        yield before.rstrip(BLANKS) if action["trim_before"] else before
        if not action["body"].lstrip(BLANKS).startswith("/*"):
            yield tokens_of(action["body"])
        position, trims = action.end(), bool(action["trim_after"])
    yield plain(text[position:]).lstrip(BLANKS) if trims else plain(text[position:])


def tokens_of(action: str) -> list[Token]:
    tokens = [Token(match.lastgroup or "", match[0]) for match in TOKEN.finditer(action) if match.lastgroup != "blank"]
    if strange := next((token for token in tokens if token.kind == "other"), None):
        raise unsupported(quote_excerpt(strange.text))
    return tokens


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
        if rest or piped:
            raise invalid_template(f"{quote_excerpt(first.text)} is no function, and takes no arguments")
        return self.operand(first)

    def call(self, name: str, arguments: Sequence[Expression], *, piped: bool) -> Callable[..., Any]:
        if name not in self.functions:
            raise unsupported(f"the function {quote_excerpt(name)}")
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
        raise unsupported(f"{quote_excerpt(token.text)} as an argument")

    def path(self, text: str) -> Expression:
        """Parse `.`, `.A.B`, `$` or `$.A`."""
        names = [*filter(None, text.removeprefix("$").split("."))]
        of_root = text.startswith("$") or not self.ranges
        if of_root:
            self.note(names[0] if names else "")
        return lambda dot, root: field_of(root if of_root else dot, names, text)

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
        elif isinstance(value, Stringer | Duration) and name in value.results:
            value = value.results[name]
        else:
            raise invalid_template(f"{quote_excerpt(text)} asks a {kind(value)} for its field {quote_excerpt(name)}")
    return value


def constant(value: Any) -> Callable[[Any, Any], Any]:
    return lambda _dot, _root: value


def output(expression: Expression) -> TemplateNode:
    def render(dot: Any, root: Any) -> str:
        value = expression(dot, root)
        return "<no value>" if value is None else go_text(value)

    return render


def elements(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, dict):
        return [value[key] for key in sorted(value)]
    if isinstance(value, list | Heading):
        return [value] if isinstance(value, Heading) else value
    raise invalid_template(f"range goes over lists and maps, not over a {kind(value)}")


def literal(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise unsupported(quote_excerpt(text)) from exc


def nested_too_deep() -> UsageError:
    return invalid_template("it or its data is nested too deep")


def unsupported(what: str) -> UsageError:
    error = invalid_template(f"{what} is not supported")
    error.hint = SUPPORTED
    return error
