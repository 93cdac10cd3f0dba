//! The command line: data on stdout, everything else on stderr, and how a command ends.

mod assets;
mod assets_at_work;
mod chat;
mod doctor;
mod fake;
mod files;
mod hostile;
mod jobs;
mod loops;
mod migrate;
mod models;
mod nodes;
mod process;
mod reach;
mod run;
mod secrets;
mod users;
mod validate;
mod workflows;
