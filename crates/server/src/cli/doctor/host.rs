//! Checks of this machine: its clock, its limits, and whether scripts can be confined on it.

use std::time::{Duration, SystemTime};

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::services::SandboxedScripts;

/// This program did not exist before (the beginning of 2026).
const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
/// Open files a server cannot do without, and those it should have.
const FEW_FILES: u64 = 256;
const SOME_FILES: u64 = 1024;
/// Time for a script that does next to nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ids and times follow the clock.
pub(super) fn clock() -> Vec<Finding> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let right = since.is_ok_and(|since| since > EARLIEST);
    vec![if right {
        Finding::fine("clock", "is set")
    } else {
        let told = "says a time before this program was made";
        Finding::broken("clock", told, "set it: ids and tokens depend on it")
    }]
}

/// Every connection is an open file.
pub(super) fn open_files() -> Vec<Finding> {
    let name = "open files";
    let remedy = "raise the limit, e.g. with `ulimit -n 65536` or LimitNOFILE= of the unit";
    vec![match getrlimit(Resource::Nofile).current {
        None => Finding::fine(name, "are not limited"),
        Some(most) if most < FEW_FILES => {
            Finding::broken(name, format!("only {most} are allowed"), remedy)
        }
        Some(most) if most < SOME_FILES => {
            Finding::doubtful(name, format!("only {most} are allowed"), remedy)
        }
        Some(most) => Finding::fine(name, format!("{most} are allowed")),
    }]
}

/// Scripts of workflows run in confined processes.
pub(super) async fn sandbox() -> Vec<Finding> {
    let name = "sandbox";
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(e) => {
            let told = format!("this program does not find itself: {e}");
            return vec![Finding::broken(name, told, "put its file back")];
        }
    };
    let scripts = SandboxedScripts::new(program);
    let confined = match tokio::time::timeout(PATIENCE, scripts.probe()).await {
        Ok(Ok(confined)) => confined,
        failed => {
            let why = match failed {
                Ok(Err(why)) => why,
                _ => format!("no answer within {} s", PATIENCE.as_secs()),
            };
            return vec![Finding::broken(
                name,
                format!("scripts cannot run: {why}"),
                "let this user start processes and give them memory",
            )];
        }
    };
    let missing: Vec<&str> = [
        (confined.limits, "limits"),
        (confined.no_new_privileges, "no new privileges"),
        (confined.system_calls, "a filter of system calls (seccomp)"),
    ]
    .iter()
    .filter_map(|(there, what)| (!there).then_some(*what))
    .collect();
    vec![if missing.is_empty() {
        Finding::fine(name, "scripts run, fully confined")
    } else {
        Finding::doubtful(
            name,
            format!("scripts run without {}", missing.join(", ")),
            "run only workflows you trust, or use a kernel and a container that allow it",
        )
    }]
}
