//! JSON as Loki's clients read it. Answers are written as a stream: a producer appends a part at a
//! time, so that an answer never lies in memory as text.

use std::io::{self, Read};

/// Bytes that are gathered before they are handed on.
const PART_BYTES: usize = 16 * 1024;

/// How an answer begins whose data are a list.
pub(super) const DATA_HEAD: &str = "{\"status\":\"success\",\"data\":[";
/// How an answer ends that is an object with a list as its last member.
pub(super) const LIST_TAIL: &str = "]}\n";

/// Writes the next part of a text; false once there is nothing more.
pub(super) trait Produce: Send {
    /// Appends something to `out`.
    fn produce(&mut self, out: &mut Vec<u8>) -> bool;
}

/// A document that is a list with something around it: `head`, the items with commas between them, `tail`.
pub(super) struct List<I, W> {
    head: &'static str,
    items: I,
    write: W,
    tail: &'static str,
    begun: bool,
}

impl<T, I: Iterator<Item = T>, W: FnMut(&mut Vec<u8>, &T)> List<I, W> {
    /// `write` appends one item.
    pub(super) fn new(
        head: &'static str,
        items: impl IntoIterator<IntoIter = I>,
        write: W,
        tail: &'static str,
    ) -> Self {
        Self { head, items: items.into_iter(), write, tail, begun: false }
    }
}

impl<T, I: Iterator<Item = T> + Send, W: FnMut(&mut Vec<u8>, &T) + Send> Produce for List<I, W> {
    fn produce(&mut self, out: &mut Vec<u8>) -> bool {
        if !self.begun {
            out.extend_from_slice(self.head.as_bytes());
        }
        let Some(item) = self.items.next() else {
            out.extend_from_slice(self.tail.as_bytes());
            return false;
        };
        if self.begun {
            out.push(b',');
        }
        self.begun = true;
        (self.write)(out, &item);
        true
    }
}

/// What a producer writes, as a body.
pub(super) struct Streamed<P> {
    producer: P,
    part: Vec<u8>,
    sent: usize,
    more: bool,
}

impl<P: Produce> Streamed<P> {
    pub(super) fn new(producer: P) -> Self {
        Self { producer, part: Vec::new(), sent: 0, more: true }
    }
}

impl<P: Produce> Read for Streamed<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.sent == self.part.len() {
            self.part.clear();
            self.sent = 0;
            while self.more && self.part.len() < PART_BYTES {
                self.more = self.producer.produce(&mut self.part);
            }
        }
        let read = (&self.part[self.sent..]).read(buffer)?;
        self.sent += read;
        Ok(read)
    }
}

/// A string of text or of bytes that should be; each byte that is no UTF-8 becomes U+FFFD.
pub(super) fn string(out: &mut Vec<u8>, text: impl AsRef<[u8]>) {
    out.push(b'"');
    for chunk in text.as_ref().utf8_chunks() {
        escaped(out, chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

/// Text with what JSON must not hold plainly (RFC 8259, 7) escaped; what needs none is copied in runs.
fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut plain_from = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[plain_from..at]);
        plain_from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(other >> 4)], HEX[usize::from(other & 15)]]);
            }
        }
    }
    out.extend_from_slice(&text[plain_from..]);
}

/// An object of strings.
pub(super) fn labels<'l>(out: &mut Vec<u8>, labels: impl IntoIterator<Item = (&'l str, &'l str)>) {
    out.push(b'{');
    for (at, (name, value)) in labels.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    out.push(b'}');
}

/// An array of strings.
pub(super) fn strings<T: AsRef<[u8]>>(out: &mut Vec<u8>, texts: impl IntoIterator<Item = T>) {
    out.push(b'[');
    for (at, text) in texts.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, text);
    }
    out.push(b']');
}

/// A time of a log entry: a string of nanoseconds.
pub(super) fn nanoseconds(out: &mut Vec<u8>, timestamp_ns: i64) {
    out.extend_from_slice(format!("\"{timestamp_ns}\"").as_bytes());
}

/// A time of a sample: a number of seconds with at most three decimals, no zeros at their end.
pub(super) fn seconds(out: &mut Vec<u8>, timestamp_ms: i64) {
    let sign = if timestamp_ms < 0 { "-" } else { "" };
    let (seconds, ms) = (timestamp_ms.unsigned_abs() / 1000, timestamp_ms.unsigned_abs() % 1000);
    let text = format!("{sign}{seconds}.{ms:03}");
    out.extend_from_slice(text.trim_end_matches('0').trim_end_matches('.').as_bytes());
}

/// A value of a sample: a string of the shortest decimal that reads back as the same number, never
/// with an exponent.
pub(super) fn sample_value(out: &mut Vec<u8>, value: f64) {
    let text = match value {
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    };
    out.extend_from_slice(format!("\"{text}\"").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_and_always_utf8() {
        for (text, want) in [
            (&b"plain"[..], r#""plain""#),
            (b"say \"hi\"\\", r#""say \"hi\"\\""#),
            (b"\n\r\t\x00\x1f\x7f", "\"\\n\\r\\t\\u0000\\u001f\x7f\""),
            ("日本 é".as_bytes(), "\"日本 é\""),
            (b"a\xff\xe2\x82b", "\"a\u{fffd}\u{fffd}\u{fffd}b\""),
            (b"", "\"\""),
        ] {
            let got = written(|out| string(out, text));
            assert_eq!(got, want);
            let back: String = serde_json::from_str(&got).unwrap();
            assert_eq!(back.replace('\u{fffd}', ""), String::from_utf8_lossy(text).replace('\u{fffd}', ""));
        }
    }

    #[test]
    fn numbers_are_written_as_lokis_clients_read_them() {
        for (ms, want) in [
            (1_795_356_120_000, "1795356120"),
            (1_795_356_120_500, "1795356120.5"),
            (1, "0.001"),
            (-1500, "-1.5"),
            (0, "0"),
        ] {
            assert_eq!(written(|out| seconds(out, ms)), want);
        }
        for (value, want) in [
            (3.0, "3"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.000_000_1, "0.0000001"),
            (1e21, "1000000000000000000000"),
            (-0.0, "-0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(written(|out| sample_value(out, value)), format!("\"{want}\""));
        }
    }

    #[test]
    fn a_producer_is_read_to_its_end_in_parts() {
        struct Count(u32);
        impl Produce for Count {
            fn produce(&mut self, out: &mut Vec<u8>) -> bool {
                out.extend_from_slice(format!("{},", self.0).as_bytes());
                self.0 += 1;
                self.0 < 10_000
            }
        }
        let mut text = String::new();
        Streamed::new(Count(0)).read_to_string(&mut text).unwrap();
        let numbers: Vec<u32> = text.split_terminator(',').map(|number| number.parse().unwrap()).collect();
        assert_eq!(numbers, (0..10_000).collect::<Vec<_>>());
    }
}
