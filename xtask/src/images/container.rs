//! One service of the trial, run as an engine runs it: PID 1 in namespaces of its own, on its own root file system, as
//! its image's user, and without a shell.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{
    compose::Service,
    image::{Image, User},
};
use crate::clock;

/// For whatever a container is asked.
const ANSWER_LIMIT: &str = "60";
/// Until a service is healthy, on a machine that does other things as well.
const HEALTHY_LIMIT: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(100);
const LAST_WORDS: usize = 15;
/// What a check of health says by its exit code.
const HEALTHY: i32 = 0;

pub(super) struct Container {
    name: String,
    root: PathBuf,
    words: Vec<String>,
    environment: Vec<(String, String)>,
    user: User,
    restrictions: Vec<&'static str>,
    healthcheck: Option<Vec<String>>,
    grace: Duration,
    log: PathBuf,
    /// `unshare`, whose only child is the service.
    child: Child,
}

impl Container {
    pub(super) fn start(
        name: &str,
        service: &Service,
        image: &Image,
        root: &Path,
        log: &Path,
    ) -> Result<Self> {
        let environment = image.environment().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let own = service.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut restrictions = Vec::new();
        if service.cap_drop.iter().any(|dropped| dropped == "ALL") {
            restrictions.push("--bounding-set=-all");
        }
        if service.security_opt.iter().any(|option| option == "no-new-privileges:true") {
            restrictions.push("--no-new-privs");
        }
        let healthcheck = service.healthcheck().or_else(|| image.healthcheck());
        let words = image.words(service.entrypoint.as_deref(), &service.command);
        let user = image.user()?;
        let environment: Vec<_> = environment.chain(own).collect();
        let output = File::create(log)?;
        let mut command = fresh(name, root, &environment);
        command.args(as_user(user, &restrictions)).args(&words);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        println!("   {name}: {}", words.join(" "));
        Ok(Self {
            name: name.to_owned(),
            root: root.to_owned(),
            words,
            environment,
            user,
            restrictions,
            healthcheck: healthcheck.map(<[String]>::to_vec),
            grace: Duration::from_secs(service.grace_seconds()?),
            log: log.to_owned(),
            child: command.spawn().with_context(|| format!("{name} can't be started"))?,
        })
    }

    pub(super) fn user(&self) -> User {
        self.user
    }

