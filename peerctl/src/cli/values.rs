//! Values of the command line, each checked where it is read: they become parts of routes.

use std::str::FromStr;

use protocol::link::Link;

/// A search's result: `NUMBER` of the last search, or `SEARCH.NUMBER`; or a link to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target(String);

impl Target {
    /// One result of one search.
    pub(crate) fn of(search: &str, number: u32) -> Self {
        Self(format!("{search}.{number}"))
    }
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("hearsay:") {
            return match text.parse::<Link>() {
                Ok(_) => Ok(Self(text.to_owned())),
                Err(_) => Err("a link has the form 'hearsay:?root=HEX&size=N&name=NAME'; put it in quotes"),
            };
        }
        let is_number =
            |part: &str| part.parse::<u32>().is_ok_and(|number| number > 0) && !part.starts_with('+');
        let well_formed = match text.split_once('.') {
            Some((search, number)) => is_number(search) && is_number(number),
            None => is_number(text),
        };
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected NUMBER or SEARCH.NUMBER, such as 1 or 2.1, or a link")
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.0
    }
}

/// A download's ID. Checked here because it becomes part of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Id(String);

/// The daemon's own are shorter.
const ID_CHARS_MAX: usize = 64;

impl Id {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = (1..=ID_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err("expected an ID as `peerctl downloads` shows it")
        }
    }
}

/// The name of a setting. Checked here because it becomes part of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SettingName(String);

impl SettingName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SettingName {
    type Err = &'static str;

    /// With hyphens as in a flag, or with underscores as in the file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.replace('-', "_");
        let well_formed = (1..=ID_CHARS_MAX).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if well_formed { Ok(Self(name)) } else { Err("expected a setting as `peerctl config show` names it") }
    }
}

#[cfg(test)]
mod tests {
    use super::{Id, Target};

    #[test]
    fn a_result_is_named_by_its_number_with_or_without_its_search() {
        let link = format!("hearsay:?root={}&size=1&name=a", "ab".repeat(32));
        for text in ["1", "12", "2.1", "10.400", &link] {
            assert_eq!(text.parse::<Target>().map(String::from), Ok(text.to_owned()));
        }
        for text in
            ["", "0", "-1", "+1", "1.", ".1", "1.0", "1.2.3", "a", "1 2", "4294967296", "hearsay:?root=1"]
        {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_id_can_not_change_the_route() {
        assert!("d3-4f".parse::<Id>().is_ok());
        for text in ["", "..", "a/b", "a?wait=1", "a%2f", "ä", &"x".repeat(65)] {
            assert!(text.parse::<Id>().is_err(), "{text}");
        }
    }
}
