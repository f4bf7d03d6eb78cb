//! What can be told without a daemon, for `peerctl doctor` where none runs: what a start would meet. Nothing is left
//! behind: ports are taken for an instant, no folder is made, and no username is asked for.
//!
//! A start stops at the first thing that is wrong; here all is looked at, and each is told with its way out. No remedy
//! is a command that needs a daemon.

use std::{
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
};

use protocol::{
    byte_size::ByteSize,
    control::{
        Origin, SCHEMA,
        doctor::{Check, Examination, Verdict},
    },
};
use rustix::fs::{Access, AtFlags, CWD};

use super::{
    findings::{self, Answer, Coordinator, FREE_SPACE_MIN},
    surroundings::swap_areas,
    took,
};
use crate::{
    clock,
    config::{Config, ConfigError, Sources, settings::RunTime, values::GuiListen},
    control::could_bind,
    coordinator_link::probe,
    library::could_share,
    peer_stream::listen::{ListenError, PortListener, bind_download, bind_upload},
    rehearsal::link_config,
    state::State,
};

/// `sources` as far as they could be read.
pub(crate) async fn before_start(sources: &Result<Sources, ConfigError>) -> Examination {
    Examination { schema: SCHEMA, checks: checks(sources).await }
}

async fn checks(sources: &Result<Sources, ConfigError>) -> Vec<Check> {
    // Where they can't be read, nothing else is known.
    let sources = match sources {
        Ok(sources) => sources,
        Err(problem) => return vec![misconfigured(problem)],
    };
    let state_dir = match sources.state_dir() {
        Ok(dir) => dir,
        Err(problem) => return vec![misconfigured(&problem.into())],
    };
    let (of_state, run_time) = state_directory(&state_dir);
    let is_first_start = run_time.is_none();
    let config = match sources.resolve(&run_time.unwrap_or_default()) {
        Ok(config) => config,
        Err(problem) => return vec![misconfigured(&problem), of_state],
    };
    let mut checks = vec![configured(sources.file_path()), of_state, socket(&config.socket)];
    // A profile chooses its ports among the free ones, unless somebody names them.
    let is_chosen_later = |name| is_first_start && sources.profile().is_some() && is_default(&config, name);
    if !is_chosen_later("download_port") {
        let port = config.download_port;
        checks.push(self::port("download_port", port, bind_download(Vec::new(), &config.listen, port)));
    }
    if !is_chosen_later("upload_port") {
        let port = config.upload_port;
        checks.push(self::port("upload_port", port, bind_upload(Vec::new(), &config.listen, port)));
    }
    if !is_chosen_later("gui") {
        checks.extend(config.gui.as_ref().map(web_page));
    }
    checks.push(download_folder(&config.download_dir));
    checks.extend(shares(&config.shares, &state_dir));
    checks.extend(coordinator(&config).await);
    checks.push(findings::swap(swap_areas().as_deref()));
    checks
}

fn is_default(config: &Config, name: &str) -> bool {
    config.told.iter().any(|told| told.name == name && told.origin == Origin::Default)
}

fn misconfigured(problem: &ConfigError) -> Check {
    let remedy = "mend it, and try the file: peerctl config check";
    Check::other(Verdict::Bad, "configuration", problem.to_string().trim_end(), remedy)
}

fn configured(file: Option<&Path>) -> Check {
    Check::good(
        "configuration",
        match file {
            Some(file) => format!("{} is right", file.display()),
            None => "there is no file: the defaults count, and what is said at the start".to_owned(),
        },
    )
}

/// With what was set at run time; `None` before the first start.
fn state_directory(dir: &Path) -> (Check, Option<RunTime>) {
    const NAME: &str = "state_directory";
    const REMEDY: &str = "let this user write there, or name another: peerctl start -- --state-dir DIR";
    let bad = |problem: String| Check::other(Verdict::Bad, NAME, problem, REMEDY);
    let is_there = match place(dir) {
        Ok(place) => place == dir,
        Err(problem) => return (bad(problem), None),
    };
    if !is_there {
        return (Check::good(NAME, format!("{} is made at the start", dir.display())), None);
    }
    let state = State::open_as_it_is(dir);
    match state.and_then(|state| state.as_ref().map(RunTime::load).transpose()) {
        Ok(run_time) => (Check::good(NAME, format!("{} can be used", dir.display())), run_time),
        Err(problem) => (bad(problem.to_string()), None),
    }
}

fn socket(path: &Path) -> Check {
    const NAME: &str = "control_socket";
    let folder = path.parent().unwrap_or(Path::new("/"));
    let there = place(folder).and_then(|_| could_bind(path).map_err(|problem| problem.to_string()));
    match there {
        Ok(()) => Check::good(NAME, format!("{} can be made", path.display())),
        Err(problem) => {
            let remedy = "mend the folder, or name another socket: peerctl --socket PATH start";
            Check::other(Verdict::Bad, NAME, problem, remedy)
        }
    }
}

