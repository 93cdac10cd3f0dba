//! An asset store for tests: keeps what is created, reads and lists what it was given.

use std::sync::Mutex;

use bytes::Bytes;
use nodetool_sdk::services::{Assets, ListedAsset, NewAsset};
use nodetool_sdk::{BoxFuture, NodeError, Value};

#[derive(Default)]
pub(crate) struct Shelf {
    pub(crate) created: Mutex<Vec<NewAsset>>,
    pub(crate) listed: Vec<ListedAsset>,
    pub(crate) content: Bytes,
}

impl Assets for Shelf {
    fn read<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Bytes, NodeError>> {
        Box::pin(async { Ok(self.content.clone()) })
    }
    fn create<'a>(&'a self, asset: NewAsset) -> BoxFuture<'a, Result<Value, NodeError>> {
        self.created.lock().unwrap().push(asset);
        Box::pin(async { Ok(Value::map([("type", Value::from("text"))])) })
    }
    fn list<'a>(&'a self, _: &'a Value) -> BoxFuture<'a, Result<Vec<ListedAsset>, NodeError>> {
        Box::pin(async { Ok(self.listed.clone()) })
    }
}
