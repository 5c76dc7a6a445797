//! The drawing in docs/architecture.md holds: which room uses which, what every file begins with and how long it is,
//! and that what the documentation names exists.

#![expect(clippy::unwrap_used, reason = "what fails in reading the source fails the test")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each room, and the rooms it may use. A new arrow is a change of the design: draw it in docs/architecture.md too.
const ROOMS: &[(&str, &[&str])] = &[
    ("labels", &[]),
    ("logql", &["labels"]),
    ("store", &["labels"]),
    ("ingest", &["store", "labels"]),
    ("query", &["logql", "store", "labels"]),
    ("collect", &["ingest", "logql", "store", "labels"]),
    ("server", &["query", "ingest", "logql", "store", "labels"]),
    // It knows a server only over the network, and so works with any.
    ("client", &["labels"]),
    // It fills in each room's options and uses nothing else of them.
    ("config", &["server", "collect", "query", "ingest", "logql", "store", "labels"]),
    // A list of what each room offers for fuzzing.
    ("fuzzing", &["config", "server", "collect", "query", "ingest", "logql", "store", "labels"]),
    // The binary: not part of the library, and free to use all of it.
    ("command", &["config", "client", "server", "collect", "query", "ingest", "logql", "store", "labels"]),
];

/// Above this a file holds a second noun.
const LINES_MAX: usize = 600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files below a directory with this ending, as paths from the root.
fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The room that a file of `src/` belongs to; `None` for `lib.rs` and `main.rs`.
fn room(path: &Path) -> Option<&str> {
    let mut parts = path.iter().skip(1);
    let first = Path::new(parts.next()?).file_stem()?.to_str()?;
    (!["lib", "main"].contains(&first)).then_some(first)
}

/// The code of a line, without its comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// The rooms that a line's paths lead to, by `crate::room` or, in the binary, by `narvi::room`.
fn mentioned<'l>(line: &'l str, krate: &str) -> Vec<&'l str> {
    let code = code(line);
    let starts = code.match_indices(krate).filter(|(at, _)| {
        let before = code[..*at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':')
    });
    let rest = starts.map(|(at, _)| &code[at + krate.len()..]);
    rest.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("")).collect()
}

/// Every arrow between rooms that the source has, with the line that draws it.
fn arrows() -> Vec<(String, String, String)> {
    let mut arrows = Vec::new();
    for path in files("src", "rs") {
        let Some(room) = room(&path) else { continue };
        for (number, line) in read(&path).lines().enumerate() {
            for target in mentioned(line, "crate::") {
                if ROOMS.iter().any(|(known, _)| *known == target) && target != room {
                    arrows.push((room.to_owned(), target.to_owned(), format!("{}:{}", path.display(), number + 1)));
                }
            }
        }
    }
    arrows
}

#[test]
fn every_arrow_is_drawn() {
    let arrows = arrows();
    assert!(arrows.len() > 20, "the source was not understood: {arrows:?}");
    let undrawn = arrows.iter().filter(|(room, target, _)| {
        let (_, allowed) = ROOMS.iter().find(|(known, _)| known == room).unwrap_or(&("", &[]));
        !allowed.contains(&target.as_str())
    });
    let undrawn: Vec<_> = undrawn.map(|(room, target, place)| format!("{place}: {room} uses {target}")).collect();
    assert!(undrawn.is_empty(), "\n{}", undrawn.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    let rooms: BTreeSet<_> = files("src", "rs").iter().filter_map(|path| room(path).map(str::to_owned)).collect();
    let table: BTreeSet<_> = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms, table);
}

/// `use crate::{a::X, b::Y}` hides arrows from a reader, and from the test above.
#[test]
fn rooms_are_named_one_by_one() {
    let mut grouped = Vec::new();
    for path in files("src", "rs") {
        let own = room(&path).unwrap_or("");
        let text = read(&path);
        for (at, _) in text.match_indices("use crate::{").chain(text.match_indices("use super::super::{")) {
            let end = text[at..].find(';').map_or(text.len(), |end| at + end);
            let names = |room: &&&str| {
                text[at..end].split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == **room)
            };
            let rooms: Vec<_> = ROOMS.iter().map(|(room, _)| room).filter(names).collect();
            if rooms.iter().any(|room| **room != own) {
                let line = text[..at].lines().count() + 1;
                grouped.push(format!("{}:{line}: {rooms:?}", path.display()));
            }
        }
    }
    assert!(grouped.is_empty(), "write `use crate::room::Name`:\n{}", grouped.join("\n"));
}

