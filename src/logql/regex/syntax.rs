//! Parses the regular expressions that queries are written in, Go's RE2 syntax, into a tree without
//! flags: case folding, `.` and the line modes are resolved here, so that what reads the tree need
//! not know the dialect. Refuses what Go refuses, in its words.
//! Source: <https://pkg.go.dev/regexp/syntax> (and its observed behaviour).

use super::class::{ANY, ANY_BUT_NEWLINE, Class, named_class, perl_class, unicode_class};

/// Groups may stand this deep in each other; the tree is walked recursively on small stacks.
const NESTING_MAX: usize = 16;
/// Greatest repeat count, also of nested repeats multiplied; Go's limit.
const REPEAT_MAX: u32 = 1000;

/// A regular expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Matches the empty text.
    Empty,
    /// Matches this character.
    Char(char),
    /// Matches this lower-case ASCII letter in either case.
    Fold(char),
    /// Matches one of these characters.
    Class(Class),
    /// Start of the text.
    TextStart,
    /// End of the text.
    TextEnd,
    /// Start of a line.
    LineStart,
    /// End of a line.
    LineEnd,
    /// An ASCII word boundary.
    WordBoundary,
    /// No ASCII word boundary.
    NotWordBoundary,
    /// A capturing group; groups are numbered in the order they open.
    Group(Box<Node>),
    /// One after the other.
    Concat(Vec<Node>),
    /// The first that leads to a match.
    Alternate(Vec<Node>),
    /// Again and again.
    Repeat {
        /// What is repeated.
        node: Box<Node>,
        /// At least so often.
        min: u32,
        /// At most so often; `None`: no bound.
        max: Option<u32>,
        /// As often as possible rather than as rarely.
        greedy: bool,
    },
}

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The tree.
    pub(super) node: Node,
    /// The name of each group, in order of their numbers; the first is group 1.
    pub(super) names: Vec<Option<String>>,
}

/// Parses `text`; with `dot_all`, `.` matches a newline unless `(?-s)` says otherwise. The error
/// starts with "error parsing regexp: ".
pub(super) fn parse(text: &str, dot_all: bool) -> Result<Parsed, String> {
    let flags = Flags { dot_all, ..Flags::default() };
    let mut parser = Parser { text, at: 0, flags, names: Vec::new(), depth: 0 };
    let parsed = parser
        .alternatives()
        .and_then(|node| if parser.at < text.len() { Err(error("unexpected )", text)) } else { Ok(node) });
    match parsed {
        Ok(node) => Ok(Parsed { node, names: parser.names }),
        Err(message) => Err(format!("error parsing regexp: {message}")),
    }
}

#[derive(Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent switches of the dialect")]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_all: bool,
    swap_greed: bool,
}

struct Parser<'p> {
    text: &'p str,
    at: usize,
    flags: Flags,
    names: Vec<Option<String>>,
    depth: usize,
}

fn error(kind: &str, piece: &str) -> String {
    format!("{kind}: `{piece}`")
}

