//! Reading one section of the parsed file by its table of keys. Whatever is wrong is recorded and reading goes on with
//! the default, so that one run finds everything.

use std::{cell::RefCell, ops::Range, time::Duration};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    KEYS_OF,
    env::Environment,
    keys::{Key, Kind, Zero},
    report::{Problem, Report},
    suggest::{self, Advice},
    units::{self, Unreadable},
};

/// A file that is being read: its text, its surroundings, and what was found wrong with it so far.
pub(super) struct Document<'d> {
    pub(super) source: &'d str,
    pub(super) environment: &'d Environment,
    problems: RefCell<Vec<Problem>>,
    /// Parts of the source that nobody else is to see.
    secrets: RefCell<Vec<Range<usize>>>,
}

impl<'d> Document<'d> {
    pub(super) fn new(source: &'d str, environment: &'d Environment) -> Self {
        Self { source, environment, problems: RefCell::default(), secrets: RefCell::default() }
    }

    /// Records a problem.
    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Records a part of the source that is shown to nobody.
    pub(super) fn hide(&self, span: Range<usize>) {
        self.secrets.borrow_mut().push(span);
    }

    /// The source with something else in place of its secrets.
    pub(super) fn shown(&self) -> String {
        let mut shown = self.source.to_owned();
        let mut secrets = self.secrets.borrow().clone();
        secrets.sort_by_key(|span| span.start);
        for span in secrets.into_iter().rev() {
            shown.replace_range(span, "\"<secret>\"");
        }
        shown
    }

    /// All problems, in order of the file.
    pub(super) fn into_report(self, file: &str) -> Report {
        Report::new(file, self.source, self.problems.into_inner())
    }

    /// Records that a key is none of the known ones.
    pub(super) fn unknown_key(
        &self,
        key: &Spanned<impl AsRef<str>>,
        place: &str,
        known: impl Iterator<Item = &'static str>,
    ) {
        let name = key.get_ref().as_ref();
        let problem = Problem::error(key.span(), format!("unknown key `{name}` {place}"));
        let homes: Vec<_> = KEYS_OF
            .iter()
            .filter(|(_, keys)| keys.iter().any(|key| key.name == name))
            .map(|(section, _)| *section)
            .collect();
        self.report(match suggest::advice(name, known) {
            Advice::Hint(hint) => problem.hint(hint),
            _ if !homes.is_empty() => problem.hint(format!("it belongs to {}", homes.join(" or "))),
            Advice::DidYouMean(known) => problem.label(format!("did you mean `{known}`?")),
            Advice::Nothing => problem,
        });
    }

    /// The table that a key of the document holds; anything else is recorded.
    pub(super) fn table<'t>(&self, value: &'t Spanned<DeValue<'t>>, what: &str) -> Option<&'t DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.report(wrong_type(value, what));
        }
        table
    }

    /// Reads a text and replaces the variables in it.
    pub(super) fn text(&self, value: &Spanned<DeValue<'_>>) -> Result<Text, Problem> {
        let Some(raw) = value.get_ref().as_str() else {
            let problem = wrong_type(value, "a string");
            return Err(match value.get_ref() {
                DeValue::Integer(number) => problem.label(format!("write \"{number}\"")),
                DeValue::Float(number) => problem.label(format!("write \"{number}\"")),
                DeValue::Boolean(flag) => problem.label(format!("write \"{flag}\"")),
                _ => problem,
            });
        };
        let unexpanded = Text { value: raw.to_owned(), span: value.span(), start: self.text_start(value.span(), raw) };
        match self.environment.expand(raw) {
            Ok(expanded) if expanded == raw => Ok(unexpanded),
            Ok(expanded) => Ok(Text { value: expanded, start: None, ..unexpanded }),
            Err(unset) => {
                let what = format!("the environment variable `{}` is not set", unset.name);
                let hint = format!("set it, or give a default: ${{{}:-default}}", unset.name);
                Err(Problem::error(unexpanded.part(unset.span), what).hint(hint))
            }
        }
    }

    /// Where the characters of a text begin in the source, if they stand there without escapes.
    fn text_start(&self, span: Range<usize>, raw: &str) -> Option<usize> {
        let quoted = self.source.get(span.clone())?;
        let quote_length = if quoted.starts_with("\"\"\"") || quoted.starts_with("'''") { 3 } else { 1 };
        let inner = quoted.get(quote_length..quoted.len().checked_sub(quote_length)?)?;
        (inner == raw).then_some(span.start + quote_length)
    }
}

