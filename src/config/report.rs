//! Everything that is wrong with a configuration file, in order of the file: `file:line:col: what`, the source line,
//! a run of carets under the part that is meant, and a hint.

use std::{fmt, ops::Range};

/// Problems that are printed; the rest is counted. A file that is not a configuration at all has one per line.
const PROBLEMS_SHOWN_MAX: usize = 50;

/// Whether a problem prevents the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    Error,
    Warning,
}

/// One finding about a part of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) severity: Severity,
    /// Bytes of the source that are meant.
    pub(super) span: Range<usize>,
    pub(super) what: String,
    /// Short advice, shown behind the carets; may be empty.
    pub(super) label: String,
    /// Longer advice, shown in a line of its own; may be empty.
    pub(super) hint: String,
}

impl Problem {
    /// A problem that prevents the start.
    pub(super) fn error(span: Range<usize>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Error, span, what: what.into(), label: String::new(), hint: String::new() }
    }

    /// A problem that the operator should know of.
    pub(super) fn warning(span: Range<usize>, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, what) }
    }

    /// Adds short advice, shown behind the carets.
    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Adds longer advice, shown in a line of its own.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }
}

/// All problems of one file; its `Display` is what the operator reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    file: String,
    source: String,
    problems: Vec<Problem>,
}

impl Report {
    /// Sorts the problems by their place.
    pub(super) fn new(file: &str, source: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        Self { file: file.to_owned(), source: source.to_owned(), problems }
    }

    /// Whether there is an error among the problems.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().take(PROBLEMS_SHOWN_MAX).enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write_problem(f, &self.file, &self.source, problem)?;
        }
        if self.problems.len() > PROBLEMS_SHOWN_MAX {
            write!(f, "\n{}: and {} more", self.file, self.problems.len() - PROBLEMS_SHOWN_MAX)?;
        }
        Ok(())
    }
}

/// Writes the lines of one problem, without a newline behind the last.
fn write_problem(f: &mut fmt::Formatter<'_>, file: &str, source: &str, problem: &Problem) -> fmt::Result {
    let place = Place::of(source, &problem.span);
    let severity = if problem.severity == Severity::Warning { "warning: " } else { "" };
    writeln!(f, "{file}:{}:{}: {severity}{}", place.line, place.column, problem.what)?;
    writeln!(f, "{:>5} | {}", place.line, place.text.replace(is_invisible, "\u{fffd}"))?;
    write!(f, "      | {}{}", place.indent, "^".repeat(place.width))?;
    if !problem.label.is_empty() {
        write!(f, " {}", problem.label)?;
    }
    if !problem.hint.is_empty() {
        write!(f, "\n      = hint: {}", problem.hint)?;
    }
    Ok(())
}

/// A span as an operator sees it.
struct Place<'s> {
    /// Number of the line, from 1.
    line: usize,
    /// Number of the character in the line, from 1.
    column: usize,
    /// The whole line.
    text: &'s str,
    /// What stands below the characters before the span: blanks, and the tabs of the line, so that carets align.
    indent: String,
    /// Characters of the span in this line, at least 1.
    width: usize,
}

impl<'s> Place<'s> {
    fn of(source: &'s str, span: &Range<usize>) -> Self {
        let start = floor_char_boundary(source, span.start);
        let end = floor_char_boundary(source, span.end.max(start));
        let line_start = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_end = source[start..].find('\n').map_or(source.len(), |newline| start + newline);
        let before = &source[line_start..start];
        let within = source[start..end.min(line_end)].trim_end_matches('\r');
        Self {
            line: line_number(source, start),
            column: before.chars().count() + 1,
            text: source[line_start..line_end].trim_end_matches('\r'),
            indent: before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect(),
            width: within.chars().count().max(1),
        }
    }
}

/// Number of the line, from 1, that holds a byte of the source.
pub(super) fn line_number(source: &str, offset: usize) -> usize {
    memchr::memchr_iter(b'\n', &source.as_bytes()[..offset.min(source.len())]).count() + 1
}

/// The greatest boundary between characters that is not behind `offset`.
fn floor_char_boundary(source: &str, offset: usize) -> usize {
    let offset = offset.min(source.len());
    (0..=offset).rev().find(|at| source.is_char_boundary(*at)).unwrap_or(0)
}

/// Whether printing a character could do something to a terminal.
fn is_invisible(c: char) -> bool {
    c.is_control() && c != '\t'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, span: Range<usize>) -> String {
        Report::new("f", source, vec![Problem::error(span, "w").label("l").hint("h")]).to_string()
    }

    #[test]
    fn points_at_characters_not_bytes() {
        let source = "a = 1\n\té = \"ü\" x\r\n";
        let x = source.find('x').unwrap();
        assert_eq!(shown(source, x..x + 1), "f:2:10: w\n    2 | \té = \"ü\" x\n      | \t        ^ l\n      = hint: h");
    }

    #[test]
    fn spans_stay_within_their_line_and_the_file() {
        assert_eq!(shown("ab\ncd", 1..5), "f:1:2: w\n    1 | ab\n      |  ^ l\n      = hint: h");
        assert_eq!(shown("ab\n", 90..95), "f:2:1: w\n    2 | \n      | ^ l\n      = hint: h");
        assert_eq!(shown("é", 1..2), "f:1:1: w\n    1 | é\n      | ^ l\n      = hint: h");
    }

    #[test]
    fn sorts_and_counts() {
        let problems: Vec<_> = (0..60).rev().map(|at| Problem::warning(at..at + 1, format!("p{at}"))).collect();
        let report = Report::new("f", &"x".repeat(60), problems);
        assert!(!report.has_errors());
        let text = report.to_string();
        assert!(text.starts_with("f:1:1: warning: p0\n"), "{text}");
        assert!(text.ends_with("\nf: and 10 more"), "{text}");
    }

    #[test]
    fn terminals_see_no_control_characters() {
        assert!(!shown("a\u{1b}[2Jb", 0..1).contains('\u{1b}'));
    }
}
