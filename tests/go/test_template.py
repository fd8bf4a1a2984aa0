"""What text/template makes of the templates that people have; the expected texts were printed by Go 1.24 itself."""

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from machinectl.errors import UsageError
from machinectl.go.template import FUNCTIONS, Heading, parse_template
from machinectl.go.template_functions import DOCKERS
from machinectl.go.value_format import Duration, go_duration, go_float, go_json, pretty_json

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
        ("{{.Text | json | json}}", r'"\"x\\u003cy\\u003e\\u0026\""'),
        ("{{range .List}}{{.}};{{end}}", "a;<no value>;1.5;true;"),
        ("{{range $e := .List}}{{$e}};{{end}}", "a;<no value>;1.5;true;"),
        ("{{range $i, $e := .List}}{{$i}}={{$e}};{{end}}", "0=a;1=<no value>;2=1.5;3=true;"),
        ("{{range $k,$v := .Map}}{{$k}}={{$v}};{{end}}", "a=<no value>;b=1;c=map[d:[]];"),
        ("{{range .Map}}{{.}};{{end}}", "<no value>;1;map[d:[]];"),
        ("{{range .EmptyList}}x{{else}}none{{end}}", "none"),
        ("{{range .Null}}x{{else}}none{{end}}{{range .Nope}}x{{end}}", "none"),
        ("{{range .List}}{{$.Half}}{{end}}", "20.520.520.520.5"),
        ("{{range $i, $a := .List}}{{range $b := $.Map}}{{$i}}{{end}}{{end}}", "000111222333"),
        ('{{index .Map "c" "d"}}{{index .Map "nope"}}', "[]<no value>"),
        ("{{0 | index .List}}", "a"),
        ("{{if .EmptyList}}1{{else if .EmptyMap}}2{{else if .False}}3{{else if .EmptyText}}4{{else}}5{{end}}", "5"),
        ("{{if .Zero}}1{{else if .Null}}2{{else if .Nope}}3{{else if .Half}}4{{else}}5{{end}}", "4"),
        ("{{if .Half}}{{if .Zero}}1{{else}}2{{end}}{{else}}3{{end}}", "2"),
        ("{{if true}}1{{end}}{{if false}}2{{end}}", "1"),
        ("{{1}} {{-1}} {{+1}} {{1.5}} {{.5}} {{1e3}} {{1e21}} {{1.0}}", "1 -1 1 1.5 0.5 1000 1e+21 1"),
        (r'{{"a\tb\u00e9\x41\101\"\\"}}', 'a\tbéAA"\\'),
        (r"{{`raw\t`}}", r"raw\t"),
        ('{{"}}"}} }}', "}} }}"),
        ("{{with .Map}}{{.b}}{{$.Half}}{{else}}none{{end}}", "120.5"),
        (
            "{{with .EmptyText}}x{{else with .Half}}{{.}}{{else}}none{{end}}{{with .Nope}}x{{else}}{{.Half}}{{end}}",
            "20.520.5",
        ),
        ("{{with $x := .Map}}{{$x.b}}{{end}}{{if $x := .Zero}}x{{else}}{{$x}}{{end}}", "10"),
        ("{{$x := .Half}}{{$x}}{{if true}}{{$x := 1}}{{$x}}{{end}}{{$x}}", "20.5120.5"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$last := 0}}{{range .List}}{{$last = .}}{{end}}{{$last}}", "true"),
        ("{{$e := 0}}{{range $e = .List}}{{end}}{{$e}}", "true"),
        ('{{$comma := ""}}{{range .List}}{{$comma}}{{.}}{{$comma = ","}}{{end}}', "a,<no value>,1.5,true"),
        ("{{range $e := .EmptyList}}{{else}}{{$e}}{{end}}", "[]"),
        ("{{$x:=.Text|len}}{{$x}}{{(.Null).X}}{{$n := .Null}}{{$n.X}}", "5<no value><no value>"),
        ("a {{- 3 -}} b", "a3b"),
        ("a \n{{- .Text }} b", "ax<y>& b"),
        ("a {{/* nothing }} here */}} b", "a  b"),
        ("a {{- /* nothing */ -}} b", "ab"),
        ("{{ .Text\t}}{{\n.Text\n}}", "x<y>&x<y>&"),
        ("{{.é}}", "<no value>"),
        ("", ""),
        ("plain } {text }}", "plain } {text }}"),
    ],
)
def test_the_language_is_gos(template: str, expected: str) -> None:
    assert parse_template(template).render(VALUES) == expected