/// A text of the file, with its variables replaced.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Range<usize>,
    /// Where the first character stands in the source; `None` if the source spells the text in another way.
    start: Option<usize>,
}

impl Text {
    /// The name of a key.
    pub(super) fn of_key(key: &Spanned<impl AsRef<str>>) -> Self {
        Self { value: key.get_ref().as_ref().to_owned(), span: key.span(), start: None }
    }

    /// The place in the source of some bytes of the text: as exact as the spelling allows.
    pub(super) fn part(&self, bytes: Range<usize>) -> Range<usize> {
        match self.start {
            Some(start) => start + bytes.start..start + bytes.end,
            None => self.span.clone(),
        }
    }

    /// The place in the source of one character of the text, counted from 1: as exact as the spelling allows.
    pub(super) fn character(&self, column: usize) -> Range<usize> {
        match self.value.char_indices().nth(column.saturating_sub(1)) {
            Some((at, c)) => self.part(at..at + c.len_utf8()),
            None => self.span.clone(),
        }
    }
}

/// A section of the file, or its absence: then everything is as by default.
pub(super) struct Section<'d> {
    pub(super) document: &'d Document<'d>,
    keys: &'static [Key],
    table: Option<&'d DeTable<'d>>,
    /// What errors call the section.
    place: String,
    /// Where it stands.
    span: Range<usize>,
}

impl<'d> Section<'d> {
    /// Opens a section and records the keys in it that nobody knows. `place` is, for example, `in [store]`.
    pub(super) fn new(
        document: &'d Document<'d>,
        place: &str,
        keys: &'static [Key],
        table: Option<&'d DeTable<'d>>,
    ) -> Self {
        for key in table.into_iter().flat_map(|table| table.keys()) {
            if !keys.iter().any(|known| known.name == key.get_ref()) {
                document.unknown_key(key, place, keys.iter().map(|known| known.name));
            }
        }
        let span = table.into_iter().flat_map(|table| table.keys()).map(Spanned::span).min_by_key(|span| span.start);
        Self { document, keys, table, place: place.to_owned(), span: span.unwrap_or_default() }
    }

    /// The same section, of which it is known where it stands.
    pub(super) fn at(self, span: Range<usize>) -> Self {
        Self { span, ..self }
    }

    /// Records that a key is missing that the section cannot do without.
    pub(super) fn report_missing(&self, name: &str) {
        let problem = Problem::error(self.span.clone(), format!("`{name}` is missing {}", self.place));
        self.document.report(match self.key(name) {
            Some(key) => problem.hint(format!("{name}: {}", key.why)),
            None => problem,
        });
    }

    /// What the file says about a key.
    pub(super) fn value(&self, name: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.table?.get(name)
    }

