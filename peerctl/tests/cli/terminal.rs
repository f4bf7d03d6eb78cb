//! A terminal with a person in front of it: `peerctl` in a pseudo-terminal, the screen that it paints, and keys.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    time::Duration,
};

use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize},
};

/// More than any of these takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const ROWS: u16 = 40;

pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const ENTER: &str = "\r";
pub(crate) const ESC: &str = "\x1b";

pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    display: Arc<Display>,
}

struct Display {
    shown: Mutex<Shown>,
    painted: Condvar,
}

struct Shown {
    screen: vt100::Parser,
    /// Nobody writes any more.
    is_closed: bool,
}

impl Terminal {
    /// Runs it in a terminal of so many columns.
    pub(crate) fn run(command: &Command, columns: u16) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: ROWS, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let slave = File::options().read(true).write(true).open(path).unwrap();
        // At Ctrl-C a terminal throws away what waits to be shown, after the signal: what a quick program has already
        // said to it would be gone now and then.
        let mut modes = tcgetattr(&slave).unwrap();
        modes.local_modes |= LocalModes::NOFLSH;
        tcsetattr(&slave, OptionalActions::Now, &modes).unwrap();

        // A session of its own, with this terminal: else Ctrl-C would reach nobody.
        let mut run = Command::new("/usr/bin/setsid");
        run.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        run.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        let (input, error) = (slave.try_clone().unwrap(), slave.try_clone().unwrap());
        let child = run.stdin(input).stdout(Stdio::from(slave)).stderr(error).spawn().unwrap();

        let shown = Shown { screen: vt100::Parser::new(ROWS, columns, 0), is_closed: false };
        let display = Arc::new(Display { shown: Mutex::new(shown), painted: Condvar::new() });
        let keyboard = File::from(master);
        let (from, to) = (keyboard.try_clone().unwrap(), Arc::clone(&display));
        // Ends when the program does: then nobody holds the other side.
        std::thread::spawn(move || to.paint(from));
        Self { child, keyboard, display }
    }

    pub(crate) fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// The lines of the screen as soon as this text is among them.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) -> Vec<String> {
        let is_awaited = |shown: &mut Shown| !shown.is_closed && !shown.lines().join("\n").contains(text);
        let shown = self.display.shown.lock().unwrap();
        let (shown, _) = self.display.painted.wait_timeout_while(shown, PATIENCE, is_awaited).unwrap();
        let lines = shown.lines();
        assert!(lines.join("\n").contains(text), "no {text:?} on the screen: {lines:#?}");
        lines
    }

    pub(crate) fn hides_its_cursor(&self) -> bool {
        self.display.shown.lock().unwrap().screen.screen().hide_cursor()
    }

    /// Whether anything on the screen is more than plain: coloured, bold, underlined.
    pub(crate) fn is_adorned(&self) -> bool {
        let shown = self.display.shown.lock().unwrap();
        let screen = shown.screen.screen();
        let (rows, columns) = screen.size();
        let cells = (0..rows).flat_map(|row| (0..columns).filter_map(move |column| screen.cell(row, column)));
        cells.into_iter().any(|cell| {
            cell.bold() || cell.underline() || cell.inverse() || cell.fgcolor() != vt100::Color::Default
        })
    }

    /// For a program that does not catch Ctrl-C.
    #[track_caller]
    pub(crate) fn ends_by_the_signal(mut self) {
        use std::os::unix::process::ExitStatusExt as _;
        assert_eq!(self.child.wait().unwrap().signal(), Some(2));
    }

    /// Waits for its end: the lines of the last screen.
    #[track_caller]
    pub(crate) fn exits(mut self, code: i32) -> Vec<String> {
        let shown = self.display.shown.lock().unwrap();
        let (shown, _) =
            self.display.painted.wait_timeout_while(shown, PATIENCE, |shown| !shown.is_closed).unwrap();
        let lines = shown.lines();
        assert!(shown.is_closed, "it does not end: {lines:#?}");
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{lines:#?}");
        lines
    }
}

impl Drop for Terminal {
    /// For a test that failed.
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _gone = self.child.wait();
    }
}

impl Display {
    fn paint(&self, mut from: File) {
        let mut bytes = [0; 4096];
        // An error means that the program has ended: Linux says EIO then.
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            let Ok(mut shown) = self.shown.lock() else { return };
            shown.screen.process(&bytes[..read]);
            self.painted.notify_all();
        }
        // A test that failed with it in its hands looks no more.
        let Ok(mut shown) = self.shown.lock() else { return };
        shown.is_closed = true;
        self.painted.notify_all();
    }
}

impl Shown {
    fn lines(&self) -> Vec<String> {
        let screen = self.screen.screen();
        let rows = screen.rows(0, screen.size().1).map(|line| line.trim_end().to_owned());
        let mut lines: Vec<_> = rows.collect();
        let used = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        lines.truncate(used);
        lines
    }
}
