//! Blocked usernames, in the control API.

use actix_web::{
    HttpResponse,
    web::{self, Data, Json, Query},
};
use protocol::{
    Code, Username,
    control::{Block, BlockRequest, Blocks as BlockList, SCHEMA},
};

use super::{
    error::ControlError,
    handlers::{Answer, Controls},
};
use crate::blocks::{BlockError, Blocks};

pub(super) async fn list(controls: Data<Controls>) -> Json<BlockList> {
    document(&controls.blocks)
}

pub(super) async fn add(
    controls: Data<Controls>,
    request: Json<BlockRequest>,
) -> Result<HttpResponse, ControlError> {
    let username = Username::parse(&request.username)?;
    changed(&controls, move |blocks| blocks.add(username)).await?;
    if let Some(network) = &controls.network {
        network.uploads.turn_away(&controls.blocks);
    }
    Ok(HttpResponse::Created().json(document(&controls.blocks).0))
}

pub(super) async fn remove(controls: Data<Controls>, request: Query<BlockRequest>) -> Answer<BlockList> {
    let username = Username::parse(&request.username)?;
    changed(&controls, move |blocks| blocks.remove(&username)).await?;
    Ok(document(&controls.blocks))
}

async fn changed(
    controls: &Controls,
    change: impl FnOnce(&Blocks) -> Result<(), BlockError> + Send + 'static,
) -> Result<(), ControlError> {
    let blocks = controls.blocks.clone();
    web::block(move || change(&blocks)).await.map_err(|_| Code::Internal)??;
    Ok(())
}

fn document(blocks: &Blocks) -> Json<BlockList> {
    let blocks = blocks.names().into_iter().map(|username| Block { username }).collect();
    Json(BlockList { schema: SCHEMA, blocks })
}
