//! The step types, one file each.

mod counter;

use nodetool_sdk::steps::Steps;

use crate::define;

/// Adds them in the order they are listed in.
pub(crate) fn register(types: &mut Steps) {
    types.add(define::<counter::Counter>());
}
