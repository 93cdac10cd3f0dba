//! MessagePack as clients of the sockets write and read it (socket spec 2.4 and 2.5).
//!
//! Both ends are narrower than the format: integers a script cannot hold leave as floats or text, and what comes in is
//! read without trusting a declared length. It must not know what the messages mean.

mod read;
mod write;

pub use read::from_slice;
pub use write::{to_vec, to_vec_with};

/// Levels of lists and objects a message may have.
pub const MAX_DEPTH: usize = 128;
/// Values a message may hold; a small frame of tiny values must not become gigabytes of memory.
pub const MAX_VALUES: usize = 4_000_000;

/// Why something is no message, or cannot become one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// The bytes end within a value.
    #[error("byte {at}: the message ends where {expected} is expected")]
    Short {
        /// Where.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// A form that is not used here.
    #[error("byte {at}: {what}")]
    Form {
        /// Where.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// Something follows the message.
    #[error("byte {at}: {left} more bytes after the end of the message")]
    Trailing {
        /// Where.
        at: usize,
        /// How many.
        left: usize,
    },
    /// Lists and objects within each other.
    #[error("more than {MAX_DEPTH} levels of lists and objects")]
    TooDeep,
    /// Very many values.
    #[error("more than {MAX_VALUES} values")]
    TooMany,
    /// A value refused to be written.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for PackError {
    fn custom<T: std::fmt::Display>(msg: T) -> Self {
        PackError::Custom(msg.to_string())
    }
}

#[cfg(test)]
mod tests;
