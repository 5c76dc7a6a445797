//! The worked examples of the language: what Loki was seen to answer.

use super::{How, Line, Run, S, check, grid, lines, run, shown, stream, ticks};
use crate::query::{
    Error,
    metric::{MetricValue, Series, Times},
    search::Stream,
};

const AT_100: Times = Times::Instant(100 * S);

#[test]
fn constants_need_no_lines() {
    for (query, want) in [
        ("vector(1)+vector(1)", &["{} 2"][..]),
        ("vector(3) * 2 - 1", &["{} 5"]),
        ("2 ^ vector(3)", &["{} 8"]),
        ("vector(1) > bool vector(2)", &["{} 0"]),
        ("vector(1) > vector(2)", &[]),
        ("vector(2) > 1", &["{} 2"]),
        ("1 < vector(2)", &["{} 2"]),
        ("vector(0) / 0", &["{} NaN"]),
        ("vector(1) and vector(2)", &["{} 1"]),
        ("vector(1) unless vector(2)", &[]),
        ("(vector(1) > 1) or vector(7)", &["{} 7"]),
        ("1 + 2", &["3"]),
        ("1 > 2", &["0"]),
    ] {
        check(&[], query, AT_100, want);
    }
    check(&[], "1 + 2", grid(10, 30, 10), &["{} 10:3 20:3 30:3"]);
    check(&[], "vector(1) < 0", grid(10, 30, 10), &[]);
    // Grafana's health check evaluates far in the future.
    let no_streams: [Stream<Run>; 0] = [];
    let answer = run(&no_streams, "vector(1)+vector(1)", Times::Instant(4_000_000_000 * S), How::default()).unwrap();
    let MetricValue::Vector(series) = &answer.value else { panic!("{answer:?}") };
    assert_eq!(series[0].samples[0].timestamp_ms, 4_000_000_000_000);
}

