//! The protocol's version, and what is said where two parts speak different ones.

use std::fmt;

/// The version of the protocol between all parts. A coordinator refuses others with `version_unsupported`, and so does
/// a target.
pub const VERSION: u32 = 1;

/// The versions of two parts that can't work together, told as a sentence: both numbers, and what mends it, which
/// depends on who is the older one.
#[derive(Debug, Clone, Copy)]
pub struct Mismatch<'a> {
    /// This program, by its name.
    pub us: &'a str,
    /// The other one, as the reader knows it.
    pub them: &'a str,
    /// The other one's version.
    pub theirs: u32,
    pub if_we_are_older: &'a str,
    pub if_they_are_older: &'a str,
}

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { us, them, theirs, if_we_are_older, if_they_are_older } = self;
        let remedy = if *theirs > VERSION { if_we_are_older } else { if_they_are_older };
        write!(f, "{them} speaks protocol version {theirs}, {us} version {VERSION}: {remedy}")
    }
}

#[cfg(test)]
mod tests {
    use super::{Mismatch, VERSION};

    #[test]
    fn the_older_one_is_to_be_updated() {
        let told = |theirs| {
            Mismatch {
                us: "peerctl",
                them: "peer-daemon",
                theirs,
                if_we_are_older: "update peerctl",
                if_they_are_older: "update peer-daemon",
            }
            .to_string()
        };
        assert_eq!(
            told(VERSION + 1),
            "peer-daemon speaks protocol version 2, peerctl version 1: update peerctl"
        );
        assert_eq!(
            told(VERSION - 1),
            "peer-daemon speaks protocol version 0, peerctl version 1: update peer-daemon"
        );
    }
}
