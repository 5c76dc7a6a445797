//! The one place where a connection is opened.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use super::{error::Error, url::Url};

/// How long one address of a server may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a connection to a server, by the first of its addresses that answers.
pub(super) fn connect(url: &Url) -> Result<TcpStream, Error> {
    if url.is_tls {
        return Err(Error::Url { url: url.to_string(), why: "https is not supported; a local proxy can add it" });
    }
    let unreachable = |source| Error::Unreachable { server: url.to_string(), source };
    let mut failure = io::Error::other("its name has no address");
    for address in (url.host.as_str(), url.port).to_socket_addrs().map_err(unreachable)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(unreachable)?;
                return Ok(stream);
            }
            Err(error) => failure = error,
        }
    }
    Err(unreachable(failure))
}
