//! `ip("...")`: looks for an IP address in a text that equals an address, lies in a network, or
//! lies in a range of addresses.

use std::net::IpAddr;

use super::super::literal::quoted;

/// A compiled address condition: every address from `first` to `last`.
#[derive(Debug)]
pub(in super::super) struct IpTest {
    first: IpAddr,
    last: IpAddr,
}

impl IpTest {
    /// Reads an address, a network (`10.0.0.0/8`, host bits ignored) or a range (`first-last`).
    pub(in super::super) fn new(pattern: &str) -> Result<Self, String> {
        let bounds = if let Some((first, last)) = pattern.split_once('-') {
            address(first.trim()).zip(address(last.trim()))
        } else if let Some((network, bits)) = pattern.split_once('/') {
            address(network).zip(bits.parse().ok()).and_then(|(network, bits)| network_bounds(network, bits))
        } else {
            address(pattern).map(|only| (only, only))
        };
        bounds
            .filter(|(first, last)| first.is_ipv4() == last.is_ipv4() && first <= last)
            .map(|(first, last)| Self { first, last })
            .ok_or_else(|| format!("ip: invalid pattern: {}", quoted(pattern)))
    }

    /// The text that every matching line holds, if there is one: an IPv4 address has one spelling.
    pub(super) fn literal(&self) -> Option<String> {
        (self.first == self.last && self.first.is_ipv4()).then(|| self.first.to_string())
    }

    /// Whether `text` holds a fitting address. What is no part of an address ends one; after each
    /// candidate one more byte is skipped.
    pub(in super::super) fn is_in(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            let length = if looks_like_v4(rest) {
                run_length(rest, |byte| byte.is_ascii_digit() || byte == b'.')
            } else if looks_like_v6(rest) {
                run_length(rest, |byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
            } else {
                at += 1;
                continue;
            };
            if self.contains(&rest[..length]) {
                return true;
            }
            at += length + 1;
        }
        false
    }

    fn contains(&self, candidate: &[u8]) -> bool {
        let address: Option<IpAddr> = std::str::from_utf8(candidate).ok().and_then(|text| text.parse().ok());
        address.is_some_and(|address| {
            address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
        })
    }
}

/// An address; an IPv6 zone is accepted and ignored, as no text that is searched holds one.
fn address(text: &str) -> Option<IpAddr> {
    let plain = match text.split_once('%') {
        Some((address, zone)) if address.contains(':') && !zone.is_empty() => address,
        _ => text,
    };
    plain.parse().ok()
}

/// The first and last address of a network; `None` if it has more bits than an address.
fn network_bounds(network: IpAddr, bits: u32) -> Option<(IpAddr, IpAddr)> {
    match network {
        IpAddr::V4(network) => {
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let first = network.to_bits() & !host;
            (bits <= 32).then(|| (IpAddr::V4(first.into()), IpAddr::V4((first | host).into())))
        }
        IpAddr::V6(network) => {
            let host = u128::MAX.checked_shr(bits).unwrap_or(0);
            let first = network.to_bits() & !host;
            (bits <= 128).then(|| (IpAddr::V6(first.into()), IpAddr::V6((first | host).into())))
        }
    }
}

fn run_length(text: &[u8], holds: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !holds(*byte)).unwrap_or(text.len())
}

fn looks_like_v4(rest: &[u8]) -> bool {
    rest.len() >= 4 && rest[0].is_ascii_digit() && rest[1..4].contains(&b'.')
}

fn looks_like_v6(rest: &[u8]) -> bool {
    if rest.len() < 5 {
        return false;
    }
    match run_length(&rest[..5], |byte| byte.is_ascii_hexdigit()) {
        0 => rest.starts_with(b"::") && rest[2].is_ascii_hexdigit(),
        digits => rest.get(digits) == Some(&b':'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_addresses_in_text() {
        for (pattern, text, expected) in [
            ("10.1.2.3", "v10.1.2.3:8080", true),
            ("10.1.2.3", "0x10.1.2.3", true),
            ("10.1.2.3", "10.1.2.3/24", true),
            ("10.1.2.3", "10.1.2.34", false),
            ("10.1.2.3", "10.1.2.3.", false),
            ("10.1.2.3", "10.1.2.3.4", false),
            ("10.1.2.3", "10.001.2.3", false),
            ("10.1.2.3", "::ffff:10.1.2.3", false),
            ("::1", "addr ::1 x", true),
            ("::1", "::1", false),
            ("::1", "9.9.9.9.::1 x", false),
            ("::1", "9.9.9.9. ::1 x", true),
            ("192.168.4.5/16", "from 192.168.200.1 port", true),
            ("192.168.4.5/16", "from 192.169.0.1 port", false),
            ("0.0.0.0/0", "a 1.2.3.4", true),
            ("10.0.0.1-10.0.0.9", "x 10.0.0.9 y", true),
            ("10.0.0.1-10.0.0.9", "x 10.0.0.10 y", false),
            ("2001:db8::/32", "peer 2001:db8:1::7 up", true),
            ("2001:db8::/32", "peer 2001:db9:1::7 up", false),
        ] {
            assert_eq!(IpTest::new(pattern).unwrap().is_in(text.as_bytes()), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for pattern in ["bogus", "192.168.4", "1.2.3.4/33", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "", "1.2.3.4%eth0"] {
            assert_eq!(IpTest::new(pattern).unwrap_err(), format!("ip: invalid pattern: \"{pattern}\""));
        }
        assert!(IpTest::new("fe80::1%eth0").is_ok() && IpTest::new("::/0").is_ok());
    }
}
