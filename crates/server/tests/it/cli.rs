//! The command line: data on stdout, everything else on stderr, and how a command ends.

mod files;
mod hostile;
mod migrate;
mod nodes;
mod process;
mod run;
mod validate;
