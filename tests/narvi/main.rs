//! What a user can observe of the real binary, on a fresh directory and over HTTP: one module per subject.
//!
//! `NARVI_TEST_ROUNDS=500 cargo test --test narvi kill` repeats the tests with a random moment more often than usual.

#![expect(clippy::unwrap_used, reason = "what fails in the support of the tests fails the test")]

mod asking;
mod crash;
mod delete;
mod detected;
mod files;
mod index;
mod labels;
mod metadata;
mod otlp;
mod packaging;
mod patterns;
mod push;
mod query;
mod refusals;
mod sealing;
mod service;
mod sources;
mod start;
mod status;
mod stop;
mod support;
mod tail;
mod tenants;
mod users;
