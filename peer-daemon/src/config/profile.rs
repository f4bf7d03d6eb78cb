//! What a profile stands for: a state directory and a socket, as if they were named where the profile is, and ports of
//! its own, so that several daemons run side by side without a word on where.

use std::collections::BTreeSet;

use protocol::Profile;

use super::{
    Sources,
    layer::Layer,
    settings::{RunTime, store},
};
use crate::{
    cli::Cli,
    data_dirs::{DataDirs, NoHome},
    peer_stream::listen::bind_download,
    state::{State, StateError},
};

/// Ports of profiles begin here and end below those that systems give to outgoing connections, which could have them
/// taken at the next start.
const FIRST_PORT: u16 = 24_820;
/// As between the ports of the daemon without a profile, 4821 to 4823, and those after them.
const BLOCK: u16 = 10;
const BLOCKS: u16 = 500;

/// Named by a flag, a profile goes over variables that name places one by one; in the environment, they go over it.
pub(super) fn take_its_place(
    cli: &mut Cli,
    from_environment: &mut BTreeSet<String>,
    dirs: &DataDirs,
) -> Result<(), NoHome> {
    let is_flag = !from_environment.contains("profile");
    let mut is_passed_over = |name: &str| is_flag && from_environment.remove(name);
    if is_passed_over("config") {
        cli.config = None;
    }
    if is_passed_over("state_dir") || cli.state_dir.is_none() {
        cli.state_dir = Some(dirs.state_dir()?);
    }
    if is_passed_over("socket") || cli.socket.is_none() {
        cli.socket = Some(dirs.control_socket()?);
    }
    if !is_flag {
        from_environment.extend(["state_dir", "socket"].map(str::to_owned));
    }
    Ok(())
}

/// Where nobody names them, a profile's ports are chosen at its first start, and kept as if they were set at run time:
/// a router that maps them finds them again.
pub(crate) fn settle_ports(sources: &Sources, state: &State) -> Result<(), StateError> {
    let Some(profile) = sources.profile() else { return Ok(()) };
    let run_time = RunTime::load(state)?;
    let layers = [&sources.given, &sources.file, run_time.layer()];
    let is_named = |of: fn(&Layer) -> bool| layers.iter().any(|layer| of(layer));
    let unnamed: Vec<_> = [
        ("download_port", 1, is_named(|layer| layer.download_port.is_some())),
        ("upload_port", 2, is_named(|layer| layer.upload_port.is_some())),
        ("gui", 3, is_named(|layer| layer.gui.is_some())),
    ]
    .into_iter()
    .filter_map(|(name, offset, is_named)| (!is_named).then_some((name, offset)))
    .collect();
    let is_free = |block: &u16| {
        unnamed.iter().all(|(_, offset)| bind_download(Vec::new(), &[], block + offset).is_ok())
    };
    // Where none is free the usual ports stand, and what is wrong with them will be said.
    let Some(block) = blocks(profile).find(is_free) else { return Ok(()) };
    for (name, offset) in unnamed {
        let port = block + offset;
        let value = if name == "gui" { format!("127.0.0.1:{port}") } else { port.to_string() };
        store(state, name, &value)?;
    }
    Ok(())
}

/// All blocks, from one that follows from the name: two profiles that never ran at one time seldom choose alike.
fn blocks(profile: &Profile) -> impl Iterator<Item = u16> {
    // FNV-1a.
    let hash = profile
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let first = u16::try_from(hash % u32::from(BLOCKS)).unwrap_or_default();
    (0..BLOCKS).map(move |number| FIRST_PORT + BLOCK * ((first + number) % BLOCKS))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::Ipv4Addr};

    use clap::CommandFactory as _;
    use protocol::control::Origin;

    use super::{blocks, settle_ports};
    use crate::{
        cli::Cli,
        config::{Config, Sources, settings::RunTime},
        data_dirs::DataDirs,
        state::State,
    };

    /// As a start would have it, with its state below `home`.
    fn start(home: &tempfile::TempDir, arguments: &[&str]) -> (Config, State) {
        let arguments = [&["peer-daemon"], arguments].concat();
        let matches = Cli::command().try_get_matches_from(arguments).unwrap();
        let sources = Sources::gather(&matches, DataDirs::under(home.path())).unwrap();
        let state = State::open(&sources.state_dir().unwrap()).unwrap();
        settle_ports(&sources, &state).unwrap();
        let config = sources.resolve(&RunTime::load(&state).unwrap()).unwrap();
        (config, state)
    }

    fn ports(config: &Config) -> [u16; 3] {
        [config.download_port, config.upload_port, config.gui.as_ref().unwrap().address.port()]
    }

    #[test]
    fn every_block_comes_once_and_stays_among_the_ports_of_services() {
        let all: BTreeSet<u16> = blocks(&"work".parse().unwrap()).collect();
        assert_eq!((all.len(), all.first(), all.last()), (500, Some(&24_820), Some(&29_810)));
    }

    #[tokio::test]
    async fn a_profile_has_places_and_ports_of_its_own_and_keeps_them() {
        let home = tempfile::tempdir().unwrap();
        let (plain, _) = start(&home, &[]);
        let (work, state) = start(&home, &["--profile", "work"]);
        assert_eq!(work.state_dir, home.path().join(".local/state/hearsay/profiles/work"));
        assert_eq!(work.socket, work.state_dir.join("control.sock"));
        assert_ne!(plain.socket, work.socket);
        let [download, upload, gui] = ports(&work);
        assert_eq!((upload, gui), (download + 1, download + 2));
        assert!(!ports(&plain).contains(&download));

        // They are somebody else's by then: it does not look for others.
        let _taken = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, download)).unwrap();
        drop(state);
        assert_eq!(ports(&start(&home, &["--profile", "work"]).0), ports(&work));
    }

    #[tokio::test]
    async fn what_is_taken_or_named_is_not_chosen() {
        let home = tempfile::tempdir().unwrap();
        let first = blocks(&"nas".parse().unwrap()).next().unwrap();
        let _taken = std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, first + 2)).unwrap();
        let (nas, _) = start(&home, &["--profile", "nas", "--gui", "off", "--download-port", "5000"]);
        assert_eq!((nas.download_port, &nas.gui), (5000, &None));
        assert!(nas.upload_port != first + 2 && nas.upload_port > 24_820, "{}", nas.upload_port);
    }

    #[test]
    fn a_profile_counts_as_where_it_is_named() {
        let home = tempfile::tempdir().unwrap();
        let (config, _) = start(
            &home,
            &[
                "--profile",
                "work",
                "--socket",
                "/elsewhere",
                "--gui",
                "off",
                "--download-port",
                "0",
                "--upload-port",
                "0",
            ],
        );
        assert_eq!(config.socket, std::path::Path::new("/elsewhere"));
        let told = config.told.iter().find(|told| told.name == "state_dir").unwrap();
        assert_eq!(told.origin, Origin::Flag);
    }
}
