//! `narvi completions SHELL`: what a shell needs to complete the command line, made from the subcommands themselves.

use std::fmt::Write;

use super::arguments::{Arguments, Flag, Subcommand};

pub(super) const SUBCOMMAND: Subcommand = Subcommand {
    name: "completions",
    operand: "SHELL",
    about: "what bash, zsh or fish needs to complete these words",
    flags: &[],
    notes: "A package installs them. Without one: eval \"$(narvi completions bash)\"\n",
    run: |arguments| super::completions(arguments),
};

/// The text for a shell; `None` for another one.
pub(super) fn of(arguments: &Arguments, all: &[Subcommand]) -> Option<String> {
    match arguments.operand("SHELL").ok()?.as_str() {
        "bash" => Some(bash(all)),
        "zsh" => Some(zsh(all)),
        "fish" => Some(fish(all)),
        _ => None,
    }
}

fn words(all: &[Subcommand]) -> impl Iterator<Item = &Subcommand> {
    all.iter().filter(|subcommand| !subcommand.name.is_empty())
}

/// Whether a file is what a value or an operand means.
fn is_file(value: &str) -> bool {
    matches!(value, "FILE" | "DIR")
}

/// `--output -o`
fn spellings(flag: &Flag) -> String {
    let short = flag.short.map(|short| format!(" -{short}")).unwrap_or_default();
    format!("--{}{short}", flag.long)
}

fn bash(all: &[Subcommand]) -> String {
    let mut text =
        "_narvi() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} known=\n".to_owned();
    let names: Vec<_> = words(all).map(|subcommand| subcommand.name).collect();
    let _ = write!(
        text,
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then known='{}'; fi\n    case ${{COMP_WORDS[1]}} in\n",
        names.join(" ")
    );
    for subcommand in words(all).chain(all.first()) {
        let flags: Vec<_> = subcommand.flags().map(spellings).collect();
        let pattern = if subcommand.name.is_empty() { "*" } else { subcommand.name };
        let _ = writeln!(text, "        {pattern})\n            case $before in");
        for flag in subcommand.flags().filter(|flag| !flag.value.is_empty()) {
            let pattern = spellings(flag).replace(' ', " | ");
            let values = if is_file(flag.value) { "-f".to_owned() } else { format!("-W '{}'", flag.choices.join(" ")) };
            let _ = writeln!(
                text,
                "                {pattern}) mapfile -t COMPREPLY < <(compgen {values} -- \"$word\"); return ;;"
            );
        }
        let _ = writeln!(text, "            esac\n            known=\"$known {}\" ;;", flags.join(" "));
    }
    text.push_str(
        "    esac\n    mapfile -t COMPREPLY < <(compgen -W \"$known\" -- \"$word\")\n}\ncomplete -o default -F _narvi narvi\n",
    );
    text
}

fn zsh(all: &[Subcommand]) -> String {
    let mut text = "#compdef narvi\n_narvi() {\n    local -a subcommands\n    subcommands=(\n".to_owned();
    for subcommand in words(all) {
        let _ = writeln!(text, "        '{}:{}'", subcommand.name, quoted(subcommand.about));
    }
    text.push_str("    )\n    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then _describe subcommand subcommands; return; fi\n");
    text.push_str("    local name=$words[2]\n    if (( $subcommands[(I)$name:*] )); then shift words; (( CURRENT-- )); fi\n    case $name in\n");
    for subcommand in words(all).chain(all.first()) {
        let pattern = if subcommand.name.is_empty() { "*" } else { subcommand.name };
        let _ = write!(text, "        {pattern}) _arguments -s");
        for flag in subcommand.flags() {
            for spelling in spellings(flag).split(' ') {
                let value = match (flag.value, flag.choices) {
                    ("", _) => String::new(),
                    (value, []) if is_file(value) => format!(":{value}:_files"),
                    (value, []) => format!(":{value}: "),
                    (value, choices) => format!(":{value}:({})", choices.join(" ")),
                };
                let repeats = if flag.repeats { "*" } else { "" };
                let _ = write!(text, " \\\n            '{repeats}{spelling}[{}]{value}'", quoted(flag.about));
            }
        }
        if !subcommand.operand.is_empty() {
            let files = if is_file(subcommand.operand) { "_files" } else { " " };
            let _ = write!(text, " \\\n            '1:{}:{files}'", subcommand.operand.trim_matches(['[', ']']));
        }
        text.push_str(" ;;\n");
    }
    text.push_str("    esac\n}\ncompdef _narvi narvi\n");
    text
}

/// What stands in quotes and brackets of zsh.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

fn fish(all: &[Subcommand]) -> String {
    let mut text = "complete -c narvi -f\n".to_owned();
    for subcommand in words(all) {
        let about = subcommand.about.replace('\'', "\\'");
        let _ = writeln!(text, "complete -c narvi -n __fish_use_subcommand -a {} -d '{about}'", subcommand.name);
    }
    for subcommand in all {
        let condition = match subcommand.name {
            "" => "__fish_use_subcommand".to_owned(),
            name => format!("'__fish_seen_subcommand_from {name}'"),
        };
        for flag in subcommand.flags() {
            let short = flag.short.map(|short| format!(" -s {short}")).unwrap_or_default();
            let value = match (flag.value, flag.choices) {
                ("", _) => String::new(),
                (value, []) if is_file(value) => " -r -F".to_owned(),
                (_, []) => " -x".to_owned(),
                (_, choices) => format!(" -x -a '{}'", choices.join(" ")),
            };
            let about = flag.about.replace('\'', "\\'");
            let _ = writeln!(text, "complete -c narvi -n {condition} -l {}{short}{value} -d '{about}'", flag.long);
        }
        if is_file(subcommand.operand) {
            let _ = writeln!(text, "complete -c narvi -n {condition} -F");
        }
    }
    text
}
