//! Paths as text, as Python's `posixpath` takes them apart and puts them together. No file system is asked.

/// Folder and last part; the folder keeps no slash at its end, unless it is the root.
pub(super) fn split(path: &str) -> (&str, &str) {
    let cut = path.rfind('/').map_or(0, |slash| slash + 1);
    let (head, tail) = path.split_at(cut);
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, tail)
}

/// All before the extension, and the extension with its dot. Dots at the beginning of a name are no extension.
pub(super) fn split_extension(path: &str) -> (&str, &str) {
    let name_at = path.rfind('/').map_or(0, |slash| slash + 1);
    let name = &path[name_at..];
    let dots = name.len() - name.trim_start_matches('.').len();
    match name.rfind('.') {
        Some(dot) if dot >= dots && dots < name.len() => path.split_at(name_at + dot),
        _ => (path, ""),
    }
}

/// The parts one after the other; an absolute one begins anew.
pub(super) fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for (i, part) in parts.into_iter().enumerate() {
        if part.starts_with('/') {
            out.clear();
        } else if i > 0 && !out.is_empty() && !out.ends_with('/') {
            out.push('/');
        }
        out.push_str(part);
    }
    out
}

/// Without `.`, `..` and doubled slashes, as far as the text alone tells.
pub(super) fn normalize(path: &str) -> String {
    let slashes = path.len() - path.trim_start_matches('/').len();
    // Exactly two slashes are a root of their own.
    let root = match slashes {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let parts = parts(path, !root.is_empty());
    let text = format!("{root}{}", parts.join("/"));
    if text.is_empty() { ".".into() } else { text }
}

/// The way from `start` to `target`, when the text alone tells.
pub(super) fn relative(target: &str, start: &str) -> Option<String> {
    let absolute = target.starts_with('/');
    if absolute != start.starts_with('/') {
        return None;
    }
    let (target, start) = (parts(target, absolute), parts(start, absolute));
    let common = target
        .iter()
        .zip(&start)
        .take_while(|(a, b)| a == b)
        .count();
    let up = &start[common..];
    // Nobody knows the name of the folder that `..` leaves.
    if up.contains(&"..") {
        return None;
    }
    let way: Vec<_> = up
        .iter()
        .map(|_| "..")
        .chain(target[common..].iter().copied())
        .collect();
    Some(if way.is_empty() {
        ".".into()
    } else {
        way.join("/")
    })
}

fn parts(path: &str, absolute: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_come_apart_as_in_python() {
        for (path, head, tail) in [
            ("/foo/bar/test.txt", "/foo/bar", "test.txt"),
            ("/foo", "/", "foo"),
            ("foo", "", "foo"),
            ("foo/", "foo", ""),
            ("//foo", "//", "foo"),
            ("a//b", "a", "b"),
            ("/", "/", ""),
        ] {
            assert_eq!(split(path), (head, tail), "{path}");
        }
        for (path, root, extension) in [
            ("/foo/test.txt", "/foo/test", ".txt"),
            ("a.tar.gz", "a.tar", ".gz"),
            (".bashrc", ".bashrc", ""),
            ("..a", "..a", ""),
            (".a.b", ".a", ".b"),
            ("d.x/a", "d.x/a", ""),
            ("a.", "a", "."),
            ("...", "...", ""),
            ("é.ü", "é", ".ü"),
        ] {
            assert_eq!(split_extension(path), (root, extension), "{path}");
        }
    }

    #[test]
    fn paths_are_joined_and_normalized_as_in_python() {
        assert_eq!(join(["/foo", "bar", "baz.txt"]), "/foo/bar/baz.txt");
        assert_eq!(join(["a/", "b", ""]), "a/b/");
        assert_eq!(join(["a", "/b"]), "/b");
        for (path, normal) in [
            ("/foo/bar/../baz", "/foo/baz"),
            ("a//./b/", "a/b"),
            ("../a/..", ".."),
            ("/../a", "/a"),
            ("a/..", "."),
            ("//a", "//a"),
            ("///a", "/a"),
        ] {
            assert_eq!(normalize(path), normal, "{path}");
        }
    }

    #[test]
    fn the_way_between_paths_is_found_where_the_text_tells() {
        for (target, start, way) in [
            ("/foo/bar/baz", "/foo", Some("bar/baz")),
            ("/foo", "/foo/bar", Some("..")),
            ("a/b", "a/c/d", Some("../../b")),
            ("../a", ".", Some("../a")),
            ("a", "a", Some(".")),
            ("a", "..", None),
            ("/a", "b", None),
        ] {
            assert_eq!(relative(target, start).as_deref(), way, "{target} {start}");
        }
    }
}
