//! The browser as a program of this machine: where it is, and how it is started.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};

/// Names it goes by.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "headless_shell",
];

/// It takes orders on descriptor 3 and answers on 4; programs are started with the first three only, so a shell hands
/// two of those on. Nobody else on the machine can reach them, and the browser ends when they are closed.
const HAND_ON: &str = "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null";

/// What it does without: windows, sounds, extensions, passwords, and all it would fetch of its own accord.
const ARGUMENTS: [&str; 27] = [
    "--headless",
    "--remote-debugging-pipe",
    "--block-new-web-contents",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-client-side-phishing-detection",
    "--disable-component-extensions-with-background-pages",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication,DialMediaRouteProvider",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--hide-scrollbars",
    "--js-flags=--max-old-space-size=512",
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-service-autorun",
    "--password-store=basic",
    "--renderer-process-limit=8",
];

/// The network is the proxy and nothing else: no names are resolved, the machine itself is no exception, and calls
/// between browsers send nothing past it (the flag has had two names).
const NETWORK: [&str; 4] = [
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
];

/// Where a browser is: the one that was named, else the first of a search path.
pub(super) fn find(named: &Path, search_path: &OsString) -> Option<PathBuf> {
    if !named.as_os_str().is_empty() {
        return is_program(named).then(|| named.to_owned());
    }
    let folders: Vec<PathBuf> = std::env::split_paths(search_path)
        .filter(|folder| folder.is_absolute())
        .collect();
    let places = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.into_iter().find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// How a browser is started.
pub(super) struct Start<'a> {
    pub(super) program: &'a Path,
    pub(super) search_path: &'a OsString,
    /// Its folder; nobody else's.
    pub(super) profile: &'a Path,
    pub(super) proxy: &'a str,
    /// Whether what pages run is confined by the system.
    pub(super) sandbox: bool,
}

impl Start<'_> {
    /// Starts it, with its pipe as standard input and output.
    pub(super) fn spawn(&self) -> io::Result<Child> {
        // What a process that was cut down leaves behind would keep the next one out.
        for name in ["SingletonLock", "SingletonCookie", "SingletonSocket"] {
            match fs::remove_file(self.profile.join(name)) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", HAND_ON])
            .arg(self.program)
            .args(ARGUMENTS)
            .args(NETWORK)
            .arg(format!("--proxy-server={}", self.proxy))
            .arg(join("--user-data-dir=", self.profile));
        // The system does not confine what its administrator starts; the browser would not start at all.
        let root = fs::metadata(self.profile)?.uid() == 0;
        if root && self.sandbox {
            tracing::warn!(
                "this server runs as root, so what web pages run is not confined by the system; run it as another user"
            );
        }
        if root || !self.sandbox {
            command.arg("--no-sandbox");
        }
        command
            .env_clear()
            .env("HOME", self.profile)
            .env("PATH", self.search_path)
            .env("LANG", "C.UTF-8")
            .current_dir(self.profile)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            // A keyboard interrupt is for the server, which then ends its children itself.
            .process_group(0);
        command.spawn()
    }
}

fn join(flag: &str, path: &Path) -> OsString {
    let mut text = OsString::from(flag);
    text.push(path);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(folder: &Path, name: &str, mode: u32) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_named_browser_counts_and_no_other_then() {
        let folder = tempfile::tempdir().unwrap();
        let own = program(folder.path(), "mine", 0o755);
        let other = program(folder.path(), "chromium", 0o755);
        let path = folder.path().as_os_str().to_owned();
        assert_eq!(find(&own, &path), Some(own));
        assert_eq!(find(&folder.path().join("gone"), &path), None);
        assert_eq!(find(Path::new(""), &path), Some(other));
    }

    #[test]
    fn only_programs_in_folders_of_the_search_path_are_found() {
        let folder = tempfile::tempdir().unwrap();
        program(folder.path(), "chromium", 0o644);
        let shell = program(folder.path(), "headless_shell", 0o755);
        let path = std::env::join_paths([Path::new("relative"), folder.path()]).unwrap();
        assert_eq!(find(Path::new(""), &path), Some(shell));
        assert_eq!(find(Path::new(""), &OsString::new()), None);
    }
}
