//! See `narvi::fuzzing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| narvi::fuzzing::run("template", data));
