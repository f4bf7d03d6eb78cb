use clap::CommandFactory as _;

use super::{settings::SettingError, *};
use crate::{config::settings::Settings, introductions::policy::Policy, rehearsal, state::State};

/// A folder with a configuration file and a state.
pub(super) struct Home {
    dir: tempfile::TempDir,
    flags: Vec<String>,
}

impl Home {
    pub(super) fn with(file: &str, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("peer-daemon.toml"), file).unwrap();
        Self { dir, flags: flags.iter().map(|&flag| flag.to_owned()).collect() }
    }

    fn sources(&self) -> Result<Sources, ConfigError> {
        let path = self.dir.path().join("peer-daemon.toml").display().to_string();
        let mut args = vec!["peer-daemon".to_owned(), "--config".to_owned(), path];
        args.extend(self.flags.clone());
        Sources::gather(&Cli::command().try_get_matches_from(args)?, DataDirs::under(self.dir.path()))
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn resolve(&self) -> Result<Config, ConfigError> {
        self.sources()?.resolve(&RunTime::default())
    }

    /// The settings of a daemon that was just started.
    fn settings(&self) -> Settings {
        let sources = self.sources().unwrap();
        let state = State::open(&sources.state_dir().unwrap()).unwrap();
        let config = sources.resolve(&RunTime::load(&state).unwrap()).unwrap();
        Settings::new(state, sources, config)
    }
}

fn resolve(file: &str, flags: &[&str]) -> Result<Config, ConfigError> {
    Home::with(file, flags).resolve()
}

/// A value and its origin.
type Placed = (Option<String>, Origin);

/// A setting's value and origin, and those at the next start if they differ.
fn told(settings: &Settings, name: &str) -> (Placed, Option<Placed>) {
    let shown = settings.show().unwrap();
    let setting = shown.settings.into_iter().find(|setting| setting.name == name).unwrap();
    ((setting.value, setting.origin), setting.at_next_start.map(|next| (next.value, next.origin)))
}

#[test]
fn flags_win_over_the_file_and_the_file_over_defaults() {
    let config = resolve("download_port = 5000\nupload_port = 5001\n", &["--upload-port", "6001"]).unwrap();
    assert_eq!((config.download_port, config.upload_port), (5000, 6001));
    assert_eq!(resolve("", &[]).unwrap().download_port, DOWNLOAD_PORT);
    let config = resolve("share = [\"/a\", \"/b\"]", &[]).unwrap();
    assert_eq!(config.shares, [("/a".into(), Origin::File), ("/b".into(), Origin::File)]);
    let config = resolve("share = [\"/a\", \"/b\"]", &["--share", "/c"]).unwrap();
    assert_eq!(config.shares, [("/c".into(), Origin::Flag)]);
}

#[test]
fn a_mistake_in_the_file_is_told_with_file_line_and_column() {
    for (file, place) in [
        ("a = 1", "line 1, column 1"),
        ("\nupload_port = \"x\"", "line 2, column 15"),
        ("\ngui = \"nowhere\"", "line 2, column 7"),
        ("gui_hosts = [\"https://x\"]", "line 1, column 13"),
        ("download_port = 80", "line 1, column 17"),
        ("public_upload_port = 0", "line 1, column 22"),
        ("username = \"a b\"", "line 1, column 12"),
        ("coordinator = \"nowhere\"", "line 1, column 15"),
        ("upload_rate = \"fast\"", "line 1, column 15"),
        ("download_rate = 5", "line 1, column 17"),
        ("uploads = \"maybe\"", "line 1, column 11"),
        ("dial_allow = [\"10.0.0.0/8\", \"x\"]", "line 1, column 29"),
    ] {
        let message = resolve(file, &[]).unwrap_err().to_string();
        assert!(message.contains("peer-daemon.toml") && message.contains(place), "{message}");
    }
}

#[test]
fn what_can_not_work_is_refused() {
    for flags in
        [["--username", "a b"], ["--download-port", "80"], ["--gui", "192.0.2.1"], ["--coordinator", "x"]]
    {
        assert!(matches!(resolve("", &flags), Err(ConfigError::Usage(_))), "{flags:?}");
    }
    assert!(resolve("", &["--download-port", "0"]).is_ok());
}