def test_a_root_that_is_null_has_no_values() -> None:
    assert parse_template("{{.}} {{.A.B}} {{$}} {{json .}} {{range .}}{{else}}none{{end}}").render(None) == (
        "<no value> <no value> <no value> null none"
    )


@pytest.mark.parametrize("functions", [FUNCTIONS, DOCKERS])
@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{if eq .State "Running"}}up{{else}}down{{end}}', "up"),
        ('{{if eq .State "Paused" "Running"}}up{{end}}', "up"),
        ('{{if ne .State "Running"}}down{{else}}up{{end}}', "up"),
        ('{{if eq .Missing "x"}}x{{else}}no{{end}}', "no"),
        ("{{if not .Empty}}none{{end}}", "none"),
        ("{{len .State}} {{.L | len}} {{len .M}}", "7 2 1"),
        ("{{eq .N 2}}", "true"),
    ],
)
def test_gos_comparisons_and_len_work(template: str, text: str, functions: Any) -> None:
    data = {"State": "Running", "Empty": [], "L": [1, 2], "M": {"a": 1}, "N": 2}
    assert parse_template(template, functions=functions).render(data) == text


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{{eq .N .State}}", "a number cannot be compared with a string"),
        ("{{len .N}}", "len takes a string, a list or a map, not a number"),
        ("{{eq .N}}", "the function eq takes a value, and those to compare it with; arguments here: 1"),
    ],
)
def test_a_comparison_that_go_refuses_is_an_error(template: str, problem: str) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)):
        parse_template(template).render({"State": "Running", "N": 2})


