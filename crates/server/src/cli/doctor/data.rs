//! Checks of what is stored: the data folder, the database, the contents of assets.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nodetool_store::{MigrationState, MigrationStatus, inspect, missing_blobs};
use rustix::fs::Access;

use super::{Finding, Patient};

const MIB: u64 = 1 << 20;
/// Free room below which things are about to fail, and below which they soon may.
const NO_ROOM: u64 = 256 * MIB;
const LITTLE_ROOM: u64 = 1024 * MIB;
/// A database up to this size is checked without being asked for.
const QUICK: u64 = 1024 * MIB;
/// A write-ahead log that is larger was not folded back for long.
const LONG_LOG: u64 = 256 * MIB;
/// Assets whose contents are looked for without being asked for.
const SAMPLE: usize = 1000;

/// The data folder: there, ours, closed to others, with room.
pub(super) fn folder(patient: &Patient) -> Vec<Finding> {
    let name = "data folder";
    let path = &patient.config.data_dir;
    let shown = path.display();
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let told = format!("{shown} is not there yet; the server makes it");
            return vec![Finding::fine(name, told)];
        }
        Err(e) => {
            let told = format!("{shown} cannot be looked at: {e}");
            return vec![Finding::broken(
                name,
                told,
                "name another one with --data-dir",
            )];
        }
    };
    if !about.is_dir() {
        let told = format!("{shown} is no folder");
        return vec![Finding::broken(
            name,
            told,
            "name another one with --data-dir",
        )];
    }
    let mut findings = Vec::new();
    if rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        findings.push(Finding::broken(
            name,
            format!("{shown} cannot be read and written by this user"),
            "run as its owner, or name another one with --data-dir",
        ));
    }
    if about.uid() != rustix::process::geteuid().as_raw() {
        findings.push(Finding::doubtful(
            name,
            format!("{shown} belongs to user {}, not to this one", about.uid()),
            "run as its owner, or change the owner with chown",
        ));
    }
    if about.mode() & 0o077 != 0 {
        findings.push(Finding::doubtful(
            name,
            format!("other users of this machine may look into {shown}"),
            format!("chmod 700 {shown}"),
        ));
    }
    match rustix::fs::statvfs(path) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let told = format!("{} MiB are free", free / MIB);
            let remedy = "make room: without it nothing can be stored";
            findings.push(match free {
                _ if free < NO_ROOM => Finding::broken("disk", told, remedy),
                _ if free < LITTLE_ROOM => Finding::doubtful("disk", told, remedy),
                _ => Finding::fine("disk", told),
            });
            // Some file systems have no fixed number of files.
            if disk.f_files > 0 && disk.f_favail < 1000 {
                let told = format!("there is room for {} more files", disk.f_favail);
                findings.push(Finding::doubtful("disk", told, "remove small files"));
            }
        }
        Err(e) => findings.push(Finding::doubtful(
            "disk",
            format!("its free room cannot be told: {e}"),
            "look at it with df",
        )),
    }
    if findings.iter().all(|f| f.name != name) {
        let told = format!("{shown} is writable and closed to others");
        findings.insert(0, Finding::fine(name, told));
    }
    findings
}

/// The database and what it refers to.
pub(super) async fn database(patient: &Patient) -> Vec<Finding> {
    let path = patient.config.database();
    let assets = patient.config.assets();
    let deep = patient.deep;
    let look = tokio::task::spawn_blocking(move || looked_at(&path, &assets, deep));
    look.await.unwrap_or_else(|_| {
        let remedy = "look at it with sqlite3";
        vec![Finding::broken("database", "looking at it failed", remedy)]
    })
}

fn looked_at(path: &Path, assets: &Path, deep: bool) -> Vec<Finding> {
    let name = "database";
    let shown = path.display();
    let about = match std::fs::metadata(path) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return vec![Finding::fine(name, "is not there yet; the server makes it")];
        }
        Err(e) => {
            let told = format!("{shown} cannot be looked at: {e}");
            return vec![Finding::broken(name, told, "run as the owner of the data")];
        }
    };
    let check = deep || about.len() <= QUICK;
    let files = if deep { usize::MAX } else { SAMPLE };
    let found = match inspect(path, check, files) {
        Ok(found) => found,
        Err(e) => {
            let told = format!("{shown} cannot be used: {e}");
            let remedy = "put a backup in its place, or name another data folder with --data-dir";
            return vec![Finding::broken(name, told, remedy)];
        }
    };
    let mut findings = vec![match &found.complaints {
        Some(complaints) if !complaints.is_empty() => Finding::broken(
            name,
            format!("{shown} is damaged: {}", complaints.join(", ")),
            "put a backup in its place",
        ),
        Some(_) => Finding::fine(name, format!("{} MiB, undamaged", about.len() / MIB)),
        None => Finding::fine(
            name,
            format!(
                "{} MiB, not checked for damage without --deep",
                about.len() / MIB
            ),
        ),
    }];
    if about.mode() & 0o077 != 0 {
        let told = format!("other users of this machine may read {shown}");
        findings.push(Finding::doubtful(name, told, format!("chmod 600 {shown}")));
    }
    findings.push(schema(&found.migrations));
    let log = std::fs::metadata(path.with_extension("sqlite3-wal"));
    let log = log.map_or(0, |about| about.len());
    if log > LONG_LOG {
        findings.push(Finding::doubtful(
            name,
            format!("its write-ahead log has {} MiB", log / MIB),
            "end programs that keep the database open, then start the server again",
        ));
    }
    findings.push(contents(assets, &found.file_ids, deep));
    findings
}

fn schema(migrations: &[MigrationStatus]) -> Finding {
    let name = "schema";
    let pending = migrations.iter();
    let pending = pending.filter(|m| m.state == MigrationState::Pending);
    match pending.count() {
        0 => {
            let newest = migrations.last().map_or("none", |m| &*m.version);
            Finding::fine(name, format!("is up to date (version {newest})"))
        }
        count => Finding::doubtful(
            name,
            format!("{count} changes of this version are missing"),
            "the server makes them when it starts, and so does `nodetool migrate up`",
        ),
    }
}

fn contents(folder: &Path, wanted: &[String], deep: bool) -> Finding {
    let name = "assets";
    let folder = &folder.join("files");
    let missing = missing_blobs(folder, wanted);
    let which = match deep || wanted.len() < SAMPLE {
        true => format!("{}", wanted.len()),
        false => format!("the newest {}", wanted.len()),
    };
    if missing.is_empty() {
        return Finding::fine(name, format!("the contents of {which} are there"));
    }
    let some: Vec<&str> = missing.iter().take(3).copied().collect();
    Finding::broken(
        name,
        format!(
            "of {which}, the contents of {} are missing ({}…)",
            missing.len(),
            some.join(", ")
        ),
        format!("put them back into {} from a backup", folder.display()),
    )
}
