//! Templates and their functions; most rows are what Loki 3.7.6 was seen to answer.

use jiff::tz::{Offset, TimeZone};

use super::*;
use crate::labels::LabelSet;
use crate::logql::wanted::Wanted;

fn labels(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn run_in(template: &str, zone: TimeZone) -> Result<String, String> {
    let stream = labels(&[
        ("n", "7"),
        ("m", "3"),
        ("f", "3.75"),
        ("neg", "-4"),
        ("s", "Hello World"),
        ("title", "hello wORLD foo-bar"),
        ("d", "1m30s"),
        ("size", "1.5KB"),
        ("u", "naïve 日本"),
        ("p", "/a/b"),
        ("html", "<b>&\"x\"'</b>"),
        ("js", r#"{"foo":[1,2.5,"x"],"bar":{"k":true},"big":1000000,"nil":null}"#),
        ("odd-name", "odd"),
        ("b64", "aGVsbG8="),
        ("url", "a%20b%2Fc+d"),
        ("one", "1"),
    ]);
    let wanted = Wanted::default();
    let seen = Labels::new(&stream, &wanted);
    let clock = Clock { now_ns: 1_767_700_000_000_000_000, zone };
    let regexes = Regexes::default();
    let scope = Scope {
        labels: &seen,
        line: b"the line",
        timestamp_ns: 1_767_607_323_004_000_000,
        clock: &clock,
        regexes: &regexes,
    };
    let template = Template::new("line", template)?;
    let mut out = String::new();
    template.run(&scope, &mut out).map(|()| out)
}

fn run(template: &str) -> Result<String, String> {
    run_in(template, TimeZone::UTC)
}

#[rustfmt::skip]
const PRINTS: &[(&str, &str)] = &[
    // Syntax.
    ("plain", "plain"), ("{{.n}}", "7"), ("<{{.nope}}>", "<>"), ("{{ .n }}-{{.m}}", "7-3"),
    ("a {{- .n -}} b", "a7b"), ("a {{/* c */}} b", "a  b"), ("a {{- /* c */ -}} b", "ab"),
    (r#"{{"q\n\x41"}}{{`raw\n`}}{{'a'}}{{0x1F}}{{1_000}}{{1.5}}{{true}}"#, "q\nAraw\\n973110001.5true"),
    ("{{$a := .n}}{{$b := add $a 1}}{{$a}}+1={{$b}}", "7+1=8"), ("{{$a := 1}}{{$a = 2}}{{$a}}", "2"),
    ("{{$.n}}", "7"), (r#"{{index . "odd-name"}}"#, "odd"),
    ("{{if .n}}yes{{else}}no{{end}}", "yes"), ("{{if .nope}}yes{{else}}no{{end}}", "no"),
    ("{{if .nope}}1{{else if .n}}2{{else}}3{{end}}", "2"), ("{{with .n}}<{{.}}>{{end}}", "<7>"),
    ("{{with .nope}}x{{else}}y{{end}}", "y"), ("{{with $x := .n}}{{$x}}{{end}}", "7"),
    ("{{range 3}}x{{end}}", "xxx"), ("{{range $i, $e := fromJson \"[5,6]\"}}{{$i}}={{$e}} {{end}}", "0=5 1=6 "),
    ("{{range $k,$v := fromJson .js}}{{$k}}={{$v}} {{end}}", "bar=map[k:true] big=1e+06 foo=[1 2.5 x] nil=<no value> "),
    ("{{range fromJson \"[]\"}}x{{else}}empty{{end}}", "empty"),
    ("{{range 9}}{{if eq . 2}}{{continue}}{{end}}{{if eq . 4}}{{break}}{{end}}{{.}}{{end}}", "013"),
    (r#"{{define "T"}}[{{.}}]{{end}}{{template "T" .n}}"#, "[7]"), (r#"{{block "B" .m}}<{{.}}>{{end}}"#, "<3>"),
    ("{{(fromJson .js).bar.k}}", "true"), ("{{if \"0\"}}t{{end}}{{if 0}}f{{end}}{{if \"\"}}f{{end}}", "t"),
    ("{{.s | lower | trunc 5 | printf \"<%s>\"}}", "<hello>"),
    (r#"{{if and (contains "He" .s) (gt (int .n) 5)}}both{{end}}"#, "both"),
    // Printing.
    ("{{1e5}} {{999999.5}} {{0.00012}} {{1e6}} {{1.2e-5}}", "100000 999999.5 0.00012 1e+06 1.2e-05"),
    ("{{fromJson \"x\"}}", "<no value>"), ("{{print 1 2 \"a\" 3}}", "1 2a3"), ("{{println 1 \"a\"}}", "1 a\n"),
    // Built in.
    ("{{and .n .nope}}|{{or .nope .m}}|{{not .nope}}", "|3|true"), ("{{len .u}}", "13"),
    ("{{slice .s 6}} {{slice .s 0 5}}", "World Hello"), ("{{index (fromJson .js) \"foo\" 1}}", "2.5"),
    (r#"{{eq .n "7"}} {{eq .n "1" "7"}} {{ne .n "7"}} {{lt .n "8"}} {{le 2 2}} {{gt 1.5 1.0}} {{ge "b" "a"}}"#, "true true false true true true true"),
    ("{{html .html}}", "&lt;b&gt;&amp;&#34;x&#34;&#39;&lt;/b&gt;"), ("{{js .html}}", "\\u003Cb\\u003E\\u0026\\\"x\\\"\\'\\u003C/b\\u003E"),
    ("{{urlquery .p}}", "%2Fa%2Fb"),
    // Texts.
    ("{{ToLower .s}} {{upper .s}} {{title .title}}", "hello world HELLO WORLD Hello WORLD Foo-Bar"),
    (r#"{{Replace .s "l" "L" 2}} {{replace "l" "L" .s}} {{Replace .s "l" "" -1}}"#, "HeLLo World HeLLo WorLd Heo Word"),
    (r#"{{Trim "xxaxx" "x"}} {{TrimLeft "xxa" "x"}} {{TrimRight "axx" "x"}} {{TrimPrefix .s "He"}} {{TrimSuffix .s "ld"}} {{TrimSpace "  a "}}"#, "a a a llo World Hello Wor a"),
    (r#"{{trim "  a "}}{{trimAll "$" "$5$"}}{{trimPrefix "-" "-x"}}{{trimSuffix "-" "x-"}}"#, "a5xx"),
    ("{{trunc 3 .s}} {{trunc -3 .s}} {{trunc 99 .s}} {{trunc 3 .u}} {{trunc -4 .u}}", "Hel rld Hello World na 本"),
    ("{{substr 0 5 .s}} {{substr -1 5 .s}} {{substr 6 -1 .s}} {{substr 6 99 .s}}", "Hello Hello World World"),
    (r#"{{contains "World" .s}} {{hasPrefix "hell" .s}} {{hasSuffix "d" .s}}"#, "true false true"),
    ("{{indent 2 \"x\\ny\"}}|{{nindent 1 \"x\"}}|{{repeat 3 \"ab\"}}", "  x\n  y|\n x|ababab"),
    ("[{{alignLeft 4 .s}}] [{{alignLeft 13 .s}}] [{{alignRight 4 .s}}] [{{alignRight 13 .s}}] [{{alignLeft -1 .n}}]", "[Hell] [Hello World  ] [orld] [  Hello World] [7]"),
    (r#"{{regexReplaceAll "l+" .s "L"}} {{regexReplaceAll "(H)(e)" .s "${2}${1}"}} {{regexReplaceAll "o(.)" .s "$1"}} {{regexReplaceAll "(?P<x>W)" .s "$x$x $$ $1x"}}"#, "HeLo WorLd eHllo World Hell Wrld Hello WW $ orld"),
    (r#"{{regexReplaceAllLiteral "l+" .s "$1"}} {{regexReplaceAll "x*" "abc" "-"}} {{regexReplaceAll "a*" "baaac" "x"}}"#, "He$1o Wor$1d -a-b-c- xbxcx"),
    (r#"{{count "" .s}} {{count "l" .s}} {{count "日" .u}}"#, "12 3 1"), ("{{__line__}}", "the line"),
    // Conversions.
    ("{{b64enc .s}} {{b64dec .b64}} {{b64dec \"?\"}}", "SGVsbG8gV29ybGQ= hello illegal base64 data at input byte 0"),
    ("{{b64enc \"a\"}} {{b64enc \"ab\"}} {{b64dec \"YQ==\"}}", "YQ== YWI= a"),
    ("{{urlencode \"a b/c?é\"}} {{urldecode .url}}", "a+b%2Fc%3F%C3%A9 a b/c d"),
    ("{{bytes .size}} {{duration .d}} {{duration_seconds \"250ms\"}}", "1500 90 0.25"),
    ("{{int .f}} {{int \"0x1f\"}} {{int \"010\"}} {{int \"08\"}} {{int \"1e3\"}} {{int \"abc\"}} {{int true}} {{float64 .f}} {{float64 \"x\"}}", "3 31 8 0 0 0 1 3.75 0"),
    (r#"{{default "-" .nope}} {{.nope | default "none"}} {{default "x" .m}}"#, "- none 3"),
    // Numbers.
    ("{{add .n .m 1}} {{sub .n .m}} {{mul .n .m 2}} {{div .n .m}} {{mod .n .m}} {{div .neg 3}} {{mod .neg 3}}", "11 4 42 2 1 -1 -1"),
    ("{{addf 0.1 0.2}} {{addf .f 1.5 2}} {{subf .f 1 0.25}} {{mulf .f 2}} {{divf .f 2 4}} {{divf 1 3}} {{divf 2 3}}", "0.3 7.25 2.5 7.5 0.46875 0.3333333333333333 0.6666666666666667"),
    ("{{max 1 3 2}} {{min 1 3 2}} {{maxf 1.5 2}} {{minf 1.5 2}} {{ceil 1.2}} {{floor -1.5}} {{ceil -1.5}}", "3 1 2 1.5 2 -2 -1"),
    ("{{round 2.5 0}} {{round 123.555555 3}} {{round -2.5 0}} {{round -0.4 0}} {{round .f 0 0.8}}", "3 123.556 -3 -1 3"),
    // printf.
    (r#"{{printf "%.2f %8.3f %e %g" 3.75 3.75 3.75 3.75}}"#, "3.75    3.750 3.750000e+00 3.75"),
    (r#"{{printf "%d %v %T %x" .n .n .n "a,b"}}"#, "%!d(string=7) 7 string 612c62"),
    (r#"{{printf "%d %s" 1}}|{{printf "%s" "a" "b"}}|{{printf "100%%"}}"#, "1 %!s(MISSING)|a%!(EXTRA string=b)|100%"),
    (r#"{{printf "[%5d][%-5d][%05d][%+d][%x][%X][%o][%b][%c][%q][%5s][%.2s][%t]" 42 42 -42 42 255 255 8 5 65 "q" "ab" "abc" true}}"#, "[   42][42   ][-0042][+42][ff][FF][10][101][A][\"q\"][   ab][ab][true]"),
    (r#"{{printf "%.3g %.3g %g" 1234.5 0.00001234 1e21}}"#, "1.23e+03 1.23e-05 1e+21"),
    // Times.
    (r#"{{__timestamp__ | date "Mon Jan _2 15:04:05 2006"}}"#, "Mon Jan  5 10:02:03 2026"),
    (r#"{{__timestamp__ | date "2006-01-02T15:04:05.000Z07:00 3:4:5PM 06 002"}}"#, "2026-01-05T10:02:03.004Z 10:2:3AM 26 005"),
    (r#"{{__timestamp__ | date "15:04:05,999 .00 January Monday MST -0700 pm"}}"#, "10:02:03,004 .00 January Monday UTC +0000 am"),
    ("{{__timestamp__}}", "2026-01-05 10:02:03.004 +0000 UTC"), ("{{__timestamp__.Unix}} {{__timestamp__.Year}} {{__timestamp__.Weekday}}", "1767607323 2026 Monday"),
    (r#"{{__timestamp__.Format "15h"}} {{date "2006" 0}} {{unixEpochMillis __timestamp__}} {{unixEpochNanos __timestamp__}}"#, "10h 1970 1767607323004 1767607323004000000"),
    (r#"{{toDate "2006-01-02" "2026-01-05" | unixEpoch}} {{toDate "2006" "x"}}"#, "1767571200 0001-01-01 00:00:00 +0000 UTC"),
    (r#"{{toDateInZone "2006-01-02 15:04" "Nowhere/Land" "2026-01-05 10:00" | unixEpoch}}"#, "1767607200"),
    (r#"{{toDate "Jan _2 15:04:05.000 2006 -0700" "Jan  5 10:00:00.250 2026 +0100" | unixEpochMillis}}"#, "1767603600250"),
    (r#"{{toDate "3:04PM 02/01/06" "1:30PM 05/01/26" | date "15:04 2006-01-02"}}"#, "13:30 2026-01-05"),
    (r#"{{unixToTime "1767607200" | date "15:04"}} {{unixToTime "1767607200123" | unixEpochMillis}} {{unixToTime "20458" | date "2006-01-02"}}"#, "10:00 1767607200123 2026-01-05"),
    ("{{now | unixEpoch}}", "1767700000"),
];

#[test]
fn prints() {
    for (template, expected) in PRINTS {
        assert_eq!(run(template).as_deref(), Ok(*expected), "{template}");
    }
}

#[test]
fn prints_times_where_the_server_is() {
    let zone = TimeZone::fixed(Offset::from_hours(2).unwrap());
    let printed =
        run_in(r#"{{__timestamp__ | date "15:04 -07:00 Z07:00 Z07"}} {{toDate "15:04" "01:00" | date "15:04"}}"#, zone);
    assert_eq!(printed.as_deref(), Ok("12:02 +02:00 +02:00 +02 01:00"));
}

#[test]
fn refuses_what_is_no_template() {
    for (template, message) in [
        ("{{.x", "line:1: unclosed action"),
        ("a\nb{{", "line:2: unclosed action"),
        ("{{nosuch .x}}", "line:1: function \"nosuch\" not defined"),
        ("{{/* x", "line:1: unclosed comment"),
        ("{{if .x}}", "line:1: unexpected EOF"),
        ("{{end}}", "line:1: unexpected {{end}}"),
        ("{{else}}", "line:1: unexpected {{else}}"),
        ("{{$x}}", "line:1: undefined variable \"$x\""),
        ("{{if .n}}{{$y := 1}}{{end}}{{$y}}", "line:1: undefined variable \"$y\""),
        ("{{}}", "line:1: missing value for command"),
        ("{{if}}x{{end}}", "line:1: missing value for if"),
        ("{{(1}}", "line:1: unclosed left paren"),
        ("{{nil}}", "line:1: nil is not a command"),
        ("{{break}}", "line:1: {{break}} outside {{range}}"),
        ("{{\"x}}", "line:1: unterminated quoted string"),
        ("{{1 | 2}}", "line:1: non executable command in pipeline stage 2: 2"),
    ] {
        assert_eq!(run(template).unwrap_err(), format!("template: {message}"), "{template}");
    }
}

#[test]
fn says_what_went_wrong_on_a_line() {
    for (template, message) in [
        ("{{.a.b}}", "line:1:2: executing \"line\" at <.a.b>: can't evaluate field b in type string"),
        (
            "{{ div 1 0}}",
            "line:1:3: executing \"line\" at <div 1 0>: error calling div: runtime error: integer divide by zero",
        ),
        (
            "{{eq .n 7}}",
            "line:1:2: executing \"line\" at <eq .n 7>: error calling eq: incompatible types for comparison",
        ),
        (
            "x\n{{duration .s}}",
            "line:2:2: executing \"line\" at <duration .s>: error calling duration: time: invalid duration \"Hello World\"",
        ),
        (
            "{{substr 5 2 .s}}",
            "line:1:2: executing \"line\" at <substr 5 2 .s>: error calling substr: slice bounds out of range [5:2] with length 11",
        ),
        (
            "{{lower 1}}",
            "line:1:2: executing \"line\" at <lower 1>: error calling lower: wrong type for value; expected string; got int",
        ),
        ("{{lower}}", "line:1:2: executing \"line\" at <lower>: wrong number of args for lower: want 1 got 0"),
        ("{{template \"x\"}}", "line:1:2: executing \"line\" at <{{template \"x\"}}>: template \"x\" not defined"),
    ] {
        assert_eq!(run(template).unwrap_err(), format!("template: {message}"), "{template}");
    }
    for template in [
        "{{urldecode \"%zz\"}}",
        "{{repeat -1 .s}}",
        "{{divf 1 0}}",
        "{{unixToTime \"12\"}}",
        "{{regexReplaceAll \"[\" .s \"\"}}",
        "{{bytes .s}}",
        "{{index .s 99}}",
        "{{range 1.5}}{{end}}",
        "{{mod 1 0}}",
        "{{lt 1 2.5}}",
    ] {
        assert!(run(template).is_err(), "{template}");
    }
}

#[test]
fn a_hostile_template_ends_soon() {
    let parens = "(".repeat(5000);
    let ifs = "{{if 1}}".repeat(5000);
    for template in [
        r#"{{define "T"}}{{template "T"}}{{end}}{{template "T"}}"#,
        "{{range 1000000000}}{{end}}",
        "{{range 99999}}{{repeat 99999 \"x\"}}{{end}}",
        "{{repeat 999999999 \"x\"}}",
        "{{indent 999999999 \"x\"}}",
        "{{alignLeft 999999999 \"x\"}}",
        &format!("{{{{{parens}1}}}}"),
        &ifs,
    ] {
        let template = template.to_owned();
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        assert!(small.spawn(move || run(&template).is_err()).unwrap().join().unwrap());
    }
    let deep = format!("{}x{}", "{{if 1}}".repeat(19), "{{end}}".repeat(19));
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    assert_eq!(small.spawn(move || run(&deep)).unwrap().join().unwrap().as_deref(), Ok("x"));
}

#[test]
fn names_the_fields_it_reads() {
    let template = Template::new("line", "{{.a}}{{if .b}}{{.c | lower}}{{else}}{{(fromJson .d).e}}{{end}}").unwrap();
    let mut fields = Vec::new();
    template.each_field(&mut |name| fields.push(name.to_owned()));
    assert_eq!(fields, ["a", "b", "c", "e", "d"]);
    assert_eq!(Template::new("line", "{{.a}}").unwrap().only_field(), Some("a"));
    for template in ["{{.a.b}}", "{{.a}} ", "{{.a | lower}}", "{{$x := .a}}"] {
        assert_eq!(Template::new("line", template).unwrap().only_field(), None);
    }
}
