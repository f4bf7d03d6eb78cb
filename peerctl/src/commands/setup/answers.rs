//! What the person has answered, and the configuration file that follows from it.

use std::path::PathBuf;

use protocol::Username;

/// The daemon's own defaults.
pub(super) const DOWNLOAD_PORT: u16 = 4821;
pub(super) const UPLOAD_PORT: u16 = 4822;

#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) coordinator: String,
    pub(super) join_key: Option<String>,
    pub(super) username: Option<Username>,
    pub(super) shares: Vec<PathBuf>,
    pub(super) download_dir: Option<PathBuf>,
    pub(super) ports: Option<(u16, u16)>,
    pub(super) is_asked_first: bool,
}

impl Answers {
    /// The file, with what each line is for. What was not asked yet is left out.
    pub(super) fn file(&self) -> String {
        let (download_port, upload_port) = self.ports.unwrap_or((DOWNLOAD_PORT, UPLOAD_PORT));
        let username = self.username.as_ref().map(|username| text(username.as_str()));
        let shares: Vec<_> = self.shares.iter().map(|share| text(&share.to_string_lossy())).collect();
        let download_dir = self.download_dir.as_ref().map(|dir| text(&dir.to_string_lossy()));
        let policy = if self.is_asked_first { "ask" } else { "auto" };
        [
            Some(
                "# Hearsay's peer-daemon reads this when it starts, and never writes it.\n\
                 # Check it with: peerctl config check\n"
                    .to_owned(),
            ),
            Some(line("The server that relays searches and introductions; it sees no file.", "coordinator", &text(&self.coordinator))),
            self.join_key.as_ref().map(|key| line("The key of this closed community. Keep it to yourselves.", "join_key", &text(key))),
            username.map(|name| line("The name under which others know this peer.", "username", &name)),
            Some(line(
                "Folders whose files everybody who is connected can find and fetch. See: peerctl share preview DIR",
                "share",
                &format!("[{}]", shares.join(", ")),
            )),
            download_dir.map(|dir| line("Where downloads go.", "download_dir", &dir)),
            Some(line("Sources dial this TCP port; open it in firewall and router.", "download_port", &download_port.to_string())),
            Some(line("Requesters that can't be dialled dial this one.", "upload_port", &upload_port.to_string())),
            Some(line(
                "auto: whoever asks for a shared file gets it; ask: you accept or decline; who waits: peerctl requests",
                "policy",
                &text(policy),
            )),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
    }
}

fn line(comment: &str, key: &str, value: &str) -> String {
    format!("# {comment}\n{key} = {value}\n")
}

fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;
    use protocol::Username;

    use super::Answers;

    #[test]
    fn the_file_says_what_each_line_is_for() {
        let answers = Answers {
            coordinator: "https://c.example".to_owned(),
            username: Some(Username::parse("anna").unwrap()),
            shares: vec!["/m".into(), "/n \"o\"".into()],
            is_asked_first: true,
            ..Answers::default()
        };
        let file = answers.file();
        assert!(
            file.contains("# The name under which others know this peer.\nusername = \"anna\"\n"),
            "{file}"
        );
        assert!(!file.contains("join_key") && !file.contains("download_dir"), "{file}");
        let table: toml::Table = file.parse().unwrap();
        assert_eq!(table["share"][1].as_str(), Some("/n \"o\""));
        assert_eq!(
            (table["policy"].as_str(), table["download_port"].as_integer()),
            (Some("ask"), Some(4821))
        );
    }

    proptest! {
        #[test]
        fn whatever_was_answered_is_read_back(key: String, share: String) {
            let answers = Answers {
                join_key: Some(key.clone()),
                shares: vec![PathBuf::from(&share)],
                ..Answers::default()
            };
            let table: toml::Table = answers.file().parse().unwrap();
            prop_assert_eq!(table["join_key"].as_str(), Some(key.as_str()));
            prop_assert_eq!(table["share"][0].as_str(), Some(share.as_str()));
        }
    }
}
