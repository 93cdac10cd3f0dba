//! The name under which a download is kept: what the server suggests, made harmless.

use url::Url;

/// Longest name, in bytes; what folders usually take.
const MAX_NAME: usize = 200;

/// The name for a download of `url` whose answer had this `Content-Disposition`.
pub(super) fn file_name(disposition: Option<&str>, url: &str) -> String {
    let suggested = disposition.and_then(suggestion).map(|n| harmless(&n));
    if let Some(name) = suggested.filter(|n| !n.is_empty()) {
        return name;
    }
    let parsed = Url::parse(url).ok();
    let last = parsed
        .as_ref()
        .and_then(|u| u.path_segments()?.rfind(|s| !s.is_empty()))
        .map(|s| harmless(&percent_decoded(s)));
    last.filter(|n| !n.is_empty())
        .unwrap_or_else(|| "download".into())
}

/// `filename*=UTF-8''…` before `filename="…"`.
fn suggestion(disposition: &str) -> Option<String> {
    let parts = parameters(disposition);
    let find = |key: &str| parts.iter().find(|(k, _)| k == key).map(|(_, v)| v);
    if let Some(extended) = find("filename*") {
        let (charset, rest) = extended.split_once('\'')?;
        let (_, encoded) = rest.split_once('\'')?;
        if charset.eq_ignore_ascii_case("utf-8") {
            return Some(percent_decoded(encoded));
        }
    }
    find("filename").cloned()
}

/// `key=value` and `key="quoted \"value\""`, separated by semicolons.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut chars = text.chars().peekable();
    while chars.peek().is_some() {
        let (mut key, mut value, mut quoted, mut has_value) =
            (String::new(), String::new(), false, false);
        while let Some(c) = chars.next() {
            match c {
                '"' if has_value => quoted = !quoted,
                '\\' if quoted => value.extend(chars.next()),
                ';' if !quoted => break,
                '=' if !has_value => has_value = true,
                _ if has_value => value.push(c),
                _ => key.push(c),
            }
        }
        if has_value {
            found.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    found
}

/// Only the last part of a path, without characters that mean something to a file system.
fn harmless(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .map(|c| {
            if c.is_control() || "<>:\"|?*".contains(c) {
                '_'
            } else {
                c
            }
        })
        .collect();
    let clean = clean
        .trim()
        .trim_start_matches('.')
        .trim_end_matches(['.', ' ']);
    if clean.len() <= MAX_NAME {
        return clean.to_owned();
    }
    // The end says what kind of file it is.
    let extension = clean.rfind('.').map_or("", |dot| &clean[dot..]);
    let extension = if extension.len() > 16 { "" } else { extension };
    let keep = clean.floor_char_boundary(MAX_NAME - extension.len());
    format!("{}{extension}", &clean[..keep])
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut i) = (Vec::with_capacity(bytes.len()), 0);
    while i < bytes.len() {
        let pair = (bytes[i] == b'%').then(|| text.get(i + 1..i + 3)).flatten();
        match pair.and_then(|p| u8::from_str_radix(p, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_suggests_and_the_url_is_the_fallback() {
        let url = "https://x.org/a/b%20c.pdf?q=1";
        for (disposition, name) in [
            (None, "b c.pdf"),
            (Some("attachment; filename=\"r;1.txt\"; x=y"), "r;1.txt"),
            (Some("attachment; filename=plain.txt"), "plain.txt"),
            (Some("attachment; filename=\"a\\\"b.txt\""), "a_b.txt"),
            (
                Some("attachment; filename=x; filename*=UTF-8''%e2%82%ac.txt"),
                "€.txt",
            ),
            (Some("inline"), "b c.pdf"),
        ] {
            assert_eq!(file_name(disposition, url), name, "{disposition:?}");
        }
        assert_eq!(file_name(None, "https://x.org/"), "download");
        assert_eq!(file_name(None, "nonsense"), "download");
    }

    #[test]
    fn no_suggestion_leaves_the_folder() {
        for suggested in [
            "../../etc/passwd",
            "/etc/passwd",
            "..\\..\\x",
            "..",
            ".",
            "%2e%2e",
            "a\0b",
            ".bashrc",
            "\r\n",
            "x/",
            "....//",
            "C:\\x",
        ] {
            for disposition in [
                format!("attachment; filename=\"{suggested}\""),
                format!("attachment; filename*=UTF-8''{suggested}"),
            ] {
                let name = file_name(Some(&disposition), "https://x.org/");
                assert!(
                    !name.is_empty() && !name.starts_with('.'),
                    "{suggested}: {name}"
                );
                assert!(
                    !name.contains(['/', '\\', '\0', '\n', '\r']),
                    "{suggested}: {name}"
                );
            }
        }
        let long = format!("attachment; filename={}.jpeg", "é".repeat(500));
        let name = file_name(Some(&long), "https://x.org/");
        assert!(name.len() <= MAX_NAME && name.ends_with(".jpeg"));
    }
}
