//! Tests over the whole catalogue.

mod catalogue;
