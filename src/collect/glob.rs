//! The pattern language of `paths` and `exclude`: promtail's, so that a copied pattern selects the
//! same files. Braces are expanded when a pattern is parsed; each path element is then matched by
//! the `glob` crate, and `**` as a whole element stands for any number of directories.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
};

use glob::MatchOptions;

/// Characters of one pattern.
const PATTERN_CHARS_MAX: usize = 4096;
/// Patterns that the braces of one pattern may stand for.
const ALTERNATIVES_MAX: usize = 256;
/// Directories that one `**` descends.
pub(super) const DEPTH_MAX: usize = 32;

/// A parsed pattern.
///
/// `*` is any run without `/`, `?` one character, `[a-z]` and `[^a]` a class, `{a,b}` alternatives,
/// `**` as a whole element any number of directories, `\` takes the next character literally. A name
/// that begins with a dot matches only an element that does so too, unless [`Pattern::hidden`] says otherwise.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    alternatives: Vec<Vec<Element>>,
    warnings: Vec<PatternError>,
    hidden: bool,
}

/// What is wrong with a pattern, and where. `Display` gives "column 9: ..., hint".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    /// Character of the pattern, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub hint: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}; {}", self.column, self.what, self.hint)
    }
}

impl std::error::Error for PatternError {}

/// One element of a path.
#[derive(Clone, Debug)]
pub(super) enum Element {
    /// A name without wildcards.
    Literal(String),
    /// A name with wildcards.
    Wild(glob::Pattern),
    /// `**`: any number of directories.
    Directories,
}

