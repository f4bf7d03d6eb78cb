//! The command line. Each help text begins with examples: they are what people look for.

mod values;

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, parser::ValueSource,
};
use protocol::{Conflict, Profile};

pub(crate) use self::values::{Id, SettingName, Target};
use crate::{
    commands::{block::BlockCommand, config::ConfigCommand, share::ShareCommand},
    output::Format,
    whose::Whose,
};

const EXAMPLES: &str = "\
Examples:
  peerctl setup                   (begin here)
  peerctl start -- --coordinator https://share.example.org --share ~/Music
  peerctl connect alice
  peerctl search wu tang
  peerctl get 1

";
/// For whoever types the name of the program to see what it is: all of its help is longer than a screen.
const WELCOME: &str = "\
All commands, and what they do:  peerctl --help
About one of them:               peerctl COMMAND --help";
/// Apart from the options of a verb, which are what its help is read for.
const EVERYWHERE: &str = "Options of every command";
pub(crate) const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 other, 2 usage, 3 daemon not running, 4 not found,
5 conflict, 6 timed out, 7 coordinator or peer unreachable, 8 source changed,
9 no space, 10 permission, 11 rate limited, 12 version mismatch,
32 integrity failure, 130 interrupted (a download goes on).";

/// Steers the peer-daemon: find files by hearsay, and fetch them.
#[derive(Debug, Parser)]
#[command(version, before_help = EXAMPLES, after_help = EXIT_CODES, propagate_version = false)]
pub(crate) struct Cli {
    /// The daemon's control socket [default: hearsay/control.sock in $XDG_RUNTIME_DIR]
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "HEARSAY_SOCKET", value_name = "PATH", hide_env_values = true)]
    socket: Option<PathBuf>,
    /// What the two above come to.
    #[arg(skip)]
    pub(crate) whose: Whose,
    /// One of several daemons side by side, each with a state, a socket and a configuration file of its own
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "HEARSAY_PROFILE", value_name = "NAME", hide_env_values = true)]
    profile: Option<Profile>,
    /// Print one JSON document instead of text
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub(crate) json: bool,
    /// Print JSON documents, one a line: each result or change as it comes, else the one document
    #[arg(long, global = true, help_heading = EVERYWHERE, conflicts_with = "json")]
    pub(crate) ndjson: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// Of this process; ends it where they are wrong.
    pub(crate) fn from_arguments() -> Self {
        Self::read(&Self::command().get_matches()).unwrap_or_else(|error| error.exit())
    }

    /// What to say to somebody who says nothing.
    pub(crate) fn welcome() -> Option<String> {
        (std::env::args_os().len() <= 1).then(|| format!("{EXAMPLES}{WELCOME}"))
    }

    fn read(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut cli = Self::from_arg_matches(matches)?;
        let is_flag = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
        cli.whose = Whose::of(
            cli.profile.take().map(|profile| (profile, is_flag("profile"))),
            cli.socket.take().map(|socket| (socket, is_flag("socket"))),
        );
        Ok(cli)
    }

    pub(crate) fn format(&self) -> Format {
        match (self.json, self.ndjson) {
            (_, true) => Format::Documents,
            (true, false) => Format::Document,
            (false, false) => Format::Text,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin here: answer a few questions, and have the peer-daemon configured and started
    #[command(before_help = "Example:\n  peerctl setup\n")]
    Setup,
    /// Start the peer-daemon in the background
    #[command(
        before_help = "Examples:\n  peerctl start\n  peerctl start -- --coordinator https://share.example.org --share ~/Music\n"
    )]
    Start {
        /// Arguments for peer-daemon, after `--`
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Stop the peer-daemon; downloads go on when it is started again
    #[command(before_help = "Example:\n  peerctl stop\n")]
    Stop,
    /// Stop the peer-daemon and start it again with what it was started with; start it where none runs
    #[command(before_help = "Examples:\n  peerctl restart\n  peerctl restart -- --share ~/Music\n")]
    Restart {
        /// Other arguments for peer-daemon than those it has now, after `--`
        #[arg(last = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Show the end of the log of a daemon that `peerctl start` has started
    #[command(
        before_help = "Examples:\n  peerctl logs\n  peerctl logs --lines 1000\n  peerctl logs --follow\n"
    )]
    Logs {
        /// So many of the last lines
        #[arg(long, value_name = "N", default_value_t = 100)]
        lines: usize,
        /// Show what comes, too, until Ctrl-C
        #[arg(long, conflicts_with = "json")]
        follow: bool,
    },
    /// Show whether the daemon is connected, and what it does
    #[command(before_help = "Examples:\n  peerctl status\n  peerctl status --json\n")]
    Status,
    /// Connect to the coordinator under a username
    #[command(before_help = "Example:\n  peerctl connect alice\n")]
    Connect {
        /// 3 to 32 letters and digits of one script, with - _ . inside
        username: String,
    },
    /// Disconnect from the coordinator
    #[command(before_help = "Example:\n  peerctl disconnect\n")]
    Disconnect,
    /// Search the shared files of everybody who is connected
    #[command(before_help = "Examples:\n  peerctl search wu tang\n  peerctl search --pick annual report\n  \
                             peerctl search --watch --every 300 wu tang\n")]
    Search(SearchArgs),
    /// Fetch files that a search has found, or that a link names
    #[command(before_help = "Examples:\n  peerctl get 1 3\n  peerctl get 2.1     (result 1 of search 2)\n  \
                             peerctl get 1 --detach\n  peerctl get 1 --conflict overwrite\n  peerctl get 'hearsay:?root=…&size=…&name=…'\n")]
    Get {
        /// A result's number in the last search, SEARCH.NUMBER, or a link (in quotes: a shell cuts it at its &)
        #[arg(required = true, value_name = "RESULT|LINK")]
        targets: Vec<Target>,
        /// Where the name is taken: rename gives the download a number, skip fetches nothing (exit code 5),
        /// overwrite replaces a file once the other one is whole, but never a folder or a link [default: the
        /// setting `conflict`, which is rename]
        #[arg(long, value_name = "rename|skip|overwrite")]
        conflict: Option<Conflict>,
        /// Return at once; the daemon fetches on
        #[arg(long)]
        detach: bool,
    },
    /// Wait until downloads have ended
    ///
    /// A download that the disk does not take (no space, no permission, folder gone) is paused and goes on by
    /// itself once it does; so it is waited for. Where the time is over while all wait for the disk, the exit code
    /// is that of the cause (9, 10 or 4), and else 6.
    #[command(before_help = "Examples:\n  peerctl wait 3\n  peerctl wait 3 --timeout 60\n")]
    Wait {
        /// As `peerctl downloads` shows it
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Id>,
        /// Give up after this time; the downloads go on
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
    /// List downloads
    #[command(
        before_help = "Examples:\n  peerctl downloads\n  peerctl downloads --watch\n  peerctl downloads --json\n"
    )]
    Downloads {
        /// Show what is under way, and all that changes, until Ctrl-C
        #[arg(long, conflicts_with = "json")]
        watch: bool,
    },
    /// List uploads, running and waiting
    #[command(
        before_help = "Examples:\n  peerctl uploads\n  peerctl uploads --watch\n  peerctl uploads --json\n"
    )]
    Uploads {
        /// Show what is under way, and all that changes, until Ctrl-C
        #[arg(long, conflicts_with = "json")]
        watch: bool,
    },
    /// Show all about one download
    #[command(before_help = "Example:\n  peerctl show 3\n")]
    Show {
        /// As `peerctl downloads` shows it
        id: Id,
    },
    /// Tell what happened to a download, step by step, and what happens next
    #[command(before_help = "Examples:\n  peerctl why 3\n  peerctl why 3 --json\n")]
    Why {
        /// As `peerctl downloads` shows it
        id: Id,
    },
    /// Pause downloads; what was received stays
    #[command(before_help = "Examples:\n  peerctl pause 3\n  peerctl pause --all\n")]
    Pause(Chosen),
    /// Go on with paused downloads
    #[command(before_help = "Examples:\n  peerctl resume 3\n  peerctl resume --all\n")]
    Resume(Chosen),
    /// Try failed or cancelled downloads again, from what was received
    #[command(before_help = "Examples:\n  peerctl retry 3\n  peerctl retry --all\n")]
    Retry(Chosen),
    /// Give downloads up and remove what was received of them
    #[command(before_help = "Examples:\n  peerctl cancel 3\n  peerctl cancel --all\n")]
    Cancel(Chosen),
    /// Take downloads off the list, cancelled if they have not ended; finished files stay
    #[command(before_help = "Examples:\n  peerctl rm 3\n  peerctl rm --all\n")]
    Rm(Chosen),
    /// List who waits for your word, where the policy is to ask
    #[command(before_help = "Examples:\n  peerctl requests\n  peerctl requests --json\n")]
    Requests,
    /// Give what was asked for
    #[command(before_help = "Example:\n  peerctl accept 5f0c…\n")]
    Accept {
        /// As `peerctl requests` shows it
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Id>,
    },
    /// Refuse what was asked for
    #[command(before_help = "Example:\n  peerctl decline 5f0c…\n")]
    Decline {
        /// As `peerctl requests` shows it
        #[arg(required = true, value_name = "ID")]
        ids: Vec<Id>,
    },
    /// Which folders are offered to others
    #[command(subcommand, before_help = "Examples:\n  peerctl share add ~/Music\n  peerctl share ls\n")]
    Share(ShareCommand),
    /// Who gets nothing from you, and is not shown to you
    #[command(subcommand, before_help = "Examples:\n  peerctl block add mallory\n  peerctl block ls\n")]
    Block(BlockCommand),
    /// Print the link to a shared file, or to a folder offered as a whole, for others to `peerctl get`
    #[command(before_help = "Example:\n  peerctl link ~/Music/song.ogg\n")]
    Link { file: PathBuf },
    /// What the daemon is told, and by whom
    #[command(
        subcommand,
        before_help = "Examples:\n  peerctl config show\n  peerctl config set username nightingale\n"
    )]
    Config(ConfigCommand),
    /// Look for what is wrong, and say how to mend it; exits with 0 when all is well, else with 1
    #[command(before_help = "Examples:\n  peerctl doctor\n  peerctl doctor --json\n")]
    Doctor,
    /// Print a link that opens the daemon's web page, once and within 30 s
    #[command(before_help = "Examples:\n  peerctl gui\n  peerctl gui --open\n")]
    Gui {
        /// Open it in the browser, too
        #[arg(long)]
        open: bool,
    },
    /// Show the versions of peerctl and of the running daemon
    #[command(before_help = "Example:\n  peerctl version\n")]
    Version,
    /// Print a shell's completions
    #[command(
        before_help = "Example:\n  peerctl completions bash > ~/.local/share/bash-completion/completions/peerctl\n"
    )]
    Completions { shell: clap_complete::Shell },
    /// Tell a shell what could come after these words, of what the daemon knows
    #[command(hide = true, before_help = "Example:\n  peerctl complete-values -- pause\n")]
    CompleteValues {
        #[arg(last = true, value_name = "WORD")]
        words: Vec<OsString>,
    },
    /// Write man pages into a folder, for those who package this
    #[command(hide = true, before_help = "Example:\n  peerctl man /usr/share/man/man1\n")]
    Man { dir: PathBuf },
}

