//! `peerctl share`: which folders are offered to others.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use protocol::{
    control::{NewShare, Origin, SharePreview, Shares},
    limits::{FOLDER_DEPTH_MAX, FOLDER_FILES_MAX},
};

use super::{list, warnings::is_doubtful};
use crate::{
    client::{Client, Reply},
    error::Error,
    format,
    output::Output,
    paths,
    prompt::Person,
    table::{Align, Table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ShareCommand {
    /// Share folders from now on, also after a restart
    #[command(
        before_help = "Examples:\n  peerctl share add ~/Music\n  peerctl share add ~/Music --folders\n"
    )]
    Add {
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
        /// Offer each, and the folders in it, also as a whole: others see folder names, and what is in which
        #[arg(long)]
        folders: bool,
        /// Offer single files only from now on
        #[arg(long, conflicts_with = "folders")]
        no_folders: bool,
    },
    /// Stop sharing folders; what is being sent of them ends
    #[command(before_help = "Example:\n  peerctl share rm ~/Music\n")]
    Rm {
        /// As `peerctl share ls` shows it
        #[arg(required = true, value_name = "DIR")]
        dirs: Vec<PathBuf>,
    },
    /// List the shared folders
    #[command(before_help = "Examples:\n  peerctl share ls\n  peerctl share ls --json\n")]
    Ls,
    /// Look for changes now; most are noticed by themselves
    #[command(before_help = "Example:\n  peerctl share rescan\n")]
    Rescan,
    /// Show what others would see of a folder, and share nothing
    #[command(before_help = "Example:\n  peerctl share preview ~/Documents\n")]
    Preview {
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}

pub(super) async fn run(client: &Client, command: ShareCommand, output: &Output) -> Result<(), Error> {
    match command {
        ShareCommand::Add { dirs, folders, no_folders } => {
            let folders = (folders || no_folders).then_some(folders);
            let how = if folders == Some(true) { ", with its folders as a whole" } else { "" };
            let mut last = None;
            for dir in &dirs {
                let path = paths::absolute(dir)?;
                if !is_meant(dir, output)? {
                    note(output, &format!("not shared: {path}"));
                    continue;
                }
                last = Some(client.add_share(NewShare { path: path.clone(), folders }).await?);
                note(output, &format!("shared{how}: {path}"));
            }
            document(last, output)
        }
        ShareCommand::Rm { dirs } => {
            let mut last = None;
            for dir in &dirs {
                let path = paths::absolute(dir)?;
                last = Some(client.remove_share(&path).await?);
                note(output, &format!("not shared any more: {path}"));
            }
            document(last, output)
        }
        ShareCommand::Ls => list_shares(&client.shares().await?, output),
        ShareCommand::Rescan => {
            let reply = client.rescan_shares().await?;
            note(output, "looking for changes; see: peerctl share ls");
            document(Some(reply), output)
        }
        ShareCommand::Preview { dir } => preview(client, &dir, output).await,
    }
}

/// A person who shares all that they have is asked whether they mean it; a script is told, and means it.
fn is_meant(dir: &Path, output: &Output) -> Result<bool, Error> {
    let (Ok(folder), Ok(home)) = (dir.canonicalize(), paths::home()) else { return Ok(true) };
    if !is_doubtful(&folder, &home) {
        return Ok(true);
    }
    let doubt = format!(
        "{} is your home folder, or holds it: all in it that is not hidden could be found and fetched",
        folder.display()
    );
    if let Some(person) = Person::at(output) {
        return person.confirms(&format!("{doubt}. Share it?"), false);
    }
    note(output, &doubt);
    Ok(true)
}

/// What was done is told as it is done; a document comes at the end instead.
fn note(output: &Output, text: &str) {
    if !output.json() {
        output.note(text);
    }
}

fn document(reply: Option<Reply<Shares>>, output: &Output) -> Result<(), Error> {
    match reply {
        Some(reply) if output.json() => output.document(&reply.text),
        _ => Ok(()),
    }
}

fn list_shares(reply: &Reply<Shares>, output: &Output) -> Result<(), Error> {
    if reply.value.scanning && !reply.value.shares.is_empty() {
        note(output, "folders are being read; more files may come");
    }
    for share in reply.value.shares.iter().filter(|share| share.too_large_folders > 0) {
        let (path, folders) = (&share.path, counted_folders(share.too_large_folders));
        note(output, &format!("{path}: {folders} with too much to be offered as a whole; what is in it is"));
    }
    list::print(reply, table, "nothing is shared; share a folder: peerctl share add DIR", output)
}

fn table(Shares { shares, .. }: &Shares) -> Table {
    let mut table = Table::new(&[
        ("FILES", Align::Right),
        ("SIZE", Align::Right),
        ("FROM", Align::Left),
        ("FOLDER", Align::Left),
    ]);
    for share in shares {
        let whole = share.folders.then(|| format!(" ({} whole)", counted_folders(share.whole_folders)));
        let problem = share.problem.as_ref().map(|problem| format!(" ({problem})"));
        let remarks: String = whole.into_iter().chain(problem).collect();
        table.row(vec![
            share.files.to_string(),
            format::size(share.bytes),
            origin(share.origin).to_owned(),
            format!("{}{remarks}", share.path),
        ]);
    }
    table
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::RunTime => "share add",
        other => format::origin(other),
    }
}

