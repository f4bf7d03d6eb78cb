//! `peerctl setup`: from nothing to a daemon that runs, by questions. Each answer is tried as soon as it is given, and
//! nothing is written before the end.

mod answers;
mod questions;
mod rehearsal;
mod service;

use std::{path::Path, time::Duration};

use protocol::control::Status;

use self::{answers::Answers, questions::Questions, rehearsal::Draft, service::Service};
use super::{start, status};
use crate::{
    client::{Client, Reply},
    clock,
    error::Error,
    output::Output,
    prompt::Person,
    whose::Whose,
};

/// A coordinator that answered a moment ago lets a peer in within this time, or there is something to tell.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ASK_AGAIN: Duration = Duration::from_millis(50);

pub(super) async fn run(client: &Client, whose: &Whose, output: &Output) -> Result<(), Error> {
    let person = Person::at(output).ok_or(Error::NobodyToAsk("peerctl config path, and write that file"))?;
    let file = whose.config_file()?;
    output.note(
        "Hearsay shares files without a list of who has what. A few questions; Ctrl-C leaves all as it is.",
    );
    if file.exists()
        && !person.confirms(&format!("{} is there already. Write it anew?", file.display()), false)?
    {
        output.note("nothing was changed");
        return Ok(());
    }
    let draft = Draft::beside(&file)?;
    let answers = ask(&Questions { person: &person, output, draft: &draft }).await?;
    draft.check(&answers).await?;
    output.note(&format!("\n{}", answers.file()));
    if !person.confirms(&format!("Write this to {}?", file.display()), true)? {
        output.note("nothing was changed");
        return Ok(());
    }
    draft.put(&file)?;
    output.note(&format!("written: {}", file.display()));
    offer_to_start(client, whose, &person, &file, output).await
}

async fn ask(questions: &Questions<'_>) -> Result<Answers, Error> {
    let mut answers = Answers::default();
    questions.coordinator(&mut answers).await?;
    questions.username(&mut answers).await?;
    questions.shares(&mut answers).await?;
    questions.download_folder(&mut answers)?;
    questions.ports(&mut answers)?;
    questions.policy(&mut answers)?;
    Ok(answers)
}

async fn offer_to_start(
    client: &Client,
    whose: &Whose,
    person: &Person,
    file: &Path,
    output: &Output,
) -> Result<(), Error> {
    if client.status().await.is_ok() {
        output.note("peer-daemon runs already, and reads the file when it starts: peerctl restart");
        return Ok(());
    }
    let service = Service::possible(whose);
    let question = "Start the daemon now, and whenever you log in, as a service of yours (systemd)?";
    match service {
        Some(service) if person.confirms(question, true)? => service.install(person, output)?,
        _ if person.confirms("Start the daemon now?", true)? => {
            start::start(client, &whose.launch(&[])?).await?;
        }
        _ => {
            let file = file.display();
            output.note(&format!("to start it: peerctl start; to change what it is told: {file}"));
            return Ok(());
        }
    }
    status::print(&until_connected(client).await?, output)?;
    output.note("what next: peerctl search WORDS; if something does not work: peerctl doctor");
    Ok(())
}

/// Connected, or with the reason why not.
async fn until_connected(client: &Client) -> Result<Reply<Status>, Error> {
    let deadline = clock::now() + CONNECT_TIMEOUT;
    loop {
        let reply = client.status().await?;
        let is_decided = reply.value.connected || reply.value.connection_problem.is_some();
        if is_decided || clock::now() >= deadline {
            return Ok(reply);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
