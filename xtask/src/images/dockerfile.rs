//! What `docker/Dockerfile` builds on, and which images it makes.

use std::collections::BTreeSet;

/// The `FROM` lines of a Dockerfile.
pub(super) struct Dockerfile {
    /// Images from elsewhere that stages begin with.
    pub(super) bases: BTreeSet<String>,
    /// What `--target` may name.
    pub(super) stages: BTreeSet<String>,
}

impl Dockerfile {
    pub(super) fn parse(text: &str) -> Self {
        let mut found = Self { bases: BTreeSet::new(), stages: BTreeSet::new() };
        for line in text.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let ["FROM", base, rest @ ..] = &words[..] else { continue };
            if !found.stages.contains(*base) {
                found.bases.insert((*base).to_owned());
            }
            if let ["AS", stage] = rest {
                found.stages.insert((*stage).to_owned());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Dockerfile;

    fn read(path: &str) -> String {
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
    }

    #[test]
    fn the_images_are_built_with_the_toolchain_of_the_repository() {
        let toolchain = read("rust-toolchain.toml");
        let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap();
        let Dockerfile { bases, stages } = Dockerfile::parse(&read("docker/Dockerfile"));
        let wanted = format!("rust:{}-slim-bookworm", channel.trim_matches('"'));
        // Both of one Debian, so that what is linked in the one runs in the other.
        assert_eq!(bases.into_iter().collect::<Vec<_>>(), ["debian:bookworm-slim", &wanted]);
        assert!(stages.contains("coordinator") && stages.contains("peer-daemon"), "{stages:?}");
    }

    #[test]
    fn all_members_of_the_workspace_are_in_the_build() {
        let ignored = read(".dockerignore");
        let manifest = read("Cargo.toml");
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = [")).unwrap();
        for member in members.trim_end_matches(']').split(", ").map(|member| member.trim_matches('"')) {
            assert!(ignored.lines().any(|line| line == format!("!{member}")), "{member} is left out");
        }
    }
}
