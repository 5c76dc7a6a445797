//! What stops a start, and in which words it is told.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, process::Output};

use crate::support::{Directory, Narvi, Stream, configure, now_ns, skip, unprivileged};

/// The exit code and the text of a start that must fail.
fn refused(result: Result<Narvi, Output>) -> (i32, String) {
    let output = result.err().expect("it started");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_wrong_configuration_is_78() {
    let directory = Directory::new();
    let (code, text) = refused(Narvi::try_start(&directory, "store.retention = 'for ever'\n"));
    assert_eq!(code, 78);
    assert!(text.contains("config.toml:") && text.contains("`for ever` is not a duration"), "{text}");
    assert!(!directory.join("store").exists(), "a start that fails creates no store");
}

#[test]
fn a_port_in_use_is_named() {
    let directory = Directory::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, text) = refused(Narvi::try_start(&directory, &format!("server.listen = '{address}'\n")));
    assert_eq!(code, 1);
    assert!(text.contains(&format!("cannot listen on {address}: Address already in use")), "{text}");
    assert!(text.contains("server.listen"), "{text}");
}

#[test]
fn two_processes_do_not_share_a_store() {
    let directory = Directory::new();
    let first = Narvi::start(&directory);
    first.push(&[Stream::new(&[("app", "x")]).with(now_ns(), "before")]);
    let (code, text) = refused(Narvi::try_start(&directory, ""));
    assert_eq!(code, 1);
    let store = directory.join("store");
    for part in ["another narvi", &first.pid().to_string(), &store.display().to_string(), "[store]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    first.push(&[Stream::new(&[("app", "x")]).with(now_ns(), "after")]);
    assert_eq!(first.lines("{app=\"x\"}"), ["before", "after"]);
    // What was killed leaves no lock behind.
    first.kill();
    Narvi::start(&directory).stop();
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let directory = Directory::new();
    let file = directory.write("file", "I am not a directory");
    let (code, text) = refused(Narvi::try_start(&directory, &format!("store.path = '{}'\n", file.display())));
    assert_eq!(code, 1);
    assert!(text.contains(&file.display().to_string()), "{text}");

    let store = directory.join("read-only");
    fs::create_dir(&store).unwrap();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o555)).unwrap();
    let config = configure(&directory, &format!("store.path = '{}'\n", store.display()));
    let Some(mut command) = unprivileged(&config) else {
        return skip("a read-only store", "needs another user than root, or setpriv and a path that others may enter");
    };
    let (code, text) = refused(Narvi::run(&mut command));
    assert_eq!(code, 1);
    assert!(text.contains(&store.display().to_string()) && text.contains("Permission denied"), "{text}");
    assert!(text.contains("must own the data directory"), "{text}");
}