impl Pattern {
    /// Parses an absolute pattern.
    ///
    /// # Errors
    /// The first fault found, with its column.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let chars: Vec<char> = text.chars().collect();
        let warnings = check(&chars)?;
        let mut alternatives = Vec::new();
        for alternative in expand(&chars)? {
            alternatives.push(elements(&alternative)?);
        }
        Ok(Self { text: text.to_owned(), alternatives, warnings, hidden: false })
    }

    /// Lets wildcards match names that begin with a dot.
    #[must_use]
    pub fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is allowed but hardly meant: braces with one alternative, `**` inside an element.
    pub fn warnings(&self) -> &[PatternError] {
        &self.warnings
    }

    /// Whether the pattern selects a path. Of names that are not UTF-8 only wildcards match the odd bytes.
    pub fn matches(&self, path: &Path) -> bool {
        let names = names(path);
        self.alternatives.iter().any(|elements| self.elements_match(elements, &names))
    }

    /// Whether paths below a directory may be selected.
    pub(super) fn may_match_below(&self, directory: &Path) -> bool {
        let names = names(directory);
        self.alternatives.iter().any(|elements| {
            for (at, name) in names.iter().enumerate() {
                match elements.get(at) {
                    None => return false,
                    Some(Element::Directories) => return true,
                    Some(element) if !self.name_matches(element, name) => return false,
                    Some(_) => {}
                }
            }
            elements.len() > names.len()
        })
    }

    /// Whether everything below a directory is selected, at any depth.
    pub(super) fn covers(&self, directory: &Path) -> bool {
        let mut names = names(directory);
        names.push("x".to_owned());
        self.alternatives.iter().any(|elements| {
            matches!(elements.last(), Some(Element::Directories)) && self.elements_match(elements, &names)
        })
    }

    /// The patterns without braces that this one stands for, as elements.
    pub(super) fn alternatives(&self) -> &[Vec<Element>] {
        &self.alternatives
    }

    /// Whether one element selects a name.
    pub(super) fn name_matches(&self, element: &Element, name: &str) -> bool {
        match element {
            Element::Literal(literal) => literal == name,
            Element::Wild(wild) => wild.matches_with(
                name,
                MatchOptions {
                    case_sensitive: true,
                    require_literal_separator: true,
                    require_literal_leading_dot: !self.hidden,
                },
            ),
            Element::Directories => self.hidden || !name.starts_with('.'),
        }
    }

    fn elements_match(&self, elements: &[Element], names: &[String]) -> bool {
        match (elements.split_first(), names.split_first()) {
            (None, None) => true,
            (Some((Element::Directories, [])), _) => {
                // As the last element it stands for everything below, but not for the directory itself.
                !names.is_empty() && names.iter().all(|name| self.name_matches(&Element::Directories, name))
            }
            (Some((Element::Directories, rest)), next) => {
                self.elements_match(rest, names)
                    || next.is_some_and(|(name, below)| {
                        self.name_matches(&Element::Directories, name) && self.elements_match(elements, below)
                    })
            }
            (Some((element, rest)), Some((name, below))) => {
                self.name_matches(element, name) && self.elements_match(rest, below)
            }
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// The longest run of literal elements at the start, as a path, and how many they are. A pattern that
/// is literal throughout names the file itself.
pub(super) fn literal_prefix(elements: &[Element]) -> (PathBuf, usize) {
    let mut prefix = PathBuf::from("/");
    let mut count = 0;
    for element in elements {
        let Element::Literal(name) = element else {
            break;
        };
        prefix.push(name);
        count += 1;
    }
    (prefix, count)
}

fn names(path: &Path) -> Vec<String> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect()
}

fn fault(at: usize, what: impl Into<String>, hint: impl Into<String>) -> PatternError {
    PatternError { column: at + 1, what: what.into(), hint: hint.into() }
}

/// Checks brackets and braces and the shape as a whole; returns what deserves a warning.
fn check(chars: &[char]) -> Result<Vec<PatternError>, PatternError> {
    if chars.first() != Some(&'/') {
        return Err(fault(0, "the pattern is not absolute", "begin it with `/`"));
    }
    if chars.len() > PATTERN_CHARS_MAX {
        return Err(fault(
            PATTERN_CHARS_MAX,
            format!("the pattern is longer than {PATTERN_CHARS_MAX} characters"),
            "split it into several",
        ));
    }
    if chars.last() == Some(&'/') {
        return Err(fault(chars.len() - 1, "the pattern ends with `/`", "append `*` for the files of the directory"));
    }
    let mut warnings = Vec::new();
    let mut braces: Vec<(usize, bool)> = Vec::new(); // where each open brace is, and whether a comma came
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => {
                if at + 1 == chars.len() {
                    return Err(fault(at, "nothing follows `\\`", "write `\\\\` for a backslash"));
                }
                at += 1;
            }
            '[' => at = class_end(chars, at)?,
            '{' => braces.push((at, false)),
            ',' => {
                if let Some(brace) = braces.last_mut() {
                    brace.1 = true;
                }
            }
            '}' => match braces.pop() {
                None => {
                    return Err(fault(at, "`}` without `{`", "write `\\}` for a brace in a name"));
                }
                Some((open, false)) => warnings.push(fault(
                    open,
                    "braces with one alternative",
                    "they mean the same as the text between them; separate alternatives by `,`",
                )),
                Some(_) => {}
            },
            '*' if chars.get(at + 1) == Some(&'*') => {
                let run = chars[at..].iter().take_while(|c| **c == '*').count();
                let whole = chars[at - 1] == '/' && chars.get(at + run).is_none_or(|c| *c == '/');
                if !whole || run != 2 {
                    warnings.push(fault(
                        at,
                        "`**` inside a path element means `*`",
                        "write `/**/` to match directories of any depth",
                    ));
                }
                at += run - 1;
            }
            '\0' => return Err(fault(at, "a zero byte in the pattern", "remove it")),
            _ => {}
        }
        at += 1;
    }
    match braces.first() {
        Some((open, _)) => Err(fault(*open, "unclosed `{`", "close it with `}`, or write `\\{` for a brace in a name")),
        None => Ok(warnings),
    }
}

/// Where the class that opens at `open` is closed.
fn class_end(chars: &[char], open: usize) -> Result<usize, PatternError> {
    let mut at = open + 1;
    if matches!(chars.get(at), Some('^' | '!')) {
        at += 1;
    }
    let first = at;
    while let Some(c) = chars.get(at) {
        match c {
            ']' if at > first => return Ok(at),
            '/' => break,
            _ => at += 1,
        }
    }
    Err(fault(open, "unclosed `[`", "close it with `]`, or write `\\[` for a bracket in a name"))
}

