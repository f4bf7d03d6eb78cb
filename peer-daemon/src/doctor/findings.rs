//! What follows from what was seen. Pure.

use std::time::Duration;

use protocol::{
    byte_size::ByteSize,
    control::{
        Share,
        doctor::{Check, Verdict},
    },
};

use super::surroundings::OpenFiles;

/// A call that takes longer is noticed by whoever waits for results.
const SLOW: Duration = Duration::from_secs(1);
/// TLS certificates and name tokens have times; a minute is within what they forgive.
const CLOCK_TOLERANCE_SECONDS: u64 = 60;
/// Room for the streams, the database and a library that is read: less makes itself felt.
const OPEN_FILES_MIN: u64 = 1_024;
/// A part of the limit that is never reached by itself.
const OPEN_FILES_SHARE_MAX: u64 = 80;
/// What an ordinary large file takes.
pub(super) const FREE_SPACE_MIN: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Facts {
    /// `None`: none is configured.
    pub(super) coordinator: Option<Coordinator>,
    pub(super) username: Option<String>,
    pub(super) is_connected: bool,
    pub(super) problem: Option<String>,
    pub(super) download_port: Port,
    pub(super) upload_port: Port,
    pub(super) open_files: Option<OpenFiles>,
    /// Bytes in the download folder, or why nothing can be written there.
    pub(super) free_space: Option<Result<u64, String>>,
    /// Swap areas on a disk.
    pub(super) swap: Option<Vec<String>>,
    pub(super) shares: Vec<Share>,
}

#[derive(Debug)]
pub(super) struct Coordinator {
    pub(super) url: String,
    pub(super) answer: Result<Answer, String>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) took: Duration,
    /// Seconds that this machine's clock is behind the coordinator's, if it told the time.
    pub(super) behind: Option<i64>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Port {
    pub(super) number: u16,
    /// A peer has come in on it since the start.
    pub(super) was_reached: bool,
}

pub(super) fn findings(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![coordinator(facts.coordinator.as_ref())];
    if let Some(Coordinator { answer: Ok(answer), .. }) = &facts.coordinator {
        checks.push(clock(answer));
    }
    checks.push(session(facts));
    checks.push(port("download_port", facts.download_port));
    checks.push(port("upload_port", facts.upload_port));
    checks.push(open_files(facts.open_files));
    checks.extend(facts.free_space.as_ref().map(download_folder));
    checks.push(swap(facts.swap.as_deref()));
    checks.extend(shares(&facts.shares));
    checks
}

pub(super) fn coordinator(coordinator: Option<&Coordinator>) -> Check {
    const NAME: &str = "coordinator";
    let Some(Coordinator { url, answer }) = coordinator else {
        let remedy = "ask the people whom you share with for its address, and: peerctl setup";
        return Check::other(Verdict::Bad, NAME, "no coordinator is configured", remedy);
    };
    match answer {
        Ok(Answer { took, .. }) if *took < SLOW => {
            Check::good(NAME, format!("{url} answers in {} ms", took.as_millis().max(1)))
        }
        Ok(Answer { took, .. }) => {
            let finding = format!("{url} takes {:.1} s to answer", took.as_secs_f32());
            Check::other(
                Verdict::Warning,
                NAME,
                finding,
                "look at this machine's network, or tell its operator",
            )
        }
        Err(problem) => {
            let remedy = "check the address and this machine's network; to name another: peerctl setup";
            Check::other(Verdict::Bad, NAME, format!("{url}: {problem}"), remedy)
        }
    }
}

pub(super) fn clock(answer: &Answer) -> Check {
    const NAME: &str = "clock";
    let Some(behind) = answer.behind else {
        let finding = "the coordinator does not tell its time, so this machine's can't be compared";
        return Check::other(Verdict::Unknown, NAME, finding, "compare it yourself: timedatectl");
    };
    let seconds = behind.unsigned_abs();
    if seconds <= CLOCK_TOLERANCE_SECONDS {
        return Check::good(NAME, "as the coordinator's, within a minute");
    }
    let side = if behind > 0 { "behind" } else { "ahead of" };
    let finding = format!("this machine's clock is {seconds} s {side} the coordinator's");
    Check::other(Verdict::Warning, NAME, finding, "set it by the network: timedatectl set-ntp true")
}

