//! What is done where the name of a download is taken.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The download gets a number: `name (2).ext`.
    #[default]
    Rename,
    /// What is there stays, and nothing is fetched.
    Skip,
    /// A file that is there is replaced, once the other one is whole. A folder or a link is not: then the
    /// download gets a number.
    Overwrite,
}

impl FromStr for Conflict {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rename" => Ok(Self::Rename),
            "skip" => Ok(Self::Skip),
            "overwrite" => Ok(Self::Overwrite),
            _ => Err("expected rename, skip or overwrite"),
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rename => "rename",
            Self::Skip => "skip",
            Self::Overwrite => "overwrite",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Conflict;

    #[test]
    fn it_is_written_in_one_way_everywhere() {
        for conflict in [Conflict::Rename, Conflict::Skip, Conflict::Overwrite] {
            let text = conflict.to_string();
            assert_eq!(text.parse(), Ok(conflict));
            assert_eq!(serde_json::to_value(conflict).unwrap(), text);
        }
        assert!("Rename".parse::<Conflict>().is_err());
    }
}
