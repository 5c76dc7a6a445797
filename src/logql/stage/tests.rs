//! Every stage, seen from outside: stages and lines in, lines and labels out. Most rows are what
//! Loki 3.7.6 was seen to answer.

use crate::labels::LabelSet;
use crate::logql::random::Random;
use crate::logql::{Clock, Expr, MetricExpr, Needs, Pipeline, parse};

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

fn compile(stages: &str) -> Result<Pipeline, String> {
    let Expr::Log(log) = parse(&format!("{{x=\"y\"}} {stages}")).unwrap() else { unreachable!() };
    Pipeline::compile(&log.stages).map_err(|error| error.to_string())
}

/// What becomes of a line: `name="value"` sorted by name, then ` -> line` if the line changed;
/// `dropped` if it did not pass.
fn outcome(stages: &str, stream: &LabelSet, metadata: &LabelSet, line: &str) -> String {
    let pipeline = compile(stages).unwrap();
    let mut runner = pipeline.runner(stream);
    for _ in 0..2 {
        // The second run must not see anything of the first.
        runner.run(0, b"{\"zz\":\"zz\"} zz=zz", &set(&[("zz", "zz")]));
    }
    let Some(passed) = runner.run(1_767_607_200_000_000_000, line.as_bytes(), metadata) else {
        return "dropped".to_owned();
    };
    let mut labels: Vec<String> = match passed.labels {
        Some(labels) => labels.all().map(|(name, value)| format!("{name}={value:?}")).collect(),
        None => stream.iter().chain(metadata.iter()).map(|(name, value)| format!("{name}={value:?}")).collect(),
    };
    labels.sort();
    let new_line = if passed.line == line.as_bytes() {
        String::new()
    } else {
        format!(" -> {}", String::from_utf8_lossy(passed.line))
    };
    labels.join(" ") + &new_line
}

fn check(rows: &[(&str, &str, &str)]) {
    for (line, stages, expected) in rows {
        assert_eq!(outcome(stages, &LabelSet::default(), &LabelSet::default(), line), *expected, "{line} {stages}");
    }
}

