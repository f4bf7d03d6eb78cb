use std::{fs, path::Path};

use super::Compose;
use crate::images::dockerfile::Dockerfile;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

fn shipped() -> Compose {
    Compose::parse(&read("docker/compose.yaml")).unwrap()
}

#[test]
fn the_shipped_trial_is_one_that_can_be_played() {
    let compose = shipped();
    let order = compose.in_order().unwrap();
    let at = |name: &str| order.iter().position(|other| *other == name).unwrap();
    assert!(at("caddy") < at("authority") && at("authority") < at("alice") && at("coordinator") < at("bob"));
    let hosts = compose.hosts().unwrap();
    let caddy = &hosts["caddy"];
    assert_eq!(caddy.names, ["caddy", "hearsay.example.org"]);
    // Whom the coordinator believes is Caddy.
    let believed = &compose.services["coordinator"].environment["HEARSAY_COORDINATOR_TRUSTED_PROXY"];
    assert_eq!(*believed, format!("{}/32", caddy.address));
    assert_eq!(hosts["alice"].address.to_string(), "172.28.48.129");
    assert_eq!(compose.gateway().unwrap().to_string(), "172.28.48.1");
}

#[test]
fn what_the_trial_builds_is_in_the_dockerfile() {
    let compose = shipped();
    let dockerfile = Dockerfile::parse(&read("docker/Dockerfile"));
    let built = compose.built();
    assert_eq!(built.keys().collect::<Vec<_>>(), [&"hearsay-coordinator", &"hearsay-peer-daemon"]);
    for build in built.values() {
        assert_eq!((build.context.as_str(), build.dockerfile.as_str()), ("..", "docker/Dockerfile"));
        assert!(dockerfile.stages.contains(&build.target), "{}", build.target);
    }
}

#[test]
fn our_services_have_no_rights_and_time_enough_to_end() {
    for (name, service) in shipped().services.iter().filter(|(_, service)| service.build.is_some()) {
        assert!(service.read_only, "{name}");
        assert_eq!(service.cap_drop, ["ALL"], "{name}");
        assert_eq!(service.security_opt, ["no-new-privileges:true"], "{name}");
        // Both programs have given up on their end after ten.
        assert!(service.grace_seconds().unwrap() > 10, "{name}");
    }
}

#[test]
fn what_the_trial_can_not_play_is_refused() {
    let shipped = read("docker/compose.yaml");
    for (text, other, why) in [
        ("read_only: true", "privileged: true", "unknown field `privileged`"),
        ("[\"bob-state:", "[\"bobs-state:", "no volume bobs-state is declared"),
        ("    authority: { condition", "    nobody: { condition", "depends on nobody"),
        ("service_healthy", "service_blessed", "unknown variant"),
    ] {
        let changed = shipped.replace(text, other);
        assert_ne!(changed, shipped, "{text}");
        let error = format!("{:#}", Compose::parse(&changed).unwrap_err());
        assert!(error.contains(why), "{error}");
    }
}
