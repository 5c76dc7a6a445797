//! Everything that takes bytes from outside, by name: the targets of `fuzz/`, which `cargo test` runs over some hundred
//! mutated inputs each. A target panics where a promise is broken, and returns otherwise.
//!
//! `NARVI_TEST_ROUNDS=500 cargo test --lib fuzzing` takes 500 times as many.

use crate::collect;
use crate::config;
use crate::logql;
use crate::server;
use crate::store;

/// An entry point and inputs that lead deep into it.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its file in `fuzz/fuzz_targets/`.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// What to start mutating from.
    pub seeds: &'static [&'static [u8]],
}

/// All targets, in order of their names.
pub const TARGETS: &[Target] = &[
    Target { name: "block_decode", run: store::fuzzing::block_decode, seeds: &[BLOCK, b"01234567890123456789012345"] },
    Target { name: "block_identity", run: store::fuzzing::block_identity, seeds: &[LINES, b"a\xffb\xff\xff\n\xff"] },
    Target { name: "chunk", run: store::fuzzing::chunk, seeds: &[LINES, b"\x70\0\0\x01\xff\0\0\x80one\xfftwo"] },
    Target { name: "config", run: config::fuzzing::file, seeds: &[CONFIG, b"[server]\nlisten = \"x\"\n"] },
    Target { name: "http_head", run: server::fuzzing::http_head, seeds: HEADS },
    Target { name: "json", run: logql::fuzzing::json, seeds: &[JSON, b"{\"a\":1,\"b\":{\"c\":[\"x\\u00e9\",null]}} "] },
    Target { name: "label_log", run: store::fuzzing::label_log, seeds: &[LINES, b"NRVLAB\x01\n\x10\0\0\0"] },
    Target { name: "logfmt", run: logql::fuzzing::logfmt, seeds: &[b"a=1 b=\"x \\\"y\\u00e9\" c= d e=f=g \"h\" =i"] },
    Target { name: "otlp_json", run: server::fuzzing::otlp_json, seeds: &[OTLP] },
    Target { name: "otlp_protobuf", run: server::fuzzing::otlp_protobuf, seeds: &[OTLP_PROTOBUF] },
    Target {
        name: "pattern",
        run: logql::fuzzing::pattern,
        seeds: &[b"<a> - [<_>] \"<b> <c>\n10.0.0.1 - [x] \"GET /"],
    },
    Target { name: "push_compressed", run: server::fuzzing::push_compressed, seeds: &[GZIP, b"\x01\x03\0", b"\x02{}"] },
    Target { name: "push_json", run: server::fuzzing::push_json, seeds: &[PUSH, PUSH_LEGACY] },
    Target { name: "push_protobuf", run: server::fuzzing::push_protobuf, seeds: &[PUSH_PROTOBUF] },
    Target { name: "query", run: logql::fuzzing::query, seeds: QUERIES },
    Target { name: "regex", run: logql::fuzzing::regex, seeds: REGEXES },
    Target { name: "template", run: logql::fuzzing::template, seeds: TEMPLATES },
    Target { name: "timestamp", run: collect::fuzzing::timestamp, seeds: STAMPED },
    Target { name: "wal", run: store::fuzzing::wal, seeds: &[WAL, b"\x02\x01k\x01v\x03\x01k\x04"] },
];

/// Runs the target of that name.
///
/// # Panics
/// If there is none, and where the target finds a promise broken.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no fuzz target {name}")).run)(data);
}

const BLOCK: &[u8] = b"\x00\x00\x08\x00\x10\x00\x00\x00\x08\x00\x00\x00\x20\x00\x00\x00\x08\x00\x04\x00\x00\x40\x00\x00\
    filter..\x00\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02\x02metadatatemplates and columns of the linesside";
const LINES: &[u8] = b"\0\0\0\0\0\0\0\0GET /a 200 17\xffGET /b 200 18\xffGET /c 404 19\xff\xc3error x\xffGET /d 200 20\
    \xffGET /a 200 21\xff{\"a\":1}\xff{\"a\":2}\xffline\nwith\nlines\xff\x80\xc0";
const CONFIG: &[u8] = b"[server]\nlisten = \"127.0.0.1:3100\"\n[store]\npath = \"${HOME}/x\"\nretention = \"30d\"\n\
    [limits]\nmax_line_size = \"256KiB\"\n[[scrape_configs]]\njob_name = \"a\"\npaths = [\"/var/log/{a,b}*.log\"]\n\
    labels = { env = \"x\" }\n";
