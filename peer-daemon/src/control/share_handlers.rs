//! Shares and links, in the control API. All of it looks at the disk, so all of it happens on blocking threads.

use std::{path::PathBuf, time::Duration};

use actix_web::{
    HttpResponse,
    web::{self, Data, Json, Query},
};
use protocol::{
    Code,
    control::{FileLink, NewShare, Origin, PathRequest, SharePreview, Shares},
};

use super::{
    caller::Caller,
    error::ControlError,
    handlers::{Answer, Controls},
    page_folders::{Purpose, must_be_open_to},
};
use crate::library::{Library, ShareError};

/// A preview that takes longer is of a folder too large to share by mistake; peerctl waits longer than this.
const PREVIEW_TIME: Duration = Duration::from_secs(20);

pub(super) async fn list(controls: Data<Controls>) -> Answer<Shares> {
    on_disk(&controls, |library| Ok(library.shares())).await.map(Json)
}

pub(super) async fn add(
    controls: Data<Controls>,
    caller: Caller,
    request: Json<NewShare>,
) -> Result<HttpResponse, ControlError> {
    let NewShare { path, folders } = request.into_inner();
    let (path, settings) = (absolute(path)?, controls.settings.clone());
    let shares = on_disk(&controls, move |library| {
        must_be_open_to(&caller, &path, Purpose::Share, &settings, library)?;
        library.add_share(&path, folders)?;
        Ok(library.shares())
    });
    Ok(HttpResponse::Created().json(shares.await?))
}

pub(super) async fn remove(controls: Data<Controls>, request: Query<PathRequest>) -> Answer<Shares> {
    let path = path(&request)?;
    let file = controls.settings.file();
    let shares = on_disk(&controls, move |library| {
        library.remove_share(&path).map_err(|error| match error {
            ShareError::Configured(origin) => ControlError::new(Code::ShareConfigured, set_by(origin, file)),
            error => error.into(),
        })?;
        Ok(library.shares())
    });
    shares.await.map(Json)
}

pub(super) async fn rescan(controls: Data<Controls>) -> Answer<Shares> {
    on_disk(&controls, |library| {
        library.rescan();
        Ok(library.shares())
    })
    .await
    .map(Json)
}

pub(super) async fn preview(
    controls: Data<Controls>,
    caller: Caller,
    request: Json<PathRequest>,
) -> Answer<SharePreview> {
    let (path, settings) = (path(&request)?, controls.settings.clone());
    let token = controls.token.child_token();
    let walk_token = token.clone();
    let mut preview = std::pin::pin!(on_disk(&controls, move |library| {
        must_be_open_to(&caller, &path, Purpose::Share, &settings, library)?;
        library.preview(&path, &walk_token).map_err(ControlError::from)
    }));
    let preview = match tokio::time::timeout(PREVIEW_TIME, &mut preview).await {
        Ok(preview) => preview,
        Err(_elapsed) => {
            token.cancel();
            preview.await
        }
    };
    preview.map(Json)
}

pub(super) async fn link(controls: Data<Controls>, request: Query<PathRequest>) -> Answer<FileLink> {
    let path = path(&request)?;
    on_disk(&controls, move |library| library.link(&path).map_err(ControlError::from)).await.map(Json)
}

fn path(request: &PathRequest) -> Result<PathBuf, ControlError> {
    absolute(request.path.clone())
}

/// The daemon's working directory says nothing to whoever asks, so paths come whole.
fn absolute(path: String) -> Result<PathBuf, ControlError> {
    let path = PathBuf::from(path);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(ControlError::new(Code::RequestInvalid, "the path must be absolute"))
    }
}

/// Where to take a share out that can't be taken out here.
fn set_by(origin: Origin, file: Option<String>) -> String {
    let place = match (origin, file) {
        (Origin::File, Some(file)) => format!("it is in {file}: take it out there"),
        (Origin::Environment, _) => "it is in HEARSAY_SHARE: take it out there".to_owned(),
        _ => "it was named with --share: leave that out".to_owned(),
    };
    format!("{place} and start again")
}

async fn on_disk<T: Send + 'static>(
    controls: &Controls,
    work: impl FnOnce(&Library) -> Result<T, ControlError> + Send + 'static,
) -> Result<T, ControlError> {
    let library = controls.library.clone();
    web::block(move || work(&library)).await.map_err(|_| Code::Internal)?
}
