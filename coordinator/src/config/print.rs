//! The configuration in force as a commented file, which can be read in again.

use toml::{Table, Value};

use super::{Config, Lifetimes, Limits};

/// A key of the file with the lines of its description.
type Described = (&'static str, &'static [&'static str]);

const SECTIONS: [(&str, &[Described]); 2] =
    [("lifetimes", Lifetimes::DESCRIPTIONS), ("limits", Limits::DESCRIPTIONS)];

impl Config {
    /// All settings with their descriptions. Secrets are left out, and it is told that they are set.
    pub fn to_commented_toml(&self) -> Result<String, toml::ser::Error> {
        let all = Table::try_from(self)?;
        let is_section = |key: &str| SECTIONS.iter().any(|(section, _)| *section == key);
        let mut lines = Vec::new();
        for described in Self::DESCRIPTIONS.iter().filter(|(key, _)| !is_section(key)) {
            let secret_is_set = described.0 == "join_key" && self.join_key.is_some();
            add(&mut lines, described, &all, if secret_is_set { "set, and not shown" } else { "not set" });
        }
        for (section, descriptions) in SECTIONS {
            lines.extend([String::new(), format!("[{section}]")]);
            let empty = Table::new();
            let table = all.get(section).and_then(Value::as_table).unwrap_or(&empty);
            for described in descriptions {
                add(&mut lines, described, table, "not set");
            }
        }
        lines.push(String::new());
        Ok(lines.join("\n"))
    }
}

/// Adds one setting. `otherwise` is told of it when the table has no value.
fn add(lines: &mut Vec<String>, (key, description): &Described, table: &Table, otherwise: &str) {
    lines.extend(description.iter().map(|line| format!("#{line}")));
    lines.push(match table.get(*key) {
        Some(value) => format!("{key} = {value}"),
        None => format!("# {key} is {otherwise}."),
    });
}
