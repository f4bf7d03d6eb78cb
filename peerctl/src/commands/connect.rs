//! `peerctl connect USERNAME`. When the name is taken or not allowed, a person is asked for another.

use protocol::{Code, control::Status};

use super::status;
use crate::{
    client::{Client, Reply},
    error::Error,
    output::Output,
    prompt::Person,
};

pub(super) async fn run(client: &Client, username: String, output: &Output) -> Result<(), Error> {
    let reply = connect(client, username, output).await?;
    if output.json() {
        output.document(&reply.text)?;
    } else if reply.value.connected {
        output.line(&status::connection(&reply.value))?;
    }
    if reply.value.connected {
        if let Some(username) = &reply.value.username
            && output.is_for_a_person()
            && let Some(at_start) = username_at_start(client).await
            && at_start.as_deref() != Some(username.as_str())
        {
            output.note(&format!(
                "to be {username} from each start on: peerctl config set username {username}"
            ));
        }
        return Ok(());
    }
    let problem = reply.value.connection_problem.unwrap_or_else(|| "the daemon is still trying".to_owned());
    Err(Error::NotConnected(problem))
}

/// Asks for as long as the person goes on answering.
async fn connect(client: &Client, mut username: String, output: &Output) -> Result<Reply<Status>, Error> {
    loop {
        let error = match client.connect(username.trim()).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        let question = match &error {
            Error::Problem(problem)
                if matches!(problem.code, Code::UsernameTaken | Code::UsernameInvalid) =>
            {
                let reason = problem.detail.as_deref().unwrap_or(&problem.title);
                format!("{reason}; another username (empty to give up)")
            }
            _ => return Err(error),
        };
        let Some(person) = Person::at(output) else { return Err(error) };
        // Ctrl-C at the prompt is no answer either.
        match person.ask(&question) {
            Ok(Some(answer)) => username = answer,
            Ok(None) | Err(_) => return Err(error),
        }
    }
}

/// As whom the daemon connects when it starts, if as anybody. `None` where it does not tell.
pub(super) async fn username_at_start(client: &Client) -> Option<Option<String>> {
    let settings = client.configuration().await.ok()?.value.settings;
    let setting = settings.into_iter().find(|setting| setting.name == "username")?;
    Some(setting.at_next_start.map_or(setting.value, |next| next.value))
}
