//! Where a server is: `http://[user:password@]host[:port][/prefix]`.

use std::fmt::{self, Write};

use super::error::Error;

/// Port of a URL that names none. Source: RFC 9110, 4.2.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// Where a server is. Its text names the server without credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether the connection has to be encrypted.
    pub(super) is_tls: bool,
    /// A name or an address; that of IPv6 without brackets.
    pub(super) host: String,
    /// The port.
    pub(super) port: u16,
    /// What stands in front of every path, without a slash at its end.
    prefix: String,
    /// Name and password, if the URL holds them.
    pub(super) user: Option<(String, String)>,
    /// Host and port as they are written.
    pub(super) authority: String,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// Another scheme, no host, a port that is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let error = |why| Error::Url { url: text.to_owned(), why };
        let (is_tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(error("it does not begin with http://")),
        };
        if text.contains(|c: char| c.is_ascii_control() || c == ' ' || c == '?' || c == '#' || !c.is_ascii()) {
            return Err(error("it holds a character that has no place in it"));
        }
        let (before, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, authority) = match before.rsplit_once('@') {
            Some((user, authority)) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                (Some((decoded(name), decoded(password))), authority)
            }
            None => (None, before),
        };
        let port_default = if is_tls { HTTPS_PORT } else { HTTP_PORT };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, behind) = rest.split_once(']').ok_or_else(|| error("a bracket is not closed"))?;
                (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':').unwrap_or("")) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() {
            return Err(error("it names no host"));
        }
        let port =
            port.map_or(Ok(port_default), str::parse).map_err(|_| error("its port is not a number up to 65535"))?;
        let prefix = prefix.trim_end_matches('/');
        Ok(Self {
            is_tls,
            host: host.to_owned(),
            port,
            prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
            user,
            authority: authority.to_owned(),
        })
    }

    /// The target of a request: the path behind the prefix, and parameters.
    pub(super) fn target(&self, path: &str, params: &[(&str, String)]) -> String {
        let mut target = format!("{}{path}", self.prefix);
        for (at, (name, value)) in params.iter().enumerate() {
            target.push(if at == 0 { '?' } else { '&' });
            target.push_str(name);
            target.push('=');
            encode(value, &mut target);
        }
        target
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http{}://{}{}", if self.is_tls { "s" } else { "" }, self.authority, self.prefix)
    }
}

/// Writes a text so that it may stand in a path or a parameter: what RFC 3986, 2.3 does not reserve stays.
pub(super) fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A String takes everything that is written to it.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Undoes percent-encoding; what is none stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.unwrap_or(byte));
        rest = if value.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        let rows = [
            ("http://localhost:3100", Some(("localhost", 3100, "http://localhost:3100/x"))),
            ("http://h/", Some(("h", 80, "http://h/x"))),
            ("https://h/a/b//", Some(("h", 443, "https://h/a/b/x"))),
            ("http://[::1]:3100/loki", Some(("::1", 3100, "http://[::1]:3100/loki/x"))),
            ("http://[::1]", Some(("::1", 80, "http://[::1]/x"))),
            ("http://me:p%40ss@h:1", Some(("h", 1, "http://h:1/x"))),
            ("", None),
            ("localhost:3100", None),
            ("http://", None),
            ("http://:3100", None),
            ("http://h:", None),
            ("http://h:66000", None),
            ("http://[::1", None),
            ("http://[::1]3100", None),
            ("http://h/a b", None),
            ("http://h\r\nX: y", None),
            ("http://h/?a=b", None),
        ];
        for (text, expected) in rows {
            let url = Url::parse(text).ok();
            let parts = url.as_ref().map(|url| {
                let server = url.to_string();
                let prefix = server.strip_suffix(&url.prefix).unwrap();
                (url.host.as_str(), url.port, format!("{prefix}{}", url.target("/x", &[])))
            });
            assert_eq!(parts, expected.map(|(host, port, whole)| (host, port, whole.to_owned())), "{text}");
        }
        let user = Url::parse("http://me:p%40s%s@h:1").unwrap().user;
        assert_eq!(user, Some(("me".to_owned(), "p@s%s".to_owned())));
    }

    #[test]
    fn parameters_are_encoded() {
        let url = Url::parse("http://h/p").unwrap();
        let params = [("query", "{a=\"b c\"} |~ \"é+\"".to_owned()), ("limit", "5".to_owned())];
        let want = "/p/q?query=%7Ba%3D%22b%20c%22%7D%20%7C~%20%22%C3%A9%2B%22&limit=5";
        assert_eq!(url.target("/q", &params), want);
    }
}
