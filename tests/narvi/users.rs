//! Users: who gets in, with which right, on every path there is.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use data_encoding::BASE64;

use crate::support::{Directory, Narvi, Stream, Tail, now_ns};

/// Runs `narvi hash-password` on some input.
fn hash_password(input: &[u8]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narvi"));
    command.arg("hash-password").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn hash(password: &str) -> String {
    let output = hash_password(format!("{password}\n").as_bytes());
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}").as_bytes()))
}

/// A server with one user for each right.
fn start(directory: &Directory) -> Narvi {
    let file = directory.write("shipper", "écrire: tout\n");
    let config = format!(
        "[[server.users]]\nname = 'grafana'\npassword_hash = '{}'\nrights = ['read']\n\
         [[server.users]]\nname = 'shipper'\npassword_file = '{}'\nrights = ['write']\n\
         [[server.users]]\nname = 'root'\npassword_hash = '{}'\nrights = ['admin']\n",
        hash("look"),
        file.display(),
        hash("rule"),
    );
    Narvi::start_with(directory, &config)
}

#[test]
fn each_path_needs_its_right() {
    let directory = Directory::new();
    let narvi = start(&directory);
    let users = [basic("grafana", "look"), basic("shipper", "écrire: tout"), basic("root", "rule")];
    let mut client = narvi.client();
    // Which of the three may do it.
    for (method, target, may) in [
        ("GET", "/loki/api/v1/query?query=vector(1)", [true, false, true]),
        ("GET", "/loki/api/v1/query_range?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/labels", [true, false, true]),
        ("GET", "/loki/api/v1/label/app/values", [true, false, true]),
        ("GET", "/loki/api/v1/series", [true, false, true]),
        ("GET", "/loki/api/v1/index/stats?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/index/volume?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/detected_labels", [true, false, true]),
        ("GET", "/loki/api/v1/detected_fields?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/patterns?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/format_query?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/tail?query={a=%22b%22}", [true, false, true]),
        ("GET", "/loki/api/v1/drilldown-limits", [true, false, true]),
        ("GET", "/loki/api/v1/status/buildinfo", [true, false, true]),
        ("GET", "/prometheus/api/v1/rules", [true, false, true]),
        ("GET", "/api/prom/label", [true, false, true]),
        ("GET", "/metrics", [true, false, true]),
        ("GET", "/", [true, false, true]),
        ("POST", "/loki/api/v1/push", [false, true, true]),
        ("POST", "/api/prom/push", [false, true, true]),
        ("POST", "/otlp/v1/logs", [false, true, true]),
        ("POST", "/flush", [false, false, true]),
        ("GET", "/loki/api/v1/delete", [false, false, true]),
        ("POST", "/loki/api/v1/delete?query={a=%22b%22}&start=1", [false, false, true]),
        ("DELETE", "/loki/api/v1/delete?request_id=1", [false, false, true]),
        ("GET", "/config", [false, false, true]),
        ("GET", "/log_level", [false, false, true]),
        ("POST", "/log_level?log_level=info", [false, false, true]),
        ("GET", "/ready", [true, true, true]),
    ] {
        let body: &[u8] = if method == "POST" { b"{\"streams\":[]}" } else { b"" };
        let json = ("Content-Type", "application/json");
        for (user, may) in users.iter().zip(may) {
            let reply = client.request(method, target, &[json, ("Authorization", user)], body).unwrap();
            assert_eq!(reply.status == 403, !may, "{method} {target} by {user}: {}", reply.text());
            assert_ne!(reply.status, 401, "{method} {target} by {user}: {}", reply.text());
        }
        let reply = client.request(method, target, &[json], body).unwrap();
        assert_eq!(reply.status, if target == "/ready" { 200 } else { 401 }, "{method} {target}");
    }
}

#[test]
fn only_the_right_password_gets_in() {
    let directory = Directory::new();
    let narvi = start(&directory);
    let body = Stream::json(&[Stream::new(&[("app", "x")]).with(now_ns(), "a line")]);
    let status = |authorization: &str| {
        let headers = [("Content-Type", "application/json"), ("Authorization", authorization)];
        narvi.post(&headers, &body).status
    };
    for _ in 0..2 {
        assert_eq!(status(&basic("shipper", "écrire: tout")), 204);
        assert_eq!(status(&format!("Bearer {}", "rule")), 204);
        for wrong in [
            basic("shipper", "ecrire: tout"),
            basic("shipper", ""),
            basic("root", "look"),
            basic("", "rule"),
            "Bearer".to_owned(),
            "Bearer look again".to_owned(),
            "Basic %".to_owned(),
        ] {
            assert_eq!(status(&wrong), 401, "{wrong}");
        }
    }
    let refused = narvi.get("/loki/api/v1/labels", &[]);
    let challenges: Vec<_> = refused.headers.iter().filter(|(name, _)| name == "www-authenticate").collect();
    assert_eq!(challenges.len(), 2, "{refused:?}");
    let denied = Tail::open(narvi.address(), &[("query", "{app=\"x\"}")]).err().expect("it was opened");
    assert_eq!(denied.0, 401);
}

#[test]
fn the_shown_configuration_has_no_secrets() {
    let directory = Directory::new();
    let narvi = start(&directory);
    let root = ("Authorization", &*basic("root", "rule"));
    let shown = narvi.client().request("GET", "/config", &[root], b"").unwrap().text();
    assert!(shown.contains("name = 'grafana'\npassword_hash = \"<secret>\"\nrights = ['read']\n"), "{shown}");
    assert!(!shown.contains("$2"), "{shown}");
}

#[test]
fn an_address_for_others_needs_users_or_to_be_meant() {
    let directory = Directory::new();
    let listen = "server.listen = '0.0.0.0:0'\n";
    let refused = Narvi::try_start(&directory, listen).err().expect("it started");
    assert_eq!(refused.status.code(), Some(78));
    let file = directory.write("password", "secret");
    let users =
        format!("{listen}[[server.users]]\nname = 'a'\npassword_file = '{}'\nrights = ['read']\n", file.display());
    let file = crate::support::configure(&directory, &users);
    let output = Command::new(env!("CARGO_BIN_EXE_narvi")).args(["check", "--config"]).arg(file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_cannot_be_hashed_is_refused() {
    for (input, why) in
        [(&b""[..], "1 to 71 bytes"), (b"\n", "1 to 71 bytes"), (&[b'x'; 72], "1 to 71 bytes"), (b"\xff\n", "UTF-8")]
    {
        let output = hash_password(input);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(why), "{why}");
    }
}

/// With users a browser may come under any name, as through a proxy; another site's page may not.
#[test]
fn a_browser_with_a_password_may_come_through_a_proxy() {
    let directory = Directory::new();
    let narvi = start(&directory);
    let browser = [("Authorization", &*basic("grafana", "look")), ("Accept-Language", "en")];
    for (header, status) in [
        (("Origin", "https://logs.example.com"), 200),
        (("Sec-Fetch-Site", "same-origin"), 200),
        (("Sec-Fetch-Site", "cross-site"), 403),
    ] {
        let headers: Vec<_> = browser.iter().copied().chain([header]).collect();
        let reply = narvi.client().request("GET", "/loki/api/v1/labels", &headers, b"").unwrap();
        assert_eq!(reply.status, status, "{header:?}: {}", reply.text());
    }
}