/// The patterns without braces. Each character keeps its column, so that a later fault can name it.
fn expand(chars: &[char]) -> Result<Vec<Vec<(char, usize)>>, PatternError> {
    let mut open = vec![chars.iter().copied().enumerate().map(|(at, c)| (c, at)).collect::<Vec<_>>()];
    let mut closed = Vec::new();
    while let Some(pattern) = open.pop() {
        let Some((start, commas, end)) = first_braces(&pattern) else {
            closed.push(pattern);
            continue;
        };
        let mut from = start + 1;
        let mut variants = Vec::new();
        for to in commas.into_iter().chain([end]) {
            let mut variant = pattern[..start].to_vec();
            variant.extend_from_slice(&pattern[from..to]);
            variant.extend_from_slice(&pattern[end + 1..]);
            variants.push(variant);
            from = to + 1;
        }
        if open.len() + closed.len() + variants.len() > ALTERNATIVES_MAX {
            return Err(fault(
                pattern[start].1,
                format!("the braces stand for more than {ALTERNATIVES_MAX} patterns"),
                "use `*`, or several patterns",
            ));
        }
        open.extend(variants.into_iter().rev());
    }
    Ok(closed)
}

/// The first pair of braces, and the commas that separate its alternatives.
fn first_braces(pattern: &[(char, usize)]) -> Option<(usize, Vec<usize>, usize)> {
    let plain: Vec<char> = pattern.iter().map(|(c, _)| *c).collect();
    let (mut start, mut commas, mut depth, mut at) = (0, Vec::new(), 0, 0);
    while at < plain.len() {
        match plain[at] {
            '\\' => at += 1,
            '[' => at = class_end(&plain, at).unwrap_or(at),
            '{' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            ',' if depth == 1 => commas.push(at),
            '}' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    return Some((start, commas, at));
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Translates a pattern without braces, element by element, into what the `glob` crate takes.
fn elements(pattern: &[(char, usize)]) -> Result<Vec<Element>, PatternError> {
    let mut elements = Vec::new();
    for element in pattern.split(|(c, _)| *c == '/') {
        let Some((_, column)) = element.first() else {
            continue;
        };
        if element.iter().map(|(c, _)| *c).eq("**".chars()) {
            elements.push(Element::Directories);
            continue;
        }
        let chars: Vec<char> = element.iter().map(|(c, _)| *c).collect();
        let (mut literal, mut translated, mut wild, mut at) = (String::new(), String::new(), false, 0);
        while at < chars.len() {
            match chars[at] {
                '\\' if at + 1 < chars.len() => {
                    at += 1;
                    literal.push(chars[at]);
                    translated.push_str(&glob::Pattern::escape(&chars[at].to_string()));
                }
                '*' => {
                    wild = true;
                    translated.push('*');
                    while chars.get(at + 1) == Some(&'*') {
                        at += 1;
                    }
                }
                '?' => {
                    wild = true;
                    translated.push('?');
                }
                '[' => {
                    let end = class_end(&chars, at).map_err(|error| fault(element[at].1, error.what, error.hint))?;
                    wild = true;
                    translated.push('[');
                    let negated = matches!(chars[at + 1], '^' | '!');
                    if negated {
                        translated.push('!');
                    }
                    translated.extend(&chars[at + 1 + usize::from(negated)..=end]);
                    at = end;
                }
                c => {
                    literal.push(c);
                    translated.push_str(&glob::Pattern::escape(&c.to_string()));
                }
            }
            at += 1;
        }
        if !wild && matches!(literal.as_str(), "." | "..") {
            return Err(fault(*column, format!("`{literal}` in a pattern"), "write the directory it leads to"));
        }
        elements.push(if wild {
            let wild = glob::Pattern::new(&translated).map_err(|error| {
                fault(column + error.pos, error.msg, "see the pattern language in the documentation")
            })?;
            Element::Wild(wild)
        } else {
            Element::Literal(literal)
        });
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selects_what_promtail_selects() {
        for (pattern, path, expected) in [
            ("/var/log/*log", "/var/log/syslog", true),
            ("/var/log/*log", "/var/log/nginx/x.log", false),
            ("/var/log/*log", "/var/log/dmesg", false),
            ("/a/?.log", "/a/b.log", true),
            ("/a/?.log", "/a/bb.log", false),
            ("/a/[a-c].log", "/a/b.log", true),
            ("/a/[^a-c].log", "/a/b.log", false),
            ("/a/[^a-c].log", "/a/d.log", true),
            ("/a/[!a].log", "/a/a.log", false),
            ("/a/[]x].log", "/a/].log", true),
            ("/a/{x,y}.log", "/a/y.log", true),
            ("/a/{x,y}.log", "/a/z.log", false),
            ("/a/{x,y/z}.log", "/a/y/z.log", true),
            ("/a/{x{1,2},y}.log", "/a/x2.log", true),
            ("/a/{messages}", "/a/messages", true),
            ("/a/{,x}y", "/a/y", true),
            ("/a/[{]b", "/a/{b", true),
            ("/a/\\*b", "/a/*b", true),
            ("/a/\\*b", "/a/xb", false),
            ("/a/**/x.log", "/a/x.log", true),
            ("/a/**/x.log", "/a/b/c/x.log", true),
            ("/a/**/x.log", "/a/b/c/y.log", false),
            ("/a/**", "/a/b/c", true),
            ("/a/**", "/a", false),
            ("/a**", "/abc", true),
            ("/a**", "/abc/d", false),
            ("/a/**x", "/a/yx", true),
            ("/a/*", "/a/.hidden", false),
            ("/a/.*", "/a/.hidden", true),
            ("/a/?hidden", "/a/.hidden", false),
            ("/a/**/x", "/a/.git/x", false),
            ("/a//b", "/a/b", true),
            ("/ä/*", "/ä/ö", true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(Path::new(path)), expected, "{pattern} on {path}");
        }
        let hidden = Pattern::parse("/a/**/*").unwrap().hidden(true);
        assert!(hidden.matches(Path::new("/a/.b/.c")));
    }

    #[test]
    fn names_the_column_of_a_fault() {
        for (pattern, column, what) in [
            ("var/log", 1, "not absolute"),
            ("", 1, "not absolute"),
            ("/a/[b", 4, "unclosed `[`"),
            ("/a/[b/c]", 4, "unclosed `[`"),
            ("/a/{b", 4, "unclosed `{`"),
            ("/a/b}", 5, "without `{`"),
            ("/a/", 3, "ends with"),
            ("/a/b\\", 5, "nothing follows"),
            ("/a/../b", 4, "`..`"),
            ("/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 42, "more than 256"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.what.contains(what) && error.column == column, "{pattern}: {error}");
        }
        for (pattern, column) in [("/var/log/{messages}", 10), ("/a**", 3), ("/a/**.log", 4)] {
            let warned = Pattern::parse(pattern).unwrap();
            assert_eq!(
                warned.warnings().iter().map(|warning| warning.column).collect::<Vec<_>>(),
                [column],
                "{pattern}"
            );
        }
        assert!(Pattern::parse("/a/**/{b,c}").unwrap().warnings().is_empty());
    }

    #[test]
    fn knows_where_its_files_may_lie() {
        let pattern = Pattern::parse("/srv/*/log/**/*.log").unwrap();
        for (directory, below) in
            [("/srv", true), ("/srv/a", true), ("/srv/a/tmp", false), ("/srv/a/log/b/c", true), ("/var", false)]
        {
            assert_eq!(pattern.may_match_below(Path::new(directory)), below, "{directory}");
        }
        let exclude = Pattern::parse("/srv/*/debug/**").unwrap();
        assert!(exclude.covers(Path::new("/srv/a/debug")) && exclude.covers(Path::new("/srv/a/debug/b")));
        assert!(!exclude.covers(Path::new("/srv/a")));
        assert!(!Pattern::parse("/srv/*").unwrap().covers(Path::new("/srv")));
        assert_eq!(literal_prefix(&pattern.alternatives()[0]), (PathBuf::from("/srv"), 1));
    }
}
