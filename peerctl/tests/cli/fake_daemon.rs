//! A control socket with canned answers, and `peerctl` run against it.

use std::{
    collections::{HashMap, VecDeque},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

/// What came in: the request line and the body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) body: Value,
}

type Answers = HashMap<String, VecDeque<(u16, Value)>>;

pub(crate) struct FakeDaemon {
    folder: tempfile::TempDir,
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl FakeDaemon {
    /// A folder for a socket, and nobody who listens.
    pub(crate) fn absent() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), answers: Arc::default(), asked: Arc::default() }
    }

    pub(crate) fn start() -> Self {
        let daemon = Self::absent();
        daemon.listen();
        daemon
    }

    pub(crate) fn listen(&self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (answers, asked) = (Arc::clone(&self.answers), Arc::clone(&self.asked));
        // Ends with the test's process; each test has its own.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
                std::thread::spawn(move || serve(&stream, &answers, &asked));
            }
        });
    }

    /// The next answer to `METHOD /path`; the last one is repeated.
    pub(crate) fn answers(self, call: &str, status: u16, body: Value) -> Self {
        self.answers.lock().unwrap().entry(call.to_owned()).or_default().push_back((status, body));
        self
    }

    pub(crate) fn problem(self, call: &str, code: protocol::Code) -> Self {
        let problem = protocol::Problem::new(code);
        self.answers(call, problem.status, serde_json::to_value(problem).unwrap())
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peerctl"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("HEARSAY_SOCKET", self.socket());
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn peerctl(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// How a run of `peerctl` ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn prints(self, stdout: &str) -> Self {
        assert_eq!(self.stdout, stdout, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn says(self, part_of_stderr: &str) -> Self {
        assert!(self.stderr.contains(part_of_stderr), "{self:?}");
        self
    }
}

fn serve(stream: &UnixStream, answers: &Mutex<Answers>, asked: &Mutex<Vec<Asked>>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let head_lower = head.to_lowercase();
    let header = |name: &str| {
        head_lower
            .lines()
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
    };
    // As the real one guards itself: no test passes with a request that it would refuse.
    assert_eq!(header("host").as_deref(), Some(protocol::paths::control::HOST));
    assert_eq!((header("origin"), header("referer")), (None, None));
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();

    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    let call = line.split('?').next().unwrap().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    asked.lock().unwrap().push(Asked { line, body });
    let (status, body) = next_answer(&mut answers.lock().unwrap(), &call);
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let _ = write!(
        &mut { stream },
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
}

fn next_answer(answers: &mut Answers, call: &str) -> (u16, Value) {
    let Some(queue) = answers.get_mut(call) else {
        return (404, serde_json::to_value(protocol::Problem::new(protocol::Code::RouteUnknown)).unwrap());
    };
    let answer = queue.pop_front().unwrap();
    if queue.is_empty() {
        queue.push_back(answer.clone());
    }
    answer
}

pub(crate) fn status(username: &str) -> Value {
    json!({
        "schema": 1, "version": "0.1.0", "protocol_version": 1, "username": username, "connected": true,
        "connection_problem": null, "coordinator": "http://127.0.0.1:4820", "download_port": 4821,
        "upload_port": 4822, "gui": null, "shared_files": 2, "shared_bytes": 2048, "scanning": false,
        "download": null, "upload": null, "refused_dial_backs": 0, "of_a_later_version": [1],
    })
}

pub(crate) fn result(number: u32, class: &str, name: &str) -> Value {
    json!({
        "number": number, "username": "bob", "name": name, "size": 1536, "root": "ab".repeat(32), "match": class,
    })
}

pub(crate) fn search(finished: bool, results: &[Value]) -> Value {
    json!({ "schema": 1, "search": "7", "query": "song", "finished": finished, "results": results })
}

pub(crate) fn download(id: &str, state: &str, cause: Option<&str>) -> Value {
    json!({
        "id": id, "name": "song.mp3", "size": 1000, "received": 500, "state": state, "username": "bob",
        "root": "ab".repeat(32), "path": "/d/song.mp3", "bytes_per_second": 0, "eta_seconds": null,
        "position": null, "reason": cause.map(|_| "told in a sentence"), "cause": cause,
    })
}

pub(crate) fn downloads(downloads: &[Value]) -> Value {
    json!({ "schema": 1, "downloads": downloads })
}

pub(crate) fn uploads(uploads: &[Value]) -> Value {
    json!({ "schema": 1, "uploads": uploads })
}

pub(crate) fn upload(id: &str, state: &str) -> Value {
    json!({
        "id": id, "name": "song.mp3", "size": 1000, "sent": 250, "state": state, "username": "carl",
        "bytes_per_second": 0, "position": null, "reason": null,
    })
}