@pytest.mark.parametrize(
    ("template", "named"),
    [
        ("{{upper .Name}}", 'the function "upper"'),
        ("{{slice .Name 1}}", 'the function "slice"'),
        ('{{template "x"}}', "the action {{template}}"),
        ('{{define "x"}}{{end}}', "the action {{define}}"),
        ('{{block "x" .}}{{end}}', "the action {{block}}"),
        ("{{range .L}}{{break}}{{end}}", "the action {{break}}"),
        ("{{range .L}}{{continue}}{{end}}", "the action {{continue}}"),
        ("{{if .A}}{{else with .B}}{{end}}", '"with" after else'),
        ("{{with .A}}{{else if .B}}{{end}}", '"if" after else'),
        ("{{range $i, $e, $f := .L}}{{end}}", '"," here'),
        ("{{json .A = 1}}", '"=" here'),
        ("{{if ($x := .A)}}{{end}}", '":=" here'),
        ("{{'a'}}", '"\'"'),
        ("{{0x10}}", 'the number "0x10"'),
        ("{{010}}", 'the number "010"'),
        ("{{1e400}}", 'the number "1e400"'),
        ("{{99999999999999999999}}", 'the number "99999999999999999999"'),
        ("{{json nil}}", '"nil" as an argument'),
        (r'{{"\xff"}}', r'"\xff" in a string'),
        (r'{{"\ud800"}}', r'"\ud800" in a string'),
        (r"""{{"\'"}}""", r""""\'" in a string"""),
        ("{{.Driver.foo-bar}}", '"-"'),
    ],
)
def test_what_is_not_supported_is_named(template: str, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template)
    assert refused.value.cause == f"The template cannot be used: {named} is not supported"
    assert "{{.Name}}" in refused.value.hint


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{.Name", 'an action is not closed with }}: "{{.Name"'),
        ("{{/* x", 'a comment is not closed with */}}: "/* x"'),
        ("{{/* x */ .A}}", "an action is not closed with }}"),
        ('{{"a}}', "a string is not closed"),
        ('{{"a\nb"}}', "a string is not closed"),
        ("{{`a}}", "a string is not closed"),
        ("{{}}", "an action has nothing in it"),
        ("{{if}}x{{end}}", "if has nothing in it"),
        ("{{range $e := }}{{end}}", "range has nothing in it"),
        ("{{.A | | json}}", "nothing stands before or after a |"),
        ("{{()}}", "a pair of parentheses has nothing in it"),
        ("{{(.A}}", "a ( is not closed with )"),
        ("{{.A)}}", "a ) has no ( before it"),
        ("{{and(.A)}}", 'a blank is missing between "and" and "("'),
        ("{{and}}", "the function and takes at least one value; arguments here: 0"),
        ("{{" + "(" * 100 + ".A" + ")" * 100 + "}}", "nested more than"),
        ("{{if .A}}", "{{if}} has no {{end}}"),
        ("{{range .A}}{{else}}", "{{range}} has no {{end}}"),
        ("{{if .A}}{{else}}{{else}}{{end}}", "{{if}} has a second {{else}}"),
        ("{{end}}", "an end has no if, with or range before it"),
        ("{{else}}", "an else has no if, with or range before it"),
        ("{{$x}}", 'the variable "$x" is not declared'),
        ("{{range $e := .L}}{{end}}{{$e}}", 'the variable "$e" is not declared'),
        ("{{with $e := .L}}{{end}}{{$e}}", 'the variable "$e" is not declared'),
        ("{{if .A}}{{$e := 1}}{{else}}{{$e}}{{end}}", 'the variable "$e" is not declared'),
        ("{{$e = 1}}", 'the variable "$e" is not declared'),
        ("{{$e := $e}}", 'the variable "$e" is not declared'),
        ("{{$a, $b := .L}}", "an action sets one variable, not 2"),
        ("{{with $a, $b := .L}}{{end}}", "with sets one variable, not 2"),
        ("{{$x := }}", "an action has nothing in it"),
        ('{{range "x" := .L}}{{end}}', "is not a variable that can be declared"),
        ("{{json}}", "the function json takes one argument; arguments here: 0"),
        ("{{json 1 2}}", "the function json takes one argument; arguments here: 2"),
        ("{{index .L}}", "the function index takes a list or a map, and where to look in it"),
        ("{{.A 1}}", '".A" takes no arguments, and is followed by "1"'),
        ("{{1 | .A}}", 'after | stands a function, not ".A"'),
        ("{{.A.}}", 'a blank is missing between ".A" and "."'),
        ("{{json.A}}", 'a blank is missing between "json" and ".A"'),
    ],
)
def test_a_template_that_is_wrong_is_refused_before_anything_is_asked(template: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template)
    assert said in refused.value.cause


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (
            '{{printf "%-8s|%5d|%05d|%.2f|%v|%q|%t|%x" .A .N .N .F .L .A .B .A}}',
            'web1    |    7|00007|1.50|[a b]|"web1"|true|77656231',
        ),
        ('{{printf "%d %s" .A}}', "%!d(string=web1) %!s(MISSING)"),
        ('{{printf "%s" .A .N}} {{printf "%d" .B}} {{printf "%"}}', "web1%!(EXTRA int=7) %!d(bool=true) %!(NOVERB)"),
        ('{{printf "%+d % d %6.2f|%-6t|%06d|%08.3f" .N .N .F .B .M .F}}', "+7  7   1.50|true  |-00003|0001.500"),
        ('{{printf "%5s|%-5s|%.1s 100%%" .U .U .U}}', "   äö|äö   |ä 100%"),
        ('{{printf "%s %d %v" .L .LI .D}}', "[a b] [1 2] map[n:map[z:1]]"),
        ('{{printf "%g %e %.3g %c %o %X %b" .F .F .F .N .N .N .N}}', "1.5 1.500000e+00 1.5 \a 7 7 111"),
        # docker-machine's inspect has only float64.
        ('{{printf "%.0f %f %g %.1e %6.1f" .N .N .N .N .M}}', "7 7.000000 7 7.0e+00   -3.0"),
        ('{{.A | printf "%s-%s" "x"}}', "x-web1"),
        ('{{println .A .N}}{{print 1 2 "a" 3}}', "web1 7\n1 2a3"),
        ('{{if and (eq .A "web1") (gt .N 3)}}y{{end}}{{if not (and .A .E)}}n{{end}}', "yn"),
        ('{{or .X .A}} {{and .A .N}} {{or .E "z"}}', "web1 7 z"),
        # What is not needed is not evaluated.
        ("{{and false (index .L 9)}} {{or .A (index .L 9)}}", "false web1"),
        ('{{lt .A "x"}} {{ge .N 7}} {{le .M -3}} {{gt "ä" "z"}}', "true true true true"),
        ("{{len (index .L 0)}} {{(index .LD 0).Name}} {{(.D.n).z}} {{((.A))}}", "1 q 1 web1"),
        ('{{eq (.A) "web1" | not}}', "false"),
    ],
)
def test_values_are_formatted_compared_and_combined_as_go_does(template: str, expected: str) -> None:
    data = {
        "A": "web1",
        "N": 7,
        "M": -3,
        "F": 1.5,
        "L": ["a", "b"],
        "LI": [1, 2],
        "B": True,
        "X": None,
        "E": "",
        "D": {"n": {"z": 1}},
        "LD": [{"Name": "q"}],
        "U": "äö",
    }
    assert parse_template(template).render(data) == expected


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{lt .Text 1}}", "a string cannot be compared with a number"),
        ("{{lt true false}}", "a boolean is not less or greater than another"),
        ("{{printf .Zero}}", "printf needs a string first, not a number"),
        ("{{.Null.X}}", '".Null.X" asks a null for its field "X"'),
        ("{{.Text.X}}", '".Text.X" asks a string for its field "X"'),
        ("{{range .List}}{{.X}}{{end}}", '".X" asks a string for its field "X"'),
        ("{{range .Text}}x{{end}}", "range goes over lists and maps, not over a string"),
        ("{{index .List 9}}", "index 9 is out of range, the list has 4"),
        ("{{index .List -1}}", "index -1 is out of range"),
        ("{{index .List true}}", 'index wants a whole number for a list, not "true"'),
        ("{{index .Map 0}}", 'index wants a string for a map, not "0"'),
        ("{{index .Null 0}}", "index looks into lists and maps, not into a null"),
        ("{{index .Half 0}}", "index looks into lists and maps, not into a number"),
    ],
)
def test_where_go_stops_at_the_data_so_do_we(template: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template).render(VALUES)
    assert said in refused.value.cause