fn port(name: &str, number: u16, bound: Result<PortListener, ListenError>) -> Check {
    match bound {
        Ok(_) if number == 0 => Check::good(name, "a free port is picked at the start"),
        Ok(_) => Check::good(name, format!("port {number} is free")),
        Err(problem) => {
            let flag = name.replace('_', "-");
            let remedy =
                format!("free it (ss -ltnp shows who has it), or take another: peerctl start -- --{flag} N");
            Check::other(Verdict::Bad, name, problem.to_string(), remedy)
        }
    }
}

fn web_page(GuiListen { address, is_chosen, .. }: &GuiListen) -> Check {
    const NAME: &str = "web_page";
    let Err(problem) = TcpListener::bind(address) else {
        return Check::good(NAME, format!("{address} is free"));
    };
    // Where nobody named the address, the daemon starts all the same.
    let (verdict, without) = if *is_chosen {
        (Verdict::Bad, "")
    } else {
        (Verdict::Warning, "; the daemon runs without the page")
    };
    let remedy = "free it (ss -ltnp shows who has it), or move the page: peerctl start -- --gui 127.0.0.1:0";
    Check::other(verdict, NAME, format!("{address}: {problem}{without}"), remedy)
}

fn download_folder(folder: &Path) -> Check {
    const NAME: &str = "download_folder";
    let room = place(folder).and_then(|place| {
        let system = rustix::fs::statvfs(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    });
    let remedy =
        "name another as download_dir in the configuration file, whose path tells: peerctl config path";
    let shown = folder.display();
    match room {
        Ok(free) if free >= FREE_SPACE_MIN => {
            Check::good(NAME, format!("{shown}: {} are free", ByteSize(free)))
        }
        Ok(free) => {
            let finding = format!("{shown}: only {} are free", ByteSize(free));
            Check::other(Verdict::Warning, NAME, finding, format!("make room, or {remedy}"))
        }
        Err(problem) => Check::other(Verdict::Bad, NAME, problem, format!("mend the folder, or {remedy}")),
    }
}

/// Those that must be there. What was added at run time keeps no daemon from starting.
fn shares(configured: &[(PathBuf, Origin)], state_dir: &Path) -> Vec<Check> {
    const NAME: &str = "shares";
    let troubles = configured.iter().filter_map(|(path, _)| could_share(path, state_dir).err());
    let remedy = "the start ends here; where it is named: peerctl config path";
    let checks: Vec<_> =
        troubles.map(|problem| Check::other(Verdict::Bad, NAME, problem.to_string(), remedy)).collect();
    if !checks.is_empty() {
        return checks;
    }
    vec![match configured.len() {
        0 => Check::good(NAME, "the configuration names none"),
        1 => Check::good(NAME, "the shared folder can be read"),
        count => Check::good(NAME, format!("all {count} shared folders can be read")),
    }]
}

/// Also whether the clocks agree.
async fn coordinator(config: &Config) -> Vec<Check> {
    let bad = |problem: String| {
        let remedy = "name the coordinator anew: peerctl setup";
        vec![Check::other(Verdict::Bad, "coordinator", problem, remedy)]
    };
    let link_config = match link_config(config) {
        Ok(Some(link_config)) => link_config,
        Ok(None) => return vec![findings::coordinator(None)],
        Err(problem) => return bad(problem.to_string()),
    };
    let asked = clock::now();
    match probe(&link_config).await {
        Err(problem) => bad(problem.to_string()),
        Ok(told) => {
            let answer = told.map(|told| Answer { took: took(asked), behind: told.map(super::behind) });
            let of_clock = answer.as_ref().ok().map(findings::clock);
            let url = config.coordinator.as_ref().map(ToString::to_string).unwrap_or_default();
            std::iter::once(findings::coordinator(Some(&Coordinator { url, answer })))
                .chain(of_clock)
                .collect()
        }
    }
}

/// The folder, or the one in which a start would make it; or why nothing can be made there, in a sentence.
fn place(folder: &Path) -> Result<PathBuf, String> {
    let problem = |path: &Path, error: io::Error| format!("{} can't be used: {error}", path.display());
    let mut above = folder.ancestors();
    let place = loop {
        let Some(path) = above.next().filter(|path| !path.as_os_str().is_empty()) else {
            break PathBuf::from(".");
        };
        match fs::metadata(path) {
            Ok(found) if found.is_dir() => break path.to_owned(),
            Ok(_) => return Err(format!("{} is no folder", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(problem(path, error)),
        }
    };
    let access = Access::WRITE_OK | Access::EXEC_OK;
    rustix::fs::accessat(CWD, &place, access, AtFlags::EACCESS)
        .map_err(|error| problem(&place, error.into()))?;
    Ok(place)
}
