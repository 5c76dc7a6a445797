//! Deletion on request: what is selected is gone for good, and nothing else.

use serde_json::{Value, json};

use crate::support::{Directory, Narvi, Params, Stream, encoded, eventually, now_ns};

const PATH: &str = "/loki/api/v1/delete";
const SECOND_NS: i64 = 1_000_000_000;

/// Asks for a deletion; gives the id of the request.
fn delete(narvi: &Narvi, params: Params<'_>) -> String {
    let reply = narvi.client().request("POST", &format!("{PATH}{}", encoded(params)), &[], b"").unwrap();
    assert_eq!(reply.status, 204, "{}", reply.text());
    reply.header("x-delete-request-id").unwrap().to_owned()
}

fn requests(narvi: &Narvi) -> Vec<Value> {
    narvi.get(PATH, &[]).ok().as_array().unwrap().clone()
}

/// Waits until all requests are worked off.
fn worked_off(narvi: &Narvi) {
    eventually("the deletions", || requests(narvi).iter().all(|one| one["status"] == "processed").then_some(()));
}

#[test]
fn what_is_selected_is_gone_for_good() {
    let directory = Directory::new();
    let narvi = Narvi::start(&directory);
    let base_ns = now_ns() / SECOND_NS * SECOND_NS - 100 * SECOND_NS;
    let at = |second: i64| base_ns + second * SECOND_NS;
    let (mut x, mut y) = (Stream::new(&[("app", "x")]), Stream::new(&[("app", "y")]));
    for second in 0..40 {
        x = x.with(at(second), format!("user={} n={second}", second % 2));
        y = y.with(at(second), format!("user={} n={second}", second % 2));
        if second == 19 {
            narvi.push(&[x, y]);
            narvi.flush();
            (x, y) = (Stream::new(&[("app", "x")]), Stream::new(&[("app", "y")]));
        }
    }
    narvi.push(&[x, y]);
    // Both from a block and from memory.
    let (start, end) = (at(10).to_string(), (at(29) / SECOND_NS).to_string());
    let id = delete(&narvi, &[("query", "{app=\"x\"} |= \"user=1\""), ("start", &start), ("end", &end)]);
    worked_off(&narvi);
    let listed = requests(&narvi);
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["request_id"], &listed[0]["user_id"]), (&json!(id), &json!("")));
    assert_eq!(listed[0]["end_time"], json!(at(29) / SECOND_NS));
    let want: Vec<String> = (0..40)
        .filter(|second| !(10..=29).contains(second) || second % 2 == 0)
        .map(|second| format!("user={} n={second}", second % 2))
        .collect();
    let check = |narvi: &Narvi| {
        assert_eq!(narvi.lines("{app=\"x\"}"), want);
        assert_eq!(narvi.lines("{app=\"y\"}").len(), 40);
        assert_eq!(requests(narvi)[0]["status"], "processed");
    };
    check(&narvi);
    narvi.kill();
    let narvi = Narvi::start(&directory);
    check(&narvi);
    // A label filter, after a parser; all of a stream's time.
    delete(&narvi, &[("query", "{app=\"y\"} | logfmt | n > 20"), ("start", "1000000000")]);
    delete(&narvi, &[("query", "{app=\"x\"}"), ("start", "1000000000")]);
    worked_off(&narvi);
    assert_eq!(narvi.lines("{app=\"y\"}").len(), 21);
    assert!(narvi.lines("{app=\"x\"}").is_empty());
}

#[test]
fn a_request_can_be_taken_back_until_it_is_worked_off() {
    let directory = Directory::new();
    let waiting = "limits.delete_request_cancel_period = '24h'\n";
    let narvi = Narvi::start_with(&directory, waiting);
    narvi.push(&[
        Stream::new(&[("app", "x")]).with(now_ns(), "kept"),
        Stream::new(&[("app", "y")]).with(now_ns(), "gone"),
    ]);
    let (x, y) =
        ([("query", "{app=\"x\"}"), ("start", "1000000000")], [("query", "{app=\"y\"}"), ("start", "1000000000")]);
    let end = (now_ns() / SECOND_NS).to_string();
    let x = [x[0], x[1], ("end", &*end)];
    let id = delete(&narvi, &x);
    assert_eq!(delete(&narvi, &x), id, "the same request is taken once");
    let other = delete(&narvi, &y);
    assert_eq!(requests(&narvi).iter().map(|one| one["status"].clone()).collect::<Vec<_>>(), ["received", "received"]);
    let cancel = |narvi: &Narvi, id: &str| {
        let target = format!("{PATH}?request_id={id}&force=true");
        narvi.client().request("DELETE", &target, &[], b"").unwrap().status
    };
    assert_eq!(cancel(&narvi, "00000000"), 404);
    assert_eq!(cancel(&narvi, ""), 400);
    assert_eq!([cancel(&narvi, &id), cancel(&narvi, &id)], [204, 404]);
    narvi.kill();
    // Without a time to wait in, the next start works off what is left.
    let narvi = Narvi::start(&directory);
    worked_off(&narvi);
    assert_eq!(requests(&narvi).len(), 1);
    assert_eq!((narvi.lines("{app=\"x\"}"), narvi.lines("{app=\"y\"}")), (vec!["kept".to_owned()], Vec::new()));
    assert_eq!(cancel(&narvi, &other), 400);
}

#[test]
fn a_tenant_deletes_its_own() {
    let directory = Directory::new();
    let narvi = Narvi::start_with(&directory, "server.tenants = true\n");
    let ask = |method: &str, tenant: &str, target: &str, body: &[u8]| {
        let headers = [("X-Scope-OrgID", tenant), ("Content-Type", "application/json")];
        narvi.client().request(method, target, &headers, body).unwrap()
    };
    let body = Stream::json(&[Stream::new(&[("app", "x")]).with(now_ns(), "l")]);
    for tenant in ["a", "b"] {
        assert_eq!(ask("POST", tenant, "/loki/api/v1/push", &body).status, 204);
    }
    let target = format!("{PATH}{}", encoded(&[("query", "{app=\"x\"}"), ("start", "1000000000")]));
    assert_eq!(ask("POST", "a|b", &target, b"").status, 400);
    assert_eq!(narvi.client().request("POST", &target, &[], b"").unwrap().status, 401);
    assert_eq!(ask("POST", "a", &target, b"").status, 204);
    eventually("the deletion", || (ask("GET", "a", PATH, b"").json()[0]["status"] == "processed").then_some(()));
    assert_eq!(ask("GET", "b", PATH, b"").json(), json!([]));
    let left = |tenant| ask("GET", tenant, "/loki/api/v1/series", b"").json()["data"].as_array().unwrap().len();
    assert_eq!([left("a"), left("b")], [0, 1]);
}
