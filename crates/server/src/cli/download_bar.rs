//! How far a download is, as one line on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The line; nothing where nobody sees it.
pub(super) struct DownloadBar(Option<ProgressBar>);

impl DownloadBar {
    /// A line if it is wanted and standard error is a terminal.
    pub(super) fn on_terminal(wanted: bool) -> Self {
        let shown = wanted && std::io::stderr().is_terminal();
        DownloadBar(shown.then(|| {
            let bar = ProgressBar::no_length();
            let template = "{spinner:.green} {msg} [{bar:24}] {binary_bytes}/{binary_total_bytes}  {binary_bytes_per_sec}  {eta}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        }))
    }

    pub(super) fn show(&self, done: u64, total: u64, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(what.chars().take(40).collect::<String>());
        }
    }

    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
