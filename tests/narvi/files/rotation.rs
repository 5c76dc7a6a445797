//! Rotation, as logrotate and programs do it: every line once, in order, under the name it was written to.

use std::{
    fs::{self, File},
    io::Write,
};

use super::{Logs, text};

/// Renamed and created anew, while the program goes on writing into the old file for a while.
#[test]
fn rename_and_create() {
    let mut logs = Logs::new();
    logs.up();
    let mut want = Vec::new();
    let mut number = 0;
    let mut next = |want: &mut Vec<String>| {
        number += 1;
        want.push(format!("line {number}"));
        format!("line {number}\n")
    };
    let mut file = logs.append("app.log");
    file.write_all(next(&mut want).as_bytes()).unwrap();
    // Until a file was met its rotated copies are somebody's old ones.
    logs.lines("app.log", 1);
    for round in (1..=5).rev() {
        for _ in 0..20 {
            file.write_all(next(&mut want).as_bytes()).unwrap();
        }
        logs.rename("app.log", &format!("app.log.{round}"));
        let mut new = logs.append("app.log");
        // The program has not yet noticed.
        for _ in 0..5 {
            file.write_all(next(&mut want).as_bytes()).unwrap();
        }
        if round % 2 == 0 {
            logs.lines("app.log", want.len());
        }
        new.write_all(next(&mut want).as_bytes()).unwrap();
        file = new;
    }
    let mut lines = logs.all_lines("app.log");
    // Where old and new file were written at the same time either may come first.
    lines.sort_by_key(|line| line.trim_start_matches("line ").parse::<usize>().unwrap());
    assert_eq!(lines, want);
    // Nothing is stored under the names of the rotated files.
    assert_eq!(logs.narvi().lines("{job=\"varlogs\"}").len(), want.len() + 1);
}

/// Copied and truncated, after everything was read.
#[test]
fn copy_and_truncate() {
    let mut logs = Logs::new();
    logs.up();
    let mut file = logs.append("app.log");
    let mut want = Vec::new();
    for round in 0..5 {
        for number in 0..20 {
            want.push(format!("round {round}, line {number}"));
            writeln!(file, "round {round}, line {number}").unwrap();
        }
        logs.lines("app.log", want.len());
        fs::copy(logs.path("app.log"), logs.path("app.log.1")).unwrap();
        File::options().write(true).open(logs.path("app.log")).unwrap().set_len(0).unwrap();
    }
    assert_eq!(logs.all_lines("app.log"), want);
}

/// What was not read before the truncation is read from the copy; so it is when nobody looked meanwhile.
#[test]
fn copy_and_truncate_while_down() {
    let mut logs = Logs::new();
    logs.write("app.log", "one\ntwo\n");
    logs.up();
    logs.lines("app.log", 2);
    logs.down();
    logs.write("app.log", "three\n");
    fs::copy(logs.path("app.log"), logs.path("app.log.1")).unwrap();
    File::options().write(true).open(logs.path("app.log")).unwrap().set_len(0).unwrap();
    logs.write("app.log", "four\n");
    logs.up();
    assert_eq!(logs.all_lines("app.log"), ["one", "two", "three", "four"]);
}

/// Truncated and written past the old position, with the same first line as before.
#[test]
fn truncated_and_grown_again_while_down() {
    let mut logs = Logs::new();
    let banner = "=".repeat(1200);
    logs.write("app.log", text([banner.as_str(), "one", "two"]));
    logs.up();
    logs.lines("app.log", 3);
    logs.down();
    fs::write(logs.path("app.log"), text([banner.as_str(), "three", "four", "five", "six"])).unwrap();
    logs.up();
    let want = [banner.as_str(), "one", "two", &banner, "three", "four", "five", "six"];
    assert_eq!(logs.all_lines("app.log"), want);
}

#[test]
fn rotated_while_down() {
    for rotations in 1..=2 {
        let mut logs = Logs::new();
        logs.write("app.log", "one\n");
        logs.up();
        logs.lines("app.log", 1);
        logs.down();
        let mut want = vec!["one".to_owned()];
        for rotation in 0..=rotations {
            for line in ["a", "b", "c"] {
                want.push(format!("{rotation} {line}"));
                logs.write("app.log", format!("{rotation} {line}\n"));
            }
            if rotation < rotations {
                if rotation == 1 {
                    logs.rename("app.log.1", "app.log.2");
                }
                logs.rename("app.log", "app.log.1");
            }
        }
        logs.up();
        assert_eq!(logs.all_lines("app.log"), want, "{rotations} rotations");
    }
}

/// Deleted while a program holds it open: what the program still writes is read, and so is the next file of that name.
#[test]
fn deleted_while_it_is_written() {
    let mut logs = Logs::with("collect.rotate_wait = '200ms'", "");
    logs.up();
    let mut file = logs.append("app.log");
    file.write_all(b"one\n").unwrap();
    logs.lines("app.log", 1);
    fs::remove_file(logs.path("app.log")).unwrap();
    file.write_all(b"two\n").unwrap();
    logs.lines("app.log", 2);
    file.write_all(b"three").unwrap();
    drop(file);
    logs.write("app.log", "four\n");
    let mut lines = logs.lines("app.log", 4);
    // The end of the old file and the beginning of the new one are read at the same time.
    lines[2..].sort();
    assert_eq!(lines, ["one", "two", "four", "three"]);
}

/// The system gives the number of a deleted file to the next one: it is another file all the same.
#[test]
fn a_number_that_returns_is_another_file() {
    let mut logs = Logs::new();
    logs.up();
    let mut want = Vec::new();
    for round in 0..20 {
        logs.write("app.log", format!("round {round}\n"));
        want.push(format!("round {round}"));
        assert_eq!(logs.lines("app.log", want.len()), want);
        fs::remove_file(logs.path("app.log")).unwrap();
    }
}

/// An editor saves under another number what is the same file to its reader.
#[test]
fn a_file_that_was_saved_anew_is_not_read_again() {
    let mut logs = Logs::new();
    // Equal beginnings that are shorter prove nothing.
    let one = "=".repeat(100);
    logs.write("app.log", text([one.as_str(), "two"]));
    logs.up();
    logs.lines("app.log", 2);
    logs.down();
    fs::copy(logs.path("app.log"), logs.path("saved")).unwrap();
    logs.rename("saved", "app.log");
    logs.write("app.log", "three\n");
    logs.up();
    assert_eq!(logs.all_lines("app.log"), [one.as_str(), "two", "three"]);
}