#[test]
fn lines_of_json() {
    let texts =
        [r#"{"lvl":"warn","req":{"path":"/a","ms":12}}"#, r#"{"lvl":"info","req":{"path":"/b","ms":7}}"#, "oops"];
    let streams = [lines(&texts)];
    for (query, want) in [
        (
            r#"sum by (lvl) (count_over_time({a="b"} | json | __error__="" [5m]))"#,
            &[r#"{lvl="info"} 1"#, r#"{lvl="warn"} 1"#][..],
        ),
        (r#"sum(count_over_time({a="b"} | json [5m]))"#, &["{} 3"]),
        (
            r#"max_over_time({a="b"} | json | unwrap req_ms [5m]) by (lvl)"#,
            &[r#"{lvl="info"} 7"#, r#"{lvl="warn"} 12"#],
        ),
        (
            r#"sum_over_time({a="b"} | json | unwrap req_ms | __error__="" [5m])"#,
            &[r#"{a="b", lvl="info", req_path="/b"} 7"#, r#"{a="b", lvl="warn", req_path="/a"} 12"#],
        ),
        (
            r#"count_over_time({a="b"} | json | drop __error__, __error_details__, lvl, req_path, req_ms [5m])"#,
            &[r#"{a="b"} 3"#],
        ),
    ] {
        check(&streams, query, AT_100, want);
    }
}

#[test]
fn errors_of_stages_end_a_query_unless_it_looks_at_them() {
    let streams = [lines(&[r#"{"n":"5"}"#, "notjson", r#"{"n":"x"}"#, r#"{"m":1}"#])];
    for (query, want) in [
        (r#"sum(count_over_time({a="b"} | json [5m]))"#, Ok(&["{} 4"][..])),
        (r#"sum by (n) (count_over_time({a="b"} | json [5m]))"#, Err("JSONParserErr")),
        (r#"count_over_time({a="b"} | json [5m])"#, Err("JSONParserErr")),
        (r#"sum(count_over_time({a="b"} | json | __error__!="" [5m]))"#, Ok(&["{} 1"])),
        (
            r#"sum by (__error__) (count_over_time({a="b"} | json [5m]))"#,
            Ok(&["{} 3", r#"{__error__="JSONParserErr"} 1"#]),
        ),
        (r#"count_over_time({a="b"} | json | __error__!="" [5m])"#, Err("JSONParserErr")),
        (r#"sum(count_over_time({a="b"} | json | n > 1 [5m]))"#, Err("LabelFilterErr")),
        (r#"sum_over_time({a="b"} | json | unwrap n | __error__="" [5m])"#, Ok(&[r#"{a="b"} 5"#])),
        (r#"sum(sum_over_time({a="b"} | json | unwrap n [5m]))"#, Err("SampleExtractionErr")),
    ] {
        match (run(&streams, query, AT_100, How::default()), want) {
            (Ok(answer), Ok(want)) => assert_eq!(shown(&answer), want, "{query}"),
            (Err(error), Err(want)) => {
                let text = error.to_string();
                let begin = format!("pipeline error: '{want}' for series: '{{__error__=\"{want}\"");
                assert!(text.starts_with(&begin), "{query}: {text}");
                assert!(text.contains(r#"a="b""#) && text.contains(&format!("| __error__!=\"{want}\"")), "{text}");
            }
            (got, want) => panic!("{query}: {got:?} instead of {want:?}"),
        }
    }
    // What lies in no window does not matter.
    check(&streams, r#"sum by (n) (count_over_time({a="b"} | json [1s]))"#, Times::Instant(S), &[r#"{n="5"} 1"#]);
}

#[test]
fn lines_of_logfmt_with_units() {
    let streams = [lines(&["lat=250ms sz=1.5KiB code=200", "lat=2s sz=3MB code=503", "lat=oops sz=1B code=500"])];
    for (query, want) in [
        (r#"sum(sum_over_time({a="b"} | logfmt | unwrap duration(lat) | __error__="" [5m]))"#, "{} 2.25"),
        (r#"sum(sum_over_time({a="b"} | logfmt | unwrap bytes(sz) [5m]))"#, "{} 3001537"),
        (r#"quantile_over_time(0.75, {a="b"} | logfmt | unwrap code [5m]) by ()"#, "{} 501.5"),
        (
            r#"sum(count_over_time({a="b"} | logfmt | code=~"5.." [5m])) / sum(count_over_time({a="b"}[5m])) * 100"#,
            "{} 66.66666666666666",
        ),
        (r#"sum(bytes_over_time({a="b"} | line_format "xy" [5m]))"#, "{} 6"),
        (r#"sum(bytes_over_time({a="b"}[5m]))"#, "{} 73"),
        (r#"sum(bytes_rate({a="b"} |= "oops" [10s] offset 90s))"#, "{} 2.3"),
    ] {
        check(&streams, query, AT_100, &[want]);
    }
}

#[test]
fn windows_are_open_at_their_begin() {
    let streams = ticks();
    for (query, times, want) in [
        (r#"sum(count_over_time({a="b"}[20s]))"#, grid(1000, 1060, 20), "{} 1000:1 1020:2 1040:2 1060:2"),
        (r#"sum(count_over_time({a="b"}[20s]))"#, grid(1003, 1047, 10), "{} 1000:1 1010:2 1020:2 1030:2 1040:2 1050:2"),
        (
            r#"sum(count_over_time({a="b"}[20s] offset 10s))"#,
            grid(1000, 1060, 10),
            "{} 1010:1 1020:2 1030:2 1040:2 1050:2 1060:2",
        ),
        (r#"sum(count_over_time({a="b"}[5s]))"#, grid(1000, 1060, 30), "{} 1020:1 1050:1"),
        (r#"absent_over_time({a="b"}[10s])"#, grid(1030, 1100, 10), r#"{a="b"} 1070:1 1080:1 1090:1 1100:1"#),
        (r#"sum(count_over_time({a="b"}[10s])) or vector(0)"#, grid(1050, 1080, 10), "{} 1050:1 1060:1 1070:0 1080:0"),
    ] {
        check(&streams, query, times, &[want]);
    }
    for (at, want) in [(1060, &["{} 1"][..]), (1070, &[]), (1069, &["{} 1"])] {
        check(&streams, r#"sum(count_over_time({a="b"}[10s]))"#, Times::Instant(at * S), want);
    }
    check(&streams, r#"count_over_time({a="b"}[0s])"#, Times::Instant(1060 * S), &[]);
    check(&streams, r#"absent_over_time({a="b"}[0s])"#, Times::Instant(1060 * S), &[r#"{a="b"} 1"#]);
    check(&streams, r#"absent_over_time({a="nope", x!="y"}[1h])"#, Times::Instant(1060 * S), &[r#"{a="nope"} 1"#]);
}

#[test]
fn functions_over_unwrapped_values() {
    let values: Vec<Line<'_>> =
        (1..).zip([1, 3, 2, 10, 4]).map(|(n, value)| (n * 10 * S, format!("v={value}"), &[][..])).collect();
    let streams = [stream(&[("a", "b")], &values, 2)];
    for (function, want) in [
        ("rate(", "0.4"),
        ("sum_over_time(", "20"),
        ("avg_over_time(", "4"),
        ("min_over_time(", "1"),
        ("max_over_time(", "10"),
        ("first_over_time(", "1"),
        ("last_over_time(", "4"),
        ("stdvar_over_time(", "10"),
        ("stddev_over_time(", "3.1622776601683795"),
        ("rate_counter(", "0.32000039999999996"),
        ("quantile_over_time(0, ", "1"),
        ("quantile_over_time(0.25, ", "2"),
        ("quantile_over_time(0.5, ", "3"),
        ("quantile_over_time(0.9, ", "7.6000000000000005"),
        ("quantile_over_time(0.99, ", "9.76"),
        ("quantile_over_time(1, ", "10"),
        ("quantile_over_time(1.5, ", "inf"),
    ] {
        let query = format!(r#"{function}{{a="b"}} | logfmt | unwrap v [50s])"#);
        check(&streams, &query, Times::Instant(50 * S), &[&format!(r#"{{a="b"}} {want}"#)]);
    }
}

#[test]
fn special_numbers() {
    for (values, function, want) in [
        (&["NaN", "1", "3"][..], "min_over_time", "1"),
        (&["NaN", "1", "3"], "max_over_time", "3"),
        (&["NaN", "1"], "sum_over_time", "NaN"),
        (&["+Inf", "1", "2"], "sum_over_time", "inf"),
        (&["+Inf", "1", "2"], "avg_over_time", "inf"),
        (&["+Inf", "-Inf"], "avg_over_time", "NaN"),
        (&["1e100", "1", "-1e100"], "sum_over_time", "1"),
        (&["0.1", "0.2", "0.3"], "sum_over_time", "0.6"),
        (&["5"], "rate_counter", "0"),
        (&["1000000000000001", "1000000000000003"], "stdvar_over_time", "1"),
    ] {
        let lines: Vec<Line<'_>> = (1..).zip(values).map(|(n, value)| (n * S, format!("v={value}"), &[][..])).collect();
        for piece_lines in [1, 2, 10] {
            let streams = [stream(&[("a", "b")], &lines, piece_lines)];
            let query = format!(r#"{function}({{a="b"}} | logfmt | unwrap v [50s])"#);
            check(&streams, &query, Times::Instant(50 * S), &[&format!(r#"{{a="b"}} {want}"#)]);
        }
    }
}

/// Streams {h=a,r=x}1 {h=a,r=y}2 {h=b,r=x}3 {h=b,r=y}4 {h=c,r=x}5, each with so many lines.
fn hosts() -> Vec<Stream<Run>> {
    let names = [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"), ("c", "x")];
    let streams = (1..).zip(names).map(|(count, (h, r))| {
        let lines: Vec<Line<'_>> = (0..count).map(|n| ((n + 1) * S, "line".to_owned(), &[][..])).collect();
        stream(&[("h", h), ("r", r)], &lines, 2)
    });
    streams.collect()
}

/// `V`, `H` and `R` stand for the vectors of the reference; labels are shown as their values.
fn check_hosts(query: &str, want: &str) {
    let expanded = query
        .replace('H', "sum by (h) (V)")
        .replace('R', "sum by (r) (V)")
        .replace('V', r#"count_over_time({h=~".+"}[1m])"#);
    let got = match run(&hosts(), &expanded, Times::Instant(60 * S), How::default()) {
        Ok(answer) => {
            let MetricValue::Vector(series) = &answer.value else { panic!("{query}") };
            let show = |series: &Series| {
                let values: Vec<&str> = series.labels.iter().map(|(_, value)| value).collect();
                format!("{}{}", values.join(","), series.samples[0].value)
            };
            series.iter().map(show).collect::<Vec<_>>().join(" ")
        }
        Err(error) => error.to_string(),
    };
    assert_eq!(got, want, "{query}");
}

#[test]
fn operators_bring_samples_together_by_their_labels() {
    const MANY: &str = "found duplicate series on the right hand-side;many-to-many matching not allowed: \
                        matching labels must be unique on one side";
    for (query, want) in [
        ("V", "a,x1 a,y2 b,x3 b,y4 c,x5"),
        ("V + H", ""),
        ("V + on(h) group_left H", "a,x4 a,y5 b,x10 b,y11 c,x10"),
        ("H - on(h) group_right V", "a,x2 a,y1 b,x4 b,y3 c,x0"),
        ("H + ignoring(h) group_left sum(V)", "a18 b22 c20"),
        ("V > bool 2", "a,x0 a,y0 b,x1 b,y1 c,x1"),
        ("V >= V", "a,x1 a,y2 b,x3 b,y4 c,x5"),
        ("2 < V", "b,x3 b,y4 c,x5"),
        ("V unless on(h) (H > 4)", "a,x1 a,y2"),
        ("V and on(h) (H > 4)", "b,x3 b,y4 c,x5"),
        ("H or R", "a3 b7 c5 x9 y6"),
        ("H or on() R", "a3 b7 c5"),
        ("V > 1 < 4", "a,y2 b,x3"),
        ("V + vector(1)", ""),
        ("V + on() group_left vector(1)", "a,x2 a,y3 b,x4 b,y5 c,x6"),
        ("V * on(h, r) V", "a,x1 a,y4 b,x9 b,y16 c,x25"),
        ("(V > 2) / ignoring(r) group_left H", "b,x0.42857142857142855 b,y0.5714285714285714 c,x1"),
        ("R * on(r) group_left(h) (V > 4)", "c,x45"),
        ("V + on(h) H", "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"),
        ("H + on(h) V", MANY),
        ("V + on(h) group_left V", MANY),
        ("V + on(r) group_left(h) (V >= 4)", "multiple matches for labels: grouping labels must ensure unique matches"),
        ("topk(2, V)", "b,y4 c,x5"),
        ("bottomk by (h) (1, V)", "a,x1 b,x3 c,x5"),
        ("sort_desc(H)", "b7 c5 a3"),
        ("sort(H) * -1", "a-3 c-5 b-7"),
        ("topk(2, sort_desc(V))", "c,x5 b,y4"),
        ("sum(V > 100)", ""),
        ("sum(V > 100) or vector(0)", "0"),
        (r#"label_replace(H, "r", "<$1>", "h", "([ab])")"#, "a,<a>3 b,<b>7 c5"),
        (r#"sum by (r) (label_replace(V, "r", "z", "h", "a|b"))"#, "x5 z10"),
        (r#"label_replace(H, "h", "", "h", ".*")"#, "3 7 5"),
        ("approx_topk(1, V)", "approx_topk is not enabled. See -limits.shard_aggregations"),
    ] {
        check_hosts(query, want);
    }
}

#[test]
fn series_that_take_turns_are_one_and_others_are_refused() {
    let streams = ticks();
    let query = |source: &str| {
        format!(r#"label_replace(sum by (v) (count_over_time({{a="b"}} | logfmt [10s])), "v", "", "v", "{source}")"#)
    };
    check(&streams, &query(".*"), grid(1000, 1020, 10), &["{} 1000:1 1010:1 1020:1"]);
    let both = query(".*").replace("10s", "20s");
    let error = run(&streams, &both, grid(1000, 1020, 10), How::default()).unwrap_err();
    assert!(matches!(error, Error::SameLabels(_)), "{error}");
}

#[test]
fn too_many_series_are_refused_or_cut() {
    let streams = hosts();
    for query in [r#"rate({h=~".+"}[1m])"#, r#"rate({h=~".+"}[1m]) * 2"#] {
        let limited = How { series_max: 4, ..How::default() };
        let error = run(&streams, query, Times::Instant(60 * S), limited).unwrap_err();
        let text = "maximum number of series (4) reached for a single query";
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(run(&streams, query, Times::Instant(60 * S), How { series_max: 5, ..limited }).is_ok());
        let partial = How { may_be_partial: true, ..limited };
        let answer = run(&streams, query, Times::Instant(60 * S), partial).unwrap();
        assert_eq!(shown(&answer).len(), 4);
        assert!(answer.warnings[0].starts_with(text), "{:?}", answer.warnings);
    }
    // What becomes fewer later is no harm.
    let limited = How { series_max: 1, ..How::default() };
    assert!(run(&streams, r#"sum(max by (h) (rate({h=~".+"}[1m])))"#, Times::Instant(60 * S), limited).is_ok());
}

#[test]
fn a_damaged_piece_that_is_needed_is_a_warning() {
    let mut streams = ticks();
    streams[0].pieces[1].damaged = true;
    for (filter, count, warnings) in [(r#"|= "v=""#, 4, 1), ("", 7, 0)] {
        // What is counted without being read is not missed.
        let query = format!(r#"sum(count_over_time({{a="b"}} {filter} [1h]))"#);
        let answer = run(&streams, &query, Times::Instant(1060 * S), How::default()).unwrap();
        assert_eq!((shown(&answer), answer.warnings.len()), (vec![format!("{{}} {count}")], warnings));
    }
}

#[test]
fn a_query_without_bounds_is_refused() {
    let lines: Vec<Line<'_>> = (0..1000).map(|n| (n * S, format!("v={n}"), &[][..])).collect();
    let streams = [stream(&[("a", "b")], &lines, 300)];
    let query = r#"sum(max by (v) (count_over_time({a="b"} | logfmt [10d])))"#;
    let error = run(&streams, query, grid(0, 900_000, 100), How::default()).unwrap_err();
    assert!(matches!(error, Error::TooMuchMemory { .. }), "{error}");
}