#[test]
fn the_web_page_is_on_loopback_unless_it_is_off_or_hosts_are_named() {
    let gui = |file, flags: &[&str]| resolve(file, flags).unwrap().gui;
    assert_eq!(gui("", &[]), Some(GuiListen { address: GUI, is_chosen: false, hosts: Vec::new() }));
    assert_eq!(gui("", &["--gui", "off"]), None);
    assert_eq!(gui("gui = \"off\"", &["--gui", "[::1]:0"]).unwrap().address.to_string(), "[::1]:0");
    assert!(gui("gui = \"127.0.0.2:5000\"", &[]).unwrap().is_chosen);
    for elsewhere in ["0.0.0.0:4823", "[::]:4823", "192.0.2.1:80", "[::ffff:127.0.0.1]:80"] {
        let refused = resolve("", &["--gui", elsewhere]);
        assert!(matches!(refused, Err(ConfigError::GuiAddress(_))), "{elsewhere}: {refused:?}");
        let named = "gui_hosts = [\"peer.example\", \"peer.example:8443\"]";
        assert_eq!(gui(named, &["--gui", elsewhere]).unwrap().hosts.len(), 2, "{elsewhere}");
    }
}

#[test]
fn what_was_set_at_run_time_counts_from_the_next_start_on() {
    let home = Home::with("download_port = 5000", &[]);
    let settings = home.settings();
    settings.set("download_port", "5005").unwrap();
    settings.set("listen", "127.0.0.1, ::1").unwrap();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        told(&settings, "download_port"),
        ((text("5000"), Origin::File), Some((text("5005"), Origin::RunTime)))
    );
    drop(settings);

    let settings = home.settings();
    assert_eq!(told(&settings, "download_port"), ((text("5005"), Origin::RunTime), None));
    assert_eq!(told(&settings, "listen"), ((text("127.0.0.1,::1"), Origin::RunTime), None));
    settings.unset("download_port").unwrap();
    settings.unset("gui").unwrap();
    assert_eq!(
        told(&settings, "download_port"),
        ((text("5005"), Origin::RunTime), Some((text("5000"), Origin::File)))
    );
    drop(settings);
    assert_eq!(told(&home.settings(), "download_port"), ((text("5000"), Origin::File), None));
}

#[test]
fn some_settings_count_at_once() {
    let home = Home::with("upload_rate = \"3M\"", &[]);
    let settings = home.settings();
    let rate = |settings: &Settings| settings.live().upload.rate().map(std::num::NonZeroU64::get);
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rate(&settings), Some(3 << 20));
    let giving = settings.live().giving();
    for (name, value) in [("upload_rate", "500K"), ("uploads", "off"), ("policy", "ask")] {
        settings.set(name, value).unwrap();
        assert_eq!(told(&settings, name), ((text(value), Origin::RunTime), None));
    }
    assert_eq!(rate(&settings), Some(500 << 10));
    assert_eq!(*giving.borrow(), live::Giving { uploads: values::Switch::Off, policy: Policy::Ask });
    drop(settings);

    let settings = home.settings();
    assert_eq!(rate(&settings), Some(500 << 10), "and after a restart");
    settings.unset("upload_rate").unwrap();
    assert_eq!(rate(&settings), Some(3 << 20));
    assert_eq!(told(&settings, "upload_rate"), ((text("3M"), Origin::File), None));
    let at_once = settings.show().unwrap().settings.into_iter().filter(|setting| setting.at_once);
    assert_eq!(at_once.map(|setting| setting.name).collect::<Vec<_>>(), live::AT_ONCE);
}

#[test]
fn a_flag_goes_before_what_was_set_at_run_time() {
    let home = Home::with("", &["--username", "anna"]);
    home.settings().set("username", "bert").unwrap();
    assert_eq!(told(&home.settings(), "username"), ((Some("anna".to_owned()), Origin::Flag), None));
}