async fn preview(client: &Client, dir: &Path, output: &Output) -> Result<(), Error> {
    let reply = client.preview_share(paths::absolute(dir)?).await?;
    if output.json() {
        return output.document(&reply.text);
    }
    let preview = &reply.value;
    let mut table = Table::new(&[("SIZE", Align::Right), ("NAME", Align::Left)]);
    for file in &preview.first {
        table.row(vec![format::size(file.size), file.name.to_string()]);
    }
    if !preview.first.is_empty() {
        output.table(&table)?;
    }
    for line in warnings(preview) {
        output.note(&line);
    }
    Ok(())
}

/// What the list does not say.
fn warnings(preview: &SharePreview) -> Vec<String> {
    let unlisted = preview.files.saturating_sub(preview.first.len() as u64);
    let mut lines: Vec<_> = [
        (unlisted, "more file is not listed here", "more files are not listed here"),
        (
            preview.hidden,
            "hidden file or folder would not be shared",
            "hidden files and folders would not be shared",
        ),
        (preview.links, "symbolic link would not be followed", "symbolic links would not be followed"),
        (
            preview.others,
            "unfinished download or special file would not be shared",
            "unfinished downloads or special files would not be shared",
        ),
        (preview.unreadable, "file or folder can't be read", "files and folders can't be read"),
        (
            preview.beyond_limits,
            "file or folder is beyond the limits",
            "files and folders are beyond the limits",
        ),
    ]
    .into_iter()
    .filter(|(count, ..)| *count > 0)
    .map(|(count, one, many)| format::counted(count, one, many))
    .collect();
    let see = if preview.folders { "names, sizes and folders" } else { "names and sizes, not folders" };
    lines.push(match preview.files {
        0 => "there is no file in it that could be shared".to_owned(),
        files => format!(
            "{}, {}: everybody who is connected could find and fetch {}; they see {see}",
            format::files(files),
            format::size(preview.bytes),
            if files == 1 { "it" } else { "them" },
        ),
    });
    lines.extend(about_folders(preview));
    lines
}

/// Whether its folders are offered as a whole, and which can't be.
fn about_folders(preview: &SharePreview) -> Vec<String> {
    let mut lines = Vec::new();
    if preview.whole_folders > 0 {
        let folders = counted_folders(preview.whole_folders);
        lines.push(if preview.folders {
            format!("{folders} offered as a whole, too")
        } else {
            format!("{folders} could be offered as a whole, too: peerctl share add --folders DIR")
        });
    }
    if preview.too_large_folders > 0 {
        lines.push(format!(
            "{} with too much to be offered as a whole: at most {FOLDER_FILES_MAX} files, {FOLDER_DEPTH_MAX} names deep",
            counted_folders(preview.too_large_folders)
        ));
    }
    lines
}

fn counted_folders(count: u64) -> String {
    format::counted(count, "folder", "folders")
}

#[cfg(test)]
mod tests {
    use super::warnings;
    use protocol::control::{PreviewedFile, SCHEMA, SharePreview};

    #[test]
    fn a_preview_says_what_stays_out_and_nothing_of_what_is_not_there() {
        let file = PreviewedFile { name: protocol::SafeName::sanitise("a"), size: 1 };
        let preview = SharePreview {
            schema: SCHEMA,
            path: "/x".to_owned(),
            files: 3,
            bytes: 2048,
            first: vec![file],
            hidden: 4,
            ..SharePreview::default()
        };
        let lines = warnings(&preview);
        assert_eq!(
            lines[..2],
            ["2 more files are not listed here", "4 hidden files and folders would not be shared"]
        );
        assert!(lines.len() == 3 && lines[2].starts_with("3 files, 2.0 KiB"), "{lines:?}");
        assert!(lines[2].ends_with("not folders"), "{lines:?}");

        let whole = SharePreview { folders: true, whole_folders: 2, too_large_folders: 1, ..preview.clone() };
        let lines = warnings(&whole);
        assert!(lines[2].ends_with("names, sizes and folders"), "{lines:?}");
        assert_eq!(lines[3], "2 folders offered as a whole, too");
        assert!(lines[4].starts_with("1 folder with too much"), "{lines:?}");
        let one = SharePreview { files: 1, first: Vec::new(), hidden: 1, links: 1, ..preview.clone() };
        let lines = warnings(&one);
        assert_eq!(
            lines[..3],
            [
                "1 more file is not listed here",
                "1 hidden file or folder would not be shared",
                "1 symbolic link would not be followed"
            ]
        );
        assert!(lines[3].starts_with("1 file, ") && lines[3].contains("fetch it;"), "{lines:?}");
        let nothing = SharePreview { files: 0, bytes: 0, first: Vec::new(), ..preview.clone() };
        assert_eq!(warnings(&nothing).last().unwrap(), "there is no file in it that could be shared");
        let could = warnings(&SharePreview { whole_folders: 1, ..preview });
        assert!(could[3].starts_with("1 folder could be"), "{could:?}");
    }
}
