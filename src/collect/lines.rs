//! Bytes of a file into lines: split behind decoding, without the line end, never longer than the
//! limit. Any way of cutting the same bytes into reads gives the same lines. Memory is bounded by one
//! line: what exceeds it is skipped or split, and the position moves meanwhile.

use super::{LongLines, decode::Charset};

/// The smallest limit on a line; below it, not every character would fit.
const LINE_BYTES_MIN: usize = 16;

/// Where in a line the position stands. Kept with the position, so that a restart goes on alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum LineState {
    /// At the start of a line.
    Start,
    /// Behind a part that was stored already; what follows is an entry of its own, a bare line end is none.
    Inside,
    /// In the rest of a line that was too long.
    Skipping,
}

/// Whether more may follow the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// More will follow: a fragment stays where it is.
    Open,
    /// Nothing has followed for long: a fragment is stored, except for half a character.
    Quiet,
    /// Nothing can follow.
    Closed,
}

/// How an emitted text relates to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line, or its first part.
    First,
    /// A further part of a line that was split at the limit, in the same read: it has the time stamp of the first.
    Further,
}

/// How lines are cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Framing {
    pub(super) charset: Charset,
    /// Bytes of one line, decoded.
    pub(super) line_bytes_max: usize,
    pub(super) long: LongLines,
    pub(super) drop_empty: bool,
}

/// What happened to lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LineCounts {
    /// Lines seen, whether stored or not.
    pub(super) lines: u64,
    /// Lines of which only the head was stored.
    pub(super) truncated: u64,
    /// Lines that were dropped because they were too long.
    pub(super) too_long: u64,
    /// Lines with bytes that could not be decoded.
    pub(super) invalid: u64,
    /// Lines dropped because more than half of them was zero bytes.
    pub(super) binary: u64,
    /// Empty lines that were not wanted.
    pub(super) empty: u64,
    /// Zero bytes skipped at the start of lines.
    pub(super) zero_bytes: u64,
    /// Last lines stored without a newline.
    pub(super) partial: u64,
}

/// Takes each line, where in the bytes it begins, and what was before it.
pub(super) type Emit<'e> = dyn FnMut(&[u8], Piece, (usize, LineState)) + 'e;

/// What one call works with.
pub(super) struct Cutting<'a> {
    /// Buffer of decoded text, kept between calls only to save its allocation.
    pub(super) scratch: &'a mut Vec<u8>,
    pub(super) counts: &'a mut LineCounts,
    /// Where in the bytes the line begins that is being emitted, and what was before it.
    pub(super) line_start: (usize, LineState),
    pub(super) emit: &'a mut Emit<'a>,
}

impl Framing {
    /// Source bytes of a fragment from which on it is longer than the limit, whatever follows it.
    pub(super) fn fragment_bytes_max(&self) -> usize {
        // The smallest character gives at least one byte of text; two more may be the line end.
        (self.limit() + 3) * self.charset.unit()
    }

    /// Cuts `bytes`, which begin at the position, and returns by how many the position moves.
    pub(super) fn cut(&self, state: &mut LineState, bytes: &[u8], end: End, cutting: &mut Cutting<'_>) -> usize {
        let mut at = 0;
        // Up to where the bytes are known to be sound UTF-8, and where the next zero byte is: both are
        // found for many lines at once.
        let mut sound_to = 0;
        let mut zero_at = next_zero(bytes, 0);
        while let Some(length) = self.charset.newline(&bytes[at..]) {
            let line_end = at + length;
            if sound_to < line_end && self.charset == Charset::Utf8 {
                sound_to = at + valid_to(&bytes[at..]);
            }
            let has_zero = zero_at < line_end;
            cutting.line_start = (at, *state);
            self.line(state, &bytes[at..line_end], sound_to >= line_end, has_zero, cutting);
            *state = LineState::Start;
            at = line_end + self.charset.unit();
            if has_zero {
                zero_at = next_zero(bytes, at);
            }
        }
        cutting.line_start = (at, *state);
        at + self.fragment(state, &bytes[at..], end, cutting)
    }

    fn limit(&self) -> usize {
        self.line_bytes_max.max(LINE_BYTES_MIN)
    }

