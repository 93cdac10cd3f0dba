//! The refusals of the derives, word for word: for a node author the message is the product.
//!
//! After a change on purpose, `TRYBUILD=overwrite cargo test -p nodetool-macros` writes the `.stderr` files anew.
//! The files use no crate but this one, so nothing else is built for them.

#[test]
fn every_refusal_says_what_is_wrong_and_what_was_expected() {
    trybuild::TestCases::new().compile_fail("tests/it/refusals/*.rs");
}
