//! Dependencies point one way: `protocol` stands on nothing of ours, everything else on `protocol` only. So a
//! peer can't reach into the coordinator but over the wire, and neither can a test.

use super::Finding;
use crate::workspace::Package;

/// Every package of ours, with those of ours that it may depend on, for building and testing alike.
const MAY_USE: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("coordinator", &["protocol"]),
    ("peer-daemon", &["protocol"]),
    ("peerctl", &["protocol"]),
    ("hearsay-tests", &["protocol"]),
    ("hearsay-bench", &["protocol", "hearsay-tests"]),
    ("xtask", &["protocol"]),
];

pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == package.name) else {
            findings.push(Finding::new(
                &package.name,
                "say in xtask/src/tidy/dependencies.rs what it may depend on",
            ));
            continue;
        };
        let is_ours = |name: &str| packages.iter().any(|package| package.name == name);
        for dependency in &package.dependencies {
            if is_ours(&dependency.name) && !may_use.contains(&dependency.name.as_str()) {
                findings.push(Finding::new(&package.name, format!("must not depend on {}", dependency.name)));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::workspace::{Dependency, Package};

    fn packages(list: &[(&str, &[&str])]) -> Vec<Package> {
        let dependency = |name: &&str| Dependency { name: (*name).to_owned() };
        list.iter()
            .map(|(name, uses)| Package {
                name: (*name).to_owned(),
                dependencies: uses.iter().map(dependency).collect(),
            })
            .collect()
    }

    #[test]
    fn only_the_protocol_may_be_used_by_all() {
        assert_eq!(
            check(&packages(&[
                ("protocol", &["serde"]),
                ("coordinator", &["protocol", "serde"]),
                ("peerctl", &["protocol"])
            ])),
            []
        );
        for (name, uses) in [
            ("protocol", "peerctl"),
            ("peerctl", "coordinator"),
            ("coordinator", "peerctl"),
            ("xtask", "peerctl"),
        ] {
            let list = packages(&[(name, &[uses, "serde"]), (uses, &[])]);
            let found = check(&list);
            assert_eq!(found.len(), 1, "{name} uses {uses}");
            assert_eq!((found[0].place.as_str(), found[0].what.contains(uses)), (name, true));
        }
    }

    #[test]
    fn a_package_without_a_rule_is_found() {
        assert_eq!(check(&packages(&[("newcomer", &[])])).len(), 1);
    }
}
