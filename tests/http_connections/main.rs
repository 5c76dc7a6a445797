//! The HTTP connection layer, seen from the other end of real sockets: what it answers, what it refuses, when it lets go, and
//! that no input harms the process. Each limit is tested with a short value of its own; everything else keeps its default.

#![expect(
    clippy::unwrap_used,
    reason = "the clients and routes are part of the tests: what fails there fails the test"
)]

mod answers;
mod bodies;
mod client;
mod exhaustion;
mod framing;
mod fuzz;
mod limits;
mod load;
mod process;
mod server;
mod stop;
mod upgrade;
