//! Tenants: the streams of each `X-Scope-OrgID` are kept apart, on every path.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Directory, Entry, Narvi, Params, Stream, Tail, encoded, now_ns};

const TENANTS: &str = "server.tenants = true\n";

/// Asks as a tenant.
fn ask(narvi: &Narvi, tenant: &str, path: &str, params: Params<'_>) -> Value {
    let target = format!("{path}{}", encoded(params));
    narvi.client().request("GET", &target, &[("X-Scope-OrgID", tenant)], b"").unwrap().ok()
}

/// Pushes one line as a tenant; gives the status.
fn push(narvi: &Narvi, tenant: &str, labels: &[(&str, &str)], line: &str) -> u16 {
    let body = Stream::json(&[Stream::new(labels).with(now_ns(), line)]);
    narvi.post(&[("Content-Type", "application/json"), ("X-Scope-OrgID", tenant)], &body).status
}

/// The lines that a tenant finds.
fn lines(narvi: &Narvi, tenant: &str, query: &str) -> BTreeSet<String> {
    let answer = ask(narvi, tenant, "/loki/api/v1/query_range", &[("query", query)]);
    Entry::of_streams(&answer["data"]["result"]).into_iter().map(|entry| entry.line).collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn a_tenant_finds_what_it_pushed_and_nothing_else() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, TENANTS);
    for tenant in ["a", "b"] {
        let line = format!("of {tenant}");
        assert_eq!(push(&narvi, tenant, &[("app", "x"), ("only", tenant)], &line), 204);
        // The label of another tenant is none of the client's business.
        assert_eq!(push(&narvi, tenant, &[("app", "forged"), ("__tenant_id__", "b")], &line), 204);
    }
    let check = |narvi: &Narvi| {
        let all = "{app=~\".+\"}";
        assert_eq!(lines(narvi, "a", all), set(&["of a"]));
        assert_eq!(lines(narvi, "b", all), set(&["of b"]));
        assert_eq!(lines(narvi, "c", all), set(&[]));
        assert_eq!(lines(narvi, "a|b", all), set(&["of a", "of b"]));
        assert_eq!(lines(narvi, "b|c", all), set(&["of b"]));
        assert_eq!(lines(narvi, "a|b", "{app=~\".+\", __tenant_id__=\"b\"}"), set(&["of b"]));
        assert_eq!(lines(narvi, "a", "{app=~\".+\", __tenant_id__=\"b\"}"), set(&[]));

        let series = |tenant| ask(narvi, tenant, "/loki/api/v1/series", &[("match[]", "{app=\"x\"}")])["data"].take();
        let plain = json!({"app": "x", "only": "a", "service_name": "x"});
        assert_eq!(series("a"), json!([plain]));
        let shown: Vec<_> = series("a|b").as_array().unwrap().iter().map(|s| s["__tenant_id__"].clone()).collect();
        assert_eq!(shown, ["a", "b"]);

        for path in ["/loki/api/v1/labels", "/api/prom/label"] {
            let names = |tenant| ask(narvi, tenant, path, &[]).to_string().contains("__tenant_id__");
            assert_eq!([names("a"), names("a|b")], [false, true], "{path}");
        }
        let values = ask(narvi, "b", "/loki/api/v1/label/only/values", &[]);
        assert_eq!(values["data"], json!(["b"]));
        let streams =
            |tenant| ask(narvi, tenant, "/loki/api/v1/index/stats", &[("query", "{app=~\".+\"}")])["streams"].take();
        assert_eq!([streams("a"), streams("a|b"), streams("c")], [json!(2), json!(4), json!(0)]);
        let count = ("query", "sum by (__tenant_id__) (count_over_time({app=\"x\"}[1h]))");
        let counted = ask(narvi, "a|b", "/loki/api/v1/query", &[count]);
        assert_eq!(counted["data"]["result"].as_array().unwrap().len(), 2, "{counted}");
        let bare = ask(narvi, "a", "/loki/api/v1/query", &[("query", "count_over_time({app=\"x\"}[1h])")]);
        let metric = &bare["data"]["result"][0]["metric"];
        assert!(metric["only"] == "a" && metric.get("__tenant_id__").is_none(), "{bare}");
        for path in ["/loki/api/v1/index/volume", "/loki/api/v1/patterns", "/loki/api/v1/detected_fields"] {
            let answer = ask(narvi, "c", path, &[("query", "{app=\"x\"}")]).to_string();
            assert!(!answer.contains("of ") && !answer.contains("\"x\""), "{path}: {answer}");
        }
        let labels = ask(narvi, "a", "/loki/api/v1/detected_labels", &[]).to_string();
        assert!(labels.contains("only") && !labels.contains("__tenant_id__"), "{labels}");
    };
    check(&narvi);
    narvi.flush();
    check(&narvi);
    narvi.stop();
    check(&Narvi::start_with(&directory, TENANTS));
}

