//! `nodetool.data`: tables of records.

pub(crate) mod query;
