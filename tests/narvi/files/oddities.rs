//! What lies among log files and is none, or is one in an odd shape.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixListener},
};

use super::Logs;
use crate::support::{Narvi, configure, eventually, gzip, skip, unprivileged};

/// Resident memory that is enough for everything here; a sparse file of 2 GiB, read as text, would take more.
const RSS_KB_MAX: u64 = 96 << 10;

fn files(narvi: &Narvi, state: &str) -> u64 {
    narvi.metrics().get(&format!("collector_files{{state=\"{state}\"}}"))
}

/// Nothing of these is stored, and a real log beside them is.
#[test]
fn files_that_are_no_text_are_left_alone() {
    let mut logs = Logs::new();
    for name in ["sparse.log", "lastlog"] {
        File::create(logs.path(name)).unwrap().set_len(2 << 30).unwrap();
    }
    logs.write("zeros.log", [0; 8192]);
    logs.write("zipped.log", gzip(b"line\nline\n"));
    logs.write("elf.log", fs::read(std::env::current_exe().unwrap()).unwrap().get(..65_536).unwrap());
    let noise: Vec<u8> = (0..20_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    logs.write("noise.log", noise);
    fs::create_dir(logs.path("directory.log")).unwrap();
    let _socket = UnixListener::bind(logs.path("socket.log")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        logs.path("fifo.log"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    std::os::unix::fs::symlink("/nowhere/at/all", logs.path("dangling.log")).unwrap();
    std::os::unix::fs::symlink(logs.path("loop.log"), logs.path("loop.log")).unwrap();
    logs.write("real.log", "real\n");
    logs.up();
    assert_eq!(logs.lines("real.log", 1), ["real"]);
    eventually("three binary files", || (files(logs.narvi(), "binary") == 3).then_some(()));
    assert_eq!(logs.all_lines("real.log"), ["real"]);
    assert_eq!(logs.narvi().lines("{job=\"varlogs\"}"), ["real", "the end"]);
    assert!(logs.narvi().status("VmHWM") < RSS_KB_MAX, "{} kB", logs.narvi().status("VmHWM"));
    let said = logs.narvi().log();
    for name in ["zipped.log", "elf.log", "noise.log"] {
        let path = logs.path(name).display().to_string();
        assert_eq!(said.lines().filter(|line| line.contains(&path)).count(), 1, "{name}: {said}");
    }
}

/// A file that begins as a hole, as after a truncation under a program that does not append, is read from its text on.
#[test]
fn text_behind_zero_bytes_is_read() {
    let mut logs = Logs::new();
    logs.up();
    logs.write("app.log", "old line\n");
    logs.lines("app.log", 1);
    let file = File::options().write(true).open(logs.path("app.log")).unwrap();
    file.set_len(0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"new line\n", 100_000).unwrap();
    assert_eq!(logs.all_lines("app.log"), ["old line", "new line"]);
}

#[test]
fn long_lines_are_cut_split_or_dropped() {
    let rows: [(&str, &[usize]); 3] =
        [("truncate", &[1024, 1023]), ("split", &[1024, 1024, 952, 1023, 977]), ("drop", &[])];
    for (action, lengths) in rows {
        let config = format!("collect.max_line_size = '1KiB'\ncollect.max_line_action = '{action}'");
        let mut logs = Logs::with(&config, "");
        logs.up();
        // The second line has a character of two bytes across the limit.
        logs.write("app.log", format!("{}\nshort\n{}é{}\n", "x".repeat(3000), "y".repeat(1023), "y".repeat(975)));
        let lines = logs.all_lines("app.log");
        let (short, long): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.as_str() == "short");
        assert_eq!(short.len(), 1, "{action}");
        let got: Vec<_> = long.iter().map(|line| line.len()).collect();
        assert_eq!(got, lengths, "{action}");
    }
}

/// A line without end takes no memory: one entry, and the next line whole.
#[test]
fn an_endless_line_takes_no_memory() {
    let mut logs = Logs::new();
    logs.up();
    let mut file = logs.append("app.log");
    let piece = "x".repeat(1 << 20);
    for _ in 0..128 {
        file.write_all(piece.as_bytes()).unwrap();
    }
    file.write_all(b"\nshort\n").unwrap();
    let lines = logs.all_lines("app.log");
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [256 << 10, 5]);
    assert!(logs.narvi().status("VmHWM") < RSS_KB_MAX, "{} kB", logs.narvi().status("VmHWM"));
}

#[test]
fn character_sets_become_utf_8() {
    let utf_16 = |text: &str, big: bool| -> Vec<u8> {
        let bytes = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    };
    let want = ["grün", "🦀 zwei"];
    let text = super::text(want);
    let marked = format!("\u{feff}{text}");
    let latin = text.replace("🦀 ", "").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect::<Vec<_>>();
    let rows: [(&str, &str, Vec<u8>, [&str; 2]); 6] = [
        ("utf-8", "utf-8", marked.clone().into_bytes(), want),
        ("little, by its mark", "utf-8", utf_16(&marked, false), want),
        ("big, by its mark", "utf-16", utf_16(&marked, true), want),
        ("little", "utf-16le", utf_16(&text, false), want),
        ("big", "utf-16be", utf_16(&text, true), want),
        ("latin", "windows-1252", latin, ["grün", "zwei"]),
    ];
    for (name, encoding, bytes, want) in rows {
        let mut logs = Logs::with("", &format!("encoding = '{encoding}'"));
        logs.write("app.log", bytes);
        logs.up();
        assert_eq!(logs.lines("app.log", 2), want, "{name}");
    }
    // What is not of the set becomes a mark, and the line is kept.
    let mut logs = Logs::new();
    logs.write("app.log", b"a\xffb\n\xc3\n");
    logs.up();
    assert_eq!(logs.lines("app.log", 2), ["a\u{fffd}b", "\u{fffd}"]);
}

/// Two names of one file are one stream; two files that begin alike are two.
#[test]
fn files_are_told_apart_by_what_they_are() {
    let mut logs = Logs::new();
    let banner = "=".repeat(4096) + "\n";
    logs.write("a.log", format!("{banner}a\n"));
    logs.write("b.log", format!("{banner}b\n"));
    fs::hard_link(logs.path("a.log"), logs.path("hard.log")).unwrap();
    std::os::unix::fs::symlink(logs.path("a.log"), logs.path("soft.log")).unwrap();
    logs.up();
    assert_eq!(logs.lines("a.log", 2)[1], "a");
    assert_eq!(logs.lines("b.log", 2)[1], "b");
    logs.all_lines("a.log");
    logs.all_lines("b.log");
    let all = logs.narvi().lines("{job=\"varlogs\"}");
    assert_eq!(all.len(), 6, "{all:?}");
}

/// A file that may not be read is named once, with what to do about it, and read as soon as it may be.
#[test]
fn an_unreadable_file_is_named_once_with_a_remedy() {
    let logs = Logs::new();
    logs.write("secret.log", "secret\n");
    logs.write("open.log", "open\n");
    fs::set_permissions(logs.path("secret.log"), Permissions::from_mode(0o000)).unwrap();
    fs::create_dir(logs.directory.join("store")).unwrap();
    fs::set_permissions(logs.directory.join("store"), Permissions::from_mode(0o777)).unwrap();
    let config = configure(&logs.directory, &logs.config);
    let Some(mut command) = unprivileged(&config) else {
        return skip("an unreadable file", "needs another user than root, or setpriv and a path that others may enter");
    };
    let narvi = Narvi::run(&mut command).unwrap();
    narvi.lines_once(&logs.of("open.log"), 1);
    eventually("the unreadable file to be counted", || (files(&narvi, "unreadable") == 1).then_some(()));
    let path = logs.path("secret.log").display().to_string();
    let warnings = || -> Vec<String> {
        let is_warning = |line: &&str| line.contains("WARN") && line.contains(&path);
        narvi.log().lines().filter(is_warning).map(str::to_owned).collect()
    };
    let said = eventually("a warning", || warnings().pop());
    assert!(said.contains("would let narvi read it"), "{said}");
    fs::set_permissions(logs.path("secret.log"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(narvi.lines_once(&logs.of("secret.log"), 1), ["secret"]);
    assert_eq!(warnings().len(), 1, "{}", narvi.log());
}
