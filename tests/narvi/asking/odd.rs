//! Servers that do not answer as they should.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
};

use super::{answer, command, observed};
use crate::support::Directory;

/// A server that gives each connection the next of some answers, whatever it is asked; and the heads of the requests.
fn server(answers: Vec<Vec<u8>>) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, heads) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() > 0 {
                head.push(byte[0]);
            }
            // The test may not want to know, and the client may have seen enough.
            drop(sender.send(String::from_utf8(head).unwrap()));
            drop(stream.write_all(&answer));
        }
    });
    (address, heads)
}

const LABELS: &str = r#"{"status":"success","data":["a","b"]}"#;

#[test]
fn odd_answers_are_told() {
    let head = "HTTP/1.1 200 OK\r\n";
    let rows: Vec<(String, i32, &str)> = vec![
        (String::new(), 69, "the answer of SERVER ended after 0 bytes, before it was complete"),
        (format!("{head}Content-Length: 100\r\n\r\n{{\"status\""), 69, "ended after 9 bytes"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n9\r\n{{\"status\""), 69, "ended after 9 bytes"),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\nsomething\r\n"),
            1,
            "does not speak HTTP: its chunks have no length",
        ),
        (format!("{head}Transfer-Encoding: gzip\r\n\r\n"), 1, "does not speak HTTP: it sends the coding \"gzip\""),
        (format!("{head}Content-Length: many\r\n\r\n"), 1, "the length \"many\" is no number"),
        (format!("{head}Content-Length: 268435457\r\n\r\n"), 1, "is larger than 268435456 bytes"),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(), 1, "SERVER does not speak HTTP: "),
        (format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(70_000)), 1, "its head does not end"),
        (
            format!("{head}\r\n<html>Log in</html>"),
            1,
            "is not that of a Loki: expected value at line 1 column 1; is it the right URL?",
        ),
        (format!("{head}\r\n{{\"data\":5}}"), 1, "is not that of a Loki: invalid type: integer `5`"),
        ("HTTP/1.1 500 Oops\r\n\r\nit broke\n".to_owned(), 1, "SERVER answers 500: it broke\n"),
        (
            "HTTP/1.1 404 Not Found\r\n\r\n404 page not found".to_owned(),
            1,
            "answers 404: 404 page not found\nis it the right URL?",
        ),
        ("HTTP/1.1 401 Unauthorized\r\n\r\nno".to_owned(), 77, "answers 401: no\ngive --username and --password"),
        ("HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n".to_owned(), 1, "write the URL that it leads to"),
    ];
    for (bytes, expected, text) in rows {
        let (address, _) = server(vec![bytes.clone().into_bytes()]);
        let (code, stdout, stderr) = observed(&command(address, &["labels"]).output().unwrap());
        let text = text.replace("SERVER", &format!("http://{address}"));
        assert!(stderr.contains(&text), "{bytes:?}: {stderr}");
        assert_eq!((code, stdout.as_str()), (expected, ""), "{bytes:?}: {stderr}");
    }
}

/// Every form of a good answer is read: by length, in chunks, to the end of the connection, behind an interim answer.
#[test]
fn every_form_of_a_good_answer_is_read() {
    let (first, second) = LABELS.split_at(10);
    let rows = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{LABELS}", LABELS.len()),
        format!("HTTP/1.0 200 OK\r\n\r\n{LABELS}"),
        format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{LABELS}"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x};x=y\r\n{first}\r\n{:X}\r\n{second}\r\n0\r\n\r\n",
            first.len(),
            second.len()
        ),
    ];
    for bytes in rows {
        let (address, _) = server(vec![bytes.into_bytes()]);
        assert_eq!(answer(address, &["labels"]), "a\nb\n");
    }
}