    /// A line that ends with a newline, given without it.
    fn line(&self, state: &mut LineState, raw: &[u8], sound: bool, has_zero: bool, cutting: &mut Cutting<'_>) {
        let raw = self.without_return(raw);
        match state {
            LineState::Skipping => return,
            LineState::Inside if raw.is_empty() => return,
            LineState::Inside | LineState::Start => {}
        }
        let zeros = if has_zero && *state == LineState::Start { self.leading_zeros(raw) } else { 0 };
        cutting.counts.zero_bytes += zeros as u64;
        if zeros > 0 && zeros == raw.len() {
            cutting.counts.lines += 1;
            cutting.counts.binary += 1;
            return;
        }
        self.pieces(state, &raw[zeros..], sound, has_zero, true, cutting);
    }

    /// What follows the last newline. Returns how much of it is done with.
    fn fragment(&self, state: &mut LineState, raw: &[u8], end: End, cutting: &mut Cutting<'_>) -> usize {
        let whole_units = raw.len() - raw.len() % self.charset.unit();
        if *state == LineState::Skipping {
            return if end == End::Closed { raw.len() } else { whole_units };
        }
        let zeros = if *state == LineState::Start { self.leading_zeros(raw) } else { 0 };
        let text = &raw[zeros..];
        match end {
            _ if text.len() > self.fragment_bytes_max() => {
                cutting.counts.zero_bytes += zeros as u64;
                let (sound, has_zero) = (false, memchr::memchr(0, text).is_some());
                let done = zeros + self.pieces(state, text, sound, has_zero, false, cutting);
                if end == End::Open { done } else { done + self.fragment(state, &raw[done..], end, cutting) }
            }
            End::Open if text.is_empty() && zeros > self.fragment_bytes_max() => {
                cutting.counts.zero_bytes += zeros as u64;
                zeros
            }
            End::Open => 0,
            End::Quiet => {
                let text = &text[..text.len() - self.charset.incomplete_tail(text)];
                let text = self.without_return(text);
                if text.is_empty() {
                    return 0;
                }
                self.last_line(state, text, zeros, cutting);
                *state = LineState::Inside;
                zeros + text.len()
            }
            End::Closed => {
                let text = self.without_return(text);
                if text.is_empty() {
                    cutting.counts.zero_bytes += zeros as u64;
                } else {
                    self.last_line(state, text, zeros, cutting);
                }
                *state = LineState::Start;
                raw.len()
            }
        }
    }

    fn last_line(&self, state: &mut LineState, text: &[u8], zeros: usize, cutting: &mut Cutting<'_>) {
        cutting.counts.zero_bytes += zeros as u64;
        cutting.counts.partial += 1;
        self.pieces(state, text, false, memchr::memchr(0, text).is_some(), true, cutting);
    }

    /// Emits a text in pieces that fit the limit. Unless `whole`, more of the line follows, and only
    /// pieces that certainly exceed the limit are cut. Returns how much is done with.
    fn pieces(
        &self,
        state: &mut LineState,
        raw: &[u8],
        sound: bool,
        has_zero: bool,
        whole: bool,
        cutting: &mut Cutting<'_>,
    ) -> usize {
        let limit = self.limit();
        let mut piece = Piece::First;
        let mut at = 0;
        cutting.counts.lines += 1;
        if sound && whole && raw.len() <= limit {
            // The common case: the line is handed on where it lies.
            self.emit(raw, piece, has_zero, *state, cutting);
            return raw.len();
        }
        loop {
            cutting.scratch.clear();
            let (taken, sound) = self.charset.decode(&raw[at..], cutting.scratch, limit);
            cutting.counts.invalid += u64::from(!sound);
            let text = std::mem::take(cutting.scratch);
            let fits = at + taken == raw.len();
            if fits || self.long != LongLines::Drop {
                self.emit(&text, piece, has_zero, *state, cutting);
            }
            *cutting.scratch = text;
            at += taken;
            if fits {
                return at;
            }
            match self.long {
                LongLines::Truncate => cutting.counts.truncated += 1,
                LongLines::Drop => cutting.counts.too_long += 1,
                LongLines::Split => {
                    *state = LineState::Inside;
                    piece = Piece::Further;
                    if whole || raw.len() - at > self.fragment_bytes_max() {
                        continue;
                    }
                    return at;
                }
            }
            *state = LineState::Skipping;
            let rest = raw.len() % self.charset.unit();
            return if whole { raw.len() } else { raw.len() - rest };
        }
    }

