//! `lib.sqlite`: tables in database files of the workspace.

use nodetool_sdk::Registry;

mod cell;
mod create_table;
mod database;
mod delete;
mod execute_sql;
mod get_database_path;
mod insert;
mod name;
mod query;
#[cfg(test)]
mod testing;
mod update;

pub(crate) fn register(r: &mut Registry) {
    r.add::<create_table::CreateTable>();
    r.add::<insert::Insert>();
    r.add::<query::Query>();
    r.add::<update::Update>();
    r.add::<delete::Delete>();
    r.add::<execute_sql::ExecuteSQL>();
    r.add::<get_database_path::GetDatabasePath>();
}
