//! Google Sheets: the accounts of a user, the fields its steps share, and the calls they make.
//!
//! A user's accounts are those the user has connected, whose tokens the server keeps, and those in two secrets:
//! `GOOGLE_SERVICE_ACCOUNT_JSON` holds the key file of a service account, `GOOGLE_OAUTH_TOKEN` an access token or a JSON
//! object with `refresh_token`, `client_id` and `client_secret`. Both may hold a JSON array of several.
//! `GOOGLE_API_BASE_URL` names another server that speaks the same API.

mod account;
mod client;
#[cfg(test)]
pub(super) mod fake;
mod form;
mod query;
mod record;

pub(super) use account::{BASE_URL, OAUTH, SERVICE_ACCOUNT};
pub(super) use client::Sheets;
pub(super) use form::{FieldsOf, sheet_fields};
pub(super) use query::{Condition, conditions};
pub(super) use record::{find, read_row};