@pytest.mark.parametrize(
    "template",
    [
        "{{.Nope}}",
        "{{$.Nope}}",
        "{{if .Name}}{{.Nope.X}}{{end}}",
        "{{range .Name}}{{$.Nope}}{{end}}",
        "{{with .Name}}{{else}}{{.Nope}}{{end}}",
    ],
)
def test_a_field_that_rows_do_not_have_is_named_with_those_they_have(template: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_template(template, fields=("Name", "State"))
    assert refused.value.cause == 'The template cannot be used: there is no field "Nope"'
    assert refused.value.hint == "The fields are Name, State"


def test_fields_of_what_a_row_holds_are_not_the_rows() -> None:
    template = parse_template("{{range .Options}}{{.Nope}}{{end}}{{.Options.Nope}}", fields=("Name", "Options"))
    assert template.render({"Name": "a", "Options": {}}) == "<no value>"


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        ("{{.Name}} {{if .URL}}{{json .Driver.IP}}{{end}}", {"Name", "URL", "Driver"}),
        ("{{range .L}}{{.X}}{{$.Name}}{{end}}", {"L", "Name"}),
        ("{{range .L}}{{.}}{{end}}", {"L"}),
        ("{{json .}}", {""}),
        ("{{range .L}}{{$}}{{end}}", {"L", ""}),
        ("{{with .L}}{{.X}}{{$x := $.Name}}{{$x.Y}}{{else}}{{.State}}{{end}}", {"L", "Name", "State"}),
        ("{{$x := .}}{{$x.Nope}}", {""}),
        ("plain", set()),
    ],
)
def test_a_template_tells_which_fields_it_reads(template: str, fields: set[str]) -> None:
    assert parse_template(template).fields == fields


def test_backslash_t_and_n_outside_of_actions_stand_for_tab_and_newline() -> None:
    template = parse_template(r'{{.Name}}\t{{"\t"}}{{`\n`}}\n', escapes=True)
    assert template.render({"Name": "a"}) == "a\t\t\\n\n"


def test_half_a_surrogate_pair_is_replaced_so_that_the_text_can_be_written() -> None:
    assert parse_template("{{.}} {{json .}}\udcff").render("a\ud800") == 'a\ufffd "a\ufffd"\ufffd'


def test_a_whole_number_is_printed_whole() -> None:
    assert parse_template("{{.}} {{json .}}").render(20_000_000) == "20000000 20000000"


@pytest.mark.parametrize(
    ("value", "printed", "in_json"),
    [
        (1e6, "1e+06", "1000000"),
        (100000.0, "100000", "100000"),
        (123456789.0, "1.23456789e+08", "123456789"),
        (1e21, "1e+21", "1e+21"),
        (1e20, "1e+20", "100000000000000000000"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "1e-05", "0.00001"),
        (1e-7, "1e-07", "1e-7"),
        (1e-10, "1e-10", "1e-10"),
        (-0.0, "-0", "-0"),
        (5e-324, "5e-324", "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308"),
    ],
)
def test_floats_are_written_as_go_writes_them(value: float, printed: str, in_json: str) -> None:
    assert parse_template("{{.}} {{json .}}").render(value) == f"{printed} {in_json}"


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_json_has_no_infinity(value: float) -> None:
    assert parse_template("{{.}}").render([value]) in {"[+Inf]", "[-Inf]", "[NaN]"}
    with pytest.raises(UsageError):
        parse_template("{{json .}}").render([value])


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (0, "0s"),
        (0.0004, "0s"),
        (0.012, "12ms"),
        (0.9996, "1s"),
        (1.5, "1.5s"),
        (59.9999, "1m0s"),
        (70, "1m10s"),
        (3723.25, "1h2m3.25s"),
    ],
)
def test_durations_are_written_as_go_writes_them(seconds: float, printed: str) -> None:
    assert go_duration(seconds) == printed


