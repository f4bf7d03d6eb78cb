//! Questions to the person at the terminal.

use std::{
    io::IsTerminal as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dialoguer::{FuzzySelect, console::Term};

use crate::{
    error::Error,
    interrupt::Interrupt,
    output::{Output, printable},
    width::cut,
};

/// What a prompt puts before each row of a choice.
const MARGIN: usize = 3;

/// Somebody who can be asked.
pub(crate) struct Person {
    terminal: Term,
    /// Whether a prompt is open: read by whoever hears Ctrl-C in its place.
    is_asking: Arc<AtomicBool>,
    /// While this lives, Ctrl-C at a prompt is an error of it, and does not end the process with the cursor hidden.
    _interrupts: Option<Interrupt>,
}

/// A prompt reads keys, Ctrl-C among them. But between two keys the terminal makes a signal of it, which no prompt
/// hears: then, after so long, the process ends as it would have by the prompt.
const PROMPT_HEARS: Duration = Duration::from_millis(200);

impl Person {
    /// `None` where nobody is there: in a pipe, a script, or where documents are wanted.
    pub(crate) fn at(output: &Output) -> Option<Self> {
        if !output.may_animate() || !std::io::stdin().is_terminal() {
            return None;
        }
        let is_asking = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&is_asking);
        // Not a task: a prompt holds up the thread of those.
        std::thread::spawn(move || end_when_interrupted(&heard));
        Some(Self { terminal: Term::stderr(), is_asking, _interrupts: Interrupt::listen().ok() })
    }

    /// The person's words; `None` for none.
    pub(crate) fn ask(&self, question: &str) -> Result<Option<String>, Error> {
        let prompt = dialoguer::Input::<String>::new().with_prompt(printable(question)).allow_empty(true);
        let answer = self.outcome(|| prompt.interact_text_on(&self.terminal))?;
        Ok(Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty()))
    }

    /// The same for what is not to be seen on the screen.
    pub(crate) fn ask_secret(&self, question: &str) -> Result<Option<String>, Error> {
        let prompt = dialoguer::Password::new().with_prompt(printable(question)).allow_empty_password(true);
        let answer = self.outcome(|| prompt.interact_on(&self.terminal))?;
        Ok(Some(answer).filter(|answer| !answer.is_empty()))
    }

    /// Yes or no; Enter alone is `usual`.
    pub(crate) fn confirms(&self, question: &str, usual: bool) -> Result<bool, Error> {
        let prompt = dialoguer::Confirm::new().with_prompt(printable(question)).default(usual);
        self.outcome(|| prompt.wait_for_newline(true).interact_on(&self.terminal))
    }

    /// One of the rows; typing narrows them down, Esc is `None`.
    pub(crate) fn pick(&self, question: &str, rows: &[String]) -> Result<Option<usize>, Error> {
        let columns = usize::from(self.terminal.size().1).saturating_sub(MARGIN);
        let rows = rows.iter().map(|row| cut(row, columns));
        let prompt = FuzzySelect::new().with_prompt(question).items(rows).default(0).report(false);
        // It would write each matching letter in bold, and so tear what is one letter of several characters.
        self.outcome(|| prompt.highlight_matches(false).interact_on_opt(&self.terminal))
    }

    fn outcome<T>(&self, prompt: impl FnOnce() -> dialoguer::Result<T>) -> Result<T, Error> {
        self.is_asking.store(true, Ordering::SeqCst);
        let outcome = prompt();
        self.is_asking.store(false, Ordering::SeqCst);
        outcome.map_err(|_interrupted| {
            let _gone = self.terminal.show_cursor();
            Error::GivenUp
        })
    }
}

fn end_when_interrupted(is_asking: &AtomicBool) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(mut interrupt) = Interrupt::listen() else { return };
        loop {
            interrupt.pressed().await;
            tokio::time::sleep(PROMPT_HEARS).await;
            if is_asking.load(Ordering::SeqCst) {
                let terminal = Term::stderr();
                let _gone = terminal.show_cursor();
                let _gone = terminal.write_line(&format!("\n{}", Error::GivenUp));
                std::process::exit(Error::GivenUp.exit_status().into());
            }
        }
    });
}