#[test]
fn a_busy_server_is_asked_again() {
    let busy = b"HTTP/1.1 429 Too Many\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy".to_vec();
    let good = format!("HTTP/1.1 200 OK\r\n\r\n{LABELS}").into_bytes();
    let (address, heads) = server(vec![busy.clone(), busy.clone(), good]);
    let (code, stdout, stderr) = observed(&command(address, &["labels"]).output().unwrap());
    assert_eq!((code, stdout.as_str()), (0, "a\nb\n"));
    let said = format!("narvi: http://{address} answers 429: busy; asking again in 0 s\n");
    assert_eq!(stderr, said.repeat(2));
    assert_eq!(heads.iter().count(), 3);

    let (address, heads) = server(vec![busy.clone(), busy]);
    let (code, _, stderr) = observed(&command(address, &["labels", "--retries=1", "-q"]).output().unwrap());
    assert_eq!((code, stderr), (1, format!("narvi: http://{address} answers 429: busy\n")));
    assert_eq!(heads.iter().count(), 2);
}

/// Arguments, variables, and headers that they become.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn who_asks_is_told_to_the_server() {
    let directory = Directory::new();
    let token = directory.write("token", "secret\n");
    let token = format!("--bearer-token-file={}", token.display());
    let rows: &[Row<'_>] = &[
        (&["--username=me", "--password=pass"], &[], &["Authorization: Basic bWU6cGFzcw=="]),
        (&[], &[("LOKI_USERNAME", "me"), ("LOKI_PASSWORD", "pass")], &["Authorization: Basic bWU6cGFzcw=="]),
        (&["--bearer-token=abc", "--org-id=one"], &[], &["Authorization: Bearer abc", "X-Scope-OrgID: one"]),
        (&[&token], &[("LOKI_ORG_ID", "two")], &["Authorization: Bearer secret", "X-Scope-OrgID: two"]),
        (&[], &[], &["Connection: close"]),
    ];
    for (arguments, variables, expected) in rows {
        let (address, heads) = server(vec![format!("HTTP/1.1 200 OK\r\n\r\n{LABELS}").into_bytes()]);
        let mut command = command(address, &["labels"]);
        command.args(*arguments).envs(variables.iter().copied());
        assert_eq!(command.output().unwrap().status.code(), Some(0));
        let head = heads.recv().unwrap();
        assert!(head.starts_with("GET /loki/api/v1/labels?start="), "{head}");
        assert!(head.contains(&format!("\r\nHost: {address}\r\n")), "{head}");
        for line in *expected {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{line}: {head}");
        }
        assert_eq!(head.contains("Authorization"), expected.iter().any(|line| line.starts_with("Auth")), "{head}");
    }
}

/// No server, and questions that cannot be asked; the flag counts more than the variables.
#[test]
fn what_cannot_be_asked_is_told() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("--url=http://{unused}");
    let rows: &[(&[&str], i32, &str)] = &[
        (&[&server], 69, "cannot reach http://127.0.0.1:"),
        (&["--url=localhost:3100"], 64, "`localhost:3100` is no URL of a server: it does not begin with http://"),
        (&["--url=https://localhost"], 64, "https is not supported"),
        (&[&server, "--org-id=a\nb"], 64, "a header cannot hold \"a\\nb\""),
        (&[&server, "--from=yesterday"], 64, "--from: `yesterday` is not a time"),
        (&[&server, "--since=1"], 64, "--since: `1` is not a duration"),
        (&[&server, "--retries=often"], 64, "--retries: `often` is not a number"),
        (&[&server, "--timezone=Nowhere"], 64, "--timezone: `Nowhere` is no time zone"),
        (&[&server, "--bearer-token-file=/nonexistent"], 64, "--bearer-token-file: `/nonexistent` No such file"),
        (&[], 64, "`ftp://x` is no URL"),
    ];
    for (arguments, expected, text) in rows {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_narvi"));
        command.arg("labels").args(*arguments).env("NARVI_URL", "ftp://x").env("LOKI_ADDR", "ftp://y");
        let (code, _, stderr) = observed(&command.output().unwrap());
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
        assert_eq!(code, *expected, "{arguments:?}: {stderr}");
    }
}