def test_a_durations_methods_count_in_their_units() -> None:
    counted = Duration.of_seconds(90.0004).results
    assert (counted["Hours"], counted["Minutes"], counted["Seconds"]) == (0.025, 1.5, 90)
    assert (counted["Milliseconds"], counted["Microseconds"], counted["Nanoseconds"]) == (90_000, 9 * 10**7, 9 * 10**10)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{.T}} {{printf "%v %s %6s %q %d" .T .T .T .T .T}}', '29ms 29ms 29ms   29ms "29ms" 29000000'),
        ('{{.T | printf "%f"}}', "%!f(time.Duration=29ms)"),
        ('{{.T | printf "%t"}} {{printf "%T %T %T" .T .A 7}}', "%!t(time.Duration=29ms) time.Duration string int"),
        ("{{gt .T 5}} {{lt .T .U}} {{ge .T.Milliseconds 30}} {{eq .T 29000000}}", "true true false true"),
        (
            '{{json .T}} {{print .T .U}} {{if .Z}}some{{else}}none{{end}} {{.T.String | printf "%s"}}',
            "29000000 29ms 1.5s none 29ms",
        ),
    ],
)
def test_a_duration_is_a_number_of_nanoseconds_with_a_text_as_in_go(template: str, expected: str) -> None:
    times = {name: Duration.of_seconds(seconds) for name, seconds in {"T": 0.029, "U": 1.5, "Z": 0}.items()}
    assert parse_template(template).render({"A": "web1", **times}) == expected


@pytest.mark.parametrize("template", ["{{.}}", "{{json .}}", "{{prettyjson .}}", "{{index . .}}"])
def test_values_nested_without_end_are_refused(template: str) -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(UsageError):
        parse_template(template).render(value)


@pytest.mark.parametrize("opening", ["{{if .A}}", "{{range .A}}", "{{with .A}}", "{{if .A}}{{else}}"])
def test_templates_nested_without_end_are_refused(opening: str) -> None:
    with pytest.raises(UsageError, match="nested more than"):
        parse_template(opening * 5000 + "{{end}}" * 5000)


def test_many_branches_are_not_deep() -> None:
    template = "{{if .A}}a" + "{{else if .B}}b" * 5000 + "{{else}}c{{end}}"
    assert parse_template(template).render({}) == "c"


def test_a_long_pipeline_is_not_deep() -> None:
    assert parse_template("{{.A" + " | print" * 5000 + "}}").render({"A": "x"}) == "x"


def test_a_text_that_does_not_fit_into_memory_is_an_error() -> None:
    def too_much() -> None:
        raise MemoryError

    with pytest.raises(UsageError, match="does not fit into memory"):
        parse_template("{{much}}", functions={"much": (too_much, 0, 0)}).render({})


def test_what_a_template_takes_out_of_a_heading_is_a_heading() -> None:
    template = parse_template(
        "{{.Options.TlsVerify}} {{range $i, $e := .Options.Labels}}{{$i}} {{$e}}{{end}} {{index .Labels 0}} "
        '{{index .Labels "rack"}} {{with .Labels}}{{.installURL}}{{end}}'
    )
    headings = {"Options": Heading("OPTIONS"), "Labels": Heading("LABELS")}
    assert template.render(headings) == "TLS_VERIFY LABELS LABELS LABELS RACK INSTALL_URL"


def test_a_rows_method_works_on_rows_alone() -> None:
    methods = {"Label": lambda row, key: row["labels"][key]}
    row = {"labels": {"rack": "a"}, "Names": "web"}
    assert parse_template('{{.Label "rack"}}', methods=methods).render(row) == "a"
    with pytest.raises(UsageError, match="takes no arguments"):
        parse_template('{{with .Names}}{{.Label "rack"}}{{end}}', methods=methods)


