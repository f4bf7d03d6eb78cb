//! The link's one task: does what the person wants (connect, disconnect) and ends with the daemon.

use std::time::Instant;

use protocol::Username;
use tokio::{
    pin, select,
    sync::{mpsc, oneshot},
};
use tokio_util::sync::CancellationToken;

use super::{
    ConnectError, LinkStatus,
    claim::Claim,
    session::{Keeper, Wish},
};

pub(super) enum Command {
    Connect { username: Username, patient_until: Option<Instant>, answer: ConnectAnswer },
    Disconnect { answer: oneshot::Sender<()> },
}

/// Where the first attempt's outcome goes.
pub(super) type ConnectAnswer = oneshot::Sender<Result<(), ConnectError>>;

/// What the task does next.
enum Turn {
    Rest,
    Seek(Username, Wish),
    /// This claim, at once: the person does not want to wait for the backoff, or it is granted already.
    Hold(Claim, Wish),
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
                Turn::Seek(username, wish) => {
                    let claim = self.keeper.claimer().claim(username).await;
                    self.hold(claim, wish).await
                }
                Turn::Hold(claim, wish) => self.hold(claim, wish).await,
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
            Some(Command::Connect { username, patient_until, answer }) => {
                Turn::Seek(username, Wish { granted: None, patient_until, answer })
            }
            Some(Command::Disconnect { answer }) => {
                self.keeper.show_idle();
                reply(answer, ());
                Turn::Rest
            }
            None => Turn::End,
        }
    }

    /// Seeks and holds a username until it is refused at first, or something else is wanted.
    async fn hold(&mut self, mut claim: Claim, wish: Wish) -> Turn {
        let Self { commands, keeper, token } = self;
        let username = claim.username.clone();
        let status = keeper.status();
        let is_connected = || matches!(*status.borrow(), LinkStatus::Connected { .. });
        let claimer = keeper.claimer();
        let mut farewell = None;
        let interruption = {
            let kept = keeper.keep(&mut claim, wish);
            pin!(kept);
            loop {
                let command = select! {
                    () = &mut kept => return Turn::Rest,
                    () = token.cancelled() => break Interruption::End,
                    command = commands.recv() => command,
                };
                match command {
                    Some(Command::Connect { username: wanted, patient_until, answer }) => {
                        let is_other = wanted != username;
                        if !is_connected() {
                            let wish = Wish { granted: None, patient_until, answer };
                            break if is_other {
                                Interruption::Other(wanted, wish)
                            } else {
                                Interruption::Again(wish)
                            };
                        }
                        if !is_other {
                            reply(answer, Ok(()));
                            continue;
                        }
                        // What is held is kept, and polled, until the other one is granted.
                        let (next, outcome) = select! {
                            () = &mut kept => return Turn::Rest,
                            () = token.cancelled() => break Interruption::End,
                            outcome = claimer.claim_beside(&username, wanted) => outcome,
                        };
                        match outcome {
                            Ok(response) => {
                                let wish = Wish { granted: Some(response), patient_until: None, answer };
                                break Interruption::Renamed(next, wish);
                            }
                            Err(failure) => reply(answer, Err(failure.into())),
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
            Interruption::Again(wish) => return Turn::Hold(claim, wish),
            Interruption::Other(username, wish) => Turn::Seek(username, wish),
            Interruption::Renamed(next, wish) => Turn::Hold(next, wish),
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
    Again(Wish),
    Other(Username, Wish),
    /// Another username is ours already.
    Renamed(Claim, Wish),
    Rest,
    End,
}

/// Whoever asked may have gone; the answer is of no use to others.
pub(super) fn reply<T>(answer: oneshot::Sender<T>, outcome: T) {
    let _nobody_waits = answer.send(outcome);
}