    /// Waits until the check of health succeeds.
    pub(super) fn wait_until_healthy(&mut self) -> Result<()> {
        let start = clock::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended by itself: {status}", self.name);
            }
            if self.is_healthy()? {
                return Ok(());
            }
            ensure!(start.elapsed() < HEALTHY_LIMIT, "{} did not become healthy", self.name);
            thread::sleep(GLANCE);
        }
    }

    /// Waits for an end that is to come by itself.
    pub(super) fn wait_until_completed(&mut self) -> Result<()> {
        let status = self.wait(HEALTHY_LIMIT)?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    /// Whether the check succeeds now, in the running container or in what an ended one left.
    fn is_healthy(&mut self) -> Result<bool> {
        let Some(healthcheck) = self.healthcheck.clone() else {
            bail!("{} has no check of its health", self.name)
        };
        let ["CMD", words @ ..] = &healthcheck.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
            bail!("{}: a check of health is run without a shell: {healthcheck:?}", self.name)
        };
        let output = if self.id().is_some() {
            self.execute(words)?
        } else {
            let mut command = fresh(&self.name, &self.root, &self.environment);
            command.args(as_user(self.user, &self.restrictions)).args(["timeout", ANSWER_LIMIT]).args(words);
            command.output()?
        };
        match output.status.code() {
            Some(HEALTHY) => Ok(true),
            // What shells and `setpriv` say of a program that is not there is no word on its health.
            Some(126 | 127) => bail!("{}: {words:?}: {}", self.name, String::from_utf8_lossy(&output.stderr)),
            _ => Ok(false),
        }
    }

    /// The service's own process, as this machine sees it, while it runs.
    fn id(&self) -> Option<Pid> {
        let parent = self.child.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
        Pid::from_raw(children.split_whitespace().next()?.parse().ok()?)
    }

    /// Runs a program in the container, as `docker exec` does.
    pub(super) fn execute(&self, words: &[&str]) -> Result<Output> {
        let id = self.id().with_context(|| format!("{} does not run", self.name))?;
        let mut command = limited(&self.environment);
        command.args(["nsenter", "--target", &id.as_raw_nonzero().to_string()]);
        command.args(["--mount", "--net", "--pid", "--root", "--wd=/"]);
        command.args(as_user(self.user, &self.restrictions)).args(words);
        command.output().with_context(|| format!("{} can't be run in {}", words.join(" "), self.name))
    }

    /// That the program is PID 1, is nobody else's user than the image says, and has no rights beside.
    pub(super) fn check_rights(&self) -> Result<()> {
        let id = self.id().with_context(|| format!("{} does not run", self.name))?.as_raw_nonzero();
        let program = fs::read_link(format!("/proc/{id}/exe"))?;
        let is_program =
            program.file_name().is_some_and(|file| Some(file.to_string_lossy().as_ref()) == self.program());
        ensure!(is_program, "PID 1 of {} is {}", self.name, program.display());
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let field = |name: &str| {
            let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().split_whitespace().collect::<Vec<_>>()
        };
        let User { id, group } = self.user;
        ensure!(id != 0 && group != 0, "{} runs as root", self.name);
        for (name, wanted) in [("Uid", id.to_string()), ("Gid", group.to_string())] {
            ensure!(field(name) == [&wanted[..]; 4], "{}: {name} is {:?}", self.name, field(name));
        }
        ensure!(field("NSpid").last() == Some(&"1"), "{}: PIDs are {:?}", self.name, field("NSpid"));
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            ensure!(field(set) == ["0000000000000000"], "{}: {set} is {:?}", self.name, field(set));
        }
        ensure!(field("NoNewPrivs") == ["1"] && field("Groups").is_empty(), "{}: {status}", self.name);
        Ok(())
    }

    fn program(&self) -> Option<&str> {
        self.words.first().map(String::as_str)
    }

    /// SIGTERM, as `docker stop` sends it: the program exits with 0 within its time, and its check of health fails
    /// from then on.
    pub(super) fn stop(&mut self) -> Result<()> {
        ensure!(self.is_healthy()?, "{} is not healthy any more", self.name);
        let id = self.id().with_context(|| format!("{} does not run", self.name))?;
        kill_process(id, Signal::TERM)?;
        let status = self.wait(self.grace)?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        ensure!(!self.is_healthy()?, "{} is healthy after its end", self.name);
        Ok(())
    }

    fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let start = clock::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(start.elapsed() < limit, "{} did not end in {} s", self.name, limit.as_secs());
            thread::sleep(GLANCE);
        }
    }

    /// For someone who looks for the cause of a failure.
    pub(super) fn print_last_words(&self) {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        println!("\nLast words of {}:", self.name);
        for line in &lines[lines.len().saturating_sub(LAST_WORDS)..] {
            println!("   {line}");
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // `unshare` takes the service with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program in namespaces that begin with it, in its service's network, and that end with this process.
fn fresh(host: &str, root: &Path, environment: &[(String, String)]) -> Command {
    let mut command = Command::new("/usr/bin/setpriv");
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.args(["--pdeathsig", "KILL", "ip", "netns", "exec", host]);
    command.args(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--wd=/", "--mount-proc"]);
    command.arg("--root").arg(root);
    command
}

fn limited(environment: &[(String, String)]) -> Command {
    let mut command = Command::new("/usr/bin/timeout");
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    command.args(["--kill-after=5", ANSWER_LIMIT]);
    command
}

/// Gives up root, from within the container.
fn as_user(User { id, group }: User, restrictions: &[&'static str]) -> Vec<String> {
    let mut words = vec!["setpriv".to_owned(), format!("--reuid={id}"), format!("--regid={group}")];
    // Of `unshare`, which takes its child with it: what it had asked the kernel for, giving up root has taken back.
    words.extend(["--clear-groups", "--pdeathsig=KILL"].map(str::to_owned));
    words.extend(restrictions.iter().map(|&restriction| restriction.to_owned()));
    words.push("--".to_owned());
    words
}