impl<'p> Parser<'p> {
    fn rest(&self) -> &'p str {
        &self.text[self.at..]
    }

    fn since(&self, start: usize) -> &'p str {
        &self.text[start..self.at]
    }

    fn eat(&mut self, prefix: &str) -> bool {
        let found = self.rest().starts_with(prefix);
        if found {
            self.at += prefix.len();
        }
        found
    }

    fn next_char(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Everything up to the closing parenthesis of the group, or to the end. Flags set inside a
    /// group end with it.
    fn alternatives(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(error("expression nests too deeply", self.text));
        }
        let outer = self.flags;
        let mut branches = vec![self.branch()?];
        while self.eat("|") {
            branches.push(self.branch()?);
        }
        self.flags = outer;
        self.depth -= 1;
        Ok(if branches.len() == 1 { branches.swap_remove(0) } else { Node::Alternate(branches) })
    }

    fn branch(&mut self) -> Result<Node, String> {
        let mut nodes = Vec::new();
        let mut last_repeat = None; // where the repetition operator just read begins
        while let Some(c) = self.rest().chars().next() {
            let start = self.at;
            let mut repeated = None;
            match c {
                '|' | ')' => break,
                '(' => self.group(&mut nodes)?,
                '[' => nodes.push(Node::Class(self.class()?)),
                '*' | '+' | '?' => {
                    self.at += 1;
                    repeated = Some(match c {
                        '*' => (0, None),
                        '+' => (1, None),
                        _ => (0, Some(1)),
                    });
                }
                '{' => {
                    repeated = self.counts()?;
                    if repeated.is_none() {
                        self.at += 1;
                        nodes.push(Node::Char('{'));
                    }
                }
                '\\' => self.escaped(&mut nodes)?,
                _ => {
                    self.at += c.len_utf8();
                    nodes.push(self.plain(c));
                }
            }
            last_repeat = match repeated {
                Some(counts) => {
                    self.repeat(&mut nodes, counts, start, last_repeat)?;
                    Some(start)
                }
                None => None,
            };
        }
        Ok(match nodes.len() {
            0 => Node::Empty,
            1 => nodes.swap_remove(0),
            _ => Node::Concat(nodes),
        })
    }

    fn plain(&self, c: char) -> Node {
        match c {
            '.' if self.flags.dot_all => Node::Class(Class::from_ranges(ANY)),
            '.' => Node::Class(Class::from_ranges(ANY_BUT_NEWLINE)),
            '^' if self.flags.multi_line => Node::LineStart,
            '^' => Node::TextStart,
            '$' if self.flags.multi_line => Node::LineEnd,
            '$' => Node::TextEnd,
            c => self.literal(c),
        }
    }

    fn literal(&self, c: char) -> Node {
        if !self.flags.fold_case {
            return Node::Char(c);
        }
        if c.is_ascii_alphabetic() {
            return Node::Fold(c.to_ascii_lowercase());
        }
        let class = Class::from_ranges(&[(c, c)]).folded();
        if class.ranges() == [(c, c)] { Node::Char(c) } else { Node::Class(class) }
    }

    fn repeat(
        &mut self,
        nodes: &mut Vec<Node>,
        (min, max): (u32, Option<u32>),
        start: usize,
        last_repeat: Option<usize>,
    ) -> Result<(), String> {
        let operator = self.since(start);
        let greedy = self.eat("?") == self.flags.swap_greed;
        if let Some(first) = last_repeat {
            return Err(error("invalid nested repetition operator", self.since(first)));
        }
        let node = nodes.pop().ok_or_else(|| error("missing argument to repetition operator", operator))?;
        let node = Node::Repeat { node: Box::new(node), min, max, greedy };
        if (min >= 2 || max.is_some_and(|max| max >= 2)) && !counts_fit(&node, REPEAT_MAX) {
            return Err(error("invalid repeat count", operator));
        }
        nodes.push(node);
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,5}`; `None`, and nothing read, if it is none of these and so a literal.
    fn counts(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let Some(end) = self.rest().find('}') else {
            return Ok(None);
        };
        let body = &self.rest()[1..end];
        let number = |text: &str| {
            let sound = !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'));
            sound.then(|| text.parse::<u32>().unwrap_or(u32::MAX))
        };
        let counts = match body.split_once(',') {
            None => number(body).map(|count| (count, Some(count))),
            Some((min, "")) => number(min).map(|min| (min, None)),
            Some((min, max)) => number(min).zip(number(max)).map(|(min, max)| (min, Some(max))),
        };
        let Some((min, max)) = counts else {
            return Ok(None);
        };
        let start = self.at;
        self.at += end + 1;
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
            return Err(error("invalid repeat count", self.since(start)));
        }
        Ok(Some((min, max)))
    }

    /// A group of any kind, or a change of flags, which adds no node.
    fn group(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        if self.rest().starts_with("(?P<") || self.rest().starts_with("(?<") {
            let name = self.group_name()?;
            self.names.push(Some(name));
        } else if self.rest().starts_with("(?") {
            let outer = self.flags;
            if self.change_flags()? {
                let inner = self.alternatives()?;
                self.flags = outer;
                self.close()?;
                nodes.push(inner);
            }
            return Ok(());
        } else {
            self.at += 1;
            self.names.push(None);
        }
        let inner = self.alternatives()?;
        self.close()?;
        nodes.push(Node::Group(Box::new(inner)));
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        if self.eat(")") { Ok(()) } else { Err(error("missing closing )", self.text)) }
    }

    fn group_name(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let end = rest.find('>').ok_or_else(|| error("invalid named capture", rest))?;
        let start = rest.find('<').unwrap_or(0) + 1;
        let name = &rest[start..end];
        if name.is_empty() || !name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()) {
            return Err(error("invalid named capture", &rest[..=end]));
        }
        self.at += end + 1;
        Ok(name.to_owned())
    }

    /// Reads `(?i-s)` or `(?i-s:`; true for the second, which opens a group.
    fn change_flags(&mut self) -> Result<bool, String> {
        let start = self.at;
        self.at += 2;
        let (mut set, mut seen) = (true, false);
        loop {
            let next = self.next_char();
            let flag = match next {
                Some('i') => &mut self.flags.fold_case,
                Some('m') => &mut self.flags.multi_line,
                Some('s') => &mut self.flags.dot_all,
                Some('U') => &mut self.flags.swap_greed,
                Some('-') if set => {
                    (set, seen) = (false, false);
                    continue;
                }
                Some(end @ (':' | ')')) if set || seen => return Ok(end == ':'),
                None => return Err(error("missing closing )", self.text)),
                _ => {
                    return Err(error("invalid or unsupported Perl syntax", self.since(start)));
                }
            };
            *flag = set;
            seen = true;
        }
    }

    /// What a backslash starts outside a class.
    fn escaped(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        if self.eat("\\Q") {
            let quoted = self.rest().split("\\E").next().unwrap_or("");
            self.at += quoted.len();
            self.eat("\\E");
            nodes.extend(quoted.chars().map(|c| self.literal(c)));
            return Ok(());
        }
        for (text, node) in [
            ("\\A", Node::TextStart),
            ("\\z", Node::TextEnd),
            ("\\b", Node::WordBoundary),
            ("\\B", Node::NotWordBoundary),
        ] {
            if self.eat(text) {
                nodes.push(node);
                return Ok(());
            }
        }
        let node = if let Some(class) = self.class_escape()? {
            Node::Class(class)
        } else {
            let c = self.char_escape()?;
            self.literal(c)
        };
        nodes.push(node);
        Ok(())
    }

    /// `\d`, `\pL` and their like; `None`, and nothing read, if something else stands here.
    fn class_escape(&mut self) -> Result<Option<Class>, String> {
        let rest = self.rest();
        let Some(kind) = rest.strip_prefix('\\').and_then(|rest| rest.chars().next()) else {
            return Ok(None);
        };
        if let Some(class) = perl_class(kind) {
            self.at += 2;
            return Ok(Some(class));
        }
        if !matches!(kind, 'p' | 'P') {
            return Ok(None);
        }
        let body = &rest[2..];
        let (name, length) = if let Some(braced) = body.strip_prefix('{') {
            let end = braced.find('}').ok_or_else(|| error("invalid character class range", rest))?;
            (&braced[..end], end + 2)
        } else {
            let length = body.chars().next().map_or(0, char::len_utf8);
            (&body[..length], length)
        };
        self.at += 2 + length;
        let (name, inverse) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
        let class = unicode_class(name).ok_or_else(|| error("invalid character class range", &rest[..2 + length]))?;
        let class = if self.flags.fold_case { class.folded() } else { class };
        Ok(Some(if inverse == (kind == 'P') { class } else { class.negated() }))
    }

    /// A single character written with a backslash.
    fn char_escape(&mut self) -> Result<char, String> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.next_char() else {
            return Err(error("trailing backslash at end of expression", ""));
        };
        let octal = |byte: Option<&u8>| byte.copied().filter(|byte| (b'0'..=b'7').contains(byte));
        let value = match c {
            '0'..='7' if c == '0' || octal(self.rest().as_bytes().first()).is_some() => {
                let mut value = u32::from(c) - u32::from('0');
                for _ in 0..2 {
                    let Some(digit) = octal(self.rest().as_bytes().first()) else {
                        break;
                    };
                    value = value * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                Some(value)
            }
            'x' => self.hex_value(),
            'a' => Some(7),
            'f' => Some(12),
            'n' => Some(10),
            'r' => Some(13),
            't' => Some(9),
            'v' => Some(11),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
            _ => None,
        };
        value.and_then(char::from_u32).ok_or_else(|| error("invalid escape sequence", self.since(start)))
    }

    /// What follows `\x`: two hexadecimal digits, or any number of them in braces.
    fn hex_value(&mut self) -> Option<u32> {
        let rest = self.rest();
        let (digits, length) = match rest.strip_prefix('{') {
            Some(braced) => {
                let end = braced.find('}')?;
                (&braced[..end], end + 2)
            }
            None => (rest.get(..2)?, 2),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += length;
        u32::from_str_radix(digits, 16).ok()
    }

    /// `[...]`.
    fn class(&mut self) -> Result<Class, String> {
        let start = self.at;
        self.at += 1;
        let negated = self.eat("^");
        let mut class = Class::default();
        let mut first = true;
        while first || !self.rest().starts_with(']') {
            first = false;
            if let Some(name_end) = self.rest().strip_prefix("[:").and_then(|rest| rest.find(":]")) {
                let name = &self.rest()[..name_end + 4];
                let named = named_class(&name[2..name_end + 2]);
                class.add(&named.ok_or_else(|| error("invalid character class range", name))?);
                self.at += name.len();
            } else if let Some(escape) = self.class_escape()? {
                class.add(&escape);
            } else {
                let range_start = self.at;
                let low = self.class_char(start)?;
                let mut high = low;
                if self.rest().starts_with('-') && self.rest().len() >= 2 && !self.rest().starts_with("-]") {
                    self.at += 1;
                    high = self.class_char(start)?;
                    if high < low {
                        return Err(error("invalid character class range", self.since(range_start)));
                    }
                }
                let range = Class::from_ranges(&[(low, high)]);
                class.add(&if self.flags.fold_case { range.folded() } else { range });
            }
        }
        self.at += 1;
        Ok(if negated { class.negated() } else { class })
    }

    fn class_char(&mut self, class_start: usize) -> Result<char, String> {
        if self.rest().starts_with('\\') {
            return self.char_escape();
        }
        self.next_char().ok_or_else(|| error("missing closing ]", &self.text[class_start..]))
    }
}

/// Whether the repeat counts of `node` and of those inside it, multiplied, stay within `limit`.
fn counts_fit(node: &Node, limit: u32) -> bool {
    match node {
        Node::Repeat { node, min, max, .. } => {
            let count = max.unwrap_or(*min);
            count <= limit && counts_fit(node, limit.checked_div(count).unwrap_or(limit))
        }
        Node::Group(node) => counts_fit(node, limit),
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().all(|node| counts_fit(node, limit)),
        _ => true,
    }
}
