//! What parses to what, and the words for what does not.

use super::*;
use crate::logql::random::Random;
use crate::logql::{LabelFilter, MetricExpr, Stage};

/// Text, and the canonical text of its tree; empty if that is the text itself.
#[rustfmt::skip]
const GRAMMAR: &[(&str, &str)] = &[
    (r#"{a="b"}"#, ""),
    (r#"{a="b",c!="d" , e=~"f.*",g!~`h\d`}"#, r#"{a="b", c!="d", e=~"f.*", g!~"h\\d"}"#),
    (r#"({a="b"} |= "x")"#, r#"{a="b"} |= "x""#),
    (r#"{sum="c"} | duration > 5s | keep count, avg"#, r#"{sum="c"} | duration>5s | keep count,avg"#),
    (r#"{a="b"}|="x" or "y"!~"z" or "w""#, r#"{a="b"} |= "x" or "y" !~ "z" !~ "w""#),
    (r#"{a="b"} | x != "y" != "z""#, r#"{a="b"} | x!="y" != "z""#),
    (r#"{a="b"} | JSON | json x, y="z[0].w""#, r#"{a="b"} | json | json x="x",y="z[0].w""#),
    (r#"{a="b"} | logfmt --keep-empty --strict --strict x"#, r#"{a="b"} | logfmt --strict --keep-empty x="x""#),
    (r#"{a="b"} | regexp "(?P<x>.)" | pattern "<x> y" | unpack | decolorize"#, ""),
    (r#"{a="b"} | line_format "{{.x}}" | label_format a=b, c="d""#, r#"{a="b"} | line_format "{{.x}}" | label_format a=b,c="d""#),
    (r#"{a="b"} | drop a, b=~"c", d!="e""#, r#"{a="b"} | drop a,b=~"c",d!="e""#),
    (r#"{a="b"} | x=5KB or x==1.5 and y!=-1h30m"#, r#"{a="b"} | ( x==5.0kB or ( x==1.5 , y!=-1h30m0s ) )"#),
    (r#"{a="b"} | x=ip("::1") , y!=ip("10.0.0.0/8")"#, r#"{a="b"} | ( x=ip("::1") , y!=ip("10.0.0.0/8") )"#),
    (r#"{a="b"} | x=~"a[bc]d" | y!~"ab""#, "{a=\"b\"} | x=~`a[bc]d` | y!~\"ab\""),
    ("# c\nrate( {a=\"b\"}[5m] |= `x` )", r#"rate({a="b"} |= "x"[5m])"#),
    (r#"rate(({a="b"} |= "x")[1d12h] offset -1h)"#, r#"rate({a="b"} |= "x"[1d12h] offset -1h0m0s)"#),
    (r#"sum_over_time({a="b"} | unwrap bytes(x) | __error__="" [1m])"#, r#"sum_over_time({a="b"} | unwrap bytes(x) | __error__=""[1m])"#),
    (r#"sum_over_time(({a="b"})[1m] | unwrap x)"#, r#"sum_over_time({a="b"} | unwrap x[1m])"#),
    (r#"sum_over_time((({a="b"} | unwrap x)[1m] offset 1s))"#, r#"sum_over_time({a="b"} | unwrap x[1m] offset 1s)"#),
    (r#"sum_over_time({a="b"} | unwrap bytes [1m])"#, r#"sum_over_time({a="b"} | unwrap bytes[1m])"#),
    (r#"quantile_over_time(.99, {a="b"} | unwrap duration(x) [5m]) by (x, y)"#, r#"quantile_over_time(0.99,{a="b"} | unwrap duration(x)[5m]) by (x,y)"#),
    (r#"SUM BY (x) (RATE({a="b"}[5m]))"#, r#"sum by (x)(rate({a="b"}[5m]))"#),
    (r#"sum(rate({a="b"}[5m])) without (x)"#, r#"sum without (x)(rate({a="b"}[5m]))"#),
    (r#"avg without () (rate({a="b"}[5m]))"#, r#"avg without ()(rate({a="b"}[5m]))"#),
    (r#"max by () (rate({a="b"}[5m]))"#, r#"max(rate({a="b"}[5m]))"#),
    (r#"topk by (x) (2, rate({a="b"}[5m]))"#, r#"topk by (x)(2,rate({a="b"}[5m]))"#),
    ("sort_desc(vector(1)) by ()", "sort_desc(vector(1.000000))"),
    ("vector(1) + on (x) group_left (y, z) vector(2)", "(vector(1.000000) + on (x) group_left (y,z) vector(2.000000))"),
    ("vector(1) > bool ignoring () group_right vector(2)", "(vector(1.000000) > bool ignoring () group_right () vector(2.000000))"),
    (r#"label_replace(vector(1), "a", "$1", "b", "(.*)")"#, r#"label_replace(vector(1.000000),"a","$1","b","(.*)")"#),
];

#[test]
fn parses_the_whole_grammar() {
    for &(text, canonical) in GRAMMAR {
        let printed = parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_string();
        assert_eq!(printed, if canonical.is_empty() { text } else { canonical }, "{text}");
    }
}

#[test]
fn operators_bind_and_constants_fold() {
    for (text, value) in [
        ("2^3^2", 512.0),
        ("1-2-3", -4.0),
        ("2*3%4", 2.0),
        ("-1^2", 1.0),
        ("1--1", 2.0),
        ("2 * -1", -2.0),
        ("1+2*3", 7.0),
        ("1 > 2", 0.0),
        ("1 > bool 0", 1.0),
        ("(1+2)*3", 9.0),
        ("010", 10.0),
        ("0x1p4", 16.0),
        ("1 == 1 + 0", 1.0),
        ("10 - 4 / 2", 8.0),
    ] {
        assert_eq!(parse(text), Ok(Expr::Metric(MetricExpr::Literal(value))), "{text}");
    }
    for (text, tree) in [
        ("vector(1) or vector(2) and vector(3)", "(vector(1.000000) or (vector(2.000000) and vector(3.000000)))"),
        ("vector(1) > 2 + 3", "(vector(1.000000) > 5)"),
        ("vector(1) - 2 - 3", "((vector(1.000000) - 2) - 3)"),
        ("vector(2) ^ vector(3) ^ 2", "(vector(2.000000) ^ (vector(3.000000) ^ 2))"),
        ("vector(1) unless vector(2) == 1", "(vector(1.000000) unless (vector(2.000000) == 1))"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), tree);
    }
}

#[test]
fn label_filters_bind_as_observed() {
    for (text, tree) in [
        ("x>1 or y>2 and z>3", "( x>1 or ( y>2 , z>3 ) )"),
        ("x>1 and y>2 or z>3", "( ( x>1 , y>2 ) or z>3 )"),
        ("x>1 or y>2 , z>3", "( x>1 or ( y>2 , z>3 ) )"),
        ("x>1 or y>2 z>3", "( x>1 or ( y>2 , z>3 ) )"),
        ("x>1 , z>3 or y>2", "( x>1 , ( z>3 or y>2 ) )"),
        ("w>1 or x>1 and y>2 , z>3 or v>4", "( w>1 or ( x>1 , ( y>2 , ( z>3 or v>4 ) ) ) )"),
        ("x>1 or y>2 or z>3", "( ( x>1 or y>2 ) or z>3 )"),
        ("(x>1 or y>2) and z>3", "( ( x>1 or y>2 ) , z>3 )"),
        ("x>1 or y>2 | z>3", "( x>1 or y>2 ) | z>3"),
    ] {
        let expr = parse(&format!(r#"{{a="b"}} | {text}"#)).unwrap();
        assert_eq!(expr.to_string(), format!(r#"{{a="b"}} | {tree}"#), "{text}");
    }
}

/// Text, and what follows "parse error" in the error it gives.
#[rustfmt::skip]
const ERRORS: &[(&str, &str)] = &[
    ("", " : syntax error: unexpected $end"),
    ("hello world", " at line 1, col 1: syntax error: unexpected IDENTIFIER"),
    ("{", " at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }"),
    (r#"{ds="web""#, " at line 1, col 10: syntax error: unexpected $end, expecting } or ,"),
    (r#"{ds="web"}}"#, " at line 1, col 11: syntax error: unexpected }"),
    (r#"{ds="web"} || json"#, " at line 1, col 13: syntax error: unexpected |"),
    (r#"{ds="web"} | parse"#, " at line 1, col 19: syntax error: unexpected $end"),
    (r#"{ds="web"} | "abc""#, " at line 1, col 14: syntax error: unexpected STRING"),
    (r#"{ds="web"} | json | status=$status"#, " at line 1, col 28: syntax error: unexpected IDENTIFIER"),
    ("{ds=“web”}", " at line 1, col 5: syntax error: unexpected IDENTIFIER, expecting STRING"),
    ("{ds=\"web\"}\n|= \"a\"\n|= ", " at line 3, col 4: syntax error: unexpected $end, expecting STRING or ip"),
    (r#"count_over_time({ds="web"}[5m]) offset 5m"#, " at line 1, col 33: syntax error: unexpected offset"),
    (r#"count_over_time({ds="web"}[5m] @ 5)"#, " at line 1, col 32: syntax error: unexpected IDENTIFIER, expecting )"),
    ("(1 + 2", " at line 1, col 7: syntax error: unexpected $end"),
    (r#"{json="x"}"#, " at line 1, col 2: syntax error: unexpected json, expecting IDENTIFIER or }"),
    (r#"{ds="web" |= "x"}"#, " at line 0, col 11: syntax error: unexpected |=, expecting } or ,"),
    ("sum(", " at line 1, col 5: syntax error: unexpected $end"),
    (r#"{ds="json"} | json --strict"#, " at line 0, col 20: syntax error: unexpected FUNCTION_FLAG"),
    (r#"{ds="web",}"#, " at line 1, col 11: syntax error: unexpected }, expecting IDENTIFIER"),
    ("{ds='web'}", " at line 1, col 5: invalid char literal"),
    (r#"{ds="web"} |= "\q""#, " at line 1, col 15: invalid char escape"),
    (r#"{ds="web"}[5m]"#, " at line 0, col 11: syntax error: unexpected RANGE"),
    (r#"({a="b"}) |= "x""#, " at line 0, col 11: syntax error: unexpected |="),
    (r#"count_over_time({ds="web"})"#, " at line 1, col 27: syntax error: unexpected )"),
    (r#"sum({ds="web"})"#, " at line 1, col 15: syntax error: unexpected )"),
    (r#"sum by x (rate({a="b"}[5m]))"#, " at line 1, col 1: syntax error: unexpected IDENTIFIER"),
    (r#"-sum(rate({a="b"}[5m]))"#, " at line 1, col 2: syntax error: unexpected SUM, expecting NUMBER"),
    (r#"quantile_over_time(-1, {a="b"} | unwrap v [5m])"#, " at line 1, col 20: syntax error: unexpected -, expecting NUMBER or { or ("),
    (r#"sum_over_time({a="b"} | unwrap v | unwrap w [5m])"#, " at line 1, col 36: syntax error: unexpected unwrap, expecting IDENTIFIER or ("),
    (r#"sum_over_time({a="b"} | unwrap celsius(val) [5m])"#, " at line 1, col 39: syntax error: unexpected (, expecting RANGE or |"),
    (r#"{a="b"} | unwrap x"#, " at line 1, col 11: syntax error: unexpected unwrap"),
    (r#"{a="b"} | x == "1""#, " at line 1, col 16: syntax error: unexpected STRING"),
    (r#"{a="b"} | drop json"#, " at line 1, col 16: syntax error: unexpected json, expecting IDENTIFIER"),
    (r#"rate({a="b"} |= "x" [5m] | json)"#, " at line 1, col 26: syntax error: unexpected |, expecting )"),
    ("topk(-1, vector(1))", " at line 1, col 8: syntax error: unexpected ,"),
    ("vector(-1)", " at line 1, col 8: syntax error: unexpected -, expecting NUMBER"),
    ("rate({a=\"b\"}[1.5h])", " at line 0, col 13: unknown unit \".\" in duration \"1.5h\""),
    ("0x10", " : unable to parse literal as a float: strconv.ParseFloat: parsing \"0x10\": invalid syntax"),
    (r#"{a="b"} + 1"#, " : unexpected type for left leg of binary operation (+): *syntax.MatchersExpr"),
    (r#"1 / {a="b"} |= "x""#, " : unexpected type for right leg of binary operation (/): *syntax.PipelineExpr"),
    ("vector(1) and 2", " : unexpected literal for right leg of logical/set binary operation (and): 2.000000"),
    (r#"avg_over_time({a="b"}[5m])"#, " : invalid aggregation avg_over_time without unwrap"),
    (r#"count_over_time({a="b"} | unwrap x [5m])"#, " : invalid aggregation count_over_time with unwrap"),
    (r#"rate({a="b"}[5m]) by (x)"#, " : grouping not allowed for rate aggregation"),
    (r#"sum_over_time({a="b"} | unwrap x [5m]) by (x)"#, " : grouping not allowed for sum_over_time aggregation"),
    ("approx_topk by (x) (2, vector(1))", " : grouping not allowed for approx_topk aggregation"),
    (r#"avg_over_time(0.5, {a="b"} | unwrap x [5m])"#, " : parameter 0.5 not supported for operation avg_over_time"),
    (r#"quantile_over_time({a="b"} | unwrap x [5m])"#, " : parameter required for operation quantile_over_time"),
    ("topk(vector(1))", " : parameter required for operation topk"),
    ("topk(1.5, vector(1))", " : invalid parameter topk(1.5,"),
    ("topk(0, vector(1))", " : invalid parameter (must be greater than 0) topk(0"),
    ("sum(2, vector(1))", " : unsupported parameter for operation sum(2,"),
    ("sort(vector(1)) by (x)", " : sort and sort_desc doesn't allow grouping by "),
    (r#"{a="b"} | regexp "x""#, " : invalid regexp parser: at least one named capture must be supplied"),
    (r#"{a="b"} | regexp "(?P<x>a)(?P<x>b)""#, " : invalid regexp parser: duplicate extracted label name 'x'"),
    (r#"{a="b"} | pattern "abc""#, " : invalid pattern parser: at least one capture is required"),
    (r#"{a="b"} | pattern "<a><b>""#, " : invalid pattern parser: found consecutive capture '<a><b>': invalid expression"),
    (r#"{a="b"} | pattern "<a> <a>""#, " : invalid pattern parser: duplicate capture name (a): invalid expression"),
    (r#"{a="b"} | pattern """#, " : invalid pattern parser: parse error at line 1, col 1: syntax error: unexpected $end, expecting IDENTIFIER or LITERAL"),
    (r#"{ds=~"(?!x)y"}"#, " : error parsing regexp: invalid or unsupported Perl syntax: `(?!`"),
    (r#"label_replace(vector(1), "a", "b", "c", "[")"#, " : invalid regex in label_replace: error parsing regexp: missing closing ]: `[`"),
];

#[test]
fn errors_are_in_lokis_words() {
    for &(text, message) in ERRORS {
        assert_eq!(parse(text).map(|expr| expr.to_string()), Err(error_from(message)), "{text}");
    }
    let variants = parse(r#"variants(rate({a="b"}[5m])) of ({a="b"}[5m])"#).unwrap_err();
    assert_eq!(variants.to_string(), "multi variant queries are disabled for this instance");
}

/// Compares by text: the error whose `Display` is "parse error" and `text`.
fn error_from(text: &str) -> ParseError {
    let Some(place) = text.strip_prefix(" at line ") else {
        return ParseError::Whole(text.strip_prefix(" : ").unwrap().to_owned());
    };
    let (line, rest) = place.split_once(", col ").unwrap();
    let (column, message) = rest.split_once(": ").unwrap();
    ParseError::At { line: line.parse().unwrap(), column: column.parse().unwrap(), message: message.to_owned() }
}

#[test]
fn a_selector_must_select() {
    for selector in [r#"a="b""#, r#"a=~".+""#, r#"a!="""#, r#"a!~"""#, r#"a!~".*""#, r#"a=~".*",b="c""#] {
        assert!(parse(&format!("{{{selector}}}")).is_ok(), "{selector}");
    }
    for selector in [
        "",
        r#"a="""#,
        r#"a=~"""#,
        r#"a=~".*""#,
        r#"a=~"(?s).*""#,
        r#"a=~"b?""#,
        r#"a=~"b|""#,
        r#"a!="b""#,
        r#"a!~".+""#,
    ] {
        let error = parse(&format!("{{{selector}}}")).unwrap_err().to_string();
        assert!(error.starts_with("parse error : queries require at least one regexp"), "{selector}: {error}");
    }
}

#[test]
fn matchers_compare_whole_values_and_the_dot_matches_a_newline() {
    let values = ["axb", "a\nb", "AXB", "xaxbx", ""];
    for (matcher, expected) in [
        (r#"v=~"a.b""#, &["axb", "a\nb"][..]),
        (r#"v=~"(?-s)a.b""#, &["axb"]),
        (r#"v!~"a.b""#, &["AXB", "xaxbx", ""]),
        (r#"v!~".+""#, &[""]),
    ] {
        let matchers = parse_selector(&format!(r#"{{x="y", {matcher}}}"#)).unwrap();
        let matching: Vec<_> = values.into_iter().filter(|value| matchers[1].matches(value)).collect();
        assert_eq!(matching, expected, "{matcher}");
    }
    let error = parse_selector(r#"{a="b"} |= "x""#).unwrap_err();
    assert_eq!(error.to_string(), "only label matchers are supported");
}

#[test]
fn the_dot_of_a_label_filter_matches_no_newline() {
    let Ok(Expr::Log(log)) = parse(r#"{a="b"} | v=~"a.b""#) else { panic!() };
    let [Stage::LabelFilter(LabelFilter::Text(matcher))] = &log.stages[..] else { panic!() };
    assert!(matcher.matches("axb") && !matcher.matches("a\nb") && !matcher.matches("xaxb"));
}

#[test]
fn a_hostile_query_is_refused_on_a_small_stack() {
    let deep = 60_000;
    for text in [
        "(".repeat(deep),
        "sum(".repeat(20_000),
        format!(r#"rate({}{{a="b"}}"#, "(".repeat(deep)),
        format!(r#"{{a="b"}} | {}"#, "(".repeat(deep)),
        format!("vector(1){}", "+vector(1)".repeat(10_000)),
        format!("vector(1){}", "^vector(1)".repeat(10_000)),
        format!(r#"{{a="b"}} | x=1{}"#, ",x=1".repeat(20_000)),
        format!(r#"{{a="b"}} | x=1{}"#, " or x=1".repeat(10_000)),
        format!(r#"{{a=~"{}"}}"#, "(".repeat(deep)),
        "x".repeat(QUERY_BYTES_MAX),
    ] {
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        assert!(small.spawn(move || parse(&text).is_err()).unwrap().join().unwrap());
    }
    let allowed = [
        format!("{}vector(1){}", "(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX)),
        format!("{}vector(1){}", "sum(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX)),
        format!("vector(1){}", "+vector(1)".repeat(HEIGHT_MAX - 2)),
        format!(r#"{{a="b"}} | x=1{}"#, ",x=1".repeat(HEIGHT_MAX - 1)),
        format!(r#"{{a="b"}} | {}x=1{}"#, "(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX)),
        format!(r#"rate({}{{a="b"}}[5m]{})"#, "(".repeat(NESTING_MAX), ")".repeat(NESTING_MAX)),
    ];
    for text in allowed {
        let small = std::thread::Builder::new().stack_size(256 * 1024);
        let handle = small.spawn(move || {
            parse(&text).map(|expr| drop((expr.clone(), expr.to_string(), crate::logql::pretty(&expr))))
        });
        assert_eq!(handle.unwrap().join().unwrap(), Ok(()));
    }
    let long = parse(&"x".repeat(140_003)).unwrap_err();
    assert_eq!(long.to_string(), "parse error : input size too long (140003 > 131072)");
}

/// Random words: whatever they form is refused or printed so that it parses again.
#[test]
fn random_words_do_no_harm() {
    const WORDS: &[&str] = &[
        "{a=\"b\"}",
        "{",
        "}",
        "(",
        ")",
        "|",
        " ",
        "json",
        "logfmt",
        "x",
        "=",
        "\"v\"",
        "`r`",
        "|=",
        "!~",
        ">",
        "5",
        "5m",
        "5KB",
        "[5m]",
        "rate(",
        "sum by (x) (",
        "unwrap",
        "ip(",
        ",",
        "or",
        "and",
        "+",
        "-",
        "offset",
        "vector(1)",
        "on(",
        "'",
        "\\",
        "é",
        "#",
        "\n",
        "\"",
        "[",
        "bool",
        "drop",
    ];
    let mut random = Random::new();
    let mut parsed = 0;
    for _ in 0..30_000 {
        let start = random.pick(&["", "{a=\"b\"} ", "{a=\"b\"} | ", "rate({a=\"b\"} "]);
        let text = format!("{start}{}", random.text(WORDS, 7));
        if let Ok(expr) = parse(&text) {
            parsed += 1;
            let printed = expr.to_string();
            assert!(parse(&printed).is_ok() || printed.contains("NaN"), "{text} printed as {printed}");
        }
    }
    assert!(parsed > 300, "{parsed}");
}