const HEADS: &[&[u8]] = &[
    b"GET /loki/api/v1/labels?start=1 HTTP/1.1\r\nHost: x\r\nTE: identity\r\n\r\n",
    b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\nConnection: close, x\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 18446744073709551615\r\nContent-Length: 5\r\n\r\n",
];
const JSON: &[u8] =
    br#"{"a":"x","b":1.50,"c":{"d":[1,{"e":null}],"":"y","f":true},"_entry":"line","a":"\ud83d\ude00"}"#;
const OTLP: &[u8] = br#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"a"}},
    {"key":"n","value":{"kvlistValue":{"values":[{"key":"m","value":{"intValue":"7"}}]}}}]},"scopeLogs":[{"scope":{"name":"s"},
    "logRecords":[{"timeUnixNano":"1767607200000000000","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"x"},
    "attributes":[{"key":"k","value":{"arrayValue":{"values":[{"boolValue":true},{"doubleValue":1.5}]}}}],
    "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174"}]}]}]}"#;
const OTLP_PROTOBUF: &[u8] =
    b"\x0a\x2a\x0a\x12\x0a\x10\x0a\x0cservice.name\x12\0\x12\x14\x12\x12\x09\0\0\0\0\0\0\0\x01\
    \x10\x11\x2a\x05\x0a\x03abc";
const GZIP: &[u8] = b"\x00\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";
const PUSH: &[u8] = br#"{"streams":[{"stream":{"app":"a","b":"c"},"values":[["1767607200000000000","line \u00e9\n"],
    ["1767607201000000000","level=error x",{"trace_id":"7"}]]}]}"#;
const PUSH_LEGACY: &[u8] =
    br#"{"streams":[{"labels":"{app=\"a\"}","entries":[{"ts":"2026-01-05T10:00:00.5Z","line":"x"}]}]}"#;
const PUSH_PROTOBUF: &[u8] =
    b"\x0a\x1b\x0a\x07{a=\"b\"}\x12\x10\x0a\x06\x08\x80\xb0\xee\xca\x06\x12\x01x\x1a\x03\x0a\x01k";
