//! Log queries: which entries, in which order.

use serde_json::json;

use crate::support::{Directory, Entry, Narvi, Params, Stream, now_ns};

const SECOND_NS: i64 = 1_000_000_000;

/// Ten entries, one a second, in two streams, of which two are of the same time; pushed out of order.
struct Fixture {
    _directory: Directory,
    narvi: Narvi,
    base_ns: i64,
}

impl Fixture {
    fn new() -> Self {
        let directory = Directory::new();
        let narvi = Narvi::start(&directory);
        // Whole seconds, so that a time in seconds names an entry.
        let base_ns = (now_ns() / SECOND_NS - 60) * SECOND_NS;
        let mut streams = [Stream::new(&[("app", "even")]), Stream::new(&[("app", "odd")])];
        for number in [4, 5, 0, 1, 9, 2, 3, 8, 6, 7] {
            let at = usize::from(number % 2 == 1);
            streams[at] = streams[at].clone().with(base_ns + number * SECOND_NS, format!("line {number}"));
        }
        narvi.push(&streams);
        narvi.push(&[Stream::new(&[("app", "even")]).with(base_ns + 8 * SECOND_NS, "line 8 again")]);
        Self { _directory: directory, narvi, base_ns }
    }

    /// The numbers of the lines, sorted by time in the query's direction over all streams.
    fn lines(&self, query: &str, params: Params<'_>) -> String {
        let is_forward =
            params.iter().any(|(name, value)| *name == "direction" && value.eq_ignore_ascii_case("forward"));
        let streams = self.narvi.query(query, params);
        for stream in streams.as_array().unwrap() {
            let times: Vec<_> =
                Entry::of_streams(&json!([stream])).into_iter().map(|entry| entry.timestamp_ns).collect();
            assert!(if is_forward { times.is_sorted() } else { times.iter().rev().is_sorted() }, "{stream}");
        }
        let mut entries = Entry::of_streams(&streams);
        entries.sort_by_key(|entry| if is_forward { entry.timestamp_ns } else { -entry.timestamp_ns });
        let numbers = entries.iter().map(|entry| entry.line.trim_start_matches("line ").replace(" again", "'"));
        numbers.collect::<Vec<_>>().join(" ")
    }
}

#[test]
fn limit_direction_and_times_choose_the_entries() {
    let fixture = Fixture::new();
    let all = "{app=~\".+\"}";
    let at = |number: i64| (fixture.base_ns + number * SECOND_NS).to_string();
    let seconds = |number: i64| (fixture.base_ns / SECOND_NS + number).to_string();
    let date = |number: i64| {
        let time = jiff::Timestamp::from_nanosecond((fixture.base_ns + number * SECOND_NS).into()).unwrap();
        time.to_string()
    };
    let rows: &[(&str, Params<'_>, &str)] = &[
        (all, &[], "9 8' 8 7 6 5 4 3 2 1 0"),
        (all, &[("direction", "forward")], "0 1 2 3 4 5 6 7 8 8' 9"),
        (all, &[("direction", "FORWARD")], "0 1 2 3 4 5 6 7 8 8' 9"),
        // The limit holds over all streams and keeps the newest, or forward the oldest.
        (all, &[("limit", "3")], "9 8' 8"),
        (all, &[("limit", "2")], "9 8'"),
        (all, &[("limit", "4"), ("direction", "forward")], "0 1 2 3"),
        ("{app=\"odd\"}", &[("limit", "2")], "9 7"),
        // The start is part of the range, the end is not.
        (all, &[("start", &at(2)), ("end", &at(5)), ("direction", "forward")], "2 3 4"),
        (all, &[("start", &seconds(2)), ("end", &seconds(5)), ("direction", "forward")], "2 3 4"),
        (all, &[("start", &date(2)), ("end", &date(5)), ("direction", "forward")], "2 3 4"),
        (all, &[("start", &at(9))], "9"),
        (all, &[("start", &at(3)), ("end", &at(3))], ""),
        (all, &[("end", &at(4)), ("since", "2s"), ("direction", "forward")], "2 3"),
        (all, &[("end", &at(4)), ("start", &at(1)), ("since", "2s"), ("direction", "forward")], "1 2 3"),
        (all, &[("start", &at(-100)), ("end", &at(0))], ""),
        ("{app=\"even\"} |= \"again\"", &[], "8'"),
        ("{app=\"even\"} != \"again\" |~ \"line [68]\"", &[], "8 6"),
        ("{app=\"nobody\"}", &[], ""),
    ];
    for (query, params, want) in rows {
        assert_eq!(fixture.lines(query, params), *want, "{query} {params:?}");
    }
    // The same from blocks on the disk as from memory.
    fixture.narvi.flush();
    for (query, params, want) in rows {
        assert_eq!(fixture.lines(query, params), *want, "sealed: {query} {params:?}");
    }
}

/// Paging with a small limit, as clients do, meets every entry once, also where times are equal.
#[test]
fn entries_of_one_time_keep_their_order_of_arrival() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let at_ns = now_ns();
    let push = |range: std::ops::Range<usize>| {
        let stream =
            range.fold(Stream::new(&[("app", "x")]), |stream, number| stream.with(at_ns, format!("n{number}")));
        narvi.push(&[stream]);
    };
    let want: Vec<_> = (0..30).map(|number| format!("n{number}")).collect();
    push(0..10);
    narvi.flush();
    push(10..20);
    narvi.flush();
    push(20..30);
    assert_eq!(narvi.lines("{app=\"x\"}"), want);
    let backward = narvi.query("{app=\"x\"}", &[]);
    let backward: Vec<_> = Entry::of_streams(&backward).into_iter().map(|entry| entry.line).rev().collect();
    assert_eq!(backward, want);
    let first = narvi.query("{app=\"x\"}", &[("limit", "15"), ("direction", "forward")]);
    assert_eq!(Entry::of_streams(&first).into_iter().map(|entry| entry.line).collect::<Vec<_>>(), want[..15]);
}

/// Parameters may come in a form, and a form wins over the URL.
#[test]
fn a_form_asks_as_a_url_does() {
    let fixture = Fixture::new();
    let form = ("Content-Type", "application/x-www-form-urlencoded");
    let target = "/loki/api/v1/query_range?limit=5&query=%7Bapp%3D%22nobody%22%7D";
    let reply = fixture.narvi.client().request("POST", target, &[form], b"query=%7Bapp%3D%22odd%22%7D").unwrap();
    assert_eq!(Entry::of_streams(&reply.ok()["data"]["result"]).len(), 5);
}

/// What Grafana's data source asks when it is saved, and again when it is tested.
#[test]
fn the_health_check_of_grafana_is_answered() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let params = [("direction", "backward"), ("query", "vector(1)+vector(1)"), ("time", "4000000000000000000")];
    let answer = narvi.get("/loki/api/v1/query", &params).ok();
    assert_eq!(answer["data"]["resultType"], "vector");
    assert_eq!(answer["data"]["result"], json!([{"metric": {}, "value": [4_000_000_000_u64, "2"]}]));
}

/// Connections are kept, and one answer after the other is whole.
#[test]
fn one_connection_carries_many_questions() {
    let fixture = Fixture::new();
    let mut client = fixture.narvi.client();
    for _ in 0..50 {
        let reply = client.request("GET", "/loki/api/v1/labels", &[], b"").unwrap();
        assert_eq!(reply.ok()["data"], json!(["app", "service_name"]));
        assert_eq!(client.request("GET", "/nowhere", &[], b"").unwrap().status, 404);
    }
}
