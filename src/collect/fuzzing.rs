//! Entry points for fuzzing what followed files hold: each takes any bytes and panics where a promise is broken.

#![expect(clippy::missing_panics_doc, reason = "what a target panics for is what it says it checks")]

use super::timestamp::{Recogniser, Zone};

const NOW_NS: i64 = 1_795_521_600_000_000_000;

/// The lines of a file, for the scanner of time stamps: what it says of a line depends on the file alone.
pub fn timestamp(data: &[u8]) {
    for (now_ns, modified_ns) in [(NOW_NS, NOW_NS), (0, NOW_NS), (i64::MAX, i64::MIN)] {
        let mut recogniser = Recogniser::new(Zone::utc());
        for line in data.split(|byte| *byte == b'\n') {
            let mut again = recogniser.clone();
            let stamp = recogniser.recognise(line, now_ns, modified_ns);
            assert_eq!(again.recognise(line, now_ns, modified_ns), stamp);
        }
    }
}
