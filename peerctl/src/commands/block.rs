//! `peerctl block`: whom this peer is not there for.

use clap::Subcommand;
use protocol::control::Blocks;

use crate::{
    client::{Client, Reply},
    error::Error,
    output::Output,
};

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// Give nothing to these usernames, and to those that look like them; what they get now ends
    #[command(before_help = "Example:\n  peerctl block add mallory\n")]
    Add {
        #[arg(required = true, value_name = "USERNAME")]
        usernames: Vec<String>,
    },
    /// Take usernames off the list
    #[command(before_help = "Example:\n  peerctl block rm mallory\n")]
    Rm {
        /// As `peerctl block ls` shows it
        #[arg(required = true, value_name = "USERNAME")]
        usernames: Vec<String>,
    },
    /// List the blocked usernames
    #[command(before_help = "Examples:\n  peerctl block ls\n  peerctl block ls --json\n")]
    Ls,
}

pub(super) async fn run(client: &Client, command: BlockCommand, output: &Output) -> Result<(), Error> {
    let reply = match command {
        BlockCommand::Ls => return list(&client.blocks().await?, output),
        BlockCommand::Add { usernames } => {
            let mut last = None;
            for username in usernames {
                last = Some(client.block(username.clone()).await?);
                note(output, &format!("blocked: {username}"));
            }
            last
        }
        BlockCommand::Rm { usernames } => {
            let mut last = None;
            for username in usernames {
                last = Some(client.unblock(&username).await?);
                note(output, &format!("not blocked any more: {username}"));
            }
            last
        }
    };
    match reply {
        Some(reply) if output.json() => output.document(&reply.text),
        _ => Ok(()),
    }
}

/// What was done is told as it is done; a document comes at the end instead.
fn note(output: &Output, text: &str) {
    if !output.json() {
        output.note(text);
    }
}

fn list(reply: &Reply<Blocks>, output: &Output) -> Result<(), Error> {
    if output.json() {
        return output.document(&reply.text);
    }
    if reply.value.blocks.is_empty() {
        output.note("nobody is blocked; to block somebody: peerctl block add USERNAME");
    }
    reply.value.blocks.iter().try_for_each(|block| output.line(block.username.as_str()))
}
