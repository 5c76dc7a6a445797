//! The API over real sockets: what only shows once all parts are put together.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;
use crate::store;

/// A server on a free port with an empty store, both gone at the end of the test.
struct Running {
    server: Option<Server>,
    store: Store,
    directory: PathBuf,
}

impl Running {
    fn start(limits: Limits) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("narvi-server-{}-{number}", std::process::id()));
        // Whatever disk the test finds.
        let options = store::Options { free_disk_min: None, ..store::Options::new(&directory) };
        let store = Store::open(options).unwrap();
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            users: Vec::new(),
            tenants_max: None,
            delete_cancel_period: Duration::ZERO,
            http: http::Limits::default(),
            push_body_bytes_max: 1000,
            push_decompressed_bytes_max: 10_000,
            push_memory_max: 10_000,
        };
        let rooms = Rooms {
            store: store.clone(),
            query_limits: limits,
            ingest_limits: ingest::Limits::default(),
            sources: Sources {
                metrics: Box::new(|page| page.counter("other_total", "Of another room.", &[], 7)),
                config: Box::new(|| "key = 1\n".to_owned()),
            },
        };
        Self { server: Some(Server::start(options, rooms).unwrap()), store, directory }
    }

    /// Sends a request and reads the answer to the end of the connection.
    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.server.as_ref().unwrap().local_addr()).unwrap();
        let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let head = head.replace('\n', "\r\n");
        let request = format!("{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn check(&self, request: &str, status: u16, wants: &[&str]) {
        let answer = self.ask(request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        for want in wants {
            assert!(answer.contains(want), "{request}\nwants {want}\n{answer}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop(Duration::ZERO);
        }
        // What cannot be removed stays for the system to clean up.
        drop(self.store.close());
        drop(fs::remove_dir_all(&self.directory));
    }
}

#[test]
fn requests_find_their_endpoints_and_their_status() {
    let api = Running::start(Limits::default());
    for (request, status, wants) in [
        ("GET /ready HTTP/1.1\nHost: localhost", 200, &["\r\n\r\nready\n"][..]),
        ("GET /nothing HTTP/1.1\nHost: localhost", 404, &["404 page not found\n"]),
        ("PUT /ready HTTP/1.1\nHost: localhost", 405, &[]),
        ("GET //ready?a=b HTTP/1.1\nHost: localhost", 301, &["Location: /ready?a=b\r\n"]),
        ("GET /ready HTTP/1.1\nHost: evil.example\nAccept-Language: en", 403, &["evil.example"]),
        ("GET /config HTTP/1.1\nHost: localhost", 200, &["key = 1"]),
        ("GET /log_level HTTP/1.1\nHost: localhost", 200, &["{\"message\":\"Current log level is "]),
        ("POST /log_level?log_level=loud HTTP/1.1\nHost: localhost", 400, &["loud"]),
        (
            "GET /loki/api/v1/query?query=vector(1)%2Bvector(1)&time=4000000000 HTTP/1.1\nHost: localhost",
            200,
            &[
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[4000000000,"2"]}],"stats":"#,
            ],
        ),
        (
            "GET /loki/api/v1/query_range?query=1&start=5&end=33&step=10 HTTP/1.1\nHost: localhost",
            200,
            &[r#""matrix","result":[{"metric":{},"values":[[0,"1"],[10,"1"],[20,"1"],[30,"1"],[40,"1"]]}]"#],
        ),
        ("GET /loki/api/v1/query?query={a=\"b\"} HTTP/1.1\nHost: localhost", 400, &["log queries are not supported"]),
        (
            "GET /loki/api/v1/query_range?query={a=%22b%22}&limit=5001 HTTP/1.1\nHost: localhost",
            400,
            &["max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"],
        ),
        ("GET /loki/api/v1/labels?query={a=%22b%22}|json HTTP/1.1\nHost: localhost", 400, &[]),
        ("GET /loki/api/v1/labels HTTP/1.1\nHost: localhost", 200, &["\r\n\r\n{\"status\":\"success\"}\n"]),
        ("GET /loki/api/v1/series HTTP/1.1\nHost: localhost", 200, &["{\"status\":\"success\",\"data\":[]}"]),
        ("GET /loki/api/v1/tail?query={a=%22b%22} HTTP/1.1\nHost: localhost", 400, &["Sec-WebSocket-Version: 13"]),
        (
            "GET /metrics HTTP/1.1\nHost: localhost",
            200,
            &["\nother_total 7\n", "\nnarvi_http_connections_accepted_total "],
        ),
    ] {
        api.check(request, status, wants);
    }
}

