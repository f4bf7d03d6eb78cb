//! What a person may not have thought of when a folder is shared. Pure.

use std::path::Path;

use protocol::control::SharePreview;

use crate::format;

/// Names that are quoted in a warning.
const QUOTED_MAX: usize = 3;

/// Who the person is to this machine.
pub(super) struct Oneself<'a> {
    pub(super) home: &'a Path,
    pub(super) login: Option<&'a str>,
}

/// In sentences, the worst first.
pub(super) fn warnings(folder: &Path, preview: &SharePreview, oneself: &Oneself<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if is_doubtful(folder, oneself.home) {
        warnings.push(
            "this is your home folder, or holds it: everything that you keep would be offered".to_owned(),
        );
    }
    let is_hidden = |part: &std::ffi::OsStr| part.as_encoded_bytes().starts_with(b".");
    if folder.components().any(|part| is_hidden(part.as_os_str())) {
        warnings.push("it lies in a hidden folder, where programs keep what is not for others".to_owned());
    }
    let names = || preview.first.iter().map(|file| file.name.as_str());
    let addresses: Vec<_> = names().filter(|name| has_address(name)).collect();
    if !addresses.is_empty() {
        warnings.push(format!("names that look like e-mail addresses would be seen: {}", quoted(&addresses)));
    }
    if let Some(login) = oneself.login.filter(|login| login.chars().count() >= 3) {
        let login = login.to_lowercase();
        let telling: Vec<_> = names().filter(|name| name.to_lowercase().contains(&login)).collect();
        if !telling.is_empty() {
            warnings.push(format!("names with your login name in them would be seen: {}", quoted(&telling)));
        }
    }
    let left_out = [
        (preview.hidden, "hidden file or folder stays out", "hidden files and folders stay out"),
        (preview.links, "link stays out, wherever it leads", "links stay out, wherever they lead"),
        (
            preview.unreadable,
            "file or folder can't be read, and stays out",
            "files and folders can't be read, and stay out",
        ),
    ];
    let left_out = left_out.into_iter().filter(|(count, ..)| *count > 0);
    warnings.extend(left_out.map(|(count, one, many)| format::counted(count, one, many)));
    warnings
}

/// Whether sharing it is more likely a mistake than not.
pub(super) fn is_doubtful(folder: &Path, home: &Path) -> bool {
    home.starts_with(folder)
}

/// Something, an at sign, and a host with a dot.
fn has_address(name: &str) -> bool {
    name.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | ';')).any(|word| {
        word.split_once('@').is_some_and(|(user, host)| {
            user.ends_with(char::is_alphanumeric)
                && host
                    .split_once('.')
                    .is_some_and(|(label, rest)| !label.is_empty() && rest.starts_with(char::is_alphabetic))
        })
    })
}

fn quoted(names: &[&str]) -> String {
    let more = names.len().saturating_sub(QUOTED_MAX);
    let shown = names.iter().take(QUOTED_MAX).copied().collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{shown}, and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use protocol::{
        SafeName,
        control::{PreviewedFile, SCHEMA, SharePreview},
    };

    use super::{Oneself, has_address, is_doubtful, warnings};

    fn warned(folder: &str, names: &[&str]) -> Vec<String> {
        let first = names.iter().map(|name| PreviewedFile { name: SafeName::sanitise(name), size: 1 });
        let preview = SharePreview {
            schema: SCHEMA,
            path: folder.to_owned(),
            files: 1,
            bytes: 1,
            first: first.collect(),
            links: 2,
            ..SharePreview::default()
        };
        let oneself = Oneself { home: Path::new("/users/marta"), login: Some("marta") };
        warnings(Path::new(folder), &preview, &oneself)
    }

    #[test]
    fn what_tells_of_oneself_is_warned_of() {
        assert_eq!(warned("/users/marta/Music", &["song.mp3"]), ["2 links stay out, wherever they lead"]);
        for (folder, name, part) in [
            ("/users", "a", "home folder"),
            ("/users/marta", "a", "home folder"),
            ("/users/marta/.config/x", "a", "hidden folder"),
            ("/m", "to bob@example.org.txt", "e-mail addresses would be seen: to bob@example.org.txt"),
            ("/m", "Letter of Marta.pdf", "login name in them would be seen: Letter of Marta.pdf"),
        ] {
            let warned = warned(folder, &[name]);
            assert!(warned.len() == 2 && warned[0].contains(part), "{folder}: {warned:?}");
        }
        let many = warned("/m", &["a@b.cd", "b@b.cd", "c@b.cd", "d@b.cd", "e@b.cd"]);
        assert!(many[0].ends_with("c@b.cd, and 2 more"), "{many:?}");
        let is_doubtful = |folder| is_doubtful(Path::new(folder), Path::new("/users/marta"));
        assert!(is_doubtful("/users") && !is_doubtful("/users/marta/m"));
    }

    #[test]
    fn not_every_at_sign_is_an_address() {
        for name in ["a@b.org", "mail (a.b@c.example.org)", "x bob@example.org y"] {
            assert!(has_address(name), "{name}");
        }
        for name in ["live @ 1.5x.mp3", "me@home", "@b.org", "song@2.0.mp3", "a@.b", "plain.txt"] {
            assert!(!has_address(name), "{name}");
        }
    }
}