    /// Whether the file says something about a key, other than an empty list.
    pub(super) fn says(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value.get_ref().as_array().is_none_or(|list| !list.is_empty()))
    }

    /// Where the file says something about a key.
    pub(super) fn span(&self, name: &str) -> Option<Range<usize>> {
        Some(self.value(name)?.span())
    }

    /// Reads a value in the section's own way: from the file, or if that fails or is silent, from the default.
    pub(super) fn read<T>(&self, name: &str, read: impl Fn(&Spanned<DeValue<'_>>) -> Result<T, Problem>) -> Option<T> {
        if let Some(value) = self.value(name) {
            match read(value) {
                Ok(value) => return Some(value),
                Err(problem) => self.document.report(self.explained(name, problem)),
            }
        }
        read(&DeValue::parse(self.key(name)?.default?).ok()?).ok()
    }

    /// Reads a text with a meaning.
    pub(super) fn parsed<T>(&self, name: &str, parse: impl Fn(&Text) -> Result<T, Problem>) -> Option<T> {
        self.read(name, |value| parse(&self.document.text(value)?))
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str) -> bool {
        let read = |value: &Spanned<DeValue<'_>>| {
            value.get_ref().as_bool().ok_or_else(|| match value.get_ref().as_str() {
                Some(text @ ("true" | "false")) => wrong_type(value, "true or false").label(format!("write {text}")),
                _ => wrong_type(value, "true or false"),
            })
        };
        self.read(name, read).unwrap_or_default()
    }

    /// A number within the key's bounds.
    pub(super) fn count(&self, name: &str) -> usize {
        let read = |value: &Spanned<DeValue<'_>>| {
            let Some(number) = value.get_ref().as_integer() else {
                return Err(wrong_type(value, "a whole number"));
            };
            let min = match self.key(name).map(|key| &key.kind) {
                Some(Kind::Count { min }) => *min,
                _ => 0,
            };
            match u32::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) if number >= min => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
                Ok(_) => Err(out_of_range(value, &number.to_string(), &format!("at least {min}"), Zero::Refused)),
                Err(_) => {
                    Err(out_of_range(value, &number.to_string(), &format!("{min} to {}", u32::MAX), Zero::Refused))
                }
            }
        };
        self.read(name, read).unwrap_or_default()
    }

    /// A number within the key's bounds; zero means that there is no limit.
    pub(super) fn count_or_unlimited(&self, name: &str) -> usize {
        match self.count(name) {
            0 => usize::MAX,
            count => count,
        }
    }

    /// A duration within the key's bounds; zero if the key gives it a meaning.
    pub(super) fn duration(&self, name: &str) -> Duration {
        self.read(name, |value| self.bounded_duration(name, value)).unwrap_or_default()
    }

    /// A duration within the key's bounds, `None` for zero.
    pub(super) fn duration_or_off(&self, name: &str) -> Option<Duration> {
        Some(self.duration(name)).filter(|duration| !duration.is_zero())
    }

    /// Reads a duration and compares it with the key's bounds.
    pub(super) fn bounded_duration(&self, name: &str, value: &Spanned<DeValue<'_>>) -> Result<Duration, Problem> {
        let text = self.number_or_text(value, "a duration, as in \"90s\" or \"1h30m\"")?;
        let duration = units::parse_duration(&text.value).map_err(|unreadable| cannot_read(&text, unreadable))?;
        let Some(Kind::Duration { min, max, zero }) = self.key(name).map(|key| &key.kind) else {
            return Ok(duration);
        };
        match (duration.is_zero(), *zero) {
            (true, Zero::Means(_)) => Ok(duration),
            _ if (*min..=*max).contains(&duration) => Ok(duration),
            _ => {
                let (min, max) = (units::format_duration(*min), units::format_duration(*max));
                Err(out_of_range(value, &text.value, &format!("{min} to {max}"), *zero))
            }
        }
    }

    /// A size within the key's bounds; zero if the key gives it a meaning.
    pub(super) fn size(&self, name: &str) -> u64 {
        let read = |value: &Spanned<DeValue<'_>>| {
            let text = self.number_or_text(value, "a size, as in \"256KiB\" or \"1GiB\"")?;
            let size = units::parse_size(&text.value).map_err(|unreadable| cannot_read(&text, unreadable))?;
            let Some(Kind::Size { min, zero }) = self.key(name).map(|key| &key.kind) else {
                return Ok(size);
            };
            match (size, *zero) {
                (0, Zero::Means(_)) => Ok(0),
                _ if size >= *min => Ok(size),
                _ => Err(out_of_range(value, &text.value, &format!("at least {}", units::format_size(*min)), *zero)),
            }
        };
        self.read(name, read).unwrap_or_default()
    }

    /// A size within the key's bounds, `None` for zero.
    pub(super) fn size_or_off(&self, name: &str) -> Option<u64> {
        Some(self.size(name)).filter(|size| *size > 0)
    }

    /// A size within the key's bounds; zero means that there is no limit.
    pub(super) fn size_or_unlimited(&self, name: &str) -> u64 {
        self.size_or_off(name).unwrap_or(u64::MAX)
    }

    /// One of the key's words.
    pub(super) fn choice(&self, name: &str) -> &'static str {
        let Some(Kind::Choice(words)) = self.key(name).map(|key| &key.kind) else {
            return "";
        };
        let read = |text: &Text| {
            if let Some(word) = words.iter().find(|word| **word == text.value) {
                return Ok(*word);
            }
            let list: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let problem = Problem::error(text.span.clone(), format!("`{}` is not a value of `{name}`", text.value));
            Err(match suggest::nearest(&text.value, words.iter().copied()) {
                Some(word) => problem.label(format!("did you mean \"{word}\"?")),
                None => problem.hint(format!("write one of {}", list.join(", "))),
            })
        };
        self.parsed(name, read).unwrap_or_default()
    }

    /// A list of texts; what is wrong in it is left out.
    pub(super) fn texts(&self, name: &str) -> Vec<Text> {
        let read = |value: &Spanned<DeValue<'_>>| match (value.get_ref().as_array(), value.get_ref().as_str()) {
            (Some(list), _) => Ok(list
                .iter()
                .filter_map(|item| self.document.text(item).map_err(|problem| self.document.report(problem)).ok())
                .collect()),
            (None, Some(text)) => Err(wrong_type(value, "a list of strings").label(format!("write [{text:?}]"))),
            (None, None) => Err(wrong_type(value, "a list of strings")),
        };
        self.read(name, read).unwrap_or_default()
    }

    /// A list of tables, as `[[name]]` or as inline tables; what is wrong in it is left out.
    pub(super) fn tables(&self, name: &str) -> Vec<(Range<usize>, &'d DeTable<'d>)> {
        let Some(value) = self.value(name) else {
            return Vec::new();
        };
        let Some(list) = value.get_ref().as_array() else {
            self.document.report(wrong_type(value, "a list of tables").label(format!("write [[{name}]]")));
            return Vec::new();
        };
        list.iter().filter_map(|item| Some((item.span(), self.document.table(item, "a table")?))).collect()
    }

    /// Says what the key is for, if there is no better advice.
    fn explained(&self, name: &str, problem: Problem) -> Problem {
        match self.key(name) {
            Some(key) if problem.label.is_empty() && problem.hint.is_empty() => {
                problem.hint(format!("{name}: {}", key.why))
            }
            _ => problem,
        }
    }

    /// The description of a key.
    fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// A text, or a whole number as if it were quoted.
    pub(super) fn number_or_text(&self, value: &Spanned<DeValue<'_>>, what: &str) -> Result<Text, Problem> {
        match value.get_ref() {
            DeValue::Integer(number) => {
                Ok(Text { value: number.to_string(), span: value.span(), start: Some(value.span().start) })
            }
            DeValue::String(_) => self.document.text(value),
            _ => Err(wrong_type(value, what)),
        }
    }
}

/// "expected a string, found an integer"
pub(super) fn wrong_type(value: &Spanned<DeValue<'_>>, expected: &str) -> Problem {
    let found = match value.get_ref() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    Problem::error(value.span(), format!("expected {expected}, found {found}"))
}

/// "`10` is out of range: at least 64, or "0" for no limit"
fn out_of_range(value: &Spanned<DeValue<'_>>, found: &str, range: &str, zero: Zero) -> Problem {
    let or_zero = match zero {
        Zero::Means(meaning) => format!(", or \"0\" for: {meaning}"),
        Zero::Refused => String::new(),
    };
    Problem::error(value.span(), format!("`{found}` is out of range: {range}{or_zero}"))
}

fn cannot_read(text: &Text, unreadable: Unreadable) -> Problem {
    Problem::error(text.span.clone(), unreadable.what).hint(unreadable.hint)
}