#[test]
#[rustfmt::skip]
fn json() {
    check(&[
        (r#"{"a":"x","b":1,"c":true,"d":null,"e":1.50,"f":{"g":"h","i":{"j":2}},"k":[1],"l":"","m m":"s","1p":"x","":"z"}"#, "| json",
            r#"_1p="x" a="x" b="1" c="true" e="1.50" f_g="h" f_i_j="2" l="" m_m="s""#),
        (r#"{"a":"1","a":"2"}"#, "| json", r#"a="1""#),
        (r#"{"a_b":"2","a":{"b":"1"}}"#, "| json", r#"a_b="2""#),
        (r#"{"f":{"":"e","2":"t"}}"#, "| json", r#"f="e" f_2="t""#),
        (r#"  {"a":"1",} trailing"#, "| json", r#"a="1""#),
        (r#"{"a":"1","b":}"#, "| json | drop __error_details__", r#"__error__="JSONParserErr" a="1""#),
        (r#"{"\u00e9x":"1"}"#, "| json", r#"_x="1""#),
        ("[1]", "| json", r#"__error__="JSONParserErr" __error_details__="Value looks like object, but can't find closing '}' symbol""#),
        ("", "| json | __error__!=\"\" | drop __error_details__", r#"__error__="JSONParserErr""#),
        (r#"{"__error__":"zz"}"#, "| json", r#"__error__="zz""#),
        (r#"{"__error__":"zz"}"#, "| json | drop __error__", r#"__error__="zz""#),
        (r#"{"a":{"a":{"a":1}}}"#, "| json", r#"a_a_a="1""#),
    ]);
    let deep = format!("{}1{}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    let small = std::thread::Builder::new().stack_size(256 * 1024);
    let deep = small.spawn(move || outcome("| json | json x=\"a.a\" | unpack | keep nothing", &LabelSet::default(), &LabelSet::default(), &deep));
    assert_eq!(deep.unwrap().join().unwrap(), "");
}

#[test]
fn labels_of_one_line_are_forgotten_at_the_next() {
    let line = |prefix: &str| {
        let members: Vec<String> = (0..50).map(|n| format!("\"{prefix}{n}\":{n}")).collect();
        format!("{{{0},{0}}}", members.join(","))
    };
    let pipeline = compile("| json").unwrap();
    let none = LabelSet::default();
    let mut runner = pipeline.runner(&none);
    for prefix in ["a", "b", "a"] {
        let line = line(prefix);
        let passed = runner.run(0, line.as_bytes(), &none).unwrap();
        let labels = passed.labels.unwrap();
        assert_eq!((labels.all().count(), labels.get(&format!("{prefix}7"))), (50, Some("7")));
    }
}

#[test]
fn many_labels_are_told_apart() {
    let members: Vec<String> = (0..200).map(|n| format!("\"k{n}\":{n}")).collect();
    let line = format!("{{{},{}}}", members.join(","), members.join(",").replace(":1", ":7"));
    let none = LabelSet::default();
    assert_eq!(outcome("| json | k7=\"7\" | keep k3, k19", &none, &none, &line), "k19=\"19\" k3=\"3\"");
    assert_eq!(outcome("| json | drop k0, k199 | json | k199=\"\" | keep k199", &none, &none, &line), "");
    let metadata: Vec<(String, String)> = (0..40).map(|n| (format!("k{n}"), "m".to_owned())).collect();
    let stages = "| json | drop k190 | label_format k190=k191 | keep k190, k5, k5_extracted";
    assert_eq!(outcome(stages, &none, &LabelSet::new(metadata), &line), "k190=\"191\" k5=\"m\" k5_extracted=\"5\"");
}

#[test]
#[rustfmt::skip]
fn json_fields() {
    check(&[
        (r#"{"pod":{"dep":{"params":[{"param":true},2,null]}},"arr":["a","b"],"obj":{"k": "v"},"n":1.0}"#,
            r#"| json y="pod.dep.params[0].param", z="pod.dep.params[1]", q="pod.dep.params[2]", oob="arr[9]", arr, obj, n"#,
            r#"arr="[\"a\",\"b\"]" n="1.0" obj="{\"k\": \"v\"}" oob="" q="" y="true" z="2""#),
        (r#"{"any key":{"x.y":"\u00e9"}}"#, r#"| json v="[\"any key\"][\"x.y\"]""#, r#"v="é""#),
        ("[1,[2,3]]", r#"| json v="[1][0]""#, r#"v="2""#),
        ("", "| json v", ""),
        ("not json", "| json v", r#"__error__="JSONParserErr""#),
        (r#" {"v":1}"#, "| json v", r#"__error__="JSONParserErr""#),
        ("{v:1}", "| json v", r#"v="""#),
        (r#"{"v":"unterminated"#, "| json v | drop __error_details__", r#"__error__="JSONParserErr" v="""#),
        (r#"{"a":"1","b":"2"}"#, r#"| json | json a="b""#, r#"a="2" b="2""#),
    ]);
}

#[test]
#[rustfmt::skip]
fn logfmt() {
    let line = r#"a=1 b="two words" c d= e="" g=x=y h=z"#;
    check(&[
        (line, "| logfmt", r#"a="1" b="two words" h="z""#),
        (line, "| logfmt --keep-empty", r#"a="1" b="two words" c="" d="" e="" h="z""#),
        (line, "| logfmt --strict", r#"__error__="LogfmtParserErr" __error_details__="logfmt syntax error at pos 32 : unexpected '='" a="1" b="two words""#),
        ("a=1 a=2 b=3", "| logfmt", r#"a="1" b="3""#),
        (r#"a"b=1 c=2"#, "| logfmt", r#"c="2""#),
        (r#"level=info,msg="x""#, "| logfmt", ""),
        ("1a=x b-c=y", "| logfmt", r#"_1a="x" b_c="y""#),
        (r#"a="x"b=2 u="\u00e9\"" bad="\q""#, "| logfmt", r#"a="x" b="2" u="é\"""#),
        (r#"a=1 b="open"#, "| logfmt --strict | drop __error_details__", r#"__error__="LogfmtParserErr" a="1""#),
        ("plain text", "| logfmt", ""),
        (r#"a=1 b="two words" a=9"#, r#"| logfmt a="b", b="a""#, r#"a="two words" b="9""#),
        ("a=1 a=9", "| logfmt missing", r#"missing="""#),
        ("sp-x=3", r#"| logfmt spx="sp_x""#, r#"spx="3""#),
        ("a=1", r#"| logfmt x="a", y="a""#, r#"x="1" y="1""#),
    ]);
}

#[test]
#[rustfmt::skip]
fn regexp_pattern_and_unpack() {
    check(&[
        ("x [db] slow 900ms", r"| regexp `\[(?P<comp>\w+)\].* (?P<1x>\d+)ms(?P<z>z)?`", r#"_1x="900" comp="db" z="""#),
        ("nothing", r#"| regexp "(?P<n>\\d)""#, ""),
        ("1 2", r#"| regexp "(?P<n>\\d)" | regexp "(?P<n>\\d)$""#, r#"n="1""#),
        ("10.0.0.1 - GET /x 200", r#"| pattern "<ip> - <method> <path> <status>""#, r#"ip="10.0.0.1" method="GET" path="/x" status="200""#),
        ("10.0.0.1 - GET", r#"| pattern "<ip> - <method> <path> <status>""#, r#"ip="10.0.0.1" method="GET""#),
        ("no", r#"| pattern "<ip> - <method>""#, r#"ip="no""#),
        ("GET /x", r#"| pattern "POST <p>""#, ""),
        ("a  b   c", r#"| pattern "<a> <b> <_>""#, r#"a="a" b="""#),
        ("", r#"| pattern "<a>""#, ""),
        (r#"{"container":"c","n":1,"_entry":"hel\"lo","d":"1","d":"2"}"#, "| unpack", r#"container="c" d="2" -> hel"lo"#),
        (r#"{"container":"c"}"#, "| unpack", ""),
        ("", "| unpack", ""),
        (" {}", "| unpack", r#"__error__="JSONParserErr" __error_details__="expecting json object(6), but it is not""#),
        (r#"{"_entry":"bad"#, "| unpack | drop __error_details__", r#"__error__="JSONParserErr""#),
        (r#"{"_entry":"in x"}"#, r#"| unpack |= "in x""#, " -> in x"),
    ]);
}

#[test]
#[rustfmt::skip]
fn label_filters() {
    let values = "n=10 z=oops size=5kb dur=1d e=1500ms neg=-1 nan=NaN ip=10.1.2.3 empty=\"\"";
    for (filter, expected) in [
        ("n > 9", true), ("n >= 10.5", false), ("n = 10", true), ("n == 10", true), ("n != 10", false),
        ("z > 9 | __error__=\"LabelFilterErr\"", true), ("z > 9 | __error__=\"\"", false),
        ("missing != 5", false), ("missing != \"5\"", true), ("missing > 5s", false), ("missing < 5KB", false),
        ("size = 5KB", true), ("size > 4.9KiB", false),
        ("dur > 1h | __error__!=\"\"", true), ("e = 1.5s", true), ("e < 2s and e > 1s", true),
        ("neg < 0", true), ("nan = 1", false), ("nan != 1", true),
        ("ip = ip(\"10.0.0.0/8\")", true), ("ip != ip(\"10.0.0.0/8\")", false), ("missing != ip(\"10.0.0.0/8\")", false),
        ("n = \"10\" or z > 9 | __error__=\"\"", true), ("n = \"11\" or z > 9 | __error__!=\"\"", true),
        ("n =~ \"1.\"", true), ("n =~ \"1\"", false), ("n !~ \"1\"", true), ("missing =~ \"|x\"", true),
        ("(n > 5 or n > 50) and n < 20", true),
        ("(n > 50 and z > 1) or n = 10 | __error__!=\"\"", true),
        ("z > 9 | ip = ip(\"1.1.1.1\")", true),
    ] {
        let passes = outcome(&format!("| logfmt --keep-empty | {filter}"), &LabelSet::default(), &LabelSet::default(), values) != "dropped";
        assert_eq!(passes, expected, "{filter}");
    }
    check(&[
        ("d=10", "| logfmt | d > 1s", r#"__error__="LabelFilterErr" __error_details__="time: missing unit in duration \"10\"" d="10""#),
        ("d=x", "| logfmt | d > 1", r#"__error__="LabelFilterErr" __error_details__="strconv.ParseFloat: parsing \"x\": invalid syntax" d="x""#),
        ("d=5xx", "| logfmt | d > 1KB", r#"__error__="LabelFilterErr" __error_details__="unhandled size name: xx" d="5xx""#),
    ]);
}

#[test]
#[rustfmt::skip]
fn formats() {
    let ab = "a=A b=B";
    check(&[
        (ab, r#"| logfmt | label_format a="x", z="{{.a}}""#, r#"a="x" b="B" z="A""#),
        (ab, r#"| logfmt | label_format z=b, y="{{.z}}{{.b}}""#, r#"a="A" y="B" z="B""#),
        (ab, "| logfmt | label_format a=nope", r#"a="A" b="B""#),
        (ab, r#"| logfmt | label_format n="{{.nope}}""#, r#"a="A" b="B" n="""#),
        (ab, "| logfmt | label_format a=a", r#"b="B""#),
        (ab, "| logfmt | label_format a=b, b=a", r#"b="B""#),
        (ab, r#"| logfmt | label_format x="{{__line__ | trunc 3}}" | keep x"#, r#"x="a=A""#),
        (ab, r#"| logfmt | label_format x="{{div 1 0}}", y="{{.a}}" | drop __error_details__, b"#, r#"__error__="TemplateFormatErr" a="A" y="A""#),
        (ab, r#"| logfmt | line_format "{{.b}}-{{.c}}-{{.a}}" | drop a, b"#, " -> B--A"),
        (ab, r#"| logfmt | line_format "{{.c}}" | drop a, b"#, " -> "),
        (ab, r#"| logfmt | line_format "{{.b}}" | line_format "[{{__line__}}]" |= "[B]" | drop a, b"#, " -> [B]"),
        (ab, r#"| line_format "{{div 1 0}}" | drop __error_details__"#, r#"__error__="TemplateFormatErr""#),
        ("x", r#"| json | line_format "[{{.__error__}}]" | drop __error__, __error_details__"#, " -> [JSONParserErr]"),
        ("x", r#"| json | line_format "{{.__error__}}" | drop __error__, __error_details__"#, " -> "),
        ("\x1b[31mred\x1b[0m plain", "| decolorize", " -> red plain"),
        ("\x1b[31mred\x1b[0m plain", r#"| decolorize |= "red plain""#, "dropped"),
        ("plain é", "| decolorize", ""),
    ]);
    for (stages, message) in [
        (r#"| label_format x=y,x="{{.x}}""#, r#"stage '| label_format x=y,x="{{.x}}"' : multiple label name 'x' not allowed in a single format operation"#),
        (r#"| label_format __error__="a""#, r#"stage '| label_format __error__="a"' : __error__ cannot be formatted"#),
        (r#"| label_format x="{{.a""#, r#"stage '| label_format x="{{.a"' : invalid template for label 'x': template: label:1: unclosed action"#),
        (r#"| line_format "{{.x""#, r#"stage '| line_format "{{.x"' : invalid line template: template: line:1: unclosed action"#),
        (r#"| json foo="a..b""#, r#"stage '| json foo="a..b"' : cannot parse expression [a..b]: syntax error: unexpected DOT, expecting FIELD"#),
        (r#"| logfmt foo="a.b""#, r#"stage '| logfmt foo="a.b"' : cannot parse expression [a.b]: unexpected char ."#),
    ] {
        assert_eq!(compile(stages).unwrap_err(), format!("parse error : {message}"));
    }
}

/// Stream labels, metadata and parsed labels beside each other.
#[test]
#[rustfmt::skip]
fn three_kinds_of_labels() {
    let (stream, metadata) = (set(&[("app", "st")]), set(&[("tid", "sm1")]));
    let line = r#"{"app":"js","tid":"jt","a":"A"}"#;
    for (stages, expected) in [
        ("", r#"app="st" tid="sm1""#),
        ("| json", r#"a="A" app="st" app_extracted="js" tid="sm1" tid_extracted="jt""#),
        ("| drop app | json", r#"a="A" app_extracted="js" tid="sm1" tid_extracted="jt""#),
        ("| drop tid | json", r#"a="A" app="st" app_extracted="js" tid="jt""#),
        (r#"| label_format app="re" | json"#, r#"a="A" app="re" app_extracted="js" tid="sm1" tid_extracted="jt""#),
        (r#"| json | app="js""#, "dropped"),
        (r#"| json | app_extracted="js" | keep a"#, r#"a="A""#),
        (r#"| tid="sm1""#, r#"app="st" tid="sm1""#),
        ("| json app, b | keep app_extracted, b, b_extracted", r#"app_extracted="js" b="""#),
        ("| json app=\"nope\"", r#"app="st" tid="sm1""#),
        ("| json | drop a | json | keep a", ""),
        ("| label_format tid=app", r#"tid="st""#),
        ("| label_format new=tid", r#"app="st" new="sm1""#),
        ("| keep nope", ""),
        (r#"| keep app="st", tid="other""#, r#"app="st""#),
        (r#"| drop app="other", tid=~"sm.""#, r#"app="st""#),
        ("| unpack | keep a", ""),
    ] {
        assert_eq!(outcome(stages, &stream, &metadata, line), expected, "{stages}");
    }
    let error = set(&[("__error__", "given"), ("app", "sm")]);
    assert_eq!(outcome("", &stream, &error, line), r#"__error__="given" app="st" app_extracted="sm""#);
    assert_eq!(outcome("| drop __error__", &stream, &error, line), r#"app="st" app_extracted="sm""#);
}

#[test]
fn what_changed_is_told_by_kind() {
    let (stream, metadata) = (set(&[("app", "st"), ("env", "e")]), set(&[("tid", "sm1"), ("uid", "u")]));
    let pipeline = compile(r#"| json | label_format app="new" | drop uid"#).unwrap();
    let mut runner = pipeline.runner(&stream);
    let passed = runner.run(0, br#"{"level":"error","tid":"z"}"#, &metadata).unwrap();
    let labels = passed.labels.unwrap();
    assert_eq!(labels.stream().collect::<Vec<_>>(), [("env", "e")]);
    assert_eq!(labels.structured_metadata().collect::<Vec<_>>(), [("tid", "sm1")]);
    assert_eq!(labels.parsed().collect::<Vec<_>>(), [("level", "error"), ("tid_extracted", "z"), ("app", "new")]);
    assert_eq!((labels.get("app"), labels.get("uid"), labels.error()), (Some("new"), None, None));
}

#[test]
fn unwrap_reads_a_number() {
    for (unwrap, line, expected) in [
        ("unwrap v", "v=1.5", Some((1.5, ""))),
        ("unwrap v", "v=0x1p4", Some((16.0, ""))),
        ("unwrap v", "w=1", None),
        ("unwrap v", "v=\"\"", None),
        ("unwrap v", "v=x", Some((0.0, "SampleExtractionErr"))),
        ("unwrap bytes(v)", "v=1.5KiB", Some((1536.0, ""))),
        ("unwrap duration(v)", "v=1m30s", Some((90.0, ""))),
        ("unwrap duration_seconds(v)", "v=250ms", Some((0.25, ""))),
        ("unwrap v | __error__=\"\"", "v=x", None),
        ("unwrap v | v > 1", "v=1", None),
    ] {
        let query = format!("sum_over_time({{x=\"y\"}} | logfmt --keep-empty | {unwrap} [5m])");
        let Ok(Expr::Metric(MetricExpr::Range(range))) = parse(&query) else { unreachable!() };
        let clock = Clock::default();
        let pipeline = Pipeline::compile_for_samples(&range, Needs::All, &clock).unwrap();
        let none = LabelSet::default();
        let mut runner = pipeline.runner(&none);
        let passed = runner.run(0, line.as_bytes(), &none);
        let sample = passed.map(|passed| (passed.value.unwrap(), passed.labels.unwrap().error().unwrap_or("")));
        assert_eq!(sample, expected, "{unwrap} of {line}");
    }
}

/// Lines, what the aggregation needs, and each line's labels; "none" for no sample.
#[test]
#[rustfmt::skip]
fn a_metric_query_extracts_what_it_needs() {
    let lines = [r#"{"n":"5","k":"v"}"#, "notjson", r#"{"n":"x"}"#, r#"{"m":1}"#, r#"{"n":"7","k":"w""#];
    let n = || vec!["n".to_owned()];
    let error = || vec!["__error__".to_owned()];
    let json_error = r#"__error__="JSONParserErr""#;
    for (query, by, expected) in [
        ("count_over_time(S | json [5m])", Some(vec![]), ["", "", "", "", ""]),
        ("count_over_time(S | json [5m])", Some(n()), [r#"n="5""#, json_error, r#"n="x""#, "", r#"n="7""#]),
        ("count_over_time(S | json [5m])", None, [r#"k="v" n="5""#, json_error, r#"n="x""#, r#"m="1""#, r#"__error__="JSONParserErr" k="w" n="7""#]),
        (r#"count_over_time(S | json | n="5" [5m])"#, Some(vec![]), [r#"n="5""#, "none", "none", "none", "none"]),
        (r#"count_over_time(S | json | __error__!="" [5m])"#, Some(vec![]), ["none", r#"__error__="JSONParserErr" __preserve_error__="true""#, "none", "none", r#"__error__="JSONParserErr" __preserve_error__="true""#]),
        ("count_over_time(S | json [5m])", Some(error()), ["", r#"__error__="JSONParserErr" __preserve_error__="true""#, "", "", r#"__error__="JSONParserErr" __preserve_error__="true""#]),
        (r#"count_over_time(S | json | line_format "{{div 1 0}}" [5m])"#, Some(vec![]), ["", "", "", "", ""]),
        (r#"sum_over_time(S | json | unwrap n | __error__="" [5m])"#, Some(vec![]), [r#"n="5""#, "none", "none", "none", "none"]),
        (r#"count_over_time(S | json | label_format a=n | k=~".*" | drop n [5m])"#, Some(vec![]), [r#"a="5""#, json_error, r#"a="x""#, "", r#"a="7""#]),
    ] {
        let query = query.replace('S', "{x=\"y\"}");
        let Ok(Expr::Metric(MetricExpr::Range(range))) = parse(&query) else { unreachable!() };
        let needs = by.as_ref().map_or(Needs::All, |by| Needs::Labels(by));
        let pipeline = Pipeline::compile_for_samples(&range, needs, &Clock::default()).unwrap();
        let none = LabelSet::default();
        let mut runner = pipeline.runner(&none);
        let seen = lines.map(|line| match runner.run(0, line.as_bytes(), &none) {
            None => "none".to_owned(),
            Some(passed) => {
                let labels = passed.labels.iter().flat_map(crate::logql::LineLabels::all);
                let shown = labels.filter(|(name, _)| *name != "__error_details__");
                let mut shown: Vec<String> = shown.map(|(name, value)| format!("{name}={value:?}")).collect();
                shown.sort();
                shown.join(" ")
            }
        });
        assert_eq!(seen, expected, "{query} {by:?}");
    }
}

#[test]
fn only_functions_over_bytes_need_the_formatted_line() {
    for (function, length) in [("bytes_over_time", 3), ("count_over_time", 8)] {
        let query = format!("{function}({{x=\"y\"}} | line_format \"new\" [5m])");
        let Ok(Expr::Metric(MetricExpr::Range(range))) = parse(&query) else { unreachable!() };
        let pipeline = Pipeline::compile_for_samples(&range, Needs::All, &Clock::default()).unwrap();
        let none = LabelSet::default();
        assert_eq!(pipeline.runner(&none).run(0, b"old line", &none).unwrap().line.len(), length, "{function}");
    }
}

/// Random lines, among them some that are no UTF-8: no stage panics, and no label is there twice.
#[test]
fn random_lines_do_no_harm() {
    const PIECES: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ":",
        ",",
        "a",
        "1",
        "=",
        " ",
        "\\u00e9",
        "\\ud83d",
        "é",
        "null",
        "true",
        "-",
        "_entry",
        "\"a\":",
        "\"b\":{",
        "a=\"x\" ",
        "b=",
        "\u{1b}[31m",
        "\u{9b}",
        "\u{fffd}",
        "BROKEN",
        "10.1.2.3",
        "::1",
        "<",
        "\n",
        ".",
    ];
    let stages = [
        "| json | unpack | logfmt --strict | a > 5 or b < 5s or c = 5KB",
        "| json x=\"a.b[0]\", y=\"[1]\" | keep x",
        "| logfmt --keep-empty | label_format b=a, c=\"{{.a}}{{fromJson .b}}\"",
        "| logfmt a, z=\"b\" | drop a",
        "| pattern \"<a>=<b> <c>\" | regexp \"(?P<d>.)(?P<e>\\\\S*)$\"",
        "| decolorize | line_format \"{{__line__ | trunc 5 | title}}\" | json",
        "|= ip(\"10.0.0.0/8\") or ip(\"::/0\") |> \"<_>1<_>\" !~ \"(?i)A.é\" | unpack",
    ];
    let pipelines = stages.map(|stages| compile(stages).unwrap());
    let stream = set(&[("a", "st"), ("s", "v")]);
    let mut runners: Vec<_> = pipelines.iter().map(|pipeline| pipeline.runner(&stream)).collect();
    let mut random = Random::new();
    for _ in 0..4000 {
        let line = random.text(PIECES, 14);
        let broken: Vec<u8> = line.split("BROKEN").map(str::as_bytes).collect::<Vec<_>>().join(&0xe2);
        for runner in &mut runners {
            if let Some(labels) = runner.run(0, &broken, &set(&[("b", "m")])).and_then(|passed| passed.labels) {
                let mut names: Vec<&str> = labels.all().map(|(name, _)| name).collect();
                let count = names.len();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), count, "{line}");
            }
        }
    }
}
