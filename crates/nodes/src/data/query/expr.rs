//! The tree of a condition.

use std::collections::HashSet;
use std::sync::Arc;

use nodetool_sdk::Value;

use super::text::Pattern;
use crate::data::key::Key;

/// A part of a condition.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    /// A literal.
    Const(Value),
    /// A list or tuple.
    List(Vec<Expr>),
    /// A list of literals, ready for look-ups.
    Set(Arc<Set>),
    /// The cell of a column, by number of the name.
    Name(usize),
    /// A value over a whole column, by number.
    Whole(usize),
    /// Logical negation.
    Not(Box<Expr>),
    /// Arithmetic negation.
    Minus(Box<Expr>),
    /// All hold.
    All(Vec<Expr>),
    /// At least one holds.
    Any(Vec<Expr>),
    /// A chain of comparisons.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    /// Arithmetic.
    Binary(Arithmetic, Box<Expr>, Box<Expr>),
    /// A function or method; the first argument is what it is called on.
    Call(Function, Vec<Expr>),
    /// A search in text.
    Search {
        /// The text.
        of: Box<Expr>,
        /// What is looked for.
        pattern: Pattern,
        /// The result for a missing text.
        missing: bool,
    },
    /// A member of an object.
    Member(Box<Expr>, Arc<str>),
    /// An item of a list, a character of a text, a member of an object.
    Item(Box<Expr>, Box<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    IsMissing,
    IsPresent,
    Between,
    Length,
    Lower,
    Upper,
    Trim,
    Includes,
    StartsWith,
    EndsWith,
    Abs,
    Round,
    Floor,
    Ceil,
    Sqrt,
    Exp,
    Log,
    Log10,
}

/// Literals of a list, prepared so that a look-up does not walk it.
#[derive(Debug)]
pub(super) struct Set {
    /// The literals.
    pub(super) items: Vec<Value>,
    /// Their keys; booleans count as numbers.
    pub(super) keys: HashSet<Key>,
    /// Keys of the numbers that texts among them spell.
    pub(super) spelled: HashSet<Key>,
    /// Whether null is among them.
    pub(super) missing: bool,
}
