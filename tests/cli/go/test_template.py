"""What text/template makes of the templates that people have; the expected texts were printed by Go 1.24 itself."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from machinectl.cli.go.functions import Heading, go_duration, go_json
from machinectl.cli.go.template import SUPPORTED, parse_template
from machinectl.errors import UsageError

INSPECTED = {
    "ConfigVersion": 3,
    "Driver": {"IPAddress": "192.168.0.29", "SSHPort": 22, "SSHUser": "ops", "URL": "tcp://192.168.0.29:2376"},
    "DriverName": "generic",
    "HostOptions": {
        "EngineOptions": {
            "ArbitraryFlags": ["log-driver=journald", "mtu=1400"],
            "Dns": None,
            "Labels": ["rack=a", "role=build <&>"],
            "TlsVerify": True,
        },
        "SwarmOptions": {"Master": False, "Overcommit": 0, "Discovery": ""},
    },
    "Name": "orionbox",
}

VALUES: dict[str, Any] = {
    "Null": None,
    "Text": "x<y>&",
    "List": ["a", None, 1.5, True],
    "Map": {"b": 1, "a": None, "c": {"d": []}},
    "Zero": 0,
    "Half": 20.5,
    "False": False,
    "EmptyList": [],
    "EmptyMap": {},
    "EmptyText": "",
}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Driver.IPAddress}}", "192.168.0.29"),
        ("{{ .Driver.SSHUser }}@{{ .Driver.IPAddress }}:{{.Driver.SSHPort}}", "ops@192.168.0.29:22"),
        (
            "{{json .Driver}}",
            '{"IPAddress":"192.168.0.29","SSHPort":22,"SSHUser":"ops","URL":"tcp://192.168.0.29:2376"}',
        ),
        (
            "{{.Driver | json}}",
            '{"IPAddress":"192.168.0.29","SSHPort":22,"SSHUser":"ops","URL":"tcp://192.168.0.29:2376"}',
        ),
        ("{{range .HostOptions.EngineOptions.Labels}}{{.}};{{end}}", "rack=a;role=build <&>;"),
        ("{{json .HostOptions.EngineOptions.Labels}}", r'["rack=a","role=build \u003c\u0026\u003e"]'),
        ("{{index .HostOptions.EngineOptions.ArbitraryFlags 0}}", "log-driver=journald"),
        ('{{index .HostOptions "EngineOptions" "ArbitraryFlags" 1}}', "mtu=1400"),
        ("{{.HostOptions.EngineOptions.Labels}}", "[rack=a role=build <&>]"),
        ("{{.HostOptions.SwarmOptions}}", "map[Discovery: Master:false Overcommit:0]"),
        ("{{if .HostOptions.SwarmOptions.Master}}master{{else}}node{{end}}", "node"),
        ("{{.HostOptions.EngineOptions.Dns}}", "<no value>"),
        ("{{$.Name}}!", "orionbox!"),
        (r"{{.Name}}\n", r"orionbox\n"),
    ],
)
def test_what_scripts_ask_of_inspect_is_answered_as_go_does(template: str, expected: str) -> None:
    assert parse_template(template).render(INSPECTED) == expected


def test_prettyjson_is_indented_as_docker_machine_does() -> None:
    assert parse_template("{{prettyjson .HostOptions}}").render(INSPECTED) == (
        """{
    "EngineOptions": {
        "ArbitraryFlags": [
            "log-driver=journald",
            "mtu=1400"
        ],
        "Dns": null,
        "Labels": [
            "rack=a",
            "role=build \\u003c\\u0026\\u003e"
        ],
        "TlsVerify": true
    },
    "SwarmOptions": {
        "Discovery": "",
        "Master": false,
        "Overcommit": 0
    }
}"""
    )
    assert parse_template("{{prettyjson .}}").render({"a": [], "b": {}}) == '{\n    "a": [],\n    "b": {}\n}'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Null}}|{{.Nope}}|{{.Nope.X.Y}}", "<no value>|<no value>|<no value>"),
        ("{{.List}}|{{.Map}}", "[a <nil> 1.5 true]|map[a:<nil> b:1 c:map[d:[]]]"),
        ("{{json .Nope}} {{json .Null}} {{json true}}", "null null true"),
        ("{{range .List}}{{.}};{{end}}", "a;<no value>;1.5;true;"),
        ("{{range .Map}}{{.}};{{end}}", "<no value>;1;map[d:[]];"),
        ("{{range .EmptyList}}x{{else}}none{{end}}", "none"),
        ("{{range .Null}}x{{else}}none{{end}}{{range .Nope}}x{{end}}", "none"),
        ("{{range .List}}{{$.Half}}{{end}}", "20.520.520.520.5"),
        ('{{index .Map "c" "d"}}{{index .Map "nope"}}', "[]<no value>"),
        ("{{0 | index .List}}", "a"),
        ("{{if .EmptyList}}1{{else if .EmptyMap}}2{{else if .False}}3{{else if .EmptyText}}4{{else}}5{{end}}", "5"),
        ("{{if .Zero}}1{{else if .Null}}2{{else if .Nope}}3{{else if .Half}}4{{else}}5{{end}}", "4"),
        ("{{if .Half}}{{if .Zero}}1{{else}}2{{end}}{{else}}3{{end}}", "2"),
        ("{{if true}}1{{end}}{{if false}}2{{end}}", "1"),
        ("{{1}} {{-1}} {{1.5}} {{1.0}}", "1 -1 1.5 1"),
        (r'{{"a\tb\u00e9\"\\"}}', 'a\tbé"\\'),
        ('{{"}}"}} }}', "}} }}"),
        ("{{ .Text\t}}{{\n.Text\n}}", "x<y>&x<y>&"),
        ("{{.é}}", "<no value>"),
        ("", ""),
        ("plain } {text }}", "plain } {text }}"),
    ],
)
def test_the_language_is_gos(template: str, expected: str) -> None:
    assert parse_template(template).render(VALUES) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{if eq .A "web1"}}up{{else}}down{{end}}{{if eq .A "x" "web1"}}up{{end}}', "upup"),
        ('{{if ne .A "web1"}}down{{else if eq .Missing "x"}}x{{else}}no{{end}}', "no"),
        ("{{if not .E}}none{{end}} {{len .A}} {{.L | len}} {{len .D}}", "none 4 2 1"),
        ('{{lt .A "x"}} {{ge .N 7}} {{le .M -3}} {{gt "ä" "z"}} {{eq .A "web1" | not}}', "true true true true false"),
        ('{{or .X .A}} {{and .A .N}} {{or .E "z"}}', "web1 7 z"),
        (
            '{{printf "%-8s|%5d|%05d|%.2f|%v|%q|%v" .A .N .N .F .L .A .B}}',
            'web1    |    7|00007|1.50|[a b]|"web1"|true',
        ),
        ('{{printf "%+d % d %6.2f|%06d|%08.3f" .N .N .F .M .F}}', "+7  7   1.50|-00003|0001.500"),
        ('{{printf "%5s|%-5s|%.1s 100%%" .U .U .U}}', "   äö|äö   |ä 100%"),
        ('{{printf "%v" .D}} {{.A | printf "%s-%s" "x"}}', "map[n:map[z:1]] x-web1"),
        # docker-machine's inspect has only float64.
        ('{{printf "%.0f %f %g %.1e %6.1f" .N .N .N .N .M}}', "7 7.000000 7 7.0e+00   -3.0"),
    ],
)
def test_values_are_compared_and_formatted_as_go_does(template: str, expected: str) -> None:
    data = {"A": "web1", "N": 7, "M": -3, "F": 1.5, "L": ["a", "b"], "B": True, "X": None, "E": "", "U": "äö"}
    assert parse_template(template).render({**data, "D": {"n": {"z": 1}}}) == expected


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{{with .Name}}{{end}}", '"with"'),
        ("{{$x := .Name}}", '"$x"'),
        ("{{range $i, $e := .L}}{{end}}", '"$i"'),
        ("{{(index .L 0).Name}}", '"("'),
        ("{{- .Name}}", '"-"'),
        ("{{upper .Name}}", '"upper"'),
        ("{{0x10}}", '"0x10"'),
        ("{{json nil}}", '"nil"'),
    ],
)
def test_what_is_not_supported_is_named_with_what_is(template: str, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template)
    assert refused.value.cause == f"The template cannot be used: {named} is not supported"
    assert refused.value.hint == SUPPORTED


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{.Name", 'an action is not closed with }}: "{{.Name"'),
        ("{{if}}x{{end}}", "has nothing in it"),
        ("{{.A | | json}}", "has nothing in it"),
        ("{{if .A}}{{else}}{{else}}{{end}}", "has no {{end}}"),
        ("{{end}}", "an end has no if or range before it"),
        ("{{json}}", "the function json takes 1 argument, not 0"),
        ("{{index .L}}", "the function index takes at least 2 arguments, not 1"),
        ("{{.A 1}}", '".A" is no function, and takes no arguments'),
    ],
)
def test_a_template_that_is_wrong_is_refused_before_anything_is_asked(template: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template)
    assert said in refused.value.cause


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{lt .Text 1}}", "the function lt does not take a string, a number"),
        ("{{eq .Half .Text}}", "the function eq does not take a number, a string"),
        ("{{lt true false}}", "the function lt does not take a boolean, a boolean"),
        ("{{len .Half}}", "the function len does not take a number"),
        ("{{printf .Zero}}", "the function printf does not take a number"),
        ('{{printf "%d" .Text}}', "the function printf does not take a string, a string"),
        ('{{printf "%s"}}', "the function printf does not take a string"),
        ('{{printf "" 1}}', "the function printf does not take a string, a number"),
        ("{{.Text.X}}", '".Text.X" asks a string for its field "X"'),
        ("{{range .Text}}x{{end}}", "range goes over lists and maps, not over a string"),
        ("{{index .List 9}}", "the function index does not take a list, a number"),
        ("{{index .Null 0}}", "the function index does not take a null, a number"),
    ],
)
def test_where_go_stops_at_the_data_so_do_we(template: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template).render(VALUES)
    assert said in refused.value.cause


@pytest.mark.parametrize("template", ["{{if .Name}}{{.Nope.X}}{{end}}", "{{range .Name}}{{$.Nope}}{{end}}"])
def test_a_field_that_rows_do_not_have_is_named_with_those_they_have(template: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template, fields=("Name", "State"))
    assert refused.value.cause == 'The template cannot be used: there is no field "Nope"'
    assert refused.value.hint == "The fields are Name, State"


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        ("{{.Name}} {{if .URL}}{{json .Driver.IP}}{{end}}", {"Name", "URL", "Driver"}),
        ("{{range .L}}{{.X}}{{$.Name}}{{end}}", {"L", "Name"}),
        ("{{json .}}", {""}),
        ("{{range .L}}{{$}}{{end}}", {"L", ""}),
        ("plain", set()),
    ],
)
def test_a_template_tells_which_fields_it_reads(template: str, fields: set[str]) -> None:
    assert parse_template(template).fields == fields


def test_backslash_t_and_n_outside_of_actions_stand_for_tab_and_newline() -> None:
    template = parse_template(r'{{.Name}}\t{{"\t"}}\n', escapes=True)
    assert template.render({"Name": "a"}) == "a\t\t\n"


def test_half_a_surrogate_pair_is_replaced_so_that_the_text_can_be_written() -> None:
    assert parse_template("{{.}} {{json .}}\udcff").render("a\ud800") == 'a\ufffd "a\ufffd"\ufffd'


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_json_has_no_infinity(value: float) -> None:
    assert parse_template("{{.}}").render([value]) in {"[+Inf]", "[-Inf]", "[NaN]"}
    with pytest.raises(UsageError):
        parse_template("{{json .}}").render([value])


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [(0, "0s"), (0.012, "12ms"), (0.9996, "1s"), (1.5, "1.5s"), (59.9999, "1m0s"), (3723.25, "1h2m3.25s")],
)
def test_durations_are_written_as_go_writes_them(seconds: float, printed: str) -> None:
    assert go_duration(seconds) == printed


@pytest.mark.parametrize("template", ["{{.}}", "{{json .}}", "{{prettyjson .}}", "{{index . .}}"])
def test_values_nested_without_end_are_refused(template: str) -> None:
    value: Any = []
    for _ in range(50_000):
        value = [value]
    with pytest.raises(UsageError):
        parse_template(template).render(value)


@pytest.mark.parametrize("opening", ["{{if .A}}", "{{range .A}}", "{{if .A}}{{else}}"])
def test_templates_nested_without_end_are_refused(opening: str) -> None:
    with pytest.raises(UsageError, match="nested too deep"):
        parse_template(opening * 5000 + "{{end}}" * 5000)


def test_what_a_template_takes_out_of_a_heading_is_a_heading() -> None:
    template = parse_template(
        '{{.Options.TlsVerify}} {{range .Options.Labels}}{{.}}{{end}} {{index .Labels 0}} {{index .Labels "rack"}}'
    )
    headings = {"Options": Heading("OPTIONS"), "Labels": Heading("LABELS")}
    assert template.render(headings) == "TLS_VERIFY LABELS LABELS RACK"


def test_a_rows_method_works_on_the_row() -> None:
    methods = {"Label": lambda row, key: row["labels"][key]}
    row = {"labels": {"rack": "a"}, "Names": ["web"]}
    template = '{{.Label "rack"}}{{range .Names}}{{.Label "rack"}}{{end}}'
    assert parse_template(template, methods=methods).render(row) == "aa"


def json_values(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | floats | st.text(max_size=5),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
        max_leaves=8,
    )


PIECES = (
    "{{ }} {{- -}} \\n {{end}} {{else}} {{else␣if␣.A}} {{if␣.A}} {{/* */ {{with␣.A}} {{$e␣:=␣.}} {{$e}} {{range␣.}} "
    '{{range␣$i,␣$e␣:=␣$}} {{json␣.}} {{index␣.␣0}} {{index␣.␣"A"}} {{printf␣"%5.1f%s%d"␣.A}} {{.A}} . .A $ := , | '
    'json prettyjson index range if else 0 -1 1.5 1e9 "a" "\\u00e9" " ` \\ ( true nil eq len'
)
TEXTS = [piece.replace("␣", " ") for piece in PIECES.split()] + [" ", "\n", "9" * 30, "\ud800", "\0"]


@given(st.text() | st.lists(st.sampled_from(TEXTS), max_size=12).map("".join), json_values(st.floats()), st.booleans())
@example("{{range .}}{{range .}}{{json .}}{{end}}{{end}}", [[math.inf]], False)
@example('{{"\\U00110000"}}', None, False)
@example("{{" + "9" * 5000 + "}}", None, False)
@example("{{1e" + "9" * 5000 + "}}", None, False)
@example('{{printf "%f %d" .A .A}}', {"A": 10**400}, False)
def test_no_template_ends_in_anything_but_a_text_or_a_usage_error(template: str, data: Any, escapes: bool) -> None:
    said = ""
    try:
        parse_template(template, escapes=escapes).render(data).encode()
    except UsageError as refused:
        said = refused.cause
    assert len(said) < 200
    assert said.isprintable()


@given(json_values(st.floats(-1e15, 1e15)))
def test_json_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(go_json(value)) == value
    assert json.loads(go_json(value, indent=4)) == value
