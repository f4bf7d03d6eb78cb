//! A folder's download, once its stream is there: the listing, the folder on the disk, the files, the name.

use std::sync::{Arc, Mutex};

use protocol::{Conflict, SafeName};
use tokio_util::sync::CancellationToken;

use super::{
    account::{Account, SharedAccount, lock},
    contents::Contents,
    disk::PartTree,
    fetch::TreeFetch,
    large,
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
    Tree(TreeRecorder),
    /// An earlier process had finished it, under this name.
    Whole(SafeName),
}

enum Looked {
    /// As it is known to this process.
    InUse(Arc<PartTree>),
    /// With what is in it.
    Found(Arc<PartTree>, Account),
    Whole(SafeName),
    Nothing,
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
        let recorder = match self.open_left_tree(batch, item, &contents).await? {
            Some(Opened::Tree(recorder)) => recorder,
            Some(Opened::Whole(name)) => return Ok(name),
            None => self.create_tree(batch, item, &contents).await?,
        };
        batch.take(item, Step::Transferring);
        let key = batch.source().ok_or(Failure::Cancelled)?.reply_key;
        lock(&recorder.account).turn_to(key);
        let (watched, account) = (Arc::clone(&recorder.tree), Arc::clone(&recorder.account));
        let watching = watch_running(
            &self.shared.folder,
            move |dir| watched.must_be_in(dir),
            || {
                let account = lock(&account);
                account.size() - account.tally().received
            },
        );
        let (folder, token) = (&item.file, &item.token);
        let fetch = TreeFetch { stream, recorder: &recorder, folder, contents: &contents, token };
        fetch.run(watching).await?;
        self.complete_tree(batch, item, recorder.tree, contents).await
    }

    /// Looks at what was written of a folder, without a source. Returns its name if that was all.
    pub(in crate::downloads) async fn take_up_tree(
        &self,
        batch: &Batch,
        item: &Item,
    ) -> Result<Option<SafeName>, Failure> {
        let Some(contents) = self.known_contents(batch, item).await? else { return Ok(None) };
        match self.open_left_tree(batch, item, &contents).await? {
            Some(Opened::Whole(name)) => Ok(Some(name)),
            Some(Opened::Tree(recorder)) if lock(&recorder.account).is_whole() => {
                self.complete_tree(batch, item, recorder.tree, contents).await.map(Some)
            }
            Some(Opened::Tree(_)) | None => Ok(None),
        }
    }

    /// All files are there: the folder gets its name.
    async fn complete_tree(
        &self,
        batch: &Batch,
        item: &Item,
        tree: Arc<PartTree>,
        contents: Arc<Contents>,
    ) -> Result<SafeName, Failure> {
        let conflict = batch.begin_to_complete(item)?;
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

    /// The folder in use, or the one that was left, if there is one.
    async fn open_left_tree(
        &self,
        batch: &Batch,
        item: &Item,
        contents: &Arc<Contents>,
    ) -> Result<Option<Opened>, Failure> {
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
        let account = Arc::clone(&known.account);
        let (downloads, id, listed) = (self.clone(), item.id, Arc::clone(contents));
        let token = item.token.clone();
        let looked = self.blocking(move || downloads.look_for_tree(id, &known, &listed, &token)).await?;
        match looked {
            Looked::Whole(name) => Ok(Some(Opened::Whole(name))),
            Looked::InUse(tree) => Ok(Some(Opened::Tree(self.tree_recorder(item.id, account, tree)))),
            Looked::Found(tree, found) => {
                let recorder = self.adopt_tree(batch, item, tree, found).ok_or(Failure::Cancelled)?;
                large::take_up(&recorder, contents, &item.token).await?;
                recorder.record().await?;
                Ok(Some(Opened::Tree(recorder)))
            }
            Looked::Nothing => Ok(None),
        }
    }

    fn look_for_tree(
        &self,
        id: DownloadId,
        known: &Known,
        contents: &Arc<Contents>,
        token: &CancellationToken,
    ) -> Result<Looked, Failure> {
        let (folder, boot_id, store) = (self.shared.folder.open()?, &self.shared.boot_id, &self.shared.store);
        if let Some(tree) = &known.tree {
            return match tree.must_be_in(&folder) {
                Ok(()) => Ok(Looked::InUse(Arc::clone(tree))),
                Err(AssembleError::Gone(_)) => Ok(Looked::Nothing),
                Err(error) => Err(error.into()),
            };
        }
        let Some(remains) = &known.remains else { return Ok(Looked::Nothing) };
        let Known { name, conflict, .. } = known;
        let look = Look { name, contents, remains, conflict: *conflict, boot_id, token };
        match look.at(&folder)? {
            Found::Whole(name) => Ok(Looked::Whole(name)),
            Found::Tree(tree, is_there) => {
                let mut account = Account::of(Arc::clone(contents), &is_there);
                for (number, remains) in store.parts(id)? {
                    let Some(file) = contents.files().get(number) else { continue };
                    let plan = Plan::restore(file.id, &remains.verified_bits);
                    account.recall(number, Arc::new(Mutex::new(plan)));
                }
                Ok(Looked::Found(tree, account))
            }
            Found::Nothing => Ok(Looked::Nothing),
        }
    }

    async fn create_tree(
        &self,
        batch: &Batch,
        item: &Item,
        contents: &Arc<Contents>,
    ) -> Result<TreeRecorder, Failure> {
        let name = batch.change(item, |entry| entry.name()).ok_or(Failure::Cancelled)?;
        let (folder, store) = (Arc::clone(&self.shared.folder), self.shared.store.clone());
        let (id, boot_id) = (item.id, self.shared.boot_id.to_string());
        let creating = self.blocking(move || {
            let tree = PartTree::create_announced(&folder.open()?, &name, |part| {
                let (part, boot_id) = (part.clone(), boot_id.clone());
                let remains = Remains { part, inode: ANNOUNCED, verified_bits: Vec::new(), boot_id };
                store.save_remains(PartOf::Download(id), &remains).map_err(Failure::from)
            })?;
            Ok(Arc::new(tree))
        });
        let tree = creating.await?;
        let account = Account::of(Arc::clone(contents), &[]);
        let Some(recorder) = self.adopt_tree(batch, item, Arc::clone(&tree), account) else {
            // Stopped meanwhile: an empty folder must not stay.
            self.blocking(move || Ok(tree.discard_empty()?)).await?;
            return Err(Failure::Cancelled);
        };
        // From now on it is found again after a crash.
        recorder.record().await?;
        Ok(recorder)
    }

    /// Makes a folder that of the download, unless it was stopped meanwhile.
    fn adopt_tree(
        &self,
        batch: &Batch,
        item: &Item,
        tree: Arc<PartTree>,
        found: Account,
    ) -> Option<TreeRecorder> {
        let account = batch.change(item, |entry| {
            let Content::Folder { account, tree: known } = &mut entry.content else { return None };
            *lock(account) = found;
            *known = Some(Arc::clone(&tree));
            Some(Arc::clone(account))
        });
        account.flatten().map(|account| self.tree_recorder(item.id, account, tree))
    }

    fn tree_recorder(&self, id: DownloadId, account: SharedAccount, tree: Arc<PartTree>) -> TreeRecorder {
        let (store, boot_id) = (self.shared.store.clone(), Arc::clone(&self.shared.boot_id));
        TreeRecorder { id, account, tree, store, boot_id, group: Group::default() }
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
        // A daemon that ends does not wait for it.
        let token = &downloads.shared.parts.token;
        let look = Look { name, contents: &contents, remains: &remains, conflict, boot_id, token };
        if let Found::Tree(tree, is_there) = look.at(&folder.open()?)? {
            tree.discard(&contents, &is_there, &parts)?;
        }
    }
    Ok(())
}
