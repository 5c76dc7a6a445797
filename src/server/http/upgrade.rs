//! The handover of a connection that becomes a WebSocket.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tiny_http::Header;

use super::answer::{Failure, Output};
use super::connection::{Connection, Phase};
use super::{OnUpgrade, StopSignal};

/// The only protocol that is upgraded to.
const PROTOCOL: &str = "websocket";

/// Writes the 101, hands the socket to `run` and returns when that has returned.
///
/// `run` gets a second descriptor of the socket, so that the server can still cut the connection when it stops.
pub(super) fn hand_over(
    connection: &Connection,
    output: &mut Output<'_>,
    headers: Vec<Header>,
    run: OnUpgrade,
    stop: StopSignal,
) -> Result<(), Failure> {
    let stream = connection.stream.try_clone().map_err(Failure::Answer)?;
    stream.set_read_timeout(None).map_err(Failure::Answer)?;
    output.write_upgrade(headers, PROTOCOL)?;
    connection.enter(Phase::Upgraded);
    catch_unwind(AssertUnwindSafe(|| run(stream, stop))).map_err(Failure::Panic)
}
