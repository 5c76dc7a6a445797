//! `kill -9` while programs write and rotate: each line exactly once.

use std::{collections::BTreeSet, fs::File, io::Write, sync::mpsc, thread};

use super::Logs;
use crate::support::{Dice, Narvi, exactly_once, rounds, within_patience};

const WRITERS: usize = 3;

/// A program that writes numbered lines into a file of its own, and rotates it by renaming.
struct Writer<'l> {
    logs: &'l Logs,
    name: String,
    file: File,
    lines: usize,
    rotated: usize,
    dice: Dice,
}

impl Writer<'_> {
    fn write(&mut self, lines: usize) {
        let rotate_at = self.dice.below(2 * lines);
        for at in 0..lines {
            let line = format!("{} {}\n", self.name, self.lines);
            self.lines += 1;
            // Some lines arrive in two pieces.
            let cut = self.dice.below(line.len());
            self.file.write_all(&line.as_bytes()[..cut]).unwrap();
            self.file.write_all(&line.as_bytes()[cut..]).unwrap();
            if at == rotate_at {
                self.rotated += 1;
                eprintln!("{}.{} ends before line {}", self.name, self.rotated, self.lines);
                self.logs.rename(&self.name, &format!("{}.{}", self.name, self.rotated));
                self.file = self.logs.append(&self.name);
            }
        }
    }
}

/// Each round the writers write and rotate while it reads, is killed, and starts again. A file is rotated at most
/// once in a round.
#[test]
fn every_line_is_there_once_after_kill_9() {
    let mut logs = Logs::with("store.head_memory = '1MiB'\ncollect.rescan = '1s'", "");
    let mut dice = Dice::new();
    let rounds = rounds(20);
    logs.up();
    // Until a file was met its rotated copies are somebody's old ones.
    for number in 0..WRITERS {
        let name = format!("{number}.log");
        logs.write(&name, format!("{name} 0\n"));
        logs.lines(&name, 1);
    }
    let mut narvi = logs.narvi.take();
    let logs = &logs;
    let written = thread::scope(|scope| {
        let (mut orders, mut writers) = (Vec::new(), Vec::new());
        for number in 0..WRITERS {
            let (order, ordered) = mpsc::channel::<usize>();
            let name = format!("{number}.log");
            let file = logs.append(&name);
            let mut writer = Writer { logs, name, file, lines: 1, rotated: 0, dice: Dice::from(dice.below(1 << 40)) };
            writers.push(scope.spawn(move || {
                for lines in ordered {
                    writer.write(lines);
                }
                (writer.name, writer.lines)
            }));
            orders.push(order);
        }
        for _ in 0..rounds {
            for order in &orders {
                order.send(1 + dice.below(400)).unwrap();
            }
            // It is killed somewhere in the reading of these lines.
            let running = narvi.take().unwrap();
            for _ in 0..dice.below(30) {
                running.metrics();
            }
            dice.spin();
            let said = running.log();
            running.kill();
            eprintln!("killed, having said:\n{said}");
            dice.spin();
            narvi = Some(Narvi::start_with(&logs.directory, &logs.config));
        }
        drop(orders);
        writers.into_iter().map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    let narvi = narvi.unwrap();
    for (name, lines) in written {
        let query = logs.of(&name);
        // If some are missing, which ones says more than that.
        within_patience(|| (narvi.lines(&query).len() >= lines).then_some(()));
        let stored = narvi.lines(&query);
        let want: BTreeSet<_> = (0..lines).map(|number| format!("{name} {number}")).collect();
        exactly_once(stored.iter().map(String::as_str), want.clone(), |line| want.contains(line));
    }
    narvi.stop();
}
