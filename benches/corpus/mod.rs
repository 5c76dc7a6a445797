//! What the benchmarks share: log lines made on the spot, always the same, and the processor's time.

#![expect(clippy::cast_precision_loss, reason = "seconds for the eye")]

use rustix::time::{ClockId, clock_gettime};

/// A kind of log.
pub(crate) struct Log {
    /// Its name, which its streams have as the label `job`.
    pub(crate) name: &'static str,
    line: fn(&mut Random) -> String,
}

/// The kinds of logs.
pub(crate) const LOGS: &[Log] = &[
    Log { name: "access", line: access },
    Log { name: "json", line: json },
    Log { name: "logfmt", line: logfmt },
    Log { name: "sshd", line: sshd },
];

impl Log {
    /// Lines of about so many bytes together.
    pub(crate) fn lines(&self, bytes: usize, seed: u64) -> Vec<String> {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (mut lines, mut made) = (Vec::new(), 0);
        while made < bytes {
            let line = (self.line)(&mut random);
            made += line.len() + 1;
            lines.push(line);
        }
        lines
    }
}

/// xorshift64, <https://www.jstatsoft.org/article/view/v008i14>.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 32) % bound
    }

    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[usize::try_from(self.below(texts.len() as u64)).unwrap_or(0)]
    }
}

fn access(random: &mut Random) -> String {
    format!(
        "10.0.{}.{} - - [05/Jan/2026:10:{:02}:{:02} +0000] \"{} {}{} HTTP/1.1\" {} {} \"-\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
        random.below(4),
        random.below(250),
        random.below(60),
        random.below(60),
        random.pick(&["GET", "GET", "GET", "POST", "HEAD"]),
        random.pick(&["/images/logo", "/api/v1/items/", "/index.html?", "/static/app."]),
        random.below(5000),
        random.pick(&["200", "200", "200", "304", "404", "500"]),
        random.below(90_000),
    )
}

fn json(random: &mut Random) -> String {
    format!(
        r#"{{"level":"{}","msg":"{}","request":{{"method":"GET","path":"/api/{}","ms":{}}},"trace_id":"{:016x}","ok":true}}"#,
        random.pick(&["info", "info", "info", "warn", "error"]),
        random.pick(&["request done", "cache miss", "upstream timeout", "connection refused"]),
        random.below(300),
        random.below(900),
        random.next(),
    )
}

fn logfmt(random: &mut Random) -> String {
    format!(
        "ts=2026-01-05T10:00:{:02}Z level={} caller={}.go:{} msg=\"{}\" duration={}ms status={} request_id=req-{:08x}",
        random.below(60),
        random.pick(&["info", "info", "debug", "warn", "error"]),
        random.pick(&["server", "compactor", "querier"]),
        random.below(400),
        random.pick(&["request done", "flushed block", "retrying after failure"]),
        random.below(2000),
        random.pick(&["200", "204", "500"]),
        random.next() >> 32,
    )
}

fn sshd(random: &mut Random) -> String {
    format!(
        "Jan  5 10:{:02}:{:02} gate sshd[{}]: {} {} from 10.9.{}.{} port {} ssh2",
        random.below(60),
        random.below(60),
        1000 + random.below(9000),
        random.pick(&[
            "Failed password for invalid user",
            "Accepted publickey for",
            "error: maximum attempts exceeded for"
        ]),
        random.pick(&["admin", "root", "alice", "oracle", "test"]),
        random.below(256),
        random.below(256),
        1024 + random.below(60_000),
    )
}

/// Seconds of processor time of the process so far, over all its threads.
pub(crate) fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
