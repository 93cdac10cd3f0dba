//! Assets of any user, for administration.

use axum::extract::State;
use axum::response::Response;
use nodetool_store::{AssetFilter, AssetRow, new_id, now_micros};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::assets::{AssetBody, DeletedAssets, Made, filled, raw};
use super::super::error::FieldError;
use super::super::extract::{Fields, JsonBody, Path, Query};
use super::super::gate::Admin;
use super::super::{ApiError, AppState, Refusal, json};
use super::note;
use crate::services::{Caller, OWNER, TimeText, thumbnail_name, to_json};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_any_assets, create_any_asset))
        .routes(routes!(get_any_asset, delete_any_asset))
}

/// An asset as administration sees it: with the storage address of its thumbnail.
#[derive(Serialize, ToSchema)]
struct AdminAsset {
    id: String,
    user_id: String,
    workflow_id: Option<String>,
    parent_id: String,
    name: String,
    content_type: String,
    size: Option<i64>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    #[schema(value_type = String)]
    created_at: Made,
    get_url: Option<String>,
    thumb_url: Option<String>,
    duration: Option<f64>,
}

impl AdminAsset {
    fn of(app: &AppState, row: AssetRow) -> Result<Self, ApiError> {
        let pictured = ["image/", "video/"]
            .iter()
            .any(|kind| row.content_type.starts_with(kind));
        let thumbnail = AssetRow {
            file_id: thumbnail_name(&row.id),
            ..AssetRow::default()
        };
        Ok(AdminAsset {
            get_url: app.assets.address(&row),
            thumb_url: app.assets.address(&thumbnail).filter(|_| pictured),
            created_at: match row.created_at {
                0 => Made::Never(""),
                at => Made::At(TimeText(at)),
            },
            metadata: raw(row.metadata.as_deref())?,
            id: row.id,
            user_id: row.user_id,
            workflow_id: row.workflow_id,
            parent_id: row.parent_id,
            name: row.name,
            content_type: row.content_type,
            size: row.size,
            duration: row.duration,
        })
    }
}

#[derive(Serialize, ToSchema)]
struct AdminAssetList {
    next: String,
    assets: Vec<AdminAsset>,
}

fn user_of(query: &Query) -> String {
    filled(query, "user_id").unwrap_or_else(|| OWNER.into())
}

/// Assets of one user; those of the root folder when nothing is asked for.
#[utoipa::path(get, path = "/admin/assets", tag = "assets",
    params(
        ("user_id" = Option<String>, Query, description = "Whose; `1` when absent"),
        ("parent_id" = Option<String>, Query, description = "Only those directly in this folder"),
        ("content_type" = Option<String>, Query, description = "Only content types that begin like this"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
        ("page_size" = Option<usize>, Query, description = "1 to 10000; 100 when absent"),
    ),
    responses((status = 200, body = AdminAssetList), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 422, body = Refusal)))]
async fn list_any_assets(
    State(app): State<AppState>,
    _: Admin,
    query: Query,
) -> Result<Response, ApiError> {
    let owner = Caller::user(user_of(&query));
    let limit = query.int("page_size", 100usize, 1, 10_000)?;
    let filter = AssetFilter {
        parent_id: filled(&query, "parent_id"),
        content_type: filled(&query, "content_type"),
        ..AssetFilter::default()
    };
    let cursor = query.text("cursor").unwrap_or_default();
    let page = app.assets.list(&owner, filter, limit, cursor).await?;
    let assets = page.rows.into_iter().map(|row| AdminAsset::of(&app, row));
    Ok(json(&AdminAssetList {
        next: page.next,
        assets: assets.collect::<Result<_, _>>()?,
    }))
}

/// What administration sends to make an asset.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the shape of a body, for the API description")]
struct BringAsset {
    /// 32 hexadecimal digits; a new one when absent.
    id: Option<String>,
    /// The caller when absent.
    user_id: Option<String>,
    name: String,
    content_type: String,
    /// A folder of that user; their root when absent.
    parent_id: Option<String>,
    workflow_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
}

/// Makes the row of an asset of any user; its contents are stored by their key.
#[utoipa::path(post, path = "/admin/assets", tag = "assets", request_body = BringAsset,
    responses((status = 200, body = AssetBody), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 409, body = Refusal), (status = 413, body = Refusal), (status = 422, body = Refusal)))]
async fn create_any_asset(
    State(app): State<AppState>,
    admin: Admin,
    body: JsonBody,
) -> Result<Response, ApiError> {
    let mut f = Fields::new(body.object()?);
    let mut text = |key: &str| f.text(key).filter(|text| !text.is_empty());
    let now = now_micros();
    let mut row = AssetRow {
        id: text("id").unwrap_or_else(new_id),
        user_id: text("user_id").unwrap_or_else(|| admin.0.user_id.clone()),
        workflow_id: text("workflow_id"),
        parent_id: text("parent_id").unwrap_or_default(),
        created_at: now,
        updated_at: now,
        ..AssetRow::default()
    };
    row.name = f.required_text("name");
    row.content_type = f.required_text("content_type");
    row.metadata = f
        .object("metadata")
        .map(|m| to_json(&nodetool_protocol::Value::from(m)));
    f.finish()?;
    check_texts(&row)?;
    let row = app.assets.bring(row).await?;
    note(&admin, "admin.asset.create", "asset", &row.id);
    Ok(json(&AssetBody::of(&app, row)?))
}

/// Refuses texts longer than any the server makes itself.
pub(super) fn check_texts(row: &AssetRow) -> Result<(), ApiError> {
    let long = [
        ("metadata", row.metadata.as_deref(), 64 << 10),
        ("workflow_id", row.workflow_id.as_deref(), 256),
        ("node_id", row.node_id.as_deref(), 256),
        ("job_id", row.job_id.as_deref(), 256),
    ];
    for (key, text, limit) in long {
        if text.is_some_and(|text| text.len() > limit) {
            let msg = format!("Input should have at most {limit} bytes");
            let error = FieldError::at("value_error", &["body", key], msg);
            return Err(ApiError::invalid(vec![error]));
        }
    }
    Ok(())
}

/// An asset of any user; the id of a user is that user's root folder.
#[utoipa::path(get, path = "/admin/assets/{asset_id}", tag = "assets",
    params(("asset_id" = String, Path), ("user_id" = Option<String>, Query, description = "Whose root folder is asked for; `1` when absent")),
    responses((status = 200, body = AssetBody), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn get_any_asset(
    State(app): State<AppState>,
    _: Admin,
    Path(id): Path,
    query: Query,
) -> Result<Response, ApiError> {
    let row = app.assets.find_or_root(&user_of(&query), &id).await?;
    Ok(json(&AssetBody::of(&app, row)?))
}

/// Deletes an asset of the caller's own and all that is in it; those of others only their owner deletes.
#[utoipa::path(delete, path = "/admin/assets/{asset_id}", tag = "assets", params(("asset_id" = String, Path)),
    responses((status = 200, body = DeletedAssets), (status = 401, body = Refusal), (status = 403, body = Refusal), (status = 404, body = Refusal), (status = 422, body = Refusal)))]
async fn delete_any_asset(
    State(app): State<AppState>,
    admin: Admin,
    Path(id): Path,
) -> Result<Response, ApiError> {
    let deleted_asset_ids = app.assets.remove_own(&admin.0, &id).await?;
    note(&admin, "admin.asset.delete", "asset", &id);
    Ok(json(&DeletedAssets { deleted_asset_ids }))
}
