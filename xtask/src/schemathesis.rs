//! `cargo xtask contract`: schemathesis, a Python program, makes up calls from `openapi.yaml` and sends them to a running
//! coordinator. None may be met with a server's error, or with an answer that the contract does not describe.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    clock,
    steps::{cargo, run as execute, step},
    workspace::Workspace,
};

/// Of schemathesis: a newer one may ask for more.
const VERSION: &str = "schemathesis==4.*";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";
/// Ends the session that all other calls are made in.
const NOT_CALLED: &str = "disconnect";
const CALLS_EACH: &str = "100";
/// Thousands of calls come from one address and one session, and none is to wait.
const CONFIGURATION: &str = "
lifetimes.wait_seconds_max = 0.05
limits.claims_per_minute = 1000000
limits.renewals_per_minute = 1000000
limits.handed_out_per_minute = 1000000
limits.searches_burst = 1000000
limits.searches_burst_an_address = 1000000
limits.introductions_burst = 1000000
limits.answers_burst = 1000000
limits.polls_burst = 1000000
limits.polls_burst_an_address = 1000000
";
const START_LIMIT: Duration = Duration::from_secs(10);
const GLANCE: Duration = Duration::from_millis(50);

pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::read()?;
    let tools = workspace.target.join("schemathesis");
    step("schemathesis", "it needs Python with venv, and a package index", || install(&tools))?;
    step("build", "the compiler says where", || {
        execute(&mut cargo(["build", "--workspace", "--bins", "--locked"]))
    })?;
    step("contract", "the report above names the call", || {
        let mut coordinator = Coordinator::start(&workspace.target)?;
        let outcome = coordinator.call_everything(&tools, &workspace.root);
        coordinator.stop()?;
        outcome
    })
}

fn install(tools: &Path) -> Result<()> {
    if tools.join("bin/schemathesis").exists() {
        return Ok(());
    }
    execute(Command::new("python3").args(["-m", "venv"]).arg(tools))?;
    execute(Command::new(tools.join("bin/pip")).args(["install", "--quiet", VERSION]))
}

struct Coordinator {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Coordinator {
    fn start(target: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (configuration, ready) =
            (folder.path().join("coordinator.toml"), folder.path().join("ready.json"));
        fs::write(&configuration, CONFIGURATION)?;
        let child = Command::new(target.join("debug/coordinator"))
            .args(["--listen", "127.0.0.1:0", "--config"])
            .arg(configuration)
            .arg("--ready-file")
            .arg(&ready)
            .spawn()
            .context("the coordinator does not start")?;
        let start = clock::now();
        loop {
            let told: Option<serde_json::Value> =
                fs::read(&ready).ok().and_then(|text| serde_json::from_slice(&text).ok());
            if let Some(address) = told.as_ref().and_then(|told| told["listen"].as_str()) {
                return Ok(Self { child, address: address.to_owned(), _folder: folder });
            }
            if start.elapsed() > START_LIMIT {
                bail!("the coordinator did not say where it listens");
            }
            std::thread::sleep(GLANCE);
        }
    }

    fn call_everything(&self, tools: &Path, root: &Path) -> Result<()> {
        let token = "ab".repeat(32);
        let name_token = self.connect(&token)?;
        execute(
            Command::new(tools.join("bin/schemathesis"))
                .args(["run", "openapi.yaml", "--no-color", "--checks", CHECKS])
                .args(["--max-examples", CALLS_EACH, "--exclude-operation-id", NOT_CALLED])
                .args(["--url", &format!("http://{}", self.address)])
                .args(["-H", &format!("Authorization: Bearer {token}")])
                .args(["-H", &format!("{}: {name_token}", protocol::paths::NAME_HEADER)])
                .current_dir(root),
        )
    }

    /// A session for all calls; its name token.
    fn connect(&self, token: &str) -> Result<String> {
        let body =
            serde_json::json!({ "username": "contract", "token": token, "version": protocol::VERSION });
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "POST /v1/sessions HTTP/1.1\r\nHost: contract\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (_, body) = answer.split_once("\r\n\r\n").context("no answer to a connect")?;
        let connected: serde_json::Value = serde_json::from_str(body)?;
        Ok(connected["name_token"].as_str().context("the connect was refused")?.to_owned())
    }

    fn stop(&mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { bail!("the coordinator ended with {status}") }
    }
}
