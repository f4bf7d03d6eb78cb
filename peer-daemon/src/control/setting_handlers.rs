//! Settings, in the control API.

use std::path;

use actix_web::web::{self, Data, Json, Path};
use protocol::{
    Code,
    control::{Configuration, NewValue},
};

use super::{
    caller::Caller,
    error::ControlError,
    handlers::{Answer, Controls},
    page_folders::{self, Purpose},
};
use crate::config::settings::Settings;

/// Where the daemon listens for a browser and for others: a page doesn't change the doors that it stands in.
const NOT_THROUGH_THE_PAGE: [&str; 2] = ["gui", "listen"];
/// What others send is written there, so a page that falls into the wrong hands could have it lie anywhere.
const DOWNLOAD_FOLDER: &str = "download_dir";

pub(super) async fn show(controls: Data<Controls>, caller: Caller) -> Answer<Configuration> {
    changed(&controls, &caller, |_| Ok(())).await
}

pub(super) async fn set(
    controls: Data<Controls>,
    caller: Caller,
    name: Path<String>,
    request: Json<NewValue>,
) -> Answer<Configuration> {
    must_be_open_to(&caller, &name)?;
    let (by, library) = (caller.clone(), controls.library.clone());
    let change = move |settings: &Settings| {
        if *name == DOWNLOAD_FOLDER {
            let folder = path::Path::new(&request.value);
            page_folders::must_be_open_to(&by, folder, Purpose::Downloads, settings, &library)?;
        }
        Ok(settings.set(&name, &request.value)?)
    };
    changed(&controls, &caller, change).await
}

pub(super) async fn unset(
    controls: Data<Controls>,
    caller: Caller,
    name: Path<String>,
) -> Answer<Configuration> {
    must_be_open_to(&caller, &name)?;
    changed(&controls, &caller, move |settings| Ok(settings.unset(&name)?)).await
}

fn is_open_to(caller: &Caller, name: &str) -> bool {
    !(caller.is_page() && NOT_THROUGH_THE_PAGE.contains(&name))
}

fn must_be_open_to(caller: &Caller, name: &str) -> Result<(), ControlError> {
    if is_open_to(caller, name) {
        return Ok(());
    }
    Err(ControlError::new(Code::SettingInvalid, format!("{name} is not set here: peerctl config set {name}")))
}

/// The settings after a change, which is kept on the disk.
async fn changed(
    controls: &Controls,
    caller: &Caller,
    change: impl FnOnce(&Settings) -> Result<(), ControlError> + Send + 'static,
) -> Answer<Configuration> {
    let settings = controls.settings.clone();
    let shown = web::block(move || {
        change(&settings)?;
        settings.show().map_err(ControlError::from)
    });
    let mut shown = shown.await.map_err(|_| Code::Internal)??;
    for setting in &mut shown.settings {
        setting.settable &= is_open_to(caller, &setting.name);
    }
    Ok(Json(shown))
}
