//! `--help`: an overview of the subcommands, or what one of them takes. Each fits one screen of 24 lines.

use std::fmt::Write;

use super::arguments::{Flag, Subcommand};

/// The help of a subcommand; that of the first is the overview of all.
pub(super) fn of(subcommand: &Subcommand, all: &[Subcommand]) -> String {
    if subcommand.name.is_empty() { overview(subcommand, all) } else { details(subcommand) }
}

fn overview(serving: &Subcommand, all: &[Subcommand]) -> String {
    let mut text = "Narvi follows log files, keeps them compressed, and answers Loki's HTTP API.\n\n".to_owned();
    for subcommand in all {
        row(&mut text, &usage(subcommand), subcommand.about);
    }
    text.push('\n');
    for flag in serving.flags() {
        row(&mut text, &name(flag), flag.about);
    }
    text.push_str(serving.notes);
    text
}

fn details(subcommand: &Subcommand) -> String {
    let mut text = format!("{}: {}\n\n", usage(subcommand), subcommand.about);
    for group in subcommand.flags {
        if group.explained_by.is_empty() {
            for flag in group.flags {
                row(&mut text, &name(flag), flag.about);
            }
        } else {
            let names: Vec<_> = group.flags.iter().map(|flag| format!("--{}", flag.long)).collect();
            let _ = writeln!(text, "See `narvi {} --help` for {}.", group.explained_by, names.join(" "));
        }
    }
    text.push_str(subcommand.notes);
    text
}

/// `narvi inspect [OPTIONS] DIR`
fn usage(subcommand: &Subcommand) -> String {
    let options = match subcommand.flags {
        [] => "",
        [group] if group.flags.len() == 1 => &format!("[{}]", name(&group.flags[0])),
        _ => "[OPTIONS]",
    };
    let words = ["narvi", subcommand.name, options, subcommand.operand];
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `-o, --output MODE`
fn name(flag: &Flag) -> String {
    let short = flag.short.map(|short| format!("-{short}, ")).unwrap_or_default();
    let value = if flag.value.is_empty() { String::new() } else { format!(" {}", flag.value) };
    format!("{short}--{}{value}", flag.long)
}

/// One flag or subcommand: its name, and what it does.
fn row(text: &mut String, name: &str, about: &str) {
    // A String takes everything that is written to it.
    let _ = writeln!(text, "  {name:<28} {about}");
}