/// Downloads by their IDs, or all that the verb fits.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// As `peerctl downloads` shows it
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
    pub(crate) ids: Vec<Id>,
    /// All that are in a state for it
    #[arg(long)]
    pub(crate) all: bool,
}

/// On a terminal a table with a row a file; in a pipe one line a result, its fields separated by tabs: number, match,
/// size in bytes, username, name.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words of the name, in any order
    #[arg(required = true, value_name = "QUERY")]
    words: Vec<String>,
    /// End when no new result came for this long
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    wait: u64,
    /// Choose among the results, and fetch
    #[arg(long, conflicts_with_all = ["json", "ndjson", "watch"])]
    pub(crate) pick: bool,
    /// Search again and again, and tell what is new, until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    pub(crate) watch: bool,
    /// With --watch: this long after the search before fell silent
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=86_400))]
    every: u64,
}

impl SearchArgs {
    /// How long nothing new may come before it ends.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(self.wait)
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(self.every)
    }

    /// `search wu tang` asks the same as `search 'wu tang'`.
    pub(crate) fn query(&self) -> String {
        self.words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Command};
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_query_of_several_words_needs_no_quotes() {
        let cli = Cli::try_parse_from(["peerctl", "search", "wu", "tang", "--wait", "5"]).unwrap();
        let Command::Search(search) = cli.command else { panic!("{cli:?}") };
        assert_eq!((search.query().as_str(), search.patience().as_secs()), ("wu tang", 5));
    }

    #[test]
    fn the_daemons_arguments_come_after_two_dashes() {
        let cli = Cli::try_parse_from(["peerctl", "start", "--", "--share", "x", "--json"]).unwrap();
        assert!(!cli.json);
        let Command::Start { arguments } = cli.command else { panic!("{cli:?}") };
        assert_eq!(arguments, ["--share", "x", "--json"]);
    }
}