#[test]
fn what_is_pushed_is_found_at_once() {
    let api = Running::start(Limits::default());
    let push = "POST /loki/api/v1/push HTTP/1.1\nHost: localhost\nContent-Type: application/json\n\n";
    api.check(&format!("{push}{{}}"), 422, &[]);
    api.check(&format!("{push}{{"), 400, &[]);
    api.check(&format!("{push}{}", "x".repeat(1001)), 413, &["limits.push_body_max"]);
    let now_ns = params::now_ns();
    let body = format!(r#"{{"streams":[{{"stream":{{"app":"x"}},"values":[["{now_ns}","a line"]]}}]}}"#);
    api.check(&format!("{push}{body}"), 204, &[]);
    let query = "query=%7Bapp%3D%22x%22%7D+%7C%3D+%22line%22";
    let want = format!(
        r#"[{{"stream":{{"app":"x","detected_level":"unknown","service_name":"x"}},"values":[["{now_ns}","a line"]]}}]"#
    );
    api.check(&format!("GET /loki/api/v1/query_range?{query} HTTP/1.1\nHost: localhost"), 200, &[&want]);
    // In a form, the body wins over the URL.
    let form = "POST /loki/api/v1/query_range?query=nonsense HTTP/1.1\nHost: localhost\n\
                Content-Type: application/x-www-form-urlencoded\nX-Loki-Response-Encoding-Flags: categorize-labels";
    let want = format!(
        r#""encodingFlags":["categorize-labels"],"result":[{{"stream":{{"app":"x","service_name":"x"}},"values":[["{now_ns}","a line",{{"structuredMetadata":{{"detected_level":"unknown"}}}}]]}}]"#
    );
    api.check(&format!("{form}\n\n{query}"), 200, &[&want]);
    api.check("GET /loki/api/v1/label/app/values HTTP/1.1\nHost: localhost", 200, &[r#""data":["x"]"#]);
    api.check("GET /metrics HTTP/1.1\nHost: localhost", 200, &["loki_distributor_lines_received_total 1\n"]);
}

#[test]
fn a_query_that_may_take_no_time_is_504_and_says_timed_out() {
    let api = Running::start(Limits { query_timeout: Duration::ZERO, ..Limits::default() });
    let body = format!(r#"{{"streams":[{{"stream":{{"app":"x"}},"values":[["{}","a line"]]}}]}}"#, params::now_ns());
    let push = "POST /loki/api/v1/push HTTP/1.1\nHost: localhost\nContent-Type: application/json\n\n";
    api.check(&format!("{push}{body}"), 204, &[]);
    api.check("GET /loki/api/v1/query_range?query={app=%22x%22} HTTP/1.1\nHost: localhost", 504, &["timed out"]);
}

#[test]
fn no_more_tails_than_allowed_are_opened() {
    let api = Running::start(Limits { max_tails: 0, ..Limits::default() });
    let tail = "GET /loki/api/v1/tail?query={a=%22b%22} HTTP/1.1\nHost: localhost\nUpgrade: websocket\n\
                Connection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let mut stream = TcpStream::connect(api.server.as_ref().unwrap().local_addr()).unwrap();
    stream.write_all(format!("{}\r\n\r\n", tail.replace('\n', "\r\n")).as_bytes()).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 429");
}