fn session(facts: &Facts) -> Check {
    const NAME: &str = "session";
    match (&facts.username, facts.is_connected) {
        (Some(username), true) => Check::good(NAME, format!("connected as {username}")),
        (Some(username), false) => {
            let problem = facts.problem.as_deref().unwrap_or("still trying");
            let finding = format!("not connected as {username}: {problem}");
            Check::other(Verdict::Bad, NAME, finding, "if it does not go by itself: peerctl connect USERNAME")
        }
        (None, _) => {
            Check::other(Verdict::Bad, NAME, "no username is held or sought", "peerctl connect USERNAME")
        }
    }
}

/// A daemon behind a router can't see itself from outside; a peer that came in has proved it.
fn port(name: &str, Port { number, was_reached }: Port) -> Check {
    if was_reached {
        return Check::good(name, format!("a peer has come in on port {number} since the start"));
    }
    let finding = format!(
        "whether others reach port {number} can't be told from here: no peer has come in on it since the start"
    );
    let remedy = format!(
        "if transfers fail with \"neither side can be reached\", open TCP port {number} in the firewall, and have the \
         router pass it on to this machine"
    );
    Check::other(Verdict::Unknown, name, finding, remedy)
}

fn open_files(files: Option<OpenFiles>) -> Check {
    const NAME: &str = "open_files";
    const REMEDY: &str = "raise the limit: ulimit -n 4096, or LimitNOFILE= in the service";
    let Some(OpenFiles { open, limit }) = files else {
        return Check::other(Verdict::Unknown, NAME, "the system does not tell", REMEDY);
    };
    let Some(limit) = limit else { return Check::good(NAME, format!("{open}, without a limit")) };
    let finding = format!("{open} of {limit}");
    if limit < OPEN_FILES_MIN || open * 100 > limit * OPEN_FILES_SHARE_MAX {
        return Check::other(Verdict::Warning, NAME, finding, REMEDY);
    }
    Check::good(NAME, finding)
}

fn download_folder(free: &Result<u64, String>) -> Check {
    const NAME: &str = "download_folder";
    match free {
        Ok(free) if *free >= FREE_SPACE_MIN => Check::good(NAME, format!("{} are free", ByteSize(*free))),
        Ok(free) => {
            let finding = format!("only {} are free", ByteSize(*free));
            Check::other(
                Verdict::Warning,
                NAME,
                finding,
                "make room, or: peerctl config set download_dir DIR",
            )
        }
        Err(problem) => {
            let remedy = "mend the folder, or name another: peerctl config set download_dir DIR";
            Check::other(Verdict::Bad, NAME, problem.clone(), remedy)
        }
    }
}

pub(super) fn swap(areas: Option<&[String]>) -> Check {
    const NAME: &str = "swap";
    const REMEDY: &str = "encrypt it or turn it off (swapoff -a), if others can get at the disk";
    match areas {
        Some([]) => Check::good(NAME, "no memory goes to a disk unencrypted"),
        Some(areas) => {
            let finding = format!("keys and names could be written to {}, unencrypted", areas.join(", "));
            Check::other(Verdict::Warning, NAME, finding, REMEDY)
        }
        None => Check::other(Verdict::Unknown, NAME, "the system does not tell", REMEDY),
    }
}