    fn emit(&self, text: &[u8], piece: Piece, has_zero: bool, state: LineState, cutting: &mut Cutting<'_>) {
        if text.is_empty() && self.drop_empty && state == LineState::Start {
            cutting.counts.empty += 1;
            return;
        }
        if has_zero && memchr::memchr_iter(0, text).count() * 2 > text.len() {
            cutting.counts.binary += 1;
            return;
        }
        (cutting.emit)(text, piece, cutting.line_start);
    }

    fn without_return<'a>(&self, raw: &'a [u8]) -> &'a [u8] {
        let end: &[u8] = match self.charset {
            Charset::Utf8 | Charset::Windows1252 => b"\r",
            Charset::Utf16Le => b"\r\0",
            Charset::Utf16Be => b"\0\r",
        };
        match raw.strip_suffix(end) {
            Some(line) if line.len() % self.charset.unit() == 0 => line,
            _ => raw,
        }
    }

    /// Zero bytes at the start, in whole characters: what a writer that does not append leaves behind
    /// after its file was truncated.
    fn leading_zeros(&self, raw: &[u8]) -> usize {
        let zeros = raw.iter().position(|byte| *byte != 0).unwrap_or(raw.len());
        zeros - zeros % self.charset.unit()
    }
}

fn next_zero(bytes: &[u8], from: usize) -> usize {
    memchr::memchr(0, &bytes[from..]).map_or(usize::MAX, |at| from + at)
}

