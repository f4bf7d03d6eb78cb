use std::{io::Write as _, time::Duration};

use clap::Parser as _;
use protocol::limits;

use super::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load(arguments: &[&str]) -> Result<Config, ConfigError> {
    Config::load(&Cli::parse_from([&["coordinator"], arguments].concat()))
}

#[test]
fn flags_go_over_the_file_and_the_file_over_defaults() {
    let file = file(
        r#"
        listen = "unix:/run/hearsay.sock"
        proxy_hops = 2
        trusted_proxies = ["10.0.0.0/8", "192.0.2.1", "unix"]
        [lifetimes]
        lease_seconds = 0.5
        search_seconds = 3
        [limits]
        claims_per_minute = 1000
        "#,
    );
    let path = file.path().to_str().unwrap();
    let config = load(&["--config", path]).unwrap();
    assert_eq!(config.listen, Listen::Unix("/run/hearsay.sock".into()));
    assert_eq!(config.trusted_proxies.len(), 3);
    assert_eq!(config.lifetimes.lease, Duration::from_millis(500));
    assert_eq!(config.lifetimes.search, Duration::from_secs(3));
    assert_eq!(config.lifetimes.wait, limits::WAIT_DEFAULT);
    assert_eq!(config.limits.claims_per_minute.get(), 1000);

    let config = load(&["--config", path, "--listen", "127.0.0.1:0", "--trusted-proxy", "::1"]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:0");
    assert_eq!(config.trusted_proxies, ["::1".parse().unwrap()]);
    assert_eq!(load(&[]).unwrap().listen.to_string(), "127.0.0.1:4820");
    assert_eq!(load(&[]).unwrap().listen_mode.bits(), 0o660);
    assert_eq!(load(&["--listen-mode", "0600"]).unwrap().listen_mode.bits(), 0o600);
}

#[test]
fn a_mistake_is_told_with_its_place() {
    let cases = [
        ("listen = \"127.0.0.1:1\"\nlisten_on = 3\n", "line 2, column 1", "unknown field `listen_on`"),
        ("[limits]\nsearches_burst = 0\n", "line 2, column 18", "nonzero"),
        ("[lifetimes]\nlease_seconds = -1\n", "line 2, column 17", "expected a number of seconds"),
        ("listen_mode = \"rw-\"\n", "line 1, column 15", "octal digits, such as 0660"),
        ("listen_mode = \"1777\"\n", "line 1, column 15", "octal digits"),
        ("listen = \"here\"\n", "line 1, column 10", "expected ADDRESS:PORT or unix:PATH"),
    ];
    for (text, place, reason) in cases {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let error = load(&["--config", path]).unwrap_err().to_string();
        for part in [path, place, reason] {
            assert!(error.contains(part), "{error:?} lacks {part:?}");
        }
    }
    let missing = load(&["--config", "/nonexistent/coordinator.toml"]).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/coordinator.toml"));
}

#[test]
fn a_mistake_is_told_without_the_line_that_has_it() {
    let file = file("join_key = \"open sesame\"\njoin_key = \"open sesame again\"\n");
    let error = load(&["--config", file.path().to_str().unwrap()]).unwrap_err().to_string();
    assert!(error.contains("line 2") && !error.contains("sesame"), "{error}");
}

#[test]
fn what_is_printed_is_read_in_as_the_same_and_tells_no_secret() {
    let file = file(
        r#"
        listen = "unix:/run/hearsay.sock"
        listen_mode = "0600"
        ops_listen = "127.0.0.1:4824"
        trusted_proxies = ["10.0.0.0/8", "unix"]
        join_key = "open sesame"
        [lifetimes]
        lease_seconds = 0.5
        [limits]
        searches = 7
        "#,
    );
    let config = load(&["--config", file.path().to_str().unwrap()]).unwrap();
    let printed = config.to_commented_toml().unwrap();
    assert!(!printed.contains("sesame"), "{printed}");
    for part in [
        "# What peers must know to connect, in a closed community.\n# join_key is set, and not shown.\n",
        "# key_file is not set.\n",
        "# Of a request body.\nbody_bytes = 131072\n",
    ] {
        assert!(printed.contains(part), "{part} is not in\n{printed}");
    }
    let read: Config = toml::from_str(&printed).unwrap();
    assert_eq!(toml::Table::try_from(&read).unwrap(), toml::Table::try_from(&config).unwrap());
}

#[test]
fn the_sample_of_all_settings_is_the_default() {
    let read: Config = toml::from_str(&Config::default().to_commented_toml().unwrap()).unwrap();
    assert_eq!(toml::Table::try_from(&read).unwrap(), toml::Table::try_from(Config::default()).unwrap());
}