fn shares(shares: &[Share]) -> Vec<Check> {
    const NAME: &str = "shares";
    let trouble: Vec<_> = shares
        .iter()
        .filter_map(|share| Some((share, share.problem.as_ref()?)))
        .map(|(share, problem)| {
            let remedy = format!("let this user read it, or: peerctl share rm {}", share.path);
            Check::other(Verdict::Bad, NAME, format!("{}: {problem}", share.path), remedy)
        })
        .collect();
    if !trouble.is_empty() {
        return trouble;
    }
    vec![match shares.len() {
        0 => Check::good(NAME, "nothing is shared"),
        1 => Check::good(NAME, "the shared folder can be read"),
        count => Check::good(NAME, format!("all {count} shared folders can be read")),
    }]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::control::{
        Origin, Share,
        doctor::{Check, Verdict},
    };

    use super::{Answer, Coordinator, Facts, OpenFiles, Port, findings};

    fn healthy() -> Facts {
        let answer = Answer { took: Duration::from_millis(12), behind: Some(0) };
        Facts {
            coordinator: Some(Coordinator { url: "https://c.example".to_owned(), answer: Ok(answer) }),
            username: Some("anna".to_owned()),
            is_connected: true,
            problem: None,
            download_port: Port { number: 4821, was_reached: true },
            upload_port: Port { number: 4822, was_reached: true },
            open_files: Some(OpenFiles { open: 40, limit: Some(4_096) }),
            free_space: Some(Ok(1 << 40)),
            swap: Some(Vec::new()),
            shares: Vec::new(),
        }
    }

    /// The one finding that is not good.
    fn fault(facts: &Facts) -> Check {
        let mut faults = findings(facts);
        faults.retain(|check| check.verdict != Verdict::Good);
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].remedy.is_some(), "no way to mend it: {faults:#?}");
        faults.remove(0)
    }

    #[test]
    fn where_all_is_well_everything_is_good_and_looked_at() {
        let checks = findings(&healthy());
        assert!(checks.iter().all(|check| check.verdict == Verdict::Good), "{checks:#?}");
        let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "coordinator",
                "clock",
                "session",
                "download_port",
                "upload_port",
                "open_files",
                "download_folder",
                "swap",
                "shares"
            ]
        );
    }

    #[test]
    fn each_fault_is_told_alone_with_how_to_mend_it() {
        let answers = |answer| Some(Coordinator { url: "https://c.example".to_owned(), answer });
        let slow = Answer { took: Duration::from_millis(3_250), behind: Some(0) };
        let (late, timeless) = (Answer { behind: Some(-300), ..slow }, Answer { behind: None, ..slow });
        let quick = |answer: Answer| Ok(Answer { took: Duration::ZERO, ..answer });
        let gone = Share {
            path: "/m".to_owned(),
            origin: Origin::File,
            files: 0,
            bytes: 0,
            problem: Some("the folder is not there".to_owned()),
            folders: false,
            whole_folders: 0,
            too_large_folders: 0,
        };
        for (facts, verdict, part) in [
            (Facts { coordinator: None, ..healthy() }, Verdict::Bad, "no coordinator"),
            (Facts { coordinator: answers(Err("refused".to_owned())), ..healthy() }, Verdict::Bad, "refused"),
            (Facts { coordinator: answers(Ok(slow)), ..healthy() }, Verdict::Warning, "3.2 s"),
            (Facts { coordinator: answers(quick(late)), ..healthy() }, Verdict::Warning, "300 s ahead of"),
            (
                Facts { coordinator: answers(quick(timeless)), ..healthy() },
                Verdict::Unknown,
                "can't be compared",
            ),
            (Facts { is_connected: false, ..healthy() }, Verdict::Bad, "not connected as anna"),
            (Facts { username: None, ..healthy() }, Verdict::Bad, "no username"),
            (
                Facts { upload_port: Port { number: 4822, was_reached: false }, ..healthy() },
                Verdict::Unknown,
                "port 4822 can't be told",
            ),
            (
                Facts { open_files: Some(OpenFiles { open: 9, limit: Some(256) }), ..healthy() },
                Verdict::Warning,
                "9 of 256",
            ),
            (Facts { open_files: None, ..healthy() }, Verdict::Unknown, "does not tell"),
            (Facts { free_space: Some(Ok(1_536)), ..healthy() }, Verdict::Warning, "only 1.5 KiB"),
            (
                Facts { free_space: Some(Err("it is gone".to_owned())), ..healthy() },
                Verdict::Bad,
                "it is gone",
            ),
            (Facts { swap: Some(vec!["/swapfile".to_owned()]), ..healthy() }, Verdict::Warning, "/swapfile"),
            (Facts { shares: vec![gone], ..healthy() }, Verdict::Bad, "/m: the folder is not there"),
        ] {
            let found = fault(&facts);
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.finding.contains(part), "{found:?}");
        }
    }
}
