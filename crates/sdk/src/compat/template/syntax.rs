//! What a template says, as a tree. Chains of operators and of `.`, `[]`, `|` steps are flat, so that the depth of the
//! tree is the depth of brackets and blocks, which the parser bounds.

use std::sync::Arc;

use nodetool_protocol::Value;

#[derive(Debug)]
pub(super) enum Stmt {
    Text(String),
    Emit(Expr, usize),
    If {
        branches: Vec<(Expr, Vec<Stmt>)>,
        otherwise: Vec<Stmt>,
        line: usize,
    },
    For(Box<For>),
    Set {
        targets: Vec<String>,
        value: Expr,
        line: usize,
    },
    /// `set` of a part of a namespace.
    SetPart {
        target: String,
        part: String,
        value: Expr,
        line: usize,
    },
    /// `set` with a body: its text through the filters.
    SetBlock {
        target: String,
        filters: Vec<Step>,
        body: Vec<Stmt>,
        line: usize,
    },
    With {
        bindings: Vec<(Vec<String>, Expr)>,
        body: Vec<Stmt>,
        line: usize,
    },
    Filter {
        filters: Vec<Step>,
        body: Vec<Stmt>,
        line: usize,
    },
    Macro(Arc<Macro>),
}

/// A piece of template under a name, with parameters.
#[derive(Debug)]
pub(super) struct Macro {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<Expr>)>,
    pub(super) body: Vec<Stmt>,
}

#[derive(Debug)]
pub(super) struct For {
    pub(super) targets: Vec<String>,
    pub(super) items: Expr,
    pub(super) condition: Option<Expr>,
    pub(super) body: Vec<Stmt>,
    pub(super) otherwise: Vec<Stmt>,
    pub(super) line: usize,
}

#[derive(Debug)]
pub(super) enum Expr {
    Const(Value),
    Var(String),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// A sign or `not`.
    Unary(Unary, Box<Expr>),
    /// Operators of one precedence, left to right.
    Chain(Box<Expr>, Vec<(Binary, Expr)>),
    /// `a < b < c`.
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    /// `then if condition else otherwise`.
    Choice(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
    Postfix(Box<Expr>, Vec<Step>),
}

/// What may follow a value.
#[derive(Debug)]
pub(super) enum Step {
    Attribute(String),
    Item(Expr),
    Slice(Option<Expr>, Option<Expr>, Option<Expr>),
    Call(Args),
    Filter(String, Args),
    Test {
        name: String,
        args: Args,
        negated: bool,
    },
}

#[derive(Debug, Default)]
pub(super) struct Args {
    pub(super) positional: Vec<Expr>,
    pub(super) named: Vec<(String, Expr)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Minus,
    Plus,
    Not,
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `~`
    Concat,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `//`
    FloorDiv,
    /// `%`
    Mod,
    /// `**`
    Pow,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}
