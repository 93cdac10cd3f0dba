//! What models in the cache are for, as far as their own files say: nobody is asked.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::inventory::CachedRepo;

/// Most bytes of a file that are read.
const HEAD: u64 = 64 << 10;

/// Classes of pipelines and the kinds of models they are.
const PIPELINES: [(&str, &str); 5] = [
    ("StableDiffusionXL", "stable_diffusion_xl"),
    ("StableDiffusion3", "stable_diffusion_3"),
    ("StableDiffusion", "stable_diffusion"),
    ("Flux", "flux"),
    ("QwenImage", "qwen_image"),
];

/// Whether a repository is of a kind such as `hf.text_to_image`.
pub(super) fn is_of_kind(repo: &CachedRepo, kind: &str) -> bool {
    let kind = kind.strip_prefix("hf.").unwrap_or(kind);
    let kind = kind.to_ascii_lowercase().replace('-', "_");
    repo.repo_type == "model" && repo.nb_files > 0 && kinds(repo).contains(&kind)
}

/// The kinds a repository is of, with underscores.
fn kinds(repo: &CachedRepo) -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for file in repo.revisions.iter().flat_map(|r| &r.files) {
        let path = Path::new(&file.file_path);
        match file.file_name.as_str() {
            "README.md" => kinds.extend(read(path).as_deref().and_then(pipeline_tag)),
            "model_index.json" => kinds.extend(read(path).as_deref().and_then(pipeline)),
            "adapter_config.json" => {
                kinds.insert("lora".to_owned());
            }
            name if name.ends_with(".gguf") => {
                kinds.insert("gguf".to_owned());
            }
            _ => {}
        }
    }
    kinds
}

fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(HEAD).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `pipeline_tag` in what stands between `---` at the top of a page.
fn pipeline_tag(page: &str) -> Option<String> {
    let mut lines = page.lines();
    (lines.next()?.trim_end() == "---").then_some(())?;
    let head = lines.take_while(|line| line.trim_end() != "---");
    let tag = head.filter_map(|line| line.strip_prefix("pipeline_tag:"));
    let tag = tag.map(|tag| tag.trim().trim_matches(['"', '\'']));
    let tag = tag.last().filter(|tag| !tag.is_empty())?;
    Some(tag.to_ascii_lowercase().replace('-', "_"))
}

/// The kind of a pipeline, by the name of its class.
fn pipeline(index: &str) -> Option<String> {
    let index: serde_json::Value = serde_json::from_str(index).ok()?;
    let class = index["_class_name"].as_str()?;
    let found = PIPELINES.iter().find(|(name, _)| class.starts_with(name));
    found.map(|(_, kind)| (*kind).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_a_model_is_for_only_at_its_top() {
        let page =
            "---\nlicense: mit\npipeline_tag: \"text-to-image\"\n---\n# X\npipeline_tag: other\n";
        assert_eq!(pipeline_tag(page).as_deref(), Some("text_to_image"));
        for none in [
            "",
            "# X\npipeline_tag: x",
            "---\npipeline_tag:\n---\n",
            "---\n---\npipeline_tag: x",
        ] {
            assert_eq!(pipeline_tag(none), None, "{none}");
        }
    }

    #[test]
    fn a_pipeline_is_known_by_its_class() {
        let of = |class: &str| pipeline(&serde_json::json!({ "_class_name": class }).to_string());
        assert_eq!(of("FluxPipeline").as_deref(), Some("flux"));
        assert_eq!(
            of("StableDiffusionXLPipeline").as_deref(),
            Some("stable_diffusion_xl")
        );
        assert_eq!(
            of("StableDiffusionPipeline").as_deref(),
            Some("stable_diffusion")
        );
        assert_eq!(of("Other"), None);
        assert_eq!(pipeline("no JSON"), None);
    }
}
