//! A folder's download, once its stream is there: the listing, the folder on the disk, the files, the name.

use std::sync::{Arc, Mutex};

use protocol::{Conflict, SafeName};

use super::{
    account::{Account, SharedAccount, lock},
    contents::Contents,
    disk::PartTree,
    fetch::TreeFetch,
    look::{Found, Look},
    recorder::TreeRecorder,
};
use crate::{
    downloads::{
        Downloads,
        assemble::{ANNOUNCED, AssembleError},
        batch::{Batch, Item},
        content::{Content, Leftovers},
        entry::DownloadId,
        failure::Failure,
        folder::DownloadFolder,
        group::Group,
        holding::watch_running,
        plan::Plan,
        step::Step,
        store::{PartOf, Remains},
    },
    peer_stream::client::Requester,
};

/// What is known of a folder before the disk is looked at.
struct Known {
    tree: Option<Arc<PartTree>>,
    account: SharedAccount,
    remains: Option<Remains>,
    name: SafeName,
    conflict: Conflict,
}

enum Opened {
    /// As it is known to this process.
    InUse(Arc<PartTree>),
    /// With what is in it.
    Found(Arc<PartTree>, Account),
    /// An earlier process had finished it, under this name.
    Whole(SafeName),
}

impl Downloads {
    /// Fetches what is missing of a folder. Returns the name that it got.
    pub(in crate::downloads) async fn fetch_tree(
        &self,
        stream: &mut Requester,
        batch: &Batch,
        item: &Item,
    ) -> Result<SafeName, Failure> {
        let contents = self.contents_of(stream, batch, item).await?;
        // The source may have told less than there is.
        self.must_have_room(item.id).await?;
        let (tree, account) = match self.open_tree(batch, item, &contents).await? {
            Ok(opened) => opened,
            Err(name) => return Ok(name),
        };
        let recorder = TreeRecorder {
            id: item.id,
            account: Arc::clone(&account),
            tree: Arc::clone(&tree),
            store: self.shared.store.clone(),
            boot_id: Arc::clone(&self.shared.boot_id),
            group: Group::default(),
        };
        // From now on it is found again after a crash.
        recorder.record().await?;
        let key = batch.source().ok_or(Failure::Cancelled)?.reply_key;
        lock(&account).turn_to(key);
        let watched = Arc::clone(&tree);
        let watching = watch_running(
            &self.shared.folder,
            move |dir| watched.must_be_in(dir),
            || {
                let account = lock(&account);
                account.size() - account.tally().received
            },
        );
        let fetch = TreeFetch { stream, recorder: &recorder, contents: &contents, token: &item.token };
        fetch.run(watching).await?;
        let verifying = batch.change(item, |entry| {
            entry.take(Step::Verifying);
            entry.conflict
        });
        let conflict: Conflict = verifying.ok_or(Failure::Cancelled)?;
        self.blocking(move || Ok(tree.finish(&contents, conflict)?)).await
    }

    /// A folder that is whole and saved as such.
    pub(in crate::downloads) async fn forget_listing(&self, id: DownloadId) {
        let store = self.shared.store.clone();
        let forgetting = async {
            self.save().await?;
            self.blocking(move || Ok(store.forget_listing(id)?)).await
        };
        if let Err(error) = forgetting.await {
            tracing::warn!(%error, "a listing that is needed no more could not be forgotten");
        }
    }