fn valid_to(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing(charset: Charset, long: LongLines) -> Framing {
        Framing { charset, line_bytes_max: 16, long, drop_empty: false }
    }

    /// Feeds `bytes` in reads of the given sizes, as a follower does: what was not taken comes again.
    fn cut_in(
        framing: Framing,
        bytes: &[u8],
        reads: &mut dyn FnMut() -> usize,
        last: End,
    ) -> (Vec<String>, LineCounts) {
        let (mut lines, mut counts, mut scratch) = (Vec::new(), LineCounts::default(), Vec::new());
        let mut state = LineState::Start;
        let (mut at, mut to) = (0, 0);
        while to < bytes.len() || at < to {
            let before = (at, to);
            to = (to + reads()).min(bytes.len());
            let end = if to == bytes.len() { last } else { End::Open };
            at += framing.cut(
                &mut state,
                &bytes[at..to],
                end,
                &mut Cutting {
                    scratch: &mut scratch,
                    counts: &mut counts,
                    line_start: (0, LineState::Start),
                    emit: &mut |line, piece, _| {
                        let mark = if piece == Piece::Further { "+" } else { "" };
                        lines.push(format!("{mark}{}", std::str::from_utf8(line).unwrap()));
                    },
                },
            );
            if (at, to) == before {
                break;
            }
        }
        (lines, counts)
    }

    fn at_once(framing: Framing, bytes: &[u8], last: End) -> (Vec<String>, LineCounts) {
        cut_in(framing, bytes, &mut || usize::MAX / 2, last)
    }

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn splits_decodes_and_bounds() {
        use LongLines::{Drop, Split, Truncate};
        let long = "0123456789abcdefghijklmnopqrstuvwxyz\nnext\n";
        let utf8 = |text: &str| (Charset::Utf8, text.as_bytes().to_vec());
        for ((charset, bytes), mode, last, expected) in [
            (utf8("a\nb\r\n\nc\rd\n"), Truncate, End::Open, &["a", "b", "", "c\rd"][..]),
            (utf8("a\nrest"), Truncate, End::Open, &["a"]),
            (utf8("a\nrest"), Truncate, End::Quiet, &["a", "rest"]),
            (utf8("a\nrest\r"), Truncate, End::Closed, &["a", "rest"]),
            (utf8(long), Truncate, End::Open, &["0123456789abcdef", "next"]),
            (utf8(long), Split, End::Open, &["0123456789abcdef", "+ghijklmnopqrstuv", "+wxyz", "next"]),
            (utf8(long), Drop, End::Open, &["next"]),
            (utf8("0123456789abcdef\r\n"), Truncate, End::Open, &["0123456789abcdef"]),
            (utf8("0123456789abcdé\n"), Truncate, End::Open, &["0123456789abcdé"]),
            (utf8("0123456789abcdeé\n"), Truncate, End::Open, &["0123456789abcde"]),
            (utf8("\0\0\0text\na\0b\n\0\0\n"), Truncate, End::Open, &["text", "a\0b"]),
            ((Charset::Utf8, b"a\xffb\n\xe2\x82".to_vec()), Truncate, End::Quiet, &["a\u{fffd}b"]),
            ((Charset::Utf8, b"x\xe2\x82".to_vec()), Truncate, End::Closed, &["x\u{fffd}"]),
            ((Charset::Windows1252, b"gr\xfcn\r\n".to_vec()), Truncate, End::Open, &["grün"]),
            ((Charset::Utf16Le, utf16("ü\r\n\u{a0a}\nrest")), Truncate, End::Open, &["ü", "\u{a0a}"]),
            ((Charset::Utf16Le, utf16(long)), Truncate, End::Open, &["0123456789abcdef", "next"]),
        ] {
            let (lines, _) = at_once(framing(charset, mode), &bytes, last);
            assert_eq!(lines, expected, "{charset:?} {mode:?} {last:?} {:?}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn counts_what_it_changes() {
        let framing = Framing { drop_empty: true, ..framing(Charset::Utf8, LongLines::Truncate) };
        let (lines, counts) = at_once(framing, b"\n\0\0ab\n\xff\na\0\0\n0123456789abcdef+\nend", End::Quiet);
        assert_eq!(lines, ["ab", "\u{fffd}", "0123456789abcdef", "end"]);
        let expected = LineCounts {
            lines: 6,
            truncated: 1,
            too_long: 0,
            invalid: 1,
            binary: 1,
            empty: 1,
            zero_bytes: 2,
            partial: 1,
        };
        assert_eq!(counts, expected);
    }

    /// A last line that was stored because nothing followed for long: its line end is no empty line,
    /// and what else follows is an entry of its own.
    #[test]
    fn goes_on_behind_a_partial_line() {
        for (first, then, expected) in [
            ("ab", "\nc\n", &["ab", "c"][..]),
            ("ab\r", "\nc\n", &["ab", "c"]),
            ("ab", "\r\nc\n", &["ab", "c"]),
            ("ab", "cd\n\n", &["ab", "cd", ""]),
        ] {
            let framing = framing(Charset::Utf8, LongLines::Truncate);
            let (mut state, mut lines) = (LineState::Start, Vec::new());
            let bytes = [first, then].concat();
            let mut at = 0;
            for (to, end) in [(first.len(), End::Quiet), (bytes.len(), End::Open)] {
                at += framing.cut(
                    &mut state,
                    &bytes.as_bytes()[at..to],
                    end,
                    &mut Cutting {
                        scratch: &mut Vec::new(),
                        counts: &mut LineCounts::default(),
                        line_start: (0, LineState::Start),
                        emit: &mut |line, _, _| lines.push(String::from_utf8(line.to_vec()).unwrap()),
                    },
                );
            }
            assert_eq!(lines, expected, "{first:?} then {then:?}");
            assert_eq!(at, bytes.len());
        }
    }

    /// Any split of the same bytes into reads gives the same lines.
    #[test]
    fn reads_of_any_size_give_the_same_lines() {
        let mut seed = 7_u64;
        let mut random = move |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let alphabet: [&[u8]; 9] =
            [b"a", b"bcdefgh", b"\n", b"\r", "é".as_bytes(), "😀".as_bytes(), b"\xff", b"\0", b"\r\n"];
        for round in 0..3000_u64 {
            let mut bytes = Vec::new();
            for _ in 0..random(30) {
                bytes.extend_from_slice(alphabet[usize::try_from(random(9)).unwrap()]);
            }
            let charset = [Charset::Utf8, Charset::Utf16Le, Charset::Utf16Be, Charset::Windows1252]
                [usize::try_from(round % 4).unwrap()];
            let mode = [LongLines::Truncate, LongLines::Split, LongLines::Drop][usize::try_from(round % 3).unwrap()];
            let whole = at_once(framing(charset, mode), &bytes, End::Closed);
            let parts =
                cut_in(framing(charset, mode), &bytes, &mut || usize::try_from(random(12)).unwrap() + 1, End::Closed);
            // Whether a piece is a further one is known only within one read.
            let texts =
                |lines: &[String]| lines.iter().map(|line| line.trim_start_matches('+').to_owned()).collect::<Vec<_>>();
            assert_eq!(texts(&whole.0), texts(&parts.0), "round {round}: {charset:?} {mode:?} {bytes:?}");
        }
    }
}