/// The binary reaches the rooms through the library only, and the library does not know the binary.
#[test]
fn the_binary_stands_on_the_library() {
    for path in files("src/command", "rs") {
        for line in read(&path).lines() {
            let inside = mentioned(line, "crate::");
            assert!(inside.iter().all(|target| *target == "command" || !is_room(target)), "{}: {line}", path.display());
        }
    }
    assert!(!read("src/lib.rs").lines().any(|line| code(line).contains("command")));
}

fn is_room(name: &str) -> bool {
    ROOMS.iter().any(|(room, _)| *room == name)
}

/// The language knows no disk, no clock, no threads; only the server knows HTTP and JSON answers.
#[test]
fn rooms_keep_to_their_subject() {
    let rows: &[(&str, &[&str])] = &[
        (
            "logql",
            &["std::fs", "std::io", "TcpStream", "UdpSocket", "std::thread", "Instant::now", "SystemTime", "serde"],
        ),
        ("labels", &["std::fs", "std::net", "std::thread", "Instant::now", "SystemTime"]),
        ("store", &["std::net", "tiny_http", "tungstenite", "serde_json"]),
        ("query", &["std::fs", "std::net", "tiny_http", "tungstenite", "serde_json"]),
        ("collect", &["std::net", "tiny_http", "tungstenite"]),
    ];
    let mut strangers = Vec::new();
    for (room, words) in rows {
        for path in files(&format!("src/{room}"), "rs") {
            let text = read(&path);
            // Tests may do what the room does not.
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
            if path.file_name().is_some_and(|name| name == "tests.rs" || name == "testing.rs") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                let found = words.iter().filter(|word| code(line).contains(**word));
                strangers.extend(found.map(|word| format!("{}:{}: {word}", path.display(), number + 1)));
            }
        }
    }
    assert!(strangers.is_empty(), "\n{}", strangers.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|directory| files(directory, "rs"))
        .filter(|path| !read(path).starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "they do not begin with `//! `: {silent:?}");
}

#[test]
fn no_file_is_too_long() {
    let long: Vec<_> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(|directory| files(directory, "rs"))
        .map(|path| (read(&path).lines().count(), path))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "look for the second noun (at most {LINES_MAX} lines): {long:?}");
}

/// The documents that name files: those of `docs/`, and the README.
fn documents() -> Vec<PathBuf> {
    let mut documents = files("docs", "md");
    assert!(documents.contains(&PathBuf::from("docs/architecture.md")), "docs/architecture.md is missing");
    documents.push("README.md".into());
    documents
}

#[test]
fn every_path_in_the_documentation_exists() {
    let tops = ["src/", "tests/", "docs/", "benches/", "fuzz/", "packaging/", "systemd/", ".ci/"];
    let mut missing = Vec::new();
    for document in documents() {
        for (number, line) in read(&document).lines().enumerate() {
            let words = line.split(|c: char| c.is_whitespace() || "`()[]{}<>|,;:\"'!?*#".contains(c));
            for word in words.map(|word| word.trim_end_matches(['.', '/'])) {
                let is_path = tops.iter().any(|top| word.starts_with(top));
                if is_path && !root().join(word).exists() {
                    missing.push(format!("{}:{}: {word}", document.display(), number + 1));
                }
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// Links between the documents lead somewhere.
#[test]
fn every_link_in_the_documentation_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = read(&document);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap_or("");
            let file = target.split('#').next().unwrap_or("");
            let is_local = !file.is_empty() && !file.contains("://") && !file.starts_with("mailto:");
            if is_local && !root().join(&document).with_file_name(file).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// Each dependency has its reason: a row of the table in docs/architecture.md that begins with its name.
#[test]
fn every_dependency_has_a_reason() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let dependencies: BTreeSet<_> = manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
    assert!(dependencies.len() > 10, "{dependencies:?}");
    let architecture = read("docs/architecture.md");
    let rows = architecture.lines().filter_map(|line| line.strip_prefix('|'));
    // One row may speak for crates that belong together.
    let named: BTreeSet<_> = rows
        .filter_map(|row| row.split('|').next())
        .flat_map(|cell| cell.split(|c: char| c.is_whitespace() || "`,".contains(c)))
        .collect();
    let silent: Vec<_> = dependencies.iter().filter(|name| !named.contains(name.as_str())).collect();
    assert!(silent.is_empty(), "docs/architecture.md has no row for {silent:?}");
}