const WAL: &[u8] = b"\x01\x07\x00\x01\x00\x02\x02\x00\x04line\x04\x00\x04more\x04\x02\x01k\x01v";
const QUERIES: &[&[u8]] = &[
    b"{a=\"b\", c=~\"d.*\"} |= \"x\" or \"y\" !~ `z+` | json a, b=\"c[0].d\" | a>=1.5 and b=\"x\" or c<5m, d!=ip(\"1.2.3.0/24\")\n{}",
    b"{a=\"b\"} | logfmt --strict --keep-empty | line_format \"{{.a | upper}}\" | label_format x=y,z=\"{{.q}}\" | drop a, b=\"c\"\na=1",
    b"{a=\"b\"} |> \"<_> x\" | pattern \"<p> <q>\" | regexp `(?P<n>\\d+)` | unpack | decolorize | keep p, q=~\"r\"\n1 2",
    b"sum by (a, b) (rate({a=\"b\"} | json | unwrap duration(x) | __error__=\"\" [5m] offset 1h)) / ignoring(c) group_left(d) 2",
    b"topk(3, quantile_over_time(0.99, {a=\"b\"} | logfmt | unwrap x [1d12h]) by (y)) > bool 1 unless on(a) vector(1)",
    b"label_replace(absent_over_time({a!=\"\"}[1w]), \"x\", \"$1\", \"y\", \"(.*)\") or -1 ^ 2 % 3 # end\n",
];
const REGEXES: &[&[u8]] = &[
    b"(?i)err(or)?|fail.*\\d{2,3}\nan ERROR 42",
    b"^(foo|fo+)(?P<n>[a-c\\w]*?)$\nfooabc",
    b"(?s)a.b|\\Qx.y\\E|\\bfoo\\b|[^\\s[:alpha:]]\na\nb",
    b".*abc.*|x(?:y|z)+\xc3\xa9\\pL\nxyz\xc3\xa9q",
];
const TEMPLATES: &[&[u8]] = &[
    b"{{if and .a (gt (len .a) 0)}}{{.a | upper | trunc 3 | printf \"%5s|%[1]q\"}}{{else}}x{{- end}}\nline",
    b"{{range $i, $e := fromJson __line__}}{{$i}}={{$e}} {{end}}{{with $x := .trace}}{{$x}}{{end}}\n[1,{\"a\":2},\"x\"]",
    b"{{define \"T\"}}<{{.}}>{{end}}{{template \"T\" .a}}{{regexReplaceAll \"(l+)\" __line__ \"$1-${1}\"}}{{count \"\" .a}}\nhello",
    b"{{__timestamp__ | date \"2006-01-02T15:04:05.000Z07:00 Mon Jan _2 PM __2\"}}{{unixToTime \"1700000000\"}}{{toDate \"2006\" .a}}\n",
    b"{{add 1 .a | mul 2 | div 3}} {{round 2.5 1}} {{addf 0.1 \"x\"}} {{substr 1 -1 .a}} {{alignLeft 5 .a}} {{b64dec .a}}\n",
];
const STAMPED: &[&[u8]] = &[
    b"2026-01-05T10:00:00.123+01:00 x\n  at frame\n2026-01-05 10:00:01,5 y\nJan  5 10:00:02 host z\n",
    b"<34>1 2026-01-05T10:00:00Z h a - - - m\n10.0.0.1 - - [05/Jan/2026:10:00:00 +0000] \"GET /\"\n[Mon Jan  5 10:00:00.1 2026] e\n",
    b"{\"time\":\"2026-01-05T10:00:00Z\"}\nts=2026-01-05T10:00:00Z l=x\nI0105 10:00:00.1 1 f.go:1] m\n1767607200.5 x\n20260105 100000 y\n",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Mutated inputs that a target runs over: about a second of a debug build, or `NARVI_TEST_ROUNDS` times as many.
    fn inputs(target: &Target) -> usize {
        let rounds = std::env::var("NARVI_TEST_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
        rounds
            * match target.name {
                "block_identity" | "chunk" | "regex" => 40,
                _ => 500,
            }
    }

    /// A small generator with a fixed seed, so that a failure returns: xorshift64,
    /// <https://www.jstatsoft.org/article/view/v008i14>.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
        }
    }

    /// An input with a few bytes flipped, cut, repeated, or taken from another one.
    fn mutated(random: &mut Random, seeds: &[&[u8]]) -> Vec<u8> {
        let mut input = seeds[random.below(seeds.len())].to_vec();
        for _ in 0..=random.below(4) {
            let (a, b) = (random.below(input.len() + 1), random.below(input.len() + 1));
            let (start, end) = (a.min(b), a.max(b));
            match random.below(7) {
                0 if start < input.len() => input[start] ^= 1 << random.below(8),
                1 if start < input.len() => input[start] = u8::try_from(random.below(256)).unwrap(),
                2 => drop(input.drain(start..end.min(start + 8))),
                3 => {
                    let piece = input[start..end.min(start + 16)].to_vec();
                    let at = random.below(input.len() + 1);
                    drop(input.splice(at..at, piece));
                }
                4 => {
                    let other = seeds[random.below(seeds.len())];
                    let from = random.below(other.len() + 1);
                    let piece = &other[from..(from + random.below(32)).min(other.len())];
                    drop(input.splice(start..start, piece.iter().copied()));
                }
                5 => input.truncate(end),
                _ => {
                    let words =
                        ["\"", "{{", "}}", "(", ")", "\\", "\u{e9}", "\n", "0", "99999999999999999999", "|", "\0"];
                    drop(input.splice(start..start, words[random.below(words.len())].bytes()));
                }
            }
        }
        input
    }

    #[test]
    fn no_target_breaks_on_mutated_inputs() {
        for target in TARGETS {
            let mut random = Random(0x9e37_79b9_7f4a_7c15);
            target.seeds.iter().for_each(|seed| (target.run)(seed));
            (target.run)(b"");
            for n in 0..inputs(target) {
                let input = mutated(&mut random, target.seeds);
                let run = std::panic::catch_unwind(|| (target.run)(&input));
                assert!(run.is_ok(), "{} fails on input {n}: {:?}", target.name, input.escape_ascii().to_string());
            }
        }
    }

    /// `fuzz/` has a program for each target, and no other.
    #[test]
    fn every_target_can_be_fuzzed() {
        let manifest = include_str!("../fuzz/Cargo.toml");
        let names: Vec<_> = manifest.lines().filter_map(|line| line.strip_prefix("path = \"fuzz_targets/")).collect();
        let expected: Vec<_> = TARGETS.iter().map(|target| format!("{}.rs\"", target.name)).collect();
        assert_eq!(names, expected);
        for target in TARGETS {
            let path = format!("{}/fuzz/fuzz_targets/{}.rs", env!("CARGO_MANIFEST_DIR"), target.name);
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.contains(&format!("narvi::fuzzing::run({:?}, data)", target.name)), "{path}");
        }
    }
}
