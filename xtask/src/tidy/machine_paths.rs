//! No path of somebody's machine in what we publish: it works nowhere else, and tells who wrote it.

use super::Finding;

/// Where people and build machines keep their work. Spelled so that this file does not find itself.
const FOLDERS: [&str; 3] = [concat!("/", "home/"), concat!("/", "root/"), concat!("/", "work/")];

pub(super) fn check(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        for folder in FOLDERS {
            if line.match_indices(folder).any(|(at, _)| starts_a_path(&line[..at])) {
                let what = format!("{folder}… is a path of one machine: leave it out");
                findings.push(Finding::new(format!("{path}:{number}"), what));
            }
        }
    }
    findings
}

/// Whether a slash after this text begins an absolute path: not within a longer path or an address, nor after
/// a variable or a tilde.
fn starts_a_path(before: &str) -> bool {
    !before.ends_with(|last: char| last.is_alphanumeric() || "._-~}*".contains(last))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn absolute_paths_of_a_machine_are_found() {
        let home = concat!("/", "home/me/x");
        for (line, count) in [
            (home.to_owned(), 1),
            (format!("see \"{home}\" and {}", concat!("/", "work/y")), 2),
            (format!("file://{home}"), 1),
            (format!("https://example.org{home}"), 0),
            (format!("$HOME{home} ${{X}}{home} ~{home} ..{home}"), 0),
            ("/homestead /var/lib/hearsay".to_owned(), 0),
        ] {
            assert_eq!(check("a", &line).len(), count, "{line}");
        }
        assert_eq!(check("a.md", &format!("\n{home}"))[0].place, "a.md:2");
    }
}
