//! Help, suggestions, completions and man pages: all from the same definitions, and none with a daemon.

use crate::{fake_daemon::FakeDaemon, terminal::Terminal};

/// The verbs that the help lists.
fn verbs(daemon: &FakeDaemon) -> Vec<String> {
    let help = daemon.peerctl(&["--help"]).exits(0).stdout;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let verbs =
        commands.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
    let verbs: Vec<_> = verbs.filter(|verb| !verb.is_empty() && verb != "help").collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    verbs
}

#[test]
fn every_verbs_help_begins_with_examples_that_name_it() {
    let daemon = FakeDaemon::absent();
    assert!(daemon.peerctl(&["--help"]).exits(0).stdout.starts_with("Examples:\n  peerctl "));
    for verb in verbs(&daemon) {
        let help = daemon.peerctl(&[&verb, "--help"]).exits(0).stdout;
        let examples = help.split("\n\n").next().unwrap();
        assert!(examples.starts_with("Example") && examples.contains(&format!("peerctl {verb}")), "{help}");
    }
}

#[test]
fn whoever_says_nothing_sees_on_one_screen_where_to_begin() {
    let ran = FakeDaemon::absent().peerctl(&[]).exits(2).prints("");
    assert!(ran.stderr.starts_with("Examples:\n  peerctl setup") && ran.stderr.contains("peerctl --help"));
    assert!(ran.stderr.lines().count() < 24, "{ran:?}");
}

#[test]
fn a_verbs_own_options_are_apart_from_those_of_all() {
    let help = FakeDaemon::absent().peerctl(&["search", "--help"]).exits(0).stdout;
    let (own, everywhere) = help.split_once("Options of every command:").unwrap();
    assert!(own.contains("--pick") && !own.contains("--socket"), "{help}");
    assert!(everywhere.contains("--socket") && !everywhere.contains("--pick"), "{help}");
}

#[test]
fn a_verb_that_does_not_exist_is_answered_with_the_nearest() {
    let daemon = FakeDaemon::absent();
    for (mistyped, verb) in [("serach", "search"), ("download", "downloads"), ("statsu", "status")] {
        daemon.peerctl(&[mistyped]).exits(2).prints("").says(&format!("'{verb}'"));
    }
}

#[test]
fn completions_know_every_verb_in_every_shell() {
    let daemon = FakeDaemon::absent();
    for shell in ["bash", "zsh", "fish"] {
        let script = daemon.peerctl(&["completions", shell]).exits(0).stdout;
        for verb in verbs(&daemon) {
            assert!(script.contains(&verb), "{shell} does not know {verb}");
        }
    }
}

#[test]
fn every_verb_has_a_man_page_with_its_examples() {
    let daemon = FakeDaemon::absent();
    let dir = daemon.folder().join("man1");
    daemon.peerctl(&["man", dir.to_str().unwrap()]).exits(0).prints("");
    for verb in verbs(&daemon) {
        let page = std::fs::read_to_string(dir.join(format!("peerctl-{verb}.1"))).unwrap();
        assert!(page.contains(".SH EXAMPLES\n.nf\npeerctl "), "{page}");
    }
    let page = std::fs::read_to_string(dir.join("peerctl.1")).unwrap();
    assert!(page.contains("Exit codes: 0 done") && page.contains("peerctl\\-search"), "{page}");
    let of_share = std::fs::read_to_string(dir.join("peerctl-share-add.1")).unwrap();
    assert!(of_share.contains("peerctl share add ~/Music"), "{of_share}");
}

/// The help of a verb on a terminal, with or without `NO_COLOR`: its lines, and whether they are adorned.
fn help_on_a_terminal(no_color: bool) -> (Vec<String>, bool) {
    let daemon = FakeDaemon::absent();
    let mut command = daemon.command(&["status", "--help"]);
    if no_color {
        command.env("NO_COLOR", "1");
    }
    let terminal = Terminal::run(&command, 80);
    let lines = terminal.shows("else the one document");
    let is_adorned = terminal.is_adorned();
    terminal.exits(0);
    (lines, is_adorned)
}

#[test]
fn what_is_adorned_is_plain_with_no_color() {
    let ((adorned, is_adorned), (plain, is_adorned_without)) =
        (help_on_a_terminal(false), help_on_a_terminal(true));
    assert!(is_adorned, "nothing is adorned: {adorned:#?}");
    assert!(!is_adorned_without, "NO_COLOR is passed over: {plain:#?}");
    assert_eq!(adorned, plain);
}
