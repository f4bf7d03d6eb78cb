//! Values of settings, each with one way to be written: the same in a flag, in the environment, in the file and
//! in `peerctl config set`. What can't work is refused where it is read, so that the file's line is named.

use std::{
    fmt,
    net::{AddrParseError, SocketAddr},
    str::FromStr,
    time::Duration,
};

use protocol::limits::PORT_MIN;
use reqwest::Url;
use serde::{Deserialize, Deserializer, de};

/// A port that this peer listens on: 0 for a free one, or one that can be handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port(pub u16);

/// A port as others reach it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicPort(pub u16);

/// A time as people write it: `90s`, `30m`, `12h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeSpan(Duration);

/// Bytes of one file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBytes(u64);

/// Where the web page listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuiAddress {
    Off,
    At(SocketAddr),
}

/// A host under which a reverse proxy serves the web page, as browsers write it: lower case, with its port where
/// that is not 443.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuiHost(String);

impl GuiHost {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where the web page is to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuiListen {
    pub address: SocketAddr,
    /// Somebody named this address: then the daemon does not start without it.
    pub is_chosen: bool,
    /// Under which it is served by a reverse proxy.
    pub hosts: Vec<GuiHost>,
}

/// Whether something is done at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    #[default]
    On,
    Off,
}

/// The coordinator's URL, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoordinatorUrl {
    text: String,
    url: Url,
}

impl CoordinatorUrl {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let port = text.parse().map_err(|_| "expected a port, or 0 for a free one".to_owned())?;
        Self::new(port)
    }
}

impl Port {
    fn new(port: u16) -> Result<Self, String> {
        if port == 0 { Ok(Self(0)) } else { PublicPort::new(port).map(|port| Self(port.0)) }
    }
}

impl FromStr for PublicPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::new(text.parse().map_err(|_| "expected a port".to_owned())?)
    }
}

impl PublicPort {
    fn new(port: u16) -> Result<Self, String> {
        if port < PORT_MIN {
            return Err(format!(
                "ports under {PORT_MIN} are not handed on to other peers; choose a higher one"
            ));
        }
        Ok(Self(port))
    }
}

/// The units of a time span in seconds, the greatest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl TimeSpan {
    pub fn duration(self) -> Duration {
        self.0
    }

    /// Of whole seconds.
    pub(super) fn of(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for TimeSpan {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = UNITS.iter().find_map(|(unit, seconds)| {
            let count = text.strip_suffix(*unit)?.parse::<u32>().ok().filter(|count| *count > 0)?;
            Some(Self(Duration::from_secs(u64::from(count) * seconds)))
        });
        parsed.ok_or("expected a time such as 90s, 30m, 12h or 7d")
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let whole = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
        let (unit, of_seconds) = whole.unwrap_or(&('s', 1));
        write!(f, "{}{unit}", seconds / of_seconds)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl LogBytes {
    /// Weeks of a daemon that says what a person would want to know; with those set aside, 32 MiB.
    pub(super) const DEFAULT: Self = Self(8 << 20);
    /// A line of the log, however long, is shorter.
    const MIN: u64 = 4096;

    pub(super) fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for LogBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for LogBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            bytes if bytes < Self::MIN => {
                Err(de::Error::custom(format!("expected a number of bytes, {} or more", Self::MIN)))
            }
            bytes => Ok(Self(bytes)),
        }
    }
}

impl FromStr for GuiAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let address: Result<SocketAddr, AddrParseError> = text.parse();
        match address {
            Ok(address) => Ok(Self::At(address)),
            Err(_) => Err("expected an address such as 127.0.0.1:4823, or off"),
        }
    }
}

impl FromStr for Switch {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err("expected on or off"),
        }
    }
}

impl GuiAddress {
    /// Whether other machines could reach it.
    pub fn is_beyond_loopback(self) -> bool {
        matches!(self, Self::At(address) if !address.ip().is_loopback())
    }
}

impl FromStr for GuiHost {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, port) = text.split_once(':').unwrap_or((text, "443"));
        let is_label = |label: &str| {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !label.is_empty() && label.bytes().all(is_plain)
        };
        if name.split('.').all(is_label) && port.parse::<u16>().is_ok_and(|port| port > 0) {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected a host such as hearsay.example or hearsay.example:8443, in lower case")
        }
    }
}

impl fmt::Display for GuiHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for GuiHost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl FromStr for CoordinatorUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = text.parse().map_err(|_| "expected a URL such as https://hearsay.example")?;
        Ok(Self { text: text.to_owned(), url })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for PublicPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for GuiAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl fmt::Display for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
        })
    }
}

impl fmt::Display for CoordinatorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u16::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for PublicPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(u16::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for GuiAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Switch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for CoordinatorUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
