//! Skills: folders with a `SKILL.md` whose front matter names and describes what the text below teaches an agent.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest `SKILL.md` that is read.
const MAX_FILE: u64 = 1 << 20;

/// Most entries of folders looked at for one list.
const MAX_VISITED: usize = 10_000;

/// Most skills in one list.
const MAX_SKILLS: usize = 1000;

/// How deep below a folder skills are searched.
const MAX_DEPTH: usize = 3;

/// Longest description in characters.
const MAX_DESCRIPTION: usize = 1024;

/// One skill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Skill {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Its `SKILL.md`.
    pub(crate) path: PathBuf,
    /// The text below the front matter.
    pub(crate) instructions: String,
}

/// The skills below some folders, by name; of two with one name, the one found first. Links are not followed.
pub(crate) fn find_skills<'a>(roots: impl Iterator<Item = &'a PathBuf>) -> Vec<Skill> {
    let mut seen = HashSet::new();
    let mut skills = Vec::new();
    let mut visited = 0;
    for root in roots {
        let mut left = vec![(root.clone(), 0)];
        while let Some((folder, depth)) = left.pop() {
            if skills.len() >= MAX_SKILLS {
                break;
            }
            if let Some(skill) = read_skill(&folder.join("SKILL.md")) {
                if seen.insert(skill.name.clone()) {
                    skills.push(skill);
                }
                continue;
            }
            if depth >= MAX_DEPTH {
                continue;
            }
            // Folders of skills need not be there.
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            let mut below = Vec::new();
            for entry in entries.flatten() {
                visited += 1;
                if visited > MAX_VISITED {
                    break;
                }
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    below.push(entry.path());
                }
            }
            // Taken from the end, so that names come in order.
            below.sort_unstable_by(|a, b| b.cmp(a));
            left.extend(below.into_iter().map(|path| (path, depth + 1)));
        }
    }
    skills.sort_by(|a, b| a.name.cmp(&b.name));
    skills
}

fn read_skill(path: &Path) -> Option<Skill> {
    let kind = std::fs::symlink_metadata(path).ok()?;
    if !kind.is_file() || kind.len() > MAX_FILE {
        return None;
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    let skill = parse(&text, path);
    if skill.is_none() {
        tracing::warn!(path = %path.display(), "no skill: its front matter does not name and describe one as it should");
    }
    skill
}

fn parse(text: &str, path: &Path) -> Option<Skill> {
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
    if lines.next()?.trim_end() != "---" {
        return None;
    }
    let (mut name, mut description) = (None, None);
    loop {
        let line = lines.next()?;
        if line.trim_end() == "---" {
            break;
        }
        match line.split_once(':') {
            Some(("name", value)) => name = Some(plain(value)),
            Some(("description", value)) => description = Some(plain(value)),
            _ => {}
        }
    }
    let (name, description) = (name?, description?);
    let instructions = lines.collect::<Vec<_>>().join("\n");
    (is_name(&name) && is_description(&description)).then(|| Skill {
        name,
        description,
        path: path.to_owned(),
        instructions: instructions.trim().to_owned(),
    })
}

/// A scalar without its quotes.
fn plain(value: &str) -> String {
    let value = value.trim();
    let unquoted = ['"', '\'']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    unquoted.unwrap_or(value).to_owned()
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !["anthropic", "claude"]
            .iter()
            .any(|word| name.contains(word))
}

fn is_description(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_DESCRIPTION && !text.contains(['<', '>'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, place: &str, text: &str) {
        let folder = folder.join(place);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("SKILL.md"), text).unwrap();
    }

    #[test]
    fn skills_are_found_by_their_front_matter() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        write(
            root,
            "z",
            "---\nname: alpha\ndescription: \"Does: things\"\n---\n\n# Do\nit\n",
        );
        write(
            root,
            "group/b",
            "---\r\nname: beta\r\ndescription: x\r\n---\r\n",
        );
        write(
            root,
            "zz",
            "---\nname: alpha\ndescription: a second one\n---\n",
        );
        write(root, "bad1", "name: gamma\ndescription: x\n");
        write(root, "bad2", "---\nname: Big\ndescription: x\n---\n");
        write(root, "bad3", "---\nname: my-claude\ndescription: x\n---\n");
        write(
            root,
            "bad4",
            "---\nname: tags\ndescription: <b>x</b>\n---\n",
        );
        write(root, "bad5", "---\nname: open\ndescription: never ends\n");
        write(
            root,
            "1/2/3/4",
            "---\nname: deep\ndescription: too deep\n---\n",
        );
        let found = find_skills([root.to_owned(), root.join("missing")].iter());
        let names: Vec<_> = found
            .iter()
            .map(|s| (s.name.as_str(), s.description.as_str()))
            .collect();
        assert_eq!(names, [("alpha", "Does: things"), ("beta", "x")]);
        assert_eq!(found[0].instructions, "# Do\nit");
    }
}
