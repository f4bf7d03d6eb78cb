//! Several daemons of one person, side by side: each profile has a state directory, a socket and a configuration file
//! of its own. Its name becomes part of their paths, so it is one plain word.

use std::{fmt, str::FromStr};

use thiserror::Error;

/// A socket's path has room for 107 bytes, and most of it is taken.
const LENGTH_MAX: usize = 24;
/// Who types this means the daemon without a profile.
const NOT_ONE: &str = "default";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProfileError {
    #[error("expected 1 to 24 of the letters a to z, digits, - and _, with a letter or a digit first")]
    Form,
    #[error("the daemon without a profile is the default one: leave the profile out")]
    Default,
}

impl Profile {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_word = text.bytes().all(|byte| is_plain(byte) || byte == b'-' || byte == b'_');
        if text == NOT_ONE {
            Err(ProfileError::Default)
        } else if is_word && text.len() <= LENGTH_MAX && text.bytes().next().is_some_and(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ProfileError::Form)
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Profile, ProfileError};

    #[test]
    fn a_profile_is_one_plain_word() {
        for name in ["a", "work", "nas-2", "3_d", &"x".repeat(24)] {
            assert_eq!(name.parse::<Profile>().unwrap().as_str(), name);
        }
        for name in ["", ".", "..", "../x", "a/b", "-a", "_a", "A", "ä", "a b", "a.b", "a\0", &"x".repeat(25)]
        {
            assert_eq!(name.parse::<Profile>(), Err(ProfileError::Form), "{name:?}");
        }
        assert_eq!("default".parse::<Profile>(), Err(ProfileError::Default));
    }
}
