//! A map of the code is worth reading as long as what it names is there.

use super::Finding;

/// What a path in our repository ends with, where it is a file.
const EXTENSIONS: [&str; 9] = [".rs", ".md", ".toml", ".yaml", ".json", ".conf", ".py", ".sh", ".lock"];

/// Checks the paths between backticks, and those that links lead to, against the repository's files. A name
/// without a folder may be that of a file anywhere.
pub(super) fn check(page: &str, text: &str, files: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let quoted = line.split('`').skip(1).step_by(2).filter(|name| is_path(name, files));
        let linked = line.split("](").skip(1).filter_map(link_target);
        for name in quoted.chain(linked) {
            if !exists(name, files) {
                findings.push(Finding::new(
                    format!("{page}:{number}"),
                    format!("names {name}, which is not there"),
                ));
            }
        }
    }
    findings
}

/// Tells a path from a route (`/v1/sessions`), a media type, a command or a term.
fn is_path(name: &str, files: &[String]) -> bool {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    let ends_like_a_file =
        EXTENSIONS.iter().any(|extension| name.len() > extension.len() && name.ends_with(extension));
    let starts_in_a_folder =
        name.split_once('/').is_some_and(|(first, _)| files.iter().any(|file| is_within(file, first)));
    is_plain && !name.starts_with('/') && (ends_like_a_file || name.ends_with('/') || starts_in_a_folder)
}

/// The path of a link within the repository, without its anchor.
fn link_target(after: &str) -> Option<&str> {
    let target = after.split(')').next()?.split('#').next()?;
    (!target.is_empty() && !target.contains(':')).then_some(target)
}

fn exists(name: &str, files: &[String]) -> bool {
    let name = name.trim_end_matches('/').trim_start_matches("./");
    files.iter().any(|file| {
        file == name
            || is_within(file, name)
            || (!name.contains('/') && file.rsplit('/').next() == Some(name))
    })
}

fn is_within(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::check;

    fn missing(text: &str) -> Vec<String> {
        let files = ["README.md", "protocol/src/root.rs", "docs/protocol.md"].map(str::to_owned);
        let names = check("MAP.md", text, &files).into_iter().map(|found| found.what);
        names.map(|what| what.split([' ', ',']).nth(1).unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_there_may_be_named() {
        for text in [
            "`protocol/src/root.rs`, `protocol/src/`, `protocol/src`, `root.rs`, `README.md`",
            "[it](docs/protocol.md#pieces), [there](https://example.org/x.md), [here](#top)",
        ] {
            assert_eq!(missing(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_is_not_a_path_is_passed_over() {
        for text in [
            "`GET /v1/sessions`, `/v1/sessions`, `application/octet-stream`, `hearsay/1`, `Exchange`, `.rs`",
            "protocol/src/gone.rs outside of quotes",
        ] {
            assert_eq!(missing(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_has_moved_is_found() {
        assert_eq!(
            missing(
                "`protocol/src/gone.rs` `protocol/old` `gone/src/x.rs` `gone.rs` `gone/` [x](docs/gone.md)"
            ),
            ["protocol/src/gone.rs", "protocol/old", "gone/src/x.rs", "gone.rs", "gone/", "docs/gone.md"]
        );
        assert_eq!(check("MAP.md", "\n`gone.rs`", &[])[0].place, "MAP.md:2");
    }
}
