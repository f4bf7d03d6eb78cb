//! The link's one task: does what the person wants (connect, disconnect) and ends with the daemon.

use protocol::Username;
use tokio::{
    pin, select,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use super::{
    ConnectError, LinkStatus,
    session::{Claim, Keeper},
};

pub(super) enum Command {
    Connect { username: Username, answer: ConnectAnswer },
    Disconnect { answer: oneshot::Sender<()> },
}

/// Where the first attempt's outcome goes.
pub(super) type ConnectAnswer = oneshot::Sender<Result<(), ConnectError>>;

/// What the task does next.
enum Turn {
    Rest,
    Seek(Username, ConnectAnswer),
    /// The same claim, at once: the person does not want to wait for the backoff.
    SeekAgain(Claim, ConnectAnswer),
    End,
}

/// Runs the keeper, and drops what it does when a command or the daemon's end wants something else.
pub(super) struct Supervisor {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) keeper: Keeper,
    pub(super) token: CancellationToken,
}

impl Supervisor {
    pub(super) async fn run(mut self) {
        let mut turn = Turn::Rest;
        loop {
            turn = match turn {
                Turn::Rest => self.rest().await,
                Turn::Seek(username, answer) => {
                    let claim = self.keeper.claim(username).await;
                    self.hold(claim, answer).await
                }
                Turn::SeekAgain(claim, answer) => self.hold(claim, answer).await,
                Turn::End => return,
            }
        }
    }

    /// Nothing is sought: waits for a command.
    async fn rest(&mut self) -> Turn {
        let command = select! {
            () = self.token.cancelled() => return Turn::End,
            command = self.commands.recv() => command,
        };
        match command {
            Some(Command::Connect { username, answer }) => Turn::Seek(username, answer),
            Some(Command::Disconnect { answer }) => {
                self.keeper.show_idle();
                reply(answer, ());
                Turn::Rest
            }
            None => Turn::End,
        }
    }

    /// Seeks and holds a username until it is refused at first, or something else is wanted.
    async fn hold(&mut self, mut claim: Claim, answer: ConnectAnswer) -> Turn {
        let Self { commands, keeper, token } = self;
        let username = claim.username.clone();
        let status = keeper.status();
        let mut farewell = None;
        let interruption = {
            let kept = keeper.keep(&mut claim, answer);
            pin!(kept);
            loop {
                let command = select! {
                    () = &mut kept => return Turn::Rest,
                    () = token.cancelled() => break Interruption::End,
                    command = commands.recv() => command,
                };
                match command {
                    Some(Command::Connect { username: wanted, answer }) if wanted != username => {
                        break Interruption::Other(wanted, answer);
                    }
                    Some(Command::Connect { answer, .. }) => {
                        if matches!(*status.borrow(), LinkStatus::Connected { .. }) {
                            reply(answer, Ok(()));
                        } else {
                            break Interruption::Again(answer);
                        }
                    }
                    Some(Command::Disconnect { answer }) => {
                        farewell = Some(answer);
                        break Interruption::Rest;
                    }
                    None => break Interruption::End,
                }
            }
        };
        let turn = match interruption {
            Interruption::Again(answer) => return Turn::SeekAgain(claim, answer),
            Interruption::Other(username, answer) => Turn::Seek(username, answer),
            Interruption::Rest => Turn::Rest,
            Interruption::End => Turn::End,
        };
        keeper.leave(&claim).await;
        if let Some(answer) = farewell {
            reply(answer, ());
        }
        turn
    }
}

/// Why a claim is not kept on.
enum Interruption {
    Again(ConnectAnswer),
    Other(Username, ConnectAnswer),
    Rest,
    End,
}

/// Whoever asked may have gone; the answer is of no use to others.
pub(super) fn reply<T>(answer: oneshot::Sender<T>, outcome: T) {
    let _nobody_waits = answer.send(outcome);
}