#[test]
fn a_request_without_or_with_a_bad_tenant_is_refused() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, &format!("{TENANTS}server.tenants_max = 2\n"));
    for (path, status) in [
        ("/loki/api/v1/labels", 401),
        ("/loki/api/v1/query_range?query={a=%22b%22}", 401),
        ("/loki/api/v1/tail?query={a=%22b%22}", 401),
        ("/ready", 200),
        ("/metrics", 200),
        ("/loki/api/v1/status/buildinfo", 200),
        ("/loki/api/v1/drilldown-limits", 200),
    ] {
        assert_eq!(narvi.get(path, &[]).status, status, "{path}");
    }
    let refused = narvi.get("/loki/api/v1/labels", &[]);
    assert_eq!((refused.text().as_str(), refused.header("www-authenticate")), ("no org id\n", None));
    for (tenant, status) in
        [("", 401), ("a|b", 400), ("a/b", 400), ("..", 400), ("a", 204), ("b", 204), ("c", 429), ("a", 204)]
    {
        assert_eq!(push(&narvi, tenant, &[("app", "x")], "l"), status, "{tenant:?}");
    }
    let headers = [("X-Scope-OrgID", "a|b|c")];
    assert_eq!(narvi.client().request("GET", "/loki/api/v1/labels", &headers, b"").unwrap().status, 400);
}

#[test]
fn a_tail_brings_its_own_tenants_lines() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, TENANTS);
    assert_eq!(push(&narvi, "a", &[("app", "x")], "old of a"), 204);
    assert_eq!(push(&narvi, "b", &[("app", "x")], "old of b"), 204);
    let open = |tenant| {
        let headers = [("X-Scope-OrgID", tenant)];
        Tail::open_with(narvi.address(), &[("query", "{app=\"x\"}")], &headers).unwrap_or_else(|e| panic!("{e:?}"))
    };
    let (mut one, mut both) = (open("b"), open("a|b"));
    assert_eq!(push(&narvi, "a", &[("app", "x")], "new of a"), 204);
    assert_eq!(push(&narvi, "b", &[("app", "x")], "new of b"), 204);
    let lines = |tail: &mut Tail, count| -> Vec<_> { tail.take(count).into_iter().map(|entry| entry.line).collect() };
    assert_eq!(lines(&mut one, 2), ["old of b", "new of b"]);
    assert_eq!(lines(&mut both, 4), ["old of a", "old of b", "new of a", "new of b"]);
}

/// What was stored before there were tenants, and what is followed, is the tenant `fake`'s unless the file says other.
#[test]
fn followed_lines_have_a_tenant_and_old_ones_too() {
    let directory = Directory::new();
    let before = Narvi::start(&directory);
    before.push(&[Stream::new(&[("app", "x")]).with(now_ns(), "before")]);
    before.stop();
    let file = directory.write("a.log", "followed\n");
    let job = format!("scrape_configs = [{{ job_name = 'j', paths = ['{}'] }}]\n", file.display());
    let narvi = Narvi::start_with(&directory, &format!("{TENANTS}collect.tenant_id = 'ops'\n{job}"));
    crate::support::eventually("the followed line", || {
        (lines(&narvi, "ops", "{job=\"j\"}") == set(&["followed"])).then_some(())
    });
    assert_eq!(lines(&narvi, "fake", "{service_name=~\".+\"}"), set(&["before"]));
    let both = ask(&narvi, "ops|fake", "/loki/api/v1/label/__tenant_id__/values", &[]);
    assert_eq!(both["data"], json!(["fake", "ops"]));
}
