//! The coordinator's part of `docs/operations.md`: its flags, settings and metrics, as they are declared.

use clap::{Arg, CommandFactory as _};
use toml::{Table, Value};

use crate::{
    cli::Cli,
    config::{Config, Lifetimes, Limits},
    domain::Counts,
    metrics::Metrics,
    process::Usage,
};

#[path = "../../tests/src/marked_section.rs"]
mod marked_section;

use marked_section::{hold, table};

#[test]
fn the_page_has_every_flag() {
    let command = Cli::command();
    let flags = command.get_arguments().filter(|flag| flag.get_long().is_some()).map(|flag| {
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        vec![format!("`{}`", usage(flag)), variable(flag), help]
    });
    let commands = command.get_subcommands().map(|command| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        vec![format!("`{}`", command.get_name()), String::new(), about]
    });
    let rows: Vec<_> = flags.chain(commands).collect();
    hold("the coordinator's flags", &table(&["flag or command", "environment", "what for"], &rows));
}

fn usage(flag: &Arg) -> String {
    let values = flag.get_value_names().unwrap_or_default().iter();
    values.fold(format!("--{}", flag.get_long().unwrap_or_default()), |usage, value| {
        // A bar would end the table's cell.
        format!("{usage} {}", value.replace('|', " or "))
    })
}

fn variable(flag: &Arg) -> String {
    flag.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default()
}

#[test]
fn the_page_has_every_setting() {
    let config = Table::try_from(Config::default()).unwrap();
    let is_section = |key: &str| ["lifetimes", "limits"].contains(&key);
    let outside: Vec<_> = Config::DESCRIPTIONS.iter().filter(|(key, _)| !is_section(key)).collect();
    let mut rows: Vec<_> = outside.into_iter().map(|described| setting("", described, &config)).collect();
    for (section, descriptions) in [("lifetimes", Lifetimes::DESCRIPTIONS), ("limits", Limits::DESCRIPTIONS)]
    {
        let values = config[section].as_table().unwrap();
        rows.extend(descriptions.iter().map(|described| setting(&format!("{section}."), described, values)));
    }
    hold("the coordinator's settings", &table(&["key", "default", "what for"], &rows));
}

fn setting(section: &str, (key, lines): &(&str, &[&str]), values: &Table) -> Vec<String> {
    let default = match values.get(*key) {
        // It follows from the machine.
        _ if *key == "workers" => "one a processor".to_owned(),
        Some(Value::Float(seconds)) => seconds.to_string(),
        Some(value) => format!("`{value}`"),
        None => "none".to_owned(),
    };
    let what_for = lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    vec![format!("`{section}{key}`"), default, what_for]
}

#[test]
fn the_page_has_every_metric() {
    let usage = Usage { resident_bytes: 0, open_files_max: 0 };
    let encoded = Metrics::new().encode(&Counts::default(), &usage);
    let rows: Vec<_> = encoded
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP "))
        .map(|line| {
            let (name, help) = line.split_once(' ').unwrap();
            let of = |word: &str| {
                let start = format!("# {word} {name} ");
                encoded.lines().find_map(|line| line.strip_prefix(start.as_str()))
            };
            let kind = of("TYPE").unwrap();
            // A counter's line has a suffix that its description has not.
            let suffix = if kind == "counter" { "_total" } else { "" };
            vec![format!("`{name}{suffix}`"), kind.to_owned(), help.trim_end_matches('.').to_owned()]
        })
        .collect();
    hold("the coordinator's metrics", &table(&["metric", "kind", "what it tells"], &rows));
}
