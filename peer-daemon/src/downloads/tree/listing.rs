//! The listing of a folder: fetched first, and kept until the folder is whole.

use std::sync::Arc;

use protocol::{
    FileId,
    folder::{ListingError, identity},
    limits::LISTING_BYTES_MAX,
};

use super::{account::lock, contents::Contents};
use crate::{
    downloads::{
        Downloads,
        batch::{Batch, Item},
        content::Content,
        failure::Failure,
        setback::Setback,
    },
    peer_stream::client::Requester,
};

impl Downloads {
    /// What is in the folder: as this process knows it, as an earlier one kept it, or as the source tells it.
    pub(super) async fn contents_of(
        &self,
        stream: &mut Requester,
        batch: &Batch,
        item: &Item,
    ) -> Result<Arc<Contents>, Failure> {
        if let Some(known) = self.known_contents(batch, item).await? {
            return Ok(known);
        }
        let listing = tokio::select! {
            listing = fetch_listing(stream, &item.file) => listing?,
            () = item.token.cancelled() => return Err(Failure::Cancelled),
        };
        let (store, id) = (self.shared.store.clone(), item.id);
        let reading = self.blocking(move || {
            let contents = Contents::read(&listing).map_err(no_listing)?;
            store.save_listing(id, &listing)?;
            Ok(Arc::new(contents))
        });
        let contents = reading.await?;
        let learnt = batch.change(item, |entry| entry.learn_listing(contents.summary()));
        learnt.ok_or(Failure::Cancelled)?;
        Ok(contents)
    }

    /// The same without asking the source.
    pub(super) async fn known_contents(
        &self,
        batch: &Batch,
        item: &Item,
    ) -> Result<Option<Arc<Contents>>, Failure> {
        let known = batch.change(item, |entry| match &entry.content {
            Content::Folder { account, .. } => lock(account).contents(),
            Content::File { .. } => None,
        });
        if let Some(contents) = known.ok_or(Failure::Cancelled)? {
            return Ok(Some(contents));
        }
        let (store, id, file) = (self.shared.store.clone(), item.id, item.file);
        let reading = self.blocking(move || {
            let kept = store.listing(id)?.filter(|kept| identity(kept) == Some(file));
            let contents = kept.map(|kept| Contents::read(&kept).map_err(no_listing)).transpose()?;
            Ok(contents.map(Arc::new))
        });
        reading.await
    }
}

/// The whole listing. One that is wrong may be an accident, once.
async fn fetch_listing(stream: &mut Requester, file: &FileId) -> Result<Vec<u8>, Failure> {
    // It comes from the source how much memory this takes.
    if file.size > LISTING_BYTES_MAX {
        return Err(no_listing(ListingError::TooLong).into());
    }
    for _ in 0..2 {
        let mut listing = Vec::with_capacity(usize::try_from(file.size).unwrap_or_default());
        let mut body = stream.fetch(file, 0..file.size).await?;
        while let Some(chunk) = body.chunk().await? {
            listing.extend_from_slice(&chunk);
        }
        if identity(&listing) == Some(*file) {
            return Ok(listing);
        }
    }
    Err(Setback::WrongPiece.into())
}

fn no_listing(error: ListingError) -> Setback {
    Setback::NoListing { why: error.to_string() }
}
