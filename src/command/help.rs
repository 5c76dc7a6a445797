//! `--help`: an overview of the subcommands, or what one of them takes. Each fits one screen of 24 lines.

use std::fmt::Write;

use super::arguments::{Flag, Subcommand};

/// The help of a subcommand; that of the first is the overview of all.
pub(super) fn of(subcommand: &Subcommand, all: &[Subcommand]) -> String {
    if subcommand.name.is_empty() { overview(subcommand, all) } else { details(subcommand) }
}

fn overview(serving: &Subcommand, all: &[Subcommand]) -> String {
    let mut text = "Narvi follows log files, keeps them compressed, and answers Loki's HTTP API.\n\n".to_owned();
    let rows = all.iter().map(|subcommand| (usage(subcommand).replace("[OPTIONS] ", ""), subcommand.about.to_owned()));
    table(&mut text, &rows.collect::<Vec<_>>());
    text.push('\n');
    table(&mut text, &serving.flags().map(|flag| (name(flag), flag.about.to_owned())).collect::<Vec<_>>());
    text.push_str(serving.notes);
    text
}

fn details(subcommand: &Subcommand) -> String {
    let mut text = format!("{}: {}\n\n", usage(subcommand), subcommand.about);
    let (explained, others): (Vec<_>, Vec<_>) =
        subcommand.flags.iter().partition(|group| group.explained_by.is_empty());
    let flags = explained.iter().flat_map(|group| group.flags);
    table(&mut text, &flags.map(|flag| (name(flag), about(flag))).collect::<Vec<_>>());
    for group in others {
        let names: Vec<_> = group.flags.iter().map(|flag| format!("--{}", flag.long)).collect();
        // A String takes everything that is written to it.
        let _ = writeln!(text, "`narvi {} --help` explains\n  {}", group.explained_by, names.join(" "));
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

/// What a flag does, and the variables that stand for it.
fn about(flag: &Flag) -> String {
    if flag.variables.is_empty() {
        return flag.about.to_owned();
    }
    let variables: Vec<_> = flag.variables.iter().map(|name| format!("${name}")).collect();
    format!("{} [{}]", flag.about, variables.join(", "))
}

/// `-o, --output MODE`
fn name(flag: &Flag) -> String {
    let short = flag.short.map(|short| format!("-{short}, ")).unwrap_or_default();
    let value = if flag.value.is_empty() { String::new() } else { format!(" {}", flag.value) };
    format!("{short}--{}{value}", flag.long)
}

/// Rows of a name and what it stands for, in two columns.
fn table(text: &mut String, rows: &[(String, String)]) {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, about) in rows {
        let _ = writeln!(text, "  {name:<width$}  {about}");
    }
}
