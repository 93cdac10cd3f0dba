//! The tables were worked out in UTC, and a process cannot safely change its own time zone: where the zone is another
//! one, a test starts again as a process of its own.

use std::process::Command;

/// Runs the named test in UTC when this process is not; true when that is done.
pub(super) fn started_again(test: &str) -> bool {
    if zone().as_deref() == Some("UTC") {
        return false;
    }
    let program = std::env::current_exe().unwrap_or_else(|e| panic!("this program: {e}"));
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture"])
        .env("TZ", "UTC")
        .output()
        .unwrap_or_else(|e| panic!("cannot start again: {e}"));
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    let one_ran = said.contains("1 passed");
    assert!(
        output.status.success() && one_ran,
        "in UTC: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests have no Config; this is the zone the system's clock is read in"
)]
fn zone() -> Option<String> {
    std::env::var("TZ").ok()
}
