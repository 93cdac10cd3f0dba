//! A form as plain data: which fields a step takes. What values mean and how they are rendered is not known here.

use std::fmt;

use nodetool_protocol::{Map, Value};

use crate::services::Services;
use crate::{BoxFuture, NodeError};

/// A choice: value and label.
pub type Choice = (String, String);

/// Loads the choices of a dependent field from the values of its parents.
pub type Loader =
    for<'a> fn(&'a Map, &'a Services) -> BoxFuture<'a, Result<Vec<Choice>, NodeError>>;

/// Checks clean values against each other: field (or `__all__`) and message of each fault.
pub type Check = fn(&Map) -> Vec<(&'static str, String)>;

/// What a field takes (orchestrator spec 2.2).
#[derive(Clone, Debug)]
pub enum FieldKind {
    /// One line.
    Text {
        /// Most characters.
        max: Option<usize>,
    },
    /// Many lines.
    Textarea {
        /// Rows shown.
        rows: u32,
        /// Edited as JSON.
        json: bool,
    },
    /// One line that is never shown.
    Password {
        /// Most characters.
        max: Option<usize>,
    },
    /// A whole number.
    Integer {
        /// Least.
        min: Option<i64>,
        /// Most.
        max: Option<i64>,
    },
    /// A number.
    Float {
        /// Least.
        min: Option<f64>,
        /// Most.
        max: Option<f64>,
    },
    /// A checkbox.
    Boolean,
    /// One of these.
    Choice(Vec<(&'static str, &'static str)>),
    /// One of what is loaded; without parents it is loaded when the form is shown.
    Dependent(Loader),
    /// A pool of browser sessions, `pool:<id>`; loaded when the form is shown.
    BrowserPool(Loader),
}

/// One field.
#[derive(Clone, Debug)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// What people read; `None` makes it of the name.
    pub label: Option<&'static str>,
    /// A sentence of help.
    pub help: Option<&'static str>,
    /// What is shown in an empty field.
    pub placeholder: Option<&'static str>,
    /// What it takes.
    pub kind: FieldKind,
    /// Whether it needs a value.
    pub required: bool,
    /// What clients put into a new form; never applied here (spec 2.1).
    pub initial: Option<Value>,
    /// Fields whose values it depends on, in order.
    pub parents: &'static [&'static str],
}

/// A form.
pub struct FormSpec {
    /// Its class name.
    pub name: &'static str,
    /// Its fields, in order.
    pub fields: Vec<FieldSpec>,
    /// Checks clean values against each other: field and message of each fault.
    pub check: Option<Check>,
}

impl fmt::Debug for FormSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormSpec")
            .field("name", &self.name)
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl FieldSpec {
    /// An optional field of this kind.
    pub fn new(name: &'static str, kind: FieldKind) -> Self {
        FieldSpec {
            name,
            label: None,
            help: None,
            placeholder: None,
            kind,
            required: false,
            initial: None,
            parents: &[],
        }
    }

    /// One line of text.
    pub fn text(name: &'static str) -> Self {
        Self::new(name, FieldKind::Text { max: None })
    }

    /// Many lines of text.
    pub fn textarea(name: &'static str) -> Self {
        let kind = FieldKind::Textarea {
            rows: 4,
            json: false,
        };
        Self::new(name, kind)
    }

    /// Many lines, edited as JSON.
    pub fn json(name: &'static str) -> Self {
        let kind = FieldKind::Textarea {
            rows: 8,
            json: true,
        };
        Self::new(name, kind)
    }

    /// A whole number.
    pub fn integer(name: &'static str) -> Self {
        let kind = FieldKind::Integer {
            min: None,
            max: None,
        };
        Self::new(name, kind)
    }

    /// A checkbox.
    pub fn boolean(name: &'static str) -> Self {
        Self::new(name, FieldKind::Boolean)
    }

    /// It needs a value.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Clients put this into a new form.
    #[must_use]
    pub fn initial(mut self, value: impl Into<Value>) -> Self {
        self.initial = Some(value.into());
        self
    }

    /// What people read.
    #[must_use]
    pub fn label(mut self, label: &'static str) -> Self {
        self.label = Some(label);
        self
    }

    /// A sentence of help.
    #[must_use]
    pub fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    /// The least whole number.
    #[must_use]
    pub fn least(mut self, least: i64) -> Self {
        if let FieldKind::Integer { min, .. } = &mut self.kind {
            *min = Some(least);
        }
        self
    }

    /// The greatest whole number.
    #[must_use]
    pub fn most(mut self, most: i64) -> Self {
        if let FieldKind::Integer { max, .. } = &mut self.kind {
            *max = Some(most);
        }
        self
    }

    /// Most characters.
    #[must_use]
    pub fn longest(mut self, characters: usize) -> Self {
        if let FieldKind::Text { max } | FieldKind::Password { max } = &mut self.kind {
            *max = Some(characters);
        }
        self
    }

    /// The fields it depends on, in order.
    #[must_use]
    pub fn after(mut self, parents: &'static [&'static str]) -> Self {
        self.parents = parents;
        self
    }
}