def json_values(floats: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | floats | st.text(max_size=5),
        lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=3), children, max_size=3),
        max_leaves=8,
    )


PIECES = [
    *("{{", "}}", "{{-", "-}}", " ", "\n", "\\n", "{{end}}", "{{else}}", "{{else if .A}}", "{{if .A}}", "{{/*", "*/"),
    *(
        "{{with .A}}",
        "{{else with .A}}",
        "{{$e := .}}",
        "{{$e = 1}}",
        "{{with $e := .A}}",
        "{{range $e = .}}",
        "{{$e}}",
    ),
    *("{{range .}}", "{{range $i, $e := $}}", "{{json .}}", "{{index . 0}}", '{{index . "A"}}', "{{.A}}", "{{$e.B}}"),
    *(
        ".",
        ".A",
        "$",
        "$e",
        ":=",
        "=",
        "with",
        ",",
        "|",
        "json",
        "prettyjson",
        "index",
        "range",
        "if",
        "else",
        "0",
        "-1",
        "1.5",
        "1e9",
    ),
    *('"a"', '"\\u00e9"', '"', "`", "\\", "(", "true", "nil", "9" * 30, "\ud800", "\0"),
]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=12).map("".join), json_values(st.floats()), st.booleans())
@example("{{range .}}{{range .}}{{json .}}{{end}}{{end}}", [[math.inf]], False)
@example('{{"\\U00110000"}}', None, False)
@example("{{" + "9" * 5000 + "}}", None, False)
@example("{{1e" + "9" * 5000 + "}}", None, False)
def test_no_template_ends_in_anything_but_a_text_or_a_usage_error(template: str, data: Any, escapes: bool) -> None:
    said = ""
    try:
        parse_template(template, escapes=escapes).render(data).encode()
    except UsageError as refused:
        said = refused.cause
    assert len(said) < 200
    assert said.isprintable()


EXPRESSIONS = st.sampled_from(
    [
        ".",
        ".A",
        ".A.B",
        "$",
        "$.A",
        "(.A)",
        "index . 0",
        "json .",
        ".A | json",
        "and .A .B",
        "or .A .B",
        "not .A",
        "1",
        '""',
    ]
)


def outcome(template: str, data: Any) -> str | None:
    """Return the text, None for an error."""
    try:
        return parse_template(template).render(data)
    except UsageError:
        return None


@given(EXPRESSIONS, json_values(st.floats()))
def test_a_variable_and_a_with_have_the_values_of_their_expressions(expression: str, data: Any) -> None:
    printed = outcome("{{" + expression + "}}", data)
    assert outcome("{{$x := " + expression + "}}{{$x}}", data) == printed
    assert outcome("{{$x := 0}}{{if true}}{{$x = " + expression + "}}{{end}}{{$x}}", data) == printed
    chosen = outcome("{{if " + expression + "}}{{" + expression + "}}{{else}}-{{end}}", data)
    assert outcome("{{with " + expression + "}}{{.}}{{else}}-{{end}}", data) == chosen
    assert outcome("{{with $x := " + expression + "}}{{$x}}{{else}}-{{end}}", data) == chosen


@given(st.lists(st.text(max_size=3)), st.text("ab"))
def test_what_a_block_declares_ends_with_it_and_what_it_sets_stays(elements: list[str], before: str) -> None:
    data = {"L": elements, "Before": before}
    shadowed = "{{$x := .Before}}{{range .L}}{{$x := .}}{{$x}}{{end}}{{$x}}"
    assert parse_template(shadowed).render(data) == "".join(elements) + before
    kept = "{{$x := .Before}}{{range $.L}}{{$x = .}}{{end}}{{$x}}"
    assert parse_template(kept).render(data) == [before, *elements][-1]


# Larger floats are written like whole numbers, whose last digits then read back as what they are.
@given(json_values(st.floats(-1e15, 1e15)))
def test_json_reads_back_as_the_same_value(value: Any) -> None:
    assert json.loads(go_json(value)) == value
    assert json.loads(pretty_json(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_digit_of_a_float_is_lost(value: float) -> None:
    assert float(go_float(value, -5, 6)) == value
    assert float(go_float(value, -7, 21)) == value


def test_a_long_template_is_read_in_one_pass() -> None:
    text = "".join(random.Random(0).choice(["{{.A}}", "b", "{{if .A}}c{{end}}"]) for _ in range(20_000))
    assert set(parse_template(text).render({"A": "a"})) <= {*"abc"}
