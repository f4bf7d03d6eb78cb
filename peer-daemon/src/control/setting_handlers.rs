//! Settings, in the control API.

use actix_web::web::{self, Data, Json, Path};
use protocol::{
    Code,
    control::{Configuration, NewValue},
};

use super::handlers::{Answer, Controls};
use crate::config::settings::{SettingError, Settings};

pub(super) async fn show(controls: Data<Controls>) -> Answer<Configuration> {
    changed(&controls, |_| Ok(())).await
}

pub(super) async fn set(
    controls: Data<Controls>,
    name: Path<String>,
    request: Json<NewValue>,
) -> Answer<Configuration> {
    changed(&controls, move |settings| settings.set(&name, &request.value)).await
}

pub(super) async fn unset(controls: Data<Controls>, name: Path<String>) -> Answer<Configuration> {
    changed(&controls, move |settings| settings.unset(&name)).await
}

/// The settings after a change, which is kept on the disk.
async fn changed(
    controls: &Controls,
    change: impl FnOnce(&Settings) -> Result<(), SettingError> + Send + 'static,
) -> Answer<Configuration> {
    let settings = controls.settings.clone();
    let shown = web::block(move || {
        change(&settings)?;
        settings.show()
    });
    Ok(Json(shown.await.map_err(|_| Code::Internal)??))
}