    /// The folder in use, the one that was left, or a new one; the name of one that is whole already.
    async fn open_tree(
        &self,
        batch: &Batch,
        item: &Item,
        contents: &Arc<Contents>,
    ) -> Result<Result<(Arc<PartTree>, SharedAccount), SafeName>, Failure> {
        let known = batch.change(item, |entry| match &entry.content {
            Content::Folder { account, tree } => Some(Known {
                tree: tree.clone(),
                account: Arc::clone(account),
                remains: entry.remains.clone(),
                name: entry.name(),
                conflict: entry.conflict,
            }),
            Content::File { .. } => None,
        });
        let known = known.flatten().ok_or(Failure::Cancelled)?;
        if known.tree.is_none() && known.remains.is_some() {
            batch.take(item, Step::Checking);
        }
        let (account, downloads, id) = (Arc::clone(&known.account), self.clone(), item.id);
        let contents = Arc::clone(contents);
        let opened = self.blocking(move || downloads.look_for_tree(id, &known, &contents)).await?;
        let (tree, found) = match opened {
            Opened::Whole(name) => return Ok(Err(name)),
            Opened::InUse(tree) => (tree, None),
            Opened::Found(tree, found) => (tree, Some(found)),
        };
        let adopted = batch.change(item, |entry| {
            if let Some(found) = found {
                *lock(&account) = found;
            }
            entry.content = Content::Folder { account: Arc::clone(&account), tree: Some(Arc::clone(&tree)) };
            entry.take(Step::Transferring);
        });
        if adopted.is_none() {
            // Stopped meanwhile. What was there before is known; an empty folder must not stay.
            let discarding = Arc::clone(&tree);
            self.blocking(move || Ok(discarding.discard_empty()?)).await?;
            return Err(Failure::Cancelled);
        }
        Ok(Ok((tree, account)))
    }

    fn look_for_tree(
        &self,
        id: DownloadId,
        known: &Known,
        contents: &Arc<Contents>,
    ) -> Result<Opened, Failure> {
        let (folder, boot_id, store) = (self.shared.folder.open()?, &self.shared.boot_id, &self.shared.store);
        if let Some(tree) = &known.tree {
            match tree.must_be_in(&folder) {
                Ok(()) => return Ok(Opened::InUse(Arc::clone(tree))),
                Err(AssembleError::Gone(_)) => {}
                Err(error) => return Err(error.into()),
            }
        } else if let Some(remains) = &known.remains {
            let Known { name, conflict, .. } = known;
            let look = Look { name, contents, remains, conflict: *conflict, boot_id };
            match look.at(&folder)? {
                Found::Whole(name) => return Ok(Opened::Whole(name)),
                Found::Tree(tree, is_there) => {
                    let mut account = Account::of(Arc::clone(contents), &is_there);
                    for (number, remains) in store.parts(id)? {
                        let Some(file) = contents.files().get(number) else { continue };
                        let plan = Plan::restore(file.id, &remains.verified_bits);
                        account.begin(number, Arc::new(Mutex::new(plan)));
                    }
                    return Ok(Opened::Found(tree, account));
                }
                Found::Nothing => {}
            }
        }
        let tree = PartTree::create_announced(&folder, &known.name, |part| {
            let (part, boot_id) = (part.clone(), boot_id.to_string());
            let remains = Remains { part, inode: ANNOUNCED, verified_bits: Vec::new(), boot_id };
            store.save_remains(PartOf::Download(id), &remains).map_err(Failure::from)
        })?;
        Ok(Opened::Found(Arc::new(tree), Account::of(Arc::clone(contents), &[])))
    }
}

/// Removes what a download wrote of a folder, whether this process has it open or an earlier one left it. Blocks.
pub(in crate::downloads) fn discard_tree(
    folder: &DownloadFolder,
    downloads: &Downloads,
    leftovers: Leftovers,
) -> Result<(), Failure> {
    let Leftovers::Folder { id, account, tree, remains } = leftovers else { return Ok(()) };
    let store = &downloads.shared.store;
    let parts = store.parts(id)?;
    if let Some(tree) = tree {
        tree.close();
        let account = lock(&account);
        let Some(contents) = account.contents() else { return Ok(tree.discard_empty()?) };
        tree.discard(&contents, account.is_there(), &parts)?;
    } else if let Some(remains) = remains {
        let Some(listing) = store.listing(id)? else { return Ok(()) };
        let Ok(contents) = Contents::read(&listing) else { return Ok(()) };
        // What was merged is the person's by now.
        let conflict = Conflict::Skip;
        let (name, boot_id) = (&remains.part, &downloads.shared.boot_id);
        let look = Look { name, contents: &contents, remains: &remains, conflict, boot_id };
        if let Found::Tree(tree, is_there) = look.at(&folder.open()?)? {
            tree.discard(&contents, &is_there, &parts)?;
        }
    }
    Ok(())
}
