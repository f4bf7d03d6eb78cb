//! The questions, one after the other.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use protocol::{Username, control::SharePreview, limits::PORT_MIN};

use super::{
    answers::{Answers, DOWNLOAD_PORT, UPLOAD_PORT},
    rehearsal::{Asked, Draft},
};
use crate::{
    commands::warnings::{Oneself, is_doubtful, warnings},
    error::Error,
    format,
    output::Output,
    paths,
    prompt::Person,
};

/// Names shown of a folder: enough to see what is in it.
const NAMES_SHOWN: usize = 8;
/// Folders that one setup shares; more can be added later.
const SHARES_MAX: usize = 20;

pub(super) struct Questions<'a> {
    pub(super) person: &'a Person,
    pub(super) output: &'a Output,
    pub(super) draft: &'a Draft,
}

impl Questions<'_> {
    /// Asked on until somebody answers there, or the person insists.
    pub(super) async fn coordinator(&self, answers: &mut Answers) -> Result<(), Error> {
        self.output.note(
            "\nThe coordinator relays searches between you and others. Its operator tells you the address.",
        );
        loop {
            let Some(address) = self.person.ask("Coordinator's address (https://…)")? else { continue };
            answers.coordinator =
                if address.contains("://") { address } else { format!("https://{address}") };
            match self.draft.ask_coordinator(answers).await? {
                Asked::Trouble(reason) => {
                    self.output.note(&reason);
                    if self.person.confirms("Use this address all the same?", false)? {
                        return Ok(());
                    }
                }
                Asked::Welcome | Asked::Taken | Asked::Closed => {
                    self.output.note("it answers");
                    return Ok(());
                }
            }
        }
    }

    /// Asked on until the name can be had. A coordinator that is away can't tell, and then the daemon will.
    pub(super) async fn username(&self, answers: &mut Answers) -> Result<(), Error> {
        self.output.note("\nOthers see you under a username: 3 to 32 letters and digits, with - _ . inside.");
        loop {
            let Some(name) = self.person.ask("Username")? else { continue };
            match Username::parse(&name) {
                Ok(username) => answers.username = Some(username),
                Err(error) => {
                    self.output.note(&error.to_string());
                    continue;
                }
            }
            match self.draft.ask_coordinator(answers).await? {
                Asked::Welcome => {
                    self.output.note("it is free");
                    return Ok(());
                }
                Asked::Taken => self.output.note(&format!(
                    "{name}, or a name that looks like it, is taken; free may be {}",
                    suggestions(&name).join(", ")
                )),
                Asked::Closed => {
                    self.output.note("this coordinator is for those who have its join key");
                    answers.join_key = self.person.ask_secret("Join key")?;
                }
                Asked::Trouble(reason) => {
                    self.output.note(&reason);
                    if self.person.confirms("Keep this username, untried?", true)? {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Folder after folder, each with what strangers would see of it.
    pub(super) async fn shares(&self, answers: &mut Answers) -> Result<(), Error> {
        self.output
            .note("\nEverybody who is connected can find and fetch what you share; folders are not shown.");
        while answers.shares.len() < SHARES_MAX {
            let Some(folder) = self.person.ask("A folder to share (empty: no more)")? else { break };
            let folder = paths::expanded(&folder)?;
            match self.draft.preview(answers, &folder).await? {
                Ok(preview) if self.agrees_to_share(&folder, &preview)? => answers.shares.push(folder),
                Ok(_) => {}
                Err(reason) => self.output.note(&reason),
            }
        }
        if answers.shares.is_empty() {
            self.output.note("nothing is shared; later: peerctl share add DIR");
        }
        Ok(())
    }

    fn agrees_to_share(&self, folder: &Path, preview: &SharePreview) -> Result<bool, Error> {
        let size = format::size(preview.bytes);
        self.output.note(&match preview.files {
            0 => "strangers would see nothing: no file in it can be shared".to_owned(),
            files => format!("strangers would see {}, {size}:", format::files(files)),
        });
        for file in preview.first.iter().take(NAMES_SHOWN) {
            self.output.note(&format!("  {}  {}", file.name, format::size(file.size)));
        }
        let unlisted = preview.files.saturating_sub(NAMES_SHOWN as u64);
        if unlisted > 0 {
            self.output.note(&format!("  and {unlisted} more"));
        }
        let (home, login) = (paths::home()?, std::env::var("USER").ok());
        let oneself = Oneself { home: &home, login: login.as_deref() };
        for warning in warnings(folder, preview, &oneself) {
            self.output.note(&format!("! {warning}"));
        }
        self.person.confirms(&format!("Share {}?", folder.display()), !is_doubtful(folder, &home))
    }

    pub(super) fn download_folder(&self, answers: &mut Answers) -> Result<(), Error> {
        let usual = paths::home()?.join("Downloads");
        self.output.note("\nA download is checked piece by piece, and never replaces another file.");
        loop {
            let question = format!("Downloads go to (empty: {})", usual.display());
            let folder = match self.person.ask(&question)? {
                Some(folder) => paths::expanded(&folder)?,
                None => usual.clone(),
            };
            let is_shared = answers.shares.iter().any(|share| folder.starts_with(share));
            if is_shared
                && !self.person.confirms(
                    "It lies in a shared folder: what you fetch would be shared. Right so?",
                    false,
                )?
            {
                continue;
            }
            if folder.exists() && !folder.is_dir() {
                self.output.note("that is no folder");
                continue;
            }
            answers.download_dir = Some(folder);
            return Ok(());
        }
    }

    /// Each can be listened on now; whether others reach it, nobody can tell before one has tried.
    pub(super) fn ports(&self, answers: &mut Answers) -> Result<(), Error> {
        self.output.note(
            "\nOf two peers, one must reach the other. Whether others reach these TCP ports can't be told from here: \
             open them in firewall and router; `peerctl doctor` tells when a peer has come in.",
        );
        let download = self.port("Port for downloads", DOWNLOAD_PORT, None)?;
        let upload = self.port("Port for uploads", UPLOAD_PORT, Some(download))?;
        answers.ports = Some((download, upload));
        Ok(())
    }

    fn port(&self, what: &str, usual: u16, other: Option<u16>) -> Result<u16, Error> {
        loop {
            let answer = self.person.ask(&format!("{what} (empty: {usual})"))?;
            let port = answer.map_or(Ok(usual), |answer| answer.parse::<u16>());
            match port {
                Ok(port) if port < PORT_MIN => {
                    self.output.note(&format!("ports under {PORT_MIN} are not handed on to others"));
                }
                Ok(port) if Some(port) == other => self.output.note("that is the other one's"),
                Ok(port) if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_err() => {
                    self.output.note(&format!("another program listens on port {port}"));
                    if self.person.confirms("Use it all the same?", false)? {
                        return Ok(port);
                    }
                }
                Ok(port) => return Ok(port),
                Err(_) => self.output.note("a port is a number up to 65535"),
            }
        }
    }

    pub(super) fn policy(&self, answers: &mut Answers) -> Result<(), Error> {
        self.output.note("\nWho asks for a shared file gets it, or waits for your word.");
        let question = "Ask you before a shared file is given to somebody?";
        answers.is_asked_first = self.person.confirms(question, false)?;
        Ok(())
    }
}

/// Names like the one that is taken, and unlike it to those who look.
fn suggestions(name: &str) -> Vec<String> {
    let names = [format!("{name}-2"), format!("{name}.peer"), format!("the-{name}"), format!("{name}2")];
    names.into_iter().filter(|name| Username::parse(name).is_ok()).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::suggestions;
    use protocol::Username;

    #[test]
    fn suggestions_are_allowed_and_do_not_look_like_what_is_taken() {
        for name in ["anna", "田中さん", "שרה", "x".repeat(32).as_str()] {
            let taken = Username::parse(name).unwrap().skeleton();
            for suggested in suggestions(name) {
                assert_ne!(Username::parse(&suggested).unwrap().skeleton(), taken, "{suggested}");
            }
        }
        assert_eq!(suggestions("anna"), ["anna-2", "anna.peer", "the-anna"]);
    }
}