#[test]
fn a_setting_that_the_next_start_would_refuse_is_refused_now() {
    let settings = Home::with("", &[]).settings();
    for (name, value) in [
        ("download_port", "80"),
        ("public_download_port", "0"),
        ("username", "a b"),
        ("conflict", "merge"),
        ("gui", "192.0.2.1:80"),
        ("listen", "localhost"),
        ("download_dir", "Downloads"),
        ("coordinator", "x"),
        ("coordinator", "http://hearsay.example"),
        ("username", &"a".repeat(5_000)),
        ("upload_rate", "1"),
        ("download_rate", "fast"),
        ("uploads", "no"),
    ] {
        let refused = settings.set(name, value);
        assert!(matches!(refused, Err(SettingError::Invalid(_))), "{name}: {refused:?}");
        assert_eq!(told(&settings, name).1, None);
    }
    assert!(matches!(settings.set("share", "/x"), Err(SettingError::NotSettable(_))));
    assert!(matches!(settings.set("nothing", "x"), Err(SettingError::Unknown)));
    assert!(matches!(settings.unset("nothing"), Err(SettingError::Unknown)));
}

#[test]
fn a_secret_is_not_shown() {
    let settings = Home::with("join_key = \"canary\"", &[]).settings();
    assert_eq!(told(&settings, "join_key"), ((None, Origin::File), None));
    assert!(!format!("{:?}", settings.show()).contains("canary"));
}

#[test]
fn a_join_key_is_said_in_the_file_or_named_by_it_or_handed_over() {
    let key = |config: Config| rehearsal::link_config(&config).map(|link| link.unwrap().join_key);
    let text = |key: Option<zeroize::Zeroizing<String>>| key.map(|key| key.as_str().to_owned());
    let handed_over = tempfile::tempdir().unwrap();
    std::fs::write(handed_over.path().join("hearsay.join-key"), "handed over\n").unwrap();
    let other = handed_over.path().join("other");
    std::fs::write(&other, "named").unwrap();
    let coordinator = ["--coordinator", "https://hearsay.example"];
    let named = format!("join_key_file = {:?}\n", other.display().to_string());
    for (file, is_handed_over, expected) in [
        (String::new(), false, None),
        (String::new(), true, Some("handed over")),
        (named.clone(), true, Some("named")),
        (format!("join_key = \"said\"\n{named}"), true, Some("said")),
    ] {
        let home = Home::with(&file, &coordinator);
        let mut sources = home.sources().unwrap();
        if is_handed_over {
            sources.dirs = sources.dirs.handed_over_in(handed_over.path());
        }
        let config = sources.resolve(&RunTime::default()).unwrap();
        assert_eq!(text(key(config).unwrap()).as_deref(), expected, "{file}");
    }
    let missing = Home::with("join_key_file = \"/nonexistent\"", &coordinator).resolve().unwrap();
    let problem = key(missing).unwrap_err().to_string();
    assert!(problem.contains("/nonexistent"), "{problem}");
}

#[test]
fn every_setting_of_the_file_is_shown_and_every_settable_one_is_among_them() {
    let shown = Home::with("", &[]).settings().show().unwrap();
    let names: Vec<_> = shown.settings.iter().map(|setting| setting.name.as_str()).collect();
    for name in layer::SETTABLE {
        assert!(names.contains(name), "{name}");
    }
    // The file's own words for an unknown key list them all.
    let message = resolve("x = 1", &[]).unwrap_err().to_string();
    let listed = message.matches('`').count() / 2 - 1;
    assert_eq!(names.len(), listed, "{message}");
}

#[test]
fn a_time_is_written_with_its_unit() {
    let config = resolve("give_up_after = \"90s\"", &[]).unwrap();
    assert_eq!(config.give_up_after, Duration::from_secs(90));
    assert_eq!(resolve("", &[]).unwrap().give_up_after, Duration::from_hours(7 * 24));
    for (text, shown) in [("7d", "7d"), ("48h", "2d"), ("90m", "90m"), ("3600s", "1h")] {
        assert_eq!(text.parse::<TimeSpan>().unwrap().to_string(), shown);
    }
    for wrong in ["", "7", "0s", "-1d", "1.5h", "7 d", "d", "99999999999d"] {
        assert!(wrong.parse::<TimeSpan>().is_err(), "{wrong}");
    }
}
